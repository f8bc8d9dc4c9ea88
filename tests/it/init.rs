//! `flowlake init`: the definition it writes passes `check` and loads, untouched by hand.

use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use crate::exactness::{Json, records};
use crate::support::{Finished, Lake, Source, Workplace, property_config};

/// How many exports are tried by `make test`; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 60;

/// What `init` prints for an export.
#[track_caller]
fn proposed(export: &str) -> String {
    init(export.as_bytes(), &[]).success()
}

/// `init` of a saved export.
fn init(export: &[u8], more: &[&str]) -> Finished {
    let workplace = Workplace::empty();
    std::fs::write(workplace.path().join("export"), export).unwrap();
    workplace.flowlake(&[&["init", "--from-file", "export"], more].concat())
}

/// Defines an export, checks the definition and loads the export with it: nothing may be in quarantine.
#[track_caller]
fn assert_loads(export: &str) -> (String, Lake, Workplace) {
    let source = Source::serving(export);
    let workplace = Workplace::asking(&source);
    std::fs::write(workplace.path().join("export"), export).unwrap();
    let init = ["init", "--from-file", "export", "--name", "test", "--output", "test.toml"];
    workplace.flowlake(&init).success();
    let definition = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    let checked = workplace.flowlake(&["check", "test.toml"]);
    assert_eq!(checked.code, 0, "{}\n{definition}\n{export}", checked.stderr);
    let run = workplace.run();
    assert_eq!(run.code, 0, "{}\n{definition}\n{export}", run.stderr);
    let lake = Lake::at(&workplace.path().join("lake/test"));
    for (table, counts) in lake.ledger() {
        // Only a table without a parent counts values.
        let values = counts.get("values_quarantined").copied().unwrap_or_default();
        let kept_out = (counts["quarantined"], values);
        assert_eq!(kept_out, (0, 0), "{table}\n{definition}\n{export}");
    }
    (definition, lake, workplace)
}

/// Every export there is, with the arrays it holds.
fn exports() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = std::fs::read_dir(root.join("../shared/data/ocds"));
    let real = real.into_iter().flatten().map(|entry| entry.unwrap().path());
    let ours = ["purchasing.json", "e-sourcing.json"].map(|name| root.join("data").join(name));
    real.chain(ours).collect()
}

#[test]
fn what_init_writes_loads_every_record() {
    for export in exports() {
        let text = std::fs::read_to_string(&export).unwrap();
        let source = Source::serving(&text);
        let workplace = Workplace::asking(&source);
        let from = export.to_str().unwrap();
        workplace
            .flowlake(&["init", "--from-file", from, "--name", "test", "--output", "test.toml"])
            .success();
        workplace.flowlake(&["check", "test.toml"]).success();
        workplace.run().success();

        let json: Value = serde_json::from_str(&text).unwrap();
        let lake = crate::support::Lake::at(&workplace.path().join("lake/test"));
        let ledger = lake.ledger();
        for (key, array) in json.as_object().unwrap().iter().filter(|(_, value)| value.is_array()) {
            let counts = &ledger[&flowlake::infer::snake_case(key)];
            let records = array.as_array().unwrap().len();
            assert_eq!(
                (counts["received"], counts["inserted"]),
                (records, records),
                "{from} {key}"
            );
        }
    }
}

#[test]
fn what_init_writes_for_the_sample_export() {
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/purchasing.json");
    let workplace = Workplace::empty();
    let definition =
        workplace.flowlake(&["init", "--from-file", export.to_str().unwrap()]).success();
    insta::assert_snapshot!(definition);
}

#[test]
fn init_asks_the_source_when_there_is_no_file() {
    let source =
        Source::serving(r#"{"events":[{"id":1,"createdAt":"2026-01-01T00:00:00Z","price":1.5}]}"#);
    let workplace = Workplace::asking(&source);
    let definition = workplace.flowlake(&["init", "--endpoint", "e-sourcing"]).success();
    assert_eq!(source.requests(), ["/api/export/all/esourcing/acme"]);
    assert!(
        definition.contains("primary_key = [\"id\"]") && definition.contains("month(created_at)")
    );
    assert!(definition.contains("price = \"decimal(18,2)\""), "{definition}");
}

#[test]
fn f09_a_date_is_found_by_its_values_whatever_it_is_called() {
    let definition = proposed(
        r#"[{"id":1,"besked":"2026-01-05T10:00:00Z","dag":"2026-01-06","note":"x"},
            {"id":2,"besked":"2026-02-05T10:00:00Z","dag":null,"note":"y"}]"#,
    );
    assert!(definition.contains("partition_by = [\"month(besked)\"]"), "{definition}");
    assert!(
        !definition.contains("other dates"),
        "half of the records lack the other: {definition}"
    );
}

