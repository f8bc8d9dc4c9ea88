//! Conforms the rows of a table to its evolved schema (promise P5).

use polars::prelude::{Column, DataFrame, PlSmallStr, PolarsError, Series};

use super::cast::{CastRules, column_type, polars_type};
use super::convert::convert;
use crate::exit_code::{ExitCode, Failure};
use crate::schema::{ColumnName, ColumnType, TableName, TableSchema};

/// The rows of a table do not fit its new schema.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// Values of a column do not fit its new type.
    #[error(
        "{values} values of `{column}` in table `{table}` do not fit its new type {column_type}"
    )]
    Unfit {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its new type.
        column_type: ColumnType,
        /// How many.
        values: usize,
    },
    /// polars failed.
    #[error(transparent)]
    Frame(#[from] PolarsError),
}

impl Failure for ConformError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unfit { .. } | Self::Frame(_) => ExitCode::Export,
        }
    }

    fn help(&self) -> Option<String> {
        Some("declare a type that holds the existing values, or load into a new destination".into())
    }
}

/// Rows with the columns and types of `schema`; missing columns are null.
///
/// # Errors
/// A value does not fit its new type.
pub fn conform(rows: &DataFrame, schema: &TableSchema) -> Result<DataFrame, ConformError> {
    let mut columns = Vec::new();
    for column in &schema.columns {
        let name = PlSmallStr::from_str(column.name.as_str());
        let Ok(old) = rows.column(column.name.as_str()) else {
            let nulls = Series::full_null(name, rows.height(), &polars_type(&column.column_type));
            columns.push(Column::from(nulls));
            continue;
        };
        let from = column_type(old.dtype()).ok_or_else(|| {
            PolarsError::ComputeError(format!("no column type is {}", old.dtype()).into())
        })?;
        let rules = CastRules::of(column, true);
        let converted = convert(old.as_materialized_series(), &from, &column.column_type, rules)?;
        if !converted.unfit.is_empty() {
            return Err(ConformError::Unfit {
                table: schema.name.clone(),
                column: column.name.clone(),
                column_type: column.column_type.clone(),
                values: converted.unfit.len(),
            });
        }
        columns.push(Column::from(converted.series.with_name(name)));
    }
    Ok(DataFrame::new(rows.height(), columns)?)
}
