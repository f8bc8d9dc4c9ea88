//! JSON numbers as text: digits and exponent, never a float on the way.

use std::fmt;

use crate::schema::ColumnType;

/// The most significant digits that every double keeps (`DBL_DIG`).
const DIGITS_A_DOUBLE_KEEPS: usize = 15;
/// All that 128 bits hold.
const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};
/// Within this magnitude no decimal of 15 digits is subnormal or infinite as a double.
const SAFE_EXPONENT: i64 = 290;
/// Every integer up to this magnitude is a double.
pub(super) const LARGEST_EXACT_DOUBLE: u64 = 1 << 53;

/// A parsed JSON number: `digits × 10^exponent`, leading and trailing zeros removed.
///
/// | text | digits | exponent |
/// |---|---|---|
/// | `1234.50` | `12345` | -1 |
/// | `-0.001` | `1` | -3 |
/// | `12e3` | `12` | 3 |
/// | `0.0` | (none) | 0 |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberText {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl NumberText {
    /// 0.
    #[must_use]
    pub fn zero() -> Self {
        Self { negative: false, digits: Vec::new(), exponent: 0 }
    }

    /// The same number; 0 has no sign.
    #[must_use]
    pub fn unsigned_zero(self) -> Self {
        Self { negative: self.negative && !self.digits.is_empty(), ..self }
    }

    /// Parses a number; `None` when the text is not a JSON number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(position) => (&unsigned[..position], parse_exponent(&unsigned[position + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (mantissa, ""),
        };
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits: Vec<u8> =
            whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
        let mut exponent = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        if digits.is_empty() {
            exponent = 0;
        }
        Some(Self { negative, digits, exponent })
    }

    /// Digits in front of the point when written without exponent.
    #[must_use]
    pub fn integer_digits(&self) -> u64 {
        let digits = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        u64::try_from(digits.saturating_add(self.exponent)).unwrap_or(0)
    }

    /// Digits after the point when written without exponent.
    #[must_use]
    pub fn scale(&self) -> u64 {
        if self.exponent < 0 { self.exponent.unsigned_abs() } else { 0 }
    }

    /// Whether the double nearest to this number, written as short as it can be, is this number again.
    #[must_use]
    pub fn survives_as_float(&self) -> bool {
        let magnitude =
            self.exponent.saturating_add(i64::try_from(self.digits.len()).unwrap_or(i64::MAX));
        if self.digits.len() <= DIGITS_A_DOUBLE_KEEPS && magnitude.abs() <= SAFE_EXPONENT {
            return true;
        }
        let digits = String::from_utf8_lossy(&self.digits);
        let Ok(float) = format!("{digits}e{}", self.exponent).parse::<f64>() else { return false };
        if !float.is_finite() {
            return false;
        }
        Self::parse(&format!("{float:e}")).is_some_and(|shortest| {
            shortest.digits == self.digits && shortest.exponent == self.exponent
        })
    }

    /// The number in units of `10^-scale`; `None` when it has more digits than that or than 128 bits.
    #[must_use]
    pub fn scaled(&self, scale: u8) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let shift = u32::try_from(self.exponent.checked_add(i64::from(scale))?).ok()?;
        let mut value: i128 = 0;
        for digit in &self.digits {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        value = value.checked_mul(10_i128.checked_pow(shift)?)?;
        Some(if self.negative { -value } else { value })
    }

    /// The greatest number of units of `10^-scale` that is not greater than this number, or the end of what 128 bits
    /// hold.
    #[must_use]
    pub fn floor(&self, scale: u8) -> i128 {
        let dropped = self.scale().saturating_sub(scale.into());
        let kept = self.digits.len().saturating_sub(usize::try_from(dropped).unwrap_or(usize::MAX));
        let whole = Self {
            negative: self.negative,
            digits: self.digits[..kept].to_vec(),
            exponent: self.exponent.saturating_add(i64::try_from(dropped).unwrap_or(i64::MAX)),
        };
        let end = if self.negative { i128::MIN } else { i128::MAX };
        let below = i128::from(self.negative && dropped > 0);
        whole.scaled(scale).map_or(end, |units| units - below)
    }

    /// The least number of units of `10^-scale` that is not less than this number, or the end of what 128 bits hold.
    #[must_use]
    pub fn ceiling(&self, scale: u8) -> i128 {
        -Self { negative: !self.negative, ..self.clone() }.floor(scale).max(-i128::MAX)
    }
}

/// Digits and exponent: one text for each number.
impl fmt::Display for NumberText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", String::from_utf8_lossy(&self.digits), self.exponent)
    }
}

/// A number that is written with a point, no exponent and at most 15 digits, as prices are, or an integer of 64 bits:
/// `units × 10^-places`. Parsing it allocates nothing, and its text can be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// The number without its point.
    pub units: i64,
    /// How many digits are written after the point.
    pub places: u8,
}

