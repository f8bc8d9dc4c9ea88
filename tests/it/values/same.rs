//! Whether a value that the `parquet` crate has read says what stood in the JSON.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use parquet::data_type::Decimal;
use parquet::record::Field;

use super::json::Json;

/// How closely a value has to be what stood in the JSON.
#[derive(Debug, Clone, Copy)]
pub struct Closeness {
    /// Its text, if it is one, character by character: its column has been text since the value came. Otherwise it may
    /// be the text of the type that the column had before.
    pub verbatim: bool,
    /// Its column is declared of its type: a double only has to be the nearest one, and a zero has no sign where the type
    /// has none. Otherwise every digit survives.
    pub declared: bool,
    /// A number or a boolean may stand in quotes, since the column takes what fits its type. Otherwise that is text.
    pub unquoted: bool,
}

/// Whether a value of Parquet, neither a list nor an object, says what a scalar of the JSON says, all of it.
pub fn is_same(read: &Field, json: &Json, closeness: Closeness) -> bool {
    match (read, json) {
        (Field::Bool(read), Json::Bool(value)) => read == value,
        (Field::Long(read), Json::Number(text)) => {
            let read = read.to_string();
            exactly(&read) == exactly(text) || closeness.declared && is_equal(&read, text)
        }
        (Field::Double(read), Json::Number(text)) => is_double(*read, text, closeness.declared),
        (Field::Decimal(read), Json::Number(text)) => is_equal(&decimal(read), text),
        (Field::Str(read), Json::Bool(value)) => *read == value.to_string(),
        (Field::Str(read), Json::Number(text)) => {
            read == text || !closeness.verbatim && is_number(read) && is_equal(read, text)
        }
        (Field::Str(read), Json::Text(text)) => {
            let is_equal = || instant(text).is_some_and(|it| instant(read) == Some(it));
            read == text || !closeness.verbatim && is_equal()
        }
        (Field::Date(days), Json::Text(text)) => {
            text.len() == 10 && instant(text) == Some(i64::from(*days) * 86_400_000_000)
        }
        (Field::TimestampMicros(read), Json::Text(text)) => instant(text) == Some(*read),
        (
            Field::Bool(_) | Field::Long(_) | Field::Double(_) | Field::Decimal(_),
            Json::Text(text),
        ) => {
            let unquoted =
                Json::try_parse(text).filter(|it| matches!(it, Json::Number(_) | Json::Bool(_)));
            closeness.unquoted && unquoted.is_some_and(|json| is_same(read, &json, closeness))
        }
        _ => false,
    }
}

/// A double is the shortest number that reads back as it, and an integer is also equal to it. Where it only has to be the
/// nearest one, a fraction may have more digits.
fn is_double(read: f64, text: &str, nearest: bool) -> bool {
    let is_nearest = || text.parse::<f64>().is_ok_and(|it| it.to_bits() == read.to_bits());
    let has_digits = exactly(&format!("{read:e}")) == exactly(text);
    if text.contains(['.', 'e', 'E']) {
        has_digits || nearest && is_nearest()
    } else {
        has_digits && format!("{read:.0}") == *text
    }
}

/// A decimal with its digits and its power of ten.
fn decimal(read: &Decimal) -> String {
    let is_negative = read.data().first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if is_negative { -1_i128 } else { 0 };
    let units = read.data().iter().fold(start, |units, byte| units << 8 | i128::from(*byte));
    format!("{units}e-{}", read.scale())
}

fn is_number(text: &str) -> bool {
    matches!(Json::try_parse(text), Some(Json::Number(_)))
}

/// Whether two numbers are equal. The negative zero may have been in a decimal, which has none.
fn is_equal(read: &str, text: &str) -> bool {
    let ((sign, number), (stood, expected)) = (exactly(read), exactly(text));
    number == expected && (sign == stood || !sign && number.0.is_empty())
}

/// A number: whether it has a sign; its digits without zeros at the ends, and the power of ten of the last one.
fn exactly(number: &str) -> (bool, (String, i64)) {
    let unsigned = number.trim_start_matches('-');
    let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).unwrap();
    let power = power.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap() + zeros;
    let significant = significant.trim_start_matches('0').to_owned();
    let power = if significant.is_empty() { 0 } else { power };
    (unsigned.len() < number.len(), (significant, power))
}

/// Microseconds since 1970 of a date or timestamp in ISO 8601, as chrono reads it.
pub fn instant(text: &str) -> Option<i64> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    }
    let text = text.replace('T', " ");
    let zoned = DateTime::parse_from_str(&text.replace('Z', "+00"), "%Y-%m-%d %H:%M:%S%.f%#z");
    if let Ok(zoned) = zoned {
        return Some(zoned.timestamp_micros());
    }
    let plain = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(plain.and_utc().timestamp_micros())
}
