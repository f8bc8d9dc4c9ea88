//! `flowlake doctor` in broken environments: the first line names what is wrong, and no secret is shown.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{
    Answer, FaultServer, Finished, KEY, Reply, S3Server, Source, Workplace, runtime, wait_until,
};

const TABLE: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]";
/// Secrets in the environment, besides the key.
const SECRETS: [(&str, &str); 3] = [
    ("AWS_SECRET_ACCESS_KEY", "canary-of-the-store-0123"),
    ("OTHER_TOKEN", "canary-of-a-token-4567"),
    ("ALL_PROXY_PASSWORD", "canary-of-a-proxy-89"),
];

/// A workplace with secrets around, and a definition that asks this source.
fn asking(base_url: &str) -> Workplace {
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", base_url)
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    let workplace = SECRETS.iter().fold(workplace, |all, (name, value)| all.with(name, value));
    workplace.define(TABLE);
    workplace
}

fn sound() -> (Source, Workplace) {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = asking(source.base_url());
    (source, workplace)
}

/// What a doctor says; none of it is a secret.
#[track_caller]
fn examined(workplace: &Workplace, arguments: &[&str]) -> Finished {
    let finished = workplace.flowlake(arguments);
    for (name, secret) in SECRETS {
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!shown.contains(secret), "the value of {name} is shown: {shown}");
    }
    finished
}

/// Asserts what the doctor says first, to people and to machines, and what it exits with.
#[track_caller]
fn says_first(workplace: &Workplace, code: i32, subject: &str, words: &[&str]) {
    let finished = examined(workplace, &["doctor", "test.toml"]);
    let first = finished.stdout.lines().next().unwrap_or_default();
    let state = if code == 0 { "warning" } else { "failed" };
    assert!(first.starts_with(&format!("{state:<7}  {subject}")), "{}", finished.stdout);
    for words in words {
        assert!(first.contains(words), "{words}: {}", finished.stdout);
    }
    let second = finished.stdout.lines().nth(1).unwrap_or_default();
    assert!(second.starts_with("  help: "), "{}", finished.stdout);
    assert_eq!(finished.code, code, "{}", finished.stdout);
    let verbose = ["doctor", "test.toml", "--json", "--verbose", "--log-format", "json"];
    let told = examined(workplace, &verbose);
    assert_eq!(told.code, code, "{}", told.stdout);
    let diagnosis: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(diagnosis["exit_code"], code);
    let look = &diagnosis["looks"][0];
    assert_eq!((&look["state"], &look["subject"]), (&state.into(), &subject.into()));
    assert_eq!(look["exit_code"].as_i64().unwrap_or_default(), i64::from(code));
}

