//! The rows that a table would have, to be asked for their values.

use std::collections::HashSet;

use chrono::DateTime;
use polars::prelude::{DataFrame, DataType, PolarsResult, StringChunked};

use crate::decode::Chunk;
use crate::infer::Schemas;
use crate::normalise::{MetadataColumns, Normaliser, Reason, RecordIds, scalar_texts};
use crate::schema::{ColumnName, IdVec, RunId, TableId};

/// The rows of a table, one frame for each chunk.
pub(super) struct TableRows(Vec<DataFrame>);

/// The rows of all tables of an export.
pub(super) struct Rows {
    pub(super) tables: IdVec<TableId, TableRows>,
    /// Why records, or values of them, are in no row.
    pub(super) reasons: Vec<Reason>,
}

impl Rows {
    /// Builds them.
    pub(super) fn of(schemas: &Schemas, chunks: &[Chunk]) -> PolarsResult<Self> {
        let metadata = MetadataColumns::new(RunId::at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH);
        let mut ids = RecordIds::default();
        let normaliser = Normaliser::new(schemas, &metadata);
        let tables = schemas.iter().map(|_| TableRows(Vec::new())).collect();
        let mut rows = Self { tables, reasons: Vec::new() };
        for chunk in chunks {
            let of_chunk = normaliser.frames(chunk, &ids.of(chunk))?;
            for frame in of_chunk.frames {
                rows.tables[frame.table].0.push(frame.rows);
            }
            let rejections = of_chunk.rejected.into_iter().chain(of_chunk.partially_loaded);
            let reasons = rejections.flat_map(|rejection| rejection.reasons.told);
            rows.reasons.extend(reasons);
        }
        Ok(rows)
    }
}

impl TableRows {
    pub(super) fn height(&self) -> usize {
        self.0.iter().map(DataFrame::height).sum()
    }

    pub(super) fn nulls(&self, column: &ColumnName) -> PolarsResult<usize> {
        self.0.iter().map(|rows| Ok(rows.column(column.as_str())?.null_count())).sum()
    }

    /// The values of a column of scalars as texts, one column for each chunk.
    pub(super) fn texts(&self, column: &ColumnName) -> PolarsResult<Vec<StringChunked>> {
        let frames = self.0.iter().map(|rows| {
            let values = rows.column(column.as_str())?.as_materialized_series();
            if *values.dtype() == DataType::String {
                return Ok(values.str()?.clone());
            }
            Ok(scalar_texts(values)?.into_iter().collect())
        });
        frames.collect()
    }

    /// Whether the values of these columns are never null and never repeated.
    pub(super) fn are_identified_by(&self, columns: &[&ColumnName]) -> PolarsResult<bool> {
        let mut seen = HashSet::new();
        for rows in &self.0 {
            let mut texts = Vec::new();
            for column in columns {
                texts.push(scalar_texts(rows.column(column.as_str())?.as_materialized_series())?);
            }
            for row in 0..rows.height() {
                let key: Option<Vec<String>> =
                    texts.iter().map(|column| column[row].clone()).collect();
                if !key.is_some_and(|key| seen.insert(key)) {
                    return Ok(false);
                }
            }
        }
        Ok(self.height() > 0)
    }
}
