//! Casts a column from the JSON to its resolved type, exactly or not at all.

use polars::prelude::{
    BooleanChunked, ChunkedArray, ChunkedBuilder, DataType, Field, Float64Type, Int32Type,
    Int64Chunked, Int64Type, Int128Type, IntoSeries, NewChunkedArray, PlSmallStr, PolarsError,
    PolarsNumericType, PolarsResult, PrimitiveChunkedBuilder, Series, StringChunked, TimeUnit,
    TimeZone,
};

use super::dates::in_iso_form;
use crate::decode::{Raw, RawTexts};
use crate::definition::{FieldType, FieldTypes};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnType, Fraction, LocalTime, NumberText, StructField,
    local_instant, midnight, parse_date, parse_decimal, parse_exact_float, parse_float,
    parse_local_timestamp, parse_timestamp,
};

/// A column of its resolved type, null where a value did not fit.
pub(super) struct Cast {
    pub(super) series: Series,
    /// The rows whose value did not fit, ascending.
    pub(super) unfit: Vec<u32>,
}

impl Cast {
    /// A column of nulls.
    pub(super) fn nulls(rows: usize, column_type: &ColumnType) -> Self {
        let series = Series::full_null(PlSmallStr::EMPTY, rows, &polars_type(column_type));
        Self { series, unfit: Vec::new() }
    }

    /// The same, null in every unfit row.
    pub(super) fn without_unfit(mut self) -> PolarsResult<Self> {
        if !self.unfit.is_empty() {
            let mut fits = vec![true; self.series.len()];
            self.unfit.iter().for_each(|row| fits[*row as usize] = false);
            let fits = BooleanChunked::from_slice(PlSmallStr::EMPTY, &fits);
            self.series = only_where(&fits, &self.series)?;
        }
        Ok(self)
    }

    /// The same, with unfit rows sorted and without repetitions.
    pub(super) fn in_order(mut self) -> Self {
        self.unfit.sort_unstable();
        self.unfit.dedup();
        self
    }
}

/// A column that is null where `stays` is false.
pub(super) fn only_where(stays: &BooleanChunked, column: &Series) -> PolarsResult<Series> {
    let nulls = Series::full_null(PlSmallStr::EMPTY, column.len(), column.dtype());
    column.zip_with(stays, &nulls)
}

/// How the values of a column are cast.
#[derive(Debug, Clone, Copy)]
pub(super) struct CastRules<'c> {
    /// How its dates are written, besides ISO 8601.
    pub(super) formats: &'c [String],
    /// How its timestamps without a zone are read; as UTC without this.
    pub(super) local_time: Option<LocalTime>,
    /// The definition declares its type: a text that reads as a value of the type is one, and a fraction becomes the
    /// nearest double. In an inferred column a text is no number or boolean, and of a double every digit has to survive.
    pub(super) is_declared: bool,
    /// The declared types of fields of its objects.
    pub(super) fields: Option<&'c FieldTypes>,
}

impl<'c> CastRules<'c> {
    /// Those of a column.
    pub(super) fn of(column: &'c ColumnSchema, is_declared: bool) -> Self {
        Self { formats: &column.formats, local_time: column.local_time, is_declared, fields: None }
    }

    /// Those of a declared type and nothing else.
    pub(super) fn declared() -> Self {
        Self { formats: &[], local_time: None, is_declared: true, fields: None }
    }

    /// The rules for a field of the column's objects.
    pub(super) fn of_field(self, field: &ColumnName) -> Self {
        match self.fields.and_then(|fields| fields.get(field)) {
            Some(FieldType::Type(_)) => Self { is_declared: true, fields: None, ..self },
            Some(FieldType::Fields(fields)) => Self { fields: Some(fields), ..self },
            None => Self { fields: None, ..self },
        }
    }

    /// Whether the type of a field of the column's objects is declared.
    pub(super) fn declare(self, field: &ColumnName) -> bool {
        matches!(self.fields.and_then(|fields| fields.get(field)), Some(FieldType::Type(_)))
    }
}

/// The type polars has for a column type.
#[must_use]
pub fn polars_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal { precision, scale } => {
            DataType::Decimal(usize::from(*precision), usize::from(*scale))
        }
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        ColumnType::String | ColumnType::Json => DataType::String,
        ColumnType::List(inner) => DataType::List(Box::new(polars_type(inner))),
        ColumnType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = PlSmallStr::from_str(field.name.as_str());
                Field::new(name, polars_type(&field.column_type))
            });
            DataType::Struct(fields.collect())
        }
    }
}

