//! The ledger of values: every value of a record is in a column, excluded or in quarantine (V2).

use super::nights::Nights;

const NAMES: [&str; 4] =
    ["values_received", "values_loaded", "values_excluded", "values_quarantined"];

/// A run counts these values received, loaded, excluded and quarantined.
#[track_caller]
fn check(settings: &str, json: &str, expected: [usize; 4]) {
    let nights = Nights::of_t(settings);
    nights.load(json);
    assert_eq!(nights.counts("t", NAMES), expected, "{settings}\n{json}");
}

#[test]
fn v02_every_place_of_a_value_counts() {
    for (json, values) in [
        (r#"[{"id":1,"a":"x","b":true,"c":1.5,"d":null}]"#, 4),
        (r#"[{"id":1,"o":{"a":1,"p":{"b":"x"}},"e":{},"f":[]}]"#, 3),
        (r#"[{"id":1,"l":[1,null,2]},{"id":2,"l":3}]"#, 5),
        (r#"[{"id":1,"l":[{"n":1,"m":["x","y"]},{}]},{"id":2,"l":{"n":2}}]"#, 6),
        (r#"[{"id":1,"l":[{"n":1},5,"x",["y",[2]]]}]"#, 6),
        (r#"[{"id":1,"l":[[1,2],[],[3]]}]"#, 4),
        (r#"[{"id":1,"x":1},{"id":2,"x":{"y":2}},{"id":3,"x":[3]},{"id":4,"x":[{"y":4}]}]"#, 8),
        (r#"[{"id":1,"a":{"b":1},"a__b":2,"A":{"B":3}}]"#, 4),
    ] {
        for nested in ["tables", "columns"] {
            let expected = [values, values, 0, 0];
            check(&format!("nested = \"{nested}\"\n"), json, expected);
        }
    }
}

#[test]
fn v02_json_text_is_one_value() {
    let json = r#"[{"id":1,"o":{"a":1,"b":[1,2]},"l":[1,2,3],"e":{}},{"id":2,"o":5}]"#;
    check("nested = \"json\"\n", json, [5, 5, 0, 0]);
    // What is excluded is no text.
    check("nested = \"json\"\n[tables.columns]\no = { exclude = true }\n", json, [7, 3, 4, 0]);
    let depth = 40;
    let deep = format!("[{{\"id\":1,\"d\":{}5,6{}}}]", "[".repeat(depth), "]".repeat(depth));
    check("nested = \"columns\"\n", &deep, [2, 2, 0, 0]);
}

#[test]
fn v02_texts_that_mean_null_are_excluded() {
    let json = r#"[{"id":1,"a":"n/a","l":["n/a","x"],"o":{"b":"n/a"}},{"id":2,"a":"y"}]"#;
    check("null_values = [\"n/a\"]\n", json, [7, 4, 3, 0]);
    // In JSON text they stay.
    check("null_values = [\"n/a\"]\nnested = \"json\"\n", json, [6, 5, 1, 0]);
}

#[test]
fn v02_values_of_partition_columns_are_counted_once() {
    let json = r#"[{"id":1,"s":"open","m":"2026-10-05"},{"id":2,"s":null},{"id":3,"s":"x","m":"2026-10-06"}]"#;
    for partition_by in ["s", "month(m)", "s\", \"month(m)", "m\", \"month(m)"] {
        check(&format!("partition_by = [\"{partition_by}\"]\n"), json, [7, 7, 0, 0]);
    }
}

#[test]
fn v02_excluded_values_count_wherever_they_are() {
    let columns =
        "[tables.columns]\nsupplier__name = { exclude = true }\nlines = { exclude = true }\n";
    let json = r#"[{"id":1,"supplier":{"name":"n","city":"c"},"lines":[{"n":1},2]},
                   {"id":2,"supplier":[{"name":"m","city":"d"}]},
                   {"id":3,"supplier":{"city":"e"},"lines":null}]"#;
    let nights = Nights::of_t(columns);
    nights.load(json);
    let [received, loaded, excluded, quarantined] = nights.counts("t", NAMES);
    assert_eq!([received, loaded + excluded, quarantined], [10, 10, 0]);
    assert!(excluded >= 2);
    let child = "\n[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n\
                 [tables.columns]\nsecret = { exclude = true }\nvalue = { exclude = true }\n";
    let json =
        r#"[{"id":1,"lines":[{"n":1,"secret":{"a":1,"b":[2]}},7]},{"id":2,"lines":{"secret":3}}]"#;
    check(child, json, [7, 3, 4, 0]);
}

#[test]
fn v02_excluded_values_of_a_quarantined_record_are_excluded() {
    let columns = "[tables.columns]\nsecret = { exclude = true }\nn = \"int64\"\n";
    let json = r#"[{"id":1,"secret":[1,2],"n":"x"},{"id":2,"secret":3,"n":4}]"#;
    check(columns, json, [7, 2, 3, 2]);
}

#[test]
fn v02_a_record_that_repeats_a_unique_value_is_in_quarantine_with_its_values() {
    let settings = "checks = [{ unique = \"u\" }]\n[tables.columns]\nsecret = { exclude = true }\n";
    let json =
        r#"[{"id":1,"u":"x","l":[1,2],"secret":1},{"id":2,"u":"x","l":[{"n":3}],"secret":2}]"#;
    check(settings, json, [9, 4, 2, 3]);
}

#[test]
fn v02_a_record_that_cannot_be_decoded_has_no_values() {
    check("", r#"[{"id":1,"a":1,"a":2},{"id":2},5]"#, [1, 1, 0, 0]);
}

#[test]
fn v02_values_that_a_contract_discards_are_in_quarantine() {
    let contract = |words: &str| format!("schema_contract = {{ {words} }}\n");
    for (words, night, expected) in [
        ("data_type = \"discard_value\"", r#"[{"id":2,"a":"x"},{"id":3,"a":3}]"#, [4, 3, 0, 1]),
        ("data_type = \"discard_row\"", r#"[{"id":2,"a":"x"},{"id":3,"a":3}]"#, [4, 2, 0, 2]),
        (
            "data_type = \"discard_value\"",
            r#"[{"id":2,"a":2,"l":[1,"x",2],"o":[5]},{"id":3,"l":"y"}]"#,
            // A list with an item that does not fit is discarded as a whole.
            [8, 3, 0, 5],
        ),
        (
            "columns = \"discard_value\", tables = \"discard_value\"",
            r#"[{"id":2,"a":1,"p":{"q":1,"r":[1,2]},"new":[{"n":1}]},{"id":3,"a":3}]"#,
            [8, 4, 0, 4],
        ),
        (
            "columns = \"discard_row\"",
            r#"[{"id":2,"a":1,"p":{"q":1,"r":[1,2]}},{"id":3,"a":3}]"#,
            [7, 2, 0, 5],
        ),
    ] {
        for disposition in ["append", "merge"] {
            let disposition = format!("write_disposition = \"{disposition}\"\n");
            let nights = Nights::of_t(&format!("{disposition}{}", contract(words)));
            nights.load(r#"[{"id":1,"a":1,"l":[1],"o":1}]"#);
            nights.load(night);
            assert_eq!(nights.counts("t", NAMES), expected, "{words}\n{night}");
        }
    }
}

#[test]
fn v02_unchanged_and_superseded_rows_count_as_loaded() {
    let nights = Nights::of_t("write_disposition = \"merge\"\ncursor = \"u\"\n");
    nights.load(r#"[{"id":1,"u":1,"l":[{"n":1}]},{"id":1,"u":2,"l":[]},{"id":2,"u":1}]"#);
    assert_eq!(nights.counts("t", NAMES), [7, 7, 0, 0]);
    assert_eq!(nights.counts("t", ["superseded"]), [1]);
    nights.load(r#"[{"id":1,"u":2,"l":[]},{"id":2,"u":3}]"#);
    assert_eq!(nights.counts("t", ["unchanged", "updated"]), [1, 1]);
    assert_eq!(nights.counts("t", NAMES), [4, 4, 0, 0]);
    // Only the table of the records counts.
    assert_eq!(nights.counts("t__l", NAMES), [usize::MAX; 4]);
}

#[test]
fn v02_a_retry_counts_the_values_of_its_records() {
    let nights = Nights::of_t("write_disposition = \"append\"\n[tables.columns]\nn = \"int64\"\n");
    nights.load(r#"[{"id":1,"n":"x","l":[1,2]},{"id":2,"n":2}]"#);
    assert_eq!(nights.counts("t", NAMES), [6, 2, 0, 4]);
    nights.redefine_t("write_disposition = \"append\"\n[tables.columns]\nn = \"string\"\n");
    let retried = nights.retry();
    assert_eq!(retried.code, 0, "{}", retried.stderr);
    assert_eq!(nights.counts("t", NAMES), [4, 4, 0, 0]);
}

#[test]
fn v02_columns_of_other_names_and_paths_have_each_value_once() {
    let columns =
        "[tables.columns]\nb = { from = \"/a\" }\nc = { from = \"/o/p\", type = \"string\" }\n";
    let json = r#"[{"id":1,"a":1,"o":{"p":"x","q":2}},{"id":2,"a":[3],"o":{"p":"y"}}]"#;
    check(columns, json, [7, 7, 0, 0]);
}

#[test]
fn v02_an_export_without_records_has_no_values() {
    check("[tables.columns]\nid = \"int64\"\n", "[]", [0, 0, 0, 0]);
}
