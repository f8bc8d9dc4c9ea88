//! V7, V14 and R16: forms of dates, time zones, and the years that there are.

use super::nights::Nights;

/// The settings of a column `at`.
fn at(settings: &str) -> String {
    format!("[tables.columns]\nat = {{ {settings} }}\n")
}

/// What `at` becomes, or `quarantine`.
fn read(settings: &str, json: &str) -> String {
    let nights = Nights::of_t(&at(settings));
    // A sound record beside it, so that the table is loaded whatever becomes of the other.
    let finished = nights.night(&format!("[{{\"id\":1,\"at\":{json}}},{{\"id\":2}}]"));
    if finished.code != 0 {
        return format!("exit {}", finished.code);
    }
    match &nights.waiting("t")[..] {
        [] => nights.t(&["id", "at"])[0][4..].to_owned(),
        _ => "quarantine".to_owned(),
    }
}

#[test]
fn v07_a_form_to_the_hour_keeps_the_hour() {
    for (format, text, expected) in [
        ("%Y-%m-%d %H", "2026-10-05 14", "2026-10-05T14:00:00Z"),
        ("%d.%m.%Y %H Uhr", "05.10.2026 14 Uhr", "2026-10-05T14:00:00Z"),
        ("%Y-%m-%d %I %p", "2026-10-05 02 PM", "2026-10-05T14:00:00Z"),
        ("%Y-%m-%d %I:%M %p", "2026-10-05 02:30 PM", "2026-10-05T14:30:00Z"),
        ("%Y-%m-%d %H %z", "2026-10-05 14 +0200", "2026-10-05T12:00:00Z"),
        ("%Y-%j", "2026-278", "2026-10-05T00:00:00Z"),
        ("%G-W%V-%u", "2026-W41-1", "2026-10-05T00:00:00Z"),
    ] {
        let settings = format!("type = \"timestamp\", formats = [\"{format}\"]");
        assert_eq!(read(&settings, &format!("\"{text}\"")), expected, "{format}");
    }
}

#[test]
fn v07_check_refuses_a_form_that_does_not_tell_the_whole_date_or_the_hour() {
    for (column_type, format, missing) in [
        ("timestamp", "%Y-%m-%d %I:%M", "%p"),
        ("timestamp", "%Y-%m-%d %I", "%p"),
        ("timestamp", "%Y-%m-%d %M", "hour"),
        ("timestamp", "%H:%M:%S", "date"),
        ("timestamp", "%d.%m. %H:%M", "year"),
        ("timestamp", "%Y-%m-%d %p", "hour"),
        ("date", "%Y-%m", "day"),
        ("date", "%m/%d", "year"),
        ("date", "%Y", "month"),
        ("timestamp", "%Y-%m-%d %H:%M %Z", "%Z"),
        ("date", "%Y-%m-%d %Z", "%Z"),
    ] {
        let nights =
            Nights::of_t(&at(&format!("type = \"{column_type}\", formats = [\"{format}\"]")));
        let checked = nights.check();
        assert_eq!(checked.code, 2, "{format}: {}", checked.stdout);
        assert!(checked.stdout.contains(missing), "{format}: {}", checked.stdout);
    }
}

const COPENHAGEN: &str = "type = \"timestamp\", timezone = \"Europe/Copenhagen\"";

#[test]
fn v07_a_time_without_a_zone_is_in_the_zone_of_its_column() {
    for (json, expected) in [
        ("\"2026-07-01T12:00:00\"", "2026-07-01T10:00:00Z"),
        ("\"2026-12-01T12:00:00\"", "2026-12-01T11:00:00Z"),
        ("\"2026-12-01 12:00:00.250\"", "2026-12-01T11:00:00.250000Z"),
        ("\"2026-07-01T12:00:00Z\"", "2026-07-01T12:00:00Z"),
        ("\"2026-07-01T12:00:00+05:00\"", "2026-07-01T07:00:00Z"),
        ("\"2026-07-01\"", "2026-06-30T22:00:00Z"),
        ("null", "null"),
    ] {
        assert_eq!(read(COPENHAGEN, json), expected, "{json}");
    }
    let with_form = format!("{COPENHAGEN}, formats = [\"%d.%m.%Y %H:%M\"]");
    assert_eq!(read(&with_form, "\"01.07.2026 12:00\""), "2026-07-01T10:00:00Z");
}

#[test]
fn v07_local_times_that_are_twice_or_never_are_in_quarantine_or_as_ambiguous_says() {
    let twice = "\"2026-10-25T02:30:00\"";
    let never = "\"2026-03-29T02:30:00\"";
    assert_eq!(read(COPENHAGEN, twice), "quarantine");
    assert_eq!(read(COPENHAGEN, never), "quarantine");
    for (word, expected) in
        [("earliest", "2026-10-25T00:30:00Z"), ("latest", "2026-10-25T01:30:00Z")]
    {
        let settings = format!("{COPENHAGEN}, ambiguous = \"{word}\"");
        assert_eq!(read(&settings, twice), expected);
        // No zone has ever shown this time.
        assert_eq!(read(&settings, never), "quarantine");
    }
}

