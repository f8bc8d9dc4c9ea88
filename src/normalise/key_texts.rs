//! Keys of records as texts, as quarantine keeps them. They outlive the types that the key columns have today: a
//! number that became a decimal, or a date that became a timestamp, is still the same key.

use polars::prelude::{
    Column, DataFrame, IntoSeries, NewChunkedArray, PlSmallStr, PolarsResult, StringChunked,
};

use super::cast::cast;
use super::scalar_texts::scalar_texts;
use crate::schema::{ColumnType, TableSchema};

/// The key of each row; none where a column of it is null.
///
/// # Errors
/// A key column is missing, which validated schemas rule out.
pub fn key_texts(rows: &DataFrame, schema: &TableSchema) -> PolarsResult<Vec<Option<Vec<String>>>> {
    let mut keys = vec![Some(Vec::new()); rows.height()];
    for name in &schema.primary_key {
        let texts = scalar_texts(rows.column(name.as_str())?.as_materialized_series())?;
        for (key, text) in keys.iter_mut().zip(texts) {
            *key = key.take().zip(text).map(|(mut key, text)| {
                key.push(text);
                key
            });
        }
    }
    Ok(keys)
}

/// Rows with the key columns of a table, by the types that they have now; null where a text is no value of its type.
///
/// # Errors
/// polars fails, which would be a bug.
pub fn rows_of_keys(keys: &[&[String]], schema: &TableSchema) -> PolarsResult<DataFrame> {
    let columns = schema.primary_key.iter().enumerate().map(|(position, name)| {
        let texts = keys.iter().map(|key| key.get(position).map(String::as_str));
        let texts = StringChunked::from_iter_options(PlSmallStr::EMPTY, texts).into_series();
        let column_type = schema.column(name).map_or(&ColumnType::String, |it| &it.column_type);
        let values = cast(&texts, column_type)?.series;
        Ok(Column::from(values.with_name(PlSmallStr::from_str(name.as_str()))))
    });
    DataFrame::new(keys.len(), columns.collect::<PolarsResult<Vec<_>>>()?)
}
