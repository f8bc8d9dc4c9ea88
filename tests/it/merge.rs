//! `merge`: rows by their keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use polars::prelude::{ParquetReader, SerReader};

use crate::support::{Lake, Source, Workplace};

const MERGED: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\npartition_by = [\"month(at)\"]\nsort_by = [\"id\"]\n";

/// A lake into which exports are merged, one after the other.
struct Nights {
    source: Source,
    workplace: Workplace,
}

impl Nights {
    fn of(tables: &str) -> Self {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        workplace.define(tables);
        Self { source, workplace }
    }

    #[track_caller]
    fn load(&self, json: &str) -> (Lake, String) {
        self.source.serve(json);
        let shown = self.workplace.run().success();
        (self.workplace.lake(), shown)
    }
}

/// What became of the rows of a table in the last run: inserted, updated, unchanged, superseded.
fn outcomes(lake: &Lake, table: &str) -> [usize; 4] {
    let ledger = lake.ledger();
    ["inserted", "updated", "unchanged", "superseded"].map(|fate| ledger[table][fate])
}

/// Rows of some columns, sorted.
fn rows(lake: &Lake, table: &str, columns: &[&str]) -> Vec<String> {
    let columns: Vec<Vec<String>> = columns.iter().map(|name| lake.column(table, name)).collect();
    let height = columns.first().map_or(0, Vec::len);
    let row =
        |row: usize| columns.iter().map(|column| column[row].clone()).collect::<Vec<_>>().join(" ");
    let mut rows: Vec<String> = (0..height).map(row).collect();
    rows.sort();
    rows
}

const FIRST: &str = r#"[
    {"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-01-06","v":"b","lines":[{"n":3}]},
    {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]},
    {"id":4,"at":"2026-03-05","v":"d"}]"#;

#[test]
fn rows_are_inserted_updated_and_unchanged_with_their_lines() {
    let nights = Nights::of(MERGED);
    nights.load(FIRST);
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":20},{"n":5}]},
            {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]},
            {"id":5,"at":"2026-02-07","v":"e","lines":[{"n":6}]}]"#,
    );
    assert_eq!(outcomes(&lake, "t"), [1, 0, 2, 0], "only a line of 1 is another");
    assert_eq!(outcomes(&lake, "t__lines"), [2, 1, 2, 0]);
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["1 a", "2 b", "3 c", "4 d", "5 e"]);
    assert_eq!(
        rows(&lake, "t__lines", &["t__id", "_index", "n"]),
        ["1 0 1", "1 1 20", "1 2 5", "2 0 3", "3 0 4", "5 0 6"]
    );
}

