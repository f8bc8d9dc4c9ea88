//! The export guard: what is complete and valid JSON and still not this table's export (promise P9).

use crate::definition::{Deletes, Limit, OnFailure, Table, WriteDisposition};
use crate::infer::ResolvedTable;
use crate::plan::Plan;
use crate::run::RunError;
use crate::run::intake::Intake;
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::schema::TableId;
use crate::table::{Manifest, Snapshot};

/// An export that is suddenly small, or empty, is more often a mistake of the source than a change of the
/// company.
pub(super) fn against_shrinking(
    plan: &Plan,
    fresh: &NewExports<'_>,
    intake: &Intake,
    snapshot: &Snapshot,
) -> Result<(), RunError> {
    if plan.allow_shrink {
        return Ok(());
    }
    let limits = &plan.pipeline.limits;
    let found = intake.found();
    for (root, declared) in &fresh.tables {
        let (table, records) = (declared.name.clone(), found[*root].count);
        let old = snapshot.manifests.get(&table);
        let rows = old.map_or(0, Manifest::rows);
        let replaces = match declared.write_disposition {
            WriteDisposition::Replace => true,
            // Of a window that is decided on when it is known which partitions it covers.
            WriteDisposition::OverwritePartitions => plan.window.is_none(),
            WriteDisposition::Append | WriteDisposition::Merge => {
                declared.deletes != Deletes::Ignore && plan.window.is_none()
            }
        };
        if replaces && records == 0 && rows > 0 {
            return Err(RunError::Emptied { table, rows });
        }
        if let Some(least) = limits.min_records.filter(|least| records < *least) {
            return Err(RunError::TooFew { table, records, least });
        }
        let before = old.map_or(0, |old| old.received);
        let shrunk = before.saturating_sub(records);
        if let Some(most) = limits.max_shrink.filter(|most| shrunk > most.of(before)) {
            return Err(RunError::Shrunk { table, records, before, most });
        }
    }
    Ok(())
}

/// The same of a window, of which the root table has so many rows in the partitions that it covers.
pub(super) fn against_emptying(
    plan: &Plan,
    load: &Loaded,
    root: TableId,
    rows: u64,
) -> Result<(), RunError> {
    if plan.allow_shrink || rows == 0 || load.counts[root].received > 0 {
        return Ok(());
    }
    Err(RunError::Emptied { table: load.schemas[root].name.clone(), rows })
}

/// An export of which much does not fit has changed in a way that somebody should look at.
pub(super) fn against_quarantine(plan: &Plan, load: &Loaded) -> Result<(), RunError> {
    let received = load.schemas.roots().map(|root| load.counts[root].received).sum();
    let most = match plan.pipeline.limits.max_quarantined {
        None => return Ok(()),
        Some(Limit::Count(count)) => count,
        Some(Limit::Share(share)) => share.of(received),
    };
    let mut left_out = load.quarantined.iter().filter(|record| !record.row_kept);
    let quarantined = left_out.clone().count() as u64;
    match left_out.next() {
        Some(first) if quarantined > most => {
            let reasons = first.reasons.to_string();
            Err(RunError::TooManyQuarantined { quarantined, received, reasons })
        }
        _ => Ok(()),
    }
}

/// Of what waits and what is in a merged table nobody knows which is later, unless there is a cursor.
pub(super) fn against_unordered(roots: &[&Table]) -> Result<(), RunError> {
    let is_unordered = |table: &&&Table| {
        table.write_disposition == WriteDisposition::Merge && table.cursor.is_none()
    };
    match roots.iter().find(is_unordered) {
        Some(table) => Err(RunError::Unordered { table: table.name.clone() }),
        None => Ok(()),
    }
}

/// What waits for a table of which partitions are overwritten comes again with its partition.
pub(super) fn against_overwritten(roots: &[&Table]) -> Result<(), RunError> {
    let is_overwritten =
        |table: &&&Table| table.write_disposition == WriteDisposition::OverwritePartitions;
    match roots.iter().find(is_overwritten) {
        Some(table) => Err(RunError::ComesAgain { table: table.name.clone() }),
        None => Ok(()),
    }
}

/// A check of which the definition says that a run shall not go on when it is broken.
pub(super) fn against_broken_checks(load: &Loaded) -> Result<(), RunError> {
    for ((table, position), broken) in &load.broken {
        let ResolvedTable { schema, policy, .. } = load.schemas.table(*table);
        let check = &policy.checks[*position];
        if check.on_failure == OnFailure::Fail {
            let (table, rule) = (schema.name.clone(), check.rule.to_string());
            return Err(RunError::BrokenCheck {
                table,
                rule,
                rows: broken.rows,
                first: broken.first,
            });
        }
    }
    Ok(())
}

/// An export of which nothing fits the table is not that table's export.
pub(super) fn against_losing_all(load: &Loaded) -> Result<(), RunError> {
    match load.schemas.roots().find(|root| loses_all(load, *root)) {
        Some(root) => Err(nothing_fits(load, root)),
        None => Ok(()),
    }
}

/// Records that waited and of which none fits any table now wait on as they are.
pub(super) fn against_retrying_in_vain(load: &Loaded) -> Result<(), RunError> {
    let mut roots = load.schemas.roots();
    match roots.clone().next() {
        Some(first) if roots.all(|root| loses_all(load, root)) => Err(nothing_fits(load, first)),
        _ => Ok(()),
    }
}

fn loses_all(load: &Loaded, root: TableId) -> bool {
    let counts = load.counts[root];
    counts.received > 0 && counts.kept == 0
}

fn nothing_fits(load: &Loaded, root: TableId) -> RunError {
    let first = load.quarantined.iter().find(|record| record.table == root);
    RunError::NothingFits {
        table: load.schemas[root].name.clone(),
        records: load.counts[root].received,
        reasons: first.map(|record| record.reasons.to_string()).unwrap_or_default(),
    }
}
