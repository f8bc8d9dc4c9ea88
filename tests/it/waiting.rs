//! Records that wait in quarantine for many nights, and that are dropped.

use serde_json::Value;

use crate::support::{Finished, Lake, Source, Workplace};

/// A table of which record 2 is odd.
fn defined(disposition: &str) -> (Source, Workplace) {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define(&format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\n\
         [tables.columns]\nn = \"int64\""
    ));
    (source, workplace)
}

fn night(source: &Source, workplace: &Workplace, export: &str) {
    source.serve(export);
    workplace.run().success();
}

/// The quarantine file that a manifest names.
fn file_of(lake: &Lake, table: &str) -> Value {
    let files = lake.manifest(table)["quarantine"].clone();
    let files = files.as_array().cloned().unwrap_or_default();
    assert!(files.len() <= 1, "{files:?}");
    assert_eq!(lake.own(&format!("quarantine/{table}")).len(), files.len(), "as the disk says");
    files.into_iter().next().unwrap_or(Value::Null)
}

fn quarantine(workplace: &Workplace, arguments: &[&str]) -> Finished {
    let all: Vec<&str> = ["quarantine"].iter().chain(arguments).copied().collect();
    workplace.flowlake(&all)
}

#[test]
fn o10_p1_a_record_that_stays_odd_for_thirty_nights_waits_once() {
    for disposition in ["merge", "append"] {
        let (source, workplace) = defined(disposition);
        for at in 0..30 {
            let export = format!(r#"[{{"id":1,"n":{at}}},{{"id":2,"n":"x"}}]"#);
            night(&source, &workplace, &export);
        }
        let lake = workplace.lake();
        let waiting = lake.quarantine("t");
        assert_eq!(waiting.len(), 1, "{disposition}");
        assert_eq!(waiting[0]["record"].to_string(), r#"{"id":2,"n":"x"}"#);
        assert_eq!(file_of(&lake, "t")["records"], 1);
        let counts = lake.ledger()["t"].clone();
        assert_eq!((counts["quarantined"], counts["waiting_already"]), (1, 1), "{counts:?}");
        assert_eq!(lake.rows("t").height(), if disposition == "merge" { 1 } else { 30 });
        workplace.flowlake(&["verify", "lake"]).success();
    }
}

#[test]
fn o10_p1_what_waits_in_an_appended_table_is_in_one_file_with_the_runs_that_received_it() {
    let (source, workplace) = defined("append");
    let nights = [
        r#"[{"id":1,"n":1},{"id":2,"n":"x"},{"id":2,"n":"x"}]"#,
        r#"[{"id":3,"n":3},{"id":2,"n":"x"},{"id":4,"n":"y"}]"#,
        r#"[{"id":5,"n":5}]"#,
    ];
    for export in nights {
        night(&source, &workplace, export);
    }
    let lake = workplace.lake();
    let records: Vec<String> =
        lake.quarantine("t").iter().map(|line| line["record"].to_string()).collect();
    let [x, y] = [r#"{"id":2,"n":"x"}"#, r#"{"id":4,"n":"y"}"#];
    assert_eq!(records, [x, x, y], "two of one export are two");
    assert_eq!(file_of(&lake, "t")["records"], 3);
    let runs: Vec<Value> = lake.quarantine("t").iter().map(|line| line["run_id"].clone()).collect();
    let of_run = |run: &Value| {
        let run = run.as_str().unwrap();
        quarantine(&workplace, &["show", "lake", "--json", "--run", run]).success().lines().count()
    };
    assert_eq!([of_run(&runs[0]), of_run(&runs[2])], [2, 1]);
    let list = quarantine(&workplace, &["list", "lake"]).success();
    for (run, records) in [(&runs[0], "2"), (&runs[2], "1")] {
        let line = list.lines().find(|line| line.contains(run.as_str().unwrap())).unwrap();
        assert!(line.split_whitespace().any(|cell| cell == records), "{list}");
    }
}

#[test]
fn o10_a_record_that_waits_for_another_reason_has_the_new_one() {
    let (source, workplace) = defined("append");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"x","m":"x"}]"#);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\
         [tables.columns]\nn = \"int64\"\nm = \"int64\"",
    );
    night(&source, &workplace, r#"[{"id":3,"n":1},{"id":2,"n":"x","m":"x"}]"#);
    let waiting = workplace.lake().quarantine("t");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["reasons"].as_array().unwrap().len(), 2);
}