#[test]
fn unchanged_records_keep_their_files_and_their_run_id() {
    let nights = Nights::of(MERGED);
    let (lake, _) = nights.load(FIRST);
    let before = lake.snapshot();
    let runs = lake.column("t", "_flowlake_run_id");
    let (lake, _) =
        nights.load(r#"[{"id":1,"at":"2026-01-05","v":"A","lines":[{"n":1},{"n":2}]}]"#);
    let after = lake.snapshot();
    let kept: BTreeMap<&PathBuf, &String> =
        before.iter().filter(|(path, _)| after.contains_key(*path)).collect();
    let is_kept = |part: &str| kept.keys().any(|path| path.to_str().unwrap().contains(part));
    assert!(kept.iter().all(|(path, hash)| after[*path] == **hash));
    assert!(is_kept("t/at_month=2026-02") && is_kept("t/at_month=2026-03"));
    assert!(!is_kept("t/at_month=2026-01"), "1 has changed");
    assert!(is_kept("t__lines/at_month=2026-01"), "its lines have not");
    let runs_now = lake.column("t", "_flowlake_run_id");
    assert_ne!(runs_now[0], runs[0]);
    assert_eq!(runs_now[1..], runs[1..], "2 is in a new file and has not changed");
}

#[test]
fn p3_the_same_rows_again_change_nothing() {
    let nights = Nights::of(MERGED);
    let (lake, _) = nights.load(FIRST);
    let before = lake.snapshot();
    let (lake, shown) = nights.load(FIRST);
    assert!(shown.contains("nothing new"), "{shown}");
    assert_eq!(lake.snapshot(), before);
    // Another export with the same records.
    let (lake, shown) = nights.load(&FIRST.replace("{\"id\":4", "{\"id\" : 4"));
    assert!(shown.contains("nothing new"), "{shown}");
    assert_eq!(lake.snapshot(), before);
    assert_eq!(outcomes(&lake, "t"), [0, 0, 4, 0]);
    assert_eq!(outcomes(&lake, "t__lines"), [0, 0, 4, 0]);
}

#[test]
fn a_record_that_moves_to_another_partition_exists_once_with_its_lines() {
    let nights = Nights::of(MERGED);
    nights.load(FIRST);
    let (lake, _) =
        nights.load(r#"[{"id":1,"at":"2026-02-01","v":"a","lines":[{"n":1},{"n":2}]}]"#);
    assert_eq!(outcomes(&lake, "t"), [0, 1, 0, 0]);
    assert_eq!(
        rows(&lake, "t", &["id", "at"]),
        ["1 2026-02-01", "2 2026-01-06", "3 2026-02-05", "4 2026-03-05"]
    );
    assert_eq!(rows(&lake, "t__lines", &["t__id", "n"]), ["1 1", "1 2", "2 3", "3 4"]);
    // When the last record leaves a partition, its files are deleted.
    let (lake, _) = nights.load(r#"[{"id":4,"at":null,"v":"d"}]"#);
    let partitions = ["at_month=2026-01", "at_month=2026-02", "at_month=none"];
    assert_eq!(lake.partitions("t"), partitions);
}

#[test]
fn the_latest_of_several_records_with_one_key_is_kept() {
    let nights = Nights::of(MERGED);
    let (lake, _) =
        nights.load(r#"[{"id":1,"at":"2026-01-05","v":"a"},{"id":1,"at":"2026-02-05","v":"b"}]"#);
    assert_eq!(outcomes(&lake, "t"), [1, 0, 0, 1], "the one that stands later");
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["1 b"]);
    let with_cursor = Nights::of(&format!("{MERGED}cursor = \"rev\"\n"));
    with_cursor.load(r#"[{"id":1,"at":"2026-01-05","rev":5,"v":"a","lines":[{"n":1}]},{"id":2,"at":"2026-01-05","rev":null}]"#);
    let (lake, _) = with_cursor.load(
        r#"[{"id":1,"at":"2026-02-05","rev":4,"v":"older","lines":[{"n":0},{"n":0}]},{"id":2,"at":"2026-01-05","rev":1}]"#,
    );
    assert_eq!(outcomes(&lake, "t"), [0, 1, 0, 1]);
    assert_eq!(outcomes(&lake, "t__lines"), [0, 0, 0, 2]);
    assert_eq!(rows(&lake, "t", &["id", "rev", "v"]), ["1 5 a", "2 1 null"]);
    assert_eq!(rows(&lake, "t__lines", &["n"]), ["1"]);
    let (lake, _) = with_cursor.load(r#"[{"id":1,"at":"2026-02-05","rev":5,"v":"same cursor"}]"#);
    assert_eq!(outcomes(&lake, "t"), [0, 1, 0, 0]);
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["1 same cursor", "2 null"]);
}

#[test]
fn p5_a_merge_that_widens_a_column_rewrites_all_files() {
    let nights = Nights::of(MERGED);
    nights.load(FIRST);
    let (lake, _) = nights.load(r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":2.5}]},{"id":12345678901234567890,"at":"2026-01-05","new":true}]"#);
    assert_eq!(outcomes(&lake, "t"), [1, 0, 1, 0]);
    assert_eq!(outcomes(&lake, "t__lines"), [0, 1, 1, 0]);
    assert_eq!(
        rows(&lake, "t", &["id", "new"]),
        ["1 null", "12345678901234567890 true", "2 null", "3 null", "4 null"]
    );
    assert_eq!(rows(&lake, "t__lines", &["t__id", "n"]), ["1 1", "1 2.5", "2 3", "3 4"]);
}

#[test]
fn p1_a_record_in_quarantine_leaves_its_row_as_it_was() {
    let nights = Nights::of(&format!("{MERGED}[tables.columns]\nv = \"string\"\nn = \"int64\"\n"));
    nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"a","n":1},{"id":2,"at":"2026-01-05","v":"b","n":2}]"#,
    );
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"z","n":"?"},{"id":2,"at":"2026-01-05","v":"c","n":2}]"#,
    );
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["1 a", "2 c"]);
    // A version that waits is the latest there is, so a retry may load it whether or not there is a cursor.
    let corrected = format!("{MERGED}[tables.columns]\nv = \"string\"\nn = \"string\"\n");
    nights.workplace.define(&corrected);
    nights.workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
    assert_eq!(rows(&nights.workplace.lake(), "t", &["id", "v"]), ["1 z", "2 c"]);
    assert_eq!(nights.workplace.lake().quarantine("t").len(), 0);
}

