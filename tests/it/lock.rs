//! One writer at a time (promise P10), with the real binary.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Answer, S3Server, Source, Workplace, wait_until};

const TABLES: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"";

/// A run that holds the lock and waits for a source that does not answer.
fn hanging(workplace: &Workplace, run_id: &str) -> Child {
    let mut command = workplace.command(&["run", "test.toml", "--run-id", run_id]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a run holds the lock and has been given the answer that never ends.
fn wait_for_lock(source: &Source, workplace: &Workplace, destination: &str) {
    wait_until("no run took the lock", || workplace.flowlake(&["unlock", destination]).code == 11);
    wait_until("no run asked the source", || !source.requests().is_empty());
}

fn with_hanging_source() -> (Source, Workplace) {
    let source = Source::answering_in_turn(vec![
        Answer::Stalling("["),
        Answer::Json(r#"[{"id":1}]"#.to_owned()),
    ]);
    let workplace = Workplace::asking(&source);
    (source, workplace)
}

#[test]
fn p10_a_second_run_ends_at_once_and_names_the_owner_of_the_lock() {
    let (source, workplace) = with_hanging_source();
    workplace.define(TABLES);
    let mut first = hanging(&workplace, "first");
    wait_for_lock(&source, &workplace, "lake");
    let second = workplace.run();
    assert_eq!(second.code, 11, "{}", second.stderr);
    assert!(second.stderr.contains("run first of pipeline `test`"), "{}", second.stderr);
    assert!(second.stderr.contains("--wait"), "{}", second.stderr);
    // O22: on local disk `unlock --force` frees nothing.
    let ends = format!("end process {} on ", first.id());
    let asked = workplace.flowlake(&["unlock", "lake"]);
    for refused in [&second, &asked] {
        assert!(refused.stderr.contains(&ends), "{}", refused.stderr);
        assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
    }
    assert_eq!(workplace.flowlake(&["unlock", "lake", "--force"]).code, 11, "its process lives");
    // A killed run holds no lock.
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(workplace.flowlake(&["unlock", "lake"]).success().contains("not locked"));
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
    assert!(workplace.flowlake(&["verify", "lake"]).success().contains("matches its manifests"));
}

#[test]
fn p10_a_waiting_run_starts_when_the_other_has_ended() {
    let (source, workplace) = with_hanging_source();
    workplace.define(TABLES);
    let mut first = hanging(&workplace, "first");
    wait_for_lock(&source, &workplace, "lake");
    let mut waiting = workplace.command(&["run", "test.toml", "--wait"]);
    let mut waiting = waiting.stdout(Stdio::null()).spawn().unwrap();
    // Longer than the pause between two attempts. A slow machine only makes this check less telling.
    std::thread::sleep(Duration::from_millis(700));
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(waiting.wait().unwrap().success());
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
}

#[test]
fn p10_on_s3_the_lock_of_a_killed_run_is_taken_over() {
    let (source, workplace) = with_hanging_source();
    let server = S3Server::start();
    let workplace = server.environment(workplace);
    workplace.define(TABLES);
    let destination = server.destination();
    let mut first = hanging(&workplace, "first");
    wait_for_lock(&source, &workplace, &destination);
    let second = workplace.run();
    assert_eq!(second.code, 11, "{}", second.stderr);
    assert!(second.stderr.contains("`flowlake unlock --force`"), "{}", second.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
    let stray = workplace.flowlake(&["verify", &destination]);
    assert_eq!(stray.code, 3, "{}{}", stray.stdout, stray.stderr);
    assert!(stray.stdout.contains("stale lock: run first"), "{}", stray.stdout);
    let third = workplace.run();
    assert!(third.stderr.contains("taken over"), "{}", third.stderr);
    third.success();
    assert!(
        workplace.flowlake(&["verify", &destination]).success().contains("matches its manifests")
    );
}

#[test]
fn p10_of_two_runs_at_once_one_ends_with_11_or_both_commit() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    let mut expected = Vec::new();
    for round in 0..50 {
        source.serve(&format!("[{{\"id\":{round}}}]"));
        let wait = if round % 2 == 0 { &["--wait"][..] } else { &[] };
        let run = || {
            let arguments: Vec<&str> = ["run", "test.toml"].iter().chain(wait).copied().collect();
            let mut command = workplace.command(&arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let codes = [run(), run()].map(|mut run| run.wait().unwrap().code().unwrap());
        assert!(codes.contains(&0), "{codes:?}");
        let may_be = if wait.is_empty() { &[0, 11][..] } else { &[0] };
        assert!(codes.iter().all(|code| may_be.contains(code)), "{codes:?}");
        expected.push(round.to_string());
    }
    assert_eq!(workplace.lake().column("t", "id"), expected, "each export once, in turn");
    workplace.flowlake(&["verify", "lake"]).success();
}