#[test]
fn o10_a_record_that_the_source_mends_waits_no_more() {
    let (source, workplace) = defined("merge");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"y"}]"#);
    assert_eq!(workplace.lake().quarantine("t")[0]["record"]["n"], "y");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":2}]"#);
    let lake = workplace.lake();
    assert_eq!(file_of(&lake, "t"), Value::Null);
    assert_eq!(lake.column("t", "n"), ["1", "2"]);
    assert!(quarantine(&workplace, &["list", "lake"]).success().contains("no records"));
}

#[test]
fn o10_a_record_that_waits_for_a_merge_waits_once_when_the_table_is_appended_to() {
    let (source, workplace) = defined("merge");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\
         [tables.columns]\nn = \"int64\"",
    );
    night(&source, &workplace, r#"[{"id":3,"n":1},{"id":2,"n":"x"}]"#);
    assert_eq!(workplace.lake().quarantine("t").len(), 1);
}

#[test]
fn o10_records_are_dropped_when_somebody_says_yes() {
    let (source, workplace) = defined("append");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"x"},{"id":3,"n":"y"}]"#);
    night(&source, &workplace, r#"[{"id":4,"n":4},{"id":5,"n":"z"}]"#);
    let lake = workplace.lake();
    let tables = lake.snapshot();
    let first = lake.quarantine("t")[0]["run_id"].as_str().unwrap().to_owned();

    let shown = quarantine(&workplace, &["drop", "lake", "--run", &first]).success();
    assert!(shown.contains("nothing was dropped: `--yes` drops what is shown"), "{shown}");
    assert_eq!(lake.quarantine("t").len(), 3);
    let dropped = quarantine(&workplace, &["drop", "lake", "--run", &first, "--yes"]).success();
    assert_eq!(dropped, "t: dropped 2, 1 still waiting\n");
    assert_eq!(lake.quarantine("t")[0]["record"]["n"], "z");
    assert_eq!(file_of(&lake, "t")["records"], 1);
    let none = quarantine(&workplace, &["drop", "lake", "--table", "u", "--yes"]).success();
    assert_eq!(none, "no such records are in quarantine\n");
    let dropped = quarantine(&workplace, &["drop", "test.toml", "--yes"]).success();
    assert_eq!(dropped, "t: dropped 1, 0 still waiting\n");
    assert_eq!(file_of(&lake, "t"), Value::Null);

    assert_eq!(lake.snapshot(), tables);
    workplace.flowlake(&["verify", "lake"]).success();
    let retried = workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
    assert!(retried.contains("quarantine is empty"), "{retried}");
    let runs = workplace.flowlake(&["runs", "lake"]).success();
    assert!(!runs.contains("killed"), "{runs}");
    // The next night adds to what is left, and a record that was dropped waits again when it comes again.
    night(&source, &workplace, r#"[{"id":6,"n":6},{"id":5,"n":"z"}]"#);
    assert_eq!(lake.quarantine("t").len(), 1);
}

#[test]
fn o10_what_waits_in_a_damaged_file_is_dropped_with_its_table_only() {
    let (source, workplace) = defined("append");
    night(&source, &workplace, r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let lake = workplace.lake();
    let run = lake.quarantine("t")[0]["run_id"].as_str().unwrap().to_owned();
    let path = lake.path().join(file_of(&lake, "t")["path"].as_str().unwrap());
    std::fs::write(&path, "damaged").unwrap();
    let refused = quarantine(&workplace, &["drop", "lake", "--run", &run, "--yes"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    let help = "give up the records of its table with `flowlake quarantine drop` and `--table`";
    assert!(refused.stderr.contains(help), "{}", refused.stderr);
    let verified = workplace.flowlake(&["verify", "lake"]);
    assert!(verified.code == 7 && verified.stderr.contains(help), "{}", verified.stderr);
    source.serve(r#"[{"id":3,"n":3},{"id":4,"n":"y"}]"#);
    assert_eq!(workplace.run().code, 7, "a run does not write over what it cannot read");
    quarantine(&workplace, &["drop", "lake", "--table", "t", "--yes"]).success();
    workplace.run().success();
    assert_eq!(lake.quarantine("t")[0]["record"]["id"], 4);
    workplace.flowlake(&["verify", "lake"]).success();
}
