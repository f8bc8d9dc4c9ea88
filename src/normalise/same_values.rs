//! Rows as they are compared: in a column that became text, values that are the same have one text.

use polars::prelude::{
    ChunkedArray, Column, DataFrame, DataType, IntoSeries, NewChunkedArray, PlSmallStr,
    PolarsResult, Series, StringChunked,
};

use super::cast::cast;
use super::lists::lists_of;
use super::scalar_texts::scalar_texts;
use crate::schema::{ColumnType, TableSchema};

/// The rows, in which a text of a column that [was](crate::schema::ColumnSchema::was) of another type has the form that
/// the type gives it: `10.10` is `10.1` where there were doubles. Only for comparing.
///
/// # Errors
/// polars fails, which would be a bug.
pub fn as_compared(rows: &DataFrame, schema: &TableSchema) -> PolarsResult<DataFrame> {
    let mut compared = rows.clone();
    for column in &schema.columns {
        let (Some(was), Ok(values)) = (&column.was, rows.column(column.name.as_str())) else {
            continue;
        };
        let values = in_one_form(values.as_materialized_series(), was)?;
        compared.with_column(Column::from(values))?;
    }
    Ok(compared)
}

fn in_one_form(values: &Series, was: &ColumnType) -> PolarsResult<Series> {
    match values.dtype() {
        DataType::List(_) => {
            let lists = values.list()?.rechunk();
            let array = lists.downcast_as_array();
            let (first, length) = (*array.offsets().first(), array.offsets().range());
            let items =
                lists.get_inner().slice(first, usize::try_from(length).unwrap_or(usize::MAX));
            let items = in_one_form(&items, was)?;
            let lengths = array.offsets().lengths();
            lists_of(values.name().clone(), &items, lengths, array.validity().cloned())
        }
        DataType::String => {
            let typed = scalar_texts(&cast(values, was)?.series)?;
            let texts = typed.iter().zip(values.str()?.iter());
            let texts = texts.map(|(typed, written)| typed.as_deref().or(written));
            let texts: StringChunked = ChunkedArray::from_iter_options(PlSmallStr::EMPTY, texts);
            Ok(texts.into_series().with_name(values.name().clone()))
        }
        _ => Ok(values.clone()),
    }
}
