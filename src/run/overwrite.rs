//! Overwrite: which partitions an export takes the place of, in tables of which it overwrites partitions, and which of
//! these it leaves as they are, because they hold the same already (promise P3).
//!
//! | the export | takes the place of |
//! |---|---|
//! | is all that the source has, or what filters let through | the partitions that it has records for |
//! | is of a window | all partitions that lie in the window, those without records too |
//!
//! Child rows lie in the partition of their record, and come and go with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::DataFrame;

use crate::definition::WriteDisposition;
use crate::merge::PartitionRows;
use crate::normalise::{MetadataColumns, row_hashes};
use crate::plan::Plan;
use crate::run::guard_error::GuardError;
use crate::run::loaded::Loaded;
use crate::run::{RunError, guard};
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{ColumnName, PartitionKey, TableId, TableSchema, Window};
use crate::store::Destination;
use crate::table::{DataFile, Manifest, Snapshot};

/// What becomes of the partitions of all tables of a run of which partitions are overwritten.
#[derive(Default)]
pub(super) struct Overwritten {
    /// The files whose rows are not in their tables any more.
    pub(super) gone: HashSet<String>,
    /// The rows of tables and partitions that hold them already, without those that a later version puts out.
    pub(super) spared: BTreeMap<(TableId, PartitionKey), u64>,
}

/// Decides on every partition that the export takes the place of.
pub(super) async fn decide(
    destination: &Destination,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<Overwritten, RunError> {
    let mut overwritten = Overwritten::default();
    for root in load.schemas.roots() {
        if load.schemas.policy(root).disposition != WriteDisposition::OverwritePartitions {
            continue;
        }
        let tree = Tree::new(load, root, snapshot);
        let covered = tree.covered(plan.window)?;
        guard::against_emptying(plan, load, root, tree.rows_in(&covered))?;
        let compared = covered.iter().map(|partition| tree.compare(destination, partition));
        let compared: Vec<_> = compared.collect();
        let mut compared = stream::iter(compared).buffered(parallelism());
        while let Some(Compared { partition, same, gone }) = compared.try_next().await? {
            overwritten.gone.extend(gone);
            let same = same.into_iter().map(|(table, rows)| ((table, partition.clone()), rows));
            overwritten.spared.extend(same);
        }
    }
    Ok(overwritten)
}

/// A table with its child tables: the rows that an export has for them, and the files that they have.
struct Tree<'a> {
    load: &'a Loaded,
    root: TableId,
    tables: Vec<TableId>,
    old: Vec<Old<'a>>,
}

/// A table as it was.
struct Old<'a> {
    table: TableId,
    manifest: &'a Manifest,
}

/// What was found of one partition.
struct Compared<'a> {
    partition: &'a PartitionKey,
    /// Its tables that have rows, with how many, when they hold already what the export has.
    same: Vec<(TableId, u64)>,
    /// Its files, otherwise.
    gone: Vec<String>,
}

impl<'a> Tree<'a> {
    fn new(load: &'a Loaded, root: TableId, snapshot: &'a Snapshot) -> Self {
        let schemas = &load.schemas;
        let tables = load.schemas.tree_of(root);
        let old = tables.iter().filter_map(|table| {
            let manifest = snapshot.manifests.get(&schemas[*table].name)?;
            Some(Old { table: *table, manifest })
        });
        Self { load, root, old: old.collect(), tables }
    }

    fn schema(&self) -> &TableSchema {
        &self.load.schemas[self.root]
    }

    /// How many rows the root table has in some partitions.
    fn rows_in(&self, partitions: &BTreeSet<PartitionKey>) -> u64 {
        let of_root = self.old.iter().find(|old| old.table == self.root);
        let files = of_root.map_or(&[][..], |old| &old.manifest.files).iter();
        files.filter(|file| partitions.contains(&file.partition)).map(|file| file.rows).sum()
    }

