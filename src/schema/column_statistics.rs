//! Statistics of all values of a column, and the type that follows from them.
//!
//! They are a join-semilattice: [`ColumnStatistics::merge`] is associative, commutative and idempotent. So neither the
//! order of records nor chunk borders change a type (promise P6). The manifest keeps them, so a table loaded in parts has
//! the types of one loaded at once.
//!
//! | values seen | type |
//! |---|---|
//! | none but null | `string` |
//! | `true`, `false` | `bool` |
//! | integers of 64 bits | `int64` |
//! | larger integers, up to 38 digits | `decimal(38,0)` |
//! | fractions or exponents that a double keeps to the last digit | `float64` |
//! | other fractions, up to 38 digits | `decimal(38,s)` |
//! | numbers that fit nothing above | `string`, with the digits of the JSON |
//! | ISO dates | `date` |
//! | ISO timestamps, also with dates among them | `timestamp` |
//! | other texts, or different families mixed | `string` |
//!
//! Families are booleans, numbers, times and texts. What was seen of each is kept apart, so that a column that stays
//! within its family widens as if the values of other families had not come ([`ColumnStatistics::within`]).

use serde::{Deserialize, Serialize};

use super::decimal::{LARGEST_EXACT_DOUBLE, is_exact_as_float, is_integer};
use crate::schema::{ColumnType, Fraction, MAX_PRECISION, NumberText, parse_date, parse_timestamp};

/// Statistics of the non-null values of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one kind of value, seen or not")]
pub struct ColumnStatistics {
    /// Some value was `true` or `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub booleans: bool,
    /// Statistics of the numbers that some number type keeps exactly, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberStatistics>,
    /// Some number is kept exactly by no number type: `1e400`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oversized: bool,
    /// Some text was an ISO date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dates: bool,
    /// Some text was an ISO timestamp.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timestamps: bool,
    /// Some text was neither.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub texts: bool,
}

/// Statistics of at least one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberStatistics {
    /// All were written without point and exponent.
    pub integers: bool,
    /// All are 64-bit signed integers.
    pub fit_int64: bool,
    /// All survive as doubles, to the last digit.
    pub fit_float64: bool,
    /// The most digits in front of the point.
    pub integer_digits: u64,
    /// The most digits after the point.
    pub scale: u64,
}

impl ColumnStatistics {
    /// No value seen.
    pub const NONE: Self = Self {
        booleans: false,
        numbers: None,
        oversized: false,
        dates: false,
        timestamps: false,
        texts: false,
    };
    /// The statistics of `true` or `false`.
    pub const BOOLEAN: Self = Self { booleans: true, ..Self::NONE };
    /// The statistics of a number that no number type keeps exactly.
    const OVERSIZED: Self = Self { oversized: true, ..Self::NONE };
    /// The statistics of a date.
    pub const DATE: Self = Self { dates: true, ..Self::NONE };
    /// The statistics of a timestamp.
    pub const TIMESTAMP: Self = Self { timestamps: true, ..Self::NONE };
    /// The statistics of a text that is neither.
    const TEXT: Self = Self { texts: true, ..Self::NONE };

    /// The statistics of integers up to this magnitude.
    #[must_use]
    pub fn of_integers(largest_magnitude: u64) -> Self {
        let digits = largest_magnitude.checked_ilog10().map_or(0, |log| u64::from(log) + 1);
        Self {
            numbers: Some(NumberStatistics {
                integers: true,
                fit_int64: true,
                fit_float64: largest_magnitude <= LARGEST_EXACT_DOUBLE,
                integer_digits: digits,
                scale: 0,
            }),
            ..Self::default()
        }
    }

    /// The statistics of a fraction.
    #[must_use]
    pub fn of_fraction(fraction: Fraction) -> Self {
        Self {
            numbers: Some(NumberStatistics {
                integers: false,
                fit_int64: false,
                fit_float64: true,
                integer_digits: fraction.integer_digits(),
                scale: fraction.significant_places().into(),
            }),
            ..Self::default()
        }
    }

