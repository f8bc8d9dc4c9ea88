//! `nested = "columns"`: objects and lists stay in one column, as structs and lists of Parquet.

use crate::support::{Lake, Source, Workplace, loaded};

const TABLE: &str =
    "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\nnested = \"columns\"\n";

/// The type of a column, as the manifest has it.
fn type_of(lake: &Lake, column: &str) -> String {
    let manifest = lake.manifest("t");
    let columns = manifest["schema"]["columns"].as_array().unwrap();
    let column = columns.iter().find(|other| other["name"] == column).unwrap();
    column["type"].as_str().unwrap().to_owned()
}

#[test]
fn p4_objects_and_lists_stay_in_one_column_with_every_digit() {
    let (_workplace, lake) = loaded(
        r#"{"rows":[
            {"id":1,"supplier":{"taxId":"DE1","address":{"city":"Ulm","zip":null}},
             "lines":[{"no":1,"amount":0.10,"tags":["a","b"]},{"no":2,"amount":12345678901234567890.12}],
             "matrix":[[1,2],[],[3]]},
            {"id":2,"supplier":null,"lines":{"no":3,"due":"2026-10-05"},"matrix":[4,[5.5]]},
            {"id":3,"lines":[]}]}"#,
        TABLE,
    );
    assert_eq!(lake.tables(), ["t"]);
    let types = ["supplier", "lines", "matrix"].map(|column| type_of(&lake, column));
    assert_eq!(
        types,
        [
            "struct<tax_id: string, address: struct<city: string, zip: string>>",
            "list<struct<no: int64, amount: decimal(38,2), tags: list<string>, due: date>>",
            "list<list<float64>>",
        ]
    );
    let values = ["supplier", "lines", "matrix"].map(|column| lake.column("t", column).join("\n"));
    insta::assert_snapshot!(values.join("\n\n"));
}

#[test]
fn p5_a_price_that_becomes_an_object_and_a_list_that_gets_objects_keep_what_there_is() {
    let nights = [
        r#"{"rows":[{"id":1,"price":5,"contacts":"ann@example.com","seen":{}}]}"#,
        r#"{"rows":[{"id":2,"price":{"value":7,"currency":"EUR"},"contacts":["bob@example.com"],"seen":{"at":"2026-10-05"}}]}"#,
        r#"{"rows":[{"id":3,"price":{"value":8.25},"contacts":[{"mail":"cyn@example.com","tel":"1"}, null]}]}"#,
    ];
    let source = Source::serving(nights[0]);
    let workplace = Workplace::asking(&source);
    let evolving = "schema_contract = { data_type = \"evolve\" }\n";
    workplace.define(&format!("{TABLE}write_disposition = \"append\"\n{evolving}"));
    let mut story = Vec::new();
    for night in nights {
        source.serve(night);
        story.push(workplace.run().redacted());
        let lake = workplace.lake();
        for column in ["price", "contacts", "seen"] {
            story.push(format!("{column}: {}", type_of(&lake, column)));
            story.extend(lake.column("t", column));
        }
    }
    insta::assert_snapshot!(story.join("\n"));
}

#[test]
fn p1_what_does_not_fit_a_declared_object_is_in_quarantine() {
    let tables = format!(
        "{TABLE}[tables.columns]\nprice = \"struct<amount: decimal(18,2), currency: string>\"\nlines = \"list<struct<no: int64>>\"\n"
    );
    let (_workplace, lake) = loaded(
        r#"{"rows":[
            {"id":1,"price":{"amount":1.5,"currency":"EUR"},"lines":[{"no":1},{"no":2}]},
            {"id":2,"price":{"amount":1.005}},
            {"id":3,"price":{"amount":2,"taxed":true}},
            {"id":4,"price":"1.50 EUR"},
            {"id":5,"price":[{"amount":1},{"amount":2}]},
            {"id":6,"lines":[{"no":1},"two"]},
            {"id":7,"lines":[{"no":1,"sub":[1]}]},
            {"id":8,"price":{"currency":null,"taxed":null},"lines":{"no":3}}]}"#,
        &tables,
    );
    assert_eq!(lake.column("t", "id"), ["1", "8"]);
    assert_eq!(lake.column("t", "price"), ["{1.50,\"EUR\"}", "{null,null}"]);
    let lines = lake.quarantine("t");
    let ids: Vec<String> = lines.iter().map(|line| line["record"]["id"].to_string()).collect();
    assert_eq!(ids, ["2", "3", "4", "5", "6", "7"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&lines[0]["reasons"]).unwrap());
}

