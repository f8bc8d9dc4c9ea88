//! Export guard: refuses an export that is complete and valid JSON, and still wrong for its tables (promise P9).

use std::collections::BTreeMap;

use crate::definition::{
    Deletes, Limit, Limits, OnFailure, Pipeline, Table, WriteDisposition, definition_hash,
};
use crate::infer::{ResolvedTable, Unmatched};
use crate::landing::KeptExports;
use crate::normalise::{CursorForm, Reason, Rule};
use crate::plan::Plan;
use crate::run::guard_error::GuardError;
use crate::run::intake::{FoundRecords, Intake};
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::schema::{ColumnName, ColumnType, IdVec, JsonPointer, RootId, TableId, TableName};
use crate::table::{Manifest, Snapshot};

/// Refuses an export that is suddenly small or empty: that is more often a mistake of the source than a change of the
/// company.
pub(super) fn against_shrinking(
    plan: &Plan,
    new_exports: &NewExports<'_>,
    intake: &Intake,
    snapshot: &Snapshot,
) -> Result<(), GuardError> {
    if plan.allow_shrink {
        return Ok(());
    }
    let limits = &plan.pipeline.limits;
    let found = intake.found();
    for (root, declared) in &new_exports.tables {
        let FoundRecords { at, count: records, is_one_object } = &found[*root];
        let old = snapshot.manifests.get(&declared.name);
        let before = TableBefore {
            rows: old.map_or(0, Manifest::rows),
            received: old.map_or(0, |old| old.received),
        };
        let replaces = match declared.write_disposition {
            WriteDisposition::Replace => true,
            // For a window, `against_emptying` decides, once the covered partitions are known.
            WriteDisposition::OverwritePartitions => plan.window.is_none(),
            WriteDisposition::Append | WriteDisposition::Merge => {
                declared.deletes != Deletes::Ignore && plan.window.is_none()
            }
        };
        against_few_records(&declared.name, *records, before, replaces, limits)?;
        if *is_one_object {
            against_one_object(&declared.name, &at.pointer(), before, replaces)?;
        }
    }
    Ok(())
}

/// What a table had before the run.
#[derive(Debug, Clone, Copy)]
struct TableBefore {
    rows: u64,
    /// The records of the last export.
    received: u64,
}

/// Refuses `records` of a table, whose rows the export `replaces` or not.
fn against_few_records(
    table: &TableName,
    records: u64,
    before: TableBefore,
    replaces: bool,
    limits: &Limits,
) -> Result<(), GuardError> {
    let table = || table.clone();
    if replaces && records == 0 && before.rows > 0 {
        return Err(GuardError::Emptied { table: table(), rows: before.rows });
    }
    if let Some(least) = limits.min_records.filter(|least| records < *least) {
        return Err(GuardError::TooFew { table: table(), records, least });
    }
    let shrunk = before.received.saturating_sub(records);
    if let Some(most) = limits.max_shrink.filter(|most| shrunk > most.of(before.received)) {
        let before = before.received;
        return Err(GuardError::Shrunk { table: table(), records, before, most });
    }
    Ok(())
}

/// Refuses one object in place of a list that had records: it is more often a message of the source than the one that is
/// left. Where rows stay, an object at the root may be the only line of newline-delimited JSON, and is loaded.
fn against_one_object(
    table: &TableName,
    place: &JsonPointer,
    before: TableBefore,
    replaces: bool,
) -> Result<(), GuardError> {
    let records = match (replaces, place.keys().is_empty()) {
        (true, _) => before.received.max(before.rows),
        (false, true) => 0,
        (false, false) => before.received,
    };
    if records <= 1 {
        return Ok(());
    }
    Err(GuardError::OneObject { table: table.clone(), place: place.clone(), records })
}

/// The same for a window. `rows` is what the root table has in the partitions that the window covers.
pub(super) fn against_emptying(
    plan: &Plan,
    load: &Loaded,
    root: TableId,
    rows: u64,
) -> Result<(), GuardError> {
    if plan.allow_shrink || rows == 0 || load.counts[root].received > 0 {
        return Ok(());
    }
    Err(GuardError::Emptied { table: load.schemas[root].name.clone(), rows })
}

