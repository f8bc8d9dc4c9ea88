//! What JSON becomes which tables, columns and types.

use crate::support::{Source, Workplace, loaded};

#[test]
fn types_come_from_the_whole_export() {
    let (_workplace, lake) = loaded(
        r#"[{"i":1,"big":1,"f":1,"b":true,"d":"2026-01-01","t":"2026-01-01T00:00:00+02:00","s":"x","mixed":1,"none":null,"l":[1],"e":[]},
            {"i":2,"big":12345678901234567890,"f":1.5,"b":null,"d":"2026-01-02","t":"2026-01-01T00:00:00.123456Z","s":"","mixed":"1.50","l":[2,null],"late":0}]"#,
        "[[tables]]\nname = \"t\"",
    );
    insta::assert_snapshot!(lake.schema("t").join("\n"));
    assert_eq!(lake.column("t", "big"), ["1", "12345678901234567890"]);
    assert_eq!(lake.column("t", "mixed"), ["1", "1.50"]);
    assert_eq!(lake.column("t", "t"), ["2025-12-31T22:00:00Z", "2026-01-01T00:00:00.123456Z"]);
}

#[test]
fn p4_digits_that_a_float_would_lose_are_kept() {
    let (_workplace, lake) = loaded(
        r#"[{"a":0.1000000000000000055,"b":1E400},{"a":34.7,"b":1}]"#,
        "[[tables]]\nname = \"t\"",
    );
    assert_eq!(lake.column("t", "a"), ["0.1000000000000000055", "34.7000000000000000000"]);
    assert_eq!(lake.column("t", "b"), ["1E400", "1"]);
}

#[test]
fn objects_here_and_lists_there_are_one_child_table() {
    let (_workplace, lake) = loaded(
        r#"[{"id":"a","x":{"n":1}},{"id":"b","x":[{"n":2},{"n":"three"},4]},{"id":"c","x":"text"},{"id":"d","x":[]},{"id":"e"}]"#,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]",
    );
    assert_eq!(lake.column("t__x", "t__id"), ["a", "b", "b", "b"]);
    assert_eq!(lake.column("t__x", "_index"), ["0", "0", "1", "2"]);
    assert_eq!(lake.column("t__x", "n"), ["1", "2", "three", "null"]);
    assert_eq!(lake.column("t__x", "value"), ["null", "null", "null", "4"]);
    assert_eq!(lake.column("t", "x"), ["null", "null", "text", "null", "null"]);
}

#[test]
fn grandchildren_carry_the_keys_of_both() {
    let (_workplace, lake) = loaded(
        r#"[{"id":7,"lots":[{"bids":[{"p":1},{"p":2}]},{"bids":[{"p":3}]}]},{"id":8,"lots":[{"bids":[{"p":4}]}]}]"#,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]",
    );
    assert_eq!(lake.column("t__lots__bids", "t__id"), ["7", "7", "7", "8"]);
    assert_eq!(lake.column("t__lots__bids", "t__lots__index"), ["0", "0", "1", "0"]);
    assert_eq!(lake.column("t__lots__bids", "_index"), ["0", "1", "0", "0"]);
    assert_eq!(lake.column("t__lots__bids", "p"), ["1", "2", "3", "4"]);
}

