//! Random sequences of merges, compared with a model of the table.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use flowlake::plan::Overrides;
use flowlake::schema::TableName;
use flowlake::store::Destination;
use flowlake::table::{self, Manifest};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use polars::prelude::{ParquetReader, SerReader};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{InProcess, Source, Workplace, runtime};

/// One version of a record.
#[derive(Debug, Clone, PartialEq)]
struct Record {
    id: u8,
    month: Option<u8>,
    revision: u8,
    value: u8,
    lines: Vec<u8>,
    /// It does not fit the declared type.
    is_unfit: bool,
}

impl Record {
    fn json(&self) -> Value {
        let lines: Vec<Value> = self.lines.iter().map(|n| json!({ "n": n })).collect();
        let value = if self.is_unfit { json!("?") } else { json!(self.value) };
        let at = self.month.map(|month| format!("2026-{month:02}-01"));
        json!({ "id": self.id, "at": at, "rev": self.revision, "v": value, "lines": lines })
    }
}

fn record() -> impl Strategy<Value = Record> {
    let month = proptest::option::weighted(0.8, 1_u8..4);
    (0_u8..6, month, 0_u8..4, 0_u8..3, vec(0_u8..3, 0..3), prop::bool::weighted(0.1)).prop_map(
        |(id, month, revision, value, lines, is_unfit)| Record {
            id,
            month,
            revision,
            value,
            lines,
            is_unfit,
        },
    )
}

/// The table after an export, by the rules of the documentation.
fn merged(
    table: &BTreeMap<u8, Record>,
    export: &[Record],
    has_cursor: bool,
    removes: bool,
) -> BTreeMap<u8, Record> {
    let mut latest: BTreeMap<u8, &Record> = BTreeMap::new();
    for record in export.iter().filter(|record| !record.is_unfit) {
        let is_older = |other: &&Record| has_cursor && other.revision > record.revision;
        if !latest.get(&record.id).is_some_and(is_older) {
            latest.insert(record.id, record);
        }
    }
    let mut after = table.clone();
    if removes {
        after.retain(|id, _| export.iter().any(|record| record.id == *id));
    }
    for (id, new) in latest {
        if !(has_cursor && after.get(&id).is_some_and(|old| old.revision > new.revision)) {
            after.insert(id, new.clone());
        }
    }
    after
}

/// The rows of the table and of its child table as sorted texts.
type Rows = [Vec<String>; 2];

fn rows_of(table: &BTreeMap<u8, Record>) -> Rows {
    let directory = |record: &Record| match record.month {
        Some(month) => format!("at_month=2026-{month:02}"),
        None => "at_month=none".to_owned(),
    };
    let orders = table
        .values()
        .map(|it| format!("{} {} {} {}", directory(it), it.id, it.revision, it.value));
    let lines = table.values().flat_map(|it| {
        (0..)
            .zip(&it.lines)
            .map(move |(index, n)| format!("{} {} {index} {n}", directory(it), it.id))
    });
    [orders.collect(), lines.collect()].map(sorted)
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

async fn rows_in(store: &Arc<InMemory>) -> Rows {
    let snapshot =
        table::open(&Destination::of_store(store.clone(), "memory")).snapshot().await.unwrap();
    let mut all = [Vec::new(), Vec::new()];
    let tables = [("t", vec!["id", "rev", "v"]), ("lines", vec!["t__id", "_index", "n"])];
    for (rows, (table, columns)) in all.iter_mut().zip(tables) {
        let manifest = snapshot.manifests.get(&table.parse::<TableName>().unwrap());
        for file in manifest.iter().flat_map(|manifest: &&Manifest| &manifest.files) {
            let path = Path::parse(&file.path).unwrap();
            let content = store.get(&path).await.unwrap().bytes().await.unwrap();
            let frame = ParquetReader::new(Cursor::new(content)).finish().unwrap();
            // A column that only records in quarantine had values for is none.
            if frame.height() == 0 {
                continue;
            }
            let columns: Vec<_> =
                columns.iter().map(|name| frame.column(name).unwrap().i64().unwrap()).collect();
            for row in 0..frame.height() {
                let values: Vec<String> =
                    columns.iter().map(|column| column.get(row).unwrap().to_string()).collect();
                rows.push(format!("{} {}", file.partition, values.join(" ")));
            }
        }
    }
    all.map(sorted)
}

proptest! {
    #[test]
    fn p1_a_merge_leaves_what_its_rules_say(
        exports in vec(vec(record(), 1..8), 1..6),
        has_cursor in any::<bool>(),
        removes in any::<bool>(),
    ) {
        let source = Source::serving("[]");
        let workplace = Workplace::empty();
        let cursor = if has_cursor { "cursor = \"rev\"\n" } else { "" };
        let deletes = if removes { "deletes = \"remove\"\n" } else { "" };
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\npartition_by = [\"month(at)\"]\n\
             {cursor}{deletes}[tables.columns]\nat = \"date\"\nv = \"int64\"\n\n\
             [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n[tables.columns]\nn = \"int64\"\n"
        ));
        let store: Arc<InMemory> = Arc::new(InMemory::new());
        let mut model = BTreeMap::new();
        runtime().block_on(async {
            let pipeline = InProcess::asking(source.base_url(), &workplace).await;
            for (night, export) in exports.iter().enumerate() {
                source.serve(&Value::from(export.iter().map(Record::json).collect::<Vec<_>>()).to_string());
                let (run_id, overrides) = (format!("run-{night}"), Overrides::default());
                let run = pipeline.run(store.clone(), &run_id, &overrides);
                // When no record fits, the table stays as it is.
                if run.await.is_ok() {
                    model = merged(&model, export, has_cursor, removes);
                }
                assert_eq!(rows_in(&store).await, rows_of(&model), "night {night}");
            }
        });
    }
}
