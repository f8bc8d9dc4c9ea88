//! Raw: a column of scalars as written in the JSON, stored typed wherever the text can be restored from the typed value.
//!
//! | values | stored as |
//! |---|---|
//! | `true`, `false` | booleans |
//! | 64-bit integers | integers |
//! | fractions of at most 15 digits without a negative zero, also mixed with such integers | units and decimal places: `1.50` is 150 and 2 |
//! | ISO dates | days |
//! | ISO timestamps, all written in the same format | microseconds and the format |
//! | everything else, and mixtures | text |
//!
//! [`Raw::texts`] restores every value as written in the JSON (promise P4), but for the quotes of strings. Of values
//! stored as text, [`RawTexts`] knows which had none, since `7` and `"7"` are not the same value.

use polars::prelude::{
    BooleanChunked, Int32Chunked, Int64Chunked, IntoSeries, NewChunkedArray, PlSmallStr, Series,
    StringChunked, TimeUnit, TimeZone,
};

use crate::schema::{Fraction, TimestampForm, format_date};

/// A column of scalars as written in the JSON.
#[derive(Debug)]
pub enum Raw {
    /// `true` and `false`.
    Booleans(BooleanChunked),
    /// 64-bit integers.
    Integers(Int64Chunked),
    /// Fractions, possibly mixed with integers.
    Fractions(Fractions),
    /// Dates, as days since 1970-01-01.
    Dates(Int32Chunked),
    /// Timestamps, as microseconds since 1970-01-01T00:00:00Z.
    Timestamps(Int64Chunked, TimestampForm),
    /// Anything, as written in the JSON; strings without quotes.
    Texts(RawTexts),
}

/// A column of values stored as text.
#[derive(Debug)]
pub struct RawTexts {
    pub(super) values: StringChunked,
    /// The rows of numbers and booleans, ascending.
    pub(super) unquoted: Vec<u32>,
}

impl RawTexts {
    /// The values, and for each whether it is a string of the JSON.
    pub fn iter(&self) -> impl Iterator<Item = Option<(&str, bool)>> {
        let mut unquoted = self.unquoted.iter().peekable();
        (0_u32..).zip(self.values.iter()).map(move |(row, text)| {
            let is_string = unquoted.next_if(|other| **other == row).is_none();
            text.map(|text| (text, is_string))
        })
    }
}

/// A column of fractions, possibly mixed with integers.
#[derive(Debug)]
pub struct Fractions {
    /// The value in units of 10 to the power of minus `places`.
    pub(super) units: Int64Chunked,
    /// The decimal places as written, for each row, also for null.
    pub(super) places: Vec<u8>,
}

impl Fractions {
    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = Option<Fraction>> {
        let numbers = self.units.iter().zip(&self.places);
        numbers.map(|(units, places)| Some(Fraction { units: units?, places: *places }))
    }
}

impl Raw {
    /// Strings of the JSON.
    #[must_use]
    pub fn strings(values: StringChunked) -> Self {
        Self::Texts(RawTexts { values, unquoted: Vec::new() })
    }

    /// Which rows are not null.
    #[must_use]
    pub fn is_not_null(&self) -> BooleanChunked {
        match self {
            Self::Booleans(values) => values.is_not_null(),
            Self::Integers(integers) => integers.is_not_null(),
            Self::Fractions(Fractions { units, .. }) => units.is_not_null(),
            Self::Dates(days) => days.is_not_null(),
            Self::Timestamps(instants, _) => instants.is_not_null(),
            Self::Texts(texts) => texts.values.is_not_null(),
        }
    }

    /// The values as a typed series; fractions as text.
    pub fn typed(&self) -> Series {
        match self {
            Self::Booleans(values) => values.clone().into_series(),
            Self::Integers(integers) => integers.clone().into_series(),
            Self::Dates(days) => days.clone().into_date().into_series(),
            Self::Timestamps(instants, _) => {
                let in_utc = Some(TimeZone::UTC);
                instants.clone().into_datetime(TimeUnit::Microseconds, in_utc).into_series()
            }
            Self::Fractions(_) | Self::Texts(_) => self.texts().into_series(),
        }
    }

    /// The values as written in the JSON, strings without quotes.
    #[must_use]
    pub fn texts(&self) -> StringChunked {
        match self {
            Self::Booleans(values) => texts(values.iter()),
            Self::Integers(integers) => texts(integers.iter()),
            Self::Fractions(fractions) => texts(fractions.iter()),
            Self::Dates(days) => texts(days.iter().map(|day| format_date(day?))),
            Self::Timestamps(instants, form) => {
                texts(instants.iter().map(|instant| form.write(instant?)))
            }
            Self::Texts(texts) => texts.values.clone(),
        }
    }

    pub(super) fn estimated_bytes(&self) -> usize {
        match self {
            Self::Booleans(values) => values.len() / 8,
            Self::Integers(numbers) | Self::Timestamps(numbers, _) => {
                size_of::<i64>() * numbers.len()
            }
            Self::Fractions(Fractions { places, .. }) => {
                (size_of::<i64>() + size_of::<u8>()) * places.len()
            }
            Self::Dates(days) => size_of::<i32>() * days.len(),
            Self::Texts(RawTexts { values, unquoted }) => {
                values.clone().into_series().estimated_size() + size_of::<u32>() * unquoted.len()
            }
        }
    }
}

fn texts<T: ToString>(values: impl Iterator<Item = Option<T>>) -> StringChunked {
    let texts = values.map(|value| value.map(|value| value.to_string()));
    StringChunked::from_iter_options(PlSmallStr::EMPTY, texts)
}
