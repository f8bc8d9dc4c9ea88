//! V3, V8, V9 and V12: one record of another shape among sound ones costs that record, or its value, and nothing else.

use super::nights::{Nights, with_one_odd};

/// What is known of each key: its column or child table, and what a sound record has in it.
const KNOWN: [(&str, &str, &str, &str); 7] = [
    ("int", "1", "int", "1"),
    ("text", "\"a\"", "text", "\"a\""),
    ("dec", "1.50", "dec", "1.50"),
    ("obj", "{\"name\":\"n\"}", "obj__name", "\"n\""),
    ("list", "[1]", "list", "[1]"),
    ("rows", "[{\"x\":1}]", "", ""),
    ("ll", "[[1]]", "", ""),
];

const DECLARED: &str = "[tables.columns]\ndec = \"decimal(18,2)\"\n";

/// What comes in place of a sound value, and a text that is in some column or in quarantine then.
const ODD: [(&str, &str); 6] = [
    ("505", "505"),
    ("\"odd\"", "odd"),
    ("{\"z\":909}", "909"),
    ("[808]", "808"),
    ("[{\"z\":909}]", "909"),
    ("[[909]]", "909"),
];

/// What tells nothing.
const NOTHING: [&str; 3] = ["null", "{}", "[]"];

/// Whether a value fits what is known of a key as it is.
fn fits(key: &str, odd: &str) -> bool {
    match key {
        "int" | "dec" => odd == "505",
        "text" => matches!(odd, "505" | "\"odd\""),
        "list" => matches!(odd, "505" | "[808]"),
        "ll" => matches!(odd, "[808]" | "[[909]]"),
        _ => false,
    }
}

/// A record with one odd value, or none.
fn record(id: usize, odd: Option<(&str, &str)>) -> String {
    let members = KNOWN.iter().map(|(key, sound, _, _)| match odd {
        Some((odd_key, value)) if odd_key == *key => format!("\"{key}\":{value}"),
        _ => format!("\"{key}\":{sound}"),
    });
    format!("{{\"id\":{id},{}}}", members.collect::<Vec<_>>().join(","))
}

fn sound_night() -> String {
    let records: Vec<String> = (1..=10).map(|id| record(id, None)).collect();
    format!("[{}]", records.join(","))
}

