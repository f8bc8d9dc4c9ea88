//! Retries: what is asked again, and what is not.

use std::time::Instant;

use crate::support::{Answer, Source, Workplace};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]";

fn asking(source: &Source, retry: &str) -> Workplace {
    let workplace = Workplace::asking(source);
    workplace.define_with(&format!("retry = {{ {retry} }}"), TABLES);
    workplace
}

fn status(status: u16) -> Answer {
    Answer::Other { status, content_type: "text/plain", body: "busy\n" }
}

fn export() -> Answer {
    Answer::Json("[{\"id\":1},{\"id\":2}]".to_owned())
}

#[test]
fn a_source_that_is_busy_for_a_while_is_asked_again() {
    for code in [408, 425, 429, 500, 502, 503, 504] {
        let source = Source::answering_in_turn(vec![status(code), export()]);
        let workplace = asking(&source, "max_attempts = 3");
        let finished = workplace.run();
        assert_eq!(finished.code, 0, "{code}: {}", finished.stderr);
        assert!(finished.stderr.contains("asking again in"), "{}", finished.stderr);
        assert_eq!(source.requests().len(), 2);
        assert_eq!(workplace.lake().rows("t").height(), 2);
    }
}

#[test]
fn what_another_try_cannot_change_is_asked_once() {
    for code in [400, 404, 410, 422] {
        let source = Source::answering_in_turn(vec![status(code), export()]);
        assert_eq!(asking(&source, "max_attempts = 3").run().code, 2);
        assert_eq!(source.requests().len(), 1, "{code}");
    }
}

#[test]
fn p9_a_body_that_is_cut_short_is_asked_for_again_from_its_beginning() {
    let source = Source::answering_in_turn(vec![Answer::CutShort("[{\"id\":7},"), export()]);
    let workplace = asking(&source, "max_attempts = 2");
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "id"), ["1", "2"]);
}

#[test]
fn the_last_error_tells_how_often_it_was_tried() {
    let source = Source::answering(status(503));
    let workplace = asking(&source, "max_attempts = 3");
    let finished = workplace.run();
    assert_eq!(finished.code, 4);
    assert_eq!(source.requests().len(), 3);
    let last = finished.stderr.lines().rev().take(2).collect::<Vec<_>>().join("\n");
    assert!(last.contains("after 3 tries"), "{}", finished.stderr);
}

#[test]
fn no_try_begins_after_the_time_is_up() {
    let source = Source::answering(Answer::Busy { retry_after: "30" });
    let workplace = asking(&source, "max_attempts = 9, elapsed = \"PT20S\"");
    let began = Instant::now();
    assert_eq!(workplace.run().code, 4);
    assert!(began.elapsed().as_secs() < 20, "it waits for nothing");
    assert_eq!(source.requests().len(), 1);
}

#[test]
fn the_source_may_say_when_to_come_back() {
    let source = Source::answering_in_turn(vec![Answer::Busy { retry_after: "2" }, export()]);
    let workplace = asking(&source, "max_attempts = 2");
    let began = Instant::now();
    workplace.run().success();
    assert!(began.elapsed().as_secs() >= 2);
}

#[test]
fn a_source_that_falls_silent_is_given_up() {
    let source = Source::answering(Answer::Stalling("[{\"id\":1},"));
    let workplace = Workplace::asking(&source);
    workplace.define_with("timeouts = { idle = \"PT1S\" }", TABLES);
    let finished = workplace.run();
    assert_eq!(finished.code, 4, "{}", finished.stderr);
    workplace.define_with("timeouts = { total = \"PT1S\" }", TABLES);
    assert_eq!(workplace.run().code, 4);
}

#[test]
fn headers_of_the_definition_are_sent_and_not_shown() {
    let source = Source::answering(export());
    let workplace = Workplace::asking(&source).with("TEAM", "data_canary");
    workplace.define_with("[source.headers]\nX-Team = \"${TEAM}\"", TABLES);
    workplace.run().success();
    assert_eq!(source.header(0, "x-team").as_deref(), Some("data_canary"));
    let plan = workplace.flowlake(&["plan", "test.toml"]).success();
    assert!(plan.contains("x-team") && !plan.contains("data_canary"), "{plan}");
}

#[test]
fn a_path_is_asked_for_as_it_is_written() {
    let source = Source::answering(export());
    let workplace = Workplace::asking(&source).with("ORG", "a/b");
    workplace.write(
        "version = 1\nname = \"test\"\n[source]\npath = \"/api/other path/${ORG}\"\n\
         base_url = \"${PROCUREMENTFLOW_BASE_URL}\"\n[destination]\nurl = \"lake\"\n[[tables]]\nname = \"t\"",
    );
    workplace.run().success();
    assert_eq!(source.requests(), ["/api/other%20path/a/b"]);
}

const WINDOW: &str = "[source.filters]\nfrom = \"{{ window.start }}\"\n\
                      [source.window]\nstart = 2026-01-01\nstep = \"P1M\"";
const APPENDED: &str = "[defaults]\nwrite_disposition = \"append\"\n[[tables]]\nname = \"t\"";

/// A run of three pieces with an old key and a new one.
fn run_with_two_keys(answers: &[Answer]) -> (Source, String) {
    let source = Source::answering_in_turn(answers.to_vec());
    let workplace = Workplace::asking(&source)
        .with("PROCUREMENTFLOW_API_KEY", "pf_old")
        .with("PROCUREMENTFLOW_API_KEY_NEXT", "pf_new");
    workplace.define_with(WINDOW, APPENDED);
    let finished =
        workplace.flowlake(&["run", "test.toml", "--jobs", "1", "--as-of", "2026-03-15"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    (source, finished.stderr)
}

fn taking(key: &'static str) -> Answer {
    Answer::JsonFor { key, json: "[{\"id\":1}]" }
}

fn keys_of(source: &Source) -> Vec<String> {
    source.keys().into_iter().flatten().collect()
}

#[test]
fn a_key_that_was_refused_is_not_sent_again_and_the_warning_says_which() {
    let (source, warnings) = run_with_two_keys(&[taking("pf_new")]);
    assert_eq!(keys_of(&source), ["pf_old", "pf_new", "pf_new", "pf_new"]);
    let refusals = warnings.matches("refused the key from environment variable").count();
    assert_eq!(refusals, 1, "{warnings}");
    assert!(
        warnings.contains("PROCUREMENTFLOW_API_KEY (fingerprint c6f925); retire it"),
        "{warnings}"
    );
    assert!(!warnings.contains("pf_old") && !warnings.contains("pf_new"), "P8: {warnings}");
}

#[test]
fn a_key_may_be_replaced_during_a_run() {
    let (source, _) = run_with_two_keys(&[taking("pf_old"), taking("pf_new")]);
    assert_eq!(keys_of(&source), ["pf_old", "pf_old", "pf_new", "pf_new"]);
}
