//! The values that checks take: scalars, columns of other tables, patterns and tolerances.

use std::fmt;
use std::str::FromStr;

use regex::Regex;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use toml::Value;

use super::field::{FromToml, TextForm, TypeMismatch};
use super::names::NAME;
use crate::schema::{ColumnName, NumberText, TableName};

/// A column of a named table, written `lines.amount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnOf {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: ColumnName,
}

/// A text that is not a table and a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a table and its column")]
pub struct InvalidColumnOf(String);

impl FromStr for ColumnOf {
    type Err = InvalidColumnOf;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = text.split_once('.').and_then(|(table, column)| {
            Some(Self { table: table.parse().ok()?, column: column.parse().ok()? })
        });
        named.ok_or_else(|| InvalidColumnOf(text.to_owned()))
    }
}

impl Serialize for ColumnOf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ColumnOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A regular expression that matches whole texts.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

/// A text that is not a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a regular expression")]
pub struct InvalidPattern(String);

impl Pattern {
    /// Whether it matches a whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Alone first: `a)|(b` is invalid, and would become valid inside the parentheses.
        match Regex::new(text).and_then(|_| Regex::new(&format!(r"\A(?:{text})\z"))) {
            Ok(whole) => Ok(Self { written: text.to_owned(), whole }),
            Err(_) => Err(InvalidPattern(text.to_owned())),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The largest difference allowed between a sum and its column: a decimal number of at least 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tolerance(String);

/// A text that is not a tolerance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of at least 0")]
pub struct InvalidTolerance(String);

impl Tolerance {
    /// The number.
    #[must_use]
    pub fn number(&self) -> NumberText {
        // Parsing has checked it.
        NumberText::parse(&self.0).unwrap_or_else(NumberText::zero)
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

impl FromStr for Tolerance {
    type Err = InvalidTolerance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match NumberText::parse(text) {
            Some(_) if !text.starts_with('-') => Ok(Self(text.to_owned())),
            _ => Err(InvalidTolerance(text.to_owned())),
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A string, a number, a boolean or a date, as text.
pub(super) struct Scalar(pub(super) String);

impl FromToml for Scalar {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::String(text) => Ok(Self(text.clone())),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
                Ok(Self(value.to_string()))
            }
            Value::Array(_) | Value::Table(_) => {
                let help = "write a number, or a string in double quotes";
                Err(TypeMismatch::of(value, "one value", help))
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl TextForm for ColumnOf {
    fn pattern() -> String {
        format!(r"^{NAME}\.{NAME}$")
    }

    fn help(_: &str) -> String {
        "write the table and its column, like `lines.amount`".to_owned()
    }
}

impl TextForm for Pattern {
    fn pattern() -> String {
        // Which texts are regular expressions, no regular expression tells.
        String::new()
    }

    fn help(_: &str) -> String {
        "write a regular expression for the whole value, like `[A-Z]{3}`".to_owned()
    }
}

impl FromToml for Tolerance {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let Scalar(text) = Scalar::read(value)?;
        text.parse().map_err(|error: InvalidTolerance| {
            TypeMismatch::new(error.to_string(), "write a number, like `\"0.01\"`")
        })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]" },
        ] })
    }
}
