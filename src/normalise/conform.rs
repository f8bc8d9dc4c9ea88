//! Conforms the rows of a table to its evolved schema (promise P5).

use polars::chunked_array::builder::{AnonymousOwnedListBuilder, ListBuilderTrait};
use polars::prelude::{
    Column, DataFrame, DataType, IntoSeries, NewChunkedArray, PlSmallStr, PolarsError,
    PolarsResult, Series, StringChunked,
};

use super::cast::{Cast, cast, polars_type};
use super::nested::{ObjectBuilder, rows_of_true};
use crate::exit_code::{ExitCode, Failure};
use crate::infer::ITEMS_FIELD;
use crate::schema::{
    ColumnName, ColumnType, ITEM_COLUMN, StructField, TableName, TableSchema, format_date,
    format_timestamp,
};

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
    for column in schema.file_columns() {
        let name = PlSmallStr::from_str(column.name.as_str());
        let Ok(old) = rows.column(column.name.as_str()) else {
            let nulls = Series::full_null(name, rows.height(), &polars_type(&column.column_type));
            columns.push(Column::from(nulls));
            continue;
        };
        let converted = convert(old.as_materialized_series(), &column.column_type)?;
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

fn convert(old: &Series, to: &ColumnType) -> PolarsResult<Cast> {
    if *old.dtype() == polars_type(to) {
        return Ok(Cast { series: old.clone(), unfit: Vec::new() });
    }
    match (to, old.dtype()) {
        (ColumnType::List(inner), _) => convert_to_lists(old, inner),
        (ColumnType::Struct(fields), _) => convert_to_objects(old, fields),
        (scalar, DataType::List(_) | DataType::Struct(_)) => {
            let mut none = Cast::nulls(old.len(), scalar);
            none.unfit = rows_of_true(&old.is_not_null());
            Ok(none)
        }
        (scalar, _) => cast(&as_decoded(old)?, scalar),
    }
}

/// Scalars and lists become fields of objects, by the table of [`nested`](super::nested).
fn convert_to_objects(old: &Series, fields: &[StructField]) -> PolarsResult<Cast> {
    let is_there = old.is_not_null();
    let mut objects = ObjectBuilder::new(fields, is_there.clone());
    let parts = match old.dtype() {
        DataType::Struct(_) => old.struct_()?.fields_as_series(),
        DataType::List(_) => vec![old.clone().with_name(PlSmallStr::from_static(ITEMS_FIELD))],
        _ => vec![old.clone().with_name(PlSmallStr::from_static(ITEM_COLUMN))],
    };
    for part in parts {
        match objects.field(part.name()) {
            Some(field) => objects.fill(&field.name, convert(&part, &field.column_type)?)?,
            None => objects.refuse(rows_of_true(&(part.is_not_null() & is_there.clone()))),
        }
    }
    objects.finish()
}

fn convert_to_lists(old: &Series, inner: &ColumnType) -> PolarsResult<Cast> {
    let item_type = polars_type(inner);
    let mut builder = AnonymousOwnedListBuilder::new(PlSmallStr::EMPTY, old.len(), Some(item_type));
    let mut unfit = Vec::new();
    for (row, position) in (0_u32..).zip(0..old.len()) {
        let items = match old.dtype() {
            DataType::List(_) => old.list()?.get_as_series(position),
            _ => Some(old.slice(i64::from(row), 1)).filter(|scalar| scalar.null_count() == 0),
        };
        let Some(items) = items else {
            builder.append_null();
            continue;
        };
        let converted = convert(&items, inner)?;
        if !converted.unfit.is_empty() {
            unfit.push(row);
        }
        builder.append_series(&converted.series)?;
    }
    Ok(Cast { series: builder.finish().into_series(), unfit })
}

/// A typed column as the decoder would return it.
fn as_decoded(typed: &Series) -> PolarsResult<Series> {
    match typed.dtype() {
        DataType::Boolean | DataType::Int64 | DataType::String => Ok(typed.clone()),
        _ => {
            let texts = scalar_texts(typed)?;
            Ok(StringChunked::from_slice_options(PlSmallStr::EMPTY, &texts).into_series())
        }
    }
}

/// Each value of a scalar column as text, which reads back as the same value.
///
/// # Errors
/// The column has a type that no [`ColumnType`] has.
pub fn scalar_texts(typed: &Series) -> PolarsResult<Vec<Option<String>>> {
    Ok(match typed.dtype() {
        DataType::Boolean => typed.bool()?.iter().map(|value| Some(value?.to_string())).collect(),
        DataType::Int64 => typed.i64()?.iter().map(|value| Some(value?.to_string())).collect(),
        DataType::String => typed.str()?.iter().map(|value| Some(value?.to_owned())).collect(),
        DataType::Float64 => typed.f64()?.iter().map(|value| Some(value?.to_string())).collect(),
        DataType::Date => typed.date()?.physical().iter().map(|days| format_date(days?)).collect(),
        DataType::Datetime(_, _) => {
            typed.datetime()?.physical().iter().map(|instant| format_timestamp(instant?)).collect()
        }
        DataType::Decimal(_, scale) => {
            let scale = *scale;
            typed
                .decimal()?
                .physical()
                .iter()
                .map(|units| Some(decimal_text(units?, scale)))
                .collect()
        }
        other => {
            return Err(PolarsError::ComputeError(
                format!("no column type has values of type {other}").into(),
            ));
        }
    })
}

fn decimal_text(units: i128, scale: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    fn shown(series: &Series) -> Vec<String> {
        series.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn p5_older_values_take_the_wider_type_exactly() {
        let integers = Series::new(PlSmallStr::EMPTY, [Some(1_i64), None, Some(-20)]);
        let decimal = ColumnType::Decimal { precision: 38, scale: 2 };
        let decimals = convert(&integers, &decimal).unwrap().series;
        assert_eq!(
            shown(&convert(&decimals, &ColumnType::String).unwrap().series),
            ["\"1.00\"", "null", "\"-20.00\""]
        );
        let lists =
            convert(&integers, &ColumnType::List(Box::new(ColumnType::String))).unwrap().series;
        assert_eq!(
            lists.list().unwrap().get_as_series(2).unwrap().str().unwrap().get(0),
            Some("-20")
        );
        assert!(lists.list().unwrap().get_as_series(1).is_none());
    }

    #[test]
    fn decimals_are_written_with_their_scale() {
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(0, 0), "0");
        assert_eq!(decimal_text(123, 0), "123");
    }
}
