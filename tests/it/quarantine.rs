//! Records that do not fit what was declared.

use crate::support::{Source, Workplace};

#[test]
fn p1_a_list_where_a_scalar_is_declared_is_in_quarantine() {
    let json = r#"[{"id":1,"x":"a"},{"id":2,"x":["b"]},{"id":3,"x":[]},{"id":4,"o":{"x":["c"]}},{"id":5}]"#;
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nx = \"string\"\no__x = \"string\"",
    );
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "id"), ["1", "5"]);
    assert_eq!(workplace.lake().ledger()["t"]["quarantined"], 3);
}

const TABLES: &str = "[[tables]]\nname = \"orders\"\nprimary_key = [\"id\"]\n[tables.columns]\namount = \"decimal(5,2)\"\n\
    \n[[tables]]\nname = \"lines\"\nparent = \"orders\"\nrecords = \"/lines\"\n[tables.columns]\nn = \"int64\"";

#[test]
fn p1_and_p4_what_does_not_fit_is_in_quarantine_with_its_raw_json() {
    let source = Source::serving(
        r#"[{"id":1,"amount":999.99,"lines":[{"n":1}]},
            {"id":2,"amount":1000.00,"lines":[{"n":2},{"n":3}]},
            {"id":3,"amount":0.005,"lines":[{"n":"x"}]},
            {"id":null,"amount":1},
            {"id":5,"amount":"7.10","lines":[]}]"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    let finished = workplace.run();
    assert_eq!(finished.code, 0);
    assert!(finished.stderr.contains("quarantine"), "{}", finished.stderr);
    let lake = workplace.lake();
    assert_eq!(lake.column("orders", "amount"), ["999.99", "7.10"]);
    assert_eq!(lake.column("lines", "n"), ["1"]);

    let run = lake.own("runs").remove(0);
    let ledger = lake.ledger();
    let counts =
        |table: &str| ["received", "inserted", "quarantined"].map(|count| ledger[table][count]);
    assert_eq!([counts("orders"), counts("lines")], [[5, 2, 3], [4, 1, 3]]);
    let file = workplace
        .path()
        .join("lake/_flowlake/quarantine/orders")
        .join(run.replace(".json", ".jsonl.zst"));
    let lines =
        String::from_utf8(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[1]["reasons"],
        serde_json::json!([
            "`amount` in orders does not fit decimal(5,2)",
            "`n` in lines does not fit int64"
        ])
    );
    assert_eq!(lines[1]["record"].to_string(), r#"{"amount":0.005,"id":3,"lines":[{"n":"x"}]}"#);
}

#[test]
fn p1_an_object_or_list_in_a_declared_list_is_in_quarantine_and_costs_no_other_record() {
    let json = r#"[{"id":1,"tags":["a",null]},{"id":2,"tags":[{"x":1}]},{"id":3,"tags":["b",{}]},{"id":4,"tags":{"x":1}},
        {"id":5,"tags":[["c"]]},{"id":6,"tags":["d",[]]},{"id":7,"tags":"e"},{"id":8,"o":{"tags":[{"x":1}]}},{"id":9,"o":{"tags":["f"]}}]"#;
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\ntags = \"list<string>\"\no__tags = \"list<string>\"",
    );
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.tables(), ["t"]);
    assert_eq!(lake.column("t", "id"), ["1", "7", "9"]);
    assert_eq!(lake.column("t", "tags"), ["[\"a\", null]", "[\"e\"]", "null"]);
    assert_eq!(lake.column("t", "o__tags"), ["null", "null", "[\"f\"]"]);
    assert_eq!(lake.ledger()["t"]["quarantined"], 6);
}

#[test]
fn p4_an_integer_that_is_no_double_is_in_quarantine_whatever_stands_beside_it() {
    for neighbour in ["1", "0.5", "\"2\"", "100000000000000000000"] {
        let json = format!(
            r#"[{{"id":1,"v":9007199254740993}},{{"id":2,"l":[1,9007199254740993]}},{{"id":3,"v":9007199254740992}},
                {{"id":4,"v":{neighbour},"l":[{neighbour}]}},{{"id":5,"v":"9007199254740993"}}]"#
        );
        let source = Source::serving(&json);
        let workplace = Workplace::asking(&source);
        workplace.define(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nv = \"float64\"\nl = \"list<float64>\"",
        );
        workplace.run().success();
        assert_eq!(workplace.lake().column("t", "id"), ["3", "4"], "beside {neighbour}");
    }
}