#[test]
fn p1_a_contract_keeps_an_object_as_it_is_and_what_is_more_in_quarantine() {
    let source = Source::serving(r#"{"rows":[{"id":1,"o":{"a":1}}]}"#);
    let workplace = Workplace::asking(&source);
    let define = |contract: &str| {
        workplace.define(&format!(
            "{TABLE}write_disposition = \"append\"\nschema_contract = {{ data_type = \"{contract}\" }}\n"
        ));
    };
    define("freeze");
    workplace.run().success();
    source.serve(r#"{"rows":[{"id":2,"o":{"a":2,"b":true}},{"id":3,"o":{"a":3}},{"id":4,"o":9}]}"#);
    let refused = workplace.run();
    assert_eq!(refused.code, 6);
    insta::assert_snapshot!(refused.redacted());
    define("discard_row");
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(type_of(&lake, "o"), "struct<a: int64>");
    assert_eq!(lake.column("t", "id"), ["1", "3"]);
    assert_eq!(lake.quarantine("t").len(), 2);
}

#[test]
fn a_merge_compares_nested_columns() {
    let source = Source::serving(
        r#"{"rows":[{"id":1,"lines":[{"n":1},{"n":2}]},{"id":2,"lines":[{"n":3}]},{"id":3,"o":{"x":null}}]}"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("{TABLE}write_disposition = \"merge\"\n"));
    workplace.run().success();
    source.serve(
        r#"{"rows":[{"id":1,"lines":[{"n":1},{"n":2}]},{"id":2,"lines":[{"n":4},{"n":3}]},{"id":3,"o":{"x":null}}]}"#,
    );
    workplace.run().success();
    let lake = workplace.lake();
    let rows = lake.column("t", "id").into_iter().zip(lake.column("t", "lines"));
    let mut rows: Vec<String> = rows.map(|(id, lines)| format!("{id} {lines}")).collect();
    rows.sort();
    assert_eq!(rows, ["1 [{1}, {2}]", "2 [{4}, {3}]", "3 null"]);
    let ledger = &lake.ledger()["t"];
    assert_eq!((ledger["updated"], ledger["unchanged"]), (1, 2));
}

#[test]
fn keys_that_would_be_one_field_are_told_apart() {
    let (_workplace, lake) =
        loaded(r#"{"rows":[{"id":1,"o":{"taxId":1,"TaxID":2}},{"id":2,"o":{"taxId":3}}]}"#, TABLE);
    let shown = type_of(&lake, "o");
    // The first in alphabetical order has the plain name, wherever it stands.
    assert!(shown.starts_with("struct<tax_id__"), "{shown}");
    assert!(shown.ends_with(", tax_id: int64>"), "{shown}");
    assert_eq!(lake.column("t", "o"), ["{1,2}", "{3,null}"]);
}

#[test]
fn objects_are_neither_keys_nor_orders_nor_partitions() {
    let source = Source::serving(r#"{"rows":[{"id":1,"o":{"a":1}}]}"#);
    let workplace = Workplace::asking(&source);
    let mut story = Vec::new();
    for setting in [
        "sort_by = [\"o\"]",
        "cursor = \"o\"",
        "partition_by = [\"o\"]",
        "partition_by = [\"month(o)\"]",
    ] {
        workplace.define(&format!("{TABLE}{setting}\n"));
        let refused = workplace.run();
        assert_eq!(refused.code, 6, "{setting}");
        story.push(refused.redacted());
    }
    insta::assert_snapshot!(story.join("\n"));
}

#[test]
fn p4_a_scalar_that_an_object_does_not_take_is_null_and_no_empty_object() {
    let source = Source::serving(r#"{"rows":[{"id":1,"lines":[{"qty":2}],"o":{"a":1},"v":5}]}"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    source.serve(
        r#"{"rows":[{"id":1,"lines":"see attachment","o":"none","v":1},
                    {"id":2,"lines":[{"qty":3}],"o":{"a":2},"v":2},
                    {"id":3,"lines":7,"o":true,"v":3}]}"#,
    );
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "lines"), ["null", "[{3}]", "null"]);
    assert_eq!(lake.column("t", "o"), ["null", "{2}", "null"]);
    assert_eq!(lake.quarantine("t").len(), 2);
}
