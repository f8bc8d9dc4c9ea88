//! Record merge: compares the records of an export with those of the tables, for tables with `merge`.
//!
//! ```text
//! each partition: rows of the export ┐
//!                 rows of the files  ┴─▶ equal? ──▶ unchanged
//!                                        └─ others ─▶ all partitions together: inserted, updated, moved, deleted
//! ```
//!
//! Memory holds two partitions at a time, what changes, and the keys of the export.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::{BooleanChunked, DataFrame, PolarsResult};

use super::changes::{EndedRows, MergeChanges, MergeOutcome};
use super::hashes::{RecordKeys, RowHashes, hashes_of, record_hashes};
use super::record_versions::{RecordVersions, UnchangedRecords};
use super::{MergeError, PartitionRows, TableTree, UnchangedRows};
use crate::definition::Deletes;
use crate::infer::Schemas;
use crate::normalise::Cursor;
use crate::runtime::{on_all_cores, on_cpu, parallelism};
use crate::schema::{ColumnSource, PartitionKey, TableId, Window};
use crate::table::{FileContent, TableStore};
use crate::write::spill::SpillError;

/// The result of merging an export into tables.
#[derive(Debug, Default)]
pub struct MergedTables {
    /// Rows of the export that the tables have already, or have later versions of.
    pub unchanged: UnchangedRows,
    /// Rows of the tables that are replaced or deleted.
    pub ended: EndedRows,
    /// The data files that those rows are in.
    pub rewritten: HashSet<String>,
    /// The tables and partitions that rows of the export are written to.
    pub written: HashSet<(TableId, PartitionKey)>,
    /// For each root table, how many records are deleted.
    pub deleted: HashMap<TableId, u64>,
    /// For each merged table, how many rows were inserted, updated and so on.
    pub outcomes: HashMap<TableId, MergeOutcome>,
    /// For each root table, the records of the export that it has later versions of.
    superseded: HashMap<TableId, RecordKeys>,
}

impl MergedTables {
    /// Whether nothing is written to a partition of a merged table.
    #[must_use]
    pub fn is_unchanged(&self, key: &(TableId, PartitionKey)) -> bool {
        self.outcomes.contains_key(&key.0) && !self.written.contains(key)
    }

    fn absorb(&mut self, tree: &TableTree<'_>, mut changes: MergeChanges, same: UnchangedRecords) {
        for (table, rows) in same.rows {
            changes.outcomes.entry(table).or_default().unchanged += rows;
        }
        self.unchanged.records.entry(tree.root).or_default().extend(same.records);
        self.unchanged.rows.extend(changes.unchanged);
        self.ended.outdated.extend(changes.ended.outdated);
        self.ended.deleted.extend(changes.ended.deleted);
        self.deleted.insert(tree.root, changes.deleted_records);
        self.superseded.insert(tree.root, changes.superseded);
        let path = |file: &usize| tree.files[*file].data.path.clone();
        self.rewritten.extend(changes.rewritten.iter().map(path));
        let partitions: Vec<&PartitionKey> = tree.partitions().into_iter().collect();
        let written =
            |(table, partition): &(TableId, usize)| (*table, partitions[*partition].clone());
        self.written.extend(changes.written.iter().map(written));
        let outcome =
            |table: &TableId| (*table, changes.outcomes.get(table).copied().unwrap_or_default());
        self.outcomes.extend(tree.tables.iter().map(outcome));
    }
}

/// The records of an export by their keys, those in quarantine left out.
#[derive(Debug, Default)]
pub struct ExportKeys {
    all: RecordKeys,
    /// Those that the table has later versions of.
    superseded: RecordKeys,
    /// A record that a full export does not have is deleted.
    tells_deletes: bool,
}

impl ExportKeys {
    /// Whether the table now holds a record in the export's version.
    #[must_use]
    pub fn are_loaded(&self, key: u128) -> bool {
        self.all.contains(&key) && !self.superseded.contains(&key)
    }

