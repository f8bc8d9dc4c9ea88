//! V7, R16: time zones of columns and of partitions, whatever holds the times, on the first night and later.

use super::nights::Nights;
use crate::support::Workplace;

const COPENHAGEN: &str = "timezone = \"Europe/Copenhagen\"";

/// The settings of a column `at` of timestamps, after those of the table.
fn at(table: &str, settings: &str) -> String {
    format!("{table}[tables.columns]\nat = {{ type = \"timestamp\", {settings} }}\n")
}

/// Records with the ids from 1 on, and these values.
fn records(values: &[&str]) -> String {
    let records =
        values.iter().zip(1..).map(|(value, id)| format!("{{\"id\":{id},\"at\":{value}}}"));
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

#[test]
fn v07_times_of_one_export_are_local_in_whatever_form_they_are_stored() {
    for (values, expected) in [
        (
            vec!["\"2026-07-01T12:00:00\"", "null", "\"2026-12-01T12:00:00\""],
            vec!["2026-07-01T10:00:00Z", "null", "2026-12-01T11:00:00Z"],
        ),
        (
            vec!["\"2026-07-01T12:00:00.250\"", "\"2026-12-01T12:00:00.500\""],
            vec!["2026-07-01T10:00:00.250000Z", "2026-12-01T11:00:00.500000Z"],
        ),
        (
            vec!["\"2026-07-01T12:00:00Z\"", "\"2026-12-01T12:00:00Z\""],
            vec!["2026-07-01T12:00:00Z", "2026-12-01T12:00:00Z"],
        ),
        (
            vec!["\"2026-07-01T12:00:00Z\"", "\"2026-07-01T12:00:00\"", "\"2026-07-01\""],
            vec!["2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z", "2026-06-30T22:00:00Z"],
        ),
        (
            vec!["\"2026-07-01\"", "\"2026-12-01\""],
            vec!["2026-06-30T22:00:00Z", "2026-11-30T23:00:00Z"],
        ),
    ] {
        let nights = Nights::of_t(&at("", COPENHAGEN));
        nights.load(&records(&values));
        let expected: Vec<String> =
            expected.iter().zip(1..).map(|(value, id)| format!("{id} | {value}")).collect();
        assert_eq!(nights.t(&["id", "at"]), expected, "{values:?}");
    }
}

/// The texts in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn v07_every_row_of_the_page_is_so() {
    let page = include_str!("../../../docs/types.md");
    let (_, section) = page.split_once("In `Europe/Copenhagen`:").unwrap();
    let rows = section.lines().skip(4).take_while(|line| line.starts_with('|'));
    let rows: Vec<&str> = rows.collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let fits = !cells[1].contains("does not fit");
        let becomes: Vec<&str> =
            quoted(cells[1]).into_iter().filter(|it| it.ends_with('Z')).collect();
        for written in quoted(cells[0]) {
            let nights = Nights::of_t(&at("", COPENHAGEN));
            nights.load(&records(&[written, "null"]));
            let expected = if fits { vec![becomes[0], "null"] } else { vec!["null"] };
            assert_eq!(nights.t(&["at"]), expected, "{row}");
            for (choice, instant) in ["earliest", "latest"].iter().zip(&becomes).filter(|_| !fits) {
                let settings = format!("{COPENHAGEN}, ambiguous = \"{choice}\"");
                let nights = Nights::of_t(&at("", &settings));
                nights.load(&records(&[written]));
                assert_eq!(nights.t(&["at"]), [*instant], "{row}");
            }
        }
    }
}

#[test]
fn v07_times_in_objects_have_zones_in_columns_of_every_kind() {
    let json =
        r#"[{"id":1,"period":{"from":"2026-07-01T12:00:00","all":[["2026-12-01T12:00:00"]]}}]"#;
    let nights = Nights::of_t(&format!(
        "nested = \"columns\"\n[tables.columns]\nperiod = {{ type = \"struct<from: timestamp, all: list<list<timestamp>>>\", {COPENHAGEN} }}\n"
    ));
    nights.load(json);
    assert_eq!(
        nights.t(&["period"]),
        ["{from: 2026-07-01T10:00:00Z, all: [[2026-12-01T11:00:00Z]]}"]
    );
    for nested in ["", "nested = \"json\"\n"] {
        let nights = Nights::of_t(&format!(
            "{nested}[tables.columns]\nperiod__from = {{ type = \"timestamp\", {COPENHAGEN} }}\nat = {{ type = \"timestamp\", {COPENHAGEN} }}\n"
        ));
        nights.load(
            r#"[{"id":1,"at":"2026-07-01T12:00:00","period":{"from":"2026-07-01T12:00:00"}}]"#,
        );
        assert_eq!(nights.t(&["at"]), ["2026-07-01T10:00:00Z"], "{nested}");
        if nested.is_empty() {
            assert_eq!(nights.t(&["period__from"]), ["2026-07-01T10:00:00Z"]);
        }
    }
}