impl Fraction {
    /// Parses a number that is written with a point; `None` for more digits, an exponent, a signed zero, or no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', unsigned @ ..] => (true, unsigned),
            unsigned => (false, unsigned),
        };
        if unsigned.len() > DIGITS_A_DOUBLE_KEEPS + 1 {
            return None;
        }
        let (mut units, mut point) = (0, None);
        for (position, byte) in unsigned.iter().enumerate() {
            match byte {
                b'0'..=b'9' => units = units * 10 + i64::from(byte - b'0'),
                b'.' if point.is_none() => point = Some(position),
                _ => return None,
            }
        }
        let point = point?;
        let leading_zero = point > 1 && unsigned[0] == b'0';
        let places = u8::try_from(unsigned.len() - point - 1).ok()?;
        if point == 0 || places == 0 || leading_zero || (negative && units == 0) {
            return None;
        }
        Some(Self { units: if negative { -units } else { units }, places })
    }

    /// Digits in front of the point; 0 when there is only a zero.
    pub(crate) fn integer_digits(self) -> u64 {
        let whole = self.units.unsigned_abs() / 10_u64.pow(self.places.into());
        whole.checked_ilog10().map_or(0, |log| u64::from(log) + 1)
    }

    /// Digits after the point, up to the last that is not 0.
    pub(crate) fn significant_places(self) -> u8 {
        let Self { mut units, mut places } = self;
        while places > 0 && units % 10 == 0 {
            units /= 10;
            places -= 1;
        }
        places
    }

    /// Whether it has no more than so many digits in front of the point, and after it.
    pub(crate) fn fits_in(self, integer_digits: u64, places: u64) -> bool {
        let digits = usize::try_from(integer_digits.saturating_add(self.places.into()));
        let limit = digits.ok().and_then(|digits| POWERS_OF_TEN.get(digits));
        u64::from(self.places) <= places
            && limit.is_none_or(|limit| i128::from(self.units.unsigned_abs()) < *limit)
    }

    /// The value for a column of type [`ColumnType::Decimal`], in units of its last digit; `None` when a digit would be
    /// lost.
    #[must_use]
    pub fn decimal(self, precision: u8, scale: u8) -> Option<i128> {
        within(self.scaled(scale)?, precision)
    }

    /// The number in units of `10^-scale`; `None` when it has more digits than that or than 128 bits.
    fn scaled(self, scale: u8) -> Option<i128> {
        let units = i128::from(self.units);
        if let Some(shift) = scale.checked_sub(self.places) {
            return units.checked_mul(*POWERS_OF_TEN.get(usize::from(shift))?);
        }
        let power = POWERS_OF_TEN.get(usize::from(self.places - scale))?;
        (units % power == 0).then(|| units / power)
    }

    /// The double nearest to it; `None` for an integer of which a double does not keep the digits.
    #[must_use]
    pub fn double(self) -> Option<f64> {
        if self.places == 0 && self.units.unsigned_abs() > LARGEST_EXACT_DOUBLE {
            return parse_float(&self.units.to_string());
        }
        #[expect(clippy::cast_precision_loss, reason = "so many digits are a double")]
        let units = self.units as f64;
        if self.places == 0 {
            return Some(units);
        }
        #[expect(clippy::cast_precision_loss, reason = "up to the 22nd, powers of ten are doubles")]
        let one = 10_u64.pow(self.places.into()) as f64;
        // Both are doubles, so that the quotient is rounded once.
        Some(units / one)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, places } = *self;
        if places == 0 {
            return write!(f, "{units}");
        }
        let one = 10_u64.pow(places.into());
        let (sign, magnitude) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
        let (whole, fraction) = (magnitude / one, magnitude % one);
        write!(f, "{sign}{whole}.{fraction:0places$}", places = usize::from(places))
    }
}

/// The double for a JSON number: the nearest double for a fraction, the equal double for an integer. `None` when there is
/// no equal double for an integer, or it is written shorter with other digits, as 2^63 is `9.223372036854776e18`; and when
/// a fraction overflows, or underflows to zero.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    if let Some(fraction) = Fraction::parse(text) {
        return fraction.double();
    }
    let number = NumberText::parse(text)?;
    let float: f64 = text.parse().ok()?;
    let exact = !is_integer(text) || (format!("{float:.0}") == text && number.survives_as_float());
    let underflows = float == 0.0 && !is_zero(text);
    (float.is_finite() && exact && !underflows).then_some(float)
}

/// The double for a JSON number of which it keeps every digit; `None` when there is none.
#[must_use]
pub fn parse_exact_float(text: &str) -> Option<f64> {
    let number = NumberText::parse(text)?;
    is_exact_as_float(text, &number).then(|| parse_float(text))?
}

