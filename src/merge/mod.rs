//! Merge: what becomes of records whose keys a table has already.
//!
//! | the record is | its row in the table | its row in the export |
//! |---|---|---|
//! | not in the table | | inserted |
//! | the same in both | stays as it is | unchanged |
//! | another version | taken out | updated |
//! | in another partition | taken out | updated |
//! | an older version, by the cursor | stays as it is | superseded |
//! | not in the export, a full one | as the definition says: stays, is marked, or is taken out | |
//!
//! Where the history of a table is kept, a row that would be taken out stays, with the time of its end.
//!
//! Child rows are compared one by one, so that of a changed record only those lines are new that are; lines that it has
//! no more are taken out. Rows are told apart by hashes of 128 bits: of the record's key, of the row's own and of what
//! the row holds.

mod partition_rows;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use polars::prelude::{BooleanChunked, ChunkFull, DataFrame, PlSmallStr, PolarsResult};

pub use partition_rows::{PartitionRows, RECORD_COLUMN};

use crate::definition::Deletes;
use crate::normalise::{Cursor, MetadataColumns, row_hashes};
use crate::schema::{ColumnName, ColumnSource, TableId, TableSchema};

/// One row of a merged table: the table's position and the hash of the row's key.
pub type RowId = (TableId, u128);

/// Rows of merged tables.
pub type RowIds = HashSet<RowId>;

/// The hashes of the keys of records.
pub type RecordIds = HashSet<u128>;

/// The hashes of one row.
#[derive(Debug, Clone, Copy)]
pub struct RowHashes {
    /// Of the key of the record that it is of.
    pub record: u128,
    /// Of its own key.
    pub row: u128,
    /// Of all that it holds.
    pub content: u128,
}

/// The hashes of the records that rows are of; `root_keys` is how many columns the key of the root table has.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn record_hashes(
    rows: &DataFrame,
    schema: &TableSchema,
    root_keys: usize,
) -> PolarsResult<Vec<u128>> {
    row_hashes(rows, &schema.record_key(root_keys))
}

/// All hashes of rows.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn hashes_of(
    rows: &DataFrame,
    schema: &TableSchema,
    root_keys: usize,
) -> PolarsResult<Vec<RowHashes>> {
    let contents: Vec<ColumnName> =
        MetadataColumns::carried(schema).map(|column| column.name.clone()).collect();
    let records = record_hashes(rows, schema, root_keys)?;
    let own = row_hashes(rows, &schema.row_key())?;
    let contents = row_hashes(rows, &contents)?;
    let hashes = records.into_iter().zip(own).zip(contents);
    Ok(hashes.map(|((record, row), content)| RowHashes { record, row, content }).collect())
}

/// Rows without those that are named.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn without(
    rows: DataFrame,
    table: TableId,
    schema: &TableSchema,
    out: &RowIds,
) -> PolarsResult<DataFrame> {
    if out.is_empty() {
        return Ok(rows);
    }
    let are_out = are_in(&rows, table, schema, out)?;
    rows.filter(&!&are_out)
}

/// Which of the rows are named.
fn are_in(
    rows: &DataFrame,
    table: TableId,
    schema: &TableSchema,
    named: &RowIds,
) -> PolarsResult<BooleanChunked> {
    let own = row_hashes(rows, &schema.row_key())?;
    Ok(own.into_iter().map(|row| named.contains(&(table, row))).collect())
}

/// Rows of a merged table after the merge: those that are taken out are gone, or stay with the time of their end.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn carry_over(
    rows: DataFrame,
    table: TableId,
    schema: &TableSchema,
    merge: &Merge,
    metadata: &MetadataColumns,
) -> PolarsResult<DataFrame> {
    if merge.outdated.is_empty() && merge.deleted.is_empty() {
        return Ok(rows);
    }
    if schema.own_column(&ColumnSource::ValidTo).is_some() {
        let outdated = are_in(&rows, table, schema, &merge.outdated)?;
        let deleted = are_in(&rows, table, schema, &merge.deleted)?;
        let ends = (&outdated | &deleted) & are_current(&rows, schema)?;
        return metadata.end(rows, schema, &ColumnSource::ValidTo, &ends);
    }
    let rows = without(rows, table, schema, &merge.outdated)?;
    if schema.own_column(&ColumnSource::DeletedAt).is_some() {
        let deleted = are_in(&rows, table, schema, &merge.deleted)?;
        return metadata.end(rows, schema, &ColumnSource::DeletedAt, &deleted);
    }
    without(rows, table, schema, &merge.deleted)
}

