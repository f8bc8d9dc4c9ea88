//! Numbers in quotes: the decimal that holds them, where nothing says that they are identifiers.
//!
//! | texts | proposed |
//! |---|---|
//! | `1234.50` `-7.00` | `decimal(18,2)` |
//! | `1.5` `12` | `decimal(18,2)` |
//! | `1.2` `1.10`, written as versions and chapters are | only where the name is one of a quantity |
//! | `12` `7`, digits alone | only where the name is one of a quantity |
//! | `007` `+45` `1e5` `1,50` and other texts among them | nothing |

use super::names::{is_identifier, is_quantity};
use crate::schema::{ColumnName, ColumnType, MAX_PRECISION, NumberText};

/// The precision of proposed decimals: the default of most warehouses.
const USUAL_PRECISION: u8 = 18;
/// So many digits in front of the point stay free for larger values.
const ROOM: u64 = 2;
/// Money has cents, also where no value of the export has.
const LEAST_SCALE: u64 = 2;

/// A decimal with these digits and room for larger values; none if there is no such type.
pub(super) fn decimal_for(integer_digits: u64, scale: u64) -> Option<ColumnType> {
    let scale = scale.max(LEAST_SCALE);
    let needed = integer_digits.checked_add(scale)?;
    let is_usual = needed.saturating_add(ROOM) <= u64::from(USUAL_PRECISION);
    let precision = if is_usual { USUAL_PRECISION } else { MAX_PRECISION };
    let scale = u8::try_from(scale).ok()?;
    (needed <= u64::from(precision)).then_some(ColumnType::Decimal { precision, scale })
}

/// What was seen of the texts of a column that are all exact decimals.
#[derive(Debug, Default)]
pub(super) struct QuotedNumbers {
    integer_digits: u64,
    /// The most digits that were written after the point.
    places: u64,
    /// The fewest.
    least_places: Option<u64>,
    ends_with_zero: bool,
}

impl QuotedNumbers {
    /// Takes one more text; false if it is no exact decimal.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let number = NumberText::parse(text).filter(|_| !text.contains(['e', 'E']));
        let Some(number) = number else { return false };
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u64);
        self.integer_digits = self.integer_digits.max(number.integer_digits());
        self.places = self.places.max(places);
        self.least_places = Some(self.least_places.map_or(places, |least| least.min(places)));
        self.ends_with_zero |= places > 0 && text.ends_with('0');
        true
    }

    /// The type of a column of this name, if its texts are numbers.
    pub(super) fn column_type(&self, name: &ColumnName) -> Option<ColumnType> {
        let least = self.least_places?;
        let has_fractions = self.places > 0;
        // A program writes all places, or none that it does not need.
        let are_alike = least == self.places || !self.ends_with_zero;
        let are_numbers = is_quantity(name) || (has_fractions && are_alike);
        let is_number = are_numbers && !is_identifier(name);
        is_number.then(|| decimal_for(self.integer_digits, self.places))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(name: &str, texts: &[&str]) -> Option<String> {
        let mut numbers = QuotedNumbers::default();
        let are_numbers = texts.iter().all(|text| numbers.take(text));
        let column_type = numbers.column_type(&name.parse().unwrap());
        column_type.filter(|_| are_numbers).map(|it| it.to_string())
    }

    #[test]
    fn f09_numbers_in_quotes_are_decimals_and_identifiers_stay_text() {
        for (name, texts, expected) in [
            ("total", &["1234.50", "-7.00"][..], Some("decimal(18,2)")),
            ("rate", &["1.0835", "1"], Some("decimal(18,4)")),
            ("weight", &["1.5", "12"], Some("decimal(18,2)")),
            ("total", &["12345678901234567.50"], Some("decimal(38,2)")),
            ("total", &["1000000000000000000000000000000000000.5"], None),
            ("total", &["12"], Some("decimal(18,2)")),
            ("vat", &["12345678"], None),
            ("chapter", &["1.2"], None),
            ("topic", &["1.2", "1.10"], None),
            ("unit_price", &["1.2", "1.10"], Some("decimal(18,2)")),
            ("iban", &["1234.50"], None),
            ("zip", &["1234"], None),
            ("total", &["007"], None),
            ("total", &["+45.5"], None),
            ("total", &["1e5"], None),
            ("total", &["1,50"], None),
            ("total", &["1.50", "n/a"], None),
            ("total", &[], None),
        ] {
            assert_eq!(proposed(name, texts).as_deref(), expected, "{name} {texts:?}");
        }
    }
}
