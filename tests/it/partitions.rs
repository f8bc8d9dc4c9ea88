//! F12: tables whose definition gets another `partition_by` are divided anew, with their child tables and histories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fastrand::Rng;

use crate::support::{
    DeltaLog, Finished, Source, Workplace, format_of_test, in_each_format, in_format, rows_of_files,
};
use crate::values::nights::{Nights, T};
use flowlake::schema::TableFormat;

/// What a table is partitioned by, one after the other.
const PARTITIONS: [&str; 7] = [
    "",
    "\"month(at)\"",
    "\"status\"",
    "\"status\", \"day(at)\"",
    "\"month(at, \\\"Europe/Copenhagen\\\")\"",
    "\"year(at)\", \"status\", \"n\"",
    "",
];

fn definition(settings: &str, partitions: &str) -> String {
    let typed = "[tables.columns]\nat = \"timestamp\"\nstatus = \"string\"\nn = \"int64\"";
    format!("{T}{settings}\npartition_by = [{partitions}]\n{typed}")
}

fn convert(nights: &Nights) -> Finished {
    nights.workplace.flowlake(&["convert", "test.toml"])
}

/// A night of random records: any of eight, with lines, a status and a time that change.
fn night(random: &mut Rng) -> String {
    let mut records = Vec::new();
    for id in 0..8 {
        if random.u8(..3) == 0 {
            continue;
        }
        let statuses = ["null", "\"sent\"", "\"Sent\"", "\"\"", "\"a/b=c\""];
        let status = statuses[random.usize(..statuses.len())];
        let at = ["null", "\"2025-12-31T23:30:00Z\"", "\"2026-01-05\"", "\"2026-03-31T22:30:00Z\""];
        let at = at[random.usize(..at.len())];
        let n = random.u8(..3);
        let lines: Vec<String> = (0..random.u8(..3))
            .map(|_| {
                let parts: Vec<String> =
                    (0..random.u8(..2)).map(|_| format!("{{\"p\":{}}}", random.u8(..2))).collect();
                format!("{{\"l\":{},\"parts\":[{}]}}", random.u8(..3), parts.join(","))
            })
            .collect();
        records.push(format!(
            "{{\"id\":{id},\"at\":{at},\"status\":{status},\"n\":{n},\"lines\":[{}]}}",
            lines.join(",")
        ));
    }
    format!("[{}]", records.join(","))
}

type Rows = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// All rows of all tables, with flowlake's own columns.
fn all_rows(nights: &Nights) -> Rows {
    let tables = nights.lake().tables().into_iter();
    let rows = tables.map(|table| {
        let mut rows = nights.records(&table);
        rows.sort();
        (table, rows)
    });
    rows.collect()
}

/// The same without what depends on the run and its time, and without histories of child tables: a row that moves to another
/// partition with its record begins a version.
fn without_runs(mut rows: Rows) -> Rows {
    rows.retain(|table, _| !(table.starts_with("t__lines") && table.ends_with("__history")));
    for row in rows.values_mut().flatten() {
        let is_past = row.get("_flowlake_valid_to").map(|it| it != "null");
        row.retain(|name, _| !name.starts_with("_flowlake_"));
        row.extend(is_past.map(|is_past| ("is_past".to_owned(), is_past.to_string())));
    }
    for rows in rows.values_mut() {
        rows.sort();
    }
    rows
}

/// The partition of each record of the root table and of its lines, by the directories.
fn directories(nights: &Nights, table: &str, key: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let lake = nights.lake();
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for file in lake.files(table) {
        let below = file.strip_prefix(lake.path().join(table)).unwrap().parent().unwrap();
        // A child table that has a column of the name says whose directory it is.
        let values = below.iter().map(|part| part.to_str().unwrap().rsplit('=').next().unwrap());
        let directory = values.collect::<Vec<_>>().join("/");
        for id in rows_of_files([file.as_path()].into_iter(), key).unwrap() {
            found.entry(id).or_default().insert(directory.clone());
        }
    }
    found
}

/// Each child row is where a row of its record is that the same run has written; of a merged table, where its record is.
fn assert_lines_are_beside_their_records(nights: &Nights, is_merged: bool) {
    let key = |id: &'static str| if is_merged { vec![id] } else { vec![id, "_flowlake_run_id"] };
    let records = directories(nights, "t", &key("id"));
    let once = records.values().all(|directories| directories.len() == 1);
    assert!(once || !is_merged, "{records:?}");
    for table in ["t__lines", "t__lines__parts"] {
        for (id, directories) in directories(nights, table, &key("t__id")) {
            assert!(directories.is_subset(&records[&id]), "{table} of {id}: {directories:?}");
        }
    }
}

