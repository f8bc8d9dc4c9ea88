//! How a column is best read, by all of its values: as it is inferred, as decimals, or as dates in some format.

use std::collections::HashSet;

use polars::prelude::{PolarsResult, StringChunked};

use super::date_texts::{DateReadings, DateTexts};
use super::names::{is_money, is_time};
use super::quoted_numbers::{QuotedNumbers, decimal_for};
use super::rows::TableRows;
use crate::normalise::iso_form;
use crate::schema::{ColumnName, ColumnSchema, ColumnSource, ColumnStatistics, ColumnType};

/// Milliseconds since 1970, from 1990 to 2100. No format reads them.
const MILLISECONDS: std::ops::RangeInclusive<i64> = 631_152_000_000..=4_133_894_400_000;
/// More directories than this are no help to anybody who looks for a day.
const MOST_PERIODS: usize = 600;

/// How the values of a column are read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// By their inferred type.
    Inferred,
    /// As exact decimals, which are to be declared.
    Decimal {
        /// Some are written in quotes.
        quoted: bool,
    },
    /// As dates or timestamps, which are to be declared.
    Dates {
        /// Their format, if some are not ISO 8601.
        format: Option<String>,
        /// One of those that are not.
        example: String,
    },
    /// As text: several formats read every value, and each would make other days of them.
    Ambiguous {
        /// `date` or `timestamp`.
        column_type: ColumnType,
        /// The formats.
        formats: Vec<String>,
        /// One of the values.
        example: String,
    },
    /// As integers, which look like milliseconds since 1970.
    Milliseconds,
}

/// What was found out about the values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ColumnReading {
    pub(super) column_type: ColumnType,
    pub(super) reading: Reading,
    /// How many rows have an empty text, which is read as null.
    pub(super) blank: usize,
}

impl ColumnReading {
    pub(super) fn inferred(column: &ColumnSchema) -> Self {
        Self { column_type: column.column_type.clone(), reading: Reading::Inferred, blank: 0 }
    }
}

/// Finds out how a column is best read.
pub(super) fn read(column: &ColumnSchema, rows: &TableRows) -> PolarsResult<ColumnReading> {
    let ColumnSource::Value { statistics, .. } = &column.source else {
        return Ok(ColumnReading::inferred(column));
    };
    if let Some(money) = money_type(column, statistics) {
        let inferred = ColumnReading::inferred(column);
        if inferred.column_type == ColumnType::Int64 && are_milliseconds(&rows.texts(&column.name)?)
        {
            return Ok(ColumnReading { reading: Reading::Milliseconds, ..inferred });
        }
        let reading = Reading::Decimal { quoted: false };
        return Ok(ColumnReading { column_type: money, reading, ..inferred });
    }
    Ok(match column.column_type {
        ColumnType::String => read_texts(column, &rows.texts(&column.name)?),
        ColumnType::Int64 if is_time(&column.name) => {
            read_integers(column, &rows.texts(&column.name)?)
        }
        _ => ColumnReading::inferred(column),
    })
}

/// The decimal that holds a column of money, with the digits seen and room for more.
fn money_type(column: &ColumnSchema, statistics: &ColumnStatistics) -> Option<ColumnType> {
    let has_only_numbers = statistics.within(&ColumnType::Int64) == *statistics;
    let numbers = statistics.numbers.filter(|_| has_only_numbers)?;
    let is_scalar = !matches!(column.column_type, ColumnType::List(_));
    let is_declared = is_scalar && is_money(&column.name);
    is_declared.then(|| decimal_for(numbers.integer_digits, numbers.scale))?
}

fn read_texts(column: &ColumnSchema, texts: &[StringChunked]) -> ColumnReading {
    let (mut dates, mut numbers) = (Some(DateTexts::default()), Some(QuotedNumbers::default()));
    let mut blank = 0;
    for text in values(texts) {
        if text.is_empty() {
            blank += 1;
            continue;
        }
        dates = dates.and_then(|mut dates| dates.take(text, &column.name).then_some(dates));
        numbers = numbers.and_then(|mut numbers| numbers.take(text).then_some(numbers));
        if dates.is_none() && numbers.is_none() {
            return ColumnReading::inferred(column);
        }
    }
    if let Some(readings) = dates.and_then(DateTexts::readings) {
        return of_dates(column, readings, blank);
    }
    match numbers.and_then(|numbers| numbers.column_type(&column.name)) {
        Some(column_type) => {
            ColumnReading { column_type, reading: Reading::Decimal { quoted: true }, blank }
        }
        None => ColumnReading::inferred(column),
    }
}

/// Integers under the name of a time: days written without separators, or time since 1970.
fn read_integers(column: &ColumnSchema, texts: &[StringChunked]) -> ColumnReading {
    let mut dates = DateTexts::default();
    let inferred = ColumnReading::inferred(column);
    if values(texts).all(|text| dates.take(text, &column.name)) {
        return match dates.readings() {
            Some(readings) => of_dates(column, readings, 0),
            None => inferred,
        };
    }
    let is_of_milliseconds = are_milliseconds(texts);
    let reading = if is_of_milliseconds { Reading::Milliseconds } else { Reading::Inferred };
    ColumnReading { reading, ..inferred }
}

/// Whether all are numbers of the size that times have in milliseconds. Amounts of money are hardly ever all so large.
fn are_milliseconds(texts: &[StringChunked]) -> bool {
    let is_millisecond =
        |text: &str| text.parse().is_ok_and(|number: i64| MILLISECONDS.contains(&number));
    values(texts).all(is_millisecond)
}

fn of_dates(column: &ColumnSchema, readings: DateReadings, blank: usize) -> ColumnReading {
    let DateReadings { column_type, mut formats, example } = readings;
    if formats.len() > 1 {
        let reading = Reading::Ambiguous { column_type, formats, example };
        return ColumnReading { reading, ..ColumnReading::inferred(column) };
    }
    ColumnReading { column_type, reading: Reading::Dates { format: formats.pop(), example }, blank }
}

fn values(texts: &[StringChunked]) -> impl Iterator<Item = &str> {
    texts.iter().flat_map(|texts| texts.iter().flatten())
}

/// The transform that makes a moderate number of partitions of a column of dates or timestamps.
pub(super) fn partition_transform(
    name: &ColumnName,
    found: &ColumnReading,
    rows: &TableRows,
) -> PolarsResult<Option<&'static str>> {
    let format = match &found.reading {
        Reading::Dates { format, .. } => format.as_deref(),
        _ => None,
    };
    let (mut months, mut years) = (HashSet::new(), HashSet::new());
    let texts = rows.texts(name)?;
    for text in values(&texts) {
        let rewritten = format.and_then(|format| iso_form(text, format, &found.column_type));
        let iso = rewritten.as_deref().unwrap_or(text);
        if let (Some(year), Some(month)) = (iso.get(..4), iso.get(..7))
            && !months.contains(month)
        {
            months.insert(month.to_owned());
            years.insert(year.to_owned());
        }
    }
    let transforms = [("month", months.len()), ("year", years.len())];
    let moderate = transforms.into_iter().find(|(_, periods)| *periods <= MOST_PERIODS);
    Ok(moderate.map(|(transform, _)| transform))
}
