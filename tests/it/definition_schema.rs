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
    (
        "nested = \"json\"\ncursor = \"updated_at\"\n\n[tables.columns]\nnote = { exclude = true }",
        "nested = \"columns\"\n\n[tables.columns]\n\"note.a\" = \"int64\"\nnote.b.c = \"date\"\n\
         note.\"b.type\" = \"string\"\nnote.d = { type = \"list<date>\" }",
    ),
    (
        "parent = \"orders\"",
        "parent = \"orders\"\nprimary_key = [\"no\"]\nparent_columns = [\"total\", \"status\"]",
    ),
    ("nested = \"json\"", "nested = \"tables\""),
    ("due_date = { type = \"date\"", "due_date = { type = \"list<timestamp>\""),
    (
        "due_date = { type = \"date\"",
        "due_date = { type = \"list<timestamp>\", timezone = \"Europe/Copenhagen\", ambiguous = \"latest\"",
    ),
    (
        "due_date = { type = \"date\", formats = [\"%d.%m.%Y\"]",
        "due_date = { type = \"timestamp\", timezone = \"Etc/GMT+5\"",
    ),
    (
        "\"month(created_at)\"",
        "'month(created_at, \"Europe/Copenhagen\")', \"day(created_at, 'UTC')\"",
    ),
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
        "[defaults]\nwrite_disposition = \"append\"\nsort_by = [\"id\"]\n",
    ),
    (
        "[defaults]\nwrite_disposition = \"append\"\n",
        "[defaults]\nwrite_disposition = \"overwrite_partitions\"\npartition_by = [\"day(updated_at)\"]\n",
    ),
];

