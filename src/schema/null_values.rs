//! Scalars that a source writes where there is no value.
//!
//! | null value | reads as null |
//! |---|---|
//! | a text | that text |
//! | a number | every number with that value: `0` is also `0.0` and `-0` |
//! | a boolean | that boolean |
//! | a date or time | that text, and every timestamp of the same instant |

use serde::Serialize;

use super::{NumberText, parse_timestamp};

/// A scalar that means that there is no value, as a definition writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NullValue {
    /// A text.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A number: its digits.
    Number {
        /// As JSON writes it.
        number: String,
    },
    /// A date or time of TOML.
    Time {
        /// As TOML writes it.
        time: String,
    },
}

/// The null values of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NullValues {
    texts: Vec<String>,
    booleans: Vec<bool>,
    numbers: Vec<NumberText>,
    instants: Vec<i64>,
}

impl NullValues {
    /// Whether a text means that there is no value.
    #[must_use]
    pub fn has_text(&self, text: &str) -> bool {
        let is_instant =
            || parse_timestamp(text).is_some_and(|instant| self.instants.contains(&instant));
        self.texts.iter().any(|null| null == text) || (!self.instants.is_empty() && is_instant())
    }

    /// Whether a boolean means that there is no value.
    #[must_use]
    pub fn has_boolean(&self, value: bool) -> bool {
        self.booleans.contains(&value)
    }

    /// Whether a number, as JSON writes it, means that there is no value.
    #[must_use]
    pub fn has_number(&self, text: &str) -> bool {
        !self.numbers.is_empty()
            && NumberText::parse(text)
                .is_some_and(|number| self.numbers.contains(&number.unsigned_zero()))
    }
}

impl<'v> FromIterator<&'v NullValue> for NullValues {
    fn from_iter<I: IntoIterator<Item = &'v NullValue>>(values: I) -> Self {
        let mut all = Self::default();
        for value in values {
            match value {
                NullValue::Text(text) => all.texts.push(text.clone()),
                NullValue::Boolean(boolean) => all.booleans.push(*boolean),
                NullValue::Number { number } => {
                    all.numbers.extend(NumberText::parse(number).map(NumberText::unsigned_zero));
                }
                NullValue::Time { time } => {
                    all.instants.extend(parse_timestamp(time));
                    all.texts.push(time.clone());
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null_values(values: &[NullValue]) -> NullValues {
        values.iter().collect()
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let number = |text: &str| NullValue::Number { number: text.to_owned() };
        let nulls = null_values(&[number("0"), number("-1"), number("0.1")]);
        for text in ["0", "-0", "0.0", "0e7", "-1", "-1.00", "-10e-1", "0.10", "1e-1"] {
            assert!(nulls.has_number(text), "{text}");
        }
        for text in ["1", "0.01", "-0.1", "10"] {
            assert!(!nulls.has_number(text), "{text}");
        }
        assert!(!nulls.has_text("0"));
    }

    #[test]
    fn times_are_compared_by_instant() {
        let time = |text: &str| NullValue::Time { time: text.to_owned() };
        let nulls = null_values(&[time("0001-01-01T00:00:00Z"), time("1900-01-01")]);
        for text in ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "1900-01-01"] {
            assert!(nulls.has_text(text), "{text}");
        }
        for text in ["0001-01-01", "1900-01-02", "1900-01-01T00:00:00Z", ""] {
            assert!(!nulls.has_text(text), "{text}");
        }
    }
}
