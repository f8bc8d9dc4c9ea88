//! The ledger of every table in a run, which has to balance (promise P1).

use std::collections::BTreeSet;

use crate::definition::Table;
use crate::report::TableReport;
use crate::run::RunError;
use crate::run::intake::Intake;
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::schema::{IdVec, PartitionKey, RootId, TableId};
use crate::table::{Manifest, Snapshot};

/// The ledgers of root tables that have the export already.
pub(super) fn unchanged(
    roots: &IdVec<RootId, &Table>,
    fresh: &NewExports<'_>,
    intake: &Intake,
    snapshot: &Snapshot,
) -> Vec<TableReport> {
    let found = intake.found();
    roots
        .iter()
        .filter(|(root, _)| !fresh.contains(*root))
        .filter_map(|(root, table)| {
            let mut report = table_report(snapshot.manifests.get(&table.name)?);
            report.received = found[root].count;
            report.unchanged = found[root].count;
            Some(report)
        })
        .collect()
}

/// The ledger of a table that was loaded.
pub(super) fn of(load: &Loaded, table: TableId, manifest: &Manifest) -> TableReport {
    let counts = load.counts[table];
    TableReport {
        received: counts.received,
        inserted: counts.kept,
        updated: counts.updated,
        unchanged: counts.unchanged,
        deleted: counts.deleted,
        quarantined: counts.quarantined,
        superseded: counts.superseded,
        ..table_report(manifest)
    }
}

/// The size of a table, with an empty ledger.
fn table_report(manifest: &Manifest) -> TableReport {
    let partitions: BTreeSet<&PartitionKey> =
        manifest.files.iter().map(|file| &file.partition).collect();
    TableReport {
        table: manifest.schema.name.clone(),
        received: 0,
        inserted: 0,
        updated: 0,
        unchanged: 0,
        superseded: 0,
        quarantined: 0,
        deleted: 0,
        rows: manifest.rows(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        partitions: partitions.iter().filter(|partition| !partition.is_empty()).count() as u64,
    }
}

/// A run whose ledger does not account for every row commits nothing.
pub(super) fn check(ledgers: &[TableReport]) -> Result<(), RunError> {
    match ledgers.iter().find(|ledger| !ledger.balances()) {
        Some(ledger) => Err(RunError::Unbalanced { ledger: Box::new(ledger.clone()) }),
        None => Ok(()),
    }
}
