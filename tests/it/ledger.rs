//! The ledger, over any sequence of exports and any of what a definition may say (promise P1).

use std::collections::BTreeMap;
use std::sync::Arc;

use flowlake::plan::Overrides;
use flowlake::report::{Outcome, RunReport};
use flowlake::run::RunError;
use flowlake::schema::{TableFormat, TableName};
use flowlake::store::Destination;
use flowlake::table::verify::VerifyDepth;
use flowlake::table::{self, Manifest, quarantine};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use polars::prelude::{ParquetReader, SerReader};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::support::{InProcess, Source, Workplace, in_format, property_config, runtime};

/// Records in which a few keys hold everything by turns, their own key included.
fn record() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        (0_i64..4).prop_map(Value::from),
        Just(Value::from(0.5)),
        Just(Value::from("x")),
        Just(Value::from(true)),
    ];
    let value = scalar.clone().prop_recursive(3, 12, 3, |inner| {
        let members = proptest::collection::btree_map("[ab]", inner.clone(), 0..3);
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (scalar, proptest::collection::btree_map("[abnp]", value, 0..3)).prop_map(|(id, members)| {
        let mut record: serde_json::Map<String, Value> = members.into_iter().collect();
        record.insert("id".to_owned(), id);
        Value::Object(record)
    })
}

/// What a definition says of the table.
#[derive(Debug, Clone)]
struct Said {
    disposition: &'static str,
    contract: [&'static str; 3],
    keys: &'static str,
    columns: &'static str,
    excluded: &'static str,
    shape: &'static str,
    checks: &'static str,
    format: TableFormat,
}

fn said() -> impl Strategy<Value = Said> {
    let word = || select(vec!["evolve", "evolve", "freeze", "discard_row", "discard_value"]);
    let keys = select(vec!["", "primary_key = [\"id\"]", "primary_key = [\"id\"]\ncursor = \"n\""]);
    let columns = select(vec!["", "n = \"int64\"", "n = \"string\"\na = \"bool\""]);
    let checks = select(vec![
        "",
        "{ not_null = \"id\" }",
        "{ unique = \"id\" }, { accepted_values = \"id\", values = [1, 2], on_failure = \"warn\" }",
    ]);
    let excluded = select(vec!["", "", "b = { exclude = true }", "a = { exclude = true }"]);
    let shape = select(vec![
        "",
        "",
        "nested = \"columns\"",
        "nested = \"json\"",
        "null_values = [\"x\"]",
        "partition_by = [\"p\"]",
    ]);
    let contract = [word(), word(), word()];
    let formats = select(TableFormat::WORDS.map(|(_, format)| format).to_vec());
    let dispositions = select(vec!["replace", "append", "merge"]);
    (dispositions, contract, keys, columns, excluded, shape, checks, formats).prop_map(
        |(disposition, contract, keys, columns, excluded, shape, checks, format)| {
            let keys = match (disposition, keys) {
                ("merge", "") => "primary_key = [\"id\"]",
                _ => keys,
            };
            // A cursor is a number, whatever the records have.
            let columns = if keys.contains("cursor") { "n = \"int64\"" } else { columns };
            // A column is declared once.
            let excluded =
                if columns.contains("a =") && excluded.contains("a =") { "" } else { excluded };
            Said { disposition, contract, keys, columns, excluded, shape, checks, format }
        },
    )
}

impl Said {
    fn pipeline(&self, source: &Source) -> InProcess {
        let [tables, columns, data_type] = self.contract;
        let workplace = Workplace::empty();
        let columns_section =
            if self.columns.is_empty() { "n = { from = \"/n\" }" } else { self.columns };
        let tables = format!(
            "[[tables]]\nname = \"t\"\nrecords = \"\"\nwrite_disposition = \"{}\"\n{}\nchecks = [{}]\n\
             {}\nschema_contract = {{ tables = \"{tables}\", columns = \"{columns}\", data_type = \"{data_type}\" }}\n\
             [tables.columns]\n{columns_section}\n{}\np = \"string\"\n",
            self.disposition, self.keys, self.checks, self.shape, self.excluded
        );
        in_format(self.format, || workplace.define(&tables));
        runtime().block_on(InProcess::asking(source.base_url(), &workplace))
    }
}

/// A lake, and what its tables have to hold by the reports so far.
struct Books {
    store: Arc<InMemory>,
    /// The rows of each table.
    rows: BTreeMap<TableName, u64>,
    /// Records that were received for `t` and that are in the table or wait, unless it is merged.
    records: u64,
}

impl Books {
    fn record(&mut self, report: &RunReport, disposition: &str) {
        if report.outcome != Outcome::Committed {
            return;
        }
        let is_replaced = disposition == "replace" && report.retried.is_none();
        if is_replaced {
            self.rows.clear();
            self.records = 0;
        }
        for table in &report.tables {
            assert!(table.balances(), "{table:?}");
            // A table that is replaced keeps the rows that are the same.
            let kept = if is_replaced { table.unchanged } else { 0 };
            if table.table.as_str() == "t" {
                // What was taken in again was there before.
                let before = report.retried.map_or(0, |_| table.received);
                let quarantined = table.quarantined - table.waiting_already;
                self.records = self.records + table.inserted + kept + quarantined - before;
            } else if disposition == "merge" {
                // Of child rows that are gone there is no count.
                continue;
            }
            *self.rows.entry(table.table.clone()).or_default() += table.inserted + kept;
        }
    }

    /// The books say what the files and the quarantine say.
    async fn check(&self, disposition: &str) {
        let destination = Destination::of_store(self.store.clone(), "memory");
        let verified = table::open(&destination).verify(VerifyDepth::Sizes).await.unwrap();
        assert_eq!(verified.findings, [], "log and manifest say the same");
        let snapshot = table::open(&destination).snapshot().await.unwrap();
        for manifest in snapshot.manifests.values() {
            let name = &manifest.schema.name;
            assert_eq!(manifest.rows(), self.rows_in_files(manifest).await, "{name}");
            if name.as_str() == "t" || disposition != "merge" {
                let rows = self.rows.get(name).copied().unwrap_or_default();
                assert_eq!(manifest.rows(), rows, "{name}");
            }
        }
        let t = snapshot.manifests.get(&"t".parse::<TableName>().unwrap());
        let files: Vec<_> = t.iter().flat_map(|t| &t.quarantine).collect();
        if disposition == "merge" {
            // A later version takes the place of one that waits, so a key waits of one run.
            let mut runs: BTreeMap<Vec<String>, String> = BTreeMap::new();
            for file in files {
                for line in quarantine::read(&destination, file).await.unwrap() {
                    let line = line.unwrap();
                    let run = line.run_id.to_string();
                    let first = runs.entry(line.key.clone()).or_insert_with(|| run.clone());
                    assert!(
                        line.key.is_empty() || *first == run,
                        "{:?} waits of two runs",
                        line.key
                    );
                }
            }
            return;
        }
        let waiting: u64 = files.iter().map(|file| file.records).sum();
        assert_eq!(t.map_or(0, Manifest::rows) + waiting, self.records);
    }

    async fn rows_in_files(&self, manifest: &Manifest) -> u64 {
        let mut rows = 0;
        let mut schema = None;
        for file in &manifest.files {
            let path = Path::parse(&file.path).unwrap();
            let content = self.store.get(&path).await.unwrap().bytes().await.unwrap();
            let frame = ParquetReader::new(std::io::Cursor::new(content)).finish().unwrap();
            rows += frame.height() as u64;
            let own = frame.schema().clone();
            assert_eq!(*schema.get_or_insert(own.clone()), own, "P5: one table, one schema");
        }
        rows
    }
}

/// The report of a run. A run may fail, but never because values or rows have no place.
fn balanced(run: Result<RunReport, RunError>) -> Option<RunReport> {
    assert!(!matches!(run, Err(RunError::Unbalanced { .. })), "{}", run.unwrap_err());
    run.ok()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..property_config(256) })]
    #[test]
    fn p1_rows_and_quarantine_explain_every_record_of_any_nights(
        said in said(),
        nights in proptest::collection::vec((proptest::collection::vec(record(), 0..5), any::<bool>()), 1..5),
    ) {
        let source = Source::serving("[]");
        let pipeline = said.pipeline(&source);
        let columns = if said.keys.contains("cursor") { "n = \"float64\"" } else { "n = \"string\"" };
        let lenient = Said { columns, checks: "", contract: ["evolve"; 3], ..said.clone() };
        let lenient = lenient.pipeline(&source);
        let store = Arc::new(InMemory::new());
        let mut books = Books { store: store.clone(), rows: BTreeMap::new(), records: 0 };
        runtime().block_on(async {
            for (night, (records, retries)) in nights.iter().enumerate() {
                source.serve(&Value::from(records.clone()).to_string());
                let overrides = Overrides { allow_shrink: true, ..Overrides::default() };
                let run = pipeline.run(store.clone(), &format!("night-{night}"), &overrides).await;
                if let Some(report) = balanced(run) {
                    books.record(&report, said.disposition);
                }
                books.check(said.disposition).await;
                if *retries {
                    let retry = lenient.retry(store.clone(), &format!("retry-{night}")).await;
                    if let Some(report) = balanced(retry) {
                        books.record(&report, said.disposition);
                    }
                    books.check(said.disposition).await;
                }
            }
        });
    }
}