    /// Whether the export says that a record, which is not in quarantine either, is deleted. No row has a key that is
    /// none.
    #[must_use]
    pub fn lack(&self, key: Option<u128>) -> bool {
        self.tells_deletes && key.is_none_or(|key| !self.all.contains(&key))
    }
}

/// The merge of an export into one table and its child tables.
#[derive(Debug)]
pub struct RecordMerge<'a> {
    tree: &'a TableTree<'a>,
    deletes: Deletes,
    wanted: Arc<WantedRecords>,
}

/// The records to look for in the tables.
#[derive(Debug)]
struct WantedRecords {
    /// The records of the export.
    export: RecordKeys,
    /// The records that are deleted unless the export has them, if deletes are wanted.
    missing: Option<MissingRecords>,
}

/// Records that count as deleted when the export does not have them.
#[derive(Debug)]
struct MissingRecords {
    /// Records that the export has and that are in quarantine. They are not deleted.
    quarantined: RecordKeys,
    /// The window of the export; none if it is a full export.
    window: Option<Window>,
}

impl WantedRecords {
    /// Whether to look for a record in a partition. `is_covered` says whether the export has all records of it.
    fn contains(&self, record: u128, is_covered: bool) -> bool {
        let may_be_missing = |missing: &MissingRecords| !missing.quarantined.contains(&record);
        self.export.contains(&record)
            || (is_covered && self.missing.as_ref().is_some_and(may_be_missing))
    }

    /// Whether the export has all records of a partition.
    fn covers(&self, partition: &PartitionKey) -> bool {
        let window = self.missing.as_ref().and_then(|missing| missing.window);
        window.is_none_or(|window| partition.lies_within(window))
    }
}

impl<'a> RecordMerge<'a> {
    /// Prepares the merge of an export: all of `window`, or a full one. Records in quarantine are not deleted.
    ///
    /// # Errors
    /// The rows of the export cannot be read back from local disk.
    pub fn new(
        tree: &'a TableTree<'a>,
        deletes: Deletes,
        quarantined: RecordKeys,
        window: Option<Window>,
    ) -> Result<Self, MergeError> {
        let export = export_keys(tree)?;
        let missing =
            (deletes != Deletes::Ignore).then_some(MissingRecords { quarantined, window });
        Ok(Self { tree, deletes, wanted: Arc::new(WantedRecords { export, missing }) })
    }

    /// How many rows of the root table an empty export of a window would delete; none if nothing is deleted or the
    /// export is a full one.
    #[must_use]
    pub fn rows_at_stake(&self) -> Option<u64> {
        self.wanted.missing.as_ref()?.window?;
        Some(self.tree.stored_root_rows(|partition| self.wanted.covers(partition)))
    }

    /// The records of the export, for those that wait from earlier runs.
    #[must_use]
    pub fn export_keys(&self, merged: &MergedTables) -> ExportKeys {
        let missing = self.wanted.missing.as_ref();
        ExportKeys {
            all: self.wanted.export.clone(),
            superseded: merged.superseded.get(&self.tree.root).cloned().unwrap_or_default(),
            tells_deletes: missing.is_some_and(|missing| missing.window.is_none()),
        }
    }

    /// Compares the export with the tables, a few partitions at a time, and adds the result to `merged`.
    ///
    /// # Errors
    /// A data file, or rows of the export, cannot be read.
    pub async fn run(
        &self,
        store: &TableStore,
        merged: &mut MergedTables,
    ) -> Result<(), MergeError> {
        let mut all = self.compare_all(store, &RecordKeys::new()).await?;
        let repeated = all.repeated();
        if !repeated.is_empty() {
            // This is rare. To keep the rows of all unchanged records for it would take as much memory as the table.
            all = self.compare_all(store, &repeated).await?;
        }
        let ComparedRecords { unchanged, export, table } = all;
        let mut changes = MergeChanges::decide(&export, &table, &self.wanted.export, self.deletes);
        if self.tree.is_incomplete() {
            changes.end_versions_before(&export);
        }
        merged.absorb(self.tree, changes, unchanged);
        Ok(())
    }

