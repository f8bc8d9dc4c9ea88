//! R10: a table without rows has one file with its schema, which goes once there are rows.

use super::nights::{Nights, T};

const TYPED: &str = "[tables.columns]\nid = \"int64\"\nat = \"date\"\nstatus = \"string\"\n";
const SOME: &str = r#"[{"id":1,"at":"2026-10-05","status":"open"}]"#;

/// How many files and rows a table has; the lake matches its manifests to the last byte.
#[track_caller]
fn files_and_rows(nights: &Nights, table: &str) -> (usize, usize) {
    let verified = nights.workplace.flowlake(&["verify", "lake"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    let rows = nights.records(table).len();
    let manifest = nights.lake().manifest(table);
    assert_eq!(manifest["files"].as_array().unwrap().len(), nights.lake().files(table).len());
    (nights.lake().files(table).len(), rows)
}

#[track_caller]
fn load_although_it_shrinks(nights: &Nights, json: &str) {
    nights.source.serve(json);
    nights.workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
}

#[test]
fn r10_the_file_is_there_until_there_are_rows_whatever_the_disposition() {
    for disposition in ["append", "merge", "replace", "overwrite_partitions"] {
        for partition_by in
            ["", "partition_by = [\"month(at)\"]\n", "partition_by = [\"status\", \"day(at)\"]\n"]
        {
            if disposition == "overwrite_partitions" && partition_by.is_empty() {
                continue;
            }
            let settings = format!("write_disposition = \"{disposition}\"\n{partition_by}{TYPED}");
            let nights = Nights::of_t(&settings);
            nights.load("[]");
            assert_eq!(files_and_rows(&nights, "t"), (1, 0), "{settings}");
            let columns = nights.columns("t");
            assert_eq!(nights.counts("t", ["files", "rows", "partitions"]), [1, 0, 0]);
            let first = nights.lake().snapshot();
            nights.load(" []");
            assert_eq!(files_and_rows(&nights, "t"), (1, 0), "{settings}");
            if disposition != "replace" {
                assert_eq!(nights.lake().snapshot(), first, "the file stays as it is: {settings}");
            }
            nights.load(SOME);
            assert_eq!(files_and_rows(&nights, "t"), (1, 1), "{settings}");
            assert_eq!(nights.columns("t"), columns, "{settings}");
            let partitions = nights.lake().partitions("t");
            assert!(!partitions[0].contains("none"), "{partitions:?}");
        }
    }
}

#[test]
fn r10_a_file_without_rows_is_where_readers_find_the_columns_of_its_partitions() {
    let nights = Nights::of_t(&format!("partition_by = [\"status\", \"month(at)\"]\n{TYPED}"));
    nights.load("[]");
    assert_eq!(nights.lake().partitions("t"), ["status_partition=none/at_month=none"]);
    // A row whose partition is null is in a file of its own.
    nights.load(r#"[{"id":1},{"id":2,"at":"2026-10-05"}]"#);
    assert_eq!(files_and_rows(&nights, "t"), (2, 2));
}

#[test]
fn r10_a_file_without_rows_takes_the_columns_that_the_table_has_by_now() {
    let nights = Nights::of(T);
    nights.load("[]");
    assert_eq!(nights.columns("t"), ["id string"]);
    nights.redefine_t("[tables.columns]\nid = \"int64\"\ntotal = \"decimal(18,2)\"\n");
    nights.load(" []");
    assert_eq!(nights.columns("t"), ["id int64", "total decimal(18,2)"]);
    assert_eq!(files_and_rows(&nights, "t"), (1, 0));
}

#[test]
fn r10_child_tables_without_rows_have_a_file_too() {
    let lines = "\n[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n\
                 [tables.columns]\nn = \"int64\"\n";
    for disposition in ["append", "merge", "replace"] {
        let nights = Nights::of_t(&format!("write_disposition = \"{disposition}\"\n{lines}"));
        nights.load(r#"[{"id":1}]"#);
        assert_eq!(nights.columns("lines"), ["t__id int64", "_index int64", "n int64"]);
        assert_eq!(files_and_rows(&nights, "lines"), (1, 0), "{disposition}");
        nights.load(r#"[{"id":2,"lines":[{"n":5}]}]"#);
        assert_eq!(nights.rows("lines", &["t__id", "n"]), ["2 | 5"], "{disposition}");
        assert_eq!(files_and_rows(&nights, "lines"), (1, 1), "{disposition}");
        nights.load(r#"[{"id":2,"lines":[]}]"#);
        let left = usize::from(disposition == "append");
        assert_eq!(files_and_rows(&nights, "lines"), (1, left), "{disposition}");
    }
    // The rows of an excluded child table go, and its file with them.
    let nights = Nights::of(T);
    nights.load(r#"[{"id":1,"lines":[{"n":5}]}]"#);
    nights.load(r#"[{"id":1,"lines":[]}]"#);
    assert_eq!(files_and_rows(&nights, "t__lines"), (1, 0));
    nights.redefine_t("[tables.columns]\nlines = { exclude = true }\n");
    nights.load(r#"[{"id":2,"lines":[{"n":5}]}]"#);
    assert_eq!(files_and_rows(&nights, "t__lines"), (0, 0));
}

#[test]
fn r10_a_table_that_loses_its_last_row_keeps_a_file() {
    let nights =
        Nights::of_t(&format!("write_disposition = \"merge\"\ndeletes = \"remove\"\n{TYPED}"));
    nights.load(SOME);
    load_although_it_shrinks(&nights, "[]");
    assert_eq!(files_and_rows(&nights, "t"), (1, 0));
    nights.load(SOME);
    assert_eq!(files_and_rows(&nights, "t"), (1, 1));
    let nights = Nights::of_t(&format!("write_disposition = \"replace\"\n{TYPED}"));
    nights.load(SOME);
    load_although_it_shrinks(&nights, "[]");
    assert_eq!(files_and_rows(&nights, "t"), (1, 0));
}

#[test]
fn r10_the_file_goes_when_a_retry_brings_rows() {
    let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{TYPED}"));
    nights.load(r#"[{"id":1,"at":"soon"}]"#);
    assert_eq!(files_and_rows(&nights, "t"), (1, 0));
    nights.redefine_t(
        "write_disposition = \"append\"\n[tables.columns]\nid = \"int64\"\nat = \"string\"\n",
    );
    assert_eq!(nights.retry().code, 0);
    assert_eq!(nights.t(&["id", "at"]), ["1 | \"soon\""]);
    assert_eq!(files_and_rows(&nights, "t"), (1, 1));
}

#[test]
fn v15_what_has_no_place_for_a_record_still_ends_a_run_into_a_table_with_rows() {
    let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{TYPED}"));
    nights.load(SOME);
    let night = nights.night(r#"[{"id":"x"},{"id":"y"}]"#);
    assert_eq!(night.code, 3, "{}", night.stderr);
    assert_eq!(nights.t(&["id"]), ["1"]);
}