#[test]
fn p1_the_next_version_of_a_record_takes_the_place_of_the_one_that_waits() {
    let nights = Nights::of(&format!("{MERGED}[tables.columns]\nn = \"int64\"\n"));
    nights.load(r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-01-05","n":2}]"#);
    let waiting = || nights.workplace.lake().quarantine("t").len();
    nights.load(r#"[{"id":1,"at":"2026-01-05","n":"?"},{"id":2,"at":"2026-01-05","n":"!"},{"id":3,"at":"2026-01-05","n":3}]"#);
    assert_eq!(waiting(), 2);
    // Another version that does not fit, of a record; and one that does, of the other.
    nights.load(r#"[{"id":1,"at":"2026-01-05","n":"??"},{"id":2,"at":"2026-01-05","n":4}]"#);
    assert_eq!(waiting(), 1);
    nights.load(r#"[{"id":3,"at":"2026-01-05","n":5}]"#);
    assert_eq!(waiting(), 1, "the record has not come again");
    nights.load(r#"[{"id":1,"at":"2026-01-05","n":6}]"#);
    assert_eq!(waiting(), 0);
    let (lake, _) = nights.load(r#"[{"id":1,"at":"2026-01-05","n":6}]"#);
    assert_eq!(rows(&lake, "t", &["id", "n"]), ["1 6", "2 4", "3 5"]);
}

#[test]
fn p1_a_retry_deletes_no_record_that_it_does_not_have() {
    for deletes in ["mark", "remove"] {
        let declared =
            |n: &str| format!("{MERGED}deletes = \"{deletes}\"\n[tables.columns]\nn = \"{n}\"\n");
        let nights = Nights::of(&declared("int64"));
        nights.load(r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-01-05","n":"?"}]"#);
        nights.workplace.define(&declared("string"));
        nights.workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
        let lake = nights.workplace.lake();
        assert_eq!(rows(&lake, "t", &["id", "n"]), ["1 1", "2 ?"], "{deletes}");
        if deletes == "mark" {
            assert_eq!(rows(&lake, "t", &["_flowlake_deleted_at"]), ["null", "null"]);
        }
    }
}

#[test]
fn p1_a_retry_brings_no_record_back_that_the_source_has_deleted() {
    for deletes in ["mark", "remove"] {
        let declared =
            |n: &str| format!("{MERGED}deletes = \"{deletes}\"\n[tables.columns]\nn = \"{n}\"\n");
        let nights = Nights::of(&declared("int64"));
        nights.load(r#"[{"id":1,"at":"2026-01-05","n":1,"v":1},{"id":2,"at":"2026-01-05","n":"?","v":1},{"id":3,"at":"2026-01-05","n":3,"v":1}]"#);
        // A value of record 3 is kept out of its row; then both are gone.
        nights.load(r#"[{"id":1,"at":"2026-01-05","n":1,"v":1},{"id":2,"at":"2026-01-05","n":"?","v":1},{"id":3,"at":"2026-01-05","n":3,"v":"x"}]"#);
        assert_eq!(nights.workplace.lake().quarantine("t").len(), 2, "{deletes}");
        let only = r#"[{"id":1,"at":"2026-01-05","n":1,"v":1}]"#;
        nights.load(only);
        let waiting = nights.workplace.lake().quarantine("t");
        assert!(waiting.iter().all(|line| line["superseded"] == true), "{waiting:?}");
        let before = rows(&nights.workplace.lake(), "t", &["id", "v"]);
        nights.workplace.define(&declared("string"));
        nights.workplace.flowlake(&["quarantine", "retry", "test.toml"]);
        assert_eq!(rows(&nights.workplace.lake(), "t", &["id", "v"]), before, "{deletes}");
        // Once the source has it again, it is loaded and waits no more.
        nights.load(
            r#"[{"id":1,"at":"2026-01-05","n":1,"v":1},{"id":2,"at":"2026-01-05","n":"?","v":2}]"#,
        );
        let waiting = nights.workplace.lake().quarantine("t");
        assert!(waiting.iter().all(|line| line["key"][0] != "2"), "{waiting:?}");
    }
}

#[test]
fn p6_a_merge_in_pieces_equals_a_merge_at_once() {
    // In any order and with the least memory, the table holds the last version of each record.
    let record = |id: usize, version: usize| {
        let lines: Vec<String> =
            (0..(id + version) % 4).map(|n| format!("{{\"n\":{}}}", n * version)).collect();
        format!(
            "{{\"id\":{id},\"at\":\"2026-{:02}-01\",\"v\":\"{version}\",\"lines\":[{}]}}",
            (id + version / 2) % 12 + 1,
            lines.join(",")
        )
    };
    let export = |version: usize| {
        let ids = (0..400).filter(|id| version == 0 || id % version == 0);
        format!("[{}]", ids.map(|id| record(id, version)).collect::<Vec<_>>().join(","))
    };
    let nights = Nights::of(MERGED);
    for version in 0..5 {
        nights.source.serve(&export(version));
        nights.workplace.flowlake(&["run", "test.toml", "--memory", "1B"]).success();
    }
    let latest: Vec<String> = (0..400)
        .map(|id| {
            record(id, (0..5).rev().find(|version| *version == 0 || id % version == 0).unwrap())
        })
        .collect();
    let at_once = Nights::of(MERGED);
    let (expected, _) = at_once.load(&format!("[{}]", latest.join(",")));
    let lake = nights.workplace.lake();
    assert_eq!(rows(&lake, "t", &["id", "at", "v"]), rows(&expected, "t", &["id", "at", "v"]));
    let lines = ["t__id", "_index", "n"];
    assert_eq!(rows(&lake, "t__lines", &lines), rows(&expected, "t__lines", &lines));
    assert_eq!(lake.partitions("t__lines"), expected.partitions("t__lines"));
}

#[test]
fn p9_five_nights_of_merges() {
    let nights = Nights::of(&format!(
        "{MERGED}cursor = \"rev\"\ndeletes = \"remove\"\n[tables.columns]\nrev = \"int64\"\n"
    ));
    let orders = ["id", "at", "rev", "v"];
    let lines = ["t__id", "_index", "n"];
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","rev":1,"v":"a","lines":[{"n":10},{"n":11},{"n":12}]},
            {"id":2,"at":"2026-01-06","rev":1,"v":"b","lines":[{"n":20}]},
            {"id":3,"at":"2026-02-05","rev":1,"v":"c","lines":[{"n":30}]}]"#,
    );
    assert_eq!(
        rows(&lake, "t", &orders),
        ["1 2026-01-05 1 a", "2 2026-01-06 1 b", "3 2026-02-05 1 c"]
    );

    // An order moves to another month and loses a line in the middle.
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-02-01","rev":2,"v":"a","lines":[{"n":10},{"n":12}]},
            {"id":2,"at":"2026-01-06","rev":1,"v":"b","lines":[{"n":20}]},
            {"id":3,"at":"2026-02-05","rev":1,"v":"c","lines":[{"n":30}]}]"#,
    );
    assert_eq!(
        rows(&lake, "t", &orders),
        ["1 2026-02-01 2 a", "2 2026-01-06 1 b", "3 2026-02-05 1 c"]
    );
    assert_eq!(rows(&lake, "t__lines", &lines), ["1 0 10", "1 1 12", "2 0 20", "3 0 30"]);
    assert_eq!(lake.partitions("t__lines"), ["at_month=2026-01", "at_month=2026-02"]);

    // A key comes twice, the later version first.
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-02-01","rev":2,"v":"a","lines":[{"n":10},{"n":12}]},
            {"id":2,"at":"2026-01-06","rev":3,"v":"later","lines":[{"n":22}]},
            {"id":2,"at":"2026-01-06","rev":2,"v":"earlier","lines":[{"n":21},{"n":21}]},
            {"id":3,"at":"2026-02-05","rev":1,"v":"c","lines":[{"n":30}]}]"#,
    );
    assert_eq!(outcomes(&lake, "t"), [0, 1, 2, 1]);
    assert_eq!(
        rows(&lake, "t", &orders),
        ["1 2026-02-01 2 a", "2 2026-01-06 3 later", "3 2026-02-05 1 c"]
    );
    assert_eq!(rows(&lake, "t__lines", &lines), ["1 0 10", "1 1 12", "2 0 22", "3 0 30"]);

    // One record is deleted at the source. Another does not fit, and does not count as deleted.
    let (lake, shown) = nights.load(
        r#"[{"id":2,"at":"2026-01-06","rev":3,"v":"later","lines":[{"n":22}]},
            {"id":3,"at":"2026-02-05","rev":"?","v":"c","lines":[{"n":30}]}]"#,
    );
    assert!(shown.contains("deleted"), "{shown}");
    assert_eq!(lake.ledger()["t"]["deleted"], 1);
    assert_eq!(rows(&lake, "t", &orders), ["2 2026-01-06 3 later", "3 2026-02-05 1 c"]);
    assert_eq!(rows(&lake, "t__lines", &lines), ["2 0 22", "3 0 30"]);
    assert_eq!(lake.quarantine("t").len(), 1);

    // The export is cut off, and then it is empty.
    let before = lake.snapshot();
    for (export, code) in [(r#"[{"id":2,"at":"2026-01-06","rev":4"#, 6), ("[]", 6)] {
        nights.source.serve(export);
        assert_eq!(nights.workplace.run().code, code, "{export}");
        assert_eq!(lake.snapshot(), before);
    }
}

#[test]
fn p1_a_record_without_a_readable_key_may_be_any_so_none_counts_as_deleted() {
    let table =
        "[[tables]]\nname = \"t\"\nprimary_key = [\"a\", \"b\"]\nwrite_disposition = \"merge\"\n";
    let without_key = [
        r#"{"a":2}"#,
        "{}",
        r#"{"a":2,"b":null}"#,
        r#"{"a":null,"b":null}"#,
        r#"{"a":2,"b":{"c":1}}"#,
        r#"{"a":2,"b":[1]}"#,
        r#"{"a":2,"b":"?"}"#,
        r#"{"a":2,"b":1,"b":1}"#,
        r#"{"a":2,"b":"\ud800"}"#,
        "null",
        "7",
        "[]",
    ];
    for settings in ["", "history = true\n"] {
        let nights = Nights::of(&format!("{table}deletes = \"remove\"\n{settings}"));
        nights.load(r#"[{"a":1,"b":1},{"a":2,"b":1},{"a":3,"b":1}]"#);
        for record in without_key {
            let (lake, shown) = nights.load(&format!(r#"[{{"a":1,"b":1}},{record}]"#));
            assert_eq!(lake.ledger()["t"]["deleted"], 0, "{record}: {shown}");
            assert_eq!(lake.column("t", "a"), ["1", "2", "3"], "{record}: {shown}");
        }
        let (lake, _) = nights.load(r#"[{"a":1,"b":1},{"a":3,"b":1}]"#);
        assert_eq!(lake.ledger()["t"]["deleted"], 1);
        assert_eq!(lake.column("t", "a"), ["1", "3"]);
    }
    let nights = Nights::of(&format!("{table}deletes = \"mark\"\n"));
    nights.load(r#"[{"a":1,"b":1},{"a":2,"b":1}]"#);
    for record in without_key {
        let (lake, _) = nights.load(&format!(r#"[{{"a":1,"b":1}},{record}]"#));
        assert_eq!(lake.column("t", "_flowlake_deleted_at"), ["null", "null"], "{record}");
    }
}

#[test]
fn missing_records_are_marked_as_deleted_and_may_come_back() {
    let nights = Nights::of(&format!("{MERGED}deletes = \"mark\"\n"));
    nights.load(FIRST);
    let without_1 = FIRST.replace(
        "{\"id\":1,\"at\":\"2026-01-05\",\"v\":\"a\",\"lines\":[{\"n\":1},{\"n\":2}]},",
        "",
    );
    let (lake, _) = nights.load(&without_1);
    let is_marked = |lake: &Lake| -> Vec<String> {
        let marks = lake.column("t", "_flowlake_deleted_at");
        let ids = lake.column("t", "id").into_iter().zip(marks);
        ids.filter(|(_, mark)| mark != "null").map(|(id, _)| id).collect()
    };
    assert_eq!(is_marked(&lake), ["1"]);
    assert_eq!(rows(&lake, "t__lines", &["n"]), ["1", "2", "3", "4"], "its lines stay");
    let before = lake.snapshot();
    let (lake, _) = nights.load(&without_1.replace("\"id\":2", "\"id\" : 2"));
    assert_eq!(lake.snapshot(), before, "it is marked once");
    let (lake, _) = nights.load(FIRST);
    assert_eq!(is_marked(&lake), Vec::<String>::new());
    assert_eq!(outcomes(&lake, "t"), [0, 1, 3, 0]);
    // Marked records stay in the table.
    nights.workplace.define(MERGED);
    let refused = nights.workplace.run();
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("_flowlake_deleted_at"), "{}", refused.stderr);
}

#[test]
fn history_keeps_every_version_with_its_valid_time() {
    let nights = Nights::of(&format!("{MERGED}history = true\ndeletes = \"remove\"\n"));
    let (lake, _) = nights.load(FIRST);
    let believed = |lake: &Lake, table: &str, columns: &[&str], now: &str| -> Vec<String> {
        let from = lake.column(table, "_flowlake_valid_from");
        let to = lake.column(table, "_flowlake_valid_to");
        let all: Vec<Vec<String>> =
            columns.iter().map(|column| lake.column(table, column)).collect();
        let then = (0..from.len()).filter(|row| {
            from[*row].as_str() <= now && (to[*row] == "null" || now < to[*row].as_str())
        });
        let mut rows: Vec<String> = then
            .map(|row| all.iter().map(|column| column[row].clone()).collect::<Vec<_>>().join(" "))
            .collect();
        rows.sort();
        rows
    };
    let first_night = lake.column("t__history", "_flowlake_valid_from")[0].clone();
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"A","lines":[{"n":1}]},{"id":2,"at":"2026-02-06","v":"b","lines":[{"n":3}]},
            {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]}]"#,
    );
    let second_night = lake.column("t__history", "_flowlake_valid_from").into_iter().max().unwrap();
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1}]},{"id":2,"at":"2026-02-06","v":"b","lines":[{"n":3}]},
            {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]},{"id":4,"at":"2026-03-05","v":"d"}]"#,
    );
    let orders = ["id", "at", "v"];
    assert_eq!(
        believed(&lake, "t__history", &orders, &first_night),
        ["1 2026-01-05 a", "2 2026-01-06 b", "3 2026-02-05 c", "4 2026-03-05 d"]
    );
    assert_eq!(
        believed(&lake, "t__history", &orders, &second_night),
        ["1 2026-01-05 A", "2 2026-02-06 b", "3 2026-02-05 c"]
    );
    assert_eq!(
        believed(&lake, "t__history", &orders, "9999"),
        ["1 2026-01-05 a", "2 2026-02-06 b", "3 2026-02-05 c", "4 2026-03-05 d"]
    );
    assert_eq!(
        believed(&lake, "t__lines__history", &["t__id", "n"], &first_night),
        ["1 1", "1 2", "2 3", "3 4"]
    );
    assert_eq!(
        believed(&lake, "t__lines__history", &["t__id", "n"], "9999"),
        ["1 1", "2 3", "3 4"]
    );
    assert_eq!(outcomes(&lake, "t"), [1, 1, 2, 0]);
    // An unchanged export changes nothing in a table with history either.
    let before = lake.snapshot();
    let (lake, _) = nights.load(
        r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1}]},{"id":2,"at":"2026-02-06","v":"b","lines":[{"n":3}]},
            {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]},{"id":4,"at":"2026-03-05", "v":"d"}]"#,
    );
    assert_eq!(lake.snapshot(), before);
}