/// Which rows of a table are the last versions: all of them, unless its history is kept.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn are_current(rows: &DataFrame, schema: &TableSchema) -> PolarsResult<BooleanChunked> {
    Ok(match schema.own_column(&ColumnSource::ValidTo) {
        Some(name) => rows.column(name.as_str())?.is_null(),
        None => BooleanChunked::full(PlSmallStr::EMPTY, true, rows.height()),
    })
}

/// What there is of a record, in an export or in a table.
#[derive(Debug, Default)]
pub struct Version {
    /// The partition of its rows; none when they are in several.
    partition: Option<usize>,
    cursor: Option<Cursor>,
    /// It is in the table, marked as deleted.
    is_marked: bool,
    rows: Vec<VersionRow>,
}

#[derive(Debug, Clone, Copy)]
struct VersionRow {
    id: RowId,
    content: u128,
    /// The file that it is in, if it is in the table.
    file: usize,
}

/// Versions of records, by the hashes of their keys.
#[derive(Debug, Default)]
pub struct Versions(HashMap<u128, Version>);

impl Versions {
    /// Takes in a row. `file` is where it is in the table, 0 for a row of an export.
    pub fn add(&mut self, table: TableId, hashes: RowHashes, partition: usize, file: usize) {
        let RowHashes { record, row, content } = hashes;
        let row = VersionRow { id: (table, row), content, file };
        match self.0.entry(record) {
            Entry::Vacant(entry) => {
                let partition = Some(partition);
                entry.insert(Version { partition, rows: vec![row], ..Version::default() });
            }
            Entry::Occupied(mut entry) => {
                let version = entry.get_mut();
                if version.partition != Some(partition) {
                    version.partition = None;
                }
                version.rows.push(row);
            }
        }
    }

    /// Notes the cursor of a record that is there.
    pub fn set_cursor(&mut self, record: u128, cursor: Cursor) {
        if let Some(version) = self.0.get_mut(&record) {
            version.cursor = Some(cursor);
        }
    }

    /// Notes that a record that is there is marked as deleted.
    pub fn set_marked(&mut self, record: u128) {
        if let Some(version) = self.0.get_mut(&record) {
            version.is_marked = true;
        }
    }

    /// Takes in other rows, of the same records or of others.
    pub fn absorb(&mut self, others: Self) {
        for (record, other) in others.0 {
            match self.0.entry(record) {
                Entry::Vacant(entry) => {
                    entry.insert(other);
                }
                Entry::Occupied(mut entry) => {
                    let version = entry.get_mut();
                    if version.partition != other.partition {
                        version.partition = None;
                    }
                    version.is_marked |= other.is_marked;
                    version.rows.extend(other.rows);
                }
            }
        }
    }