#[test]
fn nothing_is_wrong_with_a_sound_workplace_and_nothing_changes() {
    let (_source, workplace) = sound();
    let before = examined(&workplace, &["doctor", "test.toml"]).success();
    assert!(before.starts_with("nothing wrong was found\n"), "{before}");
    assert!(before.contains("lake is not there yet; the first run makes it"), "{before}");
    assert!(!workplace.path().join("lake").exists(), "a doctor makes no directory");
    workplace.run().success();
    let snapshot = workplace.lake().snapshot();
    let after = examined(&workplace, &["doctor", "test.toml"]).success();
    for facts in [
        concat!("flowlake: ", env!("CARGO_PKG_VERSION")),
        "variables set: AWS_SECRET_ACCESS_KEY, PROCUREMENTFLOW_API_KEY",
        "key (test.toml): in environment variable PROCUREMENTFLOW_API_KEY (fingerprint ",
        "PROCUREMENTFLOW_BASE_URL is set, PROCUREMENTFLOW_ORGANISATION_ID is set",
        "TEST_DESTINATION is not set, and has a default",
        "answered 200 (HTTP/1.1) in ",
        "clock (test.toml): ",
        "lake can be written: ",
        "lock (test.toml): free",
        "tables (test.toml): 1 table, as commit 1 of run ",
        " free",
        "open files: ",
        "umask: ",
    ] {
        assert!(after.contains(facts), "{facts}: {after}");
    }
    assert_eq!(workplace.lake().snapshot(), snapshot, "no table changes");
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn a_key_that_is_not_there_is_named_first() {
    let (_source, workplace) = sound();
    let place = |source: &str| {
        workplace.define_with(&format!("api_key = [{source}]"), TABLE);
    };
    place("{ env = \"NO_SUCH_KEY\" }");
    says_first(&workplace, 5, "key", &["no API key found", "environment variable NO_SUCH_KEY"]);
    place("{ file = \"secrets/key\" }");
    says_first(&workplace, 5, "key", &["no API key found", "file secrets/key"]);
    place("{ command = [\"no-such-program\", \"canary-of-a-token-4567\"] }");
    says_first(&workplace, 5, "key", &["cannot start the command of `api_key`", "No such file"]);
    place("{ command = [\"sh\", \"-c\", \"echo $0; exit 3\", \"canary-of-a-token-4567\"] }");
    says_first(&workplace, 5, "key", &["ended with exit status: 3"]);
    std::fs::create_dir(workplace.path().join("secrets")).unwrap();
    let file = workplace.path().join("secrets/key");
    std::fs::write(&file, KEY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    place("{ file = \"secrets/key\" }");
    says_first(&workplace, 5, "key", &["secrets/key is readable by other users"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let sound = examined(&workplace, &["doctor", "test.toml"]).success();
    assert!(sound.contains("key (test.toml): in file secrets/key (fingerprint "), "{sound}");
}

#[test]
fn a_source_that_does_not_answer_or_refuses_is_named_first() {
    says_first(&asking("http://127.0.0.1:1"), 4, "source", &["no answer from", "refused"]);
    for (status, code, words) in [
        (401, 5, "refused the API key with 401"),
        (503, 4, "answered 503"),
        (404, 2, "answered 404"),
    ] {
        let json = "application/json";
        let source = Source::answering(Answer::Other { status, content_type: json, body: "{}" });
        says_first(&asking(source.base_url()), code, "source", &[words]);
    }
    let page = Answer::Other { status: 200, content_type: "text/html", body: "<h1>Log in</h1>" };
    let source = Source::answering(page);
    says_first(&asking(source.base_url()), 6, "source", &["text/html instead of JSON"]);
    for status in [200, 401, 500] {
        let source = Source::answering(Answer::EchoedKey { status });
        examined(&asking(source.base_url()), &["doctor", "test.toml", "--verbose"]);
    }
}

#[test]
fn a_proxy_that_does_not_answer_is_why_a_source_does_not() {
    let proxy = "http://user:canary-of-a-proxy-89@127.0.0.1:1";
    let workplace = asking("https://192.0.2.1").with("HTTPS_PROXY", proxy);
    let words = ["127.0.0.1:1, which `HTTPS_PROXY` names, does not answer", "refused"];
    says_first(&workplace, 4, "proxy", &words);
    // Where the source answers without it, it is in nobody's way.
    let (source, _) = sound();
    let workplace = asking(source.base_url()).with("ALL_PROXY", proxy);
    says_first(&workplace, 0, "proxy", &["127.0.0.1:1, which `ALL_PROXY` names"]);
}

#[test]
fn certificates_that_cannot_be_read_are_named_first() {
    let (source, _) = sound();
    for (variable, path, words) in [
        ("SSL_CERT_FILE", "no/such.pem", "`no/such.pem`, which `SSL_CERT_FILE` names"),
        ("SSL_CERT_DIR", "no/such", "no/such, which `SSL_CERT_DIR` names"),
    ] {
        says_first(
            &asking("https://127.0.0.1:1").with(variable, path),
            2,
            "certificates",
            &[words],
        );
        // A source on loopback needs none, a bucket does, and of a wrong definition nobody knows.
        let loopback = asking(source.base_url()).with(variable, path);
        says_first(&loopback, 0, "certificates", &[words]);
        let set = ["doctor", "test.toml", "--set", "destination.url=s3://no-such-bucket/lake"];
        let bucket = examined(&loopback, &set);
        assert!(bucket.stdout.starts_with("failed   certificates: "), "{}", bucket.stdout);
        loopback.define_with("bsae_url = \"x\"", TABLE);
        says_first(&loopback, 2, "certificates", &[words]);
    }
    let workplace = asking("https://127.0.0.1:1").with("SSL_CERT_DIR", ".");
    says_first(&workplace, 1, "certificates", &["No CA certificates were loaded"]);
    let workplace = asking(source.base_url());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificates/authority.pem");
    let workplace = workplace.with("SSL_CERT_FILE", file).with("SSL_CERT_DIR", "no/such");
    says_first(&workplace, 0, "certificates", &["no/such, which `SSL_CERT_DIR` names"]);
}

#[test]
fn a_definition_that_is_wrong_is_named_first() {
    let (_source, workplace) = sound();
    workplace.define_with("bsae_url = \"x\"", TABLE);
    says_first(&workplace, 2, "definition", &["9:1: `source.bsae_url`: unknown key"]);
    std::fs::remove_file(workplace.path().join("test.toml")).unwrap();
    says_first(&workplace, 2, "definition", &["could not read the definition test.toml"]);
    let workplace = Workplace::empty().with("PROCUREMENTFLOW_BASE_URL", "http://127.0.0.1:1");
    workplace.define(TABLE);
    let words = ["the environment variable PROCUREMENTFLOW_ORGANISATION_ID is not set"];
    says_first(&workplace, 2, "definition", &words);
}

#[test]
fn a_temporary_directory_that_cannot_be_written_is_named_first() {
    let (source, _) = sound();
    let workplace = asking(source.base_url()).with("TMPDIR", "/proc/none");
    let words = ["cannot write to /proc/none, which `TMPDIR` names"];
    says_first(&workplace, 1, "temporary directory", &words);
}

#[test]
fn a_destination_that_cannot_be_written_is_named_first() {
    let (source, _) = sound();
    let at = |destination: &str| asking(source.base_url()).with("TEST_DESTINATION", destination);
    says_first(&at("/proc/lake"), 7, "destination", &["cannot make the directory /proc/lake"]);
    says_first(&at("/proc"), 7, "destination", &["the destination /proc"]);
    says_first(&at("test.toml/lake"), 7, "destination", &["test.toml/lake", "Not a directory"]);
    let must_exist = |workplace: &Workplace| {
        let file = workplace.path().join("test.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("[destination]\n", "[destination]\nmust_exist = true\n");
        std::fs::write(file, text).unwrap();
    };
    let workplace = at("disk/lake");
    must_exist(&workplace);
    says_first(&workplace, 7, "destination", &["no lake here", "disk/lake"]);
}

#[test]
fn a_store_that_refuses_is_named_first() {
    let (source, _) = sound();
    let server = S3Server::start();
    let refused = server
        .environment(asking(source.base_url()))
        .with("AWS_SECRET_ACCESS_KEY", "canary-of-the-store-0123");
    says_first(&refused, 7, "destination", &["s3://", "SignatureDoesNotMatch"]);
    let workplace = server.environment(asking(source.base_url()));
    let told = workplace.flowlake(&["doctor", "test.toml"]).success();
    assert!(told.contains("it honours conditional writes"), "{told}");
    assert!(!told.contains("test-secret"), "{told}");
}

#[test]
fn a_clock_that_is_wrong_is_named_first() {
    let runtime = runtime();
    for (date, words) in [
        ("Wed, 21 Oct 2015 07:28:00 GMT", "ahead of the source, where it is 2015-10-21T07:28:00Z"),
        ("Mon, 21 Oct 2199 07:28:00 GMT", "behind the source"),
    ] {
        for status in ["200 OK", "500 Internal Server Error"] {
            let headers = [("date", date), ("content-type", "application/json")];
            let reply = Reply::head(status, &headers).body("[]");
            let server = runtime.block_on(FaultServer::bind());
            let workplace = asking(&server.base_url());
            let _serving = runtime.enter();
            let _server = server.serve(vec![reply]);
            if status.starts_with("200") {
                says_first(&workplace, 0, "clock", &[words]);
            } else {
                let told = examined(&workplace, &["doctor", "test.toml"]);
                assert_eq!(told.code, 4, "{}", told.stdout);
                assert!(told.stdout.contains(words), "{}", told.stdout);
            }
        }
    }
}

#[test]
fn a_lock_that_another_run_holds_is_named_first() {
    let source = Source::answering_in_turn(vec![
        Answer::Stalling("["),
        Answer::Json(r#"[{"id":1}]"#.to_owned()),
    ]);
    let workplace = asking(source.base_url());
    let mut command = workplace.command(&["run", "test.toml", "--run-id", "first"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("no run took the lock", || {
        workplace.flowlake(&["unlock", "lake"]).code == 11 && !source.requests().is_empty()
    });
    says_first(&workplace, 0, "lock", &["held by run first of pipeline `test`"]);
    run.kill().unwrap();
    run.wait().unwrap();
    let told = examined(&workplace, &["doctor", "test.toml"]).success();
    assert!(told.starts_with("nothing wrong was found\n"), "{told}");
}

#[test]
fn tables_that_a_run_would_refuse_are_named_first() {
    let (source, workplace) = sound();
    workplace.run().success();
    source.serve(r#"[{"id":2}]"#);
    workplace.run().success();
    let definition = workplace.path().join("test.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replace("name = \"test\"", "name = \"other\"")).unwrap();
    says_first(&workplace, 2, "tables", &["`t` is written by pipeline `test`"]);
    std::fs::write(&definition, text).unwrap();
    let snapshot = workplace.path().join("lake/_flowlake/snapshot.json");
    std::fs::write(&snapshot, "{\"version\": 1, damaged").unwrap();
    says_first(&workplace, 7, "tables", &["cannot read `_flowlake/snapshot.json`"]);
    std::fs::remove_file(snapshot).unwrap();
    says_first(&workplace, 7, "tables", &["`_flowlake/snapshot.json` is missing"]);
}

#[test]
fn without_a_file_the_definitions_in_pipelines_are_looked_at() {
    let (_source, workplace) = sound();
    let told = examined(&workplace, &["doctor"]).success();
    assert!(told.contains("skipped  definition: none given, and none in `pipelines/`"), "{told}");
    let pipelines = workplace.path().join("pipelines");
    std::fs::create_dir(&pipelines).unwrap();
    let text = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    let text = text.replace("[source]\n", "[source]\napi_key = [{ env = \"NO_SUCH_KEY\" }]\n");
    for name in ["b", "a"] {
        let text = text.replace("name = \"test\"", &format!("name = \"{name}\""));
        let text = text.replace("name = \"t\"", &format!("name = \"{name}\""));
        std::fs::write(pipelines.join(format!("{name}.toml")), text).unwrap();
    }
    std::fs::write(pipelines.join("notes.txt"), "not a definition").unwrap();
    let told = examined(&workplace, &["doctor"]);
    assert_eq!(told.code, 5, "{}", told.stdout);
    let first = "failed   key (pipelines/a.toml, pipelines/b.toml): no API key found";
    assert!(told.stdout.starts_with(first), "{}", told.stdout);
    assert_eq!(told.stdout.matches("no API key found").count(), 1, "{}", told.stdout);
}

#[test]
fn limits_that_are_tight_are_named() {
    let (_source, workplace) = sound();
    let told = workplace.limited("ulimit -n 128 && umask 0", "doctor test.toml");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.starts_with("warning  open files: this process may open 128 at once"), "{told}");
    assert!(told.contains("warning  umask: 0000: every user may write the tables"), "{told}");
}
