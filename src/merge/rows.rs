//! Rows after a merge: which rows of an export are written, and which rows of older files are carried over.

use std::collections::HashMap;

use polars::prelude::{BooleanChunked, ChunkFull, DataFrame, PlSmallStr, PolarsResult};

use super::changes::EndedRows;
use super::hashes::{RecordKeys, RowIds, record_hashes};
use crate::infer::Schemas;
use crate::normalise::{MetadataColumns, row_hashes};
use crate::schema::{ColumnSource, TableId, TableSchema};

/// Rows of an export that the tables already have.
#[derive(Debug, Default)]
pub struct UnchangedRows {
    /// For each root table, the records that are unchanged with all their rows. Other tables may have the same keys.
    pub records: HashMap<TableId, RecordKeys>,
    /// Unchanged rows of other records.
    pub rows: RowIds,
}

/// The rows of an export without unchanged ones.
///
/// # Errors
/// A column is missing, which validated schemas rule out.
pub fn without_unchanged(
    rows: DataFrame,
    table: TableId,
    schemas: &Schemas,
    unchanged: &UnchangedRows,
) -> PolarsResult<DataFrame> {
    let root = schemas.table(table).root;
    // None where the root table is not merged.
    let Some(unchanged_records) = unchanged.records.get(&root) else { return Ok(rows) };
    let schema = &schemas[table];
    let rows = without(rows, table, schema, &unchanged.rows)?;
    if unchanged_records.is_empty() {
        return Ok(rows);
    }
    let root_keys = schemas[root].primary_key.len();
    let records = record_hashes(&rows, schema, root_keys)?.into_iter();
    let is_written: BooleanChunked =
        records.map(|record| !unchanged_records.contains(&record)).collect();
    rows.filter(&is_written)
}

/// The rows of an older file after a merge. `schema` is that of the table, or of its history. Ended rows are dropped, or
/// get the time of their end or deletion where the table keeps them.
///
/// # Errors
/// A column is missing, which validated schemas rule out.
pub fn carry_over(
    rows: DataFrame,
    table: TableId,
    schema: &TableSchema,
    ended: &EndedRows,
    metadata: &MetadataColumns,
) -> PolarsResult<DataFrame> {
    if ended.outdated.is_empty() && ended.deleted.is_empty() {
        return Ok(rows);
    }
    if schema.own_column(&ColumnSource::ValidTo).is_some() {
        let outdated = are_in(&rows, table, schema, &ended.outdated)?;
        let deleted = are_in(&rows, table, schema, &ended.deleted)?;
        let ends = (&outdated | &deleted) & are_current(&rows, schema)?;
        return metadata.end(rows, schema, &ColumnSource::ValidTo, &ends);
    }
    let rows = without(rows, table, schema, &ended.outdated)?;
    if schema.own_column(&ColumnSource::DeletedAt).is_some() {
        let deleted = are_in(&rows, table, schema, &ended.deleted)?;
        return metadata.end(rows, schema, &ColumnSource::DeletedAt, &deleted);
    }
    without(rows, table, schema, &ended.deleted)
}

/// Which rows are current: all of them, unless they are those of a history.
pub(super) fn are_current(rows: &DataFrame, schema: &TableSchema) -> PolarsResult<BooleanChunked> {
    Ok(match schema.own_column(&ColumnSource::ValidTo) {
        Some(name) => rows.column(name.as_str())?.is_null(),
        None => BooleanChunked::full(PlSmallStr::EMPTY, true, rows.height()),
    })
}

fn without(
    rows: DataFrame,
    table: TableId,
    schema: &TableSchema,
    dropped: &RowIds,
) -> PolarsResult<DataFrame> {
    if dropped.is_empty() {
        return Ok(rows);
    }
    let are_dropped = are_in(&rows, table, schema, dropped)?;
    rows.filter(&!&are_dropped)
}

fn are_in(
    rows: &DataFrame,
    table: TableId,
    schema: &TableSchema,
    ids: &RowIds,
) -> PolarsResult<BooleanChunked> {
    let own = row_hashes(rows, &schema.row_key())?;
    Ok(own.into_iter().map(|row| ids.contains(&(table, row))).collect())
}
