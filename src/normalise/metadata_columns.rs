//! MetadataColumns: the columns that tell which run wrote a row.

use chrono::{DateTime, Utc};
use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, DataType, PlSmallStr, PolarsResult, Scalar,
    TimeUnit, TimeZone,
};

use crate::schema::{ColumnSchema, ColumnSource, RunId, TableSchema};

/// What every row of a run says of it. All rows say the same, so they need not be carried with them.
#[derive(Debug, Clone)]
pub struct MetadataColumns {
    run_id: RunId,
    loaded_at: DateTime<Utc>,
}

impl MetadataColumns {
    /// The stamp of a run that began at an instant.
    #[must_use]
    pub fn new(run_id: RunId, loaded_at: DateTime<Utc>) -> Self {
        Self { run_id, loaded_at }
    }

    /// The columns that a run's rows have to be carried with until they are written.
    pub fn carried(schema: &TableSchema) -> impl Iterator<Item = &ColumnSchema> {
        let is_own = |source: &ColumnSource| {
            matches!(
                source,
                ColumnSource::RunId
                    | ColumnSource::LoadedAt
                    | ColumnSource::DeletedAt
                    | ColumnSource::ValidFrom
                    | ColumnSource::ValidTo
            )
        };
        schema.file_columns().filter(move |column| !is_own(&column.source))
    }

    /// The column of so many rows; `None` when their values have another source.
    pub(crate) fn column(&self, source: &ColumnSource, rows: usize) -> Option<Column> {
        let value = match source {
            ColumnSource::RunId => Scalar::from(PlSmallStr::from_str(self.run_id.as_str())),
            ColumnSource::LoadedAt | ColumnSource::ValidFrom => {
                instant(Some(self.loaded_at.timestamp_micros()))
            }
            ColumnSource::DeletedAt | ColumnSource::ValidTo => instant(None),
            _ => return None,
        };
        Some(Column::new_scalar(PlSmallStr::EMPTY, value, rows))
    }

    /// Rows of the table of which some ended with this run: the column of `source` tells when, and the run is noted.
    ///
    /// # Errors
    /// They lack a column, which would be a mistake of ours.
    pub fn end(
        &self,
        mut rows: DataFrame,
        schema: &TableSchema,
        source: &ColumnSource,
        ended: &BooleanChunked,
    ) -> PolarsResult<DataFrame> {
        let now = (source, &ColumnSource::LoadedAt);
        for (to, from) in [
            now,
            (&ColumnSource::RunId, &ColumnSource::RunId),
            (&ColumnSource::LoadedAt, &ColumnSource::LoadedAt),
        ] {
            let (Some(name), Some(values)) =
                (schema.own_column(to), self.column(from, rows.height()))
            else {
                continue;
            };
            let old = rows.column(name.as_str())?.as_materialized_series();
            let new = values.as_materialized_series().zip_with(ended, old)?;
            rows.with_column(new.with_name(PlSmallStr::from_str(name.as_str())).into())?;
        }
        Ok(rows)
    }

    /// Carried rows with all columns of the table's files.
    ///
    /// # Errors
    /// They lack others, which would be a mistake of ours.
    pub fn complete(&self, mut rows: DataFrame, schema: &TableSchema) -> PolarsResult<DataFrame> {
        let mut columns = Vec::with_capacity(schema.columns.len());
        for column in schema.file_columns() {
            let name = column.name.as_str();
            columns.push(match self.column(&column.source, rows.height()) {
                Some(values) => values.with_name(PlSmallStr::from_str(name)),
                None => rows.drop_in_place(name)?,
            });
        }
        DataFrame::new(rows.height(), columns)
    }
}

/// An instant of an own column, in microseconds of UTC.
fn instant(micros: Option<i64>) -> Scalar {
    let (unit, zone) = (TimeUnit::Microseconds, Some(TimeZone::UTC));
    let value = micros.map_or(AnyValue::Null, |micros| AnyValue::DatetimeOwned(micros, unit, None));
    Scalar::new(DataType::Datetime(unit, zone), value)
}