#[test]
fn f09_a_creation_date_goes_first_and_the_others_are_told() {
    let definition = proposed(
        r#"[{"id":1,"needed_by":"2026-01-05","updatedAt":"2026-01-05T10:00:00Z","createdAt":"2026-01-01T00:00:00Z"}]"#,
    );
    assert!(definition.contains("partition_by = [\"month(created_at)\"]\n"), "{definition}");
    assert!(definition.contains("other dates to partition by: needed_by, updated_at"));
}

#[test]
fn f09_a_date_that_few_records_lack_may_be_the_partition_date() {
    let record = |number: usize| match number {
        0 => "{\"id\":0}".to_owned(),
        _ => format!("{{\"id\":{number},\"sent\":\"2026-01-05\"}}"),
    };
    for (records, is_proposed) in [(19, false), (20, true)] {
        let records: Vec<String> = (0..records).map(record).collect();
        let (definition, _, _) = assert_loads(&format!("[{}]", records.join(",")));
        assert_eq!(definition.contains("[\"month(sent)\"]"), is_proposed, "{definition}");
    }
}

#[test]
fn f09_dates_of_too_many_months_are_partitioned_by_year_or_not_at_all() {
    let record = |year: usize| format!("{{\"id\":{year},\"day\":\"{year:04}-01-01\"}}");
    let months = |year: usize| {
        let month = |month: usize| {
            format!("{{\"id\":\"{year}-{month}\",\"day\":\"{year}-{month:02}-01\"}}")
        };
        (1..=12).map(month).collect::<Vec<_>>().join(",")
    };
    let sixty_years: Vec<String> = (1960..2020).map(months).collect();
    let thousand_years: Vec<String> = (1..1000).map(record).collect();
    for (records, expected) in
        [(sixty_years, "[\"year(day)\"]"), (thousand_years, "# ? partition_by")]
    {
        let (definition, _, _) = assert_loads(&format!("[{}]", records.join(",")));
        assert!(definition.contains(expected), "{definition}");
    }
}

#[test]
fn f09_numbers_in_quotes_are_decimals_and_identifiers_stay_text() {
    let (definition, lake, _workplace) = assert_loads(
        r#"[{"id":"1","total":"1234.50","iban":"0012","vatNumber":"12345678","zip":"8000","phone":"4512345678","costCenter":"4711"},
            {"id":"2","total":"-7.5","iban":"12","vatNumber":"87654321","zip":"9000","phone":"4587654321","costCenter":"4712"}]"#,
    );
    assert!(definition.contains("\ntotal = \"decimal(18,2)\""), "{definition}");
    assert_eq!(lake.column("test", "total"), ["1234.50", "-7.50"]);
    for text in ["id", "iban", "vat_number", "zip", "phone", "cost_center"] {
        assert!(definition.contains(&format!("#   {text}: string\n")), "{definition}");
    }
}

#[test]
fn f09_dates_of_other_forms_get_the_only_format_that_reads_them_all() {
    let (definition, lake, _workplace) = assert_loads(
        r#"[{"id":1,"ordered":"21.09.2026","us":"09/21/2026","sent":"21/9/2026 14:03","either":"03/04/2026"},
            {"id":2,"ordered":"01.10.2026","us":"10/01/2026","sent":"1/10/2026 09:30","either":"05/06/2026"}]"#,
    );
    for line in [
        "\npartition_by = [\"month(ordered)\"]",
        "\nordered = { type = \"date\", formats = [\"%d.%m.%Y\"] }",
        "\nus = { type = \"date\", formats = [\"%m/%d/%Y\"] }",
        "\nsent = { type = \"timestamp\", formats = [\"%d/%m/%Y %H:%M\"] }",
        "#     either = { type = \"date\", formats = [\"%d/%m/%Y\"] }",
        "#     either = { type = \"date\", formats = [\"%m/%d/%Y\"] }",
    ] {
        assert!(definition.contains(line), "{line}\n{definition}");
    }
    assert_eq!(lake.column("test", "us"), ["2026-09-21", "2026-10-01"]);
    assert_eq!(lake.partitions("test"), ["ordered_month=2026-09", "ordered_month=2026-10"]);
}

