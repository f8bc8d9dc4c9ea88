//! What goes wrong: the exit code, the message, and that no table has changed.

use crate::support::{Answer, Source, Workplace, wait_until};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]";
const GOOD: &str = r#"[{"id":1}]"#;

/// Loads a good export, then runs against `answer` and returns what was shown.
#[track_caller]
fn shown_for(answer: Answer) -> String {
    let good = Source::serving(GOOD);
    let workplace = Workplace::asking(&good);
    workplace.define(TABLES);
    workplace.run().success();
    let before = workplace.lake().snapshot();
    let bad = Source::answering(answer);
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", bad.base_url());
    let finished = workplace.run();
    assert_eq!(workplace.lake().snapshot(), before, "P9: a bad export never replaces a good table");
    assert_eq!(workplace.lake().own("staging"), Vec::<String>::new());
    finished.redacted()
}

fn json(body: &str) -> Answer {
    Answer::Json(body.to_owned())
}

#[test]
fn without_a_key() {
    let workplace = Workplace::empty().with("PROCUREMENTFLOW_ORGANISATION_ID", "acme");
    workplace.define_with("", TABLES);
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", "http://127.0.0.1:9");
    insta::assert_snapshot!(workplace.run().redacted());
}

#[test]
fn with_a_wrong_key() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source).with("PROCUREMENTFLOW_API_KEY", "pf_wrong");
    workplace.define(TABLES);
    let finished = workplace.run();
    assert!(!finished.stderr.contains("pf_wrong"));
    insta::assert_snapshot!(finished.redacted());
}

#[test]
fn with_a_wrong_key_and_then_a_right_one() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source).with("OLD_KEY", "pf_old");
    workplace.define_with(
        "api_key = [{ env = \"OLD_KEY\" }, { env = \"PROCUREMENTFLOW_API_KEY\" }]",
        TABLES,
    );
    let finished = workplace.run();
    assert_eq!(finished.code, 0);
    assert!(
        finished.stderr.contains("refused the key from environment variable OLD_KEY"),
        "{}",
        finished.stderr
    );
    assert_eq!(source.keys().len(), 2);
}

#[test]
fn with_an_unreachable_host() {
    let source = Source::serving(GOOD);
    let workplace =
        Workplace::asking(&source).with("PROCUREMENTFLOW_BASE_URL", "http://127.0.0.1:9");
    workplace.define(TABLES);
    insta::assert_snapshot!(workplace.run().redacted());
}

#[test]
fn p9_with_an_html_body() {
    let body = "<!doctype html>\n<html><title>Sign in</title></html>";
    insta::assert_snapshot!(shown_for(Answer::Other {
        status: 200,
        content_type: "text/html; charset=utf-8",
        body
    }));
}

#[test]
fn p9_with_html_that_is_called_json() {
    insta::assert_snapshot!(shown_for(json("<html><title>Sign in</title></html>")));
}

#[test]
fn p9_with_a_truncated_export() {
    insta::assert_snapshot!(shown_for(json(r#"[{"id":1},{"id":2"#)));
}

#[test]
fn p9_with_an_empty_body() {
    insta::assert_snapshot!(shown_for(json("")));
}

#[test]
fn p9_with_an_export_that_is_suddenly_empty() {
    insta::assert_snapshot!(shown_for(json("[]")));
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    workplace.run().success();
    source.serve("[]");
    workplace.flowlake(&["run", "--allow-shrink", "test.toml"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 0);
    assert_eq!(workplace.lake().files("t").len(), 1, "readers find its columns");
}

#[test]
fn p8_the_key_is_in_no_log_line() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
    workplace.define(TABLES);
    // That the key is shown nowhere is asserted of every command.
    let finished = workplace.run();
    assert!(finished.stderr.contains("requesting the export"), "{}", finished.stderr);
}

#[test]
fn p8_a_proxy_is_not_sent_what_is_for_loopback() {
    let (source, proxy) = (Source::serving(GOOD), Source::serving(GOOD));
    let workplace = Workplace::asking(&source).with("http_proxy", proxy.base_url());
    workplace.define(TABLES);
    workplace.run().success();
    assert_eq!(proxy.requests(), Vec::<String>::new());
}

#[test]
fn p2_a_terminated_run_leaves_the_tables_as_they_were() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    workplace.run().success();
    let before = workplace.lake().snapshot();
    let stalling = Source::answering(Answer::Stalling("[{\"id\":2},"));
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", stalling.base_url());
    let mut child = workplace.command(&["run", "test.toml"]).spawn().unwrap();
    wait_until("the source was not asked", || !stalling.requests().is_empty());
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(workplace.lake().snapshot(), before);
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", source.base_url());
    source.serve("[{\"id\":3}]");
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "id"), ["3"]);
}

