//! What random nights have found: the smallest input of each.

use serde_json::Value;

use super::nights::Nights;

/// Two tables of one export.
fn two(first: &str, second: &str) -> Nights {
    Nights::of(&format!(
        "[[tables]]\nname = \"a\"\nrecords = \"/a\"\n{first}\n[[tables]]\nname = \"b\"\nrecords = \"/b\"\n{second}"
    ))
}

const MERGE: &str = "primary_key = [\"id\"]\nwrite_disposition = \"merge\"\n";

#[test]
fn p1_merged_tables_may_have_the_same_keys() {
    let nights = two(MERGE, MERGE);
    nights.load(r#"{"a":[{"id":1,"v":1},{"id":2,"v":1}],"b":[{"id":1,"v":1}]}"#);
    nights.load(r#"{"a":[{"id":1,"v":1},{"id":2,"v":3}],"b":[{"id":1,"v":5},{"id":2,"v":6}]}"#);
    assert_eq!(nights.rows("a", &["id", "v"]), ["1 | 1", "2 | 3"]);
    assert_eq!(nights.rows("b", &["id", "v"]), ["1 | 5", "2 | 6"]);
}

#[test]
fn p1_a_merged_table_costs_other_tables_nothing() {
    for other in [
        "write_disposition = \"overwrite_partitions\"\npartition_by = [\"month(at)\"]\n",
        "write_disposition = \"overwrite_partitions\"\npartition_by = [\"month(at)\"]\nprimary_key = [\"id\"]\n",
        "write_disposition = \"append\"\nprimary_key = [\"id\"]\ncursor = \"id\"\n",
        "write_disposition = \"append\"\nsort_by = [\"id\"]\n",
        "write_disposition = \"replace\"\nsort_by = [\"id\"]\n",
    ] {
        let nights = two(MERGE, other);
        nights.load(r#"{"a":[{"id":1,"v":1},{"id":2,"v":1}],"b":[{"id":9,"at":"2026-03-01"}]}"#);
        nights.load(
            r#"{"a":[{"id":1,"v":1},{"id":2,"v":3}],"b":[{"id":1,"at":"2026-01-02"},{"id":2,"at":"2026-01-03"}]}"#,
        );
        let rows = nights.rows("b", &["id", "at"]);
        for row in ["1 | 2026-01-02", "2 | 2026-01-03"] {
            assert!(rows.iter().any(|it| it == row), "{other}: {rows:?}");
        }
    }
}

#[test]
fn v15_under_any_contract_the_first_records_tell_the_columns_of_a_table_that_began_empty() {
    for contract in ["evolve", "freeze", "discard_row", "discard_value"] {
        let nights = Nights::of_t(&format!("schema_contract = \"{contract}\"\n"));
        nights.load("[]");
        let finished = nights.night(r#"[{"id":1,"a":5}]"#);
        assert_eq!(finished.code, 0, "{contract}: {}", finished.stderr);
        assert_eq!(nights.t(&["id", "a"]), ["1 | 5"], "{contract}");
        assert!(nights.waiting("t").is_empty(), "{contract}");
    }
}

#[test]
fn v09_empty_lists_and_objects_say_nothing_with_nested_json() {
    for contract in ["evolve", "freeze", "discard_row", "discard_value"] {
        for nothing in ["[]", "{}"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"append\"\nnested = \"json\"\nschema_contract = \"{contract}\"\n"
            ));
            nights.load(r#"[{"id":1,"a":0.5}]"#);
            let finished = nights.night(&format!("[{{\"id\":2,\"a\":{nothing}}},{{\"id\":3}}]"));
            assert_eq!(finished.code, 0, "{contract} {nothing}: {}", finished.stderr);
            assert_eq!(nights.type_of("t", "a"), "float64", "{contract} {nothing}");
            assert!(nights.waiting("t").is_empty(), "{contract} {nothing}");
        }
    }
}

#[test]
fn v09_an_empty_list_under_a_key_with_the_name_of_another_gives_way() {
    for (first, second) in [
        (r#"{"Value":[false]}"#, r#"{"Value":[true],"value":[]}"#),
        (r#"{"value":[false]}"#, r#"{"Value":[],"value":[true]}"#),
        (r#"{"value":[false]}"#, r#"{"VALUE":{},"Value":[],"value":[true]}"#),
    ] {
        let nights = Nights::of_t("write_disposition = \"append\"\nnested = \"columns\"\n");
        nights.load(&format!("[{{\"id\":1,\"o\":{first}}}]"));
        nights.load(&format!("[{{\"id\":2,\"o\":{second}}}]"));
        assert_eq!(nights.t(&["id", "o"]), ["1 | {value: [false]}", "2 | {value: [true]}"]);
        assert!(nights.waiting("t").is_empty(), "{second}");
    }
}

const APPEND: &str = "write_disposition = \"append\"\nschema_contract = \"evolve\"\n";

#[test]
fn p4_an_integer_that_a_double_has_with_other_digits_keeps_its_own_among_fractions() {
    for (first, second, rows) in [
        ("9223372036854775808", "0.5", ["9223372036854775808.0", "0.5"]),
        ("0.5", "-9223372036854775808", ["0.5", "-9223372036854775808.0"]),
        ("[9223372036854775808,0.5]", "[]", ["[9223372036854775808.0, 0.5]", "[]"]),
        (
            r#"{"a":1152921504606846976}"#,
            r#"{"a":0.5}"#,
            ["{a: 1152921504606846976.0}", "{a: 0.5}"],
        ),
    ] {
        let nights = Nights::of_t(&format!("{APPEND}nested = \"columns\"\n"));
        nights.load(&format!(r#"[{{"id":1,"v":{first}}}]"#));
        nights.load(&format!(r#"[{{"id":2,"v":{second}}}]"#));
        assert_eq!(
            nights.t(&["id", "v"]),
            [0, 1].map(|row| format!("{} | {}", row + 1, rows[row]))
        );
    }
}

#[test]
fn p4_a_double_that_becomes_text_has_the_digits_that_it_was_written_with() {
    for (written, text) in [
        ("9007199254740992", "9007199254740992"),
        ("9.223372036854776e18", "9.223372036854776e18"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("1E300", "1e300"),
        ("5e-324", "5e-324"),
        ("-0", "-0"),
    ] {
        let text = format!("\"{text}\"");
        for (night, row) in [
            (format!("[{written},0.5]"), format!("[{text}, \"0.5\"]")),
            (
                format!(r#"{{"a":{written},"b":{{"c":[{written}]}}}}"#),
                format!("{{a: {text}, b: {{c: [{text}]}}}}"),
            ),
        ] {
            let nights = Nights::of_t(&format!("{APPEND}nested = \"columns\"\n"));
            let other =
                if night.starts_with('[') { r#"["x"]"# } else { r#"{"a":"x","b":{"c":"x"}}"# };
            nights.load(&format!(r#"[{{"id":1,"v":{night},"w":{written}}},{{"id":2,"w":0.5}}]"#));
            nights.load(&format!(r#"[{{"id":3,"v":{other},"w":"x"}}]"#));
            assert_eq!(nights.t(&["id", "v", "w"])[0], format!("1 | {row} | {text}"), "{written}");
        }
    }
}

#[test]
fn p4_the_negative_zero_is_zero_in_a_decimal_and_stays_as_it_is_written_in_a_column_of_text() {
    let nights = Nights::of_t(APPEND);
    nights.load(r#"[{"id":1,"v":282.0000000000000000567},{"id":2,"v":-0}]"#);
    nights.load(r#"[{"id":3,"v":"x"},{"id":4,"v":-0}]"#);
    nights.load(r#"[{"id":5,"v":-0.0}]"#);
    assert_eq!(
        nights.t(&["id", "v"]),
        [
            "1 | \"282.0000000000000000567\"",
            "2 | \"0.0000000000000000000\"",
            "3 | \"x\"",
            "4 | \"-0\"",
            "5 | \"-0.0\"",
        ]
    );
}

#[test]
fn p1_a_record_that_waits_and_comes_twice_waits_once_and_its_first_version_is_superseded() {
    let nights = Nights::of_t(
        "write_disposition = \"merge\"\nschema_contract = { data_type = \"discard_value\" }\n",
    );
    nights.load(r#"[{"id":1,"v":1}]"#).load(r#"[{"id":2,"v":"x"},{"id":1,"v":1}]"#);
    assert_eq!(nights.waiting("t"), ["2 value"]);
    // The second time it is the export that has been loaded already.
    for counts in [[3, 2, 1], [3, 3, 0]] {
        nights.load(r#"[{"id":2,"v":"x"},{"id":2,"v":"x"},{"id":1,"v":1}]"#);
        assert_eq!(nights.waiting("t"), ["2 value", "2 value"]);
        let superseded = |line: &Value| line["superseded"] == true;
        assert_eq!(nights.lake().quarantine("t").into_iter().filter(superseded).count(), 1);
        assert_eq!(nights.counts("t", ["received", "unchanged", "superseded"]), counts);
        assert_eq!(nights.t(&["id", "v"]), ["1 | 1", "2 | null"]);
    }
}

#[test]
fn p1_an_object_and_a_list_of_one_name_have_a_column_and_a_child_table() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1,"aB":{"a_b":"x"},"a_b":[{"a_b":"x"},{"a_b":"y"}]}]"#);
    assert_eq!(nights.t(&["id", "a_b__a_b"]), ["1 | \"x\""]);
    assert_eq!(nights.rows("t__a_b", &["_index", "a_b"]), ["0 | \"x\"", "1 | \"y\""]);
}

#[test]
fn p9_an_object_without_members_is_an_empty_list() {
    for disposition in ["replace", "append", "overwrite_partitions", "merge"] {
        for (records, list, empty) in [
            ("/data", r#"{"data":[{"id":1},{"id":2}]}"#, r#"{"data":{ }}"#),
            ("", r#"[{"id":1},{"id":2}]"#, "{}"),
        ] {
            let key = match disposition {
                "merge" => "primary_key = [\"id\"]\n",
                "overwrite_partitions" => "partition_by = [\"id\"]\n",
                _ => "",
            };
            let nights = Nights::of(&format!(
                "[[tables]]\nname = \"t\"\n{key}records = \"{records}\"\nwrite_disposition = \"{disposition}\"\n"
            ));
            nights.load(list);
            let finished = nights.night(empty);
            let keeps_rows = matches!(disposition, "append" | "merge");
            let code = if keeps_rows { 0 } else { 6 };
            assert_eq!(finished.code, code, "{disposition} {records}: {}", finished.stderr);
            assert_eq!(nights.t(&["id"]), ["1", "2"], "{disposition} {records}");
        }
    }
}

#[test]
fn p9_one_object_takes_the_place_of_no_list_of_several() {
    let message = r#"{"message":"maintenance"}"#;
    for (disposition, at_root, code) in
        [("replace", true, 6), ("replace", false, 6), ("append", false, 6), ("append", true, 0)]
    {
        let envelope = |json: &str| {
            if at_root { json.to_owned() } else { format!("{{\"data\":{json}}}") }
        };
        let records = if at_root { "" } else { "/data" };
        let nights = Nights::of(&format!(
            "[[tables]]\nname = \"t\"\nrecords = \"{records}\"\nwrite_disposition = \"{disposition}\"\n"
        ));
        nights.load(&envelope(r#"[{"id":1},{"id":2}]"#));
        let finished = nights.night(&envelope(message));
        assert_eq!(finished.code, code, "{disposition} {at_root}: {}", finished.stderr);
        if code == 6 {
            assert_eq!(nights.t(&["id"]), ["1", "2"], "{disposition} {at_root}");
            assert!(finished.stderr.contains("it is no list"), "{}", finished.stderr);
            let accepted = nights.workplace.flowlake(&["run", "test.toml", "--allow-shrink"]);
            assert_eq!(accepted.code, 0, "{}", accepted.stderr);
        }
    }
}

#[test]
fn an_object_each_night_is_a_record_each_night() {
    for (disposition, rows) in [("replace", 1), ("append", 3)] {
        let nights = Nights::of(&format!(
            "[[tables]]\nname = \"t\"\nrecords = \"/data\"\nwrite_disposition = \"{disposition}\"\n"
        ));
        for id in 1..4 {
            nights.load(&format!("{{\"data\":{{\"id\":{id}}}}}"));
        }
        assert_eq!(nights.t(&["id"]).len(), rows, "{disposition}");
    }
}