/// Whether a double keeps every digit of a JSON number, which `number` is.
pub(crate) fn is_exact_as_float(text: &str, number: &NumberText) -> bool {
    if is_integer(text) { parse_float(text).is_some() } else { number.survives_as_float() }
}

/// Whether all digits of a JSON number before its exponent are zeros.
fn is_zero(text: &str) -> bool {
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    !digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// Whether a JSON number is written as an integer. `-0` is a zero with a sign, which only a double has.
pub(crate) fn is_integer(text: &str) -> bool {
    !text.contains(['.', 'e', 'E']) && text != "-0"
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude: i64 = digits.parse().unwrap_or(i64::MAX / 4);
    let magnitude = magnitude.min(i64::MAX / 4);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// The value of a number for a column of type [`ColumnType::Decimal`], in units of its last digit;
/// `None` when a digit would be lost.
#[must_use]
pub fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    match Fraction::parse(text) {
        Some(fraction) => fraction.decimal(precision, scale),
        None => within(NumberText::parse(text)?.scaled(scale)?, precision),
    }
}

/// A value that has no more digits than that.
fn within(value: i128, precision: u8) -> Option<i128> {
    let limit = *POWERS_OF_TEN.get(usize::from(precision))?;
    (-limit < value && value < limit).then_some(value)
}

impl ColumnType {
    /// The widest decimal with `scale` digits after the point.
    #[must_use]
    pub fn widest_decimal(scale: u8) -> Self {
        Self::Decimal { precision: crate::schema::MAX_PRECISION, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p4_decimals_keep_every_digit_or_are_refused() {
        assert_eq!(parse_decimal("34.7", 18, 2), Some(3470));
        assert_eq!(parse_decimal("-0.05", 18, 2), Some(-5));
        assert_eq!(parse_decimal("12e3", 18, 2), Some(1_200_000));
        assert_eq!(parse_decimal("1.500", 18, 1), Some(15));
        assert_eq!(parse_decimal("9999999999999999.99", 18, 2), Some(999_999_999_999_999_999));
        assert_eq!(parse_decimal("10000000000000000.00", 18, 2), None);
        assert_eq!(parse_decimal("0.005", 18, 2), None);
        assert_eq!(parse_decimal("1E400", 38, 0), None);
        assert_eq!(parse_decimal("0E400", 38, 0), Some(0));
    }

    #[test]
    fn p4_an_integer_is_the_double_that_it_is_or_none() {
        for exact in ["9007199254740992", "9007199254740994", "-1", "-0", "100000000000000000000"] {
            assert_eq!(
                parse_float(exact).map(|float| format!("{float:.0}")).as_deref(),
                Some(exact)
            );
        }
        for lossy in ["9007199254740993", "-9007199254740993", "9223372036854775000", "1E400"] {
            assert_eq!(parse_float(lossy), None, "{lossy}");
        }
        // These are doubles, but as such they are written `1.152921504606847e18` and `9.223372036854776e18`.
        for shorter in ["1152921504606846976", "-9223372036854775808", "9223372036854775808"] {
            assert_eq!(parse_float(shorter), None, "{shorter}");
        }
        assert_eq!(Fraction { units: i64::MIN, places: 0 }.double(), None);
        assert_eq!(
            Fraction { units: 9_007_199_254_740_994, places: 0 }.double(),
            Some(9_007_199_254_740_994.0)
        );
        assert_eq!(parse_float("0.1"), Some(0.1));
    }

    #[test]
    fn bounds_between_two_units_are_the_unit_within() {
        let number = |text| NumberText::parse(text).unwrap();
        for (text, scale, floor, ceiling) in [
            ("1.25", 1, 12, 13),
            ("-1.25", 1, -13, -12),
            ("1.2", 2, 120, 120),
            ("-3", 0, -3, -3),
            ("0", 4, 0, 0),
            ("0.001", 2, 0, 1),
            ("-0.001", 2, -1, 0),
            ("1E60", 2, i128::MAX, i128::MAX),
        ] {
            assert_eq!(number(text).floor(scale), floor, "{text}");
            assert_eq!(number(text).ceiling(scale), ceiling, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_number_is_refused() {
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1_000", "NaN", "0x1", " 1"] {
            assert_eq!(NumberText::parse(text), None, "{text}");
        }
    }

    #[test]
    fn floats_that_would_lose_a_digit_are_known() {
        for text in [
            "0.1",
            "34.7",
            "1e22",
            "123456789012345",
            "0.30000000000000004",
            "1.7976931348623157e308",
        ] {
            assert!(NumberText::parse(text).unwrap().survives_as_float(), "{text}");
        }
        for text in ["0.1000000000000000055", "1e400", "9007199254740993", "4.9e-400"] {
            assert!(!NumberText::parse(text).unwrap().survives_as_float(), "{text}");
        }
    }
}
