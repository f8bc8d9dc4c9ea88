//! The JSON Schema of definitions against `check`: it accepts what `check` accepts, and refuses what a schema can see
//! to be wrong. Every definition that any other test writes is held against it as well, in `Workplace::write`.

use std::path::Path;

use flowlake::definition::{Definition, Environment};

use crate::definitions::{GOOD, MISTAKES};
use crate::support::{assert_schema_accepts_what_check_accepts, schema_accepts};

/// Definitions without a mistake: what of [`GOOD`] is replaced, and by what.
const VALID: &[(&str, &str)] = &[
    ("", ""),
    (
        "write_disposition = \"append\"\npartition_by",
        "write_disposition = \"overwrite_partitions\"\npartition_by",
    ),
    (
        "write_disposition = \"append\"\npartition_by",
        "write_disposition = \"merge\"\ndeletes = \"mark\"\npartition_by",
    ),
    (
        "cursor = \"updated_at\"",
        "cursor = \"updated_at\"\nwrite_disposition = \"merge\"\nhistory = true",
    ),
    ("nested = \"json\"", "nested = \"columns\""),
    (
        "nested = \"json\"\ncursor = \"updated_at\"\n\n[tables.columns]\nnote = { exclude = true }",
        "nested = \"columns\"\n\n[tables.columns]\nnote = \"struct<a: int64, b: list<struct<c: date>>>\"\n\
         tags = { type = \"list<list<decimal( 38, 2 )>>\" }",
    ),
    ("nested = \"json\"", "nested = \"tables\""),
    ("due_date = { type = \"date\"", "due_date = { type = \"list<timestamp>\""),
    ("schema_contract = { columns = \"freeze\" }", "schema_contract = \"discard_row\""),
    (
        "schema_contract = { columns = \"freeze\" }",
        "schema_contract = { tables = \"evolve\", columns = \"discard_value\", data_type = \"freeze\" }",
    ),
    (
        "partition_by = [\"month(created_at)\", \"status\"]",
        "partition_by = [\" day( created_at ) \"]",
    ),
    ("month(created_at)", "year(created_at)"),
    ("{ not_null = \"status\" }", "{ unique = [\"status\", \"total\"], on_failure = \"fail\" }"),
    ("{ not_null = \"status\" }", "{ unique = \"status\" }"),
    (
        "{ not_null = \"status\" }",
        "{ accepted_values = \"status\", values = [\"a\", 1, true, 2026-01-01] }",
    ),
    ("{ not_null = \"status\" }", "{ range = \"total\", min = 0 }"),
    ("{ not_null = \"status\" }", "{ range = \"created_at\", max = 2030-01-01T00:00:00Z }"),
    ("{ not_null = \"status\" }", "{ matches = \"status\", pattern = \"[A-Z]{3}\" }"),
    ("{ not_null = \"status\" }", "{ references = \"status\", to = \"lines.no\" }"),
    ("tolerance = \"0.01\"", "tolerance = 0.01"),
    ("endpoint = \"purchasing\"", "endpoint = \"e-sourcing\""),
    (
        "endpoint = \"purchasing\"\norganisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"",
        "path = \"/api/${PROCUREMENTFLOW_ORGANISATION_ID}/..x\"",
    ),
    ("https://go.procurementflow.com", "http://127.0.0.1:8080"),
    ("https://go.procurementflow.com", "${NOT_SET:-https://example.com}"),
    (
        "{ file = \"/run/secrets/key\" }",
        "{ file = \"/run/key\", readable_by_others = true }, { command = [\"pass\", \"show\"] }",
    ),
    ("status = [\"Approved\", \"Sent\"]", "status = [1, 2.5, true, 2026-01-01]"),
    ("list_style = \"comma\"", "list_style = \"brackets\""),
    ("start = 2024-01-01", "start = \"2024-01-01T06:00:00+02:00\"\nlookback = \"P2W\""),
    ("start = 2024-01-01", "start = 2024-01-01T06:00:00\nlookback = \"P1Y2M3DT4H5M6.5S\""),
    (
        "max_quarantined = \"0.1%\"",
        "max_quarantined = 100\nmax_size = \"1.5 GiB\"\nmax_partitions = 7",
    ),
    ("[source.window]\nstart = 2024-01-01\nstep = \"P1M\"\n", ""),
    ("url = \"lake/purchasing\"", "url = \"lake/{{ run.date }}\""),
    ("keep = 3", "keep = 0"),
    (
        "[defaults]\nwrite_disposition = \"append\"\n",
        "[defaults]\nwrite_disposition = \"append\"\nnested = \"columns\"\n",
    ),
    (
        "[defaults]\nwrite_disposition = \"append\"\n",
        "[defaults]\nwrite_disposition = \"overwrite_partitions\"\npartition_by = [\"day(updated_at)\"]\n",
    ),
];

/// What no schema sees, by what a mistake writes, and why.
const UNSEEN: &[(&str, &str)] = &[];

fn environment() -> Environment {
    Environment::default()
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("FLOWLAKE_BUCKET", "bucket")
}

#[test]
fn the_schema_accepts_every_valid_definition() {
    for (right, other) in VALID {
        assert!(GOOD.contains(right), "{right}");
        let mut definition = GOOD.replacen(right, other, 1);
        if other.is_empty() && !right.is_empty() {
            definition = definition.replace("updatedFrom = \"{{ window.start | date }}\"\n", "");
        }
        if let Err(problems) = Definition::parse("test.toml", &definition, &environment()) {
            panic!("{other}: {problems}");
        }
        assert_schema_accepts_what_check_accepts(&definition, &environment());
    }
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    for entry in std::fs::read_dir(pipelines).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert_eq!(schema_accepts(&text), Some(true), "{text}");
    }
}

#[test]
fn the_schema_refuses_every_mistake_that_a_schema_can_see() {
    let (mut unlisted, mut seen) = (Vec::new(), Vec::new());
    for (right, wrong) in MISTAKES {
        let accepts = schema_accepts(&GOOD.replacen(right, wrong, 1));
        let listed = UNSEEN.iter().any(|(unseen, _)| unseen == wrong);
        match accepts {
            Some(true) if !listed => unlisted.push(format!("{right} => {wrong}")),
            Some(false) if listed => seen.push(*wrong),
            _ => {}
        }
    }
    assert!(unlisted.is_empty(), "the schema accepts mistakes:\n{}", unlisted.join("\n"));
    assert!(
        seen.is_empty(),
        "the schema sees these: remove them from the list:\n{}",
        seen.join("\n")
    );
    for (unseen, _) in UNSEEN {
        assert!(MISTAKES.iter().any(|(_, wrong)| wrong == unseen), "no mistake: {unseen}");
    }
}
