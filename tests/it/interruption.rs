//! A run that is told to stop has changed nothing or everything, and stops at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Answer, Course, Lake, Milestone, Source, Workplace};

const TABLES: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\"]";
const RECORDS: usize = 3000;
/// It takes well under a second. A source that stalls is waited for longer.
const STOPS_WITHIN: Duration = Duration::from_mins(1);

/// Records that all say of which version they are, in both of their tables.
fn export(version: usize) -> String {
    let records = (0..RECORDS).map(|id| {
        let at = format!("2026-{:02}-11", 1 + id % 12);
        json!({ "id": id, "at": at, "v": version, "lines": [{ "n": 1, "v": version }, { "n": 2, "v": version }] })
    });
    json!(records.collect::<Vec<_>>()).to_string()
}

/// The one version that all rows of all tables have.
#[track_caller]
fn version(lake: &Lake) -> usize {
    let mut versions = lake.column("t", "v");
    assert_eq!(versions.len(), RECORDS);
    let lines = lake.column("t__lines", "v");
    assert_eq!(lines.len(), 2 * RECORDS);
    versions.extend(lines);
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 1, "P2: tables of two versions");
    versions[0].parse().unwrap()
}

#[test]
fn p2_a_signal_at_any_moment_leaves_the_tables_as_they_were_or_complete() {
    let source = Source::serving(&export(0));
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    workplace.run().success();
    let lake = workplace.path().join("lake");
    let mut random = fastrand::Rng::with_seed(4);
    let (mut stopped, mut before) = (BTreeMap::new(), 0);
    // A source that stalls lets no run end before the signal.
    let milestones = [
        (Milestone::Started, false),
        (Milestone::Asked, true),
        (Milestone::Asked, false),
        (Milestone::Staged, false),
        (Milestone::Promised, false),
    ];
    for (round, (milestone, stalls)) in (1..=50).zip(milestones.into_iter().cycle()) {
        if stalls {
            source.answer(Answer::Stalling("["));
        } else {
            source.serve(&export(round));
        }
        let course = Course::before_run(&lake, &source);
        let (signal, code) = if round % 2 == 0 { ("-TERM", 143) } else { ("-INT", 130) };
        let mut run = workplace.command(&["run", "test.toml"]);
        let log = workplace.path().join("stderr.txt");
        let mut run =
            run.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        course.wait_for(milestone, &mut run);
        if random.bool() {
            std::thread::sleep(Duration::from_micros(random.u64(0..20_000)));
        }
        Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap();
        let signalled = Instant::now();
        let status = run.wait().unwrap();
        assert!(signalled.elapsed() < STOPS_WITHIN, "{:?}", signalled.elapsed());
        let told = std::fs::read_to_string(&log).unwrap();
        assert!(!told.contains("files are still being written"), "{told}");
        let after = version(&workplace.lake());
        // Before it listens to signals, one ends it as any process; and it may be faster than the signal.
        let ended_early = status.code().is_none();
        assert!(ended_early || [0, code].contains(&status.code().unwrap()), "{status}");
        assert!(after == round || (after == before && status.code() != Some(0)), "{status}");
        *stopped.entry(status.code()).or_insert(0) += usize::from(after == before);
        source.serve(&export(round));
        workplace.run().success();
        before = version(&workplace.lake());
        assert_eq!(before, round);
    }
    for code in [130, 143] {
        assert!(stopped.get(&Some(code)).is_some_and(|runs| *runs > 4), "{stopped:?}");
    }
}
