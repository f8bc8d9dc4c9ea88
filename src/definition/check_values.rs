//! The values that checks take: scalars, columns of other tables, patterns and tolerances.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
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
    /// Compiled, once it is known that there is room for it.
    whole: OnceLock<Option<Regex>>,
}

/// The most bytes of one compiled pattern, and of all patterns of a definition. Compiling takes as long as they are large.
const MOST_PATTERN_BYTES: usize = 8 << 20;
pub(super) const MOST_BYTES_OF_PATTERNS: usize = 64 << 20;
/// A pattern takes up some room in any case.
const LEAST_PATTERN_BYTES: usize = 16 << 10;

/// A text that is not a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a regular expression")]
pub struct InvalidPattern(String);

impl Pattern {
    /// Whether it matches a whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let whole = self.whole.get_or_init(|| compiled(&self.written, MOST_PATTERN_BYTES));
        whole.as_ref().is_some_and(|whole| whole.is_match(text))
    }

    /// Compiles it into what is left of the `room` for all patterns, if there is enough.
    pub(super) fn compile(&self, room: &mut usize) -> Result<(), LargePattern> {
        let mut bytes = LEAST_PATTERN_BYTES;
        while bytes <= MOST_PATTERN_BYTES.min(*room) {
            if let Some(whole) = compiled(&self.written, bytes) {
                *room -= bytes;
                self.whole.get_or_init(|| Some(whole));
                return Ok(());
            }
            bytes *= 2;
        }
        Err(LargePattern(self.written.clone()))
    }
}

/// A pattern for which there is no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is too large a regular expression, or one too many")]
pub(super) struct LargePattern(String);

/// A pattern that matches whole texts, if it takes no more than some bytes.
fn compiled(pattern: &str, bytes: usize) -> Option<Regex> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(bytes).build().ok()
}

/// Whether a text is a regular expression. Nothing is compiled.
fn is_regex(text: &str) -> bool {
    !matches!(RegexBuilder::new(text).size_limit(0).build(), Err(regex::Error::Syntax(_)))
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Alone: `a)|(b` is invalid, and would become valid inside the parentheses.
        if is_regex(text) {
            Ok(Self { written: text.to_owned(), whole: OnceLock::new() })
        } else {
            Err(InvalidPattern(text.to_owned()))
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
