//! H5: a source that speaks HTTP/2 and goes away before, in and after its answer.

use crate::support::{Finished, Http2Server, KEY, Step, Workplace};

const TABLE: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n";
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

fn go_away(last: u32, code: u32) -> Step {
    // What a server that repeats the request says.
    Step::GoAway { last, code, says: format!("too many requests with x-api-key: {KEY}") }
}

fn beginning() -> Step {
    Step::Body { text: "[{\"id\":1},", ends: false }
}

fn end() -> Step {
    Step::Body { text: "{\"id\":2}]", ends: true }
}

/// A whole answer.
fn good() -> Vec<Step> {
    vec![Step::Read, Step::Head, beginning(), end()]
}

/// A run that asks a server whose connections follow these scripts.
fn run(scripts: Vec<Vec<Step>>, attempts: u32) -> (Http2Server, Workplace, Finished) {
    let server = Http2Server::following(scripts);
    let authority = Http2Server::authority();
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", server.base_url())
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY)
        .with("SSL_CERT_FILE", authority.to_str().unwrap());
    workplace.define_with(&format!("retry = {{ max_attempts = {attempts} }}"), TABLE);
    let finished = workplace.run();
    (server, workplace, finished)
}

#[test]
fn h5_an_export_comes_over_http2() {
    let (server, workplace, finished) = run(vec![good()], 1);
    finished.success();
    assert_eq!(workplace.lake().column("t", "id"), ["1", "2"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn h5_a_server_that_goes_away_is_asked_again_and_its_words_show_no_secret() {
    for (moment, script) in [
        ("before the request", vec![go_away(0, NO_ERROR)]),
        ("instead of an answer", vec![Step::Read, go_away(0, ENHANCE_YOUR_CALM)]),
        ("instead of an answer, without a reason", vec![Step::Read, go_away(0, NO_ERROR)]),
        ("after it took the request", vec![Step::Read, go_away(1, INTERNAL_ERROR)]),
        ("before the body", vec![Step::Read, Step::Head, go_away(1, INTERNAL_ERROR)]),
        ("in the body", vec![Step::Read, Step::Head, beginning(), go_away(1, INTERNAL_ERROR)]),
        (
            "in the body, without a reason",
            vec![Step::Read, Step::Head, beginning(), go_away(1, NO_ERROR)],
        ),
        (
            "in the body, of the request alone",
            vec![Step::Read, Step::Head, beginning(), Step::Reset(CANCEL)],
        ),
        (
            "instead of an answer, of the request alone",
            vec![Step::Read, Step::Reset(INTERNAL_ERROR)],
        ),
    ] {
        let (_server, workplace, finished) = run(vec![script.clone()], 1);
        assert_eq!(finished.code, 4, "{moment}: {}", finished.stderr);
        let cause = finished.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        let is_told =
            ["no answer from https://", "the connection broke during the export from https://"];
        assert!(is_told.iter().any(|words| cause.contains(words)), "{moment}: {cause}");
        // The innermost cause, and not only that something failed.
        let ends = ["go away", "connection", "stream", "reset", "closed", "unexpected", "cancel"];
        let reason = cause.split_once("/acme: ").unwrap().1.to_lowercase();
        assert!(ends.iter().any(|words| reason.contains(words)), "{moment}: {cause}");
        assert!(finished.stderr.contains("retry later"), "{moment}: {}", finished.stderr);
        assert!(!workplace.path().join("lake/t").exists(), "{moment}");
        let reports = workplace.lake().own("runs");
        for report in reports {
            let report = workplace.lake().path().join("_flowlake/runs").join(report);
            assert!(!std::fs::read_to_string(report).unwrap().contains(KEY), "P8: {moment}");
        }
        // The next connection answers. A request may still meet the one that goes away, so there are some attempts.
        let (server, workplace, finished) = run(vec![script, good()], 6);
        assert_eq!(finished.code, 0, "{moment}: {}", finished.stderr);
        assert_eq!(workplace.lake().column("t", "id"), ["1", "2"], "{moment}");
        // A client that looks for a connection in the pool may open one beside it.
        assert!(server.connections() >= 2, "{moment}");
    }
}

#[test]
fn h5_a_server_that_goes_away_after_its_answer_has_answered() {
    let announced = vec![Step::Read, Step::Head, beginning(), go_away(1, NO_ERROR), end()];
    let afterwards =
        vec![Step::Read, Step::Head, beginning(), end(), go_away(1, ENHANCE_YOUR_CALM)];
    for script in [announced, afterwards] {
        let (server, workplace, finished) = run(vec![script], 1);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(workplace.lake().column("t", "id"), ["1", "2"]);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn o15_certificates_that_cannot_be_read_are_told_before_anything_is_asked() {
    let server = Http2Server::following(vec![good()]);
    let run = |certificates: &str| {
        let workplace = Workplace::empty()
            .with("PROCUREMENTFLOW_BASE_URL", server.base_url())
            .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
            .with("PROCUREMENTFLOW_API_KEY", KEY)
            .with("SSL_CERT_FILE", certificates);
        workplace.define(TABLE);
        std::fs::write(workplace.path().join("empty.pem"), "no certificate\n").unwrap();
        workplace.run()
    };
    for (certificates, reason) in [
        ("/nowhere/authority.pem", "No such file or directory"),
        ("empty.pem", "it has no certificate in PEM"),
        (".", "Is a directory"),
    ] {
        let refused = run(certificates);
        assert_eq!(refused.code, 2, "{certificates}: {}", refused.stderr);
        let said = format!(
            "cannot read the certificates in `{certificates}`, which `SSL_CERT_FILE` names: {reason}"
        );
        for said in [said.as_str(), "a file of certificates in PEM that this user can read"] {
            assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
        }
    }
    assert_eq!(server.connections(), 0);
    // An authority that did not sign the server's certificate is another mistake.
    let other = run(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificates/server.pem"));
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("set `SSL_CERT_FILE` to a file with it"), "{}", other.stderr);
}
