//! What is between this machine and the source or the store: each fault with its cause and a way out.

use crate::support::{Answer, Source, Workplace};

const TABLE: &str = "[[tables]]\nname = \"t\"";

#[test]
fn o15_what_a_firewall_and_a_proxy_answer_is_not_taken_for_the_source() {
    for (status, content_type, body, code, words) in [
        (
            403,
            "text/html",
            "<h1>Blocked by the gateway</h1>",
            4,
            "a firewall or a proxy between here and the source",
        ),
        (407, "text/plain", "who are you", 2, "the proxy of `HTTPS_PROXY` asks who you are"),
        (511, "text/html", "<h1>Log in</h1>", 4, "the network asks for a login"),
        (403, "application/json", "{}", 5, "the key was deleted"),
    ] {
        let source = Source::answering(Answer::Other { status, content_type, body });
        let workplace = Workplace::asking(&source);
        workplace.define_with("retry = { max_attempts = 1 }", TABLE);
        let finished = workplace.run();
        assert_eq!(finished.code, code, "{status}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{status}: {}", finished.stderr);
        if content_type == "text/html" {
            assert!(finished.stderr.contains("<h1>"), "its words are shown: {}", finished.stderr);
        }
    }
}

/// The words of a run whose store is reached as these variables say.
#[track_caller]
fn store_fails(variables: &[(&str, &str)], words: &[&str]) {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source)
        .with("TEST_DESTINATION", "s3://bucket/lake")
        .with("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE12")
        .with("AWS_SECRET_ACCESS_KEY", "secret-of-the-store-0123")
        .with("AWS_REGION", "eu-central-1");
    let workplace = variables.iter().fold(workplace, |all, (name, value)| all.with(name, value));
    workplace.define(&format!("[destination.s3]\nmax_attempts = 1\n\n{TABLE}"));
    let finished = workplace.run();
    assert_eq!(finished.code, 7, "{variables:?}: {}", finished.stderr);
    for words in words {
        assert!(finished.stderr.contains(words), "{variables:?}: {words}: {}", finished.stderr);
    }
}

#[test]
fn o15_a_store_that_cannot_be_reached_says_why() {
    let html = Answer::Other { status: 404, content_type: "text/html", body: "<h1>nothing</h1>" };
    let other = Source::answering(html);
    store_fails(
        &[("AWS_ENDPOINT", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "true")],
        &["Connection refused", "check the endpoint and the network"],
    );
    store_fails(&[("AWS_ENDPOINT", other.base_url())], &["set `AWS_ALLOW_HTTP=true`"]);
    store_fails(
        &[("AWS_ENDPOINT", &other.base_url().replace("http://", "https://"))],
        &["whether the port speaks http or https"],
    );
    for endpoint in ["not a url", "ftp://host", "127.0.0.1:9000"] {
        store_fails(
            &[("AWS_ENDPOINT_URL", endpoint)],
            &["is not an http or https URL", "AWS_ENDPOINT_URL"],
        );
    }
}

#[test]
fn o15_a_store_that_refuses_says_what_to_look_at() {
    for (status, code, words) in [
        (403, "AccessDenied", "the credentials do not allow this"),
        (403, "InvalidAccessKeyId", "the store does not accept the credentials"),
        (403, "SignatureDoesNotMatch", "the clock of this machine"),
        (400, "ExpiredToken", "the store does not accept the credentials"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        let body: &'static str = Box::leak(body.into_boxed_str());
        let server =
            Source::answering(Answer::Other { status, content_type: "application/xml", body });
        store_fails(&[("AWS_ENDPOINT", server.base_url()), ("AWS_ALLOW_HTTP", "true")], &[words]);
    }
}

#[test]
fn o15_a_page_for_one_key_does_not_keep_the_next_one_from_being_tried() {
    let source = Source::answering_in_turn(vec![
        Answer::Other { status: 403, content_type: "text/html", body: "<h1>Forbidden</h1>" },
        Answer::Json("[]".to_owned()),
    ]);
    let workplace = Workplace::asking(&source).with("OLD_KEY", "pf_old_0123456789");
    workplace.define_with(
        "api_key = [{ env = \"OLD_KEY\" }, { env = \"PROCUREMENTFLOW_API_KEY\" }]",
        TABLE,
    );
    let finished = workplace.run();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("OLD_KEY") && finished.stderr.contains("retire it"),
        "{}",
        finished.stderr
    );
}

/// As in a container without certificates.
#[test]
fn f12_what_has_no_tls_needs_no_certificates() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source)
        .with("SSL_CERT_FILE", "no/such.pem")
        .with("SSL_CERT_DIR", "no/such");
    workplace.define(TABLE);
    workplace.flowlake(&["run", "test.toml", "--set", "destination.url=other"]).success();
    workplace.flowlake(&["demo"]).success();
}