#[test]
fn v07_a_time_that_does_not_fit_costs_its_value_where_the_contract_says_so() {
    let contract = "schema_contract = { data_type = \"discard_value\" }\n";
    let nights = Nights::of_t(&at(contract, COPENHAGEN));
    nights.load(&records(&["\"2026-10-25T02:30:00\"", "\"2026-10-25T02:30:00+01:00\""]));
    assert_eq!(nights.t(&["id", "at"]), ["1 | null", "2 | 2026-10-25T01:30:00Z"]);
    assert_eq!(nights.waiting("t"), ["1 value"]);
}

#[test]
fn v07_forms_and_zones_go_together() {
    let form = "formats = [\"%d.%m.%Y %H:%M %z\", \"%d.%m.%Y %H:%M\", \"%d.%m.%Y\", \"%s\"]";
    let nights = Nights::of_t(&at("", &format!("{COPENHAGEN}, ambiguous = \"latest\", {form}")));
    nights.load(&records(&[
        "\"01.07.2026 12:00 +0000\"",
        "\"01.07.2026 12:00\"",
        "\"01.07.2026\"",
        "\"25.10.2026 02:30\"",
        "\"1782900000\"",
        "\"2026-07-01 12:00:00\"",
        "\"29.03.2026 02:30\"",
    ]));
    assert_eq!(
        nights.t(&["id", "at"]),
        [
            "1 | 2026-07-01T12:00:00Z",
            "2 | 2026-07-01T10:00:00Z",
            "3 | 2026-06-30T22:00:00Z",
            "4 | 2026-10-25T01:30:00Z",
            "5 | 2026-07-01T10:00:00Z",
            "6 | 2026-07-01T10:00:00Z",
        ]
    );
    assert_eq!(nights.waiting("t"), ["7 row"]);
}

#[test]
fn v07_the_next_night_means_the_same() {
    for disposition in ["append", "merge", "replace"] {
        let table = format!("write_disposition = \"{disposition}\"\n");
        let nights = Nights::of_t(&at(&table, COPENHAGEN));
        nights.load(&records(&["\"2026-07-01T12:00:00\"", "\"2026-12-01T12:00:00\""]));
        let stored = &nights.lake().manifest("t")["schema"]["columns"][1]["local_time"];
        assert_eq!(*stored, serde_json::json!({ "timezone": "Europe/Copenhagen" }));
        // The same instants, the first one with its zone.
        nights.load(&records(&["\"2026-07-01T10:00:00Z\"", "\"2026-12-01T12:00:00\""]));
        let mut rows = nights.t(&["id", "at"]);
        rows.dedup();
        assert_eq!(rows, ["1 | 2026-07-01T10:00:00Z", "2 | 2026-12-01T11:00:00Z"]);
        if disposition == "merge" {
            assert_eq!(nights.counts("t", ["unchanged", "updated"]), [2, 0]);
        }
    }
}

