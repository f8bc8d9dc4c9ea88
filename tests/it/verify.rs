//! `flowlake verify` and `flowlake runs`.

use std::path::{Path, PathBuf};

use crate::support::{Finished, Source, Workplace, copy_directory, files_below};

fn loaded() -> (Source, Workplace) {
    let source = Source::serving(
        r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-02-05","n":2},{"id":3,"at":"2026-03-05","n":"x"}]"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\"]\n[tables.columns]\nn = \"int64\"",
    );
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    (source, workplace)
}

fn verify(workplace: &Workplace, arguments: &[&str]) -> Finished {
    let arguments: Vec<&str> = ["verify", "lake"].iter().chain(arguments).copied().collect();
    workplace.flowlake(&arguments)
}

/// The findings that verify prints, without the summary.
#[track_caller]
fn findings(finished: &Finished, code: i32) -> Vec<String> {
    assert_eq!(finished.code, code, "{}{}", finished.stdout, finished.stderr);
    let mut lines: Vec<String> = finished.stdout.lines().map(str::to_owned).collect();
    lines.pop();
    lines
}

#[test]
fn an_intact_lake_has_no_findings() {
    let (_source, workplace) = loaded();
    let shown = verify(&workplace, &[]).success();
    assert!(
        shown.starts_with("lake: matches its manifests (1 tables, 2 files, 2 rows, "),
        "{shown}"
    );
    assert_eq!(verify(&workplace, &["--repair"]).code, 0);
    assert_eq!(workplace.flowlake(&["verify", "test.toml", "--quick"]).code, 0);
    let json: serde_json::Value =
        serde_json::from_str(&verify(&workplace, &["--json"]).success()).unwrap();
    assert_eq!(json["findings"], serde_json::json!([]));
    assert_eq!(workplace.flowlake(&["verify", "elsewhere"]).code, 7);
}

#[test]
fn damage_is_reported_and_not_repaired() {
    let (_source, workplace) = loaded();
    let lake = workplace.path().join("lake");
    let [january, february] = [("01", "0000"), ("02", "0001")]
        .map(|(month, number)| format!("t/at_month=2026-{month}/{number}-first.parquet"));
    let intact = std::fs::read(lake.join(&january)).unwrap();
    // One bit of a file, which keeps its size.
    let mut damaged = intact.clone();
    damaged[10] ^= 1;
    std::fs::write(lake.join(&january), &damaged).unwrap();
    std::fs::remove_file(lake.join(&february)).unwrap();
    let expected = [
        format!("missing: {february}: it had 1 rows"),
        format!("changed: {january}: its bytes are not those that were written"),
    ];
    assert_eq!(findings(&verify(&workplace, &[]), 7), expected);
    assert_eq!(findings(&verify(&workplace, &["--repair"]), 7), expected);
    assert_eq!(findings(&verify(&workplace, &["--quick"]), 7), expected[..1]);
    let told = verify(&workplace, &[]).stderr;
    assert_eq!(told.matches("help: ").count(), 1, "{told}");
    assert!(told.contains("`flowlake run --again` loads a table that is replaced"), "{told}");
    assert_eq!(std::fs::read(lake.join(&january)).unwrap(), damaged);
    std::fs::write(lake.join(&january), &intact[..intact.len() - 1]).unwrap();
    let shown = findings(&verify(&workplace, &["--quick"]), 7);
    assert!(shown[1].starts_with(&format!("changed: {january}: it has ")), "{shown:?}");
}

#[test]
fn unreferenced_files_are_reported_and_deleted_if_they_are_ours() {
    let (_source, workplace) = loaded();
    let lake = workplace.path().join("lake");
    let copy = |to: &str| {
        let to = lake.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(lake.join("t/at_month=2026-01/0000-first.parquet"), to).unwrap();
    };
    let (orphan, foreign) =
        ("t/at_month=2026-01/0000-other.parquet", "t/at_month=2026-01/backup.parquet");
    let staged = "_flowlake/staging/other/0123456789abcdef.staged";
    for path in [orphan, foreign, staged] {
        copy(path);
    }
    std::fs::copy(
        lake.join("_flowlake/quarantine/t/first.jsonl.zst"),
        lake.join("_flowlake/quarantine/t/other.jsonl.zst"),
    )
    .unwrap();
    let quarantine = "_flowlake/quarantine/t/other.jsonl.zst";
    let expected = [
        format!("orphan: {quarantine}"),
        format!("orphan: {orphan}"),
        format!("foreign: {foreign}"),
        format!("temporary: {staged}"),
    ];
    assert_eq!(findings(&verify(&workplace, &[]), 3), expected);
    assert_eq!(findings(&verify(&workplace, &["--repair"]), 3), expected[2..3]);
    assert!(lake.join(foreign).exists());
    assert!([orphan, staged, quarantine].iter().all(|path| !Path::new(&lake.join(path)).exists()));
}

#[test]
fn runs_are_listed_from_the_last_one_on() {
    let (source, workplace) = loaded();
    source.serve("[");
    assert_eq!(workplace.flowlake(&["run", "test.toml", "--run-id", "second"]).code, 6);
    source.serve(r#"[{"id":1,"at":"2026-01-05","n":1}]"#);
    workplace.flowlake(&["run", "test.toml", "--run-id", "third"]).success();
    insta::assert_snapshot!({
        let shown = workplace.flowlake(&["runs", "lake"]).success();
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
        let seconds = regex::Regex::new(r"\d\.\d").unwrap();
        let shown = time.replace_all(&shown, "TIME").into_owned();
        seconds.replace_all(&shown, "S.S").into_owned()
    });
    let last = workplace.flowlake(&["runs", "test.toml", "--limit", "1", "--json"]).success();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["run_id"], "third");
    assert_eq!(workplace.flowlake(&["runs", "elsewhere"]).code, 7);
}

