//! Keys of records as texts, as quarantine keeps them. They outlive the types that the key columns have today: a
//! number that became a decimal, or a date that became a timestamp, is still the same key.

use polars::prelude::{
    Column, DataFrame, IntoSeries, NewChunkedArray, PlSmallStr, PolarsResult, StringChunked,
};

use super::cast::{cast, parse_instant};
use super::row_hash::row_hashes;
use super::scalar_texts::scalar_texts;
use crate::schema::{
    ColumnName, ColumnType, NumberText, TableSchema, format_timestamp, midnight, parse_date,
    parse_timestamp,
};

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

/// The hash of each key, by the types that the key columns have now: that of a row with this key. None of an empty key,
/// and where a text is no value of its type, so that no row has the key. `columns_of_hash` are the key columns in the order in
/// which they are hashed.
///
/// # Errors
/// polars fails, which would be a bug.
pub fn key_hashes(
    keys: &[&[String]],
    schema: &TableSchema,
    columns_of_hash: &[ColumnName],
) -> PolarsResult<Vec<Option<u128>>> {
    if schema.primary_key.is_empty() {
        return Ok(vec![None; keys.len()]);
    }
    let mut fits: Vec<bool> = keys.iter().map(|key| !key.is_empty()).collect();
    let mut columns = Vec::new();
    for (position, name) in schema.primary_key.iter().enumerate() {
        let column_type = schema.column(name).map_or(&ColumnType::String, |it| &it.column_type);
        let texts = keys.iter().map(|key| Some(text_for(key.get(position)?, column_type)));
        let texts = StringChunked::from_iter_options(PlSmallStr::EMPTY, texts).into_series();
        let values = cast(&texts, column_type)?;
        values.unfit.iter().for_each(|row| fits[*row as usize] = false);
        columns.push(Column::from(values.series.with_name(PlSmallStr::from_str(name.as_str()))));
    }
    let hashes = row_hashes(&DataFrame::new(keys.len(), columns)?, columns_of_hash)?;
    Ok(hashes.into_iter().zip(fits).map(|(hash, fits)| fits.then_some(hash)).collect())
}

/// The text as a column of this type is read from: a midnight was a date while other keys were times.
fn text_for<'t>(text: &'t str, column_type: &ColumnType) -> &'t str {
    let day = text.get(..10).filter(|day| {
        let midnight = parse_date(day).and_then(midnight);
        midnight.is_some() && midnight == parse_timestamp(text)
    });
    day.filter(|_| *column_type == ColumnType::Date).unwrap_or(text)
}

/// A key in a form that is the same for all texts of one value: columns of these types hold `1` and `1.0`, or a date and
/// its midnight, as one value, whichever type they were read with.
#[must_use]
pub fn key_values(key: &[String], types: &[ColumnType]) -> Vec<String> {
    let value = |(position, text): (usize, &String)| {
        let form = match types.get(position) {
            Some(ColumnType::Int64 | ColumnType::Float64 | ColumnType::Decimal { .. }) => {
                NumberText::parse(text).map(|number| number.unsigned_zero().to_string())
            }
            Some(ColumnType::Date | ColumnType::Timestamp) => {
                parse_instant(text).and_then(format_timestamp)
            }
            _ => None,
        };
        form.unwrap_or_else(|| text.clone())
    };
    key.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_value_are_one_key() {
        let decimal = ColumnType::Decimal { precision: 3, scale: 2 };
        let same = |types: &[ColumnType], one: &[&str], other: &[&str]| {
            let [one, other] = [one, other].map(|it| it.iter().map(ToString::to_string).collect());
            let [one, other]: [Vec<String>; 2] = [one, other];
            key_values(&one, types) == key_values(&other, types)
        };
        assert!(same(&[ColumnType::Int64], &["1"], &["1.0"]));
        assert!(same(std::slice::from_ref(&decimal), &["1.50"], &["1.5"]));
        assert!(same(std::slice::from_ref(&decimal), &["-0"], &["0"]));
        assert!(same(&[ColumnType::Float64], &["1e16"], &["10000000000000000"]));
        assert!(same(&[ColumnType::Date], &["2026-01-05"], &["2026-01-05T00:00:00Z"]));
        assert!(!same(&[decimal], &["1.50"], &["1.51"]));
        // Of texts nobody knows that they are numbers.
        assert!(!same(&[ColumnType::String], &["1.50"], &["1.5"]));
        assert!(!same(&[ColumnType::Int64, ColumnType::String], &["1", "2.0"], &["1", "2"]));
        assert!(same(&[ColumnType::Int64, ColumnType::String], &["1", "x"], &["1.0", "x"]));
    }
}
