//! Faults of the kinds of issue 17 that no case names.

use super::nights::{Nights, T};

#[test]
fn v_more_leading_zeros_are_no_number() {
    // Casting a text to the type of its column must not lose what is written.
    for (contract, value) in
        [("", "null"), ("schema_contract = { data_type = \"discard_value\" }\n", "null")]
    {
        let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{contract}"));
        nights.load(r#"[{"id":1,"v":7}]"#).load(r#"[{"id":2,"v":"007"}]"#);
        assert_eq!(
            nights.t(&["id", "v"]),
            ["1 | 7".to_owned(), format!("2 | {value}")],
            "{contract}"
        );
        assert_eq!(nights.waiting("t"), ["2 value"]);
    }
    let nights = Nights::of_t("[tables.columns]\nv = \"int64\"\n");
    nights.load(r#"[{"id":1,"v":7},{"id":2,"v":"007"},{"id":3,"v":"+7"},{"id":4,"v":" 7"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 7"]);
}

#[test]
fn v_more_a_text_that_reads_like_the_type_of_its_inferred_column_stays_a_text() {
    for (known, odd) in [("7", "\"7\""), ("true", "\"true\""), ("7.5", "\"7.5\"")] {
        for contract in ["", "schema_contract = { data_type = \"discard_value\" }\n"] {
            let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{contract}"));
            nights.load(&format!("[{{\"id\":1,\"v\":{known}}}]"));
            nights.load(&format!("[{{\"id\":2,\"v\":{odd}}}]"));
            assert_eq!(nights.t(&["id", "v"])[1], "2 | null", "{contract}{known} then {odd}");
            assert_eq!(nights.waiting("t"), ["2 value"], "{contract}{known} then {odd}");
        }
    }
}

#[test]
fn v_more_the_same_night_twice_changes_nothing_under_any_contract() {
    for contract in ["evolve", "discard_value", "discard_row"] {
        let nights = Nights::of_t(&format!(
            "write_disposition = \"merge\"\nschema_contract = \"{contract}\"\n"
        ));
        nights.load(r#"[{"id":1,"v":1,"l":[1]},{"id":2,"v":2,"l":[2]}]"#);
        let odd = r#"[{"id":1,"v":"x","l":[{"a":1}],"new":1},{"id":2,"v":2,"l":[2]}]"#;
        nights.load(odd);
        let before = nights.lake().snapshot();
        nights.load(odd);
        assert_eq!(nights.lake().snapshot(), before, "{contract}");
        let waiting = nights.waiting("t");
        assert!(waiting.len() < 2, "{contract}: {waiting:?}");
    }
}

#[test]
fn v_more_order_of_records_and_keys_changes_no_type_and_no_name() {
    let records = [
        r#"{"id":1,"a":1,"o":{"x":1},"l":[1],"fooBar":1}"#,
        r#"{"id":2,"a":2.5,"o":[],"l":["2026-10-05"],"foo_bar":2}"#,
        r#"{"foo-bar":3,"l":{},"o":{"x":null,"y":"2026-10-05"},"a":null,"id":3}"#,
        r#"{"id":4,"a":[],"o":null,"l":null}"#,
    ];
    let mut seen: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for turn in 0..records.len() {
        let mut turned = records.to_vec();
        turned.rotate_left(turn);
        let nights = Nights::of_t("");
        nights.load(&format!("[{}]", turned.join(",")));
        let mut columns = nights.columns("t");
        columns.sort();
        let names: Vec<String> =
            columns.iter().map(|column| column.split(' ').next().unwrap().to_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        seen.push((columns.clone(), nights.t(&names)));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:#?}");
}

/// The columns of `t` that have a value in some row.
fn filled(nights: &Nights) -> Vec<String> {
    let rows = nights.records("t");
    let has_value =
        |name: &str| rows.iter().any(|row| row.get(name).is_some_and(|value| value != "null"));
    let mut columns = nights.columns("t");
    columns.retain(|column| has_value(column.split(' ').next().unwrap()));
    columns.sort();
    columns
}

#[test]
fn v_more_one_night_or_two_make_the_same_table() {
    for (first, second) in [
        (r#"{"id":1,"v":null}"#, r#"{"id":2,"v":{"a":1}}"#),
        (r#"{"id":1,"v":[]}"#, r#"{"id":2,"v":[{"a":1}]}"#),
        (r#"{"id":1,"v":{}}"#, r#"{"id":2,"v":5}"#),
        (r#"{"id":1,"v":[]}"#, r#"{"id":2,"v":5}"#),
        (r#"{"id":1}"#, r#"{"id":2,"v":[1.5]}"#),
        (r#"{"id":1,"v":5}"#, r#"{"id":2,"v":5.5}"#),
        (r#"{"id":1,"v":{"a":[]}}"#, r#"{"id":2,"v":{"a":{"b":1}}}"#),
    ] {
        let in_two = Nights::of_t("write_disposition = \"append\"\n");
        in_two.load(&format!("[{first}]")).load(&format!("[{second}]"));
        let at_once = Nights::of_t("write_disposition = \"append\"\n");
        at_once.load(&format!("[{first},{second}]"));
        assert_eq!(in_two.lake().tables(), at_once.lake().tables(), "{first} {second}");
        assert_eq!(filled(&in_two), filled(&at_once), "{first} {second}");
        assert_eq!(in_two.all_values(), at_once.all_values(), "{first} {second}");
    }
}

#[test]
fn v_more_a_column_of_text_takes_a_list_and_an_object_without_becoming_one() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"v":"a"},{"id":2,"v":"b"}]"#);
    nights.load(r#"[{"id":1,"v":"c"},{"id":2,"v":["d"]}]"#);
    assert_eq!(nights.type_of("t", "v"), "string");
    assert_eq!(nights.t(&["id", "v"])[0], "1 | \"c\"");
    assert_eq!(nights.waiting("t"), ["2 value"]);
}

#[test]
fn v_more_numbers_beyond_every_type_cost_their_value_alone() {
    for huge in ["1e400", "100000000000000000000000000000000000000000", "1e-400"] {
        let nights = Nights::of_t("write_disposition = \"merge\"\n");
        nights.load(r#"[{"id":1,"v":0.1000000000000000055}]"#);
        nights.load(&format!("[{{\"id\":2,\"v\":{huge}}},{{\"id\":3,\"v\":0.5}}]"));
        assert_eq!(nights.type_of("t", "v"), "decimal(38,19)", "{huge}");
        assert_eq!(nights.waiting("t"), ["2 value"], "{huge}");
    }
}

#[test]
fn v_more_a_decimal_that_has_no_room_for_more_digits_keeps_its_column() {
    // 20 digits in front and 19 behind are more than 38.
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"v":0.1000000000000000055}]"#);
    nights.load(r#"[{"id":2,"v":12345678901234567890.5},{"id":3,"v":1}]"#);
    assert_eq!(nights.type_of("t", "v"), "decimal(38,19)");
    assert_eq!(nights.t(&["id", "v"])[0], "1 | 0.1000000000000000055");
    assert_eq!(nights.waiting("t"), ["2 value"]);
}

#[test]
fn v_more_integers_beyond_53_bits_and_fractions_keep_their_digits_over_nights() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"v":0.5}]"#).load(r#"[{"id":2,"v":9007199254740993}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 0.5", "2 | 9007199254740993.0"]);
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"v":0.1}]"#).load(r#"[{"id":2,"v":0.1000000000000000055}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 0.1000000000000000000", "2 | 0.1000000000000000055"]);
}

#[test]
fn v_more_a_record_in_quarantine_has_no_say_in_types_and_columns() {
    let nights = Nights::of_t("[tables.columns]\nn = \"int64\"\n");
    nights.load(
        r#"[{"id":1,"n":1,"v":5},{"id":2,"n":"x","v":"text","only_here":1,"lines":[{"a":1}]}]"#,
    );
    assert_eq!(nights.columns("t"), ["id int64", "n int64", "v int64"]);
    assert_eq!(nights.lake().tables(), ["t"]);
    assert_eq!(nights.waiting("t"), ["2 row"]);
}

#[test]
fn v_more_a_record_in_quarantine_has_no_say_in_a_table_that_grows() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n[tables.columns]\nn = \"int64\"\n");
    nights.load(r#"[{"id":1,"n":1,"v":5,"lines":[{"a":1}]}]"#);
    nights.load(
        r#"[{"id":2,"n":"x","v":0.5,"new":"t","lines":[{"a":0.5,"b":1},{"a":2}]},{"id":3,"n":3,"v":6,"new":7,"lines":[{"a":3}]}]"#,
    );
    assert_eq!(nights.columns("t"), ["id int64", "n int64", "v int64", "new int64"]);
    assert_eq!(nights.type_of("t__lines", "a"), "int64");
    assert_eq!(nights.waiting("t"), ["2 row"]);
    assert_eq!(nights.counts("t", ["received", "quarantined"]), [2, 1]);
    assert_eq!(nights.counts("t__lines", ["received", "quarantined"]), [3, 2]);
}

#[test]
fn v_more_a_record_in_quarantine_does_not_give_a_column_its_first_type() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n[tables.columns]\nn = \"int64\"\n");
    nights.load(r#"[{"id":1,"n":1,"v":null}]"#);
    nights.load(r#"[{"id":2,"n":"x","v":"text"},{"id":3,"n":3}]"#);
    nights.load(r#"[{"id":4,"n":4,"v":5}]"#);
    assert_eq!(nights.type_of("t", "v"), "int64");
}

#[test]
fn v_more_a_column_that_only_quarantined_records_have_may_still_be_needed() {
    let nights = Nights::of_t(
        "write_disposition = \"merge\"\nsort_by = [\"s\"]\n[tables.columns]\nn = \"int64\"\ni = { exclude = true }\n",
    );
    nights.load(r#"[{"id":1,"n":1},{"id":2,"n":"x","s":1,"i":"secret"}]"#);
    assert_eq!(nights.waiting("t"), ["2 row"]);
    assert_eq!(nights.t(&["id", "n"]), ["1 | 1"]);
}

#[test]
fn v_more_a_value_kept_out_of_a_child_row_leaves_the_other_rows() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"lines":[{"n":1,"p":1.5},{"n":2,"p":2.5}]}]"#);
    nights.load(r#"[{"id":1,"lines":[{"n":1,"p":1.5},{"n":2,"p":"n/a"}]},{"id":2,"lines":[{"n":3,"p":3.5}]}]"#);
    assert_eq!(nights.type_of("t__lines", "p"), "float64");
    assert_eq!(
        nights.rows("t__lines", &["t__id", "n", "p"]),
        ["1 | 1 | 1.5", "1 | 2 | null", "2 | 3 | 3.5"]
    );
    assert_eq!(nights.waiting("t"), ["1 value"]);
}

#[test]
fn v_more_null_and_missing_are_the_same_null_to_a_merge() {
    let nights = Nights::of_t("write_disposition = \"merge\"\nhistory = true\n");
    nights
        .load(r#"[{"id":1,"a":null,"o":null,"l":null,"b":1},{"id":2,"a":1,"o":{"x":1},"l":[1]}]"#);
    nights.load(r#"[{"id":1,"b":1,"o":{}},{"id":2,"a":1,"o":{"x":1},"l":[1]}]"#);
    assert_eq!(nights.counts("t", ["updated", "unchanged"]), [0, 2]);
}

#[test]
fn v_more_nested_json_is_the_same_whatever_the_order_of_its_keys() {
    let nights = Nights::of_t("write_disposition = \"merge\"\nnested = \"json\"\n");
    nights.load(r#"[{"id":1,"o":{"a":1,"b":[1,{"c":2,"d":3}]}}]"#);
    nights.load(r#"[{"id":1,"o":{"b":[1,{"d":3,"c":2}],"a":1}}]"#);
    assert_eq!(nights.counts("t", ["updated", "unchanged"]), [0, 1]);
}

#[test]
fn v_more_texts_that_only_look_empty_are_kept() {
    let nights = Nights::of(T);
    nights.load(r#"[{"id":1,"a":"","b":" ","c":"null","d":"NaN","e":"\u0000"}]"#);
    assert_eq!(nights.t(&["a", "b", "c", "d", "e"]), [r#""" | " " | "null" | "NaN" | "\u0000""#]);
}

#[test]
fn v_more_a_null_among_objects_of_a_list_keeps_its_place() {
    let nights = Nights::of(T);
    nights.load(r#"[{"id":1,"lines":[{"n":1},null,{},{"n":4}]}]"#);
    assert_eq!(
        nights.rows("t__lines", &["_index", "n"]),
        ["0 | 1", "1 | null", "2 | null", "3 | 4"]
    );
}

#[test]
fn v_more_discarded_values_in_a_child_table_do_not_make_it_appear() {
    let nights =
        Nights::of_t("write_disposition = \"merge\"\nschema_contract = \"discard_value\"\n");
    nights.load(r#"[{"id":1,"a":1}]"#);
    nights.load(r#"[{"id":2,"a":2,"l":[{"x":[{"y":1}]}],"o":{"p":{"q":1},"r":[{"s":1}]}}]"#);
    assert_eq!(nights.lake().tables(), ["t"]);
    assert_eq!(nights.columns("t"), ["id int64", "a int64"]);
    assert_eq!(nights.waiting("t"), ["2 value"]);
}

#[test]
fn v_more_a_frozen_table_takes_records_that_have_less() {
    let nights = Nights::of_t("write_disposition = \"append\"\nschema_contract = \"freeze\"\n");
    nights.load(r#"[{"id":1,"a":1,"lines":[{"n":1.5,"at":"2026-10-05"}],"o":{"x":1}}]"#);
    for less in [
        r#"{"id":2}"#,
        r#"{"id":3,"lines":[]}"#,
        r#"{"id":4,"lines":[{}],"o":{}}"#,
        r#"{"id":5,"lines":{"n":2},"o":null}"#,
        r#"{"id":6,"lines":[{"n":2}]}"#,
    ] {
        nights.load(&format!("[{less}]"));
    }
    assert_eq!(nights.t(&["id"]), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn v_more_excluded_values_do_not_count_as_news() {
    let nights = Nights::of_t(
        "write_disposition = \"append\"\nschema_contract = \"freeze\"\n[tables.columns]\nsecret = { exclude = true }\n",
    );
    nights.load(r#"[{"id":1,"secret":{"a":1}}]"#).load(r#"[{"id":2,"secret":[{"b":1}]}]"#);
    assert_eq!(nights.columns("t"), ["id int64"]);
}

#[test]
fn v_more_dates_and_times_of_day_that_are_none_stay_texts() {
    for text in
        ["2026-02-30", "2026-10-05T24:00:00Z", "2026-10-05T14:03:60Z", "14:03:07", "2026-10"]
    {
        let nights = Nights::of(T);
        nights.load(&format!("[{{\"id\":1,\"v\":\"{text}\"}}]"));
        assert_eq!(nights.t(&["v"]), [format!("\"{text}\"")]);
    }
}

#[test]
fn v_more_a_form_that_also_reads_as_iso_is_taken_by_the_form() {
    // `formats` come first, for every value alike.
    let nights =
        Nights::of_t("[tables.columns]\nv = { type = \"date\", formats = [\"%Y-%d-%m\"] }\n");
    nights.load(r#"[{"id":1,"v":"2026-05-10"},{"id":2,"v":"2026-13-01"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 2026-10-05", "2 | 2026-01-13"]);
}

#[test]
fn v_more_a_decimal_key_in_a_child_table_is_the_same_after_widening() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1.5,"lines":[{"n":1,"sub":[{"m":1}]}]}]"#);
    nights.load(
        r#"[{"id":1.50,"lines":[{"n":1,"sub":[{"m":1}]}]},{"id":0.1000000000000000055,"lines":[{"n":2,"sub":[{"m":2}]}]}]"#,
    );
    for (table, column) in [("t__lines", "n"), ("t__lines__sub", "m")] {
        assert_eq!(
            nights.rows(table, &["t__id", column]),
            ["0.1000000000000000055 | 2", "1.5000000000000000000 | 1"]
        );
    }
    assert_eq!(nights.counts("t__lines", ["inserted", "unchanged"]), [1, 1]);
}

#[test]
fn v_more_a_column_that_was_text_stays_text_when_only_numbers_come() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"v":"x"}]"#).load(r#"[{"id":2,"v":5}]"#).load(r#"[{"id":3,"v":5.50}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"x\"", "2 | \"5\"", "3 | \"5.50\""]);
}

#[test]
fn v_more_the_record_that_waits_is_the_record_that_came() {
    let nights = Nights::of_t("[tables.columns]\nn = \"int64\"\n");
    let record = r#"{"id":2,"n":"x","big":12345678901234567890.10,"list":[1.50,{"é":"\u00e9"}]}"#;
    nights.load(&format!("[{{\"id\":1,\"n\":1}},{record}]"));
    let line = nights.workplace.flowlake(&["quarantine", "show", "lake", "--json"]).success();
    assert!(line.contains(record), "{line}");
}

#[test]
fn v_more_a_zero_with_a_sign_does_not_make_integers_doubles() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"v":5},{"id":2,"v":9007199254740993}]"#);
    nights.load(r#"[{"id":3,"v":-0}]"#);
    assert_eq!(nights.t(&["id", "v"])[..2], ["1 | 5", "2 | 9007199254740993"]);
}

#[test]
fn v_more_a_text_that_is_json_and_json_are_told_apart_in_a_column_of_json() {
    let nights = Nights::of_t("[tables.columns]\nv = \"json\"\n");
    nights.load(r#"[{"id":1,"v":{"a":1}},{"id":2,"v":"{\"a\":1}"}]"#);
    let rows = nights.t(&["v"]);
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0], rows[1]);
}

#[test]
fn v_more_quarantined_records_of_a_key_are_not_deleted_by_a_full_export() {
    // The record is in the export; that its key does not fit is no word about the row that is there.
    let nights = Nights::of_t("write_disposition = \"merge\"\ndeletes = \"remove\"\n");
    nights.load(r#"[{"id":1,"v":1},{"id":2,"v":2}]"#);
    nights.load(r#"[{"id":1,"v":1},{"id":"two","v":2}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1", "2 | 2"]);
    assert_eq!(nights.lake().quarantine("t").len(), 1);
}

#[test]
fn v_more_an_odd_value_in_an_overwritten_partition_keeps_the_partition() {
    let nights = Nights::of_t(
        "write_disposition = \"overwrite_partitions\"\npartition_by = [\"month(at)\"]\n",
    );
    nights.load(r#"[{"id":1,"at":"2026-10-05","v":1},{"id":2,"at":"2026-11-05","v":2}]"#);
    nights.load(r#"[{"id":1,"at":"2026-10-05","v":"x"},{"id":3,"at":"2026-10-06","v":3}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | null", "2 | 2", "3 | 3"]);
    assert_eq!(nights.waiting("t"), ["1 value"]);
}
