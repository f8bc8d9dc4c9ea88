//! Table tree: a table with its child tables, their data files, and the rows that an export has for them.
//!
//! The rows of a record and of its children are always in one partition, so everything is compared partition by
//! partition, and memory holds a few partitions at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::PartitionRows;
use crate::infer::Schemas;
use crate::schema::{PartitionKey, TableId, TableSchema};
use crate::table::{DataFile, Manifest, Snapshot};

/// The rows of an export, by table and partition.
pub type ExportRows = BTreeMap<(TableId, PartitionKey), PartitionRows>;

/// A table with its child tables.
#[derive(Debug)]
pub struct TableTree<'a> {
    pub(super) schemas: &'a Arc<Schemas>,
    pub(super) root: TableId,
    /// The root table and its child tables.
    pub(super) tables: Vec<TableId>,
    export: &'a ExportRows,
    manifests: HashMap<TableId, &'a Manifest>,
    /// The data files with rows of all tables. Their positions are their numbers.
    pub(super) files: Vec<TreeFile<'a>>,
    numbers_by_partition: BTreeMap<&'a PartitionKey, Vec<usize>>,
}

/// A data file and its table.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeFile<'a> {
    pub(super) table: TableId,
    pub(super) data: &'a DataFile,
}

impl<'a> TableTree<'a> {
    /// The tree of a root table.
    #[must_use]
    pub fn new(
        schemas: &'a Arc<Schemas>,
        root: TableId,
        export: &'a ExportRows,
        snapshot: &'a Snapshot,
    ) -> Self {
        let tables = schemas.tree_of(root);
        let manifest = |table: &TableId| snapshot.manifests.get(&schemas[*table].name);
        let manifests: HashMap<TableId, &Manifest> =
            tables.iter().filter_map(|table| Some((*table, manifest(table)?))).collect();
        let mut files = Vec::new();
        for table in &tables {
            let of_table = manifests.get(table).map_or(&[][..], |manifest| &manifest.files);
            let with_rows = of_table.iter().filter(|file| file.has_rows());
            files.extend(with_rows.map(|data| TreeFile { table: *table, data }));
        }
        let mut numbers_by_partition: BTreeMap<&PartitionKey, Vec<usize>> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            numbers_by_partition.entry(&file.data.partition).or_default().push(number);
        }
        Self { schemas, root, tables, export, manifests, files, numbers_by_partition }
    }

    /// Whether any of its tables has rows.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether it may have child rows or versions without the rows that they belong to.
    pub(super) fn is_incomplete(&self) -> bool {
        self.manifests.values().any(|manifest| manifest.is_incomplete)
    }

    /// The schema of the root table.
    #[must_use]
    pub fn root_schema(&self) -> &TableSchema {
        &self.schemas[self.root]
    }

    /// The manifest of one of its tables before the run.
    pub(super) fn manifest(&self, table: TableId) -> Option<&'a Manifest> {
        self.manifests.get(&table).copied()
    }

    /// The partitions that the export or the tables have rows in.
    pub(super) fn partitions(&self) -> BTreeSet<&PartitionKey> {
        let in_tree = |(table, _): &&(TableId, PartitionKey)| self.tables.contains(table);
        let new = self.export.keys().filter(in_tree).map(|(_, partition)| partition);
        new.chain(self.numbers_by_partition.keys().copied()).collect()
    }

    /// The partitions that the tables have files in.
    pub(super) fn partitions_with_files(&self) -> impl Iterator<Item = &'a PartitionKey> {
        self.numbers_by_partition.keys().copied()
    }

    /// The rows of the export for the root table, by partition.
    pub(super) fn root_rows(&self) -> impl Iterator<Item = (&'a PartitionKey, &'a PartitionRows)> {
        let of_root = self.export.iter().filter(|((table, _), _)| *table == self.root);
        of_root.map(|((_, partition), rows)| (partition, rows))
    }

    /// The rows of the export for one table and partition.
    pub(super) fn rows_in(
        &self,
        table: TableId,
        partition: &PartitionKey,
    ) -> Option<&'a PartitionRows> {
        self.export.get(&(table, partition.clone()))
    }

    /// The numbers of the files in a partition.
    pub(super) fn files_in(&self, partition: &PartitionKey) -> &[usize] {
        self.numbers_by_partition.get(partition).map_or(&[], Vec::as_slice)
    }

    /// How many rows the root table has in the partitions that satisfy a condition.
    pub(super) fn stored_root_rows(&self, is_in: impl Fn(&PartitionKey) -> bool) -> u64 {
        let of_root = self.files.iter().filter(|file| file.table == self.root);
        of_root.map(|file| file.data).filter(|file| is_in(&file.partition)).map(|it| it.rows).sum()
    }
}