/// Whatever ends a test ends its reader.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn p2_readers_that_glob_during_merges_find_only_readable_files() {
    const RECORDS: usize = 600;
    let export = |version: usize| {
        let records = (0..RECORDS).map(|id| {
            // A tenth of the records changes every time, so all partitions are rewritten.
            let v = if id % 10 == version % 10 { version } else { 0 };
            format!("{{\"id\":{id},\"at\":\"2026-{:02}-01\",\"v\":{v}}}", id / 10 % 12 + 1)
        });
        format!("[{}]", records.collect::<Vec<_>>().join(","))
    };
    let nights = Nights::of(MERGED);
    let (lake, _) = nights.load(&export(0));
    let is_over = AtomicBool::new(false);
    let (reads, others) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut others) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                let mut rows = 0;
                for path in lake.files("t") {
                    // The file may be gone since the directory was listed.
                    let Ok(file) = std::fs::File::open(&path) else { continue };
                    let frame = ParquetReader::new(file).finish();
                    rows += frame
                        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                        .height();
                }
                reads += 1;
                others += usize::from(rows != RECORDS);
            }
            (reads, others)
        });
        let over = Over(&is_over);
        for version in 1..=100 {
            nights.source.serve(&export(version));
            nights.workplace.run().success();
            assert_eq!(lake.rows("t").height(), RECORDS);
        }
        drop(over);
        reader.join().unwrap()
    });
    assert!(reads > 0, "nothing was read");
    // For a moment between publishing and removing, a reader may see rows twice. How long it is depends on the disk.
    eprintln!("{others} of {reads} reads saw rows of two commits, or not all");
}