    /// Takes out the records that both have, in the same partition and with the same rows, which is what most records
    /// are.
    pub fn take_out_equal(&mut self, table: &mut Self) -> Unchanged {
        let mut unchanged = Unchanged::default();
        self.0.retain(|record, new| {
            let is_equal = table.0.get_mut(record).is_some_and(|old| new.equals(old));
            if is_equal {
                table.0.remove(record);
                unchanged.records.push(*record);
                for row in &new.rows {
                    *unchanged.rows.entry(row.id.0).or_default() += 1;
                }
            }
            !is_equal
        });
        unchanged
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Version {
    fn equals(&mut self, other: &mut Self) -> bool {
        if self.partition.is_none() || self.partition != other.partition || other.is_marked {
            return false;
        }
        for rows in [&mut self.rows, &mut other.rows] {
            rows.sort_unstable_by_key(|row| (row.id, row.content));
        }
        let contents = |rows: &[VersionRow]| -> Vec<(RowId, u128)> {
            rows.iter().map(|row| (row.id, row.content)).collect()
        };
        contents(&self.rows) == contents(&other.rows)
    }
}

/// Records that an export and a table have alike.
#[derive(Debug, Default)]
pub struct Unchanged {
    /// The hashes of their keys.
    pub records: Vec<u128>,
    /// How many rows they have, by table.
    pub rows: HashMap<TableId, u64>,
}

/// What of an export a table has already.
#[derive(Debug, Default)]
pub struct UnchangedRows {
    /// Records, with all their rows.
    pub records: RecordIds,
    /// Rows of other records.
    pub rows: RowIds,
}

/// Rows of an export without those that the table has already; `root_keys` is how many columns the key of the root
/// table has.
///
/// # Errors
/// A column is not there, which `Schemas::settle` rules out.
pub fn without_unchanged(
    rows: DataFrame,
    table: TableId,
    schema: &TableSchema,
    root_keys: usize,
    unchanged: &UnchangedRows,
) -> PolarsResult<DataFrame> {
    let rows = without(rows, table, schema, &unchanged.rows)?;
    if unchanged.records.is_empty() {
        return Ok(rows);
    }
    let records = record_hashes(&rows, schema, root_keys)?.into_iter();
    let stays: BooleanChunked =
        records.map(|record| !unchanged.records.contains(&record)).collect();
    rows.filter(&stays)
}

/// What became of the rows of one table in an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeOutcome {
    /// New in the table.
    pub inserted: u64,
    /// Other than in the table before.
    pub updated: u64,
    /// In the table already.
    pub unchanged: u64,
    /// Older than in the table.
    pub superseded: u64,
}

/// What a merge does.
#[derive(Debug, Default)]
pub struct Merge {
    /// Rows of the export that are not needed.
    pub unchanged: RowIds,
    /// Rows of the table that others take the place of, or that their records do not have any more.
    pub outdated: RowIds,
    /// Rows of the table whose records are deleted.
    pub deleted: RowIds,
    /// How many records those are.
    pub deleted_records: u64,
    /// The files that those are in.
    pub touched: HashSet<usize>,
    /// For each table, what became of the export's rows.
    pub outcomes: HashMap<TableId, MergeOutcome>,
    /// The tables and partitions that get rows of the export.
    pub written: HashSet<(TableId, usize)>,
}

impl Merge {
    /// Decides on the records of an export that are not unchanged, and on those of the table that are not in `all` of
    /// the export. `root` is the table that records are rows of; child rows of deleted records go with them if they go.
    #[must_use]
    pub fn of(
        export: &Versions,
        table: &Versions,
        all: &RecordIds,
        root: TableId,
        deletes: Deletes,
    ) -> Self {
        let mut merge = Self::default();
        for (record, old) in &table.0 {
            if !all.contains(record) && !old.is_marked {
                merge.delete(old, root, deletes);
            }
        }
        for (record, new) in &export.0 {
            match table.0.get(record) {
                None => merge.insert(new),
                Some(old) if is_older(new, old) => merge.supersede(new),
                Some(old) => merge.update(new, old, root),
            }
        }
        merge
    }

    fn outcomes(&mut self, row: &VersionRow) -> &mut MergeOutcome {
        self.outcomes.entry(row.id.0).or_default()
    }

    fn insert(&mut self, new: &Version) {
        for row in &new.rows {
            self.outcomes(row).inserted += 1;
            self.write(row, new);
        }
    }

    fn write(&mut self, row: &VersionRow, new: &Version) {
        self.written.extend(new.partition.map(|partition| (row.id.0, partition)));
    }

    fn supersede(&mut self, new: &Version) {
        for row in &new.rows {
            self.outcomes(row).superseded += 1;
            self.unchanged.insert(row.id);
        }
    }

    fn delete(&mut self, old: &Version, root: TableId, deletes: Deletes) {
        let goes = |row: &&VersionRow| match deletes {
            Deletes::Ignore => false,
            Deletes::Mark => row.id.0 == root,
            Deletes::Remove => true,
        };
        for row in old.rows.iter().filter(goes) {
            self.deleted.insert(row.id);
            self.touched.insert(row.file);
        }
        self.deleted_records += u64::from(deletes != Deletes::Ignore);
    }

    fn update(&mut self, new: &Version, old: &Version, root: TableId) {
        let has_moved = new.partition.is_none() || new.partition != old.partition;
        let mut contents: HashMap<RowId, Option<u128>> = HashMap::new();
        for row in &old.rows {
            // What is there twice is the same as nothing: both are taken out.
            // Nor is a row that is marked as deleted the same as one that is not.
            let content = Some(row.content).filter(|_| !(old.is_marked && row.id.0 == root));
            contents.entry(row.id).and_modify(|content| *content = None).or_insert(content);
        }
        for row in &new.rows {
            match contents.get(&row.id) {
                None => {
                    self.outcomes(row).inserted += 1;
                    self.write(row, new);
                }
                Some(content) if !has_moved && *content == Some(row.content) => {
                    self.outcomes(row).unchanged += 1;
                    self.unchanged.insert(row.id);
                    contents.remove(&row.id);
                }
                Some(_) => {
                    self.outcomes(row).updated += 1;
                    self.write(row, new);
                }
            }
        }
        for row in old.rows.iter().filter(|row| contents.contains_key(&row.id)) {
            self.outdated.insert(row.id);
            self.touched.insert(row.file);
        }
    }
}

/// Whether a version of the export is older than that of the table.
fn is_older(new: &Version, old: &Version) -> bool {
    match (&new.cursor, &old.cursor) {
        (Some(new), Some(old)) => new.compare(old) == Ordering::Less,
        _ => false,
    }
}