#[test]
fn f09_an_empty_text_among_dates_and_numbers_is_null() {
    let (definition, lake, _workplace) =
        assert_loads(r#"[{"total":"1.50","sent":"2026-09-21"},{"total":"","sent":""}]"#);
    let total = "\ntotal = { type = \"decimal(18,2)\", null_values = [\"\"] }";
    assert!(definition.contains(total), "{definition}");
    assert_eq!(lake.column("test", "sent"), ["2026-09-21", "null"]);
}

#[test]
fn f09_seconds_are_timestamps_and_milliseconds_are_told() {
    let (definition, lake, _workplace) = assert_loads(
        r#"[{"id":1,"createdAt":1790000000,"updatedAt":1790000000123,"day":20260921,"count":1790000000}]"#,
    );
    for line in [
        "\ncreated_at = { type = \"timestamp\", formats = [\"%s\"] }",
        "\nday = { type = \"date\", formats = [\"%Y%m%d\"] }",
        "#   updated_at: int64, ? milliseconds since 1970",
        "#   count: int64\n",
        "\ncursor = \"updated_at\"",
    ] {
        assert!(definition.contains(line), "{line}\n{definition}");
    }
    assert_eq!(lake.column("test", "day"), ["2026-09-21"]);
}

#[test]
fn f09_a_cursor_is_an_instant_in_every_record_that_tells_of_changes() {
    for (fields, cursor) in [
        (r#""updatedAt":"2026-01-05T10:00:00Z""#, Some("updated_at")),
        (r#""lastModified":"2026-01-05T10:00:00Z""#, Some("last_modified")),
        (r#""changed_on":"05.01.2026 10:00:13""#, None),
        (r#""changed_on":"25.01.2026 10:00""#, Some("changed_on")),
        (r#""meta":{"modified":"2026-01-05T10:00:00Z"}"#, Some("meta__modified")),
        (
            r#""priceChanged":"2026-01-05T10:00:00Z","updated":"2026-01-05T10:00:00Z""#,
            Some("updated"),
        ),
        (r#""sent":"2026-01-05T10:00:00Z""#, None),
        (r#""updated_on":"2026-01-05""#, None),
        (r#""updated_by":"me""#, None),
    ] {
        let (definition, _, _) = assert_loads(&format!("[{{\"id\":1,{fields}}}]"));
        let line = cursor.map(|name| format!("\ncursor = \"{name}\""));
        let found = definition.lines().find(|line| line.starts_with("cursor"));
        assert_eq!(found.is_some(), cursor.is_some(), "{definition}");
        assert!(line.is_none_or(|line| definition.contains(&line)), "{definition}");
    }
}

#[test]
fn f09_without_a_unique_key_there_is_no_key_and_no_cursor() {
    let export =
        r#"[{"id":1,"updated":"2026-01-05T10:00:00Z"},{"id":1,"updated":"2026-01-06T10:00:00Z"}]"#;
    let (definition, _, _) = assert_loads(export);
    assert!(!definition.contains("\nprimary_key") && !definition.contains("\ncursor"));
    assert!(definition.contains("no column is unique, `id` is not"), "{definition}");
}

#[test]
fn f09_texts_that_are_one_date_are_no_key() {
    let export = r#"[{"orderid":"21.9.2026"},{"orderid":"21.09.2026"}]"#;
    let (definition, lake, _workplace) = assert_loads(export);
    assert!(!definition.contains("\nprimary_key"), "{definition}");
    assert_eq!(lake.column("test", "orderid"), ["2026-09-21", "2026-09-21"]);
}

#[test]
fn f09_names_that_mean_two_values_are_declared_by_neither() {
    let (definition, _, _) =
        assert_loads(r#"[{"totalPrice":"1.50","total_price":"2.50","ID":1,"id":2}]"#);
    assert!(!definition.contains("[tables.columns]"), "{definition}");
    assert!(!definition.contains("\nprimary_key"), "{definition}");
}

#[test]
fn f09_records_that_no_table_takes_are_told() {
    let finished = init(br#"[{"id":1},null,{"id":2,"id":3}]"#, &[]);
    assert!(finished.stdout.contains("# ? 2 records more would go to quarantine"));
    assert!(finished.stderr.contains("2 records more would go to quarantine"));
}

#[test]
fn f09_an_export_that_a_run_refuses_is_told() {
    let export = br#"{"items":[{"id":1}],"hasMore":true,"total":5}"#;
    let finished = init(export, &[]);
    let (has_more, total) = (
        "the response says that it is not whole: `/hasMore` is true",
        "the response is not whole: `/total` is 5, and it has 1 records",
    );
    for said in [has_more, total] {
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert!(finished.stdout.contains(&format!("# ? {said}.")), "{}", finished.stdout);
    }
    assert!(finished.stdout.contains("# ignore = [\"/hasMore\", \"/total\"]"));
    let odd = init(b"{\"a\\nb\":{\"hasMore\":true,\"items\":[{\"id\":1}]}}", &[]).success();
    assert!(odd.contains("`/a\\nb/hasMore` is true"), "{odd}");
    let failed = init(br#"{"error":"Unauthorized","items":[{"id":1}]}"#, &[]);
    assert_eq!(failed.code, 6);
    assert!(failed.stderr.contains("reports an error in `/error`: Unauthorized"));
}

#[test]
fn f09_an_answer_without_records_is_told() {
    let finished = init(br#"{"message":"Not found"}"#, &[]);
    let remark = "there is no array of objects, so that the whole export is one record";
    assert!(finished.stderr.contains(remark), "{}", finished.stderr);
    assert!(finished.stdout.contains("# - There is no array of objects in it:"));
    for export in ["[{\"id\":1}]", "[]", "{\"a\":[]}", "{\"id\":1}\n{\"id\":2}\n"] {
        let finished = init(export.as_bytes(), &[]);
        assert!(!finished.stderr.contains(remark), "{export}");
    }
}

#[test]
fn f09_every_kind_of_export_is_defined_and_loads() {
    for export in [
        "[]",
        "{}",
        "null",
        "{\"a\":[1,2]}",
        "{\"a\":[]}",
        "{\"id\":1,\"total\":\"1.50\"}",
        "{\"id\":1}\n{\"id\":2}\n",
        "{\"a\":[{\"id\":1}],\"b\":[{\"id\":1,\"at\":\"2026-01-01\"}],\"c\":{\"d\":[{\"id\":1}]}}",
        "[{\"a\":null},{\"a\":null}]",
        "[{\"a\":1},{\"a\":\"x\"},{\"a\":true},{\"a\":[1]},{\"a\":{\"b\":1}}]",
        "[{\"\":1,\"a b\":\"1.50\",\"ø\":\"21.09.2026\",\"a\\n\\\"'\":\"1.5\",\"%\":\"2026-01-01\"}]",
        "[{\"id\":1,\"x\":[[{\"price\":1.5}],[[1.25]]]}]",
        "[{\"a\":{\"b\":{\"createdAt\":\"2026-01-01T00:00:00Z\",\"price\":\"1.50\"}}}]",
        "[{\"lines\":[{\"price\":\"1.50\",\"day\":\"21.09.2026\"},{\"price\":\"-2\",\"day\":\"\"}]}]",
        "[{\"total\":\"-0.00\"},{\"total\":-0.0},{\"total\":\"1\"}]",
        "[{\"day\":\"0001-01-01\"},{\"day\":\"9999-12-31\"}]",
        "[{\"_flowlake_id\":\"1.50\",\"_index\":\"21.09.2026\",\"value\":\"1.50\"}]",
    ] {
        assert_loads(export);
    }
}

#[test]
fn f09_every_key_of_an_array_gives_a_table_a_name() {
    let (long, letters) = ("long".repeat(80), "цена".repeat(30));
    let mut keys = vec!["2024", "~1", "/", "_", "", "a b", "Ⅷ", "x\u{e0041}y\u{202e}", "table_1"];
    keys.extend([long.as_str(), letters.as_str()]);
    let array = |key: &&str| (String::from(*key), serde_json::json!([{ "id": 1 }]));
    let all: serde_json::Map<String, Value> = keys.iter().map(array).collect();
    assert_loads(&Value::Object(all).to_string());
    for key in &keys {
        assert_loads(&serde_json::json!({ *key: [{ "id": 1 }] }).to_string());
        // The same as a list in each record.
        assert_loads(&serde_json::json!([{ *key: [{ "id": 1 }] }]).to_string());
    }
    let (definition, _, _) = assert_loads("{\"2024\":[{\"id\":1}]}");
    assert!(definition.contains("\nname = \"table_2024\""), "{definition}");
}

#[test]
fn m2_a_record_that_a_run_refuses_is_refused() {
    for (before, after) in
        [("[{\"a\":\"", "\"}]"), ("{\"a\":\"", "\"}"), ("{\"a\":1}\n{\"a\":\"", "\"}\n")]
    {
        let export = format!("{before}{}{after}", "x".repeat(17 << 20));
        let finished = init(export.as_bytes(), &[]);
        assert_eq!(finished.code, 6, "{}", finished.stderr);
        assert!(finished.stderr.contains("max_record_size"), "{}", finished.stderr);
    }
}

#[test]
fn f09_stdout_and_file_have_the_same_definition_whatever_the_keys_are() {
    for hidden in
        ["\u{e0041}", "\u{202e}", "\u{200b}", "\u{9b}", "\u{85}", "\u{2028}", "\n", "\u{7f}"]
    {
        let key = format!("x{hidden}y");
        let export = serde_json::json!({ &key: [{ "id": 1 }], "hasMore": { &key: 1 } }).to_string();
        let workplace = Workplace::empty();
        std::fs::write(workplace.path().join("export"), &export).unwrap();
        let init = ["init", "--from-file", "export", "--output", "test.toml"];
        workplace.flowlake(&init).success();
        let written = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
        assert_eq!(workplace.flowlake(&init[..3]).success(), written);
        let parsed: toml::Table = written.parse().unwrap();
        assert_eq!(parsed["tables"][0]["records"].as_str(), Some(format!("/{key}").as_str()));
        assert!(!written.contains(hidden) || hidden == "\n", "{written}");
    }
}

#[test]
fn f09_milliseconds_under_a_name_of_money_stay_numbers() {
    let (definition, _, _) = assert_loads(
        r#"[{"id":1,"paid_at":1790000000000,"paid":1790000000000,"total_value":1790000000}]"#,
    );
    for line in [
        "#   paid_at: int64, ? milliseconds since 1970",
        "#   paid: int64, ? milliseconds since 1970",
        "\ntotal_value = \"decimal(18,2)\"",
    ] {
        assert!(definition.contains(line), "{line}\n{definition}");
    }
}

#[test]
fn f09_init_says_what_it_found_and_what_to_do_next() {
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/purchasing.json");
    let from = export.to_str().unwrap();
    let workplace = Workplace::empty();
    let written = workplace.flowlake(&["init", "--from-file", from, "--output", "my orders.toml"]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    insta::assert_snapshot!(written.stderr);
    let printed = workplace.flowlake(&["init", "--from-file", from]);
    assert!(printed.stderr.contains("flowlake check FILE"), "{}", printed.stderr);
    let text = std::fs::read_to_string(workplace.path().join("my orders.toml")).unwrap();
    assert_eq!(printed.stdout, text);
}

#[test]
fn f09_init_replaces_a_file_only_by_force_and_says_so_before_it_asks() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source);
    let file = workplace.path().join("test.toml");
    std::fs::write(&file, "mine").unwrap();
    let refused = workplace.flowlake(&["init", "--output", "test.toml"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(source.requests(), [""; 0]);
    insta::assert_snapshot!(refused.redacted());
    workplace.flowlake(&["init", "--output", "test.toml", "--force"]).success();
    assert!(std::fs::read_to_string(&file).unwrap().contains("version = 1"));
    for (output, message) in [(".", "is a directory"), ("none/test.toml", "no directory none")] {
        let refused = workplace.flowlake(&["init", "--output", output]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
}

#[test]
fn f09_a_name_that_no_definition_takes_is_told_before_anything_is_asked() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source);
    for name in ["a${b", "{{ x }}", ""] {
        let refused = workplace.flowlake(&["init", "--name", name]);
        assert_eq!(refused.code, 2, "{name}: {}", refused.stderr);
    }
    assert_eq!(source.requests(), [""; 0]);
}

#[test]
fn f09_a_saved_export_may_be_compressed_under_any_name() {
    let json = b"[{\"id\":1,\"price\":1.5}]";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(json).unwrap();
    let expected = init(json, &[]).success();
    for compressed in [gzip.finish().unwrap(), zstd::encode_all(&json[..], 1).unwrap()] {
        assert_eq!(init(&compressed, &[]).success(), expected);
    }
}

#[test]
fn f09_an_export_in_a_landing_is_read() {
    let (definition, lake, workplace) = assert_loads("[{\"id\":1,\"price\":1.5}]");
    let landed = lake.landed().into_iter().find(|name| name.ends_with(".json.zst")).unwrap();
    let landed = format!("lake/test/_flowlake/landing/{landed}");
    let again = workplace.flowlake(&["init", "--from-file", &landed, "--name", "test"]).success();
    assert_eq!(again, definition);
}

#[test]
fn f09_what_is_no_saved_export_is_told() {
    let workplace = Workplace::empty();
    let truncated = &zstd::encode_all(&b"[{\"id\":1}]"[..], 1).unwrap()[..8];
    for (name, content) in [
        ("page.html", &b"<html>"[..]),
        ("empty.json", b""),
        ("cut.json", b"[{\"id\":1}"),
        ("cut.json.zst", truncated),
        ("cut.json.gz", &[0x1f, 0x8b, 8, 0]),
    ] {
        std::fs::write(workplace.path().join(name), content).unwrap();
    }
    let names =
        ["page.html", "empty.json", "cut.json", "cut.json.zst", "cut.json.gz", "none.json", "."];
    let shown = names.map(|name| {
        let finished = workplace.flowlake(&["init", "--from-file", name]);
        format!("{name}: {}", finished.redacted())
    });
    insta::assert_snapshot!(shown.join("\n"));
}

/// Values of the forms that `init` proposes something for, and some that only look like them.
fn suggestive() -> impl Strategy<Value = BoxedStrategy<Json>> {
    let text = |pattern: &'static str| pattern.prop_map(Json::Text).boxed();
    let number = |pattern: &'static str| pattern.prop_map(Json::Number).boxed();
    let usual = prop_oneof![
        Just(text("-?(0|[1-9][0-9]{0,14})\\.[0-9]{2}")),
        Just(text("[0-9]{1,3}\\.[0-9]{1,3}")),
        Just(text("[+-]?[0-9]{1,20}")),
        Just(text("[0-3]?[0-9]\\.[01]?[0-9]\\.20[0-9]{2}")),
        Just(text("[0-3][0-9]/[0-3][0-9]/20[0-9]{2}( [0-2][0-9]:[0-5][0-9])?")),
        Just(text("20[0-9]{2}-[01][0-9]-[0-2][0-9](T10:00:00Z)?")),
        Just(text("20[0-9]{2}[01][0-9][0-3][0-9]")),
        Just(number("1[0-9]{9}")),
        Just(number("1[0-9]{12}")),
        Just(number("20[0-9]{2}[01][0-9][0-3][0-9]")),
    ];
    let odd = prop_oneof![
        Just(Json::Null),
        Just(Json::Text(String::new())),
        "[a-z]".prop_map(Json::Text)
    ];
    (usual, 0..3_u32).prop_map(move |(usual, share)| {
        if share == 0 { prop_oneof![12 => usual, 1 => odd.clone()].boxed() } else { usual }
    })
}

fn suggestive_records() -> impl Strategy<Value = Vec<Json>> {
    let keys = ["id", "createdAt", "updated_at", "total", "day", "ID", "vat_number"];
    prop::collection::vec(suggestive(), keys.len()).prop_flat_map(move |values| {
        let fields = keys.into_iter().zip(values).map(|(key, values)| {
            prop::option::weighted(0.97, values.prop_map(move |value| (key.to_owned(), value)))
        });
        let record = fields
            .collect::<Vec<_>>()
            .prop_map(|fields| Json::Object(fields.into_iter().flatten().collect()));
        prop::collection::vec(record, 0..25)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..property_config(CASES) })]

    #[test]
    fn f09_what_init_proposes_is_right_for_every_record(
        arrays in prop::collection::vec(prop_oneof![2 => suggestive_records(), 1 => records()], 1..4),
        seed in any::<u64>(),
    ) {
        let arrays = arrays.into_iter().enumerate();
        let export: Vec<(String, Json)> =
            arrays.map(|(number, records)| (format!("a{number}"), Json::List(records))).collect();
        let mut text = String::new();
        Json::Object(export.into_iter().collect()).write(&mut text, &mut fastrand::Rng::with_seed(seed));
        assert_loads(&text);
    }
}
