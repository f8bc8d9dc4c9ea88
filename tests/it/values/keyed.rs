//! V11: objects keyed by data, as child tables with `keys`.

use super::nights::Nights;

/// Orders with prices by currency; `settings` are those of the orders.
fn prices(settings: &str) -> Nights {
    Nights::of(&format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n{settings}\n\
         [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n"
    ))
}

/// Nights of a merge.
fn merged() -> Nights {
    prices("write_disposition = \"merge\"")
}

#[test]
fn v11_keys_are_text_exactly_as_written() {
    let nights = merged();
    nights.load(
        r#"[{"id":1,"prices":{"":{"n":1},"a.b":{"n":2},"\u00e9\"":{"n":3},"日":{"n":4},"007":{"n":5},"2026-01-01":{"n":6},"A":{"n":7},"a":{"n":8},"null":{"n":9}}}]"#,
    );
    assert_eq!(
        nights.rows("prices", &["n", "currency"]),
        [
            r#"1 | """#,
            r#"2 | "a.b""#,
            r#"3 | "é\"""#,
            r#"4 | "日""#,
            r#"5 | "007""#,
            r#"6 | "2026-01-01""#,
            r#"7 | "A""#,
            r#"8 | "a""#,
            r#"9 | "null""#
        ]
    );
    assert_eq!(nights.columns("prices"), ["t__id int64", "currency string", "n int64"]);
}

#[test]
fn v11_a_repeated_key_costs_its_record() {
    let nights = merged();
    nights.load(
        r#"[{"id":1,"prices":{"a":{"n":1},"\u0061":{"n":2}}},{"id":2,"prices":{"a":{"n":3}}}]"#,
    );
    assert_eq!(nights.t(&["id"]), ["2"]);
    assert_eq!(nights.waiting("t"), ["1 row"]);
    assert_eq!(nights.rows("prices", &["n"]), ["3"]);
}

#[test]
fn v11_a_list_for_an_object_with_keys_costs_its_record_and_an_empty_one_is_nothing() {
    let nights = merged();
    nights.load(
        r#"[{"id":1,"prices":[{"EUR":{"n":1}}]},{"id":2,"prices":[]},{"id":3,"prices":{"EUR":{"n":3}}},{"id":4,"prices":[1]}]"#,
    );
    assert_eq!(nights.t(&["id"]), ["2", "3"]);
    assert_eq!(nights.waiting("t"), ["1 row", "4 row"]);
    assert_eq!(nights.rows("prices", &["t__id", "currency", "n"]), ["3 | \"EUR\" | 3"]);
    assert_eq!(nights.lake().tables(), ["prices", "t"]);
}

#[test]
fn v11_an_export_with_nothing_in_its_objects_keeps_their_keys() {
    let nights = merged();
    nights.load(r#"[{"id":1,"prices":{"EUR":null,"SEK":{}}}]"#);
    assert_eq!(nights.rows("prices", &["t__id", "currency"]), ["1 | \"EUR\"", "1 | \"SEK\""]);
    nights.load(r#"[{"id":1,"prices":{"EUR":{"n":1}}}]"#);
    assert_eq!(nights.rows("prices", &["currency", "n"]), ["\"EUR\" | 1"]);
}

#[test]
fn v11_rows_below_members_carry_their_key() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\n\
         [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n\n\
         [[tables]]\nname = \"sites\"\nparent = \"prices\"\nrecords = \"/sites\"\nkeys = \"site\"\n",
    );
    nights.load(
        r#"[{"id":1,"prices":{"EUR":{"steps":[{"from":1},{"from":10}],"sites":{"north":{"n":1},"south":2}}}}]"#,
    );
    assert_eq!(
        nights.rows("prices__steps", &["t__id", "prices__currency", "_index", "from"]),
        ["1 | \"EUR\" | 0 | 1", "1 | \"EUR\" | 1 | 10"]
    );
    assert_eq!(
        nights.rows("sites", &["t__id", "prices__currency", "site", "n", "value"]),
        ["1 | \"EUR\" | \"north\" | 1 | null", "1 | \"EUR\" | \"south\" | null | 2"]
    );
}

#[test]
fn v11_lists_may_hold_records_with_such_objects() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n\n\
         [[tables]]\nname = \"prices\"\nparent = \"lines\"\nrecords = \"/o/prices\"\nkeys = \"currency\"\n",
    );
    let json = r#"[{"id":1,"lines":[{"o":{"prices":{"EUR":1,"SEK":2}}},{"no":7},{"o":{"prices":{"EUR":3},"x":1}}]}]"#;
    for _ in 0..2 {
        nights.load(json);
        assert_eq!(
            nights.rows("prices", &["t__id", "lines__index", "currency", "value"]),
            ["1 | 0 | \"EUR\" | 1", "1 | 0 | \"SEK\" | 2", "1 | 2 | \"EUR\" | 3"]
        );
    }
    assert_eq!(
        nights.rows("lines", &["_index", "no", "o__x"]),
        ["0 | null | null", "1 | 7 | null", "2 | null | 1"]
    );
}

