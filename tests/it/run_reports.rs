//! Reports of runs: one for each run that a definition could be read for, the same value on stdout and in the destination.

use serde_json::Value;

use crate::support::{Answer, Finished, Source, Workplace};

const TABLE: &str =
    "[[tables]]\nname = \"t\"\nwrite_disposition = \"merge\"\nprimary_key = [\"id\"]\n";

fn json_of(finished: &Finished) -> Value {
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{}", finished.stdout);
    serde_json::from_str(lines[0]).unwrap()
}

fn reports(workplace: &Workplace) -> Vec<Value> {
    let listed = workplace.flowlake(&["runs", "lake", "--json"]).success();
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn f02_a_run_that_changed_nothing_may_be_repeated_under_its_id() {
    let source = Source::answering_in_turn(vec![
        Answer::Other { status: 503, content_type: "text/plain", body: "busy" },
        Answer::Json(r#"{"error":"no"}"#.to_owned()),
        Answer::Json(r#"[{"id":1}]"#.to_owned()),
    ]);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    let night = || workplace.flowlake(&["run", "test.toml", "--run-id", "night-1", "--json"]);
    let outcome = |finished: &Finished| {
        let report = json_of(finished);
        (finished.code, report["outcome"].as_str().unwrap().to_owned(), report["exit_code"].clone())
    };
    assert_eq!(outcome(&night()), (4, "failed".to_owned(), 4.into()));
    assert_eq!(outcome(&night()), (6, "failed".to_owned(), 6.into()));
    assert_eq!(outcome(&night()), (0, "committed".to_owned(), 0.into()));
    source.serve(r#"[{"id":2}]"#);
    assert_eq!(outcome(&night()), (0, "committed_before".to_owned(), 0.into()));
    assert_eq!(workplace.lake().column("t", "id"), ["1"], "it is not run again");
    let reports = reports(&workplace);
    assert_eq!(reports.len(), 1, "one report for one id");
    assert_eq!(reports[0]["outcome"], "committed", "the report of the commit stays");
}

#[test]
fn f03_every_run_that_fails_has_a_report_and_one_line_of_json() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    // Without a key, beyond the window, refused by the source.
    let no_key = Workplace::asking(&source).with("PROCUREMENTFLOW_API_KEY", "");
    std::fs::copy(workplace.path().join("test.toml"), no_key.path().join("test.toml")).unwrap();
    let failed = json_of(&no_key.flowlake(&["run", "test.toml", "--json"]));
    assert_eq!(failed["error"]["kind"], "key");
    assert_eq!(reports(&no_key)[0]["run_id"], failed["run_id"]);

    let kinds = |workplace: &Workplace| {
        let kind = |report: &Value| report["error"]["kind"].as_str().unwrap_or("none").to_owned();
        reports(workplace).iter().map(kind).collect::<Vec<_>>()
    };
    let usage = workplace.flowlake(&["run", "test.toml", "--json", "--from", "2026-01-01"]);
    let report = json_of(&usage);
    assert_eq!((usage.code, report["error"]["kind"].as_str()), (2, Some("usage")), "{report}");
    assert!(report["error"]["help"].is_string(), "{report}");
    assert_eq!(kinds(&workplace), ["usage", "none"]);

    let lock = std::fs::File::open(workplace.path().join("lake/_flowlake/lock.json")).unwrap();
    lock.lock().unwrap();
    let busy = workplace.flowlake(&["run", "test.toml", "--json"]);
    assert_eq!((busy.code, json_of(&busy)["error"]["kind"].as_str()), (11, Some("busy")));
    drop(lock);
    assert_eq!(kinds(&workplace), ["busy", "usage", "none"]);
}

#[test]
fn f03_a_definition_that_is_wrong_is_a_line_of_json_as_well() {
    let workplace = Workplace::empty();
    std::fs::write(workplace.path().join("test.toml"), "version = 9").unwrap();
    let finished = workplace.flowlake(&["run", "test.toml", "--json"]);
    let failed = json_of(&finished);
    assert_eq!(finished.code, 2);
    assert_eq!(failed["definition"], "test.toml");
    assert_eq!((&failed["outcome"], &failed["exit_code"]), (&"failed".into(), &2.into()));
    assert_eq!(failed["error"]["kind"], "usage");
}

#[test]
fn f03_log_lines_have_the_run() {
    let busy = Answer::Other { status: 503, content_type: "text/plain", body: "busy" };
    let source = Source::answering(busy);
    let workplace = Workplace::asking(&source);
    workplace.define_with("retry = { max_attempts = 2, longest_wait = \"PT0.01S\" }", TABLE);
    let finished =
        workplace.flowlake(&["run", "test.toml", "--run-id", "night-7", "--log-format", "json"]);
    let lines: Vec<Value> =
        finished.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 2, "{}", finished.stderr);
    for line in &lines {
        assert_eq!(line["fields"]["run"], "night-7", "{line}");
        assert_eq!(line["fields"]["pipeline"], "test", "{line}");
    }
    let last = lines.last().unwrap();
    assert_eq!((last["level"].as_str(), &last["fields"]["exit_code"]), (Some("ERROR"), &4.into()));
}

#[test]
fn f04_a_report_says_why_and_how_long() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"},{"id":3,"n":"y"},{"n":2}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("{TABLE}[tables.columns]\nn = \"int64\"\n"));
    let report = json_of(&workplace.flowlake(&["run", "test.toml", "--json"]));
    assert_eq!(report["version"], 2);
    assert_eq!(report["flowlake"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["exit_code"], 0);
    let reasons = serde_json::json!([
        { "table": "t", "rule": "type", "reason": "`n` in t does not fit int64", "records": 2 },
        { "table": "t", "rule": "primary_key", "reason": "the primary key `id` of t is null", "records": 1 },
    ]);
    assert_eq!(report["quarantine_reasons"], reasons);
    for step in ["receive", "load", "write", "commit"] {
        assert!(report["seconds"][step].as_f64().unwrap() >= 0.0, "{report}");
    }
    assert_eq!(reports(&workplace)[0]["quarantine_reasons"], reasons);
}

