//! Tables in the format of Delta, read by their logs. What holds for both formats is tested where it is for Parquet, with
//! `in_each_format`; other engines read them in `tests/readers`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowlake::plan::Overrides;
use futures::StreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::Value;

use crate::support::{
    DeltaLog, HookedStore, InProcess, Lake, Source, Workplace, rows_of_files, runtime,
};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
    partition_by = [\"month(at)\"]";

/// A workplace whose destination has Delta tables.
fn workplace(source: &Source, tables: &str) -> Workplace {
    let workplace = Workplace::asking(source);
    define(&workplace, "delta", "", tables);
    workplace
}

fn define(workplace: &Workplace, format: &str, more: &str, tables: &str) {
    workplace.write(&format!(
        "version = 1\nname = \"test\"\n[source]\nendpoint = \"e-sourcing\"\n\
         organisation_id = \"${{PROCUREMENTFLOW_ORGANISATION_ID}}\"\n\
         base_url = \"${{PROCUREMENTFLOW_BASE_URL}}\"\nretry = {{ max_attempts = 1 }}\n\
         [destination]\nurl = \"lake\"\nformat = \"{format}\"\n{more}\n{tables}\n"
    ));
}

/// The export of a night: record 0 changes every night, and each night brings one more.
fn night(number: usize) -> String {
    let records: Vec<String> = (0..=number)
        .map(|id| {
            let changes = if id == 0 { number } else { 0 };
            format!(
                r#"{{"id":{id},"at":"2026-0{}-05","v":{changes},"lines":[{{"n":{id}}}]}}"#,
                1 + id % 3
            )
        })
        .collect();
    format!("[{}]", records.join(","))
}

fn run_nights(source: &Source, workplace: &Workplace, nights: usize) {
    for number in 0..nights {
        source.serve(&night(number));
        workplace.run().success();
    }
}

/// A source and a workplace that has loaded this many nights.
fn after_nights(nights: usize) -> (Source, Workplace) {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    run_nights(&source, &workplace, nights);
    (source, workplace)
}

fn log_of(workplace: &Workplace, table: &str) -> DeltaLog {
    DeltaLog::last(&workplace.path().join("lake").join(table)).unwrap().expect("a log")
}

/// The rows of a version, of their columns `id` and `v`.
fn rows_at(workplace: &Workplace, version: u64) -> Vec<String> {
    let table = workplace.path().join("lake/t");
    let log = DeltaLog::at(&table, version).unwrap().unwrap();
    rows_of_files(log.files.keys().map(PathBuf::as_path), &["id", "v"]).unwrap()
}

/// The rows that a night leaves.
fn rows_of(number: usize) -> Vec<String> {
    let mut rows: Vec<String> =
        (0..=number).map(|id| format!("{id} {}", if id == 0 { number } else { 0 })).collect();
    rows.sort();
    rows
}

fn verified(workplace: &Workplace) {
    let found = workplace.flowlake(&["verify", "lake"]);
    assert_eq!(found.code, 0, "{}{}", found.stdout, found.stderr);
}

/// The files in the directory of a table that readers of Parquet would take for rows.
fn data_files(workplace: &Workplace, table: &str) -> usize {
    fn count(directory: &Path) -> usize {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| match path.is_dir() {
            true if path.ends_with("_delta_log") => 0,
            true => count(&path),
            false => 1,
        };
        entries.map(of).sum()
    }
    count(&workplace.path().join("lake").join(table))
}

#[test]
fn p11_every_version_of_a_delta_table_stays_as_its_commit_made_it() {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    let mut versions = Vec::new();
    for number in 0..25 {
        source.serve(&night(number));
        workplace.run().success();
        let version = log_of(&workplace, "t").version;
        assert!(versions.last().is_none_or(|last| *last < version), "a night changes the table");
        versions.push(version);
    }
    assert!(workplace.path().join("lake/t/_delta_log/_last_checkpoint").exists());
    for (number, version) in versions.iter().enumerate() {
        assert_eq!(rows_at(&workplace, *version), rows_of(number), "version {version}");
    }
    verified(&workplace);
}

#[test]
fn p3_the_same_export_adds_no_version() {
    let source = Source::serving(&night(3));
    let workplace = workplace(&source, TABLES);
    workplace.run().success();
    let before = [log_of(&workplace, "t"), log_of(&workplace, "t__lines")];
    workplace.run().success();
    workplace.flowlake(&["run", "--again", "test.toml"]).success();
    assert_eq!([log_of(&workplace, "t"), log_of(&workplace, "t__lines")], before);
}

#[test]
fn p12_a_table_that_a_night_does_not_change_has_no_new_version() {
    let source = Source::serving(r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]}]"#);
    let workplace = workplace(&source, TABLES);
    workplace.run().success();
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":2,"lines":[{"n":1}]}]"#);
    workplace.run().success();
    assert_eq!(log_of(&workplace, "t").version, 1);
    assert_eq!(log_of(&workplace, "t__lines").version, 0);
    assert_eq!(
        log_of(&workplace, "t").txns.into_iter().collect::<Vec<_>>(),
        [("flowlake:test".to_owned(), 2)]
    );
}