/// Ten records, of which the first seven have this value under one key each.
fn odd_night(odd: &str) -> String {
    let records = (1..=10).map(|id| {
        let key = KNOWN.get(id - 1).map(|(key, ..)| (*key, odd));
        record(id, key)
    });
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

/// A lake that knows all shapes.
fn knowing(contract: &str) -> Nights {
    let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{contract}{DECLARED}"));
    nights.load(&sound_night());
    nights
}

/// What sound values of rows that are in the table are not as they should be.
fn lost(nights: &Nights) -> Vec<String> {
    let mut lost = Vec::new();
    let rows = nights.records("t");
    for row in &rows {
        let id: usize = row["id"].parse().unwrap();
        for (number, (key, _, column, value)) in KNOWN.iter().enumerate() {
            let is_sound = number + 1 != id && !column.is_empty();
            let found = row.get(*column).map_or("absent", String::as_str);
            if is_sound && found != *value {
                lost.push(format!("record {id}: {key} is {found}"));
            }
        }
    }
    for (table, column, key) in [("t__rows", "x", 6), ("t__ll", "value", 7)] {
        let children = nights.rows(table, &["t__id", column]);
        for row in rows.iter().filter(|row| row["id"] != key.to_string()) {
            let value = if column == "x" { "1" } else { "[1]" };
            let expected = format!("{} | {value}", row["id"]);
            if children.iter().filter(|child| **child == expected).count() != 1 {
                lost.push(format!("{table} of record {}: {children:?}", row["id"]));
            }
        }
    }
    lost
}

/// The records that do not fit, as they wait.
fn waiting_for(odd: &str, kept: &str) -> Vec<String> {
    let keys = KNOWN.iter().enumerate().filter(|(_, (key, ..))| !fits(key, odd));
    keys.map(|(number, _)| format!("{} {kept}", number + 1)).collect()
}

fn assert_discards(contract: &str, kept: &str) {
    let mut wrong = Vec::new();
    for (odd, _) in ODD {
        let nights = knowing(&format!("schema_contract = \"{contract}\"\n"));
        let columns = nights.columns("t");
        let finished = nights.night(&odd_night(odd));
        if finished.code != 0 {
            wrong.push(format!("{odd}: exit {} {}", finished.code, finished.stderr));
            continue;
        }
        let mut this = lost(&nights);
        if nights.columns("t") != columns {
            this.push(format!("columns {:?}", nights.columns("t")));
        }
        let (waiting, expected) = (nights.waiting("t"), waiting_for(odd, kept));
        if waiting != expected {
            this.push(format!("waiting {waiting:?} and not {expected:?}"));
        }
        wrong.extend(this.into_iter().map(|line| format!("{odd}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v03_discard_value_costs_the_odd_value_alone_whatever_was_known() {
    assert_discards("discard_value", "value");
}

#[test]
fn v03_discard_row_costs_the_odd_record_alone_whatever_was_known() {
    assert_discards("discard_row", "row");
}

#[test]
fn v03_by_default_every_sound_value_stays_and_every_odd_one_is_in_a_column_or_waits() {
    let mut wrong = Vec::new();
    for (odd, leaf) in ODD {
        let nights = knowing("");
        let before = nights.columns("t");
        let finished = nights.night(&odd_night(odd));
        if finished.code != 0 {
            wrong.push(format!("{odd}: exit {} {}", finished.code, finished.stderr));
            continue;
        }
        let mut this = lost(&nights);
        let now = nights.columns("t");
        let retyped = before.iter().filter(|column| !now.contains(column));
        this.extend(retyped.map(|column| format!("no longer {column}")));
        let waiting = nights.waiting("t").len();
        let there = nights.all_values().iter().filter(|value| value.contains(leaf)).count();
        if there + waiting != KNOWN.len() {
            this.push(format!("{there} in columns, {waiting} wait"));
        }
        wrong.extend(this.into_iter().map(|line| format!("{odd}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v03_under_evolve_every_odd_value_is_in_a_column_and_only_what_is_declared_waits() {
    let mut wrong = Vec::new();
    for (odd, leaf) in ODD {
        let nights = knowing("schema_contract = \"evolve\"\n");
        let finished = nights.night(&odd_night(odd));
        if finished.code != 0 {
            wrong.push(format!("{odd}: exit {} {}", finished.code, finished.stderr));
            continue;
        }
        let waiting = nights.waiting("t").len();
        let there = nights.all_values().iter().filter(|value| value.contains(leaf)).count();
        if there + waiting != KNOWN.len() || waiting != usize::from(!fits("dec", odd)) {
            wrong.push(format!("{odd}: {there} in columns, {waiting} wait"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v03_freeze_ends_the_run_for_every_odd_value_and_changes_nothing() {
    let mut wrong = Vec::new();
    for (odd, _) in ODD {
        for (number, (key, ..)) in KNOWN.iter().enumerate().filter(|(_, it)| !fits(it.0, odd)) {
            // What does not fit a declared type is in quarantine under any contract but `freeze` of types.
            if *key == "dec" {
                continue;
            }
            let nights = knowing("schema_contract = \"freeze\"\n");
            let before = nights.lake().snapshot();
            let finished = nights.night(&format!("[{}]", record(number + 1, Some((*key, odd)))));
            if finished.code != 6 || nights.lake().snapshot() != before {
                wrong.push(format!("{key}: {odd}: exit {}", finished.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v09_v12_null_and_empty_objects_and_lists_are_no_news_under_any_contract() {
    let mut wrong = Vec::new();
    for contract in ["evolve", "freeze", "discard_row", "discard_value"] {
        for odd in NOTHING {
            let nights = knowing(&format!("schema_contract = \"{contract}\"\n"));
            let before = (nights.columns("t"), nights.lake().tables());
            let finished = nights.night(&odd_night(odd));
            if finished.code != 0 {
                wrong.push(format!("{contract} {odd}: exit {} {}", finished.code, finished.stderr));
                continue;
            }
            let mut this = lost(&nights);
            let now = (nights.columns("t"), nights.lake().tables());
            if now != before {
                this.push(format!("now {now:?}"));
            }
            // A declared decimal is promised: an object or list where it should be is in quarantine.
            let waits = usize::from(odd != "null");
            if nights.waiting("t").len() != waits {
                this.push(format!("waiting {:?}", nights.waiting("t")));
            }
            wrong.extend(this.into_iter().map(|line| format!("{contract} {odd}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v03_one_list_of_objects_among_ten_totals_costs_its_own_value() {
    for (settings, total) in [("", "7"), ("[tables.columns]\ntotal = \"decimal(18,2)\"\n", "7.00")]
    {
        for contract in ["discard_value", "discard_row"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"merge\"\nschema_contract = \"{contract}\"\n{settings}"
            ));
            nights.load(&with_one_odd(10, r#"{"id":#,"total":7}"#, r#"{"id":#,"total":7}"#));
            nights.load(&with_one_odd(
                10,
                r#"{"id":#,"total":7}"#,
                r#"{"id":#,"total":[{"z":1}]}"#,
            ));
            let sound = nights.t(&["total"]).iter().filter(|value| *value == total).count();
            // Under `discard_row` the older row of the odd record stays.
            assert_eq!(
                sound,
                if contract == "discard_row" { 10 } else { 9 },
                "{contract} {settings}"
            );
            assert_eq!(nights.lake().tables(), ["t"]);
        }
    }
}

#[test]
fn v03_an_odd_value_in_a_child_row_costs_its_record_or_its_value() {
    for (contract, rows) in [
        ("discard_value", vec!["1 | 1", "2 | null", "3 | 1"]),
        ("discard_row", vec!["1 | 1", "3 | 1"]),
    ] {
        for odd in ["[{\"z\":1}]", "\"x\"", "{\"z\":1}", "[[1]]"] {
            let nights = Nights::of_t(&format!("schema_contract = \"{contract}\"\n"));
            nights.load(&with_one_odd(
                3,
                r#"{"id":#,"lines":[{"n":1}]}"#,
                r#"{"id":#,"lines":[{"n":1}]}"#,
            ));
            let odd = format!(r#"{{"id":#,"lines":[{{"n":{odd}}}]}}"#);
            nights.load(&with_one_odd(3, r#"{"id":#,"lines":[{"n":1}]}"#, &odd));
            assert_eq!(nights.rows("t__lines", &["t__id", "n"]), rows, "{contract} {odd}");
            assert_eq!(nights.waiting("t").len(), 1, "{contract} {odd}");
        }
    }
}

#[test]
fn v03_a_text_where_a_child_table_is_known_is_discarded_by_the_contract() {
    for (contract, waits) in [("discard_value", "2 value"), ("discard_row", "2 row")] {
        let nights = Nights::of_t(&format!("schema_contract = \"{contract}\"\n"));
        nights.load(r#"[{"id":1,"lines":[{"n":1}]},{"id":2,"lines":[{"n":1}]}]"#);
        let before = nights.columns("t");
        nights.load(r#"[{"id":1,"lines":[{"n":1}]},{"id":2,"lines":"see attachment"}]"#);
        assert_eq!(nights.columns("t"), before, "{contract}");
        assert_eq!(nights.waiting("t"), [waits]);
        assert_eq!(nights.rows("t__lines", &["t__id", "n"]), ["1 | 1"]);
    }
}

#[test]
fn v03_nested_columns_discard_the_odd_value_alone() {
    for (contract, ids) in [("discard_value", vec!["1", "2", "3"]), ("discard_row", vec!["1", "3"])]
    {
        for odd in ["\"x\"", "[{\"a\":1},{\"a\":2}]", "[1]", "{\"a\":\"x\"}", "{\"b\":1}"] {
            let nights =
                Nights::of_t(&format!("nested = \"columns\"\nschema_contract = \"{contract}\"\n"));
            let sound = r#"{"id":#,"o":{"a":1}}"#;
            nights.load(&with_one_odd(3, sound, sound));
            nights.load(&with_one_odd(3, sound, &format!(r#"{{"id":#,"o":{odd}}}"#)));
            assert_eq!(nights.t(&["id"]), ids, "{contract} {odd}");
            assert_eq!(nights.type_of("t", "o"), "struct<a: int64>", "{contract} {odd}");
            let rows = nights.t(&["id", "o"]);
            assert_eq!(rows.first().unwrap(), "1 | {a: 1}", "{contract} {odd}");
            assert_eq!(rows.last().unwrap(), "3 | {a: 1}", "{contract} {odd}");
        }
    }
}

#[test]
fn v08_an_object_where_a_scalar_is_declared_is_in_quarantine() {
    for odd in [r#"{"amount":10.5}"#, "{}", r#"[{"amount":10.5}]"#, "[10.5]", "[]"] {
        let nights = Nights::of_t("[tables.columns]\ntotal = \"decimal(18,2)\"\n");
        nights.load(&format!(r#"[{{"id":1,"total":7}},{{"id":2,"total":{odd}}}]"#));
        assert_eq!(nights.t(&["id", "total"]), ["1 | 7.00"], "{odd}");
        assert_eq!(nights.waiting("t"), ["2 row"], "{odd}");
        assert_eq!(nights.columns("t"), ["id int64", "total decimal(18,2)"], "{odd}");
        assert_eq!(nights.lake().tables(), ["t"], "{odd}");
    }
}

#[test]
fn v08_an_object_where_a_scalar_of_a_child_row_is_declared_is_in_quarantine() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n\n[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\np = \"decimal(18,2)\"\n",
    );
    nights.load(r#"[{"id":1,"lines":[{"p":1}]},{"id":2,"lines":[{"p":{"amount":1}}]}]"#);
    assert_eq!(nights.rows("lines", &["t__id", "p"]), ["1 | 1.00"]);
    assert_eq!(nights.waiting("t"), ["2 row"]);
}

#[test]
fn v08_an_object_where_a_scalar_in_an_object_is_declared_is_in_quarantine() {
    let nights = Nights::of_t("[tables.columns]\no__p = \"decimal(18,2)\"\n");
    nights.load(r#"[{"id":1,"o":{"p":1}},{"id":2,"o":{"p":{"amount":1}}}]"#);
    assert_eq!(nights.t(&["id", "o__p"]), ["1 | 1.00"]);
    assert_eq!(nights.columns("t"), ["id int64", "o__p decimal(18,2)"]);
}

#[test]
fn v09_an_empty_list_among_objects_is_null() {
    let sound = r#"{"id":#,"supplier":{"name":"n#"}}"#;
    let nights = Nights::of_t("");
    nights.load(&with_one_odd(10, sound, r#"{"id":#,"supplier":[]}"#));
    assert_eq!(nights.lake().tables(), ["t"]);
    assert_eq!(nights.columns("t"), ["id int64", "supplier__name string"]);
    let rows = nights.t(&["supplier__name"]);
    assert_eq!(rows.iter().filter(|name| *name == "null").count(), 1, "{rows:?}");
    // Also when it comes on a later night, or comes first.
    nights.load(&with_one_odd(10, sound, r#"{"id":#,"supplier":[]}"#));
    assert_eq!(nights.columns("t"), ["id int64", "supplier__name string"]);
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"supplier":[]}]"#).load(r#"[{"id":2,"supplier":{"name":"n"}}]"#);
    assert_eq!(nights.t(&["id", "supplier__name"]), ["1 | null", "2 | \"n\""]);
    assert_eq!(nights.lake().tables(), ["t"]);
}

#[test]
fn v09_an_empty_object_among_lists_of_objects_is_no_rows() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1,"lines":[{"n":1}]},{"id":2,"lines":{}},{"id":3,"lines":null}]"#);
    assert_eq!(nights.rows("t__lines", &["t__id", "n"]), ["1 | 1"]);
}

#[test]
fn v09_an_empty_list_or_object_among_scalars_is_null() {
    for nothing in ["[]", "{}"] {
        let nights = Nights::of_t("");
        nights.load(&format!(r#"[{{"id":1,"n":5}},{{"id":2,"n":{nothing}}}]"#));
        assert_eq!(nights.columns("t"), ["id int64", "n int64"], "{nothing}");
        assert_eq!(nights.t(&["id", "n"]), ["1 | 5", "2 | null"], "{nothing}");
    }
}

#[test]
fn v09_nested_columns_take_an_empty_list_for_no_object() {
    let nights = Nights::of_t("nested = \"columns\"\n");
    nights.load(r#"[{"id":1,"o":{"a":1}},{"id":2,"o":[]},{"id":3,"o":{}}]"#);
    assert_eq!(nights.type_of("t", "o"), "struct<a: int64>");
    let rows = nights.t(&["id", "o"]);
    assert_eq!(rows[0], "1 | {a: 1}");
    assert_eq!(rows[1], "2 | null");
}

#[test]
fn v12_an_object_that_is_null_or_empty_is_no_new_column() {
    for nothing in [
        r#"{"supplier":null,"id":2}"#,
        r#"{"supplier":{},"id":2}"#,
        r#"{"id":2,"supplier":{"address":{}}}"#,
        r#"{"id":2,"supplier":{"tags":[]}}"#,
    ] {
        for contract in ["freeze", "evolve", "discard_row", "discard_value"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"append\"\nschema_contract = \"{contract}\"\n"
            ));
            nights.load(r#"[{"id":1,"supplier":{"name":"a"}}]"#);
            nights.load(&format!("[{nothing}]"));
            assert_eq!(
                nights.columns("t"),
                ["id int64", "supplier__name string"],
                "{contract} {nothing}"
            );
            assert_eq!(nights.t(&["id", "supplier__name"]), ["1 | \"a\"", "2 | null"]);
            assert_eq!(nights.waiting("t"), [""; 0]);
        }
    }
}

#[test]
fn v12_a_key_that_is_only_ever_null_or_empty_is_no_new_column() {
    let nights = Nights::of_t("write_disposition = \"append\"\nschema_contract = \"freeze\"\n");
    nights
        .load(r#"[{"id":1}]"#)
        .load(r#"[{"id":2,"a":null,"b":{},"c":[],"d":[null],"e":{"f":null}}]"#);
    assert_eq!(nights.columns("t"), ["id int64"]);
}