#[test]
fn o21_one_wrong_definition_of_several_stops_no_other() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    std::fs::write(workplace.path().join("wrong.toml"), "version = 9").unwrap();
    let finished = workplace.flowlake(&["run", "wrong.toml", "test.toml"]);
    assert_eq!(finished.code, 3, "{}", finished.stderr);
    assert!(finished.stderr.contains("wrong.toml"), "{}", finished.stderr);
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
    let finished = workplace.flowlake(&["run", "wrong.toml", "wrong.toml"]);
    assert_eq!(finished.code, 2, "all of them are wrong in the same way");
}

#[test]
fn f02_an_id_belongs_to_one_pipeline_and_one_command() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("{TABLE}[tables.columns]\nn = \"int64\"\n"));
    let other = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    let other = other
        .replace("name = \"test\"", "name = \"other\"")
        .replace("name = \"t\"", "name = \"u\"");
    std::fs::write(workplace.path().join("other.toml"), other.replace("lake}", "./lake}")).unwrap();
    let run =
        |arguments: &[&str]| workplace.flowlake(&[arguments, &["--run-id", "night-1"]].concat());
    run(&["run", "test.toml"]).success();
    for second in [&["run", "other.toml"][..], &["quarantine", "retry", "test.toml"]] {
        let refused = run(second);
        assert_eq!(refused.code, 2, "{second:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("by another pipeline or command"), "{}", refused.stderr);
    }
    // Killed before it wrote its report: the snapshot knows whose it was.
    std::fs::remove_file(workplace.path().join("lake/_flowlake/runs/night-1.json")).unwrap();
    assert_eq!(run(&["run", "other.toml"]).code, 2);
    run(&["run", "test.toml"]).success();
    let left = reports(&workplace);
    assert_eq!(left[0]["outcome"], "committed_before", "{left:?}");
    run(&["run", "test.toml"]).success();
}

#[test]
fn o21_two_pipelines_of_one_destination_run_in_one_command() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    let first = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    let second = first
        .replace("name = \"test\"", "name = \"other\"")
        .replace("name = \"t\"", "name = \"u\"");
    std::fs::write(workplace.path().join("other.toml"), second).unwrap();
    workplace.flowlake(&["check", "test.toml", "other.toml"]).success();
    workplace.flowlake(&["run", "test.toml", "other.toml"]).success();
    assert_eq!(workplace.lake().tables(), ["t", "u"]);
    // An id belongs to one of them, also where the first has failed.
    let id = ["--run-id", "night-9"];
    let failed =
        workplace.flowlake(&[&["run", "test.toml", "--from", "2026-01-01"], &id[..]].concat());
    assert_eq!(failed.code, 2);
    assert_eq!(workplace.flowlake(&[&["run", "other.toml"], &id[..]].concat()).code, 2);
}

#[test]
fn a_table_without_news_is_taken_over_as_well() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    let definition = workplace.path().join("test.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replace("name = \"test\"", "name = \"other\"")).unwrap();
    assert_eq!(workplace.run().code, 2);
    let files = workplace.lake().files("t");
    workplace.flowlake(&["run", "test.toml", "--take-over"]).success();
    assert_eq!(workplace.lake().files("t"), files, "nothing is loaded again");
    workplace.run().success();
    std::fs::write(&definition, text).unwrap();
    assert_eq!(workplace.run().code, 2, "it is the other's now");
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn what_a_killed_run_has_staged_goes_with_the_next_run() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    let staged = workplace.path().join("lake/_flowlake/staging/killed");
    let name = format!("{}.staged", "0".repeat(32));
    for command in [&["run", "test.toml"][..], &["prune", "test.toml"]] {
        std::fs::create_dir_all(&staged).unwrap();
        std::fs::write(staged.join(&name), "staged").unwrap();
        workplace.flowlake(command).success();
        assert!(!staged.join(&name).exists(), "{command:?}");
    }
}

#[test]
fn f03_a_wrong_definition_is_one_line_in_json_and_a_drawing_for_people() {
    let workplace = Workplace::empty();
    let wrong = "version = 1\nname = \"x\"\nnmae = \"y\"\n[source]\nendpoint = \"purchasing\"\n";
    std::fs::write(workplace.path().join("test.toml"), wrong).unwrap();
    let run = workplace.flowlake(&["run", "test.toml", "--json"]);
    assert_eq!(run.code, 2);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let error = &json["error"];
    let message = "test.toml:3:1: `nmae`: unknown key; and 2 more problems";
    assert_eq!((&json["exit_code"], &error["message"]), (&2.into(), &message.into()), "{json}");
    assert_eq!(error["help"], "did you mean `name`?", "{json}");
    assert!(run.stderr.contains("3 | nmae"), "{}", run.stderr);
}
