//! R9 and S8: what is true now, and beside it every version with its time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use polars::prelude::{ParquetReader, SerReader};

use crate::support::{InProcess, Source, Workplace, runtime};
use crate::values::nights::Nights;

const T: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\nhistory = true\n";

const COUNTS: [&str; 3] = ["inserted", "updated", "unchanged"];

/// Columns of a history, each version with whether it is current.
fn versions(nights: &Nights, table: &str, columns: &[&str]) -> Vec<String> {
    let rows = nights.records(table).into_iter().map(|row| {
        let state = if row["_flowlake_valid_to"] == "null" { "now" } else { "past" };
        let values = columns.iter().map(|name| row[*name].clone()).collect::<Vec<_>>();
        format!("{} {state}", values.join(" "))
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

const FIRST: &str = r#"[{"id":1,"at":"2026-01-05","v":10,"lines":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-02-05","v":20,"lines":[{"n":3}]}]"#;

#[test]
fn r09_the_table_holds_what_is_true_now_and_its_history_every_version() {
    for settings in ["", "partition_by = [\"month(at)\"]\nsort_by = [\"id\"]\n"] {
        let nights = Nights::of(&format!("{T}{settings}"));
        nights.load(FIRST);
        assert_eq!(nights.lake().tables(), ["t", "t__history", "t__lines", "t__lines__history"]);
        assert_eq!(versions(&nights, "t__history", &["id", "v"]), ["1 10 now", "2 20 now"]);
        // One order changes, with one of its lines; the other one moves to another month.
        nights.load(
            r#"[{"id":1,"at":"2026-01-05","v":11,"lines":[{"n":1},{"n":5}]},
                {"id":2,"at":"2026-03-05","v":20,"lines":[{"n":3}]},{"id":3,"at":"2026-01-05","v":30}]"#,
        );
        assert_eq!(nights.t(&["id", "v"]), ["1 | 11", "2 | 20", "3 | 30"], "{settings}");
        assert_eq!(nights.rows("t__lines", &["t__id", "n"]), ["1 | 1", "1 | 5", "2 | 3"]);
        assert!(nights.lake().schema("t").iter().all(|column| !column.contains("valid")));
        assert_eq!(
            versions(&nights, "t__history", &["id", "at", "v"]),
            [
                "1 2026-01-05 10 past",
                "1 2026-01-05 11 now",
                "2 2026-02-05 20 past",
                "2 2026-03-05 20 now",
                "3 2026-01-05 30 now"
            ]
        );
        let moved = if settings.is_empty() { &[][..] } else { &["2 3 past"] };
        let lines = [&["1 1 now", "1 2 past", "1 5 now", "2 3 now"], moved].concat();
        assert_eq!(versions(&nights, "t__lines__history", &["t__id", "n"]), lines, "{settings}");
        let counts = ["received", "inserted", "updated", "rows"];
        assert_eq!(nights.counts("t", counts), [3, 1, 2, 3]);
        assert_eq!(nights.counts("t__history", counts), [3, 3, 0, 5]);
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
        let shown = nights.workplace.flowlake(&["runs", "test.toml"]).success();
        assert!(shown.contains("committed"), "{shown}");
    }
}

#[test]
fn r09_the_current_table_is_what_a_merge_without_history_holds() {
    let nights = [
        r#"[{"id":1,"v":1,"rev":2,"lines":[{"n":1}]},{"id":2,"v":2,"rev":1},{"id":2,"v":3,"rev":2}]"#,
        r#"[{"id":1,"v":9,"rev":1,"lines":[]},{"id":3,"v":"x","rev":1}]"#,
        r#"[{"id":1,"v":4,"rev":3,"lines":[{"n":2},{"n":3}]},{"id":3,"v":5,"rev":1}]"#,
        "[{\"id\":3,\"v\":5,\"rev\":1}]",
    ];
    for settings in ["", "deletes = \"remove\"\n", "cursor = \"rev\"\n"] {
        let with = Nights::of(&format!("{T}{settings}"));
        let without = Nights::of(&format!("{}{settings}", T.replace("history = true\n", "")));
        for json in nights {
            for lake in [&with, &without] {
                lake.load(json);
            }
            let columns = ["id", "v", "rev"];
            assert_eq!(with.t(&columns), without.t(&columns), "{settings}{json}");
            let lines = ["t__id", "_index", "n"];
            assert_eq!(with.rows("t__lines", &lines), without.rows("t__lines", &lines), "{json}");
            assert_eq!(with.columns("t"), without.columns("t"));
            let now = versions(&with, "t__history", &["id", "v"]);
            let now = now.iter().filter_map(|row| row.strip_suffix(" now"));
            let expected: Vec<String> =
                with.t(&["id", "v"]).iter().map(|row| row.replace(" | ", " ")).collect();
            assert_eq!(now.collect::<Vec<_>>(), expected, "{settings}{json}");
        }
    }
}

#[test]
fn r09_a_deleted_record_ends_in_the_history() {
    let nights = Nights::of(&format!("{T}deletes = \"remove\"\n"));
    nights.load(FIRST);
    nights.load(r#"[{"id":2,"at":"2026-02-05","v":20,"lines":[{"n":3}]}]"#);
    assert_eq!(nights.t(&["id"]), ["2"]);
    assert_eq!(nights.rows("t__lines", &["n"]), ["3"]);
    assert_eq!(versions(&nights, "t__history", &["id"]), ["1 past", "2 now"]);
    assert_eq!(versions(&nights, "t__lines__history", &["n"]), ["1 past", "2 past", "3 now"]);
    // It comes back as another version.
    nights.load(FIRST);
    assert_eq!(versions(&nights, "t__history", &["id"]), ["1 now", "1 past", "2 now"]);
}

#[test]
fn r09_the_same_export_again_changes_no_file_of_a_history() {
    let nights = Nights::of(T);
    nights.load(FIRST);
    let before = nights.lake().snapshot();
    let night = nights.night(&FIRST.replace("\"id\":2", "\"id\" : 2"));
    assert!(night.success().contains("nothing new"));
    assert_eq!(nights.lake().snapshot(), before);
    assert_eq!(nights.counts("t__history", COUNTS), [0, 0, 0]);
}

#[test]
fn r09_small_files_of_a_history_are_put_together() {
    let nights = Nights::of(T);
    for v in 0..12 {
        nights.load(&format!("[{{\"id\":1,\"v\":{v}}},{{\"id\":{},\"v\":0}}]", v + 2));
    }
    assert!(nights.lake().files("t__history").len() <= 8);
    let rows = versions(&nights, "t__history", &["id", "v"]);
    assert_eq!(rows.iter().filter(|row| row.ends_with("past")).count(), 11, "{rows:?}");
    assert_eq!(rows.len(), 24);
}

#[test]
fn r09_a_table_that_gets_a_history_brings_its_rows_into_it() {
    let nights = Nights::of(&T.replace("history = true\n", ""));
    nights.load(FIRST);
    let loaded_at = nights.rows("t", &["id", "_flowlake_loaded_at"]);
    nights.redefine(T).load(&FIRST.replace("\"v\":10", "\"v\":11"));
    assert_eq!(
        versions(&nights, "t__history", &["id", "v"]),
        ["1 10 past", "1 11 now", "2 20 now"]
    );
    assert_eq!(versions(&nights, "t__lines__history", &["n"]), ["1 now", "2 now", "3 now"]);
    let begins = nights.rows("t__history", &["id", "_flowlake_valid_from"]);
    assert_eq!([&begins[0], &begins[2]], [&loaded_at[0], &loaded_at[1]]);
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
    // A history that is not kept up would tell what is not true any more.
    let refused = nights.redefine(&T.replace("history = true\n", "")).night(FIRST);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("`t__history`"), "{}", refused.stderr);
}

#[test]
fn r09_a_column_that_widens_widens_in_the_history_too() {
    let nights = Nights::of(T);
    nights.load(r#"[{"id":1,"v":1},{"id":2,"v":2}]"#);
    nights.load(r#"[{"id":1,"v":1.5,"w":true},{"id":2,"v":2}]"#);
    assert_eq!(nights.type_of("t__history", "v"), nights.type_of("t", "v"));
    assert_eq!(
        versions(&nights, "t__history", &["id", "w"]),
        ["1 null past", "1 true now", "2 null now"]
    );
    // A column that is excluded leaves no value behind.
    nights.redefine(&format!("{T}[tables.columns]\nw = {{ exclude = true }}\n"));
    nights.load(r#"[{"id":1,"v":1.5},{"id":2,"v":3}]"#);
    assert_eq!(nights.type_of("t__history", "w"), "");
}

#[test]
fn r09_a_list_with_the_name_of_a_history_is_told_apart() {
    let nights = Nights::of(T);
    let json = r#"[{"id":1,"history":[{"h":1}],"lines":[{"n":1,"history":[{"h":2}]}]}]"#;
    nights.load(json);
    let tables = nights.lake().tables();
    let of_list = |prefix: &str| -> Vec<&String> {
        let is_list = |name: &&String| {
            name.strip_prefix(prefix).is_some_and(|rest| rest.len() == 5 && rest.starts_with('_'))
        };
        tables.iter().filter(is_list).collect()
    };
    let [orders, lines] = [of_list("t__history"), of_list("t__lines__history")];
    assert_eq!((orders.len(), lines.len()), (1, 1), "{tables:?}");
    assert_eq!(nights.rows(orders[0], &["h"]), ["1"]);
    assert_eq!(nights.rows(lines[0], &["h"]), ["2"]);
    assert_eq!(nights.t(&["id"]), ["1"]);
    nights.load(&json.replace("\"h\":1", "\"h\":3"));
    assert_eq!(nights.lake().tables(), tables, "the names stay");
    assert_eq!(nights.rows(orders[0], &["h"]), ["3"]);
    // A table that has the name already keeps it, and the history is refused.
    let nights = Nights::of(&T.replace("history = true\n", ""));
    nights.load(json);
    let refused = nights.redefine(T).night(json);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("`t__history`"), "{}", refused.stderr);
}

#[test]
fn r09_no_declared_table_has_the_name_of_a_history() {
    for name in ["t__history", "t__lines__history"] {
        let child =
            format!("{T}\n[[tables]]\nname = \"{name}\"\nparent = \"t\"\nrecords = \"/l\"\n");
        let refused = Nights::of(&child).check();
        assert_eq!(refused.code, 2, "{name}: {}", refused.stderr);
        let shown = format!("{}{}", refused.stdout, refused.stderr);
        assert!(shown.contains("is a name for the history of `t`"), "{shown}");
        let plain = child.replace("history = true\n", "");
        assert_eq!(Nights::of(&plain).check().code, 0, "{name}");
    }
}

/// The versions of record 1: its value, and how many seconds after the start of the first run it begins and ends.
async fn timeline(store: &Arc<InMemory>, first: DateTime<Utc>) -> Vec<(i64, i64, Option<i64>)> {
    let mut all = Vec::new();
    let listed: Vec<_> = {
        use futures::TryStreamExt;
        store.list(Some(&Path::from("t__history"))).try_collect().await.unwrap()
    };
    for meta in listed {
        let content = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        let rows = ParquetReader::new(std::io::Cursor::new(content)).finish().unwrap();
        let seconds = |name: &str, row: usize| {
            let instants = rows.column(name).unwrap().as_materialized_series().to_physical_repr();
            let micros = instants.i64().unwrap().get(row);
            micros.map(|micros| (micros - first.timestamp_micros()) / 1_000_000)
        };
        for row in 0..rows.height() {
            let v = rows.column("v").unwrap().i64().unwrap().get(row).unwrap();
            let from = seconds("_flowlake_valid_from", row).unwrap();
            all.push((v, from, seconds("_flowlake_valid_to", row)));
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn s08_no_version_begins_before_the_one_that_it_ends() {
    let source = Source::serving("[]");
    let workplace = Workplace::empty();
    workplace.define(&format!("{T}deletes = \"remove\"\n"));
    let store: Arc<InMemory> = Arc::new(InMemory::new());
    let first = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    runtime().block_on(async {
        let pipeline = InProcess::asking(source.base_url(), &workplace).await;
        // The second run's clock is an hour behind, and the third's right again.
        let other = r#"{"id":2,"v":0}"#;
        for (night, (seconds, json)) in [
            (0, format!("[{{\"id\":1,\"v\":1}},{other}]")),
            (-3600, format!("[{{\"id\":1,\"v\":2}},{other}]")),
            (60, format!("[{other}]")),
            (-60, format!("[{{\"id\":1,\"v\":3}},{other}]")),
            (120, format!("[{{\"id\":1,\"v\":4}},{other}]")),
        ]
        .into_iter()
        .enumerate()
        {
            source.serve(&json);
            let now = first + chrono::TimeDelta::seconds(seconds);
            pipeline.run_at(store.clone(), &format!("run-{night}"), now).await.unwrap();
        }
        let expected =
            [(0, 0, None), (1, 0, Some(0)), (2, 0, Some(60)), (3, 60, Some(120)), (4, 120, None)];
        assert_eq!(timeline(&store, first).await, expected);
    });
}

#[test]
fn s08_a_history_that_begins_behind_its_table_has_no_version_that_ends_before() {
    let source = Source::serving("[]");
    let workplace = Workplace::empty();
    let store: Arc<InMemory> = Arc::new(InMemory::new());
    let first = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    runtime().block_on(async {
        for (night, (tables, seconds)) in
            [(T.replace("history = true\n", ""), 0), (T.to_owned(), -60)].into_iter().enumerate()
        {
            workplace.define(&tables);
            let pipeline = InProcess::asking(source.base_url(), &workplace).await;
            source.serve(&format!("[{{\"id\":1,\"v\":{night}}}]"));
            let now = first + chrono::TimeDelta::seconds(seconds);
            pipeline.run_at(store.clone(), &format!("run-{night}"), now).await.unwrap();
        }
        assert_eq!(timeline(&store, first).await, [(0, -60, Some(-60)), (1, -60, None)]);
    });
}
