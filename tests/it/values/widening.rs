//! V1 and V6: what becomes of values that are in a table when its column takes another type, and when a column does.

use super::nights::Nights;

const APPEND: &str = "write_disposition = \"append\"\n";
const EVOLVE: &str = "schema_contract = { data_type = \"evolve\" }\n";

/// Settings of an appended and of a merged table whose types evolve.
fn evolving() -> [String; 2] {
    ["append", "merge"].map(|word| format!("write_disposition = \"{word}\"\n{EVOLVE}"))
}

/// `v` after two nights, by id, for both dispositions.
#[track_caller]
fn v_after(settings: &str, first: &str, second: &str, expected: [&str; 2]) {
    for evolving in evolving() {
        let nights = Nights::of_t(&format!("{evolving}{settings}"));
        nights.load(&format!("[{{\"id\":1,\"v\":{first}}}]"));
        nights.load(&format!("[{{\"id\":2,\"v\":{second}}}]"));
        assert_eq!(nights.t(&["v"]).len(), 2, "{settings} {first} then {second}");
        let rows: Vec<String> =
            nights.t(&["id", "v"]).iter().map(|row| row[4..].to_owned()).collect();
        assert_eq!(rows, expected, "{evolving}{settings} {first} then {second}");
    }
}

#[test]
fn v01_timestamps_in_lists_keep_their_text() {
    v_after(
        "",
        r#"["2026-10-05T14:03:07Z"]"#,
        r#"["TBD"]"#,
        [r#"["2026-10-05T14:03:07Z"]"#, r#"["TBD"]"#],
    );
}

#[test]
fn v01_dates_in_lists_keep_their_text() {
    v_after("", r#"["2026-10-05",null]"#, r#"["TBD"]"#, [r#"["2026-10-05", null]"#, r#"["TBD"]"#]);
}

#[test]
fn v01_decimals_in_lists_keep_their_text() {
    let exact = "[0.1000000000000000055]";
    v_after("", exact, r#"["n/a"]"#, [r#"["0.1000000000000000055"]"#, r#"["n/a"]"#]);
}

#[test]
fn v01_lists_gain_digits_and_times_without_loss() {
    v_after(
        "",
        r#"["2026-10-05"]"#,
        r#"["2026-10-05T14:03:07Z"]"#,
        ["[2026-10-05T00:00:00Z]", "[2026-10-05T14:03:07Z]"],
    );
    v_after("", "[9007199254740993]", "[0.5]", ["[9007199254740993.0]", "[0.5]"]);
    v_after("", "[12345678901234567890]", "[0.25]", ["[12345678901234567890.00]", "[0.25]"]);
}

#[test]
fn v01_scalars_keep_their_text() {
    v_after("", r#""2026-10-05""#, r#""TBD""#, [r#""2026-10-05""#, r#""TBD""#]);
    v_after(
        "",
        r#""2026-10-05T14:03:07.5Z""#,
        r#""TBD""#,
        [r#""2026-10-05T14:03:07.500000Z""#, r#""TBD""#],
    );
    v_after("", "0.1000000000000000055", r#""n/a""#, [r#""0.1000000000000000055""#, r#""n/a""#]);
    v_after("", "true", r#""n/a""#, [r#""true""#, r#""n/a""#]);
}

#[test]
fn v01_lists_of_lists_keep_their_text() {
    let nested = "nested = \"columns\"\n";
    v_after(
        nested,
        r#"[["2026-10-05T14:03:07Z"],[]]"#,
        r#"[["TBD"]]"#,
        [r#"[["2026-10-05T14:03:07Z"], []]"#, r#"[["TBD"]]"#],
    );
    v_after(
        nested,
        r#"[["2026-10-05"]]"#,
        r#"[["2026-10-05T14:03:07Z"]]"#,
        ["[[2026-10-05T00:00:00Z]]", "[[2026-10-05T14:03:07Z]]"],
    );
}

#[test]
fn v01_fields_of_objects_keep_their_text() {
    let nested = "nested = \"columns\"\n";
    v_after(
        nested,
        r#"{"at":"2026-10-05T14:03:07Z"}"#,
        r#"{"at":"TBD"}"#,
        [r#"{at: "2026-10-05T14:03:07Z"}"#, r#"{at: "TBD"}"#],
    );
    v_after(
        nested,
        r#"{"at":["2026-10-05"]}"#,
        r#"{"at":["TBD"]}"#,
        [r#"{at: ["2026-10-05"]}"#, r#"{at: ["TBD"]}"#],
    );
}

#[test]
fn v01_objects_in_lists_take_a_new_key_beside_times_and_decimals() {
    let nested = "nested = \"columns\"\n";
    v_after(
        nested,
        r#"[{"at":"2026-10-05T14:03:07Z"}]"#,
        r#"[{"at":null,"b":1}]"#,
        ["[{at: 2026-10-05T14:03:07Z, b: null}]", "[{at: null, b: 1}]"],
    );
    v_after(
        nested,
        r#"[{"at":"2026-10-05"}]"#,
        r#"[{"b":1}]"#,
        ["[{at: 2026-10-05, b: null}]", "[{at: null, b: 1}]"],
    );
    v_after(
        nested,
        r#"[{"p":0.1000000000000000055}]"#,
        r#"[{"b":1}]"#,
        ["[{p: 0.1000000000000000055, b: null}]", "[{p: null, b: 1}]"],
    );
    v_after(
        nested,
        r#"[{"o":{"at":["2026-10-05T14:03:07Z"]}}]"#,
        r#"[{"o":{"b":1}}]"#,
        ["[{o: {at: [2026-10-05T14:03:07Z], b: null}}]", "[{o: {at: null, b: 1}}]"],
    );
}

#[test]
fn v01_objects_in_lists_keep_their_text() {
    let nested = "nested = \"columns\"\n";
    v_after(
        nested,
        r#"[{"at":"2026-10-05T14:03:07Z"}]"#,
        r#"[{"at":"TBD"}]"#,
        [r#"[{at: "2026-10-05T14:03:07Z"}]"#, r#"[{at: "TBD"}]"#],
    );
}

#[test]
fn v01_declared_decimals_and_dates_keep_their_text_when_they_are_declared_texts() {
    for (before, json, after, expected) in [
        ("decimal(18,2)", "10.10", "string", r#""10.10""#),
        ("list<decimal(18,2)>", "[10.10]", "list<string>", r#"["10.10"]"#),
        ("list<date>", r#"["2026-10-05"]"#, "list<string>", r#"["2026-10-05"]"#),
        (
            "list<timestamp>",
            r#"["2026-10-05T14:03:07Z"]"#,
            "list<string>",
            r#"["2026-10-05T14:03:07Z"]"#,
        ),
        ("list<decimal(18,2)>", "[10.10]", "list<decimal(18,4)>", "[10.1000]"),
        ("decimal(18,2)", "10.10", "list<decimal(18,2)>", "[10.10]"),
        ("date", r#""2026-10-05""#, "list<string>", r#"["2026-10-05"]"#),
    ] {
        let nights = Nights::of_t(&format!("{APPEND}[tables.columns]\nv = \"{before}\""));
        nights.load(&format!("[{{\"id\":1,\"v\":{json}}}]"));
        nights.redefine_t(&format!("{APPEND}[tables.columns]\nv = \"{after}\""));
        nights.load(r#"[{"id":2}]"#);
        assert_eq!(
            nights.t(&["id", "v"]),
            [format!("1 | {expected}"), "2 | null".to_owned()],
            "{before} to {after}"
        );
    }
}

#[test]
fn v01_a_declared_struct_keeps_its_decimals_and_dates_under_a_new_type() {
    let declared =
        |column: &str| format!("{APPEND}nested = \"columns\"\n[tables.columns]\nv = \"{column}\"");
    let nights = Nights::of_t(&declared("list<struct<d: date, p: decimal(18,2)>>"));
    nights.load(r#"[{"id":1,"v":[{"d":"2026-10-05","p":10.10}]}]"#);
    nights.redefine_t(&declared("list<struct<d: string, p: string, q: int64>>"));
    nights.load(r#"[{"id":2}]"#);
    assert_eq!(
        nights.t(&["id", "v"]),
        [r#"1 | [{d: "2026-10-05", p: "10.10", q: null}]"#, "2 | null"]
    );
}

/// One scalar of each type: as JSON, and as the text it has in a text column.
const SCALARS: [(&str, &str); 7] = [
    ("true", "true"),
    ("5", "5"),
    ("10.25", "10.25"),
    ("12345678901234567890", "12345678901234567890"),
    ("0.1000000000000000055", "0.1000000000000000055"),
    ("\"2026-10-05\"", "2026-10-05"),
    ("\"2026-10-05T14:03:07Z\"", "2026-10-05T14:03:07Z"),
];

/// Writes a value of a shape around a scalar.
type Write = fn(&str) -> String;

#[test]
fn v01_every_scalar_in_every_shape_becomes_the_text_that_its_type_has() {
    let shapes: [(&str, Write, Write); 5] = [
        ("scalar", |json| json.to_owned(), |text| format!("\"{text}\"")),
        ("list", |json| format!("[{json},null]"), |text| format!("[\"{text}\", null]")),
        ("lists in a list", |json| format!("[[{json}],[]]"), |text| format!("[[\"{text}\"], []]")),
        ("object", |json| format!("{{\"a\":{json}}}"), |text| format!("{{a: \"{text}\"}}")),
        (
            "objects in a list",
            |json| format!("[{{\"a\":{json}}},{{\"a\":null}}]"),
            |text| format!("[{{a: \"{text}\"}}, {{a: null}}]"),
        ),
    ];
    let mut wrong = Vec::new();
    for (shape, write, read) in shapes {
        let record = |id: usize, write_one: &dyn Fn(&str) -> String| {
            let members = SCALARS.iter().enumerate();
            let members: Vec<String> =
                members.map(|(n, (json, _))| format!("\"v{n}\":{}", write_one(json))).collect();
            format!("[{{\"id\":{id},{}}}]", members.join(","))
        };
        for settings in evolving() {
            let nights = Nights::of_t(&format!("{settings}nested = \"columns\"\n"));
            nights.load(&record(1, &|json| write(json)));
            let second = nights.night(&record(2, &|_| write("\"other\"")));
            if second.code != 0 {
                wrong.push(format!("{shape}: exit {} {}", second.code, second.stderr));
                continue;
            }
            for (n, (json, text)) in SCALARS.iter().enumerate() {
                let rows = nights.t(&["id", &format!("v{n}")]);
                if rows[0] != format!("1 | {}", read(text)) {
                    wrong.push(format!("{shape} of {json}: {}", rows[0]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Merged nights of an inferred column, by the default contract.
fn merged() -> Nights {
    Nights::of_t("write_disposition = \"merge\"\n")
}

#[test]
fn v06_one_text_among_money_on_the_fifth_night_is_kept_out_and_told() {
    let nights = merged();
    for id in 1..5 {
        nights.load(&format!("[{{\"id\":{id},\"v\":{id}.25}}]"));
    }
    let fifth = nights.night(r#"[{"id":5,"v":"n/a"},{"id":6,"v":6.5}]"#);
    assert_eq!(fifth.code, 0, "{}", fifth.stderr);
    assert_eq!(nights.type_of("t", "v"), "float64");
    assert_eq!(
        nights.t(&["id", "v"]),
        ["1 | 1.25", "2 | 2.25", "3 | 3.25", "4 | 4.25", "5 | null", "6 | 6.5"]
    );
    assert_eq!(nights.waiting("t"), ["5 value"]);
    assert!(fifth.stderr.contains("v = \"string\""), "the line to write: {}", fifth.stderr);
}

#[test]
fn v06_a_value_of_another_family_is_kept_out_of_every_inferred_type() {
    for (known, column_type, odd) in [
        ("1", "int64", "\"n/a\""),
        ("1", "int64", "true"),
        ("1.5", "float64", "\"n/a\""),
        ("0.1000000000000000055", "decimal(38,19)", "\"n/a\""),
        ("true", "bool", "\"n/a\""),
        ("true", "bool", "1"),
        ("\"2026-10-05\"", "date", "\"TBD\""),
        ("\"2026-10-05\"", "date", "20261005"),
        ("\"2026-10-05T14:03:07Z\"", "timestamp", "\"TBD\""),
        ("\"2026-10-05T14:03:07Z\"", "timestamp", "1791208987"),
        ("[1]", "list<int64>", "[1,\"n/a\"]"),
        ("[\"2026-10-05\"]", "list<date>", "[\"TBD\"]"),
    ] {
        let nights = merged();
        nights.load(&format!("[{{\"id\":1,\"v\":{known}}}]"));
        nights.load(&format!("[{{\"id\":2,\"v\":{odd}}},{{\"id\":3,\"v\":{known}}}]"));
        assert_eq!(nights.type_of("t", "v"), column_type, "{known} then {odd}");
        assert_eq!(nights.waiting("t"), ["2 value"], "{known} then {odd}");
        let rows = nights.t(&["id", "v"]);
        assert_eq!(rows[1], "2 | null", "{known} then {odd}");
        assert_eq!(rows[0][1..], rows[2][1..], "{known} then {odd}");
    }
}

#[test]
fn v06_a_column_widens_within_its_family() {
    for (first, second, rows) in [
        ("1", "2.5", ["1 | 1.0", "2 | 2.5"]),
        ("1", "12345678901234567890", ["1 | 1", "2 | 12345678901234567890"]),
        ("9007199254740993", "0.5", ["1 | 9007199254740993.0", "2 | 0.5"]),
        (
            "\"2026-10-05\"",
            "\"2026-10-06T14:03:07Z\"",
            ["1 | 2026-10-05T00:00:00Z", "2 | 2026-10-06T14:03:07Z"],
        ),
        ("null", "true", ["1 | null", "2 | true"]),
        ("[]", "[2.5]", ["1 | null", "2 | [2.5]"]),
    ] {
        let nights = merged();
        nights.load(&format!("[{{\"id\":1,\"v\":{first}}}]"));
        let shown = nights.night(&format!("[{{\"id\":2,\"v\":{second}}}]"));
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert_eq!(nights.t(&["id", "v"]), rows, "{first} then {second}");
        assert_eq!(nights.waiting("t"), [""; 0]);
    }
}

#[test]
fn v06_every_scalar_fits_a_text_column_as_it_was_written() {
    let nights = merged();
    nights.load(r#"[{"id":1,"v":"a"}]"#);
    nights.load(
        r#"[{"id":2,"v":5.0},{"id":3,"v":true},{"id":4,"v":10.10},{"id":5,"v":"2026-10-05"},{"id":6,"v":1E2}]"#,
    );
    assert_eq!(
        nights.t(&["id", "v"]),
        [
            "1 | \"a\"",
            "2 | \"5.0\"",
            "3 | \"true\"",
            "4 | \"10.10\"",
            "5 | \"2026-10-05\"",
            "6 | \"1E2\""
        ]
    );
}

#[test]
fn v06_under_evolve_numbers_and_times_become_the_text_they_are_written_with() {
    for (first, second, rows) in [
        ("5", "\"x\"", ["1 | \"5\"", "2 | \"x\""]),
        ("10.1", "\"x\"", ["1 | \"10.1\"", "2 | \"x\""]),
        ("\"2026-10-05\"", "\"x\"", ["1 | \"2026-10-05\"", "2 | \"x\""]),
        ("\"2026-10-05T00:00:00Z\"", "\"x\"", ["1 | \"2026-10-05T00:00:00Z\"", "2 | \"x\""]),
        ("true", "\"x\"", ["1 | \"true\"", "2 | \"x\""]),
    ] {
        let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{EVOLVE}"));
        nights.load(&format!("[{{\"id\":1,\"v\":{first}}}]"));
        nights.load(&format!("[{{\"id\":2,\"v\":{second}}}]"));
        assert_eq!(nights.t(&["id", "v"]), rows, "{first} then {second}");
    }
}

#[test]
fn v06_integers_among_doubles_become_texts_without_a_point() {
    let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{EVOLVE}"));
    nights.load(r#"[{"id":1,"v":5},{"id":2,"v":10.1}]"#);
    nights.load(r#"[{"id":3,"v":"n/a"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"5\"", "2 | \"10.1\"", "3 | \"n/a\""]);
}

#[test]
fn v06_what_did_not_change_gets_no_new_version_when_its_column_becomes_text() {
    for value in ["5", "10.10", "\"2026-10-05\"", "\"2026-10-05T14:03:07.500Z\"", "[10.10]"] {
        let nights =
            Nights::of_t(&format!("write_disposition = \"merge\"\nhistory = true\n{EVOLVE}"));
        nights.load(&format!("[{{\"id\":1,\"v\":{value}}}]"));
        let odd = if value.starts_with('[') { "[\"n/a\"]" } else { "\"n/a\"" };
        nights.load(&format!("[{{\"id\":1,\"v\":{value}}},{{\"id\":2,\"v\":{odd}}}]"));
        let counts = nights.counts("t", ["inserted", "updated", "unchanged"]);
        assert_eq!(counts, [1, 0, 1], "{value}");
        assert_eq!(nights.t(&["id"]), ["1", "2"], "{value}");
    }
}

#[test]
fn v06_a_value_that_was_kept_out_comes_back_by_retry_once_its_column_is_declared() {
    let nights = merged();
    nights.load(r#"[{"id":1,"v":1.25}]"#).load(r#"[{"id":2,"v":"n/a"}]"#);
    assert_eq!(nights.waiting("t"), ["2 value"]);
    nights.redefine_t("write_disposition = \"merge\"\n[tables.columns]\nv = \"string\"");
    nights.retry().success();
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"1.25\"", "2 | \"n/a\""]);
    assert_eq!(nights.waiting("t"), [""; 0]);
}

#[test]
fn v06_a_value_that_was_kept_out_comes_back_with_the_next_export_and_waits_no_more() {
    let nights = merged();
    nights.load(r#"[{"id":1,"v":1.25}]"#).load(r#"[{"id":2,"v":"n/a"}]"#);
    nights.redefine_t("write_disposition = \"merge\"\n[tables.columns]\nv = \"string\"");
    nights.load(r#"[{"id":2,"v":"n/a"},{"id":3,"v":"3"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"1.25\"", "2 | \"n/a\"", "3 | \"3\""]);
    assert_eq!(nights.waiting("t"), [""; 0]);
}

#[test]
fn v06_the_same_odd_value_every_night_waits_once() {
    let nights = merged();
    nights.load(r#"[{"id":1,"v":1.25}]"#);
    nights.load(r#"[{"id":2,"v":"n/a"}]"#);
    nights.load(r#"[{"id":1,"v":1.25},{"id":2,"v":"n/a"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1.25", "2 | null"]);
    assert_eq!(nights.waiting("t"), ["2 value"]);
}

#[test]
fn v06_plan_or_report_says_what_widened_and_what_was_kept_out() {
    let nights = merged();
    nights.load(r#"[{"id":1,"v":1,"w":1}]"#);
    let shown = nights.night(r#"[{"id":2,"v":2.5,"w":"n/a"}]"#);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let text = shown.stdout + &shown.stderr;
    assert!(text.contains("t.v int64 → float64 (widened)"), "{text}");
    assert!(text.contains("w = \"string\""), "{text}");
}

#[test]
fn v06_a_column_of_which_no_value_fits_any_more_ends_the_run() {
    let of = |values: &[&str]| {
        let records = values.iter().enumerate();
        let records = records.map(|(id, value)| format!("{{\"id\":{id},\"v\":{value}}}"));
        format!("[{}]", records.collect::<Vec<_>>().join(","))
    };
    for disposition in ["replace", "append", "merge"] {
        let nights = Nights::of_t(&format!("write_disposition = \"{disposition}\"\n"));
        nights.load(&of(&["1.25"; 100]));
        let before = nights.lake().snapshot();
        let changed = nights.night(&of(&["\"1.25\""; 100]));
        assert_eq!(changed.code, 6, "{}", changed.stderr);
        assert!(changed.stderr.contains("v = \"string\""), "{}", changed.stderr);
        assert_eq!(nights.lake().snapshot(), before);
        // One value of the type, or less than a hundred others, and it may be an accident.
        let mut mixed = ["\"1.25\""; 100];
        mixed[50] = "2.5";
        nights.load(&of(&mixed));
        nights.load(&of(&["\"1.25\""; 99]));
    }
}

#[test]
fn v06_limits_of_quarantine_count_records_that_lack_a_value() {
    let limits = "[limits]\nmax_quarantined = 1\n";
    let nights =
        Nights::of(&format!("{limits}{}write_disposition = \"merge\"\n", super::nights::T));
    nights.load(r#"[{"id":1,"v":1}]"#);
    nights.load(r#"[{"id":2,"v":"a"},{"id":3,"v":3}]"#);
    let many = nights.night(r#"[{"id":4,"v":"a"},{"id":5,"v":"b"},{"id":6,"v":3}]"#);
    assert_eq!(many.code, 3, "{}", many.stderr);
}

#[test]
fn v06_records_that_are_kept_out_as_a_whole_do_not_end_the_run() {
    for settings in ["[tables.columns]\nv = \"int64\"\n", "schema_contract = \"discard_row\"\n"] {
        let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{settings}"));
        nights.load(r#"[{"id":-2,"v":1}]"#);
        let mut records: Vec<String> =
            (0..100).map(|id| format!("{{\"id\":{id},\"v\":\"x\"}}")).collect();
        records.push(r#"{"id":-1}"#.to_owned());
        nights.load(&format!("[{}]", records.join(",")));
        assert_eq!(nights.t(&["id", "v"]), ["-1 | null", "-2 | 1"], "{settings}");
        assert_eq!(nights.waiting("t").len(), 100, "{settings}");
    }
}
