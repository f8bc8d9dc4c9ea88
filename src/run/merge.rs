//! Merge in a run: compares the export with every table that is not appended to, behind the guards.

use std::collections::HashMap;

use crate::definition::{Deletes, WriteDisposition};
use crate::merge::{
    EncodedHashes, ExportKeys, MergedTables, OverwrittenPartitions, PartitionOverwrite,
    RecordMerge, TableTree,
};
use crate::plan::{Plan, RecordOrigin};
use crate::run::guard_error::GuardError;
use crate::run::loaded::Loaded;
use crate::run::{RunError, guard};
use crate::schema::TableId;
use crate::table::{Snapshot, TableStore};

/// For each root table that is merged and has quarantined records, the records of the export.
pub(super) type KeysOfTables = HashMap<TableId, ExportKeys>;

/// Compares the export with the tables that have `merge` and rows or quarantined records already.
pub(super) async fn merge_records(
    store: &TableStore,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<(MergedTables, KeysOfTables), RunError> {
    let (mut merged, mut keys) = (MergedTables::default(), KeysOfTables::new());
    for root in load.schemas.roots() {
        let tree = TableTree::new(&load.schemas, root, &load.rows, snapshot);
        let is_merged = load.schemas.policy(root).disposition == WriteDisposition::Merge;
        let manifest = snapshot.manifests.get(&tree.root_schema().name);
        let has_quarantine = manifest.is_some_and(|manifest| !manifest.quarantine.is_empty());
        if !is_merged || !(tree.has_files() || has_quarantine) {
            continue;
        }
        // What a retry does not have is not missing from the source, and what an older export does not have may be newer.
        let deletes = match plan.origin {
            RecordOrigin::Source => load.deletes(root),
            RecordOrigin::Quarantine | RecordOrigin::Landing => Deletes::Ignore,
        };
        let quarantined = load.left_out(root);
        let merge = RecordMerge::new(&tree, deletes, quarantined, plan.window)?;
        if let Some(rows) = merge.rows_at_stake() {
            guard::against_emptying(plan, load, root, rows)?;
        }
        merge.run(store, &mut merged).await?;
        if has_quarantine {
            keys.insert(root, merge.export_keys(&merged));
        }
    }
    Ok((merged, keys))
}

/// Compares the export with the tables that have `overwrite_partitions` or `replace`.
pub(super) async fn overwrite_partitions(
    store: &TableStore,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<OverwrittenPartitions, RunError> {
    let mut overwritten = OverwrittenPartitions::default();
    let encoded = load.encoded.iter();
    let encoded: EncodedHashes =
        encoded.filter_map(|(key, rows)| Some((key.clone(), rows.hash?))).collect();
    for root in load.schemas.roots() {
        let tree = TableTree::new(&load.schemas, root, &load.rows, snapshot);
        let overwrite = match load.schemas.policy(root).disposition {
            WriteDisposition::OverwritePartitions => {
                PartitionOverwrite::new(&tree, &encoded, plan.window)
            }
            WriteDisposition::Replace => {
                PartitionOverwrite::of_all(&tree, &encoded).run(store, &mut overwritten).await?;
                continue;
            }
            WriteDisposition::Append | WriteDisposition::Merge => continue,
        };
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
