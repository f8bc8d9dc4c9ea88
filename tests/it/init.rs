//! `flowlake init`: the definition it writes passes `check` and loads, untouched by hand.

use std::path::Path;

use serde_json::Value;

use crate::support::{Source, Workplace};

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
fn init_replaces_no_file() {
    let workplace = Workplace::empty();
    std::fs::write(workplace.path().join("export.json"), "[{\"a\":1}]").unwrap();
    std::fs::write(workplace.path().join("test.toml"), "mine").unwrap();
    let finished =
        workplace.flowlake(&["init", "--from-file", "export.json", "--output", "test.toml"]);
    assert_ne!(finished.code, 0);
    assert_eq!(std::fs::read_to_string(workplace.path().join("test.toml")).unwrap(), "mine");
}
