//! Tables that go on without files that were lost: `verify --rebuild`, and the nights after it.

use crate::values::nights::Nights;

const TABLE: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n";
const EXPORT: &str = r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-02-05","v":2,"lines":[{"n":3}]},{"id":3,"at":"2026-03-05","v":3,"lines":[{"n":4}]}]"#;

/// The keys of rows that are true now; of a history those of current versions.
fn current(nights: &Nights, table: &str) -> Vec<String> {
    let rows = nights
        .records(table)
        .into_iter()
        .filter(|row| row.get("_flowlake_valid_to").is_none_or(|ended| ended == "null"));
    let key = |row: std::collections::BTreeMap<String, String>| {
        ["id", "t__id", "_index"]
            .iter()
            .filter_map(|name| row.get(*name).cloned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut keys: Vec<String> = rows.map(key).collect();
    keys.sort();
    keys
}

/// Loads the export, removes some files of a table, and goes on without them.
fn without_files(settings: &str, table: &str, part: &str) -> Nights {
    let nights = Nights::of(&format!("{TABLE}{settings}"));
    nights.load(EXPORT);
    let files = nights.lake().files(table);
    let lost: Vec<_> = files.iter().filter(|file| file.to_string_lossy().contains(part)).collect();
    assert!(!lost.is_empty(), "{files:?}");
    for file in lost {
        std::fs::remove_file(file).unwrap();
    }
    nights.workplace.flowlake(&["verify", "lake", "--rebuild", "--yes"]).success();
    nights
}

#[test]
fn o01_records_that_come_again_after_files_were_lost_are_there_once() {
    let tables = ["t", "t__lines", "t__history", "t__lines__history"];
    for settings in ["", "history = true\n"] {
        let settings = format!("{settings}partition_by = [\"month(at)\"]\n");
        let there = if settings.contains("history") { &tables[..] } else { &tables[..2] };
        for lost in there {
            // The same again, changed, and in another month.
            for export in [
                EXPORT.to_owned(),
                EXPORT.replace("\"v\":2", "\"v\":9").replace("\"n\":3", "\"n\":9"),
                EXPORT.replace("2026-02-05", "2026-04-05"),
            ] {
                let nights = without_files(&settings, lost, "2026-02");
                nights.source.serve(&export);
                nights.workplace.flowlake(&["run", "test.toml", "--again"]).success();
                let case = format!("without files of {lost}, {settings}{export}");
                for table in there {
                    let keys: &[&str] = if table.contains("lines") {
                        &["1 0", "1 1", "2 0", "3 0"]
                    } else {
                        &["1", "2", "3"]
                    };
                    let mut found = current(&nights, table);
                    if table == lost && table.contains("history") {
                        // What was lost of a history is lost, unless its record has changed.
                        found.retain(|key| !key.starts_with('2'));
                        let kept: Vec<_> =
                            keys.iter().filter(|key| !key.starts_with('2')).collect();
                        assert_eq!(found.iter().collect::<Vec<_>>(), kept, "{table}: {case}");
                        continue;
                    }
                    assert_eq!(found, keys, "{table}: {case}");
                }
                // The night after has nothing to do, and still knows.
                nights.workplace.flowlake(&["run", "test.toml", "--again"]).success();
                assert_eq!(current(&nights, "t__lines"), ["1 0", "1 1", "2 0", "3 0"], "{case}");
                assert_eq!(nights.counts("t", ["unchanged"]), [3], "{case}");
                nights.workplace.flowlake(&["verify", "lake"]).success();
            }
        }
    }
}

#[test]
fn o01_child_rows_without_their_record_are_deleted_with_it() {
    let nights =
        without_files("deletes = \"remove\"\npartition_by = [\"month(at)\"]\n", "t", "2026-02");
    assert_eq!(current(&nights, "t__lines"), ["1 0", "1 1", "2 0", "3 0"], "nothing more is lost");
    nights.load(r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1},{"n":2}]}]"#);
    assert_eq!(current(&nights, "t__lines"), ["1 0", "1 1"]);
}

#[test]
fn o01_a_table_that_is_replaced_is_whole_again() {
    let nights = without_files("partition_by = [\"month(at)\"]\n", "t", "2026-02");
    assert_eq!(nights.lake().manifest("t__lines")["is_incomplete"], true);
    let replaced = TABLE.replace("merge", "replace");
    nights.workplace.define(&format!("{replaced}partition_by = [\"month(at)\"]\n"));
    nights.load(EXPORT);
    for table in ["t", "t__lines"] {
        assert!(nights.lake().manifest(table).get("is_incomplete").is_none(), "{table}");
    }
}