    /// The partitions that the export takes the place of.
    fn covered(&self, window: Option<Window>) -> Result<BTreeSet<PartitionKey>, RunError> {
        let of_root = self.load.rows.keys().filter(|(table, _)| *table == self.root);
        let mut covered: BTreeSet<PartitionKey> =
            of_root.map(|(_, partition)| partition.clone()).collect();
        let Some(window) = window else { return Ok(covered) };
        let is_in_it = |partition: &PartitionKey| partition.lies_within(window);
        if let Some(outside) = covered.iter().find(|partition| !is_in_it(partition)) {
            let (table, partition) = (self.schema().name.clone(), outside.clone());
            return Err(GuardError::OutsideWindow { table, partition, window }.into());
        }
        let files = self.old.iter().flat_map(|old| &old.manifest.files);
        let old = files.map(|file| &file.partition).filter(|partition| is_in_it(partition));
        covered.extend(old.cloned());
        Ok(covered)
    }

    /// Compares what the export has of a partition with what its tables have.
    async fn compare<'p>(
        &self,
        destination: &Destination,
        partition: &'p PartitionKey,
    ) -> Result<Compared<'p>, RunError> {
        let mut same = Vec::new();
        for &table in &self.tables {
            let new = self.load.rows.get(&(table, partition.clone()));
            match self.same_rows(destination, table, partition, new).await? {
                Some(0) => {}
                Some(rows) => same.push((table, rows)),
                None => {
                    let files = self.old.iter().flat_map(|old| files_of(old, partition));
                    let gone = files.map(|file| file.path.clone()).collect();
                    return Ok(Compared { partition, same: Vec::new(), gone });
                }
            }
        }
        Ok(Compared { partition, same, gone: Vec::new() })
    }

    /// How many rows a table has in a partition, if they are those of the export.
    async fn same_rows(
        &self,
        destination: &Destination,
        table: TableId,
        partition: &PartitionKey,
        new: Option<&PartitionRows>,
    ) -> Result<Option<u64>, RunError> {
        let schema = &self.load.schemas[table];
        let old = self.old.iter().find(|old| old.table == table);
        if old.is_some_and(|old| !schema.same_files(&old.manifest.schema)) {
            return Ok(None);
        }
        let files: Vec<&DataFile> =
            old.into_iter().flat_map(|old| files_of(old, partition)).collect();
        let before: u64 = files.iter().map(|file| file.rows).sum();
        // More rows than there were may be fewer, once later versions put some out.
        if new.map_or(0, PartitionRows::count) < before || (new.is_some() && before == 0) {
            return Ok(None);
        }
        let (rows, hashed) = (new.cloned(), schema.clone());
        let new = on_cpu(move || Content::of_export(rows.as_ref(), &hashed)).await?;
        if new.rows != before {
            return Ok(None);
        }
        let mut old = Content::default();
        for file in files {
            let content = crate::table::open(destination).read(file).await?;
            let schema = schema.clone();
            let hashed = on_cpu(move || Content::of(&content.rows(&schema, None)?, &schema));
            old.add(&hashed.await?);
        }
        Ok((new == old).then_some(before))
    }
}

fn files_of<'a>(old: &Old<'a>, partition: &PartitionKey) -> impl Iterator<Item = &'a DataFile> {
    old.manifest.files.iter().filter(move |file| file.partition == *partition)
}

/// What rows hold, whatever their order.
#[derive(Default, PartialEq)]
struct Content {
    rows: u64,
    /// The sum of their hashes.
    hash: u128,
}

impl Content {
    fn of_export(rows: Option<&PartitionRows>, schema: &TableSchema) -> Result<Self, RunError> {
        let mut content = Self::default();
        for rows in rows.into_iter().flat_map(PartitionRows::latest) {
            content.add(&Self::of(&rows?, schema)?);
        }
        Ok(content)
    }

    fn of(rows: &DataFrame, schema: &TableSchema) -> Result<Self, RunError> {
        let in_files =
            MetadataColumns::carried(schema).filter(|column| !schema.is_partition(&column.name));
        let columns: Vec<ColumnName> = in_files.map(|column| column.name.clone()).collect();
        let hashes = row_hashes(rows, &columns)?;
        let hash = hashes.into_iter().fold(0, u128::wrapping_add);
        Ok(Self { rows: rows.height() as u64, hash })
    }

    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}
