//! Texts of typed scalars.

use polars::prelude::{DataType, PolarsError, PolarsResult, Series};

use crate::schema::{format_date, format_timestamp};

/// Each value of a scalar column as text, which reads back as the same value.
///
/// # Errors
/// The column has a type that no [`ColumnType`](crate::schema::ColumnType) has.
pub fn scalar_texts(typed: &Series) -> PolarsResult<Vec<Option<String>>> {
    Ok(match typed.dtype() {
        DataType::Boolean => typed.bool()?.iter().map(|value| Some(value?.to_string())).collect(),
        DataType::Int64 => typed.i64()?.iter().map(|value| Some(value?.to_string())).collect(),
        DataType::String => typed.str()?.iter().map(|value| Some(value?.to_owned())).collect(),
        DataType::Float64 => typed.f64()?.iter().map(|value| Some(float_text(value?))).collect(),
        DataType::Date => typed.date()?.physical().iter().map(|days| format_date(days?)).collect(),
        DataType::Datetime(_, _) => {
            typed.datetime()?.physical().iter().map(|instant| format_timestamp(instant?)).collect()
        }
        DataType::Decimal(_, scale) => {
            let scale = *scale;
            typed
                .decimal()?
                .physical()
                .iter()
                .map(|units| Some(decimal_text(units?, scale)))
                .collect()
        }
        other => {
            return Err(PolarsError::ComputeError(
                format!("no column type has values of type {other}").into(),
            ));
        }
    })
}

/// The shortest number that is this double. Zeros in front of the point would stand for digits that it does not have, so
/// that such a number has an exponent; one with many zeros behind the point too.
fn float_text(float: f64) -> String {
    let is_short = float == 0.0 || (1e-4..1e16).contains(&float.abs());
    if is_short { float.to_string() } else { format!("{float:e}") }
}

fn decimal_text(units: i128, scale: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_float;

    #[test]
    fn doubles_are_written_as_short_as_they_can_be_and_read_back() {
        for (float, expected) in [
            (5.0, "5"),
            (-0.0, "-0"),
            (10.1, "10.1"),
            (9_007_199_254_740_994.0, "9007199254740994"),
            (9_223_372_036_854_775_808.0, "9.223372036854776e18"),
            (1e16, "1e16"),
            (-1e300, "-1e300"),
            (f64::MAX, "1.7976931348623157e308"),
            (0.0001, "0.0001"),
            (2.5e-8, "2.5e-8"),
            (5e-324, "5e-324"),
        ] {
            let text = float_text(float);
            assert_eq!(text, expected);
            assert_eq!(parse_float(&text).map(f64::to_bits), Some(float.to_bits()), "{text}");
        }
    }

    #[test]
    fn decimals_are_written_with_their_scale() {
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(0, 0), "0");
        assert_eq!(decimal_text(123, 0), "123");
    }
}
