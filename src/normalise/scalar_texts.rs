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
        DataType::Float64 => typed.f64()?.iter().map(|value| Some(value?.to_string())).collect(),
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

fn decimal_text(units: i128, scale: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_with_their_scale() {
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(0, 0), "0");
        assert_eq!(decimal_text(123, 0), "123");
    }
}