/// Refuses an export with more unfit records than `limits.max_quarantined` allows: somebody should look at it.
pub(super) fn against_quarantine(plan: &Plan, load: &Loaded) -> Result<(), GuardError> {
    let received = load.schemas.roots().map(|root| load.counts[root].received).sum();
    let most = match plan.pipeline.limits.max_quarantined {
        None => return Ok(()),
        Some(Limit::Count(count)) => count,
        Some(Limit::Share(share)) => share.of(received),
    };
    let quarantined = load.quarantined.len() as u64;
    match load.quarantined.first() {
        Some(first) if quarantined > most => {
            let reasons = first.reasons.to_string();
            Err(GuardError::TooManyQuarantined { quarantined, received, reasons })
        }
        _ => Ok(()),
    }
}

/// From how many values on a column of which none fits is no accident, nor a child table that loses its rows.
const MANY_VALUES: u64 = 100;

/// Refuses an export of which rows are loaded without many values of a column, and with none: the source has changed, and
/// the column would be null from now on.
pub(super) fn against_changed_columns(load: &Loaded) -> Result<(), GuardError> {
    let mut unfit: BTreeMap<(&TableName, &ColumnName), (u64, &ColumnType)> = BTreeMap::new();
    // Where the record is kept out as a whole, its values make no column null.
    let kept = load.quarantined.iter().filter(|record| record.row_kept);
    for Reason { table, rule, .. } in kept.flat_map(|record| &record.reasons.told) {
        if let Rule::Type { column, expected } = rule {
            unfit.entry((table, column)).or_insert((0, expected)).0 += 1;
        }
    }
    let changed = unfit.into_iter().find(|((table, column), (values, _))| {
        *values >= MANY_VALUES && load.filled(table, column).rows == 0
    });
    match changed {
        Some(((table, column), (values, column_type))) => Err(GuardError::ColumnChanged {
            table: table.clone(),
            column: column.clone(),
            column_type: column_type.clone(),
            values,
        }),
        None => Ok(()),
    }
}

