//! V10 and V11: deep and wide exports, and the ways out.

use std::fmt::Write;

use super::nights::{Nights, T};

/// An object in objects, so many levels deep, with a leaf.
fn deep(levels: usize) -> String {
    format!("{}\"leaf\"{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// Lists in lists.
fn deep_list(levels: usize) -> String {
    format!("{}\"leaf\"{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn v10_what_is_deeper_than_the_limit_is_json_text_below_it() {
    for value in [deep(40), deep_list(40)] {
        let nights = Nights::of_t("nested = \"columns\"\nwrite_disposition = \"append\"\n");
        nights.load(&format!("[{{\"id\":1,\"o\":{value}}}]"));
        nights.load(&format!("[{{\"id\":2,\"o\":{value}}}]"));
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
        assert_eq!(nights.t(&["id"]), ["1", "2"]);
        let column_type = nights.type_of("t", "o");
        let depth = column_type.matches(['<']).count();
        assert!(depth <= 32, "{depth} levels");
        assert!(nights.t(&["o"])[0].contains("leaf"));
    }
}

#[test]
fn v10_a_deep_object_is_loaded_in_every_mode() {
    for mode in ["tables", "columns", "json"] {
        let nights = Nights::of_t(&format!("nested = \"{mode}\"\n"));
        // What would take exponential time would not end.
        nights.load(&format!("[{{\"id\":1,\"o\":{}}}]", deep(100)));
        assert!(nights.all_values().iter().any(|value| value.contains("leaf")), "{mode}");
    }
}

#[test]
fn v10_depth_beyond_the_parser_costs_its_record_and_no_other() {
    for mode in ["tables", "columns", "json"] {
        for value in [deep(200), deep_list(5000)] {
            let nights = Nights::of_t(&format!("nested = \"{mode}\"\n"));
            nights.load(&format!("[{{\"id\":1}},{{\"id\":2,\"o\":{value}}},{{\"id\":3}}]"));
            assert_eq!(nights.t(&["id"]), ["1", "3"], "{mode}");
            assert_eq!(nights.lake().quarantine("t").len(), 1, "{mode}");
        }
    }
}

/// Records of which each has a key of its own in an object.
fn keyed_by_data(records: usize) -> String {
    let mut json = String::from("[");
    for id in 0..records {
        let comma = if id == 0 { "" } else { "," };
        write!(json, "{comma}{{\"id\":{id},\"prices\":{{\"k{id}\":{{\"net\":{id}}}}}}}").unwrap();
    }
    json + "]"
}

#[test]
fn v11_an_object_keyed_by_data_is_refused_with_the_line_to_write() {
    let nights = Nights::of_t("");
    let finished = nights.night(&keyed_by_data(1_100));
    assert_eq!(finished.code, 6, "{}", finished.stdout);
    for said in ["`prices`", "keys = ", "type = \"json\"", "max_columns"] {
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    }
    assert_eq!(nights.lake().tables(), [""; 0]);
}

#[test]
fn v11_twenty_thousand_keys_in_one_object_are_refused() {
    let members: Vec<String> = (0..20_000).map(|key| format!("\"k{key}\":1")).collect();
    let nights = Nights::of_t("");
    let finished = nights.night(&format!("[{{\"id\":1,\"prices\":{{{}}}}}]", members.join(",")));
    assert_eq!(finished.code, 6, "{}", finished.stdout);
    assert!(finished.stderr.contains("`prices`"), "{}", finished.stderr);
}

#[test]
fn v11_max_columns_is_what_a_definition_says() {
    let json = r#"[{"id":1,"a":1,"b":2,"c":3}]"#;
    let nights = Nights::of(&format!("[limits]\nmax_columns = 3\n\n{T}"));
    assert_eq!(nights.night(json).code, 6);
    nights.redefine(&format!("[limits]\nmax_columns = 4\n\n{T}")).load(json);
    assert_eq!(nights.t(&["c"]), ["3"]);
    // Columns of a child table are its own.
    nights.load(r#"[{"id":1,"a":1,"b":2,"c":3,"lines":[{"x":1,"y":2,"z":3}]}]"#);
}

#[test]
fn v11_max_columns_counts_those_of_earlier_nights() {
    let nights =
        Nights::of(&format!("[limits]\nmax_columns = 3\n\n{T}write_disposition = \"append\"\n"));
    nights.load(r#"[{"id":1,"a":1,"b":2}]"#);
    let finished = nights.night(r#"[{"id":2,"c":1}]"#);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert_eq!(nights.t(&["id"]), ["1"]);
}

/// A child table of an object that is keyed by data.
const PRICES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\n\
    [[tables]]\nname = \"prices\"\nparent = \"t\"\nrecords = \"/prices\"\nkeys = \"currency\"\n";

#[test]
fn v11_each_member_of_an_object_with_keys_is_a_row() {
    let nights = Nights::of(PRICES);
    nights.load(
        r#"[{"id":1,"prices":{"EUR":{"net":1.5},"SEK":{"net":16}}},{"id":2,"prices":{"EUR":{"net":2,"vat":0.5}}},{"id":3,"prices":{}},{"id":4}]"#,
    );
    assert_eq!(
        nights.rows("prices", &["t__id", "currency", "net", "vat"]),
        ["1 | \"EUR\" | 1.5 | null", "1 | \"SEK\" | 16.0 | null", "2 | \"EUR\" | 2.0 | 0.5"]
    );
    assert_eq!(nights.columns("t"), ["id int64"]);
    assert!(!nights.columns("prices").iter().any(|column| column.starts_with("_index")));
}

#[test]
fn v11_rows_of_an_object_with_keys_are_merged_by_key() {
    let nights = Nights::of(PRICES);
    nights.load(r#"[{"id":1,"prices":{"EUR":{"net":1},"SEK":{"net":16}}}]"#);
    nights.load(r#"[{"id":1,"prices":{"SEK":{"net":17},"EUR":{"net":1},"DKK":{"net":7}}}]"#);
    assert_eq!(
        nights.rows("prices", &["currency", "net"]),
        ["\"DKK\" | 7", "\"EUR\" | 1", "\"SEK\" | 17"]
    );
    assert_eq!(nights.counts("prices", ["inserted", "updated", "unchanged"]), [1, 1, 1]);
}

#[test]
fn v11_members_that_are_scalars_lists_or_nothing_are_rows_too() {
    let nights = Nights::of(PRICES);
    nights.load(r#"[{"id":1,"prices":{"EUR":1.5,"SEK":{},"DKK":null,"USD":[1,2]}}]"#);
    let rows = nights.rows("prices", &["currency"]);
    assert_eq!(rows, ["\"DKK\"", "\"EUR\"", "\"SEK\"", "\"USD\""]);
    assert_eq!(
        nights.rows("prices", &["value"]).iter().filter(|value| *value == "null").count(),
        2
    );
    assert!(nights.all_values().iter().any(|value| value == "1.5" || value == "[1.5]"));
}

#[test]
fn v11_a_member_that_has_the_name_of_the_key_column_gets_a_suffix() {
    let nights = Nights::of(PRICES);
    nights.load(r#"[{"id":1,"prices":{"EUR":{"currency":"euro"}}}]"#);
    assert_eq!(nights.rows("prices", &["currency"]), ["\"EUR\""]);
    assert!(nights.all_values().contains(&"\"euro\"".to_owned()));
}

#[test]
fn v11_check_refuses_keys_without_a_parent_or_with_a_name_that_is_none() {
    let root = Nights::of("[[tables]]\nname = \"t\"\nkeys = \"currency\"\n").check();
    assert_eq!(root.code, 2);
    // `check` prints what is wrong as its result, on stdout.
    assert!(root.stdout.contains("keys") && root.stdout.contains("parent"), "{}", root.stdout);
    let bad = Nights::of(&PRICES.replace("\"currency\"", "\"Two Words\"")).check();
    assert_eq!(bad.code, 2);
}

#[test]
fn v11_a_column_of_json_is_text_with_every_digit_whatever_it_holds() {
    let nights = Nights::of_t("[tables.columns]\nv = \"json\"\n");
    nights.load(
        r#"[{"id":1,"v":{"b": 1.10, "a":[ 1E2,null ]}},{"id":2,"v":[1, 2]},{"id":3,"v":"x"},{"id":4,"v":5},{"id":5,"v":null},{"id":6,"v":true},{"id":7,"v":{}}]"#,
    );
    assert_eq!(nights.columns("t"), ["id int64", "v string"]);
    let texts: Vec<String> = nights
        .t(&["id", "v"])
        .iter()
        .map(|row| row[4..].to_owned())
        .map(|text| serde_json::from_str::<Option<String>>(&text).unwrap().unwrap_or("null".into()))
        .collect();
    // The keys are in order, so that another order in the source makes no new version of the row.
    assert_eq!(
        texts,
        [r#"{"a":[1E2,null],"b":1.10}"#, "[1,2]", "\"x\"", "5", "null", "true", "{}"]
    );
    assert_eq!(nights.lake().tables(), ["t"]);
}

#[test]
fn v11_a_column_of_json_may_stand_in_an_object_and_in_a_child_row() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\no__prices = { type = \"json\" }\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\nextra = \"json\"\n",
    );
    nights.load(r#"[{"id":1,"o":{"prices":{"EUR":1}},"lines":[{"n":1,"extra":[{"x":1}]}]}]"#);
    assert_eq!(nights.t(&["o__prices"]), [r#""{\"EUR\":1}""#]);
    assert_eq!(nights.rows("lines", &["extra"]), [r#""[{\"x\":1}]""#]);
    assert_eq!(nights.lake().tables(), ["lines", "t"]);
}

#[test]
fn v11_five_thousand_columns_load_where_the_limit_is_raised() {
    let columns = 0..5_000;
    let declared: Vec<String> = columns.clone().map(|n| format!("c{n} = \"int64\"\n")).collect();
    let nights = Nights::of(&format!(
        "[limits]\nmax_columns = 5001\n\n{T}write_disposition = \"merge\"\n[tables.columns]\n{}",
        declared.concat()
    ));
    for value in [1, 2] {
        let members: Vec<String> = columns.clone().map(|n| format!("\"c{n}\":{value}")).collect();
        nights.load(&format!("[{{\"id\":1,{}}}]", members.join(",")));
        assert_eq!(nights.t(&["c0", "c4999"]), [format!("{value} | {value}")]);
    }
}

#[test]
fn v11_a_table_that_is_wide_already_loads_and_does_not_grow() {
    let settings = "write_disposition = \"merge\"\n";
    let nights = Nights::of_t(settings);
    nights.load(r#"[{"id":1,"a":1,"b":2,"c":3}]"#);
    nights.redefine(&format!("[limits]\nmax_columns = 2\n\n{T}{settings}"));
    nights.load(r#"[{"id":1,"a":1,"b":2,"c":4}]"#);
    assert_eq!(nights.t(&["c"]), ["4"]);
    assert_eq!(nights.night(r#"[{"id":1,"d":5}]"#).code, 6);
}

#[test]
fn v11_the_message_names_the_table_of_a_wide_object_in_a_list() {
    let members: Vec<String> = (0..3_000).map(|key| format!("\"k{key}\":1")).collect();
    for nested in ["tables", "columns"] {
        let nights = Nights::of_t(&format!("nested = \"{nested}\"\n"));
        let json = format!("[{{\"id\":1,\"lines\":[{{\"qty\":{{{}}}}}]}}]", members.join(","));
        let refused = nights.night(&json);
        assert_eq!(refused.code, 6, "{nested}: {}", refused.stderr);
        assert!(refused.stderr.contains("max_columns"), "{nested}: {}", refused.stderr);
        if nested == "tables" {
            for said in ["`t__lines`", "parent = \"t__lines\"", "records = \"/qty\""] {
                assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
            }
        }
    }
}

#[test]
fn v11_the_line_of_the_message_is_a_definition_that_loads() {
    let json = keyed_by_data(1_100);
    let nights = Nights::of_t("");
    let refused = nights.night(&json).stderr;
    let line = refused.lines().find(|line| line.contains("[[tables]]")).unwrap();
    // `name`, `parent`, `records` and `keys`, as they stand between backticks.
    let keys: Vec<&str> = line.split('`').filter(|part| part.contains(" = \"")).take(4).collect();
    nights.redefine_t(&format!("\n[[tables]]\n{}\n", keys.join("\n")));
    nights.load(&json);
    assert_eq!(nights.rows("t__prices", &["key"]).len(), 1_100);
    nights.redefine_t("[tables.columns]\nprices = { type = \"json\", from = \"/prices\" }\n");
    nights.load(&json);
    assert_eq!(nights.t(&["prices"]).len(), 1_100);
}

#[test]
fn v11_init_proposes_keys_for_an_object_that_is_keyed_by_data() {
    let nights = Nights::of("");
    let records: Vec<String> = (0..60)
        .map(|id| {
            let (a, b) = (id % 31, (id * 7 + 3) % 31 + 31);
            format!(
                "{{\"id\":{id},\"prices\":{{\"C{a:02}\":{{\"net\":{id}}},\"C{b:02}\":{{\"net\":1}}}},\"supplier\":{{\"name\":\"n\",\"city\":\"c\"}}}}"
            )
        })
        .collect();
    let export = format!("[{}]", records.join(","));
    std::fs::write(nights.workplace.path().join("export.json"), &export).unwrap();
    let arguments =
        ["init", "--from-file", "export.json", "--name", "test", "--output", "written.toml"];
    nights.workplace.flowlake(&arguments).success();
    let written = std::fs::read_to_string(nights.workplace.path().join("written.toml")).unwrap();
    assert!(written.contains("keys = \""), "{written}");
    assert_eq!(written.matches("keys = \"").count(), 1, "a supplier is no such object: {written}");
    nights.source.serve(&export);
    nights.workplace.flowlake(&["run", "written.toml"]).success();
}