/// The column type that polars has this type for.
pub(super) fn column_type(of: &DataType) -> Option<ColumnType> {
    Some(match of {
        DataType::Boolean => ColumnType::Bool,
        DataType::Int64 => ColumnType::Int64,
        DataType::Float64 => ColumnType::Float64,
        DataType::Decimal(precision, scale) => ColumnType::Decimal {
            precision: u8::try_from(*precision).ok()?,
            scale: u8::try_from(*scale).ok()?,
        },
        DataType::Date => ColumnType::Date,
        DataType::Datetime(TimeUnit::Microseconds, Some(_)) => ColumnType::Timestamp,
        DataType::String => ColumnType::String,
        DataType::List(items) => ColumnType::List(Box::new(column_type(items)?)),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = field.name.as_str().parse().ok()?;
                Some(StructField { name, column_type: column_type(&field.dtype)? })
            });
            ColumnType::Struct(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Casts a column from the JSON to a scalar type.
pub(super) fn cast_raw(raw: &Raw, to: &ColumnType, rules: CastRules<'_>) -> PolarsResult<Cast> {
    let rewritten = in_iso_form(raw, to, rules.formats);
    let raw = rewritten.as_ref().unwrap_or(raw);
    if let (ColumnType::Timestamp, Some(local)) = (to, rules.local_time) {
        return Ok(cast_local_times(raw, local));
    }
    match (raw, to) {
        // Texts that stay texts are not looked at: copying them cost a sixth of a run.
        (Raw::Texts(_), ColumnType::String) => cast(&raw.typed(), to),
        (Raw::Texts(texts), _) if !rules.is_declared => cast_within_family(texts, to),
        (Raw::Fractions(fractions), ColumnType::Decimal { .. } | ColumnType::Float64) => {
            let parse = Conversions {
                float: Fraction::double,
                decimal: Fraction::decimal,
                ..Conversions::nothing()
            };
            converted(fractions.iter(), to, &parse)
        }
        (Raw::Dates(days), ColumnType::Timestamp) => {
            let parse = Conversions { timestamp: midnight, ..Conversions::nothing() };
            converted(days.iter(), to, &parse)
        }
        (Raw::Booleans(_) | Raw::Integers(_) | Raw::Texts(_), _)
        | (Raw::Dates(_), ColumnType::Date)
        | (Raw::Timestamps(..), ColumnType::Timestamp) => cast(&raw.typed(), to),
        _ => cast(&raw.texts().into_series(), to),
    }
}

/// Casts a column to timestamps. Those without a zone are local times, dates their midnights.
fn cast_local_times(raw: &Raw, local: LocalTime) -> Cast {
    let of_day = |day| local_instant(midnight(day)?, local);
    let of_text =
        |text: &str| parse_local_timestamp(text, local).or_else(|| of_day(parse_date(text)?));
    let (instants, unfit) = match raw {
        Raw::Timestamps(instants, form) if form.has_zone() => (instants.clone(), Vec::new()),
        Raw::Timestamps(shown, _) => numbers(shown.iter(), |shown| local_instant(shown, local)),
        Raw::Dates(days) => numbers(days.iter(), of_day),
        Raw::Booleans(_) | Raw::Integers(_) | Raw::Fractions(_) | Raw::Texts(_) => {
            numbers(raw.texts().iter(), of_text)
        }
    };
    let series = instants.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_series();
    Cast { series, unfit }
}

/// Casts a column of `bool`, `int64` or text to a scalar type.
pub(super) fn cast(raw: &Series, to: &ColumnType) -> PolarsResult<Cast> {
    if *raw.dtype() == polars_type(to) {
        return Ok(Cast { series: raw.clone(), unfit: Vec::new() });
    }
    match raw.dtype() {
        DataType::Boolean => cast_booleans(raw.bool()?, to),
        DataType::Int64 => cast_integers(raw.i64()?, to),
        _ => cast_texts(raw.str()?, to),
    }
}

/// Casts values to a type of their own family: strings to dates and timestamps, other values to the rest. Every value
/// has a text.
fn cast_within_family(raw: &RawTexts, to: &ColumnType) -> PolarsResult<Cast> {
    fn unquoted((text, is_string): (&str, bool)) -> Option<&str> {
        (!is_string).then_some(text)
    }
    fn quoted((text, is_string): (&str, bool)) -> Option<&str> {
        is_string.then_some(text)
    }
    let parse = Conversions {
        boolean: |value| unquoted(value)?.parse().ok(),
        integer: |value| {
            unquoted(value).filter(|text| !is_signed_zero(text)).and_then(parse_integer)
        },
        float: |value| parse_exact_float(unquoted(value)?),
        decimal: |value, precision, scale| parse_decimal(unquoted(value)?, precision, scale),
        date: |value| parse_date(quoted(value)?),
        timestamp: |value| parse_instant(quoted(value)?),
        text: |(text, _)| Some(text.to_owned()),
    };
    converted(raw.iter(), to, &parse)
}

/// A zero with a sign makes a new column one of doubles, so it is no value of one of integers.
fn is_signed_zero(text: &str) -> bool {
    text.starts_with('-') && NumberText::parse(text).is_some_and(|it| it.scaled(0) == Some(0))
}

fn cast_booleans(raw: &BooleanChunked, to: &ColumnType) -> PolarsResult<Cast> {
    let parse =
        Conversions { text: |value: bool| Some(value.to_string()), ..Conversions::nothing() };
    converted(raw.iter(), to, &parse)
}

fn cast_integers(raw: &Int64Chunked, to: &ColumnType) -> PolarsResult<Cast> {
    let parse = Conversions {
        text: |value: i64| Some(value.to_string()),
        float: |value: i64| Fraction { units: value, places: 0 }.double(),
        decimal: |value: i64, precision, scale| parse_decimal(&value.to_string(), precision, scale),
        ..Conversions::nothing()
    };
    converted(raw.iter(), to, &parse)
}

fn cast_texts(raw: &StringChunked, to: &ColumnType) -> PolarsResult<Cast> {
    let parse = Conversions {
        boolean: |text: &str| text.parse().ok(),
        integer: parse_integer,
        float: parse_float,
        decimal: parse_decimal,
        date: parse_date,
        timestamp: parse_instant,
        text: |text: &str| Some(text.to_owned()),
    };
    converted(raw.iter(), to, &parse)
}

/// A timestamp, or the instant a date begins.
pub(super) fn parse_instant(text: &str) -> Option<i64> {
    parse_timestamp(text).or_else(|| midnight(parse_date(text)?))
}

fn parse_integer(text: &str) -> Option<i64> {
    NumberText::parse(text)?.scaled(0)?.try_into().ok()
}

/// Conversions from one raw type to each type; `None` is "does not fit".
struct Conversions<T> {
    boolean: fn(T) -> Option<bool>,
    integer: fn(T) -> Option<i64>,
    float: fn(T) -> Option<f64>,
    decimal: fn(T, u8, u8) -> Option<i128>,
    date: fn(T) -> Option<i32>,
    timestamp: fn(T) -> Option<i64>,
    text: fn(T) -> Option<String>,
}

impl<T> Conversions<T> {
    fn nothing() -> Self {
        Self {
            boolean: |_| None,
            integer: |_| None,
            float: |_| None,
            decimal: |_, _, _| None,
            date: |_| None,
            timestamp: |_| None,
            text: |_| None,
        }
    }
}

fn converted<T>(
    raw: impl Iterator<Item = Option<T>>,
    to: &ColumnType,
    parse: &Conversions<T>,
) -> PolarsResult<Cast> {
    let name = PlSmallStr::EMPTY;
    let (series, unfit) = match to {
        ColumnType::Bool => {
            let (values, unfit) = fitting(raw, parse.boolean);
            (BooleanChunked::from_slice_options(name, &values).into_series(), unfit)
        }
        ColumnType::Int64 => {
            let (values, unfit) = numbers::<Int64Type, T>(raw, parse.integer);
            (values.into_series(), unfit)
        }
        ColumnType::Float64 => {
            let (values, unfit) = numbers::<Float64Type, T>(raw, parse.float);
            (values.into_series(), unfit)
        }
        ColumnType::Decimal { precision, scale } => {
            let parse = |value| (parse.decimal)(value, *precision, *scale);
            let (units, unfit) = numbers::<Int128Type, T>(raw, parse);
            let decimals = units.into_decimal_unchecked((*precision).into(), (*scale).into());
            (decimals.into_series(), unfit)
        }
        ColumnType::Date => {
            let (days, unfit) = numbers::<Int32Type, T>(raw, parse.date);
            (days.into_date().into_series(), unfit)
        }
        ColumnType::Timestamp => {
            let (instants, unfit) = numbers::<Int64Type, T>(raw, parse.timestamp);
            let instants = instants.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
            (instants.into_series(), unfit)
        }
        ColumnType::String | ColumnType::Json => {
            let (values, unfit) = fitting(raw, parse.text);
            (StringChunked::from_slice_options(name, &values).into_series(), unfit)
        }
        ColumnType::List(_) | ColumnType::Struct(_) => {
            return Err(PolarsError::ComputeError(
                "a scalar cannot be cast to a nested type".into(),
            ));
        }
    };
    Ok(Cast { series, unfit })
}

/// The converted numbers, and the rows where there was a value and no conversion. They go straight into a column:
/// a `Vec<Option<i128>>` on the way is twice its size.
fn numbers<N: PolarsNumericType, T>(
    raw: impl Iterator<Item = Option<T>>,
    convert: impl Fn(T) -> Option<N::Native>,
) -> (ChunkedArray<N>, Vec<u32>) {
    let mut unfit = Vec::new();
    let mut values = PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, raw.size_hint().0);
    for (value, row) in raw.zip(0_u32..) {
        let is_value = value.is_some();
        let converted = value.and_then(&convert);
        if is_value && converted.is_none() {
            unfit.push(row);
        }
        values.append_option(converted);
    }
    (values.finish(), unfit)
}

/// The converted values, and the rows where there was a value and no conversion.
fn fitting<T, V>(
    raw: impl Iterator<Item = Option<T>>,
    convert: impl Fn(T) -> Option<V>,
) -> (Vec<Option<V>>, Vec<u32>) {
    let mut unfit = Vec::new();
    let values = raw
        .zip(0_u32..)
        .map(|(value, row)| {
            let value = value?;
            let converted = convert(value);
            if converted.is_none() {
                unfit.push(row);
            }
            converted
        })
        .collect();
    (values, unfit)
}