#[test]
fn p5_the_log_has_the_columns_that_the_files_have_and_one_for_each_directory() {
    let source = Source::serving(r#"[{"id":1,"at":"2026-01-05","v":1}]"#);
    let workplace = workplace(&source, TABLES);
    workplace.run().success();
    source.serve(
        r#"[{"id":2,"at":"2026-01-05T10:00:00Z","v":0.5,"new":[{"a":true}],"d":{"e":[1]}}]"#,
    );
    workplace.run().success();
    let log = log_of(&workplace, "t");
    let fields = log.schema["fields"].as_array().unwrap().iter();
    let fields: Vec<String> =
        fields.map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["type"])).collect();
    assert_eq!(
        fields,
        [
            "id \"long\"",
            "at \"timestamp\"",
            "v \"double\"",
            "d__e {\"containsNull\":true,\"elementType\":\"long\",\"type\":\"array\"}",
            "_flowlake_run_id \"string\"",
            "_flowlake_loaded_at \"timestamp\"",
            "at_month \"string\"",
        ]
    );
    assert_eq!(log.partition_columns, ["at_month"]);
    let statistics = log.files.values().next().unwrap();
    assert_eq!(statistics["minValues"]["at"], "2026-01-05T00:00:00.000Z");
    assert_eq!(statistics["maxValues"]["at"], "2026-01-05T10:00:00.000Z");
    assert_eq!(statistics["numRecords"], 2);
    verified(&workplace);
}

#[test]
fn replaced_files_stay_for_as_long_as_the_definition_says_and_only_those() {
    let (source, workplace) = after_nights(12);
    let stranger = workplace.path().join("lake/t/at_month=2026-01/notes.txt");
    std::fs::write(&stranger, "x").unwrap();
    let all = data_files(&workplace, "t");
    assert!(all > log_of(&workplace, "t").files.len() + 10, "replaced files are there");
    workplace.flowlake(&["prune", "test.toml"]).success();
    assert_eq!(data_files(&workplace, "t"), all, "a week has not passed");
    define(&workplace, "delta", "[retention]\ntime_travel = \"PT0S\"", TABLES);
    let pruned = workplace.flowlake(&["prune", "test.toml"]).success();
    assert!(pruned.contains("replaced data files"), "{pruned}");
    let log = log_of(&workplace, "t");
    assert_eq!(data_files(&workplace, "t"), log.files.len() + 1);
    assert_eq!(rows_at(&workplace, log.version), rows_of(11));
    std::fs::remove_file(stranger).unwrap();
    verified(&workplace);
    source.serve(&night(12));
    workplace.run().success();
    assert_eq!(rows_at(&workplace, u64::MAX), rows_of(12));
    verified(&workplace);
}

