//! V11 and V19: columns of JSON, and null values, where others stand beside them.

use super::nights::Nights;

#[test]
fn v11_the_canonical_text_is_as_documented() {
    let page = include_str!("../../../docs/types.md");
    let (_, section) = page.split_once("A declared `json` holds").unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    let rows: Vec<Vec<&str>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()
        })
        .collect();
    assert!(rows.len() > 5);
    let records: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(id, row)| format!("{{\"id\":{id},\"v\":{}}}", row[1]))
        .collect();
    let nights = Nights::of_t("[tables.columns]\nv = \"json\"\n");
    nights.load(&format!("[{}]", records.join(",")));
    let expected = rows.iter().map(|row| serde_json::Value::from(row[2]).to_string());
    assert_eq!(
        nights.t(&["id", "v"]),
        expected.enumerate().map(|(id, text)| format!("{id} | {text}")).collect::<Vec<_>>()
    );
}

#[test]
fn v11_json_is_the_same_value_however_it_is_written() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n[tables.columns]\nv = \"json\"\n");
    nights.load(r#"[{"id":1,"v":{"b":[1,{"y":1,"x":2}],"a":"\u00e9/"}},{"id":2,"v":1.0}]"#);
    nights.load(r#"[{"id":1,"v":{ "a" : "é\/", "b":[1,{"x":2,"y":1}]}},{"id":2,"v":1.00}]"#);
    assert_eq!(nights.counts("t", ["updated", "unchanged"]), [1, 1]);
    assert_eq!(nights.t(&["v"])[0], r#""1.00""#);
}

#[test]
fn v11_a_key_that_is_repeated_in_json_costs_its_record() {
    for settings in ["[tables.columns]\nv = \"json\"\n", "nested = \"json\"\n"] {
        let nights = Nights::of_t(settings);
        nights.load(r#"[{"id":1,"v":[{"a":1,"b":2,"\u0061":3}]},{"id":2,"v":[1]}]"#);
        assert_eq!(nights.t(&["id"]), ["2"], "{settings}");
        assert_eq!(nights.waiting("t"), ["1 row"], "{settings}");
    }
}

#[test]
fn v11_a_column_of_json_may_be_renamed_and_deep_and_wide() {
    let members: Vec<String> = (0..3_000).map(|key| format!("\"k{key}\":{key}")).collect();
    let wide = format!("{{{}}}", members.join(","));
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    for nested in ["tables", "columns", "json"] {
        let nights = Nights::of_t(&format!(
            "nested = \"{nested}\"\n[tables.columns]\nraw = {{ type = \"json\", from = \"/Prices\" }}\n"
        ));
        nights.load(&format!("[{{\"id\":1,\"Prices\":{wide}}},{{\"id\":2,\"Prices\":{deep}}}]"));
        assert_eq!(nights.columns("t"), ["id int64", "raw string"], "{nested}");
        assert_eq!(nights.t(&["id", "raw"])[1], format!("2 | {deep:?}"), "{nested}");
    }
}

#[test]
fn v11_older_columns_do_not_become_json_and_json_becomes_text() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"v":"x","n":null}]"#);
    let refused = nights
        .redefine_t("write_disposition = \"append\"\n[tables.columns]\nv = \"json\"\n")
        .night(r#"[{"id":2,"v":"y"}]"#);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("v_json = "), "{}", refused.stderr);
    // What has had no value yet may.
    nights.redefine_t("write_disposition = \"append\"\n[tables.columns]\nn = \"json\"\n");
    nights.load(r#"[{"id":2,"v":"y","n":"z"}]"#);
    // Another column: the file of the first night is read again.
    nights.load(r#"[{"id":3,"n":{"a":1},"new":1}]"#);
    assert_eq!(nights.t(&["id", "n"]), ["1 | null", r#"2 | "\"z\"""#, r#"3 | "{\"a\":1}""#]);
    nights.redefine_t("write_disposition = \"append\"\n[tables.columns]\nn = \"string\"\n");
    nights.load(r#"[{"id":4,"n":"w"}]"#);
    assert_eq!(nights.t(&["n"]).len(), 4);
}

#[test]
fn v11_check_refuses_json_where_values_are_compared() {
    for settings in [
        "[tables.columns]\nid = \"json\"\n",
        "sort_by = [\"v\"]\n[tables.columns]\nv = \"json\"\n",
        "cursor = \"v\"\n[tables.columns]\nv = \"json\"\n",
        "partition_by = [\"v\"]\n[tables.columns]\nv = \"json\"\n",
        "[tables.columns]\nv = \"list<json>\"\n",
        "nested = \"columns\"\n[tables.columns]\nv = \"struct<a: json>\"\n",
    ] {
        assert_eq!(Nights::of_t(settings).check().code, 2, "{settings}");
    }
}

#[test]
fn v11_json_and_rows_of_one_value_exclude_each_other() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nlines = \"json\"\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n",
    );
    let refused = nights.night(r#"[{"id":1,"lines":[{"n":1}]}]"#);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("`lines`"), "{}", refused.stderr);
}

#[test]
fn v19_null_values_hold_for_keys_cursors_and_partitions() {
    let nights = Nights::of_t(
        "write_disposition = \"merge\"\ncursor = \"at\"\npartition_by = [\"region\"]\nnull_values = [0, \"\", false]\n",
    );
    nights.load(
        r#"[{"id":0,"at":1,"region":"n"},{"id":1,"at":5,"region":"n","v":1},{"id":1,"at":0,"region":"n","v":2},{"id":2,"at":1,"region":false}]"#,
    );
    assert_eq!(nights.waiting("t"), ["0 row"], "a key that is null");
    assert_eq!(nights.t(&["id", "at", "v"]), ["1 | 5 | 1", "2 | 1 | null"]);
    assert_eq!(nights.lake().partitions("t"), ["region_partition=n", "region_partition=none"]);
}

#[test]
fn v19_null_values_hold_in_child_rows_lists_objects_and_nested_columns() {
    let json = r#"[{"id":1,"l":[{"n":"-","m":1},{"n":2,"m":false}],"o":{"x":false,"y":"-"},"s":["-","a"]},{"id":2,"o":{"x":3,"y":"b"}}]"#;
    let nights = Nights::of_t("null_values = [\"-\", false]\n");
    nights.load(json);
    assert_eq!(nights.rows("t__l", &["n", "m"]), ["2 | null", "null | 1"]);
    assert_eq!(
        nights.t(&["id", "o__x", "o__y", "s"]),
        ["1 | null | null | [null, \"a\"]", "2 | 3 | \"b\" | null"]
    );
    let nights = Nights::of_t("nested = \"columns\"\nnull_values = [\"-\", false]\n");
    nights.load(json);
    assert_eq!(nights.type_of("t", "o"), "struct<x: int64, y: string>");
    assert_eq!(nights.type_of("t", "l"), "list<struct<n: int64, m: int64>>");
}

#[test]
fn v19_columns_of_objects_and_child_tables_have_null_values_of_their_own() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nnull_values = [\"\"]\n[tables.columns]\n\
         o__x = { null_values = [false] }\nnote = { from = \"/Note\", null_values = [\"none\"] }\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\nn = { null_values = [-1] }\n",
    );
    nights.load(
        r#"[{"id":1,"o":{"x":false,"y":false},"Note":"none","lines":[{"n":-1.0,"m":-1},{"n":"","m":""}]},{"id":2,"o":{"x":5},"Note":""}]"#,
    );
    assert_eq!(
        nights.t(&["id", "o__x", "o__y", "note"]),
        ["1 | null | false | null", "2 | 5 | null | \"\""]
    );
    assert_eq!(nights.rows("lines", &["n", "m"]), ["\"\" | null", "null | -1"]);
}

#[test]
fn v19_a_null_value_may_be_declared_for_json_and_dates() {
    let nights = Nights::of_t(
        "null_values = [0001-01-01T00:00:00Z]\n[tables.columns]\nv = { type = \"json\", null_values = [\"\", 0, false] }\n",
    );
    nights.load(
        r#"[{"id":1,"v":"","at":"0001-01-01T00:00:00.000Z"},{"id":2,"v":0.0,"at":"2026-10-05T00:00:00Z"},{"id":3,"v":[0,""]},{"id":4,"v":false}]"#,
    );
    assert_eq!(
        nights.t(&["id", "v", "at"]),
        [
            "1 | null | null",
            "2 | null | 2026-10-05T00:00:00Z",
            r#"3 | "[0,\"\"]" | null"#,
            "4 | null | null"
        ]
    );
}

#[test]
fn v11_names_that_keys_need_or_that_begin_with_a_digit_have_rules_too() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\"]\n[tables.columns]\n_2024 = \"json\"\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\nt__x = \"json\"\nt__id = { exclude = true, optional = true }\n",
    );
    nights.load(
        r#"[{"id":1,"at":"2026-10-05","2024":{"a":1},"lines":[{"t":{"x":[1],"id":7},"atMonth":"October"}]}]"#,
    );
    assert_eq!(nights.t(&["_2024"]), [r#""{\"a\":1}""#]);
    assert_eq!(nights.rows("lines", &["t__id", "t__x"]), [r#"1 | "[1]""#]);
    let values = nights.all_values();
    assert!(values.contains(&"7".to_owned()), "no name excludes it: {values:?}");
    assert!(values.contains(&"\"October\"".to_owned()), "{values:?}");
}

#[test]
fn v11_rules_of_a_table_are_not_those_of_the_rows_of_its_lists() {
    let declared = "o__x = { exclude = true }\nl__x = { exclude = true, optional = true }\nl__y = \"json\"\nl__z = { null_values = [3] }\n";
    let nights = Nights::of_t(&format!("[tables.columns]\n{declared}"));
    nights.load(r#"[{"id":1,"l":[{"x":1,"y":2,"z":3}],"o":{"x":4,"y":5}}]"#);
    assert_eq!(nights.rows("t__l", &["x", "y", "z"]), ["1 | 2 | 3"]);
    assert_eq!(nights.t(&["id", "o__x", "o__y"]), ["1 | absent | 5"]);
}

#[test]
fn v19_a_value_that_became_null_is_an_update() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"v":"-"},{"id":2,"v":"x"}]"#);
    nights.redefine_t("write_disposition = \"merge\"\nnull_values = [\"-\"]\n");
    nights.load(r#"[{"id":1,"v":"-"},{"id":2,"v":"x"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | null", "2 | \"x\""]);
    assert_eq!(nights.counts("t", ["updated", "unchanged"]), [1, 1]);
}

#[test]
fn v19_an_excluded_value_is_not_read_and_no_other_goes_with_it() {
    let nights = Nights::of(
        "[limits]\nmax_columns = 5\n\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nprices = { exclude = true }\n",
    );
    let members: Vec<String> = (0..100).map(|key| format!("\"k{key}\":1")).collect();
    nights.load(&format!(
        "[{{\"id\":1,\"prices\":{{{}}},\"price\":2,\"o\":{{\"prices\":3}}}}]",
        members.join(",")
    ));
    assert_eq!(nights.columns("t"), ["id int64", "price int64", "o__prices int64"]);
}
