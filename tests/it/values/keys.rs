//! V4 and V5: keys, cursors and partition columns are compared by value and never leave their family.

use super::nights::Nights;

/// A merged table with a key of two columns, of which `deletes` says what becomes of records that are gone.
fn keyed(deletes: &str) -> Nights {
    Nights::of(&format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"item\", \"valid_from\"]\nwrite_disposition = \"merge\"\n{deletes}"
    ))
}

#[test]
fn v04_a_text_never_retypes_a_key_of_timestamps() {
    for deletes in ["", "deletes = \"remove\"\n", "deletes = \"mark\"\n", "history = true\n"] {
        let nights = keyed(deletes);
        nights.load(r#"[{"item":1,"valid_from":"2026-01-01T00:00:00.000Z","p":1}]"#);
        let second = nights.night(
            r#"[{"item":1,"valid_from":"2026-01-01T00:00:00.000Z","p":1},{"item":2,"valid_from":"open","p":2}]"#,
        );
        assert_eq!(second.code, 0, "{deletes} {}", second.stderr);
        assert_eq!(nights.type_of("t", "valid_from"), "timestamp", "{deletes}");
        assert_eq!(nights.t(&["item", "valid_from"]), ["1 | 2026-01-01T00:00:00Z"], "{deletes}");
        assert_eq!(nights.lake().quarantine("t").len(), 1, "{deletes}");
        assert!(second.stderr.contains("valid_from = \"string\""), "{}", second.stderr);
        assert_eq!(nights.counts("t", ["inserted", "updated", "unchanged"]), [0, 0, 1]);
    }
}

#[test]
fn v04_a_key_that_widens_is_the_same_key() {
    for (first, second, same) in [
        ("\"2026-01-01\"", "\"2026-01-01T12:00:00Z\"", "\"2026-01-01\""),
        ("1", "12345678901234567890", "1"),
        ("1", "2.5", "1"),
        ("1", "0.1000000000000000055", "1.0"),
        ("12345678901234567890", "0.5", "12345678901234567890"),
    ] {
        for settings in ["", "history = true\n", "deletes = \"mark\"\n"] {
            let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{settings}"));
            nights.load(&format!("[{{\"id\":{first},\"p\":1,\"lines\":[{{\"n\":1}}]}}]"));
            nights.load(&format!(
                "[{{\"id\":{same},\"p\":1,\"lines\":[{{\"n\":1}}]}},{{\"id\":{second},\"p\":2}}]"
            ));
            let counts = nights.counts("t", ["inserted", "updated", "unchanged"]);
            assert_eq!(counts, [1, 0, 1], "{settings}{first} then {second}");
            assert_eq!(nights.t(&["p"]), ["1", "2"], "{settings}{first} then {second}");
            assert_eq!(nights.rows("t__lines", &["n"]), ["1"], "{settings}{first} then {second}");
            // A changed version finds its row.
            nights.load(&format!("[{{\"id\":{same},\"p\":3}},{{\"id\":{second},\"p\":2}}]"));
            let counts = nights.counts("t", ["inserted", "updated", "unchanged"]);
            assert_eq!(counts, [0, 1, 1], "{settings}{first} then {second}");
        }
    }
}

#[test]
fn v04_a_key_is_the_same_in_every_form_that_means_the_same() {
    for (first, again) in [
        ("\"2026-01-01T00:00:00Z\"", "\"2026-01-01T01:00:00+01:00\""),
        ("\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00.000Z\""),
        ("2.5", "2.50"),
        ("100", "1e2"),
        ("1", "1.0"),
    ] {
        let nights = Nights::of_t("write_disposition = \"merge\"\n");
        nights.load(&format!("[{{\"id\":{first},\"p\":1}}]"));
        nights.load(&format!("[{{\"id\":{again},\"p\":1}}]"));
        assert_eq!(nights.t(&["p"]), ["1"], "{first} then {again}");
    }
}

#[test]
fn v04_a_value_of_another_family_never_retypes_a_key() {
    for (first, odd, column_type) in [
        ("1", "\"A-1\"", "int64"),
        ("1", "true", "int64"),
        ("2.5", "\"A-1\"", "float64"),
        ("\"2026-01-01\"", "5", "date"),
        ("\"2026-01-01\"", "\"soon\"", "date"),
    ] {
        for contract in ["", "schema_contract = \"evolve\"\n"] {
            let nights = Nights::of_t(&format!("write_disposition = \"merge\"\n{contract}"));
            nights.load(&format!("[{{\"id\":{first},\"p\":1}}]"));
            let second =
                nights.night(&format!("[{{\"id\":{odd},\"p\":2}},{{\"id\":{first},\"p\":1}}]"));
            assert_eq!(second.code, 0, "{first} then {odd}: {}", second.stderr);
            assert_eq!(nights.type_of("t", "id"), column_type, "{first} then {odd}");
            assert_eq!(nights.t(&["p"]), ["1"], "{contract}{first} then {odd}");
            assert_eq!(nights.lake().quarantine("t").len(), 1);
            assert!(second.stderr.contains("id = \"string\""), "{}", second.stderr);
        }
    }
}

#[test]
fn v04_a_number_in_a_key_of_texts_is_the_text_it_is_written_with() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":"A-1","p":1},{"id":"7","p":2}]"#);
    nights.load(r#"[{"id":7,"p":3}]"#);
    assert_eq!(nights.t(&["id", "p"]), ["\"7\" | 3", "\"A-1\" | 1"]);
}

#[test]
fn v04_a_value_of_another_family_never_retypes_a_partition_column() {
    for (partition, first, odd) in [
        ("month(d)", "\"2026-10-05\"", "\"soon\""),
        ("month(d)", "\"2026-10-05T00:00:00Z\"", "5"),
        ("d", "1", "\"north\""),
        ("d", "1", "true"),
    ] {
        for disposition in ["append", "merge", "overwrite_partitions"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"{disposition}\"\npartition_by = [\"{partition}\"]\n"
            ));
            nights.load(&format!("[{{\"id\":1,\"d\":{first}}}]"));
            let partitions = nights.lake().partitions("t");
            let second =
                nights.night(&format!("[{{\"id\":2,\"d\":{odd}}},{{\"id\":3,\"d\":{first}}}]"));
            assert_eq!(second.code, 0, "{disposition} {partition} {odd}: {}", second.stderr);
            assert_eq!(nights.lake().partitions("t"), partitions);
            assert_eq!(nights.waiting("t"), ["2 row"]);
            // A text has no month, so there the line to write is another one.
            let line = if partition == "d" { "d = \"string\"" } else { "`d`" };
            assert!(second.stderr.contains(line), "{}", second.stderr);
        }
    }
}

