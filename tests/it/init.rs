//! `flowlake init`: the definition it writes passes `check` and loads, untouched by hand.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::{Finished, Source, Workplace};

/// `init` of a saved export.
fn init(export: &[u8], more: &[&str]) -> Finished {
    let workplace = Workplace::empty();
    std::fs::write(workplace.path().join("export"), export).unwrap();
    workplace.flowlake(&[&["init", "--from-file", "export"], more].concat())
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
