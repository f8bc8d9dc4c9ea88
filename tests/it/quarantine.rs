//! Records that do not fit their declared types.

use crate::support::{Finished, Source, Workplace};

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

/// The lines of a table's only quarantine file.
fn quarantined(workplace: &Workplace, table: &str) -> Vec<String> {
    let run = workplace.lake().own("runs").remove(0).replace(".json", ".jsonl.zst");
    let file = workplace.path().join("lake/_flowlake/quarantine").join(table).join(run);
    let lines = zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap();
    String::from_utf8(lines).unwrap().lines().map(str::to_owned).collect()
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

    let ledger = lake.ledger();
    let counts =
        |table: &str| ["received", "inserted", "quarantined"].map(|count| ledger[table][count]);
    assert_eq!([counts("orders"), counts("lines")], [[5, 2, 3], [4, 1, 3]]);
    let lines: Vec<serde_json::Value> = quarantined(&workplace, "orders")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[1]["reasons"],
        serde_json::json!([
            {
                "table": "orders",
                "column": "amount",
                "pointer": "/amount",
                "rule": "type",
                "expected": "decimal(5,2)",
                "message": "`amount` in orders does not fit decimal(5,2)",
            },
            {
                "table": "lines",
                "column": "n",
                "pointer": "/lines/0/n",
                "rule": "type",
                "expected": "int64",
                "message": "`n` in lines does not fit int64",
            },
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
fn p4_an_integer_that_no_double_can_hold_is_in_quarantine_whatever_is_beside_it() {
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

#[test]
fn p1_an_indented_record_is_one_line_with_the_same_numbers_and_order_of_keys() {
    let source = Source::serving(
        "[\n  {\n    \"id\": 1\n  },\n  {\n    \"z\": \"a \\\" {b\",\r\n\t\"id\": null,\n    \"n\": [1.50,\n 1E2 ]\n  }\n]\n",
    );
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    let lines = quarantined(&workplace, "t");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let record = r#""record":{"z":"a \" {b","id":null,"n":[1.50,1E2]}}"#;
    assert!(lines[0].ends_with(record), "{}", lines[0]);
}

#[test]
fn p1_records_that_cannot_be_decoded_exactly_are_in_quarantine_and_others_load() {
    let json = r#"[{"id":1,"v":10,"l":[{"n":1}]},
        {"id":2,"v":"cut \ud83d","l":[{"n":"x"}]},
        { "id":3, "v":1, "v":2.50 },
        {"id":null,"v":3,"\udc00":0},
        {"id":5,"v":20,"l":[{"n":2,"o":{"a":1,"a":[{}]}}]},
        {"id":6,"v":30,"l":[{"n":2}]},
        {"id":null,"v":40}]"#;
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "id"), ["1", "6"]);
    // Quarantined records do not influence inferred types.
    assert!(lake.schema("t").contains(&"v: i64".to_owned()), "{:?}", lake.schema("t"));
    assert_eq!(lake.column("t__l", "n"), ["1", "2"]);
    assert_eq!(lake.tables(), ["t", "t__l"]);
    let ledger = lake.ledger();
    assert_eq!(["received", "inserted", "quarantined"].map(|of| ledger["t"][of]), [7, 2, 5]);

    let half = "a text has half of a surrogate pair";
    let twice = "a key is repeated in one object";
    let lines = quarantined(&workplace, "t");
    let read: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reasons: Vec<&str> =
        read.iter().map(|line| line["reasons"][0]["message"].as_str().unwrap()).collect();
    assert_eq!(reasons, [half, twice, half, twice, "the primary key `id` of t is null"]);
    assert_eq!(read[0]["raw"], r#"{"id":2,"v":"cut \ud83d","l":[{"n":"x"}]}"#);
    assert!(lines[1].ends_with(r#""record":{"id":3,"v":1,"v":2.50}}"#), "{}", lines[1]);
    assert_eq!(read[2]["raw"], r#"{"id":null,"v":3,"\udc00":0}"#);
}

#[test]
fn p9_when_no_record_can_be_decoded_the_table_stays_as_it_was() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    workplace.run().success();
    source.serve(r#"[{"id":2,"id":2}]"#);
    let finished = workplace.run();
    assert_eq!(finished.code, 3, "{}", finished.stderr);
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
}

/// A workplace with a first export and a definition that some of its records do not fit.
fn with_quarantined(disposition: &str) -> (Source, Workplace, String) {
    let source = Source::serving(
        r#"[{"id":1,"amount":9.99,"lines":[{"n":1}]},
            {"id":2,"amount":1000.00,"lines":[{"n":2},{"n":3}]},
            {"id":3,"amount":1.005,"lines":[{"n":"x"}]},
            {"id":null,"amount":1}]"#,
    );
    let workplace = Workplace::asking(&source);
    let tables = TABLES.replacen(
        "primary_key",
        &format!("write_disposition = \"{disposition}\"\nprimary_key"),
        1,
    );
    workplace.define(&tables);
    workplace.run().success();
    assert_eq!(workplace.lake().column("orders", "id"), ["1"]);
    (source, workplace, tables)
}

fn retry(workplace: &Workplace) -> Finished {
    workplace.flowlake(&["quarantine", "retry", "test.toml"])
}

#[test]
fn p1_records_that_fit_a_corrected_definition_load_once() {
    for disposition in ["replace", "append"] {
        let (_source, workplace, tables) = with_quarantined(disposition);
        let lake = workplace.lake();
        assert_eq!(lake.quarantine("orders").len(), 3);
        // One of the two mistakes is corrected, then the other.
        workplace.define(&tables.replace("decimal(5,2)", "decimal(9,3)"));
        let shown = retry(&workplace).success();
        assert!(shown.contains("3 records from quarantine"), "{shown}");
        assert_eq!(lake.column("orders", "id"), ["1", "2"], "{disposition}");
        assert_eq!(lake.column("orders", "amount"), ["9.990", "1000.000"]);
        assert_eq!(lake.column("lines", "n"), ["1", "2", "3"]);
        let counts =
            |of: &str| ["received", "inserted", "quarantined"].map(|it| lake.ledger()[of][it]);
        assert_eq!([counts("orders"), counts("lines")], [[3, 1, 2], [3, 2, 1]]);
        workplace.define(
            &tables
                .replace("decimal(5,2)", "decimal(9,3)")
                .replace("n = \"int64\"", "n = \"string\""),
        );
        retry(&workplace).success();
        assert_eq!(lake.column("orders", "id"), ["1", "2", "3"]);
        assert_eq!(lake.column("lines", "n"), ["1", "2", "3", "x"]);
        // The remaining record fits no definition. It stays, and the tables do not change.
        let before = lake.snapshot();
        let finished = retry(&workplace);
        assert_eq!(finished.code, 3, "{}", finished.stderr);
        assert_eq!(lake.snapshot(), before);
        let left = lake.quarantine("orders");
        assert_eq!(left.len(), 1);
        assert_eq!(left[0]["record"].to_string(), r#"{"amount":1,"id":null}"#);
    }
}

#[test]
fn p1_records_that_still_do_not_fit_keep_their_origin() {
    let (_source, workplace, tables) = with_quarantined("append");
    let lake = workplace.lake();
    let origin = |line: &serde_json::Value| {
        [line["run_id"].clone(), line["offset"].clone(), line["record"].clone()]
    };
    let before: Vec<_> = lake.quarantine("orders").iter().map(origin).collect();
    workplace.define(&tables.replace("decimal(5,2)", "decimal(9,3)"));
    retry(&workplace).success();
    let after: Vec<_> = lake.quarantine("orders").iter().map(origin).collect();
    assert_eq!(after, before[1..]);
}

#[test]
fn p3_a_retry_with_an_empty_quarantine_changes_nothing() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    assert!(retry(&workplace).success().contains("quarantine is empty"));
    workplace.run().success();
    let before = workplace.lake().snapshot();
    assert!(retry(&workplace).success().contains("quarantine is empty"));
    assert_eq!(workplace.lake().snapshot(), before);
}

#[test]
fn p1_the_next_export_of_a_replaced_table_replaces_its_quarantine() {
    let (source, workplace, _) = with_quarantined("replace");
    source.serve(r#"[{"id":1,"amount":1},{"id":4,"amount":"?"}]"#);
    workplace.run().success();
    let waiting = workplace.lake().quarantine("orders");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["record"]["id"], 4);
    // An appended table keeps its earlier quarantine files.
    let (source, workplace, _) = with_quarantined("append");
    source.serve(r#"[{"id":1,"amount":1},{"id":4,"amount":"?"}]"#);
    workplace.run().success();
    assert_eq!(workplace.lake().quarantine("orders").len(), 4);
}

#[test]
fn p1_partially_loaded_records_stay_in_quarantine() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"},{"id":null,"n":3}]"#);
    let workplace = Workplace::asking(&source);
    let table = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nschema_contract = { data_type = \"discard_value\" }\n";
    workplace.define(&format!("{table}[tables.columns]\nn = \"int64\""));
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "n"), ["1", "null"]);
    workplace
        .define("[[tables]]\nname = \"t\"\nprimary_key = [\"n\"]\nwrite_disposition = \"append\"");
    assert_eq!(retry(&workplace).code, 2, "rows with another key");
    workplace.define(&table.replace("[\"id\"]", "[\"id\"]\nnull_values = [\"?\"]"));
    assert_eq!(retry(&workplace).code, 3, "still without its key");
    assert_eq!(lake.column("t", "id"), ["1", "2"]);
    assert_eq!(lake.quarantine("t").len(), 2);
}

#[test]
fn quarantine_is_listed_and_shown_for_a_definition_and_a_destination() {
    let (_source, workplace, _) = with_quarantined("replace");
    let quarantine = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["quarantine"].iter().chain(arguments).copied().collect();
        workplace.flowlake(&arguments)
    };
    let list = quarantine(&["list", "test.toml"]);
    insta::assert_snapshot!("quarantine_list", list.redacted());
    assert_eq!(quarantine(&["list", "lake"]).stdout, list.stdout);
    insta::assert_snapshot!("quarantine_show", quarantine(&["show", "lake"]).redacted());
    assert_eq!(quarantine(&["show", "lake", "--table", "lines"]).success(), "");
    let lines = quarantine(&["show", "lake", "--json", "--table", "orders"]).success();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, workplace.lake().quarantine("orders"));
    assert_eq!(quarantine(&["list", "elsewhere"]).code, 7);
    assert_eq!(quarantine(&["list", "none.toml"]).code, 2);
}

#[test]
fn p1_quarantined_records_of_one_table_do_not_block_a_retry_of_another() {
    let source = Source::serving(
        r#"{"a":[{"id":1,"n":1},{"id":2,"n":"x"}],"b":[{"id":1,"n":1},{"id":2,"n":"y"},{"id":null,"n":3}]}"#,
    );
    let workplace = Workplace::asking(&source);
    let table = |name: &str, n: &str| {
        format!(
            "[[tables]]\nname = \"{name}\"\nrecords = \"/{name}\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = \"{n}\"\n"
        )
    };
    workplace.define(&(table("a", "int64") + &table("b", "int64")));
    workplace.run().success();
    workplace.define(&(table("a", "int64") + &table("b", "string")));
    retry(&workplace).success();
    let lake = workplace.lake();
    assert_eq!(lake.column("a", "id"), ["1"]);
    assert_eq!(lake.column("b", "n"), ["1", "y"]);
    assert_eq!([lake.quarantine("a").len(), lake.quarantine("b").len()], [1, 1]);
    workplace.define(&(table("a", "string") + &table("b", "string")));
    retry(&workplace).success();
    assert_eq!(lake.column("a", "n"), ["1", "x"]);
    assert_eq!(retry(&workplace).code, 3, "what is left has no key");
}