const MERGED: &str = "write_disposition = \"merge\"\ncursor = \"u\"\n";

#[test]
fn v05_numbers_dates_and_timestamps_tell_the_later_version() {
    for (older, later) in [
        ("9", "10"),
        ("9.5", "10.25"),
        ("9", "10.5"),
        ("9007199254740993", "12345678901234567890"),
        ("\"2026-10-05\"", "\"2026-11-01\""),
        ("\"2026-10-05\"", "\"2026-10-05T08:00:00Z\""),
        ("\"2026-10-05T23:00:00+02:00\"", "\"2026-10-05T22:00:00Z\""),
    ] {
        let nights = Nights::of_t(MERGED);
        nights.load(&format!("[{{\"id\":1,\"v\":\"old\",\"u\":{older}}}]"));
        nights.load(&format!("[{{\"id\":1,\"v\":\"new\",\"u\":{later}}}]"));
        assert_eq!(nights.t(&["v"]), ["\"new\""], "{older} then {later}");
        nights.load(&format!("[{{\"id\":1,\"v\":\"stale\",\"u\":{older}}}]"));
        assert_eq!(nights.t(&["v"]), ["\"new\""], "{older} after {later}");
        assert_eq!(nights.counts("t", ["superseded"]), [1]);
    }
}

#[test]
fn v05_check_refuses_a_cursor_that_is_declared_as_text() {
    for column_type in ["string", "bool", "list<int64>"] {
        let nights = Nights::of_t(&format!("{MERGED}[tables.columns]\nu = \"{column_type}\"\n"));
        let checked = nights.check();
        assert_eq!(checked.code, 2, "{column_type}: {}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains("tables[0].cursor"), "{}", checked.stdout);
    }
}

#[test]
fn v05_a_cursor_that_is_found_to_be_text_ends_the_run_with_the_line_to_write() {
    for (first, line) in [
        ("\"9\"", "u = \"int64\""),
        ("\"05.10.2026\"", "formats = [\"%d.%m.%Y\"]"),
        ("\"rev-9\"", "cursor"),
        ("true", "cursor"),
    ] {
        let nights = Nights::of_t(MERGED);
        let finished = nights.night(&format!("[{{\"id\":1,\"u\":{first}}}]"));
        assert_eq!(finished.code, 6, "{first}");
        assert!(finished.stderr.contains(line), "{first}: {}", finished.stderr);
        assert_eq!(nights.lake().tables(), [""; 0]);
    }
}

#[test]
fn v05_one_text_among_timestamps_costs_its_record() {
    let nights = Nights::of_t(MERGED);
    nights.load(
        r#"[{"id":1,"v":"a","u":"2026-10-05T00:00:00Z"},{"id":2,"v":"a","u":"2026-10-05T00:00:00Z"}]"#,
    );
    nights.load(r#"[{"id":1,"v":"b","u":"2026-10-06T00:00:00Z"},{"id":2,"v":"b","u":"unknown"}]"#);
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"b\"", "2 | \"a\""]);
    assert_eq!(nights.waiting("t"), ["2 row"]);
    assert_eq!(nights.type_of("t", "u"), "timestamp");
}

#[test]
fn v05_a_cursor_that_no_record_has_ends_the_run() {
    let nights = Nights::of_t(MERGED);
    nights.load(r#"[{"id":1,"v":"a","u":1}]"#);
    for renamed in [r#"[{"id":1,"v":"b","updated":2}]"#, r#"[{"id":1,"v":"b","u":null}]"#] {
        let finished = nights.night(renamed);
        assert_eq!(finished.code, 6, "{renamed}: {}{}", finished.stdout, finished.stderr);
        assert!(finished.stderr.contains("`u`"), "{}", finished.stderr);
        assert_eq!(nights.t(&["v"]), ["\"a\""]);
    }
    // An export without records has nothing to say.
    nights.load("[]");
}

#[test]
fn v05_a_record_without_a_cursor_is_older_than_any_and_counted() {
    let nights = Nights::of_t(MERGED);
    nights.load(r#"[{"id":1,"v":"a","u":1},{"id":2,"v":"a"}]"#);
    let finished = nights.night(r#"[{"id":1,"v":"b"},{"id":2,"v":"b"},{"id":3,"v":"a","u":1}]"#);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"a\"", "2 | \"b\"", "3 | \"a\""]);
    assert_eq!(nights.counts("t", ["superseded", "without_cursor"]), [1, 2]);
}
