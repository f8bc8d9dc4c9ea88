//! O18 and R2: `replace` leaves alone what is the same.

use std::collections::BTreeMap;

use crate::support::Lake;
use crate::values::nights::Nights;

const T: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"replace\"\n\
                 partition_by = [\"month(at)\"]\n";

const FIRST: &str = r#"[
    {"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-01-06","v":"b","lines":[{"n":3}]},
    {"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]}]"#;

/// The content of the files of a table by their directories.
fn partitions(lake: &Lake, table: &str) -> BTreeMap<String, String> {
    let files = lake.snapshot().into_iter();
    let of_table = files.filter(|(path, _)| path.starts_with(lake.path().join(table)));
    let by_directory = of_table.map(|(path, hash)| {
        let directory = path.parent().unwrap().file_name().unwrap();
        (directory.to_str().unwrap().to_owned(), hash)
    });
    by_directory.collect()
}

/// The directories of a table whose files are others than before.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let is_changed = |directory: &&String| before.get(*directory) != after.get(*directory);
    after.keys().filter(is_changed).cloned().collect()
}

const COUNTS: [&str; 3] = ["inserted", "updated", "unchanged"];

#[test]
fn o18_only_the_partition_of_a_changed_row_is_written() {
    let nights = Nights::of(T);
    nights.load(FIRST);
    let before = ["t", "t__lines"].map(|table| partitions(&nights.lake(), table));
    let run = nights.rows("t", &["id", "_flowlake_run_id"])[2].clone();
    nights.load(&FIRST.replace("\"b\"", "\"B\""));
    let after = ["t", "t__lines"].map(|table| partitions(&nights.lake(), table));
    assert_eq!(changed(&before[0], &after[0]), ["at_month=2026-01"]);
    assert_eq!(changed(&before[1], &after[1]), [""; 0], "no line has changed");
    assert_eq!(nights.rows("t", &["id", "v"]), ["1 | \"a\"", "2 | \"B\"", "3 | \"c\""]);
    assert_eq!(nights.rows("t", &["id", "_flowlake_run_id"])[2], run, "February keeps its run");
    assert_eq!(nights.counts("t", COUNTS), [2, 0, 1]);
    assert_eq!(nights.counts("t__lines", COUNTS), [0, 0, 4]);
    // A line that changes leaves its order alone.
    nights.load(&FIRST.replace("\"b\"", "\"B\"").replace("{\"n\":4}", "{\"n\":5}"));
    let last = ["t", "t__lines"].map(|table| partitions(&nights.lake(), table));
    assert_eq!(changed(&after[0], &last[0]), [""; 0]);
    assert_eq!(changed(&after[1], &last[1]), ["at_month=2026-02"]);
    assert_eq!(nights.rows("t__lines", &["n"]), ["1", "2", "3", "5"]);
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn o18_the_same_rows_in_another_order_change_nothing() {
    for settings in ["", "sort_by = [\"v\"]\n", "cursor = \"rev\"\n"] {
        let nights = Nights::of(&format!("{T}{settings}"));
        nights.load(
            r#"[{"id":1,"at":"2026-01-05","rev":1,"v":"a","l":[{"n":1}]},{"id":2,"at":"2026-01-05","rev":1,"v":"a"}]"#,
        );
        let before = nights.lake().snapshot();
        let night = nights.night(
            r#"[{"v":"a","id":2,"at":"2026-01-05","rev":1},{"id":1,"at":"2026-01-05","rev":1,"v":"a","l":[{"n":1}]}]"#,
        );
        assert!(night.success().contains("nothing new"), "{settings}");
        assert_eq!(nights.lake().snapshot(), before, "{settings}");
        assert_eq!(nights.counts("t", COUNTS), [0, 0, 2], "{settings}");
    }
}

#[test]
fn o18_rows_count_as_often_as_they_are_there() {
    // Without a key, two equal records are two rows.
    let nights = Nights::of("[[tables]]\nname = \"t\"\n");
    nights.load(r#"[{"v":1},{"v":1},{"v":2}]"#);
    nights.load(r#"[{"v":1},{"v":2},{"v":2}]"#);
    assert_eq!(nights.t(&["v"]), ["1", "2", "2"]);
    let before = nights.lake().snapshot();
    nights.load(r#"[{"v":2},{"v":1},{"v":2}]"#);
    assert_eq!(nights.lake().snapshot(), before);
}

#[test]
fn o18_a_table_without_partitions_is_one() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1,"v":1,"lines":[{"n":1}]},{"id":2,"v":2}]"#);
    let before = nights.lake().files("t__lines");
    nights.load(r#"[{"id":1,"v":1,"lines":[{"n":1}]},{"id":2,"v":3}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1", "2 | 3"]);
    assert_eq!(nights.lake().files("t__lines"), before);
    assert_eq!(nights.counts("t", COUNTS), [2, 0, 0]);
}

#[test]
fn o18_a_partition_that_the_export_does_not_have_goes() {
    let nights = Nights::of(T);
    nights.load(FIRST);
    let before = partitions(&nights.lake(), "t");
    nights.load(r#"[{"id":3,"at":"2026-02-05","v":"c","lines":[]}]"#);
    let after = partitions(&nights.lake(), "t");
    assert_eq!(after.keys().collect::<Vec<_>>(), ["at_month=2026-02"]);
    assert_eq!(changed(&before, &after), [""; 0]);
    assert_eq!(nights.rows("t__lines", &["n"]), [""; 0], "its lines have gone");
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn o18_another_layout_writes_all_files() {
    let changes = [
        (T.to_owned(), FIRST.replace("\"v\":\"c\"", "\"v\":\"c\",\"w\":1")),
        (T.replace("month(at)", "year(at)"), FIRST.to_owned()),
        (format!("{T}sort_by = [\"v\"]\n"), FIRST.to_owned()),
        (format!("{T}description = \"Orders\"\n"), FIRST.to_owned()),
    ];
    for (tables, json) in changes {
        let nights = Nights::of(T);
        nights.load(FIRST);
        let before = nights.lake().files("t");
        nights.redefine(&tables).load(&json);
        let after = nights.lake().files("t");
        assert!(after.iter().all(|file| !before.contains(file)), "{tables}: {after:?}");
        assert_eq!(nights.t(&["id", "v"]), ["1 | \"a\"", "2 | \"b\"", "3 | \"c\""], "{tables}");
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn o18_a_damaged_file_is_replaced() {
    let nights = Nights::of(T);
    nights.load(FIRST);
    let january = nights.lake().files("t").remove(0);
    for damage in ["changed", "gone"] {
        match damage {
            "changed" => std::fs::write(&january, "no Parquet").unwrap(),
            _ => std::fs::remove_file(nights.lake().files("t").remove(0)).unwrap(),
        }
        nights.load(&FIRST.replace("\"c\"", &format!("\"{damage}\"")));
        let expected = format!("3 | \"{damage}\"");
        assert_eq!(nights.t(&["id", "v"]), ["1 | \"a\"", "2 | \"b\"", &expected]);
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn r02_rows_that_stay_are_never_there_twice() {
    // What a reader that globs during the run may see twice is in files of two runs: here, of one partition.
    let nights = Nights::of(T);
    nights.load(FIRST);
    let kept = nights.lake().files("t")[1].clone();
    for v in ["x", "y", "z"] {
        nights.load(&FIRST.replace("\"b\"", &format!("\"{v}\"")));
        assert!(nights.lake().files("t").contains(&kept), "{v}");
    }
}