/// Refuses the first export of a table if it does not have what the definition excludes: that is a promise about personal
/// data, and the data may be there under another name.
pub(super) fn against_missing_exclusions(load: &Loaded) -> Result<(), GuardError> {
    let tables = load.schemas.tables();
    let mut excluded = tables.flat_map(|(_, table)| {
        let unmatched = table.policy.unmatched.iter().filter(|it| it.is_excluded);
        unmatched.map(|it| (table.schema.name.clone(), it))
    });
    match excluded.next() {
        Some((table, Unmatched { name, nearest, .. })) => Err(GuardError::NothingExcluded {
            table,
            column: name.clone(),
            nearest: nearest.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses a retry into an `overwrite_partitions` table: its records come again with their partition.
pub(super) fn against_retry_of_overwritten(roots: &[&Table]) -> Result<(), GuardError> {
    let is_overwritten =
        |table: &&&Table| table.write_disposition == WriteDisposition::OverwritePartitions;
    match roots.iter().find(is_overwritten) {
        Some(table) => Err(GuardError::RetryOverwritten { table: table.name.clone() }),
        None => Ok(()),
    }
}

/// Refuses an older export for an `overwrite_partitions` table: later runs have loaded more into its partitions.
pub(super) fn against_overwriting_by_older(
    kept: &KeptExports,
    roots: &IdVec<RootId, &Table>,
) -> Result<(), GuardError> {
    let mut overwritten = roots
        .values()
        .filter(|table| table.write_disposition == WriteDisposition::OverwritePartitions);
    match overwritten.next() {
        Some(table) if !kept.are_last => {
            let (table, run) = (table.name.clone(), kept.run_id.clone());
            Err(GuardError::OverwrittenByOlder { table, run })
        }
        _ => Ok(()),
    }
}

/// Ends the run when rows fail a check with `on_failure = "fail"`.
pub(super) fn against_broken_checks(load: &Loaded) -> Result<(), GuardError> {
    for ((table, position), broken) in &load.broken {
        let ResolvedTable { schema, policy, .. } = load.schemas.table(*table);
        let check = &policy.checks[*position];
        if check.on_failure == OnFailure::Fail {
            let (table, rule) = (schema.name.clone(), check.rule.to_string());
            return Err(GuardError::BrokenCheck {
                table,
                rule,
                rows: broken.rows,
                first: broken.first,
            });
        }
    }
    Ok(())
}

/// Refuses an export when none of the records fits a table that has rows. A table without rows stays empty, and does not
/// keep the others from loading. The few records of a window, which replace nothing, may all wait: a run that fails asks for
/// the same window again every night.
pub(super) fn against_losing_all(
    plan: &Plan,
    load: &Loaded,
    snapshot: &Snapshot,
) -> Result<(), GuardError> {
    let has_rows = |root: TableId| {
        let manifest = snapshot.manifests.get(&load.schemas[root].name);
        manifest.is_some_and(|manifest| manifest.rows() > 0)
    };
    let may_wait = |root: TableId| {
        let disposition = load.schemas.policy(root).disposition;
        plan.window.is_some()
            && load.counts[root].received < MANY_VALUES
            && matches!(disposition, WriteDisposition::Append | WriteDisposition::Merge)
    };
    let is_lost = |root: &TableId| loses_all(load, *root) && has_rows(*root) && !may_wait(*root);
    match load.schemas.roots().find(is_lost) {
        Some(root) => Err(nothing_fits(load, root)),
        None => Ok(()),
    }
}

/// Refuses an export whose cursor does not tell which version of a record is the later one: it is text, or no record has
/// it, as when the source renames it. Records without a cursor are older than any other, so all would be dropped.
pub(super) fn against_unfit_cursor(load: &Loaded) -> Result<(), GuardError> {
    for root in load.schemas.roots().filter(|root| load.counts[*root].kept > 0) {
        let schema = &load.schemas[root];
        let Some(column) = schema.cursor.as_ref().and_then(|cursor| schema.column(cursor)) else {
            continue;
        };
        let (table, cursor) = (schema.name.clone(), column.name.clone());
        if load.filled(&table, &cursor).rows == 0 {
            return Err(GuardError::NoCursor { table, cursor });
        }
        if !column.column_type.has_order() {
            let declaration = load.cursor_forms.get(&root).and_then(CursorForm::declaration);
            let column_type = column.column_type.clone();
            return Err(GuardError::UnfitCursor { table, cursor, column_type, declaration });
        }
    }
    Ok(())
}

/// A child table that a run leaves without rows.
pub(super) struct EmptiedChild<'m> {
    pub(super) table: &'m TableName,
    /// How many it had.
    pub(super) rows: u64,
}

/// The child tables that the manifests of a run leave without rows. Refuses to empty one that had many, unless the definition
/// has changed: more often the source has renamed its list. Lists of a few rows may be empty some night.
pub(super) fn against_emptied_children<'m>(
    plan: &Plan,
    manifests: &'m [Manifest],
    snapshot: &Snapshot,
) -> Result<Vec<EmptiedChild<'m>>, GuardError> {
    let emptied = manifests.iter().filter(|manifest| {
        let schema = &manifest.schema;
        schema.parent.is_some() && !schema.excluded && manifest.rows() == 0
    });
    let emptied = emptied.map(|manifest| {
        let table = &manifest.schema.name;
        let rows = snapshot.manifests.get(table).map_or(0, Manifest::rows);
        EmptiedChild { table, rows }
    });
    let emptied: Vec<_> = emptied.filter(|emptied| emptied.rows > 0).collect();
    let Pipeline { tables, limits, .. } = &plan.pipeline;
    let definition = definition_hash(tables, limits);
    let is_as_before = |manifest: &Manifest| {
        manifest.exports.last().is_some_and(|taken| taken.definition == definition)
    };
    let is_surprise = |emptied: &&EmptiedChild<'_>| {
        let root = snapshot.manifests.get(emptied.table).map(|manifest| &manifest.schema.root);
        let root = root.and_then(|root| snapshot.manifests.get(root));
        emptied.rows >= MANY_VALUES && root.is_some_and(is_as_before)
    };
    match emptied.iter().find(is_surprise) {
        Some(&EmptiedChild { table, rows }) if !plan.allow_shrink => {
            Err(GuardError::ChildEmptied { table: table.clone(), rows })
        }
        _ => Ok(emptied),
    }
}