#[test]
fn v11_the_key_is_a_name_that_fields_and_later_nights_do_not_take() {
    let nights = merged();
    nights.load(r#"[{"id":1,"prices":{"EUR":{"Currency":"euro","t__id":"x","value":5}}}]"#);
    nights
        .load(r#"[{"id":1,"prices":{"EUR":{"Currency":"euros","t__id":"x","value":5},"SEK":7}}]"#);
    assert_eq!(nights.rows("prices", &["t__id", "currency"]), ["1 | \"EUR\"", "1 | \"SEK\""]);
    let values = nights.all_values();
    for kept in ["\"euros\"", "\"x\"", "5", "7"] {
        assert!(values.contains(&kept.to_owned()), "{kept}: {values:?}");
    }
}

#[test]
fn v11_every_disposition_takes_members_as_rows() {
    let two = r#"[{"id":1,"at":"2026-10-05","prices":{"EUR":{"n":1},"SEK":{"n":2}}}]"#;
    let other = r#"[{"id":1,"at":"2026-10-05","prices":{"SEK":{"n":2},"DKK":{"n":3}}}]"#;
    let after = ["\"DKK\" | 3", "\"SEK\" | 2"].as_slice();
    let both = ["\"DKK\" | 3", "\"EUR\" | 1", "\"SEK\" | 2", "\"SEK\" | 2"].as_slice();
    for (settings, expected) in [
        ("write_disposition = \"merge\"", after),
        ("write_disposition = \"replace\"", after),
        ("write_disposition = \"append\"", both),
        ("write_disposition = \"overwrite_partitions\"\npartition_by = [\"month(at)\"]", after),
    ] {
        let nights = prices(settings);
        nights.load(two).load(other);
        assert_eq!(nights.rows("prices", &["currency", "n"]), expected, "{settings}");
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn v11_history_keeps_only_members_that_changed() {
    let nights = prices("write_disposition = \"merge\"\nhistory = true\n");
    nights.load(r#"[{"id":1,"prices":{"EUR":{"n":1},"SEK":{"n":2}}}]"#);
    nights.load(r#"[{"id":1,"prices":{"SEK":{"n":3},"EUR":{"n":1}}}]"#);
    assert_eq!(
        nights.rows("prices__history", &["currency", "n"]),
        ["\"EUR\" | 1", "\"SEK\" | 2", "\"SEK\" | 3"]
    );
}

#[test]
fn v11_keys_cannot_come_and_go_while_rows_stay() {
    let nights = merged();
    let json = r#"[{"id":1,"prices":{"EUR":{"n":1}}}]"#;
    nights.load(json);
    let without = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\n\
         [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\n";
    for tables in [without.to_owned(), format!("{without}keys = \"code\"\n")] {
        let refused = nights.redefine(&tables).night(json);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("another key"), "{}", refused.stderr);
    }
}

#[test]
fn v11_columns_that_an_object_had_before_it_had_keys_stay() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"prices":{"EUR":{"n":1}}}]"#);
    nights.redefine(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\n\
         [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n",
    );
    nights.load(r#"[{"id":2,"prices":{"EUR":{"n":2},"SEK":{"n":3}}}]"#);
    assert_eq!(nights.t(&["id", "prices__eur__n"]), ["1 | 1", "2 | null"]);
    assert_eq!(
        nights.rows("prices", &["t__id", "currency", "n"]),
        ["2 | \"EUR\" | 2", "2 | \"SEK\" | 3"]
    );
}

#[test]
fn v11_quarantined_records_with_members_are_retried() {
    let tables = |columns: &str| {
        format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\n\
             [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n\
             [tables.columns]\nn = \"{columns}\"\n"
        )
    };
    let nights = Nights::of(&tables("int64"));
    nights.load(
        r#"[{"id":1,"prices":{"EUR":{"n":1},"SEK":{"n":"x"}}},{"id":2,"prices":{"EUR":{"n":2}}}]"#,
    );
    assert_eq!(nights.waiting("t"), ["1 row"]);
    nights.redefine(&tables("string"));
    nights.retry().success();
    assert_eq!(
        nights.rows("prices", &["t__id", "currency", "n"]),
        ["1 | \"EUR\" | \"1\"", "1 | \"SEK\" | \"x\"", "2 | \"EUR\" | \"2\""]
    );
}

#[test]
fn v11_an_object_of_lists_is_rows_with_lists_or_child_rows() {
    let nights = merged();
    nights.load(r#"[{"id":1,"prices":{"EUR":[{"n":1},{"n":2}],"SEK":[[3],[4]],"DKK":[{"n":5}]}}]"#);
    assert_eq!(nights.rows("prices", &["currency"]), ["\"DKK\"", "\"EUR\"", "\"SEK\""]);
    let values = nights.all_values().join(" ");
    for kept in ["1", "2", "3", "4", "5"] {
        assert!(values.contains(kept), "{kept}: {values}");
    }
}

#[test]
fn v11_check_refuses_keys_that_cannot_be() {
    let declared = merged();
    declared.redefine(
        "[[tables]]\nname = \"t\"\n\n[[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n\
         [tables.columns]\ncurrency = \"int64\"\n",
    );
    let checked = declared.check();
    assert_eq!(checked.code, 2);
    assert!(checked.stdout.contains("tables[1].keys"), "{}", checked.stdout);
}
