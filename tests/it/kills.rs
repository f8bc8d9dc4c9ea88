//! kill -9, at every request to the store and at any moment: the next run finds the tables as they were or complete
//! (promise P2), and leaves nothing behind.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use flowlake::destination::Destination;
use flowlake::verify::{Depth, repair, verify};
use tempfile::TempDir;

use crate::support::{Lake, S3Server, Source, Workplace, runtime};

/// One record in a partition of its own, one that moves, one that changes in a line only, one that stays.
const OLD: &str = r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]},{"id":2,"at":"2026-02-05","v":1},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1},{"n":2}]},{"id":4,"at":"2026-04-05","v":1}]"#;
const NEW: &str = r#"[{"id":1,"at":"2026-02-05","v":1,"lines":[{"n":1},{"n":9}]},{"id":2,"at":"2026-02-05","v":2},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1}]},{"id":4,"at":"2026-04-05","v":1},{"id":5,"at":"2026-05-05","v":"x"}]"#;

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
    partition_by = [\"month(at)\"]\n[tables.columns]\nv = \"int64\"";

/// What is in the tables and in quarantine.
fn state(lake: &Lake) -> (Vec<String>, Vec<String>, usize) {
    let rows = |table: &str, columns: [&str; 3]| {
        let columns = columns.map(|name| lake.column(table, name));
        let mut rows: Vec<String> = (0..columns[0].len())
            .map(|row| columns.each_ref().map(|column| column[row].clone()).join(" "))
            .collect();
        rows.sort();
        rows
    };
    (
        rows("t", ["id", "at", "v"]),
        rows("t__lines", ["t__id", "_index", "n"]),
        lake.quarantine("t").len(),
    )
}

/// The states before and after the second export.
fn before_and_after() -> [(Vec<String>, Vec<String>, usize); 2] {
    let source = Source::serving(OLD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    [OLD, NEW].map(|export| {
        source.serve(export);
        workplace.run().success();
        state(&workplace.lake())
    })
}

fn start(workplace: &Workplace) -> Child {
    let mut command = workplace.command(&["run", "test.toml"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The lake of the first export, as it is on disk.
fn keep(lake: &Path) -> TempDir {
    let kept = TempDir::new().unwrap();
    copy(lake, kept.path());
    kept
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap().path(), to.to_owned());
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            std::fs::copy(&entry, &to).unwrap();
        }
    }
}

/// Looks at what a kill left once it is mended: it is the one or the other. A run after it brings the new, and all is
/// clean. Tells whether it was there already.
#[track_caller]
fn check_after_kill(
    workplace: &Workplace,
    lake: &Lake,
    [old, new]: &[(Vec<String>, Vec<String>, usize); 2],
    what: &str,
    mut verify: impl FnMut(bool) -> Result<(), String>,
) -> bool {
    verify(true).unwrap_or_else(|found| panic!("{what}: {found}"));
    let found = state(lake);
    assert!(found == *old || found == *new, "{what}: {found:?}");
    workplace.run().success();
    assert_eq!(state(lake), *new, "{what}");
    verify(false).unwrap_or_else(|found| panic!("{what}: {found}"));
    found == *new
}

#[test]
fn p2_a_run_that_is_killed_at_any_request_to_s3_is_there_as_a_whole_or_not_at_all() {
    let expected = before_and_after();
    let mut outcomes = [0, 0];
    let (source, server) = (Source::serving(OLD), S3Server::start());
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    workplace.run().success();
    let old = keep(&server.prefix());
    source.serve(NEW);
    // Before a request is after the one before it.
    for request in 0.. {
        std::fs::remove_dir_all(server.prefix()).unwrap();
        copy(old.path(), &server.prefix());
        let mut run = start(&workplace);
        server.kill_at(run.id(), request);
        let status = run.wait().unwrap();
        let verify = |repair: bool| {
            let arguments = ["verify", &server.destination(), "--repair"];
            let found = workplace.flowlake(&arguments[..2 + usize::from(repair)]);
            if found.code == 0 { Ok(()) } else { Err(found.stdout + &found.stderr) }
        };
        let what = format!("request {request}");
        let is_new = check_after_kill(&workplace, &server.lake(), &expected, &what, verify);
        outcomes[usize::from(is_new)] += 1;
        if status.code() == Some(0) {
            assert!(request > 20, "the store was hardly used");
            break;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 10), "old and new: {outcomes:?}");
}

#[test]
fn p2_a_run_that_is_killed_at_any_moment_is_there_as_a_whole_or_not_at_all() {
    let expected = before_and_after();
    let (mut outcomes, mut random) = ([0, 0], fastrand::Rng::with_seed(9));
    let source = Source::serving(OLD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    workplace.run().success();
    let lake = workplace.path().join("lake");
    let old = keep(&lake);
    source.serve(NEW);
    let begun = Instant::now();
    workplace.run().success();
    let whole_run = begun.elapsed();
    let destination = Destination::open(&lake.to_str().unwrap().parse().unwrap()).unwrap();
    let runtime = runtime();
    for round in 0..200 {
        std::fs::remove_dir_all(&lake).unwrap();
        copy(old.path(), &lake);
        let mut run = start(&workplace);
        // The beginning of a process has nothing to do with the lake.
        std::thread::sleep(whole_run.mul_f64(0.3 + 0.8 * random.f64()));
        run.kill().unwrap();
        run.wait().unwrap();
        let verify = |mend: bool| {
            let found = if mend {
                runtime.block_on(repair(&destination, Depth::Contents))
            } else {
                runtime.block_on(verify(&destination, Depth::Contents))
            };
            let found = found.map_err(|error| error.to_string())?.findings;
            if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
        };
        let what = format!("round {round}");
        let is_new = check_after_kill(&workplace, &workplace.lake(), &expected, &what, verify);
        outcomes[usize::from(is_new)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 5), "old and new: {outcomes:?}");
}
