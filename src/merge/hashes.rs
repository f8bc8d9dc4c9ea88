//! Hashes: 128 bits that stand for a record's key, a row's key, and the content of a row.

use std::collections::HashSet;

use polars::prelude::{DataFrame, PolarsResult};

use crate::normalise::{MetadataColumns, as_compared, row_hashes};
use crate::schema::{ColumnName, TableId, TableSchema};

/// One row: its table and the hash of its key.
pub type RowId = (TableId, u128);

/// A set of rows.
pub type RowIds = HashSet<RowId>;

/// A set of records, by the hashes of their keys.
pub type RecordKeys = HashSet<u128>;

/// The hashes of one row.
#[derive(Debug, Clone, Copy)]
pub struct RowHashes {
    /// The key of its record.
    pub record: u128,
    /// Its own key.
    pub row: u128,
    /// All its values, metadata columns apart.
    pub content: u128,
}

/// What rows hold, in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentHash {
    /// How many there are.
    pub rows: u64,
    /// The sum of the hashes of the rows.
    hash: u128,
}

impl ContentHash {
    /// The hash of rows, metadata columns apart.
    ///
    /// # Errors
    /// A column is missing, which validated schemas rule out.
    pub fn of(rows: &DataFrame, schema: &TableSchema) -> PolarsResult<Self> {
        let columns = MetadataColumns::carried(schema).map(|column| column.name.clone());
        let columns: Vec<ColumnName> = columns.collect();
        let hashes = row_hashes(rows, &columns)?;
        let hash = hashes.into_iter().fold(0, u128::wrapping_add);
        Ok(Self { rows: rows.height() as u64, hash })
    }

    /// Adds other rows.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

/// The hash of each row's record key. The key of the root table has `root_keys` columns.
///
/// # Errors
/// A column is missing, which validated schemas rule out.
pub fn record_hashes(
    rows: &DataFrame,
    schema: &TableSchema,
    root_keys: usize,
) -> PolarsResult<Vec<u128>> {
    row_hashes(rows, &schema.record_key(root_keys))
}

/// All hashes of each row.
pub(super) fn hashes_of(
    rows: &DataFrame,
    schema: &TableSchema,
    root_keys: usize,
) -> PolarsResult<Vec<RowHashes>> {
    let contents: Vec<ColumnName> =
        MetadataColumns::carried(schema).map(|column| column.name.clone()).collect();
    let records = record_hashes(rows, schema, root_keys)?;
    let own = row_hashes(rows, &schema.row_key())?;
    let contents = row_hashes(&as_compared(rows, schema)?, &contents)?;
    let hashes = records.into_iter().zip(own).zip(contents);
    Ok(hashes.map(|((record, row), content)| RowHashes { record, row, content }).collect())
}