    /// Compares all partitions. `repeated` records are changed wherever the table has them.
    async fn compare_all(
        &self,
        store: &TableStore,
        repeated: &RecordKeys,
    ) -> Result<ComparedRecords, MergeError> {
        let partitions = self.tree.partitions().into_iter().enumerate();
        let partitions: Vec<_> = partitions
            .map(|(number, partition)| self.compare(store, number, partition, repeated))
            .collect();
        let mut compared = stream::iter(partitions).buffered(parallelism());
        let mut all = ComparedRecords::default();
        while let Some(one) = compared.try_next().await? {
            all.absorb(one);
        }
        Ok(all)
    }

    /// Compares one partition. Child rows are read only if the table has wanted root rows there, or may have lost them.
    async fn compare(
        &self,
        store: &TableStore,
        number: usize,
        partition: &PartitionKey,
        repeated: &RecordKeys,
    ) -> Result<ComparedRecords, MergeError> {
        let new = self.tree.tables.iter().filter_map(|table| {
            let rows = self.tree.rows_in(*table, partition)?;
            Some((*table, rows.clone()))
        });
        let (new, hasher): (Vec<_>, _) = (new.collect(), RecordHasher::of(self.tree));
        let mut export = on_cpu(move || hasher.export(&new, number)).await?;
        let mut table = RecordVersions::default();
        let files = self.tree.files_in(partition).iter();
        let (of_root, of_children): (Vec<usize>, Vec<usize>) =
            files.partition(|file| self.tree.files[**file].table == self.tree.root);
        for file in of_root {
            self.read_wanted(store, file, number, &mut table).await?;
        }
        if !table.is_empty() || self.tree.is_incomplete() {
            for file in of_children {
                self.read_wanted(store, file, number, &mut table).await?;
            }
        }
        let unchanged = export.remove_unchanged(&mut table, repeated);
        Ok(ComparedRecords { unchanged, export, table })
    }

    /// Adds the wanted rows of a file to `versions`.
    async fn read_wanted(
        &self,
        store: &TableStore,
        number: usize,
        partition: usize,
        versions: &mut RecordVersions,
    ) -> Result<(), MergeError> {
        let file = self.tree.files[number];
        let content = store.read(file.data).await?;
        let is_covered = self.wanted.covers(&file.data.partition);
        let (hasher, wanted) = (RecordHasher::of(self.tree), self.wanted.clone());
        let rows = on_cpu(move || {
            hasher.wanted_rows(file.table, &content, |record| wanted.contains(record, is_covered))
        });
        rows.await?.add_to(versions, file.table, partition, number);
        Ok(())
    }
}

/// The keys of all records of the export.
fn export_keys(tree: &TableTree<'_>) -> Result<RecordKeys, SpillError> {
    let hasher = RecordHasher::of(tree);
    let rows = tree.root_rows().map(|(_, rows)| rows).collect();
    let of_partitions = on_all_cores(rows, |rows: &PartitionRows| {
        let of_pieces = rows.latest().map(|rows| Ok(hasher.keys(tree.root, &rows?)?));
        of_pieces.collect::<Result<Vec<Vec<u128>>, SpillError>>()
    });
    let mut keys = RecordKeys::new();
    for of_partition in of_partitions {
        keys.extend(of_partition?.into_iter().flatten());
    }
    Ok(keys)
}

/// The records of an export next to those of the tables.
#[derive(Default)]
struct ComparedRecords {
    unchanged: UnchangedRecords,
    /// All others of the export.
    export: RecordVersions,
    /// All others of the tables.
    table: RecordVersions,
}

impl ComparedRecords {
    /// The records that are unchanged in one partition while the table has them in another one too: it was filled by another
    /// disposition, or under another key.
    fn repeated(&self) -> RecordKeys {
        let unchanged = self.unchanged.records.iter().copied();
        unchanged.filter(|record| self.table.0.contains_key(record)).collect()
    }

