//! The export guard: what is complete and valid JSON and still not this table's export (promise P9).

use super::RunError;
use super::fresh::Fresh;
use super::intake::Intake;
use super::load::Load;
use crate::commit::{Manifest, Snapshot};
use crate::definition::WriteDisposition;
use crate::plan::Plan;

/// An export without a single record is more often a mistake of the source than an empty company.
pub(super) fn against_emptying(
    plan: &Plan,
    fresh: &Fresh<'_>,
    intake: &Intake,
    snapshot: &Snapshot,
) -> Result<(), RunError> {
    for (table, records) in fresh.tables.iter().zip(fresh.of(&intake.found.records)) {
        let rows = snapshot.manifests.get(&table.name).map_or(0, Manifest::rows);
        let replaces = table.write_disposition == WriteDisposition::Replace;
        if replaces && records == 0 && rows > 0 && !plan.allow_empty {
            return Err(RunError::Emptied { table: table.name.clone(), rows });
        }
    }
    Ok(())
}

/// An export of which nothing fits the table is not that table's export.
pub(super) fn against_losing_all(load: &Load) -> Result<(), RunError> {
    for &root in &load.schemas.roots {
        let counts = load.counts[root];
        if counts.received > 0 && counts.kept == 0 {
            let first = load.quarantined.iter().find(|record| record.table == root);
            return Err(RunError::NothingFits {
                table: load.schemas.tables[root].name.clone(),
                records: counts.received,
                reasons: first.map(|record| record.reasons.join(", ")).unwrap_or_default(),
            });
        }
    }
    Ok(())
}