#[test]
fn partly_written_files_are_reported_and_deleted() {
    let (_source, workplace) = loaded();
    let half = workplace.path().join("lake/_flowlake/.flowlake-0123456789ab.tmp");
    std::fs::write(&half, "{").unwrap();
    let shown = findings(&verify(&workplace, &[]), 3);
    assert!(shown[0].ends_with("lake/_flowlake/.flowlake-0123456789ab.tmp"), "{shown:?}");
    verify(&workplace, &["--repair"]).success();
    assert!(!half.exists());
}

/// A disk would fill with what killed runs were writing. Others write without the lock, and may be at it.
#[test]
fn p2_what_a_killed_run_was_writing_is_removed_by_the_next_run() {
    let (_source, workplace) = loaded();
    let own = workplace.path().join("lake/_flowlake");
    let of_runs = ["", "staging/killed", "landing", "quarantine/t", "tables/t", "commits"]
        .map(|name| own.join(name));
    let of_others = ["check", "runs"].map(|name| own.join(name));
    let half = |directory: &PathBuf| {
        std::fs::create_dir_all(directory).unwrap();
        let file = directory.join(".flowlake-0123456789ab.tmp");
        std::fs::write(&file, "{").unwrap();
        file
    };
    let (own_files, others) = (of_runs.map(|it| half(&it)), of_others.map(|it| half(&it)));
    std::fs::create_dir_all(own.join("staging/killed-before-its-first-file")).unwrap();
    assert_eq!(findings(&verify(&workplace, &[]), 3).len(), own_files.len() + others.len());
    workplace.flowlake(&["run", "test.toml", "--again"]).success();
    assert!(own_files.iter().all(|file| !file.exists()), "{own_files:?}");
    assert!(others.iter().all(|file| file.exists()), "{others:?}");
    assert!(!own.join("staging").exists() || own.join("staging").read_dir().unwrap().count() == 0);
}

#[test]
fn statistics_of_the_manifest_are_compared_with_the_file() {
    let (_source, workplace) = loaded();
    let path = workplace.path().join("lake").join(workplace.lake().manifest_path("t"));
    let manifest = std::fs::read_to_string(&path).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let statistics = &parsed["files"][0]["statistics"];
    assert_eq!(
        *statistics,
        serde_json::json!({"at": {"min": "2026-01-05", "max": "2026-01-05"}, "id": {"min": "1", "max": "1"}})
    );
    // As a flowlake would have written it that computes other statistics.
    let mut wrong = parsed.clone();
    wrong["files"][0]["statistics"]["id"]["max"] = "7".into();
    wrong.as_object_mut().unwrap().remove("blake3");
    let wrong = wrong.to_string();
    std::fs::write(&path, &wrong).unwrap();
    let mut snapshot = workplace.lake().json("_flowlake/snapshot.json");
    snapshot.as_object_mut().unwrap().remove("blake3");
    let entry = &mut snapshot["tables"]["t"]["manifest"];
    entry["blake3"] = blake3::hash(wrong.as_bytes()).to_hex().as_str().into();
    entry["bytes"] = wrong.len().into();
    let file = workplace.path().join("lake/_flowlake/snapshot.json");
    std::fs::write(file, snapshot.to_string()).unwrap();
    let shown = findings(&verify(&workplace, &[]), 7);
    assert!(
        shown[0].starts_with("wrong statistics: t/at_month=2026-01/0000-first.parquet: `id` has "),
        "{shown:?}"
    );
    assert_eq!(findings(&verify(&workplace, &["--quick"]), 0), Vec::<String>::new());
}

/// Opening a pipe waits for somebody who writes to it.
#[test]
fn p9_a_pipe_in_place_of_a_file_is_told_and_nothing_waits_for_it() {
    let (_source, workplace) = loaded();
    let intact = workplace.path().join("intact");
    copy_directory(&workplace.path().join("lake"), &intact);
    for file in files_below(&intact) {
        let file = file.strip_prefix(&intact).unwrap();
        let lake = workplace.path().join("lake");
        std::fs::remove_dir_all(&lake).unwrap();
        copy_directory(&intact, &lake);
        let pipe = lake.join(file);
        std::fs::remove_file(&pipe).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for arguments in [
            &["verify", "lake"][..],
            &["runs", "lake"],
            &["check", "test.toml", "--online"],
            &["reload", "test.toml"],
            &["run", "test.toml"],
            &["verify", "lake", "--repair"],
        ] {
            let finished = workplace.flowlake(arguments);
            let told = format!("{}{}", finished.stdout, finished.stderr);
            let is_read = ["snapshot.json", "tables/t/", ".parquet"]
                .iter()
                .any(|name| file.to_str().unwrap().contains(name));
            let codes: &[i32] =
                if is_read && arguments == ["verify", "lake"] { &[7] } else { &[0, 7] };
            assert!(codes.contains(&finished.code), "{file:?} {arguments:?}: {told}");
        }
    }
}