    /// Whether one more fraction certainly changes nothing.
    #[must_use]
    pub fn cover(&self, fraction: Fraction) -> bool {
        self.numbers.is_some_and(
            |NumberStatistics { integers, fit_int64, integer_digits, scale, .. }| {
                !integers && !fit_int64 && fraction.fits_in(integer_digits, scale)
            },
        )
    }

    /// The statistics of a number that is not a 64-bit integer.
    #[must_use]
    pub fn of_number(text: &str) -> Self {
        if let Some(fraction) = Fraction::parse(text) {
            return Self::of_fraction(fraction);
        }
        let Some(number) = NumberText::parse(text) else { return Self::of_text(text) };
        let numbers = NumberStatistics {
            integers: is_integer(text),
            fit_int64: false,
            fit_float64: is_exact_as_float(text, &number),
            integer_digits: number.integer_digits(),
            scale: number.scale(),
        };
        match numbers.column_type() {
            Some(_) => Self { numbers: Some(numbers), ..Self::NONE },
            None => Self::OVERSIZED,
        }
    }

    /// The statistics of a text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if !begins_like_a_date(text) {
            Self::TEXT
        } else if parse_date(text).is_some() {
            Self::DATE
        } else if parse_timestamp(text).is_some() {
            Self::TIMESTAMP
        } else {
            Self::TEXT
        }
    }

    /// Whether one more text certainly changes nothing: the usual case in a column of texts, for one comparison.
    #[must_use]
    pub fn cover_text(&self, text: &str) -> bool {
        self.texts && (!begins_like_a_date(text) || (self.dates && self.timestamps))
    }

    /// The statistics of values that fill a type of this kind: what a column of the type has to hold from now on.
    #[must_use]
    pub fn of_type(column_type: &ColumnType) -> Self {
        let numbers = |numbers| Self { numbers: Some(numbers), ..Self::NONE };
        match column_type {
            ColumnType::Bool => Self::BOOLEAN,
            ColumnType::Int64 => Self::of_integers(i64::MIN.unsigned_abs()),
            ColumnType::Float64 => Self::of_fraction(Fraction { units: 5, places: 1 }),
            ColumnType::Decimal { precision, scale } => numbers(NumberStatistics {
                integers: *scale == 0,
                fit_int64: false,
                fit_float64: false,
                integer_digits: u64::from(precision.saturating_sub(*scale)),
                scale: u64::from(*scale),
            }),
            ColumnType::Date => Self::DATE,
            ColumnType::Timestamp => Self::TIMESTAMP,
            ColumnType::String | ColumnType::Json => Self::TEXT,
            ColumnType::List(items) => Self::of_type(items),
            ColumnType::Struct(_) => Self::NONE,
        }
    }

    /// Whether all values were null.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The statistics of the values of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            booleans: self.booleans || other.booleans,
            numbers: merge_options(self.numbers, other.numbers, NumberStatistics::merge),
            oversized: self.oversized || other.oversized,
            dates: self.dates || other.dates,
            timestamps: self.timestamps || other.timestamps,
            texts: self.texts || other.texts,
        }
    }

    /// The statistics of the values that belong to the family of a scalar type. Every scalar belongs to that of texts.
    #[must_use]
    pub fn within(self, column_type: &ColumnType) -> Self {
        let Self { booleans, numbers, dates, timestamps, .. } = self;
        match column_type {
            ColumnType::Bool => Self { booleans, ..Self::NONE },
            ColumnType::Int64 | ColumnType::Float64 | ColumnType::Decimal { .. } => {
                Self { numbers, ..Self::NONE }
            }
            ColumnType::Date | ColumnType::Timestamp => Self { dates, timestamps, ..Self::NONE },
            ColumnType::String | ColumnType::Json | ColumnType::List(_) | ColumnType::Struct(_) => {
                self
            }
        }
    }

    /// Whether a scalar type keeps every value exactly, as a value of its family.
    #[must_use]
    pub fn fit(&self, column_type: &ColumnType) -> bool {
        let numbers = self.numbers;
        let are_numbers = |fit: fn(NumberStatistics, u64, u64) -> bool, digits, scale| {
            numbers.is_none_or(|numbers| fit(numbers, digits, scale))
        };
        self.within(column_type) == *self
            && match column_type {
                ColumnType::Int64 => are_numbers(|it, _, _| it.fit_int64, 0, 0),
                ColumnType::Float64 => are_numbers(|it, _, _| it.fit_float64, 0, 0),
                ColumnType::Decimal { precision, scale } => are_numbers(
                    |it, digits, scale| it.integer_digits <= digits && it.scale <= scale,
                    u64::from(precision.saturating_sub(*scale)),
                    u64::from(*scale),
                ),
                ColumnType::Date => !self.timestamps,
                _ => true,
            }
    }

    /// The narrowest type that keeps every value exactly, by the table of this module.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        let times = self.dates || self.timestamps;
        match (self.booleans, self.numbers, times, self.oversized || self.texts) {
            (true, None, false, false) => ColumnType::Bool,
            (false, Some(numbers), false, false) => {
                numbers.column_type().unwrap_or(ColumnType::String)
            }
            (false, None, true, false) if self.timestamps => ColumnType::Timestamp,
            (false, None, true, false) => ColumnType::Date,
            _ => ColumnType::String,
        }
    }
}