    fn absorb(&mut self, other: Self) {
        self.unchanged.records.extend(other.unchanged.records);
        for (table, rows) in other.unchanged.rows {
            *self.unchanged.rows.entry(table).or_default() += rows;
        }
        self.export.absorb(other.export);
        self.table.absorb(other.table);
    }
}

/// Hashes the rows of a table and its child tables.
#[derive(Clone)]
struct RecordHasher {
    schemas: Arc<Schemas>,
    root: TableId,
}

/// The hashes of rows, with what else is compared.
#[derive(Default)]
struct HashedRows {
    hashes: Vec<RowHashes>,
    /// The cursors, for rows of a root table that has one.
    cursors: Vec<Cursor>,
    /// Whether the rows are marked as deleted, for rows of a table that marks them.
    marked: Vec<bool>,
}

impl RecordHasher {
    fn of(tree: &TableTree<'_>) -> Self {
        Self { schemas: tree.schemas.clone(), root: tree.root }
    }

    /// How many columns the key of the root table has.
    fn root_keys(&self) -> usize {
        self.schemas[self.root].primary_key.len()
    }

    /// The record keys of rows.
    fn keys(&self, table: TableId, rows: &DataFrame) -> PolarsResult<Vec<u128>> {
        record_hashes(rows, &self.schemas[table], self.root_keys())
    }

    /// The records that an export has in a partition.
    fn export(
        &self,
        rows: &[(TableId, PartitionRows)],
        partition: usize,
    ) -> Result<RecordVersions, MergeError> {
        let mut versions = RecordVersions::default();
        for (table, rows) in rows {
            for rows in rows.latest() {
                self.hash(*table, &rows?)?.add_to(&mut versions, *table, partition, 0);
            }
        }
        Ok(versions)
    }

    /// The rows of wanted records in a file. Keys are read first, since most files have no wanted record.
    fn wanted_rows(
        &self,
        table: TableId,
        content: &FileContent,
        is_wanted: impl Fn(u128) -> bool,
    ) -> Result<HashedRows, MergeError> {
        let schema = &self.schemas[table];
        let keys = schema.record_key(self.root_keys());
        let keys = keys.iter().map(ToString::to_string).collect();
        let records = self.keys(table, &content.rows(schema, Some(keys))?)?;
        let are_wanted: BooleanChunked = records.into_iter().map(is_wanted).collect();
        if !are_wanted.any() {
            return Ok(HashedRows::default());
        }
        let rows = content.rows(schema, None)?.filter(&are_wanted)?;
        let marked = match schema.own_column(&ColumnSource::DeletedAt) {
            Some(name) => rows.column(name.as_str())?.is_not_null().iter().flatten().collect(),
            None => Vec::new(),
        };
        Ok(HashedRows { marked, ..self.hash(table, &rows)? })
    }

    fn hash(&self, table: TableId, rows: &DataFrame) -> PolarsResult<HashedRows> {
        let schema = &self.schemas[table];
        let cursors = match &schema.cursor {
            Some(cursor) if table == self.root => {
                Cursor::of_column(rows.column(cursor.as_str())?).collect()
            }
            _ => Vec::new(),
        };
        let hashes = hashes_of(rows, schema, self.root_keys())?;
        Ok(HashedRows { hashes, cursors, marked: Vec::new() })
    }
}

impl HashedRows {
    fn add_to(self, versions: &mut RecordVersions, table: TableId, partition: usize, file: usize) {
        for hashes in &self.hashes {
            versions.add(table, *hashes, partition, file);
        }
        for (hashes, cursor) in self.hashes.iter().zip(self.cursors) {
            versions.set_cursor(hashes.record, cursor);
        }
        for (hashes, _) in self.hashes.iter().zip(self.marked).filter(|(_, is_marked)| *is_marked) {
            versions.set_marked(hashes.record);
        }
    }
}
