//! V2 and V13: names that partitions, keys of parents and flowlake take; the ledger of values.

use super::nights::{Nights, T};

const BY_MONTH: &str = "partition_by = [\"month(created_at)\"]\n";

/// The columns of a table that hold a text in some row.
fn holders(nights: &Nights, table: &str, text: &str) -> Vec<String> {
    let mut names: Vec<String> = nights
        .records(table)
        .into_iter()
        .flat_map(|row| row.into_iter().filter(|(_, value)| value == text).map(|(name, _)| name))
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn v02_a_key_called_like_a_partition_is_in_a_column_of_another_name() {
    let nights = Nights::of_t(BY_MONTH);
    nights.load(r#"[{"id":1,"createdAt":"2026-10-05T00:00:00Z","createdAtMonth":"October"}]"#);
    let holders = holders(&nights, "t", "\"October\"");
    assert_eq!(holders.len(), 1, "{:?}", nights.columns("t"));
    assert!(holders[0].starts_with("created_at_month_"), "{holders:?}");
    assert_eq!(nights.lake().partitions("t"), ["created_at_month=2026-10"]);
}

#[test]
fn v02_a_key_called_like_a_partition_that_comes_on_a_later_night_is_in_a_column() {
    for disposition in ["append", "merge", "replace", "overwrite_partitions"] {
        let nights = Nights::of_t(&format!("write_disposition = \"{disposition}\"\n{BY_MONTH}"));
        nights.load(r#"[{"id":1,"createdAt":"2026-10-05T00:00:00Z"}]"#);
        nights.load(r#"[{"id":2,"createdAt":"2026-10-05T00:00:00Z","createdAtMonth":"October"}]"#);
        assert_eq!(holders(&nights, "t", "\"October\"").len(), 1, "{disposition}");
    }
}

#[test]
fn v02_a_key_called_like_a_day_a_year_or_an_identity_partition_is_in_a_column() {
    for (partition, key) in [
        ("day(created_at)", "createdAtDay"),
        ("year(created_at)", "created_at_year"),
        ("status", "statusPartition"),
    ] {
        let nights = Nights::of_t(&format!("partition_by = [\"{partition}\"]\n"));
        nights.load(&format!(
            r#"[{{"id":1,"createdAt":"2026-10-05","status":"open","{key}":"mine"}}]"#
        ));
        assert_eq!(holders(&nights, "t", "\"mine\"").len(), 1, "{partition}");
    }
}

#[test]
fn v02_a_key_of_a_child_row_called_like_its_partition_is_in_a_column() {
    let nights = Nights::of_t(BY_MONTH);
    nights.load(
        r#"[{"id":1,"createdAt":"2026-10-05T00:00:00Z","lines":[{"createdAtMonth":"October"}]}]"#,
    );
    assert_eq!(holders(&nights, "t__lines", "\"October\"").len(), 1);
}

#[test]
fn v02_what_init_writes_loads_a_key_called_like_its_partition() {
    let nights = Nights::of("");
    let records: Vec<String> = (1..=40)
        .map(|id| {
            format!(
                r#"{{"id":{id},"createdAt":"2026-{:02}-05T00:00:00Z","createdAtMonth":"month {id}"}}"#,
                id % 12 + 1
            )
        })
        .collect();
    let export = format!("[{}]", records.join(","));
    std::fs::write(nights.workplace.path().join("export.json"), &export).unwrap();
    let arguments =
        ["init", "--from-file", "export.json", "--name", "test", "--output", "written.toml"];
    nights.workplace.flowlake(&arguments).success();
    nights.source.serve(&export);
    nights.workplace.flowlake(&["run", "written.toml"]).success();
    let lake = crate::support::Lake::at(&nights.workplace.path().join("lake/test"));
    let table = lake.tables().remove(0);
    let columns: Vec<String> = lake.schema(&table);
    let own = columns.iter().filter(|column| column.starts_with("created_at_month_"));
    assert_eq!(own.count(), 1, "{columns:?}");
}

#[test]
fn v02_the_ledger_accounts_for_every_scalar() {
    let nights = Nights::of_t(
        "write_disposition = \"merge\"\n[tables.columns]\nsecret = { exclude = true }\nn = \"int64\"",
    );
    nights.load(
        r#"[{"id":1,"a":"x","tags":["p","q",null],"lines":[{"m":1},{"m":2,"w":true}],"secret":{"x":1,"y":[2]}},
            {"id":2,"a":null,"n":"not a number"}]"#,
    );
    // Record 1 has id, a, two tags, m, m, w and two secrets; record 2 has two values and is in quarantine.
    let names = ["values_received", "values_loaded", "values_excluded", "values_quarantined"];
    assert_eq!(nights.counts("t", names), [11, 7, 2, 2]);
}

#[test]
fn v13_a_field_called_like_the_key_of_the_parent_gets_a_suffix() {
    let nights = Nights::of("[[tables]]\nname = \"order\"\nprimary_key = [\"id\"]\n");
    nights.load(r#"[{"id":1,"lines":[{"order":{"id":7},"n":1}]}]"#);
    assert_eq!(nights.rows("order__lines", &["order__id", "n"]), ["1 | 1"]);
    let holders = holders(&nights, "order__lines", "7");
    assert_eq!(holders.len(), 1, "{:?}", nights.columns("order__lines"));
    assert!(holders[0].starts_with("order__id_"), "{holders:?}");
    // And on nights on which only one of them, or none, has a value.
    nights
        .load(r#"[{"id":1,"lines":[{"n":2}]}]"#)
        .load(r#"[{"id":1,"lines":[{"order":{"id":8}}]}]"#);
    assert_eq!(nights.rows("order__lines", &["order__id", &holders[0]]), ["1 | 8"]);
}

#[test]
fn v13_a_field_that_comes_later_and_is_called_like_the_key_of_the_parent_gets_a_suffix() {
    let nights = Nights::of(
        "[[tables]]\nname = \"order\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n",
    );
    nights.load(r#"[{"id":1,"lines":[{"n":1}]}]"#);
    nights.load(r#"[{"id":2,"lines":[{"n":1,"order_id":"mine","order":{"id":7}}]}]"#);
    assert_eq!(nights.rows("order__lines", &["order__id", "n"]), ["1 | 1", "2 | 1"]);
    assert_eq!(holders(&nights, "order__lines", "7").len(), 1);
}

#[test]
fn v13_a_field_called_like_the_hash_key_of_the_parent_gets_a_suffix() {
    let nights = Nights::of("[[tables]]\nname = \"t\"\n");
    nights.load(r#"[{"a":1,"lines":[{"t":{"flowlake_id":"mine"},"n":1}]}]"#);
    assert_eq!(holders(&nights, "t__lines", "\"mine\"").len(), 1);
}

#[test]
fn v13_what_init_writes_for_such_names_loads() {
    let nights = Nights::of("");
    let export = r#"{"order":[{"id":1,"createdAt":"2026-10-05","lines":[{"order":{"id":7},"n":1}]},{"id":2,"createdAt":"2026-10-06","lines":[]}]}"#;
    std::fs::write(nights.workplace.path().join("export.json"), export).unwrap();
    let arguments =
        ["init", "--from-file", "export.json", "--name", "test", "--output", "written.toml"];
    nights.workplace.flowlake(&arguments).success();
    nights.workplace.flowlake(&["check", "written.toml"]).success();
    nights.source.serve(export);
    nights.workplace.flowlake(&["run", "written.toml"]).success();
}

#[test]
fn v13_a_name_that_nobody_chose_is_never_a_refusal() {
    for record in [
        r#"{"id":1,"lines":[{"t":{"id":7},"t__id":8,"tId":9,"t_id":10}]}"#,
        r#"{"id":1,"lines":[{"_index":3,"index":4,"Index":5}]}"#,
        r#"{"id":1,"_flowlake_run_id":"x","flowlake_run_id":"y","flowlakeLoadedAt":"z"}"#,
        r#"{"id":1,"a":{"b":1},"a__b":2,"a_b":3,"aB":4,"A":{"B":5}}"#,
        r#"{"id":1,"t":{"lines":[{"n":1}]},"t__lines":[{"n":2}],"lines":[{"n":3}]}"#,
    ] {
        let nights = Nights::of(T);
        let finished = nights.night(&format!("[{record}]"));
        assert_eq!(finished.code, 0, "{record}\n{}", finished.stderr);
    }
}