#[test]
fn p1_a_log_that_calls_a_live_file_replaced_removes_nothing() {
    let source = Source::serving(&night(3));
    let workplace = workplace(&source, TABLES);
    define(&workplace, "delta", "[retention]\ntime_travel = \"PT0S\"", TABLES);
    workplace.run().success();
    let live = workplace.lake().files("t").into_iter().next().unwrap();
    let path = version_file(&workplace.path().join("lake/t/_delta_log"), 0);
    let text = std::fs::read_to_string(&path).unwrap();
    let below = live.strip_prefix(workplace.path().join("lake/t")).unwrap().display();
    let remove =
        format!(r#"{{"remove":{{"path":"{below}","deletionTimestamp":1,"dataChange":true}}}}"#);
    std::fs::write(&path, format!("{text}{remove}\n")).unwrap();
    let pruned = workplace.flowlake(&["prune", "test.toml"]);
    assert_eq!(pruned.code, 7, "{}", pruned.stderr);
    assert!(live.exists(), "the manifest names it");
}

#[test]
fn versions_may_be_kept_for_longer_than_there_is_time() {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    define(&workplace, "delta", "[retention]\ntime_travel = \"P100000000D\"", TABLES);
    run_nights(&source, &workplace, 11);
    workplace.flowlake(&["prune", "test.toml"]).success();
    assert_eq!(rows_at(&workplace, 0), rows_of(0));
}

#[test]
fn versions_that_cannot_be_read_any_more_leave_the_log() {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    define(&workplace, "delta", "[retention]\ntime_travel = \"PT0S\"", TABLES);
    run_nights(&source, &workplace, 35);
    let names = std::fs::read_dir(workplace.path().join("lake/t/_delta_log")).unwrap().count();
    assert!(names < 25, "{names} files of 35 versions");
    assert_eq!(rows_at(&workplace, u64::MAX), rows_of(34));
    verified(&workplace);
}

#[test]
fn a_destination_is_converted_without_its_source_and_back() {
    let source = Source::serving(&night(5));
    let workplace = Workplace::asking(&source);
    define(&workplace, "parquet", "", TABLES);
    workplace.run().success();
    let lake = workplace.lake();
    let (files, asked) = (lake.snapshot(), source.requests().len());

    define(&workplace, "delta", "", TABLES);
    for command in ["run", "plan"] {
        let refused = workplace.flowlake(&[command, "test.toml"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("flowlake convert"), "{}", refused.stderr);
    }
    let told = workplace.flowlake(&["convert", "test.toml", "--to", "delta"]).success();
    assert!(told.starts_with("test.toml: 2 tables are delta tables now"), "{told}");
    assert_eq!(lake.snapshot(), files, "no data file changes");
    assert_eq!(rows_at(&workplace, 0), rows_of(5));
    verified(&workplace);
    let told = workplace.flowlake(&["convert", "lake", "--to", "delta"]).success();
    assert!(told.contains("no tables but delta tables"), "{told}");
    let refused = workplace.flowlake(&["convert", "lake", "--to", "iceberg"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("write `parquet` or `delta`"), "{}", refused.stderr);
    assert_eq!(source.requests().len(), asked, "the source is asked for nothing");

    source.serve(&night(6));
    workplace.run().success();
    assert_eq!(rows_at(&workplace, 0), rows_of(5));
    assert_eq!(rows_at(&workplace, 1), rows_of(6));

    workplace.flowlake(&["convert", "lake", "--to", "parquet"]).success();
    assert!(!workplace.path().join("lake/t/_delta_log").exists(), "the log is gone");
    let files = lake.files("t");
    let rows = rows_of_files(files.iter().map(PathBuf::as_path), &["id", "v"]).unwrap();
    assert_eq!(rows, rows_of(6), "readers of the directory see no replaced file");
    verified(&workplace);
    define(&workplace, "parquet", "", TABLES);
    source.serve(&night(7));
    workplace.run().success();
    verified(&workplace);
}

/// What a run and `verify` say of a damaged log, and that converting there and back mends it.
fn damaged(damage: impl Fn(&Path), told: &str) {
    let (source, workplace) = after_nights(3);
    let before = workplace.lake().json("_flowlake/snapshot.json");
    damage(&workplace.path().join("lake/t/_delta_log"));
    let found = workplace.flowlake(&["verify", "lake"]);
    assert_eq!(found.code, 7, "{}{}", found.stdout, found.stderr);
    source.serve(&night(3));
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert_eq!(workplace.lake().json("_flowlake/snapshot.json"), before, "nothing was committed");
    workplace.flowlake(&["convert", "lake", "--to", "parquet"]).success();
    workplace.flowlake(&["convert", "lake", "--to", "delta"]).success();
    verified(&workplace);
    assert_eq!(rows_at(&workplace, 0), rows_of(2));
    workplace.run().success();
    assert_eq!(rows_at(&workplace, 1), rows_of(3));
    verified(&workplace);
}

fn version_file(log: &Path, version: u64) -> PathBuf {
    log.join(format!("{version:020}.json"))
}

#[test]
fn p2_a_damaged_log_is_told_and_never_made_worse() {
    let last = |log: &Path| version_file(log, 2);
    damaged(|log| std::fs::write(last(log), [0; 700]).unwrap(), "it has no content");
    damaged(|log| std::fs::write(last(log), "").unwrap(), "it has no content");
    damaged(|log| std::fs::write(last(log), "{\"add\":{\"pa").unwrap(), "is damaged at");
    damaged(|log| std::fs::remove_file(last(log)).unwrap(), "the log of `t` is gone");
    damaged(|log| std::fs::remove_dir_all(log).unwrap(), "the log of `t` is gone");
}

#[test]
fn p2_a_damaged_checkpoint_is_told_and_written_again() {
    let (source, workplace) = after_nights(10);
    let log = workplace.path().join("lake/t/_delta_log");
    std::fs::write(log.join(format!("{:020}.checkpoint.parquet", 9)), "PAR1").unwrap();
    let found = workplace.flowlake(&["verify", "lake"]);
    assert_eq!(found.code, 7, "{}", found.stdout);
    assert!(found.stdout.contains("unreadable: t/_delta_log/00000000000000000009.checkpoint"));
    source.serve(&night(10));
    workplace.run().success();
    workplace.flowlake(&["prune", "test.toml"]).success();
    assert_eq!(rows_at(&workplace, u64::MAX), rows_of(10), "readers have a new checkpoint");
    verified(&workplace);
}

#[test]
fn p2_a_version_that_a_checkpoint_makes_up_for_is_told() {
    let (source, workplace) = after_nights(10);
    let log = workplace.path().join("lake/t/_delta_log");
    assert!(log.join(format!("{:020}.checkpoint.parquet", 9)).exists());
    let tells = |arguments: &[&str], told: &str| {
        let found = workplace.flowlake(arguments);
        assert_eq!(found.code, 7, "{told}: {}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains(told), "{}", found.stdout);
    };
    for content in ["", "\0\0\0", "{\"add\":{\"pa"] {
        let path = version_file(&log, 2);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        tells(&["verify", "lake"], "unreadable: t/_delta_log/00000000000000000002.json");
        std::fs::write(&path, text).unwrap();
    }
    verified(&workplace);
    std::fs::remove_file(version_file(&log, 9)).unwrap();
    tells(&["verify", "lake"], "missing: t/_delta_log");
    tells(&["verify", "lake", "--quick"], "missing: t/_delta_log");
    source.serve(&night(10));
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    workplace.flowlake(&["convert", "lake", "--to", "parquet"]).success();
    workplace.flowlake(&["convert", "lake", "--to", "delta"]).success();
    workplace.run().success();
    assert_eq!(rows_at(&workplace, 1), rows_of(10));
    verified(&workplace);
}

#[test]
fn p11_a_flipped_bit_in_what_readers_skip_files_by_is_told() {
    let source = Source::serving(&night(2));
    let workplace = workplace(&source, TABLES);
    workplace.run().success();
    let path = version_file(&workplace.path().join("lake/t/_delta_log"), 0);
    let text = std::fs::read_to_string(&path).unwrap();
    for (word, damaged) in [
        ("\\\"numRecords\\\":1", "\\\"numRecords\\\":0"),
        ("2026-01-05", "2026-01-04"),
        ("\"at_month\":\"2026-01\"", "\"at_month\":\"2026-03\""),
        ("\\\"type\\\":\\\"long\\\"", "\\\"type\\\":\\\"date\\\""),
        ("\"minReaderVersion\":1", "\"minReaderVersion\":3"),
        ("\"size\":", "\"size\":1"),
    ] {
        assert!(text.contains(word), "{word} in {text}");
        std::fs::write(&path, text.replacen(word, damaged, 1)).unwrap();
        let found = workplace.flowlake(&["verify", "lake"]);
        assert_eq!(found.code, 7, "{word}: {}", found.stdout);
        assert!(found.stdout.contains("wrong log"), "{word}: {}", found.stdout);
    }
    std::fs::write(&path, text).unwrap();
    verified(&workplace);
}

#[test]
fn p1_a_table_that_another_writer_has_changed_is_left_alone() {
    let add = r#"{"add":{"path":"x.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#;
    let txn = r#"{"txn":{"appId":"flowlake:test","version":1}}"#;
    for lines in [
        add.to_owned(),
        r#"{"remove":{"path":"x","dataChange":true}}"#.to_owned(),
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned(),
        format!("{txn}\n{add}"),
    ] {
        let source = Source::serving(&night(0));
        let workplace = workplace(&source, TABLES);
        workplace.run().success();
        let log = workplace.path().join("lake/t/_delta_log");
        std::fs::write(version_file(&log, 1), &lines).unwrap();
        source.serve(&night(1));
        let refused = workplace.run();
        assert_eq!(refused.code, 7, "{lines}: {}", refused.stderr);
        assert!(refused.stderr.contains("version 1 that flowlake did not write"), "{lines}");
        assert!(!version_file(&log, 2).exists());
    }
}

#[test]
fn a_version_of_another_that_changes_nothing_stops_nobody() {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    workplace.run().success();
    let log = workplace.path().join("lake/t/_delta_log");
    std::fs::write(version_file(&log, 1), r#"{"commitInfo":{"operation":"VACUUM START"}}"#)
        .unwrap();
    source.serve(&night(1));
    workplace.run().success();
    assert_eq!(log_of(&workplace, "t").version, 2);
    assert_eq!(rows_at(&workplace, 2), rows_of(1));
    verified(&workplace);
}

#[test]
fn a_log_that_is_there_before_the_table_is_another_ones() {
    let source = Source::serving(&night(0));
    let workplace = workplace(&source, TABLES);
    let log = workplace.path().join("lake/t/_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    std::fs::write(version_file(&log, 0), "{}").unwrap();
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("`t` is a new table"), "{}", refused.stderr);
}

#[test]
fn lost_files_and_manifests_are_made_good_from_what_the_log_has() {
    let (_source, workplace) = after_nights(4);
    let lake: Lake = workplace.lake();
    std::fs::remove_file(workplace.path().join("lake").join(lake.manifest_path("t"))).unwrap();
    assert_eq!(workplace.flowlake(&["verify", "lake"]).code, 7);
    workplace.flowlake(&["verify", "lake", "--rebuild", "--yes"]).success();
    verified(&workplace);
    assert_eq!(rows_at(&workplace, u64::MAX), rows_of(3), "replaced files are no rows");

    let lost = lake.files("t").into_iter().next().unwrap();
    std::fs::remove_file(&lost).unwrap();
    assert_eq!(workplace.flowlake(&["verify", "lake"]).code, 7);
    workplace.flowlake(&["verify", "lake", "--rebuild", "--yes"]).success();
    verified(&workplace);
    assert!(!lake.files("t").contains(&lost), "the log does not name it any more");
}

#[test]
fn a_table_that_has_lost_a_part_of_a_file_is_not_converted() {
    let source = Source::serving(&night(0));
    let workplace = Workplace::asking(&source);
    define(&workplace, "parquet", "", TABLES);
    workplace.run().success();
    let file = workplace.lake().files("t").into_iter().next().unwrap();
    std::fs::write(&file, "PAR1").unwrap();
    let refused = workplace.flowlake(&["convert", "lake", "--to", "delta"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("`t` has lost 1 of its files"), "{}", refused.stderr);
    assert!(!workplace.path().join("lake/t/_delta_log").exists());
}

#[test]
fn a_month_is_no_time_for_which_versions_stay() {
    let source = Source::serving("[]");
    let workplace = workplace(&source, TABLES);
    let file = workplace.path().join("test.toml");
    let definition = std::fs::read_to_string(&file).unwrap();
    let definition =
        definition.replace("[[tables]]", "[retention]\ntime_travel = \"P1M\"\n[[tables]]");
    std::fs::write(&file, definition).unwrap();
    let refused = workplace.flowlake(&["check", "test.toml"]);
    assert_eq!(refused.code, 2);
    let told = refused.stdout + &refused.stderr;
    assert!(told.contains("a month has no fixed length"), "{told}");
}

/// A lake of one table, of which the manifest names so many files: copies of the one that a run has written.
fn lake_of_many_files(workplace: &Workplace, files: usize) {
    let lake = workplace.path().join("lake");
    let path = lake.join("_flowlake/snapshot.json");
    let mut snapshot: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let manifest_path = snapshot["tables"]["t"]["manifest"]["path"].as_str().unwrap().to_owned();
    let manifest = std::fs::read(lake.join(&manifest_path)).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let file = manifest["files"][0].clone();
    let original = lake.join(file["path"].as_str().unwrap());
    let content = std::fs::read(&original).unwrap();
    let copies = (0..files).map(|number| {
        let mut copy = file.clone();
        let partition = format!("at_month={:04}-{:02}", 1000 + number / 12, 1 + number % 12);
        let path = format!("t/{partition}/0000-night-1.parquet");
        std::fs::create_dir_all(lake.join("t").join(&partition)).unwrap();
        std::fs::write(lake.join(&path), &content).unwrap();
        copy["path"] = path.into();
        copy["partition"] = partition.into();
        copy
    });
    manifest["files"] = copies.collect::<Vec<_>>().into();
    std::fs::remove_file(&original).unwrap();
    manifest.as_object_mut().unwrap().remove("blake3");
    let manifest = serde_json::to_vec_pretty(&manifest).unwrap();
    std::fs::write(lake.join(&manifest_path), &manifest).unwrap();
    let entry = &mut snapshot["tables"]["t"]["manifest"];
    entry["bytes"] = manifest.len().into();
    entry["blake3"] = blake3::hash(&manifest).to_hex().to_string().into();
    snapshot.as_object_mut().unwrap().remove("blake3");
    std::fs::write(path, serde_json::to_vec_pretty(&snapshot).unwrap()).unwrap();
}

#[test]
#[ignore = "takes minutes: `make test-delta`"]
fn p7_a_table_of_a_hundred_thousand_files_is_converted_changed_and_pruned_in_little_memory() {
    const TABLE: &str = "[[tables]]\nname = \"t\"\nwrite_disposition = \"append\"\n\
        partition_by = [\"month(at)\"]";
    let source = Source::serving(r#"[{"id":1,"at":"2026-01-05"}]"#);
    let workplace = Workplace::asking(&source);
    define(&workplace, "parquet", "", TABLE);
    workplace.run().success();
    lake_of_many_files(&workplace, 100_000);
    define(&workplace, "delta", "", TABLE);
    let mut id = 1;
    for arguments in [
        &["run", "test.toml", "--set", "destination.format=parquet"][..],
        &["convert", "test.toml", "--to", "delta"],
        &["run", "test.toml"],
        &["prune", "test.toml"],
        &["verify", "lake", "--quick"],
    ] {
        id += 1;
        source.serve(&format!(r#"[{{"id":{id},"at":"2026-02-05"}}]"#));
        let begun = std::time::Instant::now();
        let (finished, peak) = workplace.measured(arguments);
        finished.success();
        let seconds = begun.elapsed().as_secs_f64();
        eprintln!("{}: {seconds:.1} s, {peak} MB", arguments[0]);
        assert!(peak < 300, "{arguments:?}: {peak} MB");
    }
    assert_eq!(log_of(&workplace, "t").files.len(), 100_002);
}

/// Versions that nobody can read any more are gone. `FLOWLAKE_NIGHTS=10000` takes minutes.
#[test]
#[ignore = "takes minutes: `make test-delta`"]
fn p12_a_night_after_a_thousand_versions_asks_for_as_much_as_the_first() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    define(&workplace, "delta", "[retention]\ntime_travel = \"PT0S\"", TABLES);
    let store = HookedStore::new(Arc::new(InMemory::new()), |_| Ok(()), |_| Ok(()));
    let count = std::env::var("FLOWLAKE_NIGHTS").map_or(1_000, |it| it.parse().unwrap());
    let nights = runtime().block_on(async {
        let pipeline = InProcess::asking(source.base_url(), &workplace).await;
        let mut calls = Vec::new();
        for number in 0..count {
            let begun = std::time::Instant::now();
            source.serve(&format!(r#"[{{"id":1,"at":"2026-01-05","v":{number}}}]"#));
            let before = store.calls();
            let run_id = format!("night-{number:04}");
            pipeline.run(store.clone(), &run_id, &Overrides::default()).await.unwrap();
            calls.push((store.calls() - before, begun.elapsed().as_secs_f64()));
        }
        calls
    });
    // Ten nights have one checkpoint among them.
    let of = |nights: &[(usize, f64)]| nights.iter().map(|night| night.0).sum::<usize>();
    let seconds = |nights: &[(usize, f64)]| nights.iter().map(|night| night.1).sum::<f64>();
    let (early, late) = (&nights[100..200], &nights[count - 100..]);
    let (first, last) = (of(early), of(late));
    eprintln!(
        "a hundred nights: {first} calls in {:.1} s, then {last} in {:.1} s",
        seconds(early),
        seconds(late)
    );
    assert!(last <= first + first / 20, "{first} calls, then {last}");
    let log = object_store::path::Path::from("t/_delta_log");
    let left = runtime().block_on(store.list(Some(&log)).count());
    assert!(left < 40, "{left} files of the log");
}

#[test]
fn the_directories_of_all_files_are_those_that_the_log_names() {
    let source = Source::serving(&night(3));
    let workplace = workplace(&source, "");
    let tables = |partition: &str, disposition: &str| {
        format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\n\
             partition_by = [\"{partition}\"]"
        )
    };
    for disposition in ["replace", "overwrite_partitions", "append", "merge"] {
        std::fs::remove_dir_all(workplace.path().join("lake")).ok();
        for (partition, again) in [("month(at)", ""), ("year(at)", "--again"), ("v", "--again")] {
            define(&workplace, "delta", "", &tables(partition, disposition));
            let arguments = ["run", "test.toml", again];
            let arguments = &arguments[..2 + usize::from(!again.is_empty())];
            // What cannot be honoured is refused.
            let ran = workplace.flowlake(arguments);
            for table in ["t", "t__lines"] {
                let log = log_of(&workplace, table);
                for file in log.files.keys() {
                    let below = file.strip_prefix(workplace.path().join("lake").join(table));
                    let directories: Vec<String> = below
                        .unwrap()
                        .parent()
                        .unwrap()
                        .iter()
                        .map(|it| it.to_str().unwrap().split_once('=').unwrap().0.to_owned())
                        .collect();
                    assert_eq!(
                        directories, log.partition_columns,
                        "{disposition} {partition}: {}",
                        ran.stderr
                    );
                }
            }
            verified(&workplace);
        }
    }
}
