//! The ledger of every table in a run, which has to balance (promise P1).

use std::collections::BTreeSet;

use crate::definition::Table;
use crate::report::TableReport;
use crate::run::RunError;
use crate::run::intake::Intake;
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::schema::{IdVec, PartitionKey, RootId, TableId};
use crate::table::{Manifest, Snapshot, TakenExport};

/// The ledgers of root tables that have loaded this export already.
pub(super) fn unchanged(
    roots: &IdVec<RootId, &Table>,
    new_exports: &NewExports<'_>,
    intake: &Intake,
    snapshot: &Snapshot,
    taken: &TakenExport,
) -> Vec<TableReport> {
    let found = intake.found();
    roots
        .iter()
        .filter(|(root, _)| !new_exports.contains(*root))
        .filter_map(|(root, table)| {
            let manifest = snapshot.manifests.get(&table.name)?;
            let mut report = table_report(manifest);
            report.received = found[root].count;
            report.quarantined = still_quarantined(manifest, taken).min(report.received);
            report.waiting_already = report.quarantined;
            report.unchanged = report.received - report.quarantined;
            Some(report)
        })
        .collect()
}

/// How many records of an export that a table has taken wait in quarantine. Those that a retry has loaded do not.
fn still_quarantined(manifest: &Manifest, taken: &TakenExport) -> u64 {
    let waiting = manifest.quarantine.iter().map(|file| file.records).sum::<u64>();
    let export = manifest.exports.iter().rev().find(|export| export.hash == taken.hash);
    export.map_or(0, |export| export.quarantined).min(waiting)
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
        waiting_already: 0,
        without_cursor: without_cursor(load, table),
        values: load.values.get(&table).copied(),
        ..table_report(manifest)
    }
}

/// The ledger of a history, to which so many versions were added.
pub(super) fn of_history(versions: u64, manifest: &Manifest) -> TableReport {
    TableReport { received: versions, inserted: versions, ..table_report(manifest) }
}

/// How many rows have no value in the cursor of their table.
fn without_cursor(load: &Loaded, table: TableId) -> u64 {
    let schema = &load.schemas[table];
    schema.cursor.as_ref().map_or(0, |cursor| {
        let filled = load.filled(&schema.name, cursor);
        filled.of.saturating_sub(filled.rows)
    })
}

/// The size of a table, with an empty ledger.
fn table_report(manifest: &Manifest) -> TableReport {
    let partitions: BTreeSet<&PartitionKey> =
        manifest.files.iter().filter(|file| file.has_rows()).map(|file| &file.partition).collect();
    TableReport {
        table: manifest.schema.name.clone(),
        received: 0,
        inserted: 0,
        updated: 0,
        unchanged: 0,
        superseded: 0,
        quarantined: 0,
        deleted: 0,
        waiting_already: 0,
        without_cursor: 0,
        values: None,
        rows: manifest.rows(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        partitions: partitions.iter().filter(|partition| !partition.is_empty()).count() as u64,
    }
}

/// Fails the run when a ledger does not account for every row and every value (promise P1).
pub(super) fn check(ledgers: &[TableReport]) -> Result<(), RunError> {
    match ledgers.iter().find(|ledger| !ledger.balances()) {
        Some(ledger) => Err(RunError::Unbalanced { ledger: Box::new(ledger.clone()) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ValueCounts;

    fn ledger(received: u64, inserted: u64, quarantined: u64) -> TableReport {
        TableReport {
            table: "t".parse().unwrap(),
            received,
            inserted,
            updated: 1,
            unchanged: 1,
            superseded: 1,
            quarantined,
            deleted: 9,
            waiting_already: 0,
            without_cursor: 0,
            values: None,
            rows: 0,
            files: 0,
            bytes: 0,
            partitions: 0,
        }
    }

    #[test]
    fn p1_one_ledger_that_does_not_balance_fails_the_run() {
        assert!(check(&[]).is_ok());
        assert!(
            check(&[ledger(3, 0, 0), ledger(6, 2, 1)]).is_ok(),
            "deleted rows are not received"
        );
        let refused = check(&[ledger(3, 0, 0), ledger(6, 2, 2)]).unwrap_err();
        assert!(matches!(&refused, RunError::Unbalanced { ledger } if ledger.quarantined == 2));
        assert_eq!(
            refused.to_string(),
            "the ledger of `t` does not balance: of 6 rows received, 2 were inserted, 1 updated, \
             1 unchanged, 1 superseded and 2 quarantined"
        );
    }

    #[test]
    fn p1_a_value_without_a_place_fails_the_run() {
        let values =
            |received| Some(ValueCounts { received, loaded: 5, excluded: 2, quarantined: 1 });
        assert!(check(&[TableReport { values: values(8), ..ledger(3, 0, 0) }]).is_ok());
        let refused = check(&[TableReport { values: values(9), ..ledger(3, 0, 0) }]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the ledger of `t` does not balance: of 9 values received, 5 are in columns, \
             2 excluded and 1 in quarantine"
        );
    }
}
