//! Partition rows: the rows that an export has for one partition of one table, in memory or spilled.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use polars::prelude::{BooleanChunked, DataFrame, PolarsResult};

use super::rows::{UnchangedRows, without_unchanged};
use crate::infer::Schemas;
use crate::normalise::MetadataColumns;
use crate::schema::{HistoryId, StoredTable, TableId};
use crate::write::spill::{KeptRows, Spill, SpillError};

/// The column with the number of each row's record, in tables where one record may supersede another. No column of a
/// table has this name. It is dropped before anything is written.
pub const RECORD_COLUMN: &str = "\0record";

/// The rows of one partition of one table, in export order.
#[derive(Debug, Clone)]
pub struct PartitionRows {
    /// The rows with their [`RECORD_COLUMN`].
    pub pieces: Vec<KeptRows>,
    /// Where spilled pieces are.
    pub spill: Arc<Spill>,
    /// The tables of the run.
    pub schemas: Arc<Schemas>,
    /// The table.
    pub table: TableId,
    /// The table of the destination that they are written to.
    pub stored: StoredTable,
    /// The metadata columns of the run.
    pub metadata: MetadataColumns,
    /// The numbers of superseded records.
    pub superseded: Arc<HashSet<u64>>,
    /// Rows that the table already has.
    pub unchanged: Arc<UnchangedRows>,
}

impl PartitionRows {
    /// How many rows there are, superseded ones included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.rows() as u64).sum()
    }

    /// The rows that are not superseded within the export, a few at a time.
    pub fn latest(&self) -> impl Iterator<Item = Result<DataFrame, SpillError>> + Send {
        let Self { pieces, spill, superseded, .. } = self;
        pieces.iter().map(|piece| Ok(without_superseded(piece.read(spill)?, superseded)?))
    }

    /// The same, without rows that the table already has.
    #[must_use]
    pub fn without(self, unchanged: &Arc<UnchangedRows>) -> Self {
        Self { unchanged: unchanged.clone(), ..self }
    }

    /// The same rows, as versions that begin at this time.
    #[must_use]
    pub fn as_versions(&self, history: HistoryId, valid_from: DateTime<Utc>) -> Self {
        let metadata = self.metadata.clone().with_versions_from(valid_from);
        Self { stored: StoredTable::History(history), metadata, ..self.clone() }
    }

    /// The rows to write, with their metadata columns, a few at a time.
    pub fn read(self) -> impl Iterator<Item = Result<DataFrame, SpillError>> + Send {
        let Self { pieces, spill, schemas, table, stored, metadata, superseded, unchanged } = self;
        pieces.into_iter().map(move |piece| {
            let schema = schemas.stored_schema(stored);
            let rows = without_superseded(piece.read(&spill)?, &superseded)?;
            let rows = without_unchanged(rows, table, &schemas, &unchanged)?;
            Ok(metadata.complete(rows, schema)?)
        })
    }
}

/// The rows of records that are not superseded, without the record column.
fn without_superseded(mut rows: DataFrame, superseded: &HashSet<u64>) -> PolarsResult<DataFrame> {
    let Ok(records) = rows.drop_in_place(RECORD_COLUMN) else { return Ok(rows) };
    if superseded.is_empty() {
        return Ok(rows);
    }
    let stays =
        records.u64()?.iter().map(|record| record.is_none_or(|it| !superseded.contains(&it)));
    rows.filter(&stays.collect::<BooleanChunked>())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, NamedFrom, Series};

    use super::*;

    #[test]
    fn superseded_rows_and_the_record_column_are_dropped() {
        let numbers = Column::from(Series::new("n".into(), [1_i64, 2, 3]));
        let records = Column::from(Series::new(RECORD_COLUMN.into(), [7_u64, 8, 7]));
        let rows = DataFrame::new(3, vec![numbers.clone(), records]).unwrap();
        let kept = without_superseded(rows.clone(), &HashSet::from([7])).unwrap();
        assert_eq!(kept.get_column_names(), ["n"]);
        assert_eq!(kept.column("n").unwrap().i64().unwrap().get(0), Some(2));
        assert_eq!(without_superseded(rows, &HashSet::new()).unwrap().height(), 3);
        // A table whose records cannot supersede each other has no record column.
        let plain = DataFrame::new(3, vec![numbers]).unwrap();
        assert_eq!(without_superseded(plain, &HashSet::from([7])).unwrap().height(), 3);
    }
}
