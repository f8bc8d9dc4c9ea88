//! The types a column can have, as definitions write them and manifests keep them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most digits a decimal can have: what 128 bits hold.
pub const MAX_PRECISION: u8 = 38;

/// The type of a column in Parquet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// `true` or `false`.
    Bool,
    /// A 64-bit signed integer.
    Int64,
    /// A 64-bit binary floating point number.
    Float64,
    /// An exact decimal number: so many digits in all, so many of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// A calendar day.
    Date,
    /// An instant, in microseconds of UTC.
    Timestamp,
    /// UTF-8 text.
    String,
    /// A list of scalars.
    List(Box<ColumnType>),
}

/// A type that is not one of ours, with the forms that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a column type")]
pub struct InvalidColumnType(String);

impl ColumnType {
    /// The forms a definition may write.
    pub const FORMS: [&str; 8] = [
        "bool",
        "int64",
        "float64",
        "decimal(18,2)",
        "date",
        "timestamp",
        "string",
        "list<string>",
    ];
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::String => f.write_str("string"),
            Self::List(inner) => write!(f, "list<{inner}>"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = InvalidColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        parse(&compact).ok_or_else(|| InvalidColumnType(text.to_owned()))
    }
}

impl TryFrom<String> for ColumnType {
    type Error = InvalidColumnType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(column_type: ColumnType) -> Self {
        column_type.to_string()
    }
}

fn parse(text: &str) -> Option<ColumnType> {
    if let Some(inner) = text.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        let inner = parse(inner)?;
        return (!matches!(inner, ColumnType::List(_))).then(|| ColumnType::List(Box::new(inner)));
    }
    if let Some(digits) = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
        let (precision, scale) = digits.split_once(',')?;
        let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
        let valid = (1..=MAX_PRECISION).contains(&precision) && scale <= precision;
        return valid.then_some(ColumnType::Decimal { precision, scale });
    }
    match text {
        "bool" => Some(ColumnType::Bool),
        "int64" => Some(ColumnType::Int64),
        "float64" => Some(ColumnType::Float64),
        "date" => Some(ColumnType::Date),
        "timestamp" => Some(ColumnType::Timestamp),
        "string" => Some(ColumnType::String),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_it_is_written() {
        for form in ColumnType::FORMS {
            assert_eq!(form.parse::<ColumnType>().unwrap().to_string(), form);
        }
    }

    #[test]
    fn impossible_types_are_refused() {
        for form in
            ["decimal(39,2)", "decimal(2,3)", "decimal(0,0)", "list<list<string>>", "text", ""]
        {
            assert!(form.parse::<ColumnType>().is_err(), "{form}");
        }
    }
}
