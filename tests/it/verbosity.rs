//! `--quiet` and `--verbose`: what is told on stderr.

use serde_json::Value;

use crate::support::{Answer, FaultServer, KEY, Reply, Source, Workplace, runtime};

const TABLE: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = \"int64\"";

#[test]
fn quiet_tells_only_errors_and_warnings_and_prints_the_same() {
    let source = Source::serving(r#"[{"id":1,"n":1}]"#);
    let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
    workplace.define(TABLE);
    let run = workplace.flowlake(&["run", "--quiet", "test.toml"]);
    assert_eq!(run.stderr, "", "a run that is as it should be");
    assert!(run.success().starts_with("test: committed ("), "the summary is what it prints");
    // A warning stays.
    source.serve(r#"[{"id":1,"n":"x"},{"id":2,"n":2}]"#);
    let warned = workplace.flowlake(&["--quiet", "run", "test.toml"]);
    assert!(warned.stderr.contains("WARN") && warned.stderr.contains("in quarantine"));
    assert!(!warned.stderr.contains("INFO"), "{}", warned.stderr);
    warned.success();
    // So does an error, and nothing else than advice about findings goes.
    std::fs::write(workplace.path().join("lake/t/stranger.parquet"), "x").unwrap();
    let (told, quiet) =
        (workplace.flowlake(&["verify", "lake"]), workplace.flowlake(&["verify", "lake", "-q"]));
    assert!(told.stderr.contains("help: "), "{}", told.stderr);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (told.code, ""));
    assert_eq!(quiet.stdout, told.stdout);
    let failed = workplace.flowlake(&["run", "-q", "none.toml"]);
    assert_eq!(failed.code, 2);
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    assert!(failed.stderr.contains("  help: "), "an error keeps its help: {}", failed.stderr);
}

#[test]
fn verbose_tells_requests_retries_and_steps_and_no_secret() {
    let runtime = runtime();
    let server = runtime.block_on(FaultServer::bind());
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &server.base_url())
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    let _serving = runtime.enter();
    let busy = Reply::status("503 Service Unavailable", KEY);
    let _server = server.serve(vec![
        busy.clone(),
        Reply::json(r#"[{"id":1,"n":1}]"#),
        busy,
        Reply::json(r#"[{"id":2,"n":1}]"#),
    ]);
    workplace.define_with("retry = { max_attempts = 2 }", TABLE);
    let told = workplace.flowlake(&["run", "test.toml", "--verbose"]).stderr;
    let mut rest = told.as_str();
    for words in [
        "run started",
        "asking the source",
        "attempt=1",
        "requesting the export",
        "key=environment variable PROCUREMENTFLOW_API_KEY",
        "the source answered",
        "status=503",
        "asking again in",
        "attempt=2",
        "status=200",
        "received the export",
        "seconds=",
        "records=1",
        "made rows",
        "wrote files",
        "files=1",
        "committed",
        "run finished",
    ] {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| panic!("{words}: {told}"));
        rest = after;
    }
    let arguments = ["-v", "--log-format", "json", "run", "test.toml"];
    let lines = workplace.flowlake(&arguments).stderr;
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(event["fields"]["message"].is_string(), "{line}");
    }
    assert!(lines.contains("\"message\":\"wrote files\""), "{lines}");
    // Without the option there is only what went wrong.
    let source = Source::answering_in_turn(vec![
        Answer::Busy { retry_after: "0" },
        Answer::Json(r#"[{"id":3,"n":1}]"#.to_owned()),
    ]);
    let workplace = Workplace::asking(&source);
    workplace.define_with("retry = { max_attempts = 2 }", TABLE);
    let normal = workplace.run().stderr;
    assert_eq!(normal.lines().count(), 1, "{normal}");
    assert!(normal.contains("asking again in"), "{normal}");
}

#[test]
fn quiet_and_verbose_exclude_each_other_wherever_they_stand() {
    let workplace = Workplace::empty();
    for arguments in [
        &["--quiet", "--verbose", "runs", "lake"][..],
        &["runs", "lake", "-q", "-v"],
        &["--quiet", "runs", "--verbose", "lake"],
        &["-v", "quarantine", "show", "lake", "-q"],
    ] {
        let refused = workplace.flowlake(arguments);
        assert_eq!(refused.code, 2, "{arguments:?}");
        let words = "'--quiet' cannot be used with '--verbose'";
        assert!(refused.stderr.contains(words), "{arguments:?}: {}", refused.stderr);
    }
}
