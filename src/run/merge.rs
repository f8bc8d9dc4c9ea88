//! Merge in a run: compares the export with every table that is merged or overwritten by partitions, behind the guards.

use crate::definition::WriteDisposition;
use crate::merge::{
    MergedTables, OverwrittenPartitions, PartitionOverwrite, RecordMerge, TableTree,
};
use crate::plan::Plan;
use crate::run::guard_error::GuardError;
use crate::run::loaded::Loaded;
use crate::run::{RunError, guard};
use crate::table::{Snapshot, TableStore};

/// Compares the export with the tables that have `merge` and rows already.
pub(super) async fn merge_records(
    store: &dyn TableStore,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<MergedTables, RunError> {
    let mut merged = MergedTables::default();
    for root in load.schemas.roots() {
        let tree = TableTree::new(&load.schemas, root, &load.rows, snapshot);
        let is_merged = load.schemas.policy(root).disposition == WriteDisposition::Merge;
        if !is_merged || !tree.has_files() {
            continue;
        }
        let (deletes, quarantined) = (load.deletes(root), load.left_out(root));
        let merge = RecordMerge::new(&tree, deletes, quarantined, plan.window)?;
        if let Some(rows) = merge.rows_at_stake() {
            guard::against_emptying(plan, load, root, rows)?;
        }
        merge.run(store, &mut merged).await?;
    }
    Ok(merged)
}

/// Compares the export with the tables that have `overwrite_partitions`.
pub(super) async fn overwrite_partitions(
    store: &dyn TableStore,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<OverwrittenPartitions, RunError> {
    let mut overwritten = OverwrittenPartitions::default();
    for root in load.schemas.roots() {
        if load.schemas.policy(root).disposition != WriteDisposition::OverwritePartitions {
            continue;
        }
        let tree = TableTree::new(&load.schemas, root, &load.rows, snapshot);
        let overwrite = PartitionOverwrite::new(&tree, plan.window);
        if let Some(window) = plan.window
            && let Some(outside) = overwrite.outside(window)
        {
            let (table, partition) = (tree.root_schema().name.clone(), outside.clone());
            return Err(GuardError::OutsideWindow { table, partition, window }.into());
        }
        guard::against_emptying(plan, load, root, overwrite.rows_at_stake())?;
        overwrite.run(store, &mut overwritten).await?;
    }
    Ok(overwritten)
}
