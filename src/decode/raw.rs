//! Raw: a column of scalars as they stood in the JSON, kept as what they are where their text can be told from that.
//!
//! | values | are kept as |
//! |---|---|
//! | `true`, `false` | what they are |
//! | integers of 64 bits | what they are |
//! | fractions of at most 15 digits, no zero with a sign, with or without such integers | units and a number of decimal places: `1.50` is 150 and 2 |
//! | ISO dates | days |
//! | ISO timestamps, all of them written alike | microseconds and how they are written |
//! | all others, and what is mixed | text |
//!
//! [`Raw::texts`] has every value as it stood in the JSON, whatever it is kept as (promise P4).

use polars::prelude::{
    BooleanChunked, Int32Chunked, Int64Chunked, IntoSeries, NewChunkedArray, PlSmallStr, Series,
    StringChunked, TimeUnit, TimeZone,
};

use crate::schema::{Fraction, TimestampForm, format_date};

/// A column as it stood in the JSON.
#[derive(Debug)]
pub enum Raw {
    /// `true` and `false`.
    Booleans(BooleanChunked),
    /// Integers of 64 bits.
    Integers(Int64Chunked),
    /// Fractions, with or without integers.
    Fractions(Fractions),
    /// Dates, as days since 1970-01-01.
    Dates(Int32Chunked),
    /// Timestamps, as microseconds since 1970-01-01T00:00:00Z.
    Timestamps(Int64Chunked, TimestampForm),
    /// Anything, as it stands in the JSON; strings without their quotes.
    Texts(StringChunked),
}

/// A column of fractions, with or without integers.
#[derive(Debug)]
pub struct Fractions {
    /// Of 10 to the power of minus the decimal places.
    pub(super) units: Int64Chunked,
    /// As many as are written; of each row, also where there is no number.
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
    /// Which rows have a value.
    #[must_use]
    pub fn is_not_null(&self) -> BooleanChunked {
        match self {
            Self::Booleans(values) => values.is_not_null(),
            Self::Integers(integers) => integers.is_not_null(),
            Self::Fractions(Fractions { units, .. }) => units.is_not_null(),
            Self::Dates(days) => days.is_not_null(),
            Self::Timestamps(instants, _) => instants.is_not_null(),
            Self::Texts(texts) => texts.is_not_null(),
        }
    }

    /// The values as what they are; fractions as texts.
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

    /// The values as they stood in the JSON, strings without their quotes.
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
            Self::Texts(texts) => texts.clone(),
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
            Self::Texts(texts) => texts.clone().into_series().estimated_size(),
        }
    }
}

fn texts<T: ToString>(values: impl Iterator<Item = Option<T>>) -> StringChunked {
    let texts = values.map(|value| value.map(|value| value.to_string()));
    StringChunked::from_iter_options(PlSmallStr::EMPTY, texts)
}