/// Ends a retry when none of the quarantined records fits any table now.
pub(super) fn against_futile_retry(load: &Loaded) -> Result<(), GuardError> {
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

fn nothing_fits(load: &Loaded, root: TableId) -> GuardError {
    let first = load.quarantined.iter().find(|record| record.table == root);
    GuardError::NothingFits {
        table: load.schemas[root].name.clone(),
        records: load.counts[root].received,
        reasons: first.map(|record| record.reasons.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::{ExitCode, Failure};

    fn table(name: &str, write_disposition: WriteDisposition) -> Table {
        Table { write_disposition, ..Table::named(name.parse().unwrap()) }
    }

    /// Judges `records` of a table that had 10 rows from 10 records.
    fn judged(records: u64, replaces: bool, limits: &Limits) -> Result<(), GuardError> {
        let before = TableBefore { rows: 10, received: 10 };
        against_few_records(&"t".parse().unwrap(), records, before, replaces, limits)
    }

    #[test]
    fn p9_an_empty_export_empties_no_table_it_replaces() {
        let limits = Limits::default();
        let emptied = judged(0, true, &limits).unwrap_err();
        assert_eq!(
            emptied.to_string(),
            "the export has no records for table `t`, which has 10 rows"
        );
        assert_eq!(emptied.exit_code(), ExitCode::Export);
        assert!(judged(1, true, &limits).is_ok());
        assert!(judged(0, false, &limits).is_ok(), "the rows stay");
    }

    #[test]
    fn p9_limits_on_the_number_of_records_count_up_to_their_bound() {
        let limits = Limits {
            min_records: Some(4),
            max_shrink: Some("50%".parse().unwrap()),
            ..Limits::default()
        };
        assert!(matches!(judged(3, false, &limits), Err(GuardError::TooFew { least: 4, .. })));
        assert!(matches!(judged(4, false, &limits), Err(GuardError::Shrunk { before: 10, .. })));
        assert!(judged(5, false, &limits).is_ok());
        assert!(judged(11, false, &limits).is_ok());
    }

    #[test]
    fn p9_one_object_takes_the_place_of_no_list() {
        let table: TableName = "t".parse().unwrap();
        let refused = |place: &str, received: u64, rows: u64, replaces: bool| {
            let before = TableBefore { rows, received };
            against_one_object(&table, &place.parse().unwrap(), before, replaces).is_err()
        };
        for place in ["", "/data"] {
            assert!(refused(place, 50, 50, true) && refused(place, 0, 50, true), "{place}");
            assert!(!refused(place, 1, 1, true) && !refused(place, 0, 0, true), "{place}");
            assert!(!refused(place, 1, 50, false), "an object each night: {place}");
        }
        assert!(refused("/data", 50, 50, false));
        assert!(!refused("", 50, 50, false), "a line of its own");
    }

    #[test]
    fn a_retry_needs_no_other_rows_of_the_partition() {
        let refused = |table: &Table| {
            against_retry_of_overwritten(&[table]).err().map(|error| error.exit_code())
        };
        assert_eq!(refused(&table("merged", WriteDisposition::Merge)), None);
        let overwritten = table("overwritten", WriteDisposition::OverwritePartitions);
        assert_eq!(refused(&overwritten), Some(ExitCode::Usage));
        assert_eq!(refused(&table("appended", WriteDisposition::Append)), None);
    }
}