#[test]
fn p9_with_an_error_object() {
    insta::assert_snapshot!(shown_for(json(r#"{"error":"try later"}"#)));
}

#[test]
fn p9_with_a_record_that_is_not_json() {
    insta::assert_snapshot!(shown_for(json(r#"[{"id":1},{"id":02}]"#)));
}

#[test]
fn with_several_arrays_of_objects() {
    let source = Source::serving(r#"{"orders":[{"id":1}],"meta":{"pages":[{"n":1}]}}"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    insta::assert_snapshot!(workplace.run().redacted());
}

#[test]
fn with_a_server_error() {
    insta::assert_snapshot!(shown_for(Answer::Other {
        status: 503,
        content_type: "text/plain",
        body: "maintenance"
    }));
}

#[test]
fn with_a_filter_the_source_does_not_know() {
    insta::assert_snapshot!(shown_for(Answer::Other {
        status: 400,
        content_type: "application/json",
        body: "{\"error\":\"unknown filter\"}"
    }));
}

#[test]
fn p8_a_redirect_to_another_origin_is_not_followed() {
    let elsewhere = Source::serving(GOOD);
    insta::assert_snapshot!(shown_for(Answer::Redirect(format!("{}/x", elsewhere.base_url()))));
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn with_a_key_column_that_is_not_there() {
    insta::assert_snapshot!(shown_for(json(r#"[{"identifier":1}]"#)));
}

#[test]
fn with_a_destination_that_cannot_be_written() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    std::fs::write(workplace.path().join("lake"), "a file where the directory should be").unwrap();
    insta::assert_snapshot!(workplace.run().redacted());
}

#[test]
fn with_mistakes_in_the_definition() {
    let workplace = Workplace::empty();
    workplace.write(
        "version = 1\nname = \"test\"\n\n[source]\nendpont = \"purchasing\"\nendpoint = \"purchase\"\norganisation_id = \"${NOT_SET}\"\n\
         base_url = \"http://example.com\"\napi_key = \"pf_literal_key\"\n\n[destination]\nurl = \"lake\"\n\n\
         [[tables]]\nname = \"Purchase Orders\"\npartition_by = [\"week(created_at)\"]\nwrite_disposition = \"merge\"\n\
         [tables.columns]\ntotal = \"decimal(40,2)\"\n",
    );
    let finished = workplace.run();
    assert!(!finished.stderr.contains("pf_literal_key"), "P8: {}", finished.stderr);
    insta::assert_snapshot!(finished.redacted());
}

#[test]
fn without_a_definition() {
    insta::assert_snapshot!(Workplace::empty().flowlake(&["run", "nowhere.toml"]).redacted());
}

#[test]
fn one_of_two_pipelines_fails_and_the_other_is_done() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    let good = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    std::fs::write(workplace.path().join("good.toml"), &good).unwrap();
    let keyless = "api_key = [{ env = \"NO_SUCH_VARIABLE\" }]\n\n[destination]\nurl = \"other\"";
    workplace.write(&good.replace("[destination]\nurl = \"${TEST_DESTINATION:-lake}\"", keyless));
    let finished = workplace.flowlake(&["run", "test.toml", "good.toml"]);
    assert_eq!(finished.code, 3);
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
}

#[test]
fn a_failed_run_leaves_its_report() {
    let source = Source::serving("[{\"id\":1}");
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    assert_eq!(workplace.run().code, 6);
    let lake = workplace.lake();
    let report = lake.json(&format!("_flowlake/runs/{}", lake.own("runs")[0]));
    assert!(report["error"]["message"].as_str().unwrap().contains("truncated"));
}

#[test]
fn filters_reach_the_source_as_written() {
    let source = Source::serving(GOOD);
    let workplace = Workplace::asking(&source);
    workplace.define_with(
        "[source.filters]\nstatus = [\"a b\", \"c&d\"]\nsince = 2026-01-01\nactive = true",
        TABLES,
    );
    workplace.run().success();
    assert_eq!(
        source.requests(),
        ["/api/export/all/esourcing/acme?status=a+b&status=c%26d&since=2026-01-01&active=true"]
    );
}

#[test]
fn p2_with_a_partition_that_no_directory_can_be_called() {
    let titled = |title: &str| format!(r#"[{{"id":1,"title":"{title}"}}]"#);
    let source = Source::serving(&titled("short"));
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("{TABLES}\npartition_by = [\"title\"]"));
    workplace.run().success();
    let before = workplace.lake().snapshot();
    for title in ["Поставка канцелярских товаров ".repeat(5), "x".repeat(300)]
    {
        source.serve(&titled(&title));
        let finished = workplace.run();
        assert_eq!(workplace.lake().snapshot(), before);
        assert_eq!(workplace.lake().own("staging"), Vec::<String>::new());
        if title.is_ascii() {
            insta::assert_snapshot!(finished.redacted());
        }
        assert_eq!(finished.code, 6, "{}", finished.stderr);
    }
    source.serve(&titled("again"));
    workplace.run().success();
    assert_eq!(workplace.lake().partitions("t"), ["title_partition=again"]);
}

#[test]
fn p1_with_a_second_value_behind_the_records() {
    insta::assert_snapshot!(shown_for(json(r#"[{"id":1}][{"id":2}]"#)));
}

#[test]
fn a_run_whose_output_nobody_reads_is_done_all_the_same() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    let mut run = workplace.command(&["run", "test.toml"]);
    let mut run = run.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(run.stdout.take());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
}

#[test]
fn a_destination_inside_of_another_is_refused() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\n");
    workplace.run().success();
    for inside in ["lake/t", "lake/other", "lake/a/b", "lake/_flowlake"] {
        let set = format!("destination.url={inside}");
        let refused = workplace.flowlake(&["run", "test.toml", "--set", &set]);
        assert_eq!(refused.code, 2, "{inside}: {}", refused.stderr);
        assert!(refused.stderr.contains("is inside another destination"), "{}", refused.stderr);
    }
    workplace.flowlake(&["run", "test.toml", "--set", "destination.url=lake2"]).success();
    workplace.run().success();
    workplace.flowlake(&["verify", "lake"]).success();
}
