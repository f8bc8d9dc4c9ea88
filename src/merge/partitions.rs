//! Partition overwrite: selects the partitions that an export replaces, for tables with `overwrite_partitions` and
//! `replace`. Unchanged ones are skipped, table by table.
//!
//! Child rows are in the partition of their record and are replaced with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::hashes::ContentHash;
use super::{MergeError, PartitionRows, TableTree};
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{PartitionKey, TableId, TableSchema, Window};
use crate::table::{DataFile, ReadError, TableStore};

/// The partitions that an export replaces.
#[derive(Debug, Default)]
pub struct OverwrittenPartitions {
    /// The data files of replaced partitions.
    pub replaced: HashSet<String>,
    /// The partitions that have the same rows already, with the number of their rows.
    pub unchanged: BTreeMap<(TableId, PartitionKey), u64>,
}

/// The hashes of rows that are encoded already, by table and partition.
pub type EncodedHashes = BTreeMap<(TableId, PartitionKey), ContentHash>;

/// The overwrite of partitions of one table and its child tables.
#[derive(Debug)]
pub struct PartitionOverwrite<'a> {
    tree: &'a TableTree<'a>,
    /// The partitions that the export speaks for.
    covered: BTreeSet<&'a PartitionKey>,
    /// Where rows are encoded already, and no longer in the tree.
    encoded: &'a EncodedHashes,
    damaged: DamagedFiles,
}

/// What a damaged file of a covered partition means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DamagedFiles {
    /// Somebody should look at the table first.
    Fail,
    /// The export has all rows of the table, so the file is replaced.
    AreReplaced,
}

impl<'a> PartitionOverwrite<'a> {
    /// The overwrite by an export: all of `window`, or a full one.
    #[must_use]
    pub fn new(
        tree: &'a TableTree<'a>,
        encoded: &'a EncodedHashes,
        window: Option<Window>,
    ) -> Self {
        let mut covered: BTreeSet<&PartitionKey> =
            tree.root_rows().map(|(partition, _)| partition).collect();
        if let Some(window) = window {
            let stored = tree.partitions_with_files();
            covered.extend(stored.filter(|partition| partition.lies_within(window)));
        }
        Self { tree, covered, encoded, damaged: DamagedFiles::Fail }
    }

    /// The overwrite of whole tables.
    #[must_use]
    pub fn of_all(tree: &'a TableTree<'a>, encoded: &'a EncodedHashes) -> Self {
        let covered = tree.partitions_with_files().collect();
        Self { tree, covered, encoded, damaged: DamagedFiles::AreReplaced }
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
        store: &TableStore,
        overwritten: &mut OverwrittenPartitions,
    ) -> Result<(), MergeError> {
        let tables = &self.tree.tables;
        let keys: Vec<(TableId, &PartitionKey)> = (self.covered.iter())
            .flat_map(|partition| tables.iter().map(move |table| (*table, *partition)))
            .collect();
        let comparisons: Vec<_> = (keys.iter())
            .map(|(table, partition)| self.unchanged_rows(store, *table, partition))
            .collect();
        let mut compared = stream::iter(comparisons).buffered(parallelism());
        for (table, partition) in &keys {
            match compared.try_next().await?.flatten() {
                Some(0) => {}
                Some(rows) => {
                    overwritten.unchanged.insert((*table, (*partition).clone()), rows);
                }
                None => {
                    let files = self.files_of(*table, partition);
                    overwritten.replaced.extend(files.map(|file| file.path.clone()));
                }
            }
        }
        Ok(())
    }

    /// The data files of a table in a partition.
    fn files_of(
        &self,
        table: TableId,
        partition: &PartitionKey,
    ) -> impl Iterator<Item = &'a DataFile> + use<'a> {
        let tree = self.tree;
        let files = tree.files_in(partition).iter().map(|file| tree.files[*file]);
        files.filter(move |file| file.table == table).map(|file| file.data)
    }

    /// How many rows a table has in a partition, if they are those of the export.
    async fn unchanged_rows(
        &self,
        store: &TableStore,
        table: TableId,
        partition: &PartitionKey,
    ) -> Result<Option<u64>, MergeError> {
        let schema = &self.tree.schemas[table];
        let old = self.tree.manifest(table);
        if old.is_some_and(|old| !schema.lays_out_files_like(&old.schema)) {
            return Ok(None);
        }
        let stored: u64 = self.files_of(table, partition).map(|file| file.rows).sum();
        let waiting = self.tree.rows_in(table, partition);
        let new = match self.encoded.get(&(table, partition.clone())) {
            Some(encoded) => *encoded,
            // Superseded rows count too, so more rows than are stored may still be the same.
            None if waiting.map_or(0, PartitionRows::count) < stored => return Ok(None),
            None if stored == 0 => return Ok(waiting.is_none().then_some(0)),
            None => {
                let (rows, schema) = (waiting.cloned(), schema.clone());
                on_cpu(move || hash_of_export(rows.as_ref(), &schema)).await?
            }
        };
        if new.rows != stored {
            return Ok(None);
        }
        let mut old = ContentHash::default();
        for file in self.files_of(table, partition) {
            match hash_of_file(store, file, schema).await {
                Ok(hash) => old.add(hash),
                Err(MergeError::Read(error)) if self.replaces_file_after(&error) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok((new == old).then_some(stored))
    }

    fn replaces_file_after(&self, error: &ReadError) -> bool {
        self.damaged == DamagedFiles::AreReplaced && !matches!(error, ReadError::Destination(_))
    }
}

fn hash_of_export(
    rows: Option<&PartitionRows>,
    schema: &TableSchema,
) -> Result<ContentHash, MergeError> {
    let mut content = ContentHash::default();
    for rows in rows.into_iter().flat_map(PartitionRows::latest) {
        content.add(ContentHash::of(&rows?, schema)?);
    }
    Ok(content)
}

/// The hash of a file, of which one row group at a time is in memory.
async fn hash_of_file(
    store: &TableStore,
    file: &DataFile,
    schema: &TableSchema,
) -> Result<ContentHash, MergeError> {
    let (file, schema) = (store.read(file).await?, schema.clone());
    let hash = move || {
        let mut content = ContentHash::default();
        for rows in file.row_groups(&schema)? {
            content.add(ContentHash::of(&rows?, &schema)?);
        }
        Ok(content)
    };
    on_cpu(hash).await
}