/// Dates and timestamps begin with the digits of a year.
fn begins_like_a_date(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

fn merge_options<T>(left: Option<T>, right: Option<T>, merge: impl Fn(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(merge(left, right)),
        (left, right) => left.or(right),
    }
}

impl NumberStatistics {
    fn merge(self, other: Self) -> Self {
        Self {
            integers: self.integers && other.integers,
            fit_int64: self.fit_int64 && other.fit_int64,
            fit_float64: self.fit_float64 && other.fit_float64,
            integer_digits: self.integer_digits.max(other.integer_digits),
            scale: self.scale.max(other.scale),
        }
    }

    /// The narrowest number type that keeps every number exactly, if there is one.
    fn column_type(self) -> Option<ColumnType> {
        if self.fit_int64 {
            return Some(ColumnType::Int64);
        }
        if self.fit_float64 && !self.integers {
            return Some(ColumnType::Float64);
        }
        let has_room = self.integer_digits.saturating_add(self.scale) <= u64::from(MAX_PRECISION);
        let scale = u8::try_from(self.scale).ok().filter(|_| has_room)?;
        Some(ColumnType::widest_decimal(scale))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::parse_decimal;

    fn statistics(json: &serde_json::Value) -> ColumnStatistics {
        match json {
            serde_json::Value::Bool(_) => ColumnStatistics::BOOLEAN,
            serde_json::Value::String(text) => ColumnStatistics::of_text(text),
            _ => ColumnStatistics::default(),
        }
    }

    fn type_of(numbers: &[&str]) -> String {
        let merged = numbers.iter().fold(ColumnStatistics::default(), |statistics, text| {
            statistics.merge(match text.parse::<i64>() {
                Ok(number) if *text != "-0" => ColumnStatistics::of_integers(number.unsigned_abs()),
                _ => ColumnStatistics::of_number(text),
            })
        });
        merged.column_type().to_string()
    }

    #[test]
    fn numbers_of_the_table() {
        assert_eq!(type_of(&["1", "-9223372036854775808"]), "int64");
        assert_eq!(type_of(&["9223372036854775808"]), "decimal(38,0)");
        assert_eq!(type_of(&["100000000000000000000", "1"]), "decimal(38,0)");
        assert_eq!(type_of(&["1", "2.5"]), "float64");
        assert_eq!(type_of(&["-0"]), "float64");
        assert_eq!(type_of(&["9007199254740993", "0.5"]), "decimal(38,1)");
        assert_eq!(type_of(&["9223372036854775808", "0.5"]), "decimal(38,1)");
        assert_eq!(type_of(&["9.223372036854776e18", "0.5"]), "float64");
        assert_eq!(type_of(&["0.1000000000000000055"]), "decimal(38,19)");
        assert_eq!(type_of(&["1E400"]), "string");
    }

    #[test]
    fn other_values_of_the_table() {
        let type_of = |values: &[serde_json::Value]| {
            values
                .iter()
                .map(statistics)
                .fold(ColumnStatistics::default(), ColumnStatistics::merge)
                .column_type()
        };
        assert_eq!(type_of(&[serde_json::Value::Null]), ColumnType::String);
        assert_eq!(type_of(&[true.into()]), ColumnType::Bool);
        assert_eq!(type_of(&[true.into(), "x".into()]), ColumnType::String);
        assert_eq!(type_of(&["2026-01-01".into()]), ColumnType::Date);
        assert_eq!(
            type_of(&["2026-01-01".into(), "2026-01-01T00:00:00Z".into()]),
            ColumnType::Timestamp
        );
        assert_eq!(type_of(&["2026-01-01".into(), "soon".into()]), ColumnType::String);
    }

    proptest! {
        #[test]
        fn p4_short_numbers_are_taken_apart_like_others(text in "-?(0|[1-9][0-9]{0,8})\\.[0-9]{1,8}") {
            let whole = NumberText::parse(&text).unwrap();
            let numbers = ColumnStatistics::of_number(&text).numbers.unwrap();
            prop_assert_eq!(numbers.integer_digits, whole.integer_digits());
            prop_assert_eq!(numbers.scale, whole.scale());
            prop_assert_eq!(numbers.fit_float64, whole.survives_as_float());
            let fraction = Fraction::parse(&text);
            let is_long = text.trim_start_matches('-').len() > 16;
            let is_zero_with_sign = text.starts_with('-') && whole.scaled(8) == Some(0);
            prop_assert_eq!(fraction.is_none(), is_long || is_zero_with_sign);
            if let Some(fraction) = fraction {
                prop_assert_eq!(fraction.double(), text.parse().ok());
                prop_assert_eq!(fraction.to_string(), text.as_str());
            }
            for scale in 0..12 {
                let long = whole.scaled(scale).filter(|value| value.unsigned_abs() < 10_u128.pow(14));
                prop_assert_eq!(parse_decimal(&text, 14, scale), long);
            }
        }

        #[test]
        fn p4_what_statistics_cover_tells_nothing_new(
            text in "-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,3}", before in any_statistics(),
        ) {
            if let Some(fraction) = Fraction::parse(&text) && before.cover(fraction) {
                prop_assert_eq!(before.merge(ColumnStatistics::of_number(&text)), before);
            }
        }

        #[test]
        fn p4_what_statistics_cover_of_texts_tells_nothing_new(
            text in "(2026-01-0[1-9](T00:00:00Z)?)?x?", before in any_statistics(), more in any_statistics(),
        ) {
            let before = before.merge(more);
            if before.cover_text(&text) {
                prop_assert_eq!(before.merge(ColumnStatistics::of_text(&text)), before);
            }
        }

        #[test]
        fn p4_a_type_fits_the_statistics_it_follows_from(a in any_statistics(), b in any_statistics()) {
            let both = a.merge(b);
            let column_type = both.column_type();
            prop_assert!(both.fit(&column_type), "{column_type}");
            prop_assert!(a.fit(&column_type), "{column_type}");
            // What a column of the type has to hold does not make it another type.
            let of_type = ColumnStatistics::of_type(&column_type);
            if !both.is_empty() {
                prop_assert_eq!(both.merge(of_type).column_type(), column_type);
            }
        }
    }

    fn any_statistics() -> impl Strategy<Value = ColumnStatistics> {
        prop_oneof![
            Just(ColumnStatistics::default()),
            Just(ColumnStatistics::BOOLEAN),
            any::<u64>().prop_map(ColumnStatistics::of_integers),
            "-?(0|[1-9][0-9]{0,40})\\.[0-9]{1,20}"
                .prop_map(|text| ColumnStatistics::of_number(&text)),
            "2026-01-0[1-9](T00:00:00Z)?x?".prop_map(|text| ColumnStatistics::of_text(&text)),
        ]
    }

    proptest! {
        #[test]
        fn p6_order_of_values_changes_no_type(a in any_statistics(), b in any_statistics(), c in any_statistics()) {
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
            prop_assert_eq!(a.merge(a), a);
        }
    }
}