fn verify(nights: &Nights) {
    let found = nights.workplace.flowlake(&["verify", "test.toml"]);
    assert_eq!(found.code, 0, "{}{}", found.stdout, found.stderr);
}

/// Nights into a lake that is divided anew between them, and into one that never is.
fn nights_between_divisions(settings: &str, seed: u64) {
    let mut random = Rng::with_seed(seed);
    let divided = Nights::of(&definition(settings, PARTITIONS[0]));
    let undivided = Nights::of(&definition(settings, PARTITIONS[0]));
    for (turn, partitions) in PARTITIONS.iter().enumerate() {
        let context = format!("{settings}, seed {seed}: {partitions}");
        if turn > 0 {
            let (before, files) = (all_rows(&divided), divided.lake().snapshot());
            divided.redefine(&definition(settings, partitions));
            let refused = divided.night(r#"[{"id":1}]"#);
            assert_eq!(refused.code, 2, "{context}: {}", refused.stderr);
            assert!(refused.stderr.contains("`flowlake convert DEFINITION`"), "{}", refused.stderr);
            let told = convert(&divided).success();
            assert!(told.contains("table `t` is divided anew"), "{context}: {told}");
            assert_eq!(all_rows(&divided), before, "{context}");
            let after = divided.lake().snapshot();
            assert!(files.keys().all(|file| !after.contains_key(file)), "{context}");
            verify(&divided);
            assert!(convert(&divided).success().contains("all tables have"), "{context}");
            assert_eq!(divided.lake().snapshot(), after);
        }
        for _ in 0..2 {
            let export = night(&mut random);
            // An empty export would be refused.
            if export != "[]" {
                for nights in [&divided, &undivided] {
                    nights.source.serve(&export);
                    let run = nights.workplace.flowlake(&["run", "--allow-shrink", "test.toml"]);
                    assert_eq!(run.code, 0, "{context}: {export}: {}", run.stderr);
                }
            }
        }
        assert_eq!(
            without_runs(all_rows(&divided)),
            without_runs(all_rows(&undivided)),
            "{context}"
        );
        assert_lines_are_beside_their_records(&divided, settings.contains("merge"));
        verify(&divided);
    }
}

#[test]
fn f12_rows_are_the_same_whatever_partitions_their_tables_have_had() {
    in_each_format(|| {
        for (seed, settings) in (1..).zip([
            "write_disposition = \"merge\"\n",
            "write_disposition = \"merge\"\ndeletes = \"remove\"\nhistory = true\n",
            "write_disposition = \"merge\"\ndeletes = \"mark\"\nsort_by = [\"n\"]\n",
            "write_disposition = \"append\"\n",
            "write_disposition = \"append\"\nsort_by = [\"n\"]\n",
        ]) {
            nights_between_divisions(settings, seed);
        }
    });
}

#[test]
fn f12_a_table_without_rows_is_divided_anew_too() {
    in_each_format(|| {
        let settings = "write_disposition = \"merge\"\n";
        let nights = Nights::of(&definition(settings, ""));
        nights.load("[]").redefine(&definition(settings, "\"month(at)\""));
        assert!(convert(&nights).success().contains("(files: 1 before, 1 now)"));
        assert_eq!(nights.lake().partitions("t"), ["at_month=none"]);
        verify(&nights);
        nights.load(r#"[{"id":1,"at":"2026-01-05","status":"x","n":1}]"#);
        assert_eq!(nights.lake().partitions("t"), ["at_month=2026-01"]);
        verify(&nights);
    });
}

#[test]
fn f12_each_version_of_a_delta_table_keeps_the_partitions_that_it_had() {
    in_format(TableFormat::Delta, || {
        let settings = "write_disposition = \"merge\"\n";
        let nights = Nights::of(&definition(settings, "\"month(at)\""));
        nights.load(r#"[{"id":1,"at":"2026-01-05","status":"x","n":1}]"#);
        nights.redefine(&definition(settings, "\"status\""));
        convert(&nights).success();
        let table = nights.lake().path().join("t");
        for (version, columns) in [(0, ["at_month"]), (1, ["status_partition"])] {
            let log = DeltaLog::at(&table, version).unwrap().unwrap();
            assert_eq!(log.partition_columns, columns);
            let files = log.files.keys().map(PathBuf::as_path);
            assert_eq!(rows_of_files(files, &["id", "status"]).unwrap(), ["1 x"]);
        }
    });
}

#[test]
fn f12_the_format_of_all_tables_changes_only_when_it_is_asked_for() {
    let merge = "write_disposition = \"merge\"\n";
    let nights =
        in_format(TableFormat::Parquet, || Nights::of(&definition(merge, "\"month(at)\"")));
    nights.load(r#"[{"id":1,"at":"2026-01-05","status":"x","n":1}]"#);
    in_format(TableFormat::Delta, || nights.redefine(&definition(merge, "")));
    let refused = convert(&nights);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("`flowlake convert DEFINITION --to delta`"),
        "{}",
        refused.stderr
    );
    nights.workplace.flowlake(&["convert", "test.toml", "--to", "delta"]).success();
    let told = convert(&nights).success();
    assert_eq!(told, "test.toml: table `t` is divided anew (files: 1 before, 1 now)\n");
    assert!(nights.lake().path().join("t/_delta_log").exists());
    verify(&nights);
    nights.load(r#"[{"id":1,"at":"2026-01-05","status":"y","n":1}]"#);
}

#[test]
fn f12_what_cannot_be_divided_is_refused_and_nothing_changes() {
    let merge = "write_disposition = \"merge\"\n";
    let nights = Nights::of(&definition(merge, ""));
    nights.load(r#"[{"id":1,"at":"2026-01-05","status":"x","n":1},{"id":2,"at":"2026-02-05"}]"#);
    let snapshot = nights.lake().json("_flowlake/snapshot.json");
    let files = nights.lake().snapshot();
    let refused = |code: u8, message: &str| {
        let refused = convert(&nights);
        assert_eq!(refused.code, i32::from(code), "{message}: {}", refused.stderr);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert!(refused.stderr.contains("help: "), "{}", refused.stderr);
        assert_eq!(nights.lake().json("_flowlake/snapshot.json"), snapshot);
        assert_eq!(nights.lake().snapshot(), files);
        assert_eq!(nights.lake().own("staging"), Vec::<String>::new());
    };
    nights.redefine(&definition(merge, "\"supplier\""));
    refused(2, "table `t` has no column `supplier`");
    // The column has another type in the table than the definition declares now.
    nights.redefine(&definition(merge, "\"month(n)\"").replace("n = \"int64\"", "n = \"date\""));
    refused(2, "cannot be partitioned by `month(n)`");
    let many = format!("[limits]\nmax_partitions = 1\n{}", definition(merge, "\"month(at)\""));
    nights.redefine(&many);
    refused(6, "more than 1 partitions");
    let text = std::fs::read_to_string(nights.workplace.path().join("test.toml")).unwrap();
    let other =
        text.replace("name = \"test\"", "name = \"other\"").replace("max_partitions = 1", "");
    nights.workplace.write(&other);
    refused(2, "`t` is written by pipeline `test`");
}

/// A table that is appended to may have a record several times, each with its own child rows.
#[test]
fn f12_child_rows_stay_with_the_row_that_they_came_with() {
    let settings = "write_disposition = \"append\"\n";
    let nights = Nights::of(&definition(settings, "\"month(at)\""));
    nights.load(&record("2026-01-05", 1, 1)).load(&record("2026-02-05", 1, 2));
    for partitions in ["\"year(at)\"", "\"month(at)\""] {
        nights.redefine(&definition(settings, partitions));
        convert(&nights).success();
    }
    let found = directories(&nights, "t__lines", &["l"]);
    let expected = [("1", "2026-01"), ("2", "2026-02")];
    let expected = expected.map(|(l, month)| (l.to_owned(), [month.to_owned()].into()));
    assert_eq!(found, BTreeMap::from(expected));
}

fn record(at: &str, n: u8, line: u8) -> String {
    format!(r#"[{{"id":1,"at":"{at}","status":"x","n":{n},"lines":[{{"l":{line}}}]}}]"#)
}

/// The child rows of a table that was merged and is appended to now are of other runs than their records.
#[test]
fn f12_child_rows_follow_their_record_whatever_run_changed_it() {
    let nights = Nights::of(&definition("write_disposition = \"merge\"\n", ""));
    let at = |status: &str| {
        format!(r#"[{{"id":1,"at":"2026-01-05","status":"{status}","n":1,"lines":[{{"l":1}}]}}]"#)
    };
    nights.load(&at("x")).load(&at("y"));
    nights.redefine(&definition("write_disposition = \"append\"\n", "\"status\""));
    convert(&nights).success();
    assert_eq!(nights.lake().partitions("t__lines"), ["status_partition=y"]);
}

/// A record that is there twice: nothing says whose child rows are which, unless each came with its own run.
#[test]
fn f12_child_rows_that_could_be_of_two_rows_are_not_divided() {
    let both = |first: &str, second: &str| {
        format!("{},{}", first.trim_end_matches(']'), second.trim_start_matches('['))
    };
    let (january, february) = (record("2026-01-05", 1, 1), record("2026-02-05", 1, 2));
    for (disposition, nights_of_case) in [
        // Both of one run.
        ("overwrite_partitions", vec![both(&january, &february)]),
        ("append", vec![both(&january, &february)]),
        // The second run changes a record and not its line.
        (
            "overwrite_partitions",
            vec![january.clone(), record("2026-01-05", 2, 1), february.clone()],
        ),
        // The second run changes the line of one record, and brings the other.
        (
            "overwrite_partitions",
            vec![january.clone(), both(&record("2026-01-05", 1, 3), &february)],
        ),
    ] {
        let settings = format!("write_disposition = \"{disposition}\"\n");
        let nights = Nights::of(&definition(&settings, "\"month(at)\""));
        for export in &nights_of_case {
            nights.load(export);
        }
        nights.redefine(&definition(&settings, "\"year(at)\""));
        convert(&nights).success();
        nights.redefine(&definition(&settings, "\"month(at)\""));
        let refused = convert(&nights);
        assert_eq!(refused.code, 2, "{nights_of_case:?}: {}{}", refused.stdout, refused.stderr);
        let told = "`t__lines` has rows of records that `t` has more than once";
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        verify(&nights);
    }
}

/// A column that has the name of a directory makes way for it in two steps, as the help says.
#[test]
fn f12_a_column_with_the_name_of_a_directory_is_renamed_as_the_help_says() {
    let with = |partition: &str, columns: &str| {
        format!(
            "{T}write_disposition = \"merge\"\n{partition}[tables.columns]\nat = \"timestamp\"\n{columns}"
        )
    };
    let by_month = "partition_by = [\"month(at)\"]\n";
    let nights = Nights::of(&with("", ""));
    let export = r#"[{"id":1,"at":"2026-01-05","at_month":"x"}]"#;
    nights.load(export).redefine(&with(by_month, ""));
    let refused = convert(&nights);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("`at_month = { exclude = true }`"), "{}", refused.stderr);
    nights.redefine(&with("", "at_month = { exclude = true }")).load(export);
    nights.redefine(&with(by_month, "other_name = { from = \"/at_month\" }"));
    convert(&nights).success();
    nights.load(export);
    assert_eq!(nights.t(&["id", "other_name"]), ["1 | \"x\""]);
    verify(&nights);
}

#[test]
fn f12_a_column_without_values_has_the_partition_of_null() {
    let by_time = format!(
        "{T}write_disposition = \"merge\"\npartition_by = [\"month(at)\"]\nsort_by = [\"at\"]\n"
    );
    // From the beginning, and after a division.
    for first in [by_time.clone(), by_time.replace("partition_by = [\"month(at)\"]\n", "")] {
        let nights = Nights::of(&first);
        nights.load("[]").load(r#"[{"id":1}]"#).redefine(&by_time);
        convert(&nights).success();
        assert_eq!(nights.lake().partitions("t"), ["at_month=none"]);
        nights.load(r#"[{"id":1,"at":"2026-01-05"}]"#);
        assert_eq!(nights.lake().partitions("t"), ["at_month=2026-01"]);
        verify(&nights);
    }
}

/// Another type gives its values other directories, which no division mends: the files have the old type.
#[test]
fn f12_a_partition_by_a_value_keeps_the_type_that_it_had() {
    let settings = "write_disposition = \"merge\"\n";
    let nights = Nights::of(&definition(settings, "\"n\""));
    nights.load(&record("2026-01-05", 1, 1));
    let other = definition(settings, "\"n\"").replace("\"int64\"", "\"decimal(9,2)\"");
    nights.redefine(&other);
    let refused = nights.night(&record("2026-01-05", 2, 1));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let told =
        "table `t` has a directory for each value of `n`, which was int64 and is decimal(9,2) now";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(refused.stderr.contains("help: declare `int64` for `n`"), "{}", refused.stderr);
    nights.redefine(&definition(settings, "\"n\"")).load(&record("2026-01-05", 2, 1));
}

#[test]
fn f12_a_url_does_not_say_what_to_convert_to() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source);
    workplace.define(T);
    workplace.run().success();
    let refused = workplace.flowlake(&["convert", "lake"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("`lake` is no definition, which would say what to convert"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        format_of_test() == TableFormat::Delta,
        workplace.path().join("lake/t/_delta_log").exists()
    );
}

#[test]
fn f12_a_damaged_file_is_not_divided_anew() {
    let merge = "write_disposition = \"merge\"\n";
    let nights = Nights::of(&definition(merge, ""));
    nights.load(r#"[{"id":1,"at":"2026-01-05","status":"x","n":1}]"#);
    let file = nights.lake().files("t").remove(0);
    let mut content = std::fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&file, content).unwrap();
    nights.redefine(&definition(merge, "\"month(at)\""));
    let refused = convert(&nights);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("has changed since it was written"), "{}", refused.stderr);
}
