//! Ten nights of an export that changes, under each contract: what is in the lake after each, and how the run ended.

use std::fmt::Write;

use crate::support::{Lake, Source, Workplace};

/// What a night brings, and what is new about it.
const NIGHTS: [(&str, &str); 10] = [
    ("the first export", r#"[{"id":1,"n":1,"s":{"x":1},"l":[{"a":1}]},{"id":2,"n":2,"l":[]}]"#),
    ("a field comes", r#"[{"id":3,"n":3,"new":"v","l":[{"a":2}]},{"id":4,"n":4}]"#),
    ("a field goes", r#"[{"id":5,"s":{"x":2},"l":[{"a":3}]}]"#),
    ("an integer has a fraction", r#"[{"id":6,"n":6.5},{"id":7,"n":7}]"#),
    ("a number becomes a text", r#"[{"id":8,"n":"eight"},{"id":9,"n":9}]"#),
    ("an object becomes a scalar", r#"[{"id":10,"n":10,"s":"flat"},{"id":11,"s":{"x":3}}]"#),
    ("a scalar nests", r#"[{"id":12,"s":{"x":{"y":true}}},{"id":13,"n":13}]"#),
    (
        "a child's field changes its type",
        r#"[{"id":14,"l":[{"a":"z"},{"a":5}]},{"id":15,"l":{"a":6}}]"#,
    ),
    ("a list comes", r#"[{"id":16,"m":[{"k":1},{"k":2}]},{"id":17,"n":17}]"#),
    ("all is as on the first", r#"[{"id":18,"n":18,"s":{"x":4},"l":[{"a":7}]}]"#),
];

/// The lake after a night: each table's columns, rows and quarantined records.
fn tables(lake: &Lake) -> String {
    let mut shown = String::new();
    for table in lake.tables() {
        // Fails when the files of the table have not all one schema.
        let rows = lake.rows(&table).height();
        let columns =
            lake.schema(&table).into_iter().filter(|column| !column.starts_with("_flowlake"));
        let columns: Vec<String> = columns.collect();
        writeln!(shown, "  {table}, {rows} rows: {}", columns.join(", ")).unwrap();
    }
    let waiting = lake.quarantine("t");
    if !waiting.is_empty() {
        let ids: Vec<String> = waiting
            .iter()
            .map(|line| {
                let kept = if line["row_kept"] == true { " (value)" } else { "" };
                format!("{}{kept}", line["record"]["id"])
            })
            .collect();
        writeln!(shown, "  in quarantine: {}", ids.join(", ")).unwrap();
    }
    shown
}

#[test]
fn p1_and_p5_ten_nights_under_each_contract() {
    for contract in ["evolve", "freeze", "discard_row", "discard_value"] {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\nschema_contract = \"{contract}\""
        ));
        let (mut story, mut received) = (String::new(), 0);
        for (night, (what, export)) in NIGHTS.iter().enumerate() {
            source.serve(export);
            let finished = workplace.run();
            let changes = finished.stdout.lines().chain(finished.stderr.lines());
            let changes = changes
                .map(str::trim_start)
                .filter(|line| ["+ ", "- ", "~ ", "! "].iter().any(|sign| line.starts_with(sign)));
            let changes = changes.fold(String::new(), |all, line| all + "  " + line + "\n");
            let lake = workplace.lake();
            let code = finished.code;
            writeln!(story, "night {}: {what}, exit {code}\n{changes}{}", night + 1, tables(&lake))
                .unwrap();
            if code == 0 {
                received += serde_json::from_str::<Vec<serde_json::Value>>(export).unwrap().len();
            }
            let left_out =
                lake.quarantine("t").iter().filter(|line| line["row_kept"] != true).count();
            assert_eq!(lake.rows("t").height() + left_out, received, "{contract}, night {night}");
        }
        insta::assert_snapshot!(format!("ten_nights_{contract}"), story);
    }
}

#[test]
fn p5_a_year_of_integers_that_become_decimals_has_one_schema() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\npartition_by = [\"month(at)\"]",
    );
    for month in 1..=12 {
        source
            .serve(&format!(r#"[{{"id":{month},"at":"2025-{month:02}-15","amount":{month}00}}]"#));
        workplace.run().success();
    }
    source.serve(r#"[{"id":13,"at":"2026-01-15","amount":1300.0000000000000001}]"#);
    let shown = workplace.run().success();
    assert!(shown.contains("~ t.amount int64 → decimal(38,16) (widened)"), "{shown}");
    let lake = workplace.lake();
    assert_eq!(lake.partitions("t").len(), 13);
    assert_eq!(
        lake.column("t", "amount")[11..],
        ["1200.0000000000000000", "1300.0000000000000001"]
    );
}

#[test]
fn the_manifest_tells_in_which_runs_a_column_was_seen() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = { description = \"how many\" }");
    for (run_id, export) in [
        ("one", r#"[{"id":1,"n":1}]"#),
        ("two", r#"[{"id":1,"n":2,"m":1}]"#),
        ("three", r#"[{"id":1,"m":2}]"#),
    ] {
        source.serve(export);
        workplace.flowlake(&["run", "test.toml", "--run-id", run_id]).success();
    }
    let manifest = workplace.lake().manifest("t");
    let seen = |name: &str| {
        let columns = manifest["schema"]["columns"].as_array().unwrap();
        let column = columns.iter().find(|column| column["name"] == name).unwrap();
        [&column["seen"]["first"], &column["seen"]["last"]]
            .map(|run| run.as_str().unwrap().to_owned())
    };
    assert_eq!(seen("id"), ["one", "three"]);
    assert_eq!(seen("n"), ["one", "two"]);
    assert_eq!(seen("m"), ["two", "three"]);
}

#[test]
fn a_plan_tells_what_the_definition_changes() {
    let source = Source::serving(r#"[{"id":1,"n":1,"memo":"x","o":{"a":1}}]"#);
    let workplace = Workplace::asking(&source);
    let table =
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n";
    workplace.define(table);
    let plan = || workplace.flowlake(&["plan", "test.toml"]).success();
    assert!(!plan().contains("changes"), "there is nothing to change yet");
    workplace.run().success();
    assert!(!plan().contains("changes"), "{}", plan());
    let columns = "[tables.columns]\nn = \"decimal(9,2)\"\nlater = \"date\"\nmemo = { exclude = true }\no = { exclude = true }";
    workplace.define(&format!("{table}{columns}"));
    let changes = plan().split_once("changes by the definition\n").unwrap().1.to_owned();
    insta::assert_snapshot!(changes);
    workplace.define(&table.replace("[\"id\"]", "[\"n\"]"));
    let refused = workplace.flowlake(&["plan", "test.toml"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let said = "table `t` has rows with another key";
    assert!(refused.stdout.contains(&format!("refused      {said}")), "{}", refused.stdout);
    assert!(refused.stderr.contains(&format!("error: {said}")), "{}", refused.stderr);
}
