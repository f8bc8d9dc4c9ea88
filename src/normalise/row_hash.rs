//! Hashes of rows, in 128 bits.

use polars::chunked_array::ops::row_encode::encode_rows_unordered;
use polars::prelude::{Column, DataFrame, PolarsResult};

use crate::schema::ColumnName;

/// The hash of each row's values in some columns. Equal values of equal types have equal hashes, whatever the names of
/// the columns; BLAKE3 makes others different.
///
/// # Errors
/// A column is missing.
pub fn row_hashes(rows: &DataFrame, columns: &[ColumnName]) -> PolarsResult<Vec<u128>> {
    let columns = columns.iter().map(|name| rows.column(name.as_str()).cloned());
    let columns: Vec<Column> = columns.collect::<PolarsResult<_>>()?;
    let encoded = encode_rows_unordered(&columns)?;
    let hash = |row: Option<&[u8]>| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(row.unwrap_or_default()).as_bytes()[..16]);
        u128::from_le_bytes(bytes)
    };
    Ok(encoded.iter().map(hash).collect())
}
