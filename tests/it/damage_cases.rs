//! Damage and neighbours, one case each, through the binary. A test carries the number of its case.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowlake::plan::Overrides;
use flowlake::store::Destination;
use serde_json::Value;

use crate::support::{
    Finished, HookedStore, InProcess, ReadTables, S3Server, SnapshotReader, Source, Workplace,
    runtime,
};

const MERGED: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
     partition_by = [\"month(at)\"]\n[tables.columns]\nn = \"int64\"";
const REPLACED: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"replace\"";

const FIRST: &str = r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-02-05","n":2},{"id":3,"at":"2026-02-06","n":"x"}]"#;
const SECOND: &str = r#"[{"id":1,"at":"2026-01-05","n":9},{"id":4,"at":"2026-03-05","n":4}]"#;

/// A lake of these tables after the first export, as run `first`.
fn loaded(tables: &str) -> (Source, Workplace) {
    let source = Source::serving(FIRST);
    let workplace = Workplace::asking(&source);
    workplace.define(tables);
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    (source, workplace)
}

fn at(workplace: &Workplace, path: &str) -> std::path::PathBuf {
    workplace.path().join("lake").join(path)
}

fn rows(workplace: &Workplace) -> Vec<String> {
    let mut reader = SnapshotReader::of(&workplace.path().join("lake"));
    reader.read().unwrap().rows("t", &["id", "n"])
}

#[track_caller]
fn assert_refused(finished: &Finished, words: &[&str]) {
    let text = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, 7, "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
}

/// Every file of the lake, reports and exports of later runs apart.
fn tables_and_state(workplace: &Workplace) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    fn collect(directory: &Path, files: &mut BTreeMap<std::path::PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_of_run = ["runs", "landing", "lock.json"].iter().any(|it| path.ends_with(it));
            if path.is_dir() && !is_of_run {
                collect(&path, files);
            } else if !is_of_run {
                files.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    collect(&workplace.path().join("lake"), &mut files);
    files
}

#[test]
fn o01_a_lost_manifest_stops_runs_and_nothing_is_deleted() {
    let (source, workplace) = loaded(MERGED);
    let manifest = workplace.lake().manifest_path("t");
    let content = std::fs::read(at(&workplace, &manifest)).unwrap();
    std::fs::remove_file(at(&workplace, &manifest)).unwrap();
    let before = tables_and_state(&workplace);
    source.serve(SECOND);
    assert_refused(&workplace.run(), &[&manifest, "`t`"]);
    for arguments in [&["verify", "lake"][..], &["verify", "lake", "--repair"]] {
        assert_refused(&workplace.flowlake(arguments), &[&format!("missing: {manifest}")]);
    }
    assert_eq!(tables_and_state(&workplace), before);
    std::fs::write(at(&workplace, &manifest), content).unwrap();
    workplace.run().success();
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

#[test]
fn o01_half_a_restore_is_refused_and_repaired_to_the_last_commit() {
    let (source, workplace) = loaded(MERGED);
    let old = std::fs::read(at(&workplace, "_flowlake/snapshot.json")).unwrap();
    source.serve(SECOND);
    workplace.run().success();
    std::fs::write(at(&workplace, "_flowlake/snapshot.json"), old).unwrap();
    assert_refused(&workplace.run(), &["commit 1", "commit 2", "snapshot.json"]);
    assert_refused(
        &workplace.flowlake(&["verify", "lake"]),
        &["behind: _flowlake/snapshot.json: it is of commit 1, and commit 2 is over"],
    );
    workplace.flowlake(&["verify", "lake", "--repair"]).success();
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
    workplace.run().success();
    // The same without any snapshot: the last record has it.
    std::fs::remove_file(at(&workplace, "_flowlake/snapshot.json")).unwrap();
    assert_refused(&workplace.run(), &["`_flowlake/snapshot.json` is missing"]);
    workplace.flowlake(&["verify", "lake", "--repair"]).success();
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

#[test]
fn o01_a_repair_without_the_last_commit_record_takes_no_older_state() {
    let (source, workplace) = loaded("[[tables]]\nname = \"t\"\nwrite_disposition = \"append\"");
    source.serve(SECOND);
    workplace.run().success();
    for lost in ["_flowlake/snapshot.json", "_flowlake/commits/000000000002.json"] {
        std::fs::remove_file(at(&workplace, lost)).unwrap();
    }
    // Commit 1 is whole, since appending replaces nothing; the rows of commit 2 would be nobody's.
    let before = tables_and_state(&workplace);
    assert_refused(&workplace.flowlake(&["verify", "lake", "--repair"]), &["snapshot.json"]);
    assert_eq!(tables_and_state(&workplace), before);
}

#[test]
fn o01_tables_without_their_own_files_are_found_and_not_begun_again() {
    let (source, workplace) = loaded(MERGED);
    let before = workplace.lake().snapshot();
    std::fs::remove_dir_all(at(&workplace, "_flowlake")).unwrap();
    assert_refused(&workplace.flowlake(&["verify", "lake"]), &["no lake here"]);
    source.serve(SECOND);
    for _ in 0..2 {
        assert_refused(&workplace.run(), &["`t`", "2 data files", "restore `_flowlake`"]);
        for arguments in [&["verify", "lake"][..], &["verify", "lake", "--repair"]] {
            let words =
                ["missing: _flowlake/snapshot.json", "t/at_month=2026-01/0000-first.parquet"];
            assert_refused(&workplace.flowlake(arguments), &words);
        }
    }
    assert_eq!(workplace.lake().snapshot(), before);
}

#[test]
fn o02_strangers_are_told_and_change_nothing() {
    let (source, workplace) = loaded(MERGED);
    let manifest = workplace.lake().manifest_path("t");
    let own = std::fs::read(at(&workplace, &manifest)).unwrap();
    let strangers = [
        "_flowlake/snapshot.json.bak",
        "_flowlake/.snapshot.json.swp",
        "_flowlake/desktop.ini",
        "_flowlake/tables/t/000000000001.json.bak",
        "_flowlake/tables/t/.nfs000000001",
        "_flowlake/tables/t.json",
        "_flowlake/commits/.DS_Store",
        "_flowlake/commits/notes#1",
        "_flowlake/runs/first (copy).json",
        "_flowlake/landing/first.json.zst~",
        "_flowlake/quarantine/t/.DS_Store",
        "_flowlake/staging/first/notes#1",
        "t/.DS_Store",
        "t/at_month=2026-01/0000-first.parquet.bak",
    ];
    for path in strangers {
        std::fs::create_dir_all(at(&workplace, path).parent().unwrap()).unwrap();
        std::fs::write(at(&workplace, path), &own).unwrap();
    }
    source.serve(SECOND);
    workplace.run().success();
    workplace.run().success();
    for arguments in [&["verify", "lake"][..], &["verify", "lake", "--repair"]] {
        let found = workplace.flowlake(arguments);
        assert_eq!(found.code, 3, "{}", found.stdout);
        let expected = strangers.map(|path| format!("foreign: {path}"));
        let lines: Vec<&str> = found.stdout.lines().collect();
        assert!(expected.iter().all(|line| lines.contains(&line.as_str())), "{}", found.stdout);
        assert_eq!(lines.len(), strangers.len() + 1, "{}", found.stdout);
    }
    let listed = workplace.flowlake(&["runs", "lake", "--limit", "1"]);
    assert!(listed.stderr.is_empty() && listed.stdout.contains("nothing new"), "{}", listed.stdout);
    assert!(strangers.iter().all(|path| std::fs::read(at(&workplace, path)).unwrap() == own));
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

#[test]
fn o03_a_copy_that_fails_with_200_removes_nothing() {
    let (source, server) = (Source::serving(FIRST), S3Server::start());
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(MERGED);
    workplace.run().success();
    let mut reader = SnapshotReader::of(&server.prefix());
    let mut rows = || reader.read().unwrap().rows("t", &["id", "n"]);
    source.serve(SECOND);
    server.lie_about_copies(true);
    assert_refused(&workplace.run(), &["t/at_month="]);
    assert_eq!(rows(), ["1 1", "2 2"]);
    assert!(!server.lake().own("staging").is_empty());
    server.lie_about_copies(false);
    workplace.run().success();
    assert_eq!(rows(), ["1 9", "2 2", "4 4"]);
    workplace.flowlake(&["verify", &server.destination()]).success();
}

#[test]
fn o07_a_lost_file_of_a_replaced_table_is_no_quiet_night() {
    let cut = |file: &Path| {
        let content = std::fs::read(file).unwrap();
        std::fs::write(file, &content[..content.len() / 2]).unwrap();
    };
    let gone = |file: &Path| std::fs::remove_file(file).unwrap();
    let damages: [&dyn Fn(&Path); 2] = [&gone, &cut];
    for damage in damages {
        let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":2}]"#);
        let workplace = Workplace::asking(&source);
        workplace.define(REPLACED);
        workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
        damage(&at(&workplace, "t/0000-first.parquet"));
        assert_refused(&workplace.run(), &["t/0000-first.parquet"]);
        assert_refused(&workplace.flowlake(&["verify", "lake"]), &["t/0000-first.parquet"]);
        workplace.flowlake(&["run", "test.toml", "--again"]).success();
        assert_eq!(rows(&workplace), ["1 1", "2 2"]);
        workplace.flowlake(&["verify", "lake"]).success();
    }
}

#[test]
fn o09_a_path_that_is_no_lake_is_refused_and_left_as_it_is() {
    let workplace = Workplace::empty();
    std::fs::create_dir(workplace.path().join("empty")).unwrap();
    std::fs::create_dir(workplace.path().join("other")).unwrap();
    std::fs::write(workplace.path().join("other/notes.txt"), "x").unwrap();
    for place in ["gone", "empty", "other"] {
        for command in [
            &["verify"][..],
            &["runs"],
            &["unlock"],
            &["unlock", "--force"],
            &["quarantine", "list"],
            &["quarantine", "show"],
            &["recover"],
        ] {
            let arguments: Vec<&str> = command.iter().copied().chain([place]).collect();
            assert_refused(&workplace.flowlake(&arguments), &["no lake here", place]);
        }
        let repair = workplace.flowlake(&["verify", place, "--repair"]);
        assert_refused(&repair, &["no lake here", place]);
    }
    assert!(!workplace.path().join("gone").exists());
    assert_eq!(std::fs::read_dir(workplace.path().join("empty")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(workplace.path().join("other")).unwrap().count(), 1);
}

#[test]
fn o14_files_of_a_newer_flowlake_are_refused_and_not_written_back() {
    let (source, workplace) = loaded(MERGED);
    source.serve(SECOND);
    for path in ["_flowlake/snapshot.json".to_owned(), workplace.lake().manifest_path("t")] {
        let text = std::fs::read_to_string(at(&workplace, &path)).unwrap();
        std::fs::write(at(&workplace, &path), text.replacen("\"version\": ", "\"version\": 9", 1))
            .unwrap();
        let before = tables_and_state(&workplace);
        assert_refused(&workplace.run(), &[&path, "written by a newer flowlake: version 9"]);
        for arguments in [&["verify", "lake"][..], &["verify", "lake", "--repair"]] {
            assert_refused(&workplace.flowlake(arguments), &[&format!("newer: {path}")]);
        }
        assert_eq!(tables_and_state(&workplace), before);
        std::fs::write(at(&workplace, &path), text).unwrap();
    }
    // What is not known survives, as another program may have written it.
    let snapshot = at(&workplace, "_flowlake/snapshot.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&snapshot).unwrap()).unwrap();
    file.as_object_mut().unwrap().remove("blake3").unwrap();
    file["owner"] = "x".into();
    file["tables"]["t"]["retention"] = 7.into();
    std::fs::write(&snapshot, serde_json::to_vec(&file).unwrap()).unwrap();
    workplace.run().success();
    let file = workplace.lake().json("_flowlake/snapshot.json");
    assert_eq!((&file["owner"], &file["tables"]["t"]["retention"]), (&"x".into(), &7.into()));
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

/// A run in this process, with something done before each of its calls to the store; returns how many there were.
fn run_with(
    (source, workplace): &(Source, Workplace),
    before: impl FnMut(usize) + Send + 'static,
) -> usize {
    let pipeline = runtime().block_on(InProcess::asking(source.base_url(), workplace));
    let calls = Arc::new(AtomicUsize::new(0));
    let (before, counted) = (std::sync::Mutex::new(before), calls.clone());
    let hook = move |call| {
        counted.fetch_max(call + 1, Ordering::SeqCst);
        before.lock().unwrap()(call);
        Ok(())
    };
    let url = workplace.path().join("lake").to_str().unwrap().parse().unwrap();
    let destination = Destination::open(&url).unwrap();
    let destination = destination.wrapped(|store| HookedStore::new(store, hook, |_| Ok(())));
    let overrides = Overrides::default();
    let run = pipeline.run_in(&destination, "second", &overrides);
    runtime().block_on(run).unwrap();
    calls.load(Ordering::SeqCst)
}

#[test]
fn o17_s10_readers_verify_and_quarantine_find_nothing_wrong_beside_a_run() {
    let lake = loaded(MERGED);
    lake.0.serve(SECOND);
    let directory = lake.1.path().to_owned();
    let old = ["1 1", "2 2"].map(str::to_owned).to_vec();
    let new = ["1 9", "2 2", "4 4"].map(str::to_owned).to_vec();
    let expected = [old.clone(), new.clone()];
    let mut commands = Vec::new();
    for arguments in [&["verify", "lake"][..], &["quarantine", "list", "lake"]] {
        commands.push(lake.1.command(arguments));
    }
    let calls = run_with(&lake, move |call| {
        let read = SnapshotReader::of(&directory.join("lake")).read();
        let rows = read.as_ref().map(|read: &ReadTables| read.rows("t", &["id", "n"]));
        assert!(rows.as_ref().is_ok_and(|rows| expected.contains(rows)), "call {call}: {rows:?}");
        // The lock is released in between only before the first and after the last.
        for command in &mut commands {
            let output = command.output().unwrap();
            let shown = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "call {call}, {command:?}: {shown}");
        }
    });
    assert!(calls > 10, "the store was hardly used: {calls}");
    assert_eq!(rows(&lake.1), new);
}

#[test]
fn s04_a_repair_beside_a_run_is_refused_and_the_run_commits() {
    let lake = loaded(MERGED);
    lake.0.serve(SECOND);
    let mut repair = lake.1.command(&["verify", "lake", "--repair"]);
    let mut unlock = lake.1.command(&["unlock", "lake", "--force"]);
    let mut runs = lake.1.command(&["runs", "lake"]);
    run_with(&lake, move |call| {
        // Its commit is open because it commits, and not because it was killed.
        let listed = runs.output().unwrap().stdout;
        assert!(!String::from_utf8(listed).unwrap().contains("was killed"), "call {call}");
        if call % 4 == 0 {
            assert_eq!(repair.output().unwrap().status.code(), Some(11), "call {call}");
            assert_eq!(unlock.output().unwrap().status.code(), Some(11), "call {call}");
        }
    });
    assert_eq!(rows(&lake.1), ["1 9", "2 2", "4 4"]);
    lake.1.flowlake(&["verify", "lake"]).success();
}

/// Runs a command and asserts that it changes nothing in the lake: no file is created, written, renamed or removed.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn o20_commands_that_only_read_change_nothing() {
    let (_source, workplace) = loaded(MERGED);
    let lake = workplace.path().join("lake");
    for command in [
        &["verify", "lake"][..],
        &["verify", "lake", "--quick"],
        &["runs", "lake"],
        &["quarantine", "list", "lake"],
        &["quarantine", "show", "lake"],
        &["unlock", "lake"],
        &["watermark", "show", "test.toml"],
    ] {
        let Some(traced) = crate::support::Traced::start(workplace.command(command)) else {
            eprintln!("skipped: processes cannot be traced here");
            return;
        };
        let mut changed = Vec::new();
        traced.run(|call| {
            // The directory itself is asked for, and it is there.
            let here = |path: &std::path::PathBuf| {
                path.starts_with(&lake) && *path != lake
                    || path.starts_with("lake") && path != Path::new("lake")
            };
            changed.extend(call.changes().filter(here));
            true
        });
        assert_eq!(changed, Vec::<std::path::PathBuf>::new(), "{command:?}");
    }
}

#[test]
fn s01_a_flipped_bit_of_a_live_file_reaches_no_new_file() {
    let (source, workplace) = loaded(MERGED);
    source.serve(SECOND);
    let file = "t/at_month=2026-01/0000-first.parquet";
    let sound = std::fs::read(at(&workplace, file)).unwrap();
    let before = tables_and_state(&workplace);
    for part in 0..12 {
        let mut damaged = sound.clone();
        damaged[sound.len() * part / 12 + part] ^= 1 << (part % 8);
        std::fs::write(at(&workplace, file), &damaged).unwrap();
        assert_refused(&workplace.run(), &[file]);
        assert_eq!(std::fs::read(at(&workplace, file)).unwrap(), damaged);
    }
    std::fs::write(at(&workplace, file), sound).unwrap();
    assert_eq!(tables_and_state(&workplace), before);
    workplace.run().success();
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

#[test]
fn s06_damaged_quarantine_and_exports_are_found_and_stop_no_run() {
    let (source, workplace) = loaded(MERGED);
    let flip = |path: &str| {
        let file = at(&workplace, path);
        let mut content = std::fs::read(&file).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        std::fs::write(&file, content).unwrap();
    };
    let quarantine = "_flowlake/quarantine/t/first.jsonl.zst";
    flip(quarantine);
    assert_refused(&workplace.flowlake(&["verify", "lake"]), &[&format!("changed: {quarantine}")]);
    for command in ["list", "show"] {
        assert_refused(&workplace.flowlake(&["quarantine", command, "lake"]), &[quarantine]);
    }
    flip(quarantine);
    workplace.flowlake(&["verify", "lake"]).success();
    let export = "_flowlake/landing/first.json.zst";
    flip(export);
    let found = workplace.flowlake(&["verify", "lake"]);
    assert_eq!(found.code, 3);
    assert!(found.stdout.contains(&format!("damaged archive: {export}")), "{}", found.stdout);
    std::fs::write(at(&workplace, "_flowlake/landing/first.origin.json"), "{").unwrap();
    let found = workplace.flowlake(&["verify", "lake"]);
    assert!(found.stdout.contains("damaged archive: _flowlake/landing/first.origin.json"));
    source.serve(SECOND);
    workplace.run().success();
    assert_eq!(rows(&workplace), ["1 9", "2 2", "4 4"]);
}

#[test]
fn s06_what_is_readable_of_a_damaged_quarantine_file_is_shown() {
    let odd: Vec<String> =
        (10..14).map(|id| format!("{{\"id\":{id},\"at\":\"2026-01-05\",\"n\":\"odd\"}}")).collect();
    let sound: Vec<String> =
        (20..99).map(|id| format!("{{\"id\":{id},\"at\":\"2026-01-05\",\"n\":1}}")).collect();
    let source = Source::serving(&format!("[{},{}]", odd.join(","), sound.join(",")));
    let workplace = Workplace::asking(&source);
    workplace.define(MERGED);
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    // The last line is not whole.
    let file = at(&workplace, "_flowlake/quarantine/t/first.jsonl.zst");
    let text = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
    std::fs::write(&file, zstd::encode_all(&text[..text.len() - 20], 0).unwrap()).unwrap();
    let shown = workplace.flowlake(&["quarantine", "show", "lake", "--json"]);
    assert_eq!(shown.stdout.lines().count(), 3, "{}", shown.stdout);
    assert_refused(&shown, &["\"id\":10", "_flowlake/quarantine/t/first.jsonl.zst"]);
}

#[test]
fn s07_a_damaged_record_of_a_commit_that_is_over_stops_nobody() {
    let (source, workplace) = loaded(MERGED);
    let exports = [SECOND, FIRST, SECOND, FIRST, SECOND, FIRST];
    for (number, export) in exports.into_iter().enumerate() {
        let last = number + 1;
        let path = format!("_flowlake/commits/{last:012}.json");
        let damaged = ["", "\0\0\0", "{"][number % 3];
        std::fs::write(at(&workplace, &path), damaged).unwrap();
        let found = workplace.flowlake(&["verify", "lake"]);
        assert_eq!(found.code, 3, "{}", found.stdout);
        assert!(found.stdout.contains(&format!("damaged archive: {path}")), "{}", found.stdout);
        workplace.flowlake(&["recover", "lake"]).success();
        source.serve(export);
        workplace.run().success();
    }
    assert_eq!(rows(&workplace), ["1 1", "2 2", "4 4"]);
}

#[test]
fn o01_a_data_file_that_is_lost_without_a_backup_is_given_up_as_the_help_says() {
    let source = Source::serving(
        r#"[{"id":1,"at":"2026-01-05"},{"id":2,"at":"2026-02-05"},{"id":3,"at":"2026-03-05"}]"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
         partition_by = [\"month(at)\"]",
    );
    workplace.run().success();
    let lake = workplace.lake();
    let files = lake.files("t");
    let february = files.iter().find(|file| file.to_string_lossy().contains("2026-02")).unwrap();
    std::fs::remove_file(february).unwrap();
    // A night that does not read the file is refused too: its report would count rows that are gone.
    source.serve(r#"[{"id":4,"at":"2026-03-06"}]"#);
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    let said = [
        "a file of the table is missing: `t/at_month=2026-02/",
        "`flowlake verify --rebuild --yes`",
    ];
    for said in said {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    let shown = workplace.flowlake(&["verify", "lake", "--rebuild"]);
    assert_eq!(shown.code, 7, "nothing is done yet");
    assert!(shown.stdout.starts_with("t: 2 rows in 2 files of 2 partitions\n"), "{}", shown.stdout);
    workplace.flowlake(&["verify", "lake", "--rebuild", "--yes"]).success();
    workplace.run().success();
    let mut ids = lake.column("t", "id");
    ids.sort();
    assert_eq!(ids, ["1", "3", "4"]);
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn o02_a_stray_data_file_is_refused_until_repair_moves_it_whatever_waits_elsewhere() {
    let source = Source::serving(r#"{"t":[{"id":1,"n":1}],"u":[{"id":1,"n":1},{"id":2,"n":"x"}]}"#);
    let workplace = Workplace::asking(&source);
    let table = |name: &str| {
        format!(
            "[[tables]]\nname = \"{name}\"\nrecords = \"/{name}\"\nprimary_key = [\"id\"]\n\
             write_disposition = \"append\"\n[tables.columns]\nn = \"int64\"\n"
        )
    };
    workplace.define(&(table("t") + &table("u")));
    workplace.run().success();
    let lake = workplace.lake();
    let own = lake.files("t").remove(0);
    let stray = own.with_file_name("0000-stray.parquet");
    std::fs::copy(&own, &stray).unwrap();
    source.serve(r#"{"t":[{"id":2,"n":2}],"u":[{"id":3,"n":3}]}"#);
    let before = lake.snapshot();
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    let said = "the directory of `t` has 1 data files that its manifest does not name, such as `t/0000-stray.parquet`";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(lake.snapshot(), before);
    // What waits of another table is lost: that holds nothing back.
    let waiting = lake.manifest("u")["quarantine"][0]["path"].as_str().unwrap().to_owned();
    std::fs::remove_file(lake.path().join(waiting)).unwrap();
    assert_eq!(workplace.flowlake(&["verify", "lake", "--repair"]).code, 7);
    assert!(!stray.exists());
    workplace.run().success();
    assert_eq!(lake.column("t", "id"), ["1", "2"]);
}