/// Mistakes that the schema does not see, by how the replaced text starts and what replaces it, with the reason.
const UNSEEN: &[(&str, &[(&str, &str)])] = &[
    (
        "`${…}` needs the environment",
        &[
            ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${PROCUREMENTFLOW_ORGANISATION"),
            ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${NOT_SET}"),
            ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${PROCUREMENTFLOW_API_KEY}"),
            ("status = [", "status = \"${PROCUREMENTFLOW_API_KEY}\""),
            ("status = [", "status = \"${PROCUREMENTFLOW_API_KEY_NEXT}\""),
            ("X-Team", "X-Team = \"${PROCUREMENTFLOW_API_KEY}\""),
        ],
    ),
    (
        "`{{ … }}` needs a template engine",
        &[
            ("{{ window.start | date }}", "{{ window.strat | date }}"),
            ("{{ window.start | date }}", "{{ window.start | iso }}"),
            ("{{ window.start | date }}", "{{ window.start"),
            ("{{ window.start | date }}", "{{ window.start | strftime('%!') }}"),
            ("[source.window]", ""),
            ("url = ", "url = \"lake/{{ window.start }}\""),
        ],
    ),
    (
        "a URL needs a URL parser: `http:\\\\0x7f.1/.` is a loopback address",
        &[
            ("https://go", "http://go.procurementflow.com"),
            ("https://go", "https://go.procurementflow.com/api/export"),
        ],
    ),
    (
        "numbers or brackets have to be compared inside a string",
        &[
            ("decimal(18,2)", "decimal(2,18)"),
            ("created_at = ", "created_at = \"list<list<string>\""),
            ("note = ", "note = \"list<json>\""),
            ("{ not_null", "{ matches = \"status\", pattern = \"(\" }"),
        ],
    ),
    (
        "time zones are too many to be listed",
        &[
            (
                "created_at = ",
                "created_at = { type = \"timestamp\", timezone = \"Europe/Copenhagn\" }",
            ),
            ("\"month(created_at)\"", "'month(created_at, \"Europe/Kopenhagen\")'"),
        ],
    ),
    (
        "the store checks its options",
        &[
            ("format = ", "[destination.s3]\nregion = \"eu-central-1\""),
            ("lake/", "s3://bucket\"\n[destination.s3]\nkms_key = \"a-key\""),
            ("lake/", "s3://bucket\"\n[destination.s3]\nendpoint = \"https://me:secret@minio\""),
        ],
    ),
    (
        "a key of a column that is none may be a field, and a path may be a name",
        &[
            ("memo = ", "memo = { typ = \"date\" }"),
            ("memo = ", "\"memo.at\" = { type = \"date\", formats = [\"%d.%m.%Y\"] }"),
        ],
    ),
    (
        "names have to be compared with other names",
        &[
            ("name = \"requisitions\"", "name = \"orders\""),
            ("parent = ", "parent = \"order\""),
            ("parent = ", "parent = \"lines\""),
            ("parent = ", "parent = \"requisitions\""),
            ("parent = ", "parent = \"orders\"\nparent_columns = [\"id\"]"),
            ("parent = ", "parent = \"orders\"\nparent_columns = [\"memo\"]"),
            ("parent = ", "parent = \"orders\"\nparent_columns = [\"_flowlake_run_id\"]"),
            ("primary_key = ", "primary_key = [\"memo\"]"),
            ("partition_by = ", "partition_by = [\"memo\"]"),
            ("partition_by = ", "partition_by = [\"month(created_at)\", \"created_at_month\"]"),
            ("memo = ", "created_at_month = { from = \"/month\" }"),
            ("memo = ", "status_partition = \"string\""),
            ("parent = ", "parent = \"orders\"\nkeys = \"orders_created_at_month\""),
            ("sort_by = ", "sort_by = [\"created_at_month\", \"id\"]"),
            ("sort_by = ", "sort_by = [\"memo\"]"),
            ("cursor = ", "cursor = \"note\""),
            ("created_at = ", "created_at = \"string\""),
            ("\"month(created_at)\"", "'month(due_date, \"Europe/Copenhagen\")'"),
            ("memo = ", "amount = { from = \"/totalAmount\" }"),
            ("note = ", "no = \"json\""),
            ("note = ", "updated_at = \"json\""),
            (
                "records = \"/lines\"",
                "records = \"/lines\"\nkeys = \"no\"\n[tables.columns]\nno = \"int64\"",
            ),
            ("memo = ", "memo = { exclude = true }\n\"memo.at\" = \"date\""),
            ("memo = ", "memo = \"string\"\n\"memo.at\" = \"date\""),
            ("memo = ", "memo.at = \"date\"\n\"memo.at\" = \"date\""),
            ("{ not_null", "{ not_null = \"memo\" }"),
            ("{ not_null", "{ references = \"status\", to = \"line.no\" }"),
            ("{ not_null", "{ references = \"status\", to = \"requisitions.no\" }"),
            ("sum = ", "sum = \"orders.amount\""),
        ],
    ),
    (
        "`[defaults]` may have what the table does not",
        &[
            ("note = ", "note = { from = \"/a/b\" }"),
            ("note = ", "note = \"struct<a: int64>\""),
            ("note = ", "\"note.a\" = \"int64\""),
            ("memo = ", "memo.written.at = \"timestamp\""),
            (
                "name = \"requisitions\"",
                "name = \"requisitions\"\nrecords = \"/purchaseRequisitions\"\nwrite_disposition = \"merge\"",
            ),
            ("primary_key = [\"no\"]\n", ""),
            ("cursor = ", "cursor = \"updated_at\"\ndeletes = \"mark\""),
            ("cursor = ", "cursor = \"updated_at\"\nhistory = true"),
            (
                "primary_key = ",
                "primary_key = [\"no\"]\nwrite_disposition = \"overwrite_partitions\"",
            ),
        ],
    ),
    (
        "`[source.window]` is another section",
        &[
            ("[defaults]", "[defaults]\n"),
            (
                "write_disposition = \"append\"\npartition_by",
                "write_disposition = \"overwrite_partitions\"\npartition_by = ['month(created_at, \"Europe/Copenhagen\")']",
            ),
            ("min_records = ", "max_shrink = \"50%\""),
            (
                "primary_key = ",
                "primary_key = [\"no\"]\nwrite_disposition = \"overwrite_partitions\"\npartition_by = [\"state\"]",
            ),
            (
                "cursor = ",
                "cursor = \"updated_at\"\nwrite_disposition = \"merge\"\ndeletes = \"remove\"",
            ),
        ],
    ),
    (
        "each record is of one table",
        &[
            ("records = \"/purchaseRequisitions\"", "records = \"/purchaseOrders\""),
            ("records = \"/purchaseRequisitions\"", "records = \"/purchaseOrders/lines\""),
            ("records = \"/purchaseRequisitions\"", "records = \"\""),
            (
                "records = \"/lines\"",
                "records = \"/lines\"\n[[tables]]\nname = \"more\"\nparent = \"orders\"\nrecords = \"/lines\"",
            ),
        ],
    ),
    (
        "only tables without a parent need it, and only if there are several",
        &[("records = \"/purchaseRequisitions\"\n", "")],
    ),
];

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
    let listed: Vec<&(&str, &str)> = UNSEEN.iter().flat_map(|(_, mistakes)| *mistakes).collect();
    let is = |(start, unseen): &(&str, &str), right: &str, wrong: &str| {
        right.starts_with(start) && *unseen == wrong
    };
    let (mut unlisted, mut seen) = (Vec::new(), Vec::new());
    for (right, wrong) in MISTAKES {
        let shown = format!("{} => {}", right.trim(), wrong.trim());
        match schema_accepts(&GOOD.replacen(right, wrong, 1)) {
            Some(true) if !listed.iter().any(|it| is(it, right, wrong)) => unlisted.push(shown),
            Some(false) | None if listed.iter().any(|it| is(it, right, wrong)) => seen.push(shown),
            _ => {}
        }
    }
    assert!(unlisted.is_empty(), "the schema accepts mistakes:\n{}", unlisted.join("\n"));
    assert!(seen.is_empty(), "the schema sees these, remove them:\n{}", seen.join("\n"));
    for it in listed {
        assert!(MISTAKES.iter().any(|(right, wrong)| is(it, right, wrong)), "no mistake: {it:?}");
    }
}

/// The patterns of a schema.
fn patterns(schema: &serde_json::Value, found: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            found.extend(members.get("pattern").and_then(|it| it.as_str()).map(str::to_owned));
            members.values().for_each(|member| patterns(member, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
        _ => {}
    }
}

#[test]
fn the_patterns_of_all_schemas_are_those_that_every_validator_knows() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = [&docs, &docs.join("formats")].map(|it| std::fs::read_dir(it).unwrap());
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    let mut found = Vec::new();
    for file in files.filter(|file| file.to_string_lossy().ends_with(".schema.json")) {
        let schema = std::fs::read_to_string(file).unwrap();
        patterns(&serde_json::from_str(&schema).unwrap(), &mut found);
    }
    assert!(found.len() > 30, "{}", found.len());
    // Classes of Unicode, flags, names and looking behind: Python or ECMA-262 writes them otherwise, or has none.
    for unknown in
        ["\\p", "\\P", "\\u{", "\\x{", "(?i", "(?<", "(?P", "\\A", "\\z", "\\Z", "[[:", "&&"]
    {
        assert!(found.iter().all(|pattern| !pattern.contains(unknown)), "{unknown}");
    }
}
