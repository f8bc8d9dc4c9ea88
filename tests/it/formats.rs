//! The formats of a destination's own files are those of `docs/formats.md`.

use std::path::Path;

use jsonschema::JSONSchema;
use serde_json::Value;

use crate::support::{Source, Workplace};

/// Asserts that the documented schema accepts a file, and that it says something about it.
#[track_caller]
fn assert_follows(schema: &str, file: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats");
    let text = std::fs::read_to_string(root.join(format!("{schema}.schema.json"))).unwrap();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let compiled = JSONSchema::compile(&parsed).unwrap();
    if let Err(errors) = compiled.validate(file) {
        let errors: Vec<String> =
            errors.map(|error| format!("{}: {error}", error.instance_path)).collect();
        panic!("{schema}: {}", errors.join("\n"));
    }
    let known = parsed["properties"].as_object().unwrap();
    let unknown: Vec<&String> =
        file.as_object().unwrap().keys().filter(|key| !known.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "{schema} does not tell of {unknown:?}");
    assert!(!compiled.is_valid(&serde_json::json!({})), "{schema} asks for nothing");
}

#[test]
fn own_files_follow_the_documented_formats() {
    let source = Source::serving(
        r#"{"rows":[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]},{"id":2,"at":"2026-01-06","v":"x"}]}"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define_with(
        "[source.filters]\nfrom = \"{{ window.start }}\"\n[source.window]\nstart = 2026-01-01",
        "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
         partition_by = [\"month(at)\"]\n[tables.columns]\nv = \"int64\"",
    );
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    let lake = workplace.lake();
    assert_follows("snapshot", &lake.json("_flowlake/snapshot.json"));
    for table in ["t", "t__lines"] {
        assert_follows("manifest", &lake.manifest(table));
    }
    assert_follows("report", &lake.json("_flowlake/runs/first.json"));
    let lines = lake.quarantine("t");
    assert_eq!(lines.len(), 1);
    for line in &lines {
        assert_follows("quarantine-line", line);
    }
}
