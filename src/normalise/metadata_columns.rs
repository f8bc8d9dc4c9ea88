//! Metadata columns: the run that last changed a row, and its lifetime.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, DataType, Int64Chunked, IntoSeries, PlSmallStr,
    PolarsError, PolarsResult, Scalar, TimeUnit, TimeZone,
};

use crate::schema::{ColumnSchema, ColumnSource, RunId, TableSchema};

/// The values of metadata columns in a run. They are the same in all rows, so rows carry them only once written.
#[derive(Debug, Clone)]
pub struct MetadataColumns {
    run_id: RunId,
    loaded_at: DateTime<Utc>,
    /// When the versions of the run begin, and those that it replaces end.
    valid_from: DateTime<Utc>,
}

impl MetadataColumns {
    /// The metadata of a run that started at this time.
    #[must_use]
    pub fn new(run_id: RunId, loaded_at: DateTime<Utc>) -> Self {
        Self { run_id, loaded_at, valid_from: loaded_at }
    }

    /// The same, with versions that begin at this time: where the clock was set back, the run started before others that
    /// have gone before it.
    #[must_use]
    pub fn with_versions_from(self, valid_from: DateTime<Utc>) -> Self {
        Self { valid_from, ..self }
    }

    /// The other columns of a table's files, which rows carry until they are written.
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
        schema.columns.iter().filter(move |column| !is_own(&column.source))
    }

    /// A metadata column of this height; `None` for columns of another source.
    pub(crate) fn column(&self, source: &ColumnSource, rows: usize) -> Option<Column> {
        let value = match source {
            ColumnSource::RunId => Scalar::from(PlSmallStr::from_str(self.run_id.as_str())),
            ColumnSource::LoadedAt => instant(Some(self.loaded_at.timestamp_micros())),
            ColumnSource::ValidFrom => instant(Some(self.valid_from.timestamp_micros())),
            ColumnSource::DeletedAt | ColumnSource::ValidTo => instant(None),
            _ => return None,
        };
        Some(Column::new_scalar(PlSmallStr::EMPTY, value, rows))
    }

    /// Rows of the table, some of which `ended` with this run: sets the column of `source` and the metadata in those.
    ///
    /// # Errors
    /// They lack a column, which would be a bug.
    pub fn end(
        &self,
        mut rows: DataFrame,
        schema: &TableSchema,
        source: &ColumnSource,
        ended: &BooleanChunked,
    ) -> PolarsResult<DataFrame> {
        let now = match source {
            ColumnSource::ValidTo => &ColumnSource::ValidFrom,
            _ => &ColumnSource::LoadedAt,
        };
        for (to, from) in [
            (source, now),
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

    /// Rows that their table had before it had a history: each is current since the run that loaded it, which cannot be
    /// later than the versions of this run.
    ///
    /// # Errors
    /// They lack a column, which would be a bug.
    pub fn begin(&self, mut rows: DataFrame, schema: &TableSchema) -> PolarsResult<DataFrame> {
        let columns = [ColumnSource::LoadedAt, ColumnSource::ValidFrom];
        let [Some(loaded_at), Some(valid_from)] =
            columns.each_ref().map(|it| schema.own_column(it))
        else {
            return Ok(rows);
        };
        let loaded_at = rows.column(loaded_at.as_str())?.as_materialized_series();
        let most = self.valid_from.timestamp_micros();
        let instants = loaded_at.to_physical_repr();
        let begins: Int64Chunked =
            instants.i64()?.iter().map(|it| Some(it.map_or(most, |it| it.min(most)))).collect();
        let begins =
            begins.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_series();
        rows.with_column(begins.with_name(PlSmallStr::from_str(valid_from.as_str())).into())?;
        Ok(rows)
    }

    /// Adds the metadata columns to carried rows.
    ///
    /// # Errors
    /// They lack others, which would be a bug.
    pub fn complete(&self, rows: DataFrame, schema: &TableSchema) -> PolarsResult<DataFrame> {
        let height = rows.height();
        // Taken out of a frame one by one, the columns of a wide table would be looked for one by one.
        let columns = rows.into_columns().into_iter();
        let mut carried: HashMap<PlSmallStr, Column> =
            columns.map(|column| (column.name().clone(), column)).collect();
        let mut columns = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            let name = column.name.as_str();
            columns.push(match self.column(&column.source, height) {
                Some(values) => values.with_name(PlSmallStr::from_str(name)),
                None => carried.remove(name).ok_or_else(|| {
                    PolarsError::ColumnNotFound(format!("the rows have no column {name}").into())
                })?,
            });
        }
        DataFrame::new(height, columns)
    }
}

/// A timestamp of a metadata column, in microseconds of UTC.
fn instant(micros: Option<i64>) -> Scalar {
    let (unit, zone) = (TimeUnit::Microseconds, Some(TimeZone::UTC));
    let value = micros.map_or(AnyValue::Null, |micros| AnyValue::DatetimeOwned(micros, unit, None));
    Scalar::new(DataType::Datetime(unit, zone), value)
}