#[test]
fn a_table_without_a_key_gets_one_that_does_not_depend_on_order() {
    let (_a, one) = loaded(r#"[{"a":1,"b":[{"c":1}]},{"a":2}]"#, "[[tables]]\nname = \"t\"");
    let (_b, other) =
        loaded(r#"[{"a":2},{"b":[{"c":1}],"a":1}, {"a":2,"b":null}]"#, "[[tables]]\nname = \"t\"");
    let (one_ids, other_ids) = (one.column("t", "_flowlake_id"), other.column("t", "_flowlake_id"));
    assert_eq!(one_ids[0], other_ids[1]);
    assert_eq!(one_ids[1], other_ids[0]);
    assert_eq!(other_ids[2], format!("{}-2", other_ids[0]));
    assert_eq!(one.column("t__b", "t__flowlake_id"), [one_ids[0].clone()]);
}

#[test]
fn lists_of_lists_and_newline_delimited_objects_load() {
    let (_workplace, lake) =
        loaded("{\"m\":[[1,2],[3]]}\n{\"m\":[]}\n", "[[tables]]\nname = \"t\"");
    assert_eq!(lake.rows("t").height(), 2);
    assert_eq!(lake.column("t__m", "value"), ["[1, 2]", "[3]"]);
}

#[test]
fn p1_lines_of_any_length_are_records_also_when_there_is_only_one() {
    let long = |id: usize| {
        let items = vec![format!("{{\"n\":{id}}}"); 150_000].join(",");
        format!("{{\"id\":{id},\"items\":[{items}]}}")
    };
    let json = format!("\u{feff}{}\n{{\"id\":2,\"items\":[{{\"n\":7}}]}}\n", long(1));
    let (workplace, lake) = loaded(&json, "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    assert_eq!(lake.column("t", "id"), ["1", "2"]);
    assert_eq!(lake.rows("t__items").height(), 150_001);
    let source = Source::serving("{\"id\":3,\"items\":[{\"n\":8}]}\n");
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", source.base_url());
    workplace.run().success();
    assert_eq!(lake.column("t", "id"), ["3"]);
    assert_eq!(lake.column("t__items", "n"), ["8"]);
}

#[test]
fn renamed_and_excluded_columns_are_as_declared() {
    let (_workplace, lake) = loaded(
        r#"[{"supplier":{"name":"n","secret":{"x":1}},"Total Amount":1.50}]"#,
        "[[tables]]\nname = \"t\"\n[tables.columns]\nsupplier_name = { from = \"/supplier/name\", description = \"who\" }\n\
         supplier__secret = { exclude = true }\ntotal_amount = \"decimal(10,2)\"\nlater = \"date\"",
    );
    insta::assert_snapshot!(lake.schema("t").join("\n"));
}

#[test]
fn names_that_are_the_same_are_told_apart_by_their_path() {
    let json = r#"[{"id":1,"fooBar":[{"n":1}],"foo_bar":[{"n":2},{"n":3}],"aB":1,"a_b":2}]"#;
    let (workplace, lake) = loaded(json, "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    let names = (lake.tables(), lake.schema("t"));
    assert_eq!(names.0.len(), 3, "{names:?}");
    assert_eq!(lake.column("t__foo_bar", "n"), ["1"]);
    assert_eq!(lake.column(names.0.last().unwrap(), "n"), ["2", "3"]);
    assert_eq!(lake.column("t", "a_b"), ["1"]);
    // The next night they keep their names, also when only one of them comes.
    let source = Source::serving(r#"[{"id":2,"foo_bar":[{"n":4}],"a_b":3}]"#);
    let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", source.base_url());
    workplace.run().success();
    assert_eq!((lake.tables(), lake.schema("t")), names);
    assert_eq!(lake.rows("t__foo_bar").height(), 0);
    assert_eq!(lake.column(names.0.last().unwrap(), "n"), ["4"]);
    assert_eq!(lake.column("t", "a_b"), ["null"]);
}

#[test]
fn a_grandchild_and_a_child_with_one_name_are_two_tables() {
    let json = r#"[{"id":1,"A":{"a":[{"n":1}]},"a":[{"a":[{"n":2},{"n":3}]}]}]"#;
    let (_workplace, lake) = loaded(json, "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    assert_eq!(lake.tables().len(), 4, "{:?}", lake.tables());
    assert_eq!(lake.column("t__a__a", "n"), ["1"]);
}

#[test]
fn names_of_every_script_are_tables_and_columns() {
    let (_workplace, lake) = loaded(
        r#"[{"id":"a/b","Größe":[{"n":1}],"Цена":5}]"#,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"id\"]",
    );
    assert_eq!(lake.tables(), ["t", "t__größe"]);
    assert_eq!(lake.partitions("t__größe"), ["id_partition=a%2Fb"]);
    assert_eq!(lake.column("t", "цена"), ["5"]);
}

#[test]
fn one_object_is_one_record_when_told_so() {
    let (_workplace, lake) =
        loaded(r#"{"a":1,"list":[{"b":2}]}"#, "[[tables]]\nname = \"t\"\nrecords = \"\"");
    assert_eq!(lake.column("t", "a"), ["1"]);
    assert_eq!(lake.column("t__list", "b"), ["2"]);
}

#[test]
fn keys_of_any_length_are_tables_and_columns_with_the_same_names_every_night() {
    for key in ["long".repeat(80), "Наименование".repeat(20)] {
        let json = format!(r#"[{{"id":1,"{key}":[{{"{key}":[{{"n":1}}]}}],"o":{{"{key}":5}}}}]"#);
        let (workplace, lake) = loaded(&json, "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
        let names = (lake.tables(), lake.tables().iter().map(|table| lake.schema(table)).collect());
        let (tables, schemas): &(Vec<String>, Vec<Vec<String>>) = &names;
        assert_eq!(tables.len(), 3, "{tables:?}");
        assert!(tables.iter().all(|name| name.len() < 220), "{tables:?}");
        assert!(schemas.iter().flatten().all(|column| column.len() < 240), "{schemas:?}");
        let source = Source::serving(&json.replace(":5", ":6"));
        let workplace = workplace.with("PROCUREMENTFLOW_BASE_URL", source.base_url());
        workplace.run().success();
        let again = (lake.tables(), lake.tables().iter().map(|table| lake.schema(table)).collect());
        assert_eq!(again, names);
    }
}

/// A table that has been loaded, and what a second export does to it under a contract.
fn second_night(contract: &str, columns: &str, export: &str) -> (i32, String) {
    let source = Source::serving("[{\"id\":1,\"n\":1,\"o\":{\"a\":1}}]");
    let workplace = Workplace::asking(&source);
    let define = |contract: &str, columns: &str| {
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n{contract}\n[tables.columns]\n{columns}"
        ));
    };
    define("schema_contract = \"freeze\"", "");
    workplace.run().success();
    define(contract, columns);
    source.serve(export);
    let before = workplace.lake().snapshot();
    let finished = workplace.run();
    assert_eq!(finished.code != 0, workplace.lake().snapshot() == before);
    (finished.code, finished.redacted())
}

const CHANGED: &str =
    "[{\"id\":1,\"n\":1.5,\"o\":{\"a\":1,\"b\":\"x\"},\"new\":true,\"l\":[{\"x\":1}]}]";

#[test]
fn a_frozen_schema_refuses_an_export_that_would_change_it_and_says_how() {
    let (code, shown) = second_night("schema_contract = \"freeze\"", "", CHANGED);
    assert_eq!(code, 6);
    insta::assert_snapshot!(shown);
}

#[test]
fn each_kind_of_change_has_its_own_word() {
    for (contract, forbidden) in [
        ("{ tables = \"freeze\" }", "+ table t__l (new)"),
        ("{ columns = \"freeze\" }", "+ t.new bool (new)"),
        ("{ data_type = \"freeze\" }", "~ t.n int64 → "),
    ] {
        let (code, shown) = second_night(&format!("schema_contract = {contract}"), "", CHANGED);
        assert_eq!(code, 6, "{contract}");
        assert!(shown.contains(forbidden), "{contract}: {shown}");
    }
    assert_eq!(second_night("schema_contract = \"evolve\"", "", CHANGED).0, 0);
    assert_eq!(second_night("", "", CHANGED).0, 0);
}

#[test]
fn what_is_declared_is_no_surprise() {
    let columns = "n = \"decimal(9,2)\"\nnew = \"bool\"\no__b = \"string\"\nl = { exclude = true }";
    assert_eq!(second_night("schema_contract = \"freeze\"", columns, CHANGED).0, 0);
}

#[test]
fn a_frozen_schema_takes_the_same_and_less() {
    let less = "[{\"id\":2,\"n\":null}]";
    assert_eq!(second_night("schema_contract = \"freeze\"", "", less).0, 0);
}

/// What is in the table and in quarantine after a second night under a contract.
fn discarded(contract: &str, export: &str) -> (Vec<String>, Vec<String>, Vec<serde_json::Value>) {
    let source = Source::serving("[{\"id\":1,\"n\":1,\"o\":{\"a\":1}}]");
    let workplace = Workplace::asking(&source);
    workplace.define(&format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nschema_contract = \"{contract}\"\n\
         [tables.columns]\nday = \"date\""
    ));
    workplace.run().success();
    let before = workplace.lake().schema("t");
    source.serve(export);
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.schema("t"), before);
    assert_eq!(lake.tables(), ["t"]);
    let quarantine = lake.quarantine("t");
    let lines = quarantine
        .iter()
        .map(|line| serde_json::json!([line["record"]["id"], line["row_kept"], line["reasons"]]));
    (lake.column("t", "id"), lake.column("t", "n"), lines.collect())
}

const SURPRISES: &str = r#"[{"id":1,"n":1,"day":"2026-01-01"},
    {"id":2,"n":2.5},
    {"id":3,"n":3,"o":{"a":1,"b":"x"}},
    {"id":4,"n":4,"l":[{"x":1}]},
    {"id":5,"n":5,"new":null,"o":{"b":null}},
    {"id":6,"n":6,"day":"soon","new":[]},
    {"id":7,"n":"seven","new":true}]"#;

#[test]
fn a_contract_may_discard_rows() {
    let (ids, numbers, quarantine) = discarded("discard_row", SURPRISES);
    assert_eq!(ids, ["1", "5"]);
    assert_eq!(numbers, ["1", "5"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&quarantine).unwrap());
}

#[test]
fn a_contract_may_discard_values() {
    let (ids, numbers, quarantine) = discarded("discard_value", SURPRISES);
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(numbers, ["1", "null", "3", "4", "5", "6", "null"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&quarantine).unwrap());
}

#[test]
fn hours_are_partitions_of_timestamps_in_utc() {
    let (_workplace, lake) = loaded(
        r#"[{"id":1,"at":"2026-10-05T14:03:07Z","lines":[{"n":1}]},
            {"id":2,"at":"2026-10-05T16:59:59.999999+02:00"},
            {"id":3,"at":"2026-10-05T15:00:00Z"},
            {"id":4,"at":null}]"#,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"hour(at)\"]",
    );
    assert_eq!(
        lake.partitions("t"),
        ["at_hour=2026-10-05-14", "at_hour=2026-10-05-15", "at_hour=none",]
    );
    assert_eq!(lake.partitions("t__lines"), ["at_hour=2026-10-05-14"]);
}
