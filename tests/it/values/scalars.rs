//! V18 and V19: doubles, and values that mean that there is none.

use super::nights::Nights;

/// What a declared double becomes.
fn double(json: &str) -> String {
    let nights = Nights::of_t("[tables.columns]\nv = \"float64\"\n");
    nights.load(&format!("[{{\"id\":1,\"v\":{json}}},{{\"id\":2}}]"));
    match &nights.waiting("t")[..] {
        [] => nights.t(&["id", "v"])[0][4..].to_owned(),
        _ => "quarantine".to_owned(),
    }
}

#[test]
fn v18_a_fraction_is_the_nearest_double() {
    for (json, expected) in [
        ("0.1000000000000000055", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("5e-324", "5e-324"),
        ("1e-320", "1e-320"),
        ("123456789.123456789123456789", "123456789.12345679"),
        ("0e-999999", "0.0"),
        ("-0.0", "-0.0"),
        ("1e2", "100.0"),
        ("9007199254740992", "9007199254740992.0"),
    ] {
        assert_eq!(double(json), expected, "{json}");
    }
}

#[test]
fn v18_underflow_to_zero_overflow_and_integers_that_are_no_double_are_in_quarantine() {
    for json in ["1e-400", "-1e-400", "2e-324", "1e400", "-1E999", "9007199254740993"] {
        assert_eq!(double(json), "quarantine", "{json}");
    }
}

#[test]
fn v18_lists_and_fields_of_doubles_follow_the_same_rule() {
    let nights = Nights::of_t(
        "nested = \"columns\"\n[tables.columns]\nl = \"list<float64>\"\no = \"struct<f: float64>\"\n",
    );
    nights.load(
        r#"[{"id":1,"l":[0.1000000000000000055],"o":{"f":1e-320}},{"id":2,"l":[1e-400]},{"id":3,"o":{"f":9007199254740993}}]"#,
    );
    assert_eq!(nights.t(&["id", "l", "o"]), ["1 | [0.1] | {f: 1e-320}"]);
    assert_eq!(nights.waiting("t"), ["2 row", "3 row"]);
}

#[test]
fn v18_a_fraction_with_more_digits_does_not_fit_an_inferred_column_of_doubles() {
    let odd = "10022.0000000000000000017";
    for (contract, row, waits) in [
        ("discard_value", vec!["2 | null", "3 | 2.5"], "2 value"),
        ("discard_row", vec!["3 | 2.5"], "2 row"),
    ] {
        let nights = Nights::of_t(&format!("schema_contract = \"{contract}\"\n"));
        nights.load(r#"[{"id":1,"v":1.5}]"#);
        nights.load(&format!(r#"[{{"id":2,"v":{odd}}},{{"id":3,"v":2.5}}]"#));
        assert_eq!(nights.t(&["id", "v"]), row, "{contract}");
        assert_eq!(nights.waiting("t"), [waits], "{contract}");
    }
}

#[test]
fn v18_a_fraction_with_more_digits_does_not_fit_inferred_doubles_in_lists_and_objects() {
    let odd = "10022.0000000000000000017";
    let nights = Nights::of_t("nested = \"columns\"\nschema_contract = \"discard_value\"\n");
    nights.load(r#"[{"id":1,"l":[1.5],"o":{"f":1.5}}]"#);
    nights.load(&format!(r#"[{{"id":2,"l":[2.5,{odd}]}},{{"id":3,"o":{{"f":{odd}}}}}]"#));
    assert_eq!(nights.t(&["id", "o"]), ["2 | null", "3 | {f: null}"]);
    assert!(!nights.all_values().join(" ").contains("10022"), "a digit is lost");
    assert_eq!(nights.waiting("t"), ["2 value", "3 value"]);
}

#[test]
fn v19_null_values_take_any_scalar() {
    let nights = Nights::of_t("null_values = [false, \"\", \"-\", 0, 2026-01-01]\n");
    nights.load(
        r#"[{"id":1,"a":false,"b":"","c":"-","d":0,"e":"2026-01-01","l":[0,1,false]},{"id":2,"a":true,"b":"x","c":"--","d":5,"e":"2026-01-02"}]"#,
    );
    assert_eq!(
        nights.t(&["id", "a", "b", "c", "d", "e", "l"]),
        [
            "1 | null | null | null | null | null | [null, 1, null]",
            "2 | true | \"x\" | \"--\" | 5 | 2026-01-02 | null"
        ]
    );
    assert_eq!(
        nights.columns("t"),
        ["id int64", "a bool", "b string", "c string", "d int64", "e date", "l list<int64>"]
            .map(str::to_owned)
    );
}

#[test]
fn v19_numbers_are_compared_by_value_and_texts_as_they_are() {
    let nights = Nights::of_t("null_values = [0, -1, \"n/a\"]\n");
    nights.load(
        r#"[{"id":1,"v":0.0},{"id":2,"v":-1.00},{"id":3,"v":1.5},{"id":4,"w":"0"},{"id":5,"w":"N/A"},{"id":6,"w":"n/a"}]"#,
    );
    assert_eq!(
        nights.t(&["id", "v", "w"]),
        [
            "1 | null | null",
            "2 | null | null",
            "3 | 1.5 | null",
            "4 | null | \"0\"",
            "5 | null | \"N/A\"",
            "6 | null | null"
        ]
    );
}

#[test]
fn v19_a_column_has_null_values_of_its_own() {
    let nights = Nights::of_t(
        "null_values = [\"\"]\n[tables.columns]\npaid = { null_values = [false, \"-\"] }\nnote = { null_values = [] }\n",
    );
    nights.load(
        r#"[{"id":1,"paid":false,"note":"","other":"","flag":false},{"id":2,"paid":"-","note":"-","other":"-"},{"id":3,"paid":true}]"#,
    );
    assert_eq!(
        nights.t(&["id", "paid", "note", "other", "flag"]),
        [
            "1 | null | \"\" | null | false",
            "2 | null | \"-\" | \"-\" | null",
            "3 | true | null | null | null"
        ]
    );
    assert_eq!(nights.type_of("t", "paid"), "bool");
}

#[test]
fn v19_false_where_odoo_means_nothing_does_not_retype_a_column() {
    let nights = Nights::of_t("null_values = [false]\n");
    nights.load(r#"[{"id":1,"due":"2026-10-05","partner":{"name":"n"}},{"id":2,"due":false,"partner":false}]"#);
    assert_eq!(nights.columns("t"), ["id int64", "due date", "partner__name string"]);
    assert_eq!(nights.t(&["id", "due"]), ["1 | 2026-10-05", "2 | null"]);
}

#[test]
fn v19_check_refuses_null_values_that_are_no_scalars() {
    let nights = Nights::of_t("null_values = [[1]]\n");
    assert_eq!(nights.check().code, 2);
}