#[test]
fn v07_times_in_lists_and_child_tables_have_zones_too() {
    let nights = Nights::of(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nat = { type = \"list<timestamp>\", timezone = \"Europe/Copenhagen\" }\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\nat = { type = \"timestamp\", timezone = \"Europe/Copenhagen\" }\n",
    );
    nights
        .load(r#"[{"id":1,"at":["2026-07-01T12:00:00"],"lines":[{"at":"2026-07-01T12:00:00"}]}]"#);
    assert_eq!(nights.t(&["at"]), ["[2026-07-01T10:00:00Z]"]);
    assert_eq!(nights.rows("lines", &["at"]), ["2026-07-01T10:00:00Z"]);
}

#[test]
fn v07_check_refuses_zones_that_are_none_and_columns_that_cannot_have_one() {
    for (settings, said) in [
        ("type = \"timestamp\", timezone = \"Europe/Copenhagn\"", "Europe/Copenhagen"),
        ("type = \"date\", timezone = \"Europe/Copenhagen\"", "timezone"),
        ("type = \"string\", timezone = \"Europe/Copenhagen\"", "timezone"),
        ("type = \"timestamp\", ambiguous = \"earliest\"", "timezone"),
        (
            "type = \"timestamp\", timezone = \"Europe/Copenhagen\", ambiguous = \"first\"",
            "earliest",
        ),
    ] {
        let checked = Nights::of_t(&at(settings)).check();
        assert_eq!(checked.code, 2, "{settings}: {}", checked.stdout);
        // The problems are what `check` prints: they go to stdout.
        assert!(checked.stdout.contains(said), "{settings}: {}", checked.stdout);
    }
}

#[test]
fn r16_months_years_and_days_of_a_zone() {
    for (transform, expected) in [
        ("month", "created_at_month=2026-11"),
        ("day", "created_at_day=2026-11-01"),
        ("year", "created_at_year=2026"),
    ] {
        let nights = Nights::of_t(&format!(
            "partition_by = ['{transform}(created_at, \"Europe/Copenhagen\")']\n"
        ));
        nights.load(r#"[{"id":1,"createdAt":"2026-10-31T23:30:00Z"}]"#);
        assert_eq!(nights.lake().partitions("t"), [expected]);
        assert_eq!(nights.t(&["created_at"]), ["2026-10-31T23:30:00Z"]);
    }
}

#[test]
fn r16_a_window_covers_local_months_and_plan_shows_it() {
    let nights = Nights::of("");
    nights.workplace.define_with(
        "[source.filters]\nfrom = \"{{ window.start }}\"\nto = \"{{ window.end }}\"\n[source.window]\nstart = 2026-10-01\n",
        "[[tables]]\nname = \"t\"\nwrite_disposition = \"overwrite_partitions\"\npartition_by = ['month(created_at, \"Europe/Copenhagen\")']\n",
    );
    let arguments = ["plan", "test.toml", "--as-of", "2026-11-10T12:00:00Z"];
    let shown = nights.workplace.flowlake(&arguments).success();
    // October begins at midnight in Copenhagen.
    assert!(shown.contains("2026-09-30T22:00:00Z"), "{shown}");
}

#[test]
fn r16_a_zone_needs_an_instant() {
    let settings =
        "partition_by = ['month(day, \"Europe/Copenhagen\")']\n[tables.columns]\nday = \"date\"\n";
    let checked = Nights::of_t(settings).check();
    assert_eq!(checked.code, 2, "{}", checked.stdout);
    assert!(checked.stdout.contains("is date"), "{}", checked.stdout);
    let unknown = "partition_by = ['month(at, \"Europe/Kopenhagen\")']\n";
    let checked = Nights::of_t(unknown).check();
    assert_eq!(checked.code, 2, "{}", checked.stdout);
    assert!(checked.stdout.contains("Europe/Copenhagen"), "{}", checked.stdout);
}

#[test]
fn v14_years_before_1_and_after_9999_are_texts() {
    for text in [
        "9999-12-31T23:59:59-12:00",
        "0000-01-01",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+01:00",
    ] {
        let nights = Nights::of_t("");
        nights.load(&format!("[{{\"id\":1,\"at\":\"{text}\"}}]"));
        assert_eq!(nights.columns("t"), ["id int64", "at string"], "{text}");
        assert_eq!(nights.t(&["at"]), [format!("\"{text}\"")]);
    }
}

#[test]
fn v14_the_first_and_the_last_year_are_dates() {
    for (text, expected) in [
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ] {
        let nights = Nights::of_t("");
        nights.load(&format!("[{{\"id\":1,\"at\":\"{text}\"}}]"));
        assert_eq!(nights.t(&["at"]), [expected]);
    }
}

#[test]
fn v14_declared_dates_of_such_years_are_in_quarantine() {
    for (column_type, formats, text) in [
        ("timestamp", "", "9999-12-31T23:59:59-12:00"),
        ("timestamp", "", "0000-01-01T00:00:00Z"),
        ("date", "", "0000-06-01"),
        ("date", ", formats = [\"%d.%m.%Y\"]", "01.01.10000"),
        ("date", ", formats = [\"%d.%m.%Y\"]", "01.01.0000"),
    ] {
        let settings = format!("type = \"{column_type}\"{formats}");
        assert_eq!(read(&settings, &format!("\"{text}\"")), "quarantine", "{column_type} {text}");
    }
}

#[test]
fn v14_such_a_year_on_a_later_night_costs_its_value() {
    let nights = Nights::of_t("write_disposition = \"merge\"\n");
    nights.load(r#"[{"id":1,"at":"2026-10-05T00:00:00Z"}]"#);
    nights.load(r#"[{"id":2,"at":"9999-12-31T23:59:59-12:00"}]"#);
    assert_eq!(nights.t(&["id", "at"]), ["1 | 2026-10-05T00:00:00Z", "2 | null"]);
    assert_eq!(nights.waiting("t"), ["2 value"]);
}
