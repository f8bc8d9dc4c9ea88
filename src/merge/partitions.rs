//! Partition overwrite: selects the partitions that an export replaces, for tables with `overwrite_partitions`. Unchanged
//! ones are skipped.
//!
//! Child rows are in the partition of their record and are replaced with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::DataFrame;

use super::{MergeError, PartitionRows, TableTree};
use crate::normalise::{MetadataColumns, row_hashes};
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{ColumnName, PartitionKey, TableId, TableSchema, Window};
use crate::table::TableStore;

/// The partitions that an export replaces.
#[derive(Debug, Default)]
pub struct OverwrittenPartitions {
    /// The data files of replaced partitions.
    pub replaced: HashSet<String>,
    /// The partitions that have the same rows already, with the number of their rows.
    pub unchanged: BTreeMap<(TableId, PartitionKey), u64>,
}

/// The overwrite of partitions of one table and its child tables.
#[derive(Debug)]
pub struct PartitionOverwrite<'a> {
    tree: &'a TableTree<'a>,
    /// The partitions that the export speaks for.
    covered: BTreeSet<&'a PartitionKey>,
}

impl<'a> PartitionOverwrite<'a> {
    /// The overwrite by an export: all of `window`, or a full one.
    #[must_use]
    pub fn new(tree: &'a TableTree<'a>, window: Option<Window>) -> Self {
        let mut covered: BTreeSet<&PartitionKey> =
            tree.root_rows().map(|(partition, _)| partition).collect();
        if let Some(window) = window {
            let stored = tree.partitions_with_files();
            covered.extend(stored.filter(|partition| partition.lies_within(window)));
        }
        Self { tree, covered }
    }

    /// A partition that the export has records for and that is outside its window.
    #[must_use]
    pub fn outside(&self, window: Window) -> Option<&PartitionKey> {
        self.covered.iter().copied().find(|partition| !partition.lies_within(window))
    }

    /// How many rows of the root table the export replaces.
    #[must_use]
    pub fn rows_at_stake(&self) -> u64 {
        self.tree.stored_root_rows(|partition| self.covered.contains(partition))
    }

    /// Compares the export with the tables, a few partitions at a time, and adds the result to `overwritten`.
    ///
    /// # Errors
    /// A data file, or rows of the export, cannot be read.
    pub async fn run(
        &self,
        store: &dyn TableStore,
        overwritten: &mut OverwrittenPartitions,
    ) -> Result<(), MergeError> {
        let partitions: Vec<_> =
            self.covered.iter().map(|partition| self.unchanged_rows(store, partition)).collect();
        let mut compared = stream::iter(partitions).buffered(parallelism());
        for partition in &self.covered {
            if let Some(unchanged) = compared.try_next().await?.flatten() {
                let rows = unchanged.into_iter();
                let rows = rows.map(|(table, rows)| ((table, (*partition).clone()), rows));
                overwritten.unchanged.extend(rows);
            } else {
                let files = self.tree.files_in(partition).iter();
                let path = |file: &usize| self.tree.files[*file].data.path.clone();
                overwritten.replaced.extend(files.map(path));
            }
        }
        Ok(())
    }

    /// The tables that have rows in a partition, with how many, if all of them have the rows of the export already.
    async fn unchanged_rows(
        &self,
        store: &dyn TableStore,
        partition: &PartitionKey,
    ) -> Result<Option<Vec<(TableId, u64)>>, MergeError> {
        let mut unchanged = Vec::new();
        for &table in &self.tree.tables {
            match self.unchanged_rows_of(store, table, partition).await? {
                Some(0) => {}
                Some(rows) => unchanged.push((table, rows)),
                None => return Ok(None),
            }
        }
        Ok(Some(unchanged))
    }

    /// How many rows a table has in a partition, if they are those of the export.
    async fn unchanged_rows_of(
        &self,
        store: &dyn TableStore,
        table: TableId,
        partition: &PartitionKey,
    ) -> Result<Option<u64>, MergeError> {
        let schema = &self.tree.schemas[table];
        let old = self.tree.manifest(table);
        if old.is_some_and(|old| !schema.same_files(&old.schema)) {
            return Ok(None);
        }
        let files = self.tree.files_in(partition).iter().map(|file| self.tree.files[*file]);
        let files: Vec<_> = files.filter(|file| file.table == table).collect();
        let stored: u64 = files.iter().map(|file| file.data.rows).sum();
        let new = self.tree.rows_in(table, partition);
        // Superseded rows count too, so more rows than are stored may still be the same.
        if new.map_or(0, PartitionRows::count) < stored || (new.is_some() && stored == 0) {
            return Ok(None);
        }
        let (rows, hashed) = (new.cloned(), schema.clone());
        let new = on_cpu(move || ContentHash::of_export(rows.as_ref(), &hashed)).await?;
        if new.rows != stored {
            return Ok(None);
        }
        let mut old = ContentHash::default();
        for file in files {
            let (content, schema) = (store.read(file.data).await?, schema.clone());
            let hash = move || ContentHash::of(&content.rows(&schema, None)?, &schema);
            old.add(&on_cpu(hash).await?);
        }
        Ok((new == old).then_some(stored))
    }
}

/// What rows hold, in any order.
#[derive(Debug, Default, PartialEq)]
struct ContentHash {
    rows: u64,
    /// The sum of the hashes of the rows.
    hash: u128,
}

impl ContentHash {
    fn of_export(rows: Option<&PartitionRows>, schema: &TableSchema) -> Result<Self, MergeError> {
        let mut content = Self::default();
        for rows in rows.into_iter().flat_map(PartitionRows::latest) {
            content.add(&Self::of(&rows?, schema)?);
        }
        Ok(content)
    }

    fn of(rows: &DataFrame, schema: &TableSchema) -> Result<Self, MergeError> {
        let columns = MetadataColumns::carried(schema).map(|column| column.name.clone());
        let columns: Vec<ColumnName> = columns.collect();
        let hashes = row_hashes(rows, &columns)?;
        let hash = hashes.into_iter().fold(0, u128::wrapping_add);
        Ok(Self { rows: rows.height() as u64, hash })
    }

    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}