#[test]
fn v07_older_texts_and_dates_become_local_times() {
    let form = "formats = [\"%d.%m.%Y %H:%M\"]";
    for disposition in ["append", "merge"] {
        let table = format!("write_disposition = \"{disposition}\"\n");
        for (older, type_before, settings, expected) in [
            ("\"01.07.2026 12:00\"", "string", format!("{COPENHAGEN}, {form}"), "10:00:00Z"),
            ("\"2026-07-01 12:00:00\"", "timestamp", COPENHAGEN.to_owned(), "12:00:00Z"),
            ("\"2026-06-30\"", "date", COPENHAGEN.to_owned(), "22:00:00Z"),
        ] {
            let nights = Nights::of_t(&table);
            nights.load(&records(&[older]));
            assert_eq!(nights.type_of("t", "at"), type_before);
            nights.redefine_t(&at(&table, &settings));
            nights.load(r#"[{"id":2,"at":"2026-12-01T12:00:00"}]"#);
            let first = &nights.t(&["id", "at"])[0];
            assert!(first.ends_with(expected), "{disposition} {older}: {first}");
        }
    }
}

#[test]
fn v07_a_text_that_was_declared_as_one_is_read_by_its_new_zone() {
    let declared = "[tables.columns]\nat = \"string\"\n";
    let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{declared}"));
    nights.load(&records(&["\"2026-07-01T12:00:00\"", "\"2026-07-01T12:00:00Z\"", "null"]));
    nights.redefine_t(&at("write_disposition = \"append\"\n", COPENHAGEN));
    nights.load(r#"[{"id":4,"at":"2026-12-01T12:00:00"}]"#);
    assert_eq!(
        nights.t(&["id", "at"]),
        [
            "1 | 2026-07-01T10:00:00Z",
            "2 | 2026-07-01T12:00:00Z",
            "3 | null",
            "4 | 2026-12-01T11:00:00Z"
        ]
    );
}

#[test]
fn v07_older_keys_of_child_rows_are_read_as_their_parents() {
    let table = "[[tables]]\nname = \"t\"\nprimary_key = [\"at\"]\nwrite_disposition = \"append\"\n[tables.columns]\n";
    let nights = Nights::of(&format!("{table}at = \"string\"\n"));
    nights.load(r#"[{"at":"2026-07-01T12:00:00","lines":[{"n":1}]}]"#);
    nights.redefine(&format!("{table}at = {{ type = \"timestamp\", {COPENHAGEN} }}\n"));
    nights.load(r#"[{"at":"2026-12-01T12:00:00","lines":[{"n":2}]}]"#);
    let instants = ["2026-07-01T10:00:00Z", "2026-12-01T11:00:00Z"];
    assert_eq!(nights.t(&["at"]), instants);
    assert_eq!(nights.rows("t__lines", &["t__at"]), instants);
}

#[test]
fn v07_a_changed_zone_is_told_and_is_for_values_from_now_on() {
    let table = "write_disposition = \"merge\"\n";
    let nights = Nights::of_t(&at(table, COPENHAGEN));
    nights.load(&records(&["\"2026-07-01T12:00:00\""]));
    nights.redefine_t(&at(table, "timezone = \"America/New_York\""));
    let change = "~ t.at ISO 8601 in Europe/Copenhagen → ISO 8601 in America/New_York (declared, for values from now on)";
    let plan = nights.workplace.flowlake(&["plan", "test.toml"]).success();
    assert!(plan.contains(change), "{plan}");
    let finished = nights.night(r#"[{"id":2,"at":"2026-07-01T12:00:00"}]"#);
    assert!(finished.stdout.contains(change), "{}", finished.stdout);
    assert_eq!(nights.t(&["id", "at"]), ["1 | 2026-07-01T10:00:00Z", "2 | 2026-07-01T16:00:00Z"]);
    let finished = nights.night(r#"[{"id":2,"at":"2026-07-01T13:00:00"}]"#);
    assert!(!finished.stdout.contains("declared"), "{}", finished.stdout);
}

#[test]
fn v07_a_retry_reads_by_the_present_definition() {
    let table = "write_disposition = \"append\"\n";
    let nights = Nights::of_t(&at(table, COPENHAGEN));
    nights.load(&records(&["\"2026-10-25T02:30:00\"", "\"2026-07-01T12:00:00\""]));
    assert_eq!(nights.waiting("t"), ["1 row"]);
    nights.redefine_t(&at(table, &format!("{COPENHAGEN}, ambiguous = \"earliest\"")));
    nights.retry().success();
    assert_eq!(nights.t(&["id", "at"]), ["1 | 2026-10-25T00:30:00Z", "2 | 2026-07-01T10:00:00Z"]);
    assert_eq!(nights.waiting("t"), Vec::<String>::new());
}

#[test]
fn v07_a_cursor_is_compared_as_an_instant() {
    let table = "write_disposition = \"merge\"\ncursor = \"at\"\n";
    let nights = Nights::of_t(&at(table, COPENHAGEN));
    nights.load(r#"[{"id":1,"at":"2026-07-01T11:00:00Z","v":"later"},{"id":1,"at":"2026-07-01T12:30:00","v":"earlier"}]"#);
    assert_eq!(nights.t(&["v"]), ["\"later\""]);
    nights.load(r#"[{"id":1,"at":"2026-07-01T12:59:00","v":"older"}]"#);
    assert_eq!(nights.t(&["v"]), ["\"later\""]);
    nights.load(r#"[{"id":1,"at":"2026-07-01T13:01:00","v":"newer"}]"#);
    assert_eq!(nights.t(&["v"]), ["\"newer\""]);
}

#[test]
fn v07_checks_read_their_values_as_the_column_does() {
    let checks = "checks = [{ range = \"at\", min = \"2026-07-01T12:00:00\", max = \"2026-07-01T11:00:00Z\" }]\n";
    let nights = Nights::of_t(&at(checks, COPENHAGEN));
    nights.load(&records(&[
        "\"2026-07-01T11:59:59\"",
        "\"2026-07-01T12:00:00\"",
        "\"2026-07-01T13:00:00\"",
        "\"2026-07-01T13:00:01\"",
    ]));
    assert_eq!(nights.waiting("t"), ["1 row", "4 row"]);
    let checks = "checks = [{ accepted_values = \"at\", values = [\"2026-07-01T12:00:00\"] }]\n";
    let nights = Nights::of_t(&at(checks, COPENHAGEN));
    nights.load(&records(&["\"2026-07-01T12:00:00\"", "\"2026-07-01T12:00:00Z\""]));
    assert_eq!(nights.waiting("t"), ["2 row"]);
}

#[test]
fn v07_years_are_those_of_utc() {
    for (zone, value, expected) in [
        ("Europe/Copenhagen", "9999-12-31T23:59:59", "9999-12-31T22:59:59Z"),
        ("Europe/Copenhagen", "0001-01-01T00:00:00", ""),
        ("America/New_York", "9999-12-31T23:59:59", ""),
    ] {
        let nights = Nights::of_t(&at("", &format!("timezone = \"{zone}\"")));
        nights.load(&records(&[&format!("\"{value}\""), "null"]));
        match expected {
            "" => assert_eq!(nights.waiting("t"), ["1 row"], "{zone} {value}"),
            _ => assert_eq!(nights.t(&["at"])[0], expected),
        }
    }
}

const BY_MONTH: &str = "partition_by = ['month(at, \"Europe/Copenhagen\")']\n";

#[test]
fn r16_child_rows_and_nulls_are_in_the_local_month_of_their_record() {
    let nights = Nights::of_t(BY_MONTH);
    nights.load(
        r#"[{"id":1,"at":"2026-10-31T22:59:59Z","l":[{"n":1}]},{"id":2,"at":"2026-10-31T23:00:00Z","l":[{"n":2}]},{"id":3,"at":null}]"#,
    );
    let lake = nights.lake();
    let months = ["at_month=2026-10", "at_month=2026-11"];
    assert_eq!(lake.partitions("t__l"), months);
    assert_eq!(lake.partitions("t").len(), 3);
    let stored = &lake.manifest("t")["schema"]["partition_by"][0];
    let expected = serde_json::json!({ "column": "at", "transform": "month", "timezone": "Europe/Copenhagen" });
    assert_eq!(*stored, expected);
}

#[test]
fn r16_an_hour_that_clocks_show_twice_is_one_partition() {
    let nights = Nights::of_t("partition_by = ['hour(at, \"Europe/Copenhagen\")']\n");
    nights.load(&records(&[
        "\"2026-10-25T00:30:00Z\"",
        "\"2026-10-25T01:30:00Z\"",
        "\"2026-10-25T02:00:00Z\"",
        "\"2026-03-29T01:00:00Z\"",
    ]));
    let hours = ["at_hour=2026-03-29-03", "at_hour=2026-10-25-02", "at_hour=2026-10-25-03"];
    assert_eq!(nights.lake().partitions("t"), hours);
}

#[test]
fn r16_a_merged_record_moves_between_local_months() {
    let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{BY_MONTH}"));
    nights.load(&records(&["\"2026-10-31T22:30:00Z\"", "\"2026-10-05T00:00:00Z\""]));
    assert_eq!(nights.lake().partitions("t"), ["at_month=2026-10"]);
    nights.load(r#"[{"id":1,"at":"2026-10-31T23:30:00Z"}]"#);
    assert_eq!(nights.lake().partitions("t"), ["at_month=2026-10", "at_month=2026-11"]);
    assert_eq!(nights.t(&["id"]), ["1", "2"]);
    let before = nights.lake().snapshot();
    nights.load(r#"[{"id":1,"at":"2026-10-31T23:30:00Z"}]"#);
    let files = |snapshot: &std::collections::BTreeMap<std::path::PathBuf, String>| {
        let parquet =
            snapshot.keys().filter(|path| path.extension().is_some_and(|it| it == "parquet"));
        parquet.cloned().collect::<Vec<_>>()
    };
    assert_eq!(files(&nights.lake().snapshot()), files(&before));
}

#[test]
fn r16_rows_that_stay_keep_the_zone_of_their_partitions() {
    let table = "write_disposition = \"append\"\n";
    let nights = Nights::of_t(&format!("{table}{BY_MONTH}"));
    nights.load(&records(&["\"2026-10-31T23:30:00Z\""]));
    for other in ["month(at)", "month(at, \"Europe/Berlin\")"] {
        nights.redefine_t(&format!("{table}partition_by = ['{other}']\n"));
        let refused = nights.night(&records(&["\"2026-10-31T23:30:00Z\""]).replace('1', "2"));
        assert_eq!(refused.code, 2, "{other}: {}{}", refused.stdout, refused.stderr);
    }
}

const WINDOW: &str = "[source.filters]\nfrom = \"{{ window.start }}\"\nto = \"{{ window.end }}\"\n\
                      [source.window]\nstart = 2026-09-15\n";

fn run(workplace: &Workplace, more: &[&str]) -> crate::support::Finished {
    workplace.flowlake(&[&["run", "test.toml"], more].concat())
}

/// One row at the last and one at the first moment of months, of Copenhagen and of UTC.
const AUTUMN: [(u32, &str); 6] = [
    (1, "2026-09-30T21:59:59Z"),
    (2, "2026-09-30T22:00:00Z"),
    (3, "2026-10-01T00:00:00Z"),
    (4, "2026-10-31T22:59:59Z"),
    (5, "2026-10-31T23:00:00Z"),
    (6, "2026-11-01T00:00:00Z"),
];

fn autumn(of: impl Fn(&str) -> bool) -> String {
    let records = AUTUMN.iter().filter(|(_, at)| of(at));
    let records = records.map(|(id, at)| format!("{{\"id\":{id},\"at\":\"{at}\"}}"));
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

#[test]
fn p1_r16_a_window_replaces_and_deletes_in_whole_local_months_only() {
    for table in [
        "write_disposition = \"overwrite_partitions\"\n",
        "write_disposition = \"merge\"\ndeletes = \"remove\"\n",
    ] {
        let nights = Nights::of("");
        nights.workplace.define_with(
            WINDOW,
            &format!("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n{table}{BY_MONTH}"),
        );
        nights.source.serve(&autumn(|_| true));
        run(&nights.workplace, &["--as-of", "2026-11-10T00:00:00Z"]).success();
        assert_eq!(nights.t(&["id"]), ["1", "2", "3", "4", "5", "6"]);
        // A window of October as UTC has it reaches into November as Copenhagen has it.
        let october = ["--from", "2026-10-01", "--to", "2026-11-01"];
        nights
            .source
            .serve(&autumn(|at| ("2026-09-30T22:00:00Z".."2026-11-30T23:00:00Z").contains(&at)));
        run(&nights.workplace, &october).success();
        let requests = nights.source.requests();
        let asked = requests.last().unwrap();
        assert!(asked.contains("from=2026-09-30T22%3A00%3A00Z&to=2026-11-"), "{asked}");
        assert_eq!(nights.t(&["id"]), ["1", "2", "3", "4", "5", "6"], "{table}");
        // The local October alone, without its last record.
        let october = ["--from", "2026-09-30T22:00:00Z", "--to", "2026-10-31T23:00:00Z"];
        nights.source.serve(
            r#"[{"id":2,"at":"2026-09-30T22:00:00Z"},{"id":3,"at":"2026-10-01T00:00:00Z"}]"#,
        );
        run(&nights.workplace, &october).success();
        let requests = nights.source.requests();
        let asked = requests.last().unwrap();
        assert!(asked.contains("to=2026-10-31T23%3A00%3A00Z"), "{asked}");
        assert_eq!(nights.t(&["id"]), ["1", "2", "3", "5", "6"], "{table}");
    }
}

#[test]
fn p1_r16_a_record_of_another_local_month_ends_the_run() {
    let nights = Nights::of("");
    nights.workplace.define_with(
        WINDOW,
        &format!(
            "[[tables]]\nname = \"t\"\nwrite_disposition = \"overwrite_partitions\"\n{BY_MONTH}"
        ),
    );
    nights.source.serve(&autumn(|_| true));
    run(&nights.workplace, &["--as-of", "2026-11-10T00:00:00Z"]).success();
    nights.source.serve(&autumn(|at| at >= "2026-09-30T21:00:00Z"));
    let refused = run(&nights.workplace, &["--from", "2026-10-05", "--to", "2026-10-06"]);
    assert_eq!(refused.code, 6, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("at_month=2026-09"), "{}", refused.stderr);
    assert_eq!(nights.t(&["id"]).len(), 6);
}

#[test]
fn r16_a_plan_names_the_local_months_that_are_replaced() {
    let nights = Nights::of("");
    nights.workplace.define_with(
        WINDOW,
        &format!(
            "[[tables]]\nname = \"t\"\nwrite_disposition = \"overwrite_partitions\"\n{BY_MONTH}"
        ),
    );
    nights.source.serve(&autumn(|_| true));
    run(&nights.workplace, &["--as-of", "2026-11-10T00:00:00Z"]).success();
    let arguments = ["plan", "test.toml", "--json", "--from", "2026-10-05", "--to", "2026-10-06"];
    let plan = nights.workplace.flowlake(&arguments).success();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["window"]["start"], "2026-09-30T22:00:00Z");
    assert_eq!(plan["window"]["end"], "2026-10-31T23:00:00Z");
    assert_eq!(plan["tables"][0]["partitions_replaced"], serde_json::json!(["at_month=2026-10"]));
}

#[test]
fn r16_check_refuses_windows_that_are_not_made_of_whole_partitions() {
    let table = |name: &str, by: &str| {
        format!(
            "[[tables]]\nname = \"{name}\"\nrecords = \"/{name}\"\nwrite_disposition = \"overwrite_partitions\"\npartition_by = ['{by}']\n"
        )
    };
    let zone = "month(at, \"Europe/Copenhagen\")";
    for (source, tables, said) in [
        (
            WINDOW.to_owned(),
            table("a", "year(at)") + &table("b", zone),
            "`b` has those of Europe/Copenhagen",
        ),
        (
            WINDOW.replace("window.end", "window.end | date"),
            table("a", zone),
            "leaves out the time of day",
        ),
        (
            WINDOW.replace("window.end", "window.end | date"),
            table("a", "hour(at)"),
            "leaves out the time of day",
        ),
    ] {
        let nights = Nights::of("");
        nights.workplace.define_with(&source, &tables);
        let checked = nights.check();
        assert_eq!(checked.code, 2, "{tables}: {}", checked.stdout);
        assert!(checked.stdout.contains(said), "{}", checked.stdout);
    }
    for (source, tables) in [
        (WINDOW.to_owned(), table("a", "year(at, \"Europe/Copenhagen\")") + &table("b", zone)),
        (WINDOW.replace("window.end", "window.end | date"), table("a", "day(at)")),
        (String::new(), table("a", "year(at)") + &table("b", zone)),
    ] {
        let nights = Nights::of("");
        nights.workplace.define_with(&source, &tables);
        nights.check().success();
    }
}

#[test]
fn r16_an_inferred_date_is_refused_with_the_line_to_write() {
    let nights = Nights::of_t(BY_MONTH);
    let refused = nights.night(&records(&["\"2026-10-31\""]));
    assert_eq!(refused.code, 6, "{}", refused.stdout);
    assert!(refused.stderr.contains("`at = \"timestamp\"`"), "{}", refused.stderr);
}
