//! Checks: what the author promises of the values of a table, and what a run does when a row breaks it.

use std::fmt;
use std::str::FromStr;

use regex::Regex;
use serde::{Serialize, Serializer};

use crate::schema::{ColumnName, NumberText, TableName};

/// One promise, and what becomes of rows that break it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The promise.
    pub rule: CheckRule,
    /// What is done about a row that breaks it.
    pub on_failure: OnFailure,
}

/// What a check says. Null breaks [`CheckRule::NotNull`] and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckRule {
    /// Every row has a value.
    NotNull(ColumnName),
    /// No two rows of an export have the same values; null is not the same as anything.
    Unique(Vec<ColumnName>),
    /// A value is one of these.
    AcceptedValues {
        /// The column.
        column: ColumnName,
        /// The values, as text.
        values: Vec<String>,
    },
    /// A value is not less than one bound and not greater than the other.
    Range {
        /// The column.
        column: ColumnName,
        /// The least.
        min: Option<String>,
        /// The greatest.
        max: Option<String>,
    },
    /// The whole of a value's text has this form.
    Matches {
        /// The column.
        column: ColumnName,
        /// The form.
        pattern: Pattern,
    },
    /// A value stands in a column of another table of the same record.
    References {
        /// The column.
        column: ColumnName,
        /// Where it has to stand.
        to: ColumnOf,
    },
    /// The values of a child table's rows add up to the value of their parent's row.
    Sum {
        /// What is added up.
        of: ColumnOf,
        /// What it has to be.
        equals: ColumnName,
        /// By how much the two may differ.
        tolerance: Tolerance,
    },
}

/// What is done about a row that breaks a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Its record goes to quarantine.
    #[default]
    Quarantine,
    /// It is loaded, and counted.
    Warn,
    /// The run ends, and changes nothing.
    Fail,
}

impl OnFailure {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 3] =
        [("quarantine", Self::Quarantine), ("warn", Self::Warn), ("fail", Self::Fail)];
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, choice)| choice == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl CheckRule {
    /// The word for it in definitions and reports.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotNull(_) => "not_null",
            Self::Unique(_) => "unique",
            Self::AcceptedValues { .. } => "accepted_values",
            Self::Range { .. } => "range",
            Self::Matches { .. } => "matches",
            Self::References { .. } => "references",
            Self::Sum { .. } => "sum",
        }
    }

    /// The columns of the checked table that it looks at.
    #[must_use]
    pub fn columns(&self) -> &[ColumnName] {
        match self {
            Self::Unique(columns) => columns,
            Self::NotNull(column)
            | Self::AcceptedValues { column, .. }
            | Self::Range { column, .. }
            | Self::Matches { column, .. }
            | Self::References { column, .. }
            | Self::Sum { equals: column, .. } => std::slice::from_ref(column),
        }
    }

    /// The column of another table that it looks at.
    #[must_use]
    pub fn other(&self) -> Option<&ColumnOf> {
        match self {
            Self::References { to, .. } => Some(to),
            Self::Sum { of, .. } => Some(of),
            _ => None,
        }
    }
}

impl fmt::Display for CheckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull(column) => write!(f, "not_null({column})"),
            Self::Unique(columns) => {
                let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
                write!(f, "unique({})", names.join(", "))
            }
            Self::AcceptedValues { column, .. } => write!(f, "accepted_values({column})"),
            Self::Range { column, .. } => write!(f, "range({column})"),
            Self::Matches { column, .. } => write!(f, "matches({column})"),
            Self::References { column, to } => write!(f, "references({column}, {to})"),
            Self::Sum { of, equals, .. } => write!(f, "sum({of}) = {equals}"),
        }
    }
}

/// A column of a named table, written `lines.amount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnOf {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: ColumnName,
}

/// A text that names no column of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a column of a table")]
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

/// A regular expression that a whole text has to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

/// A text that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a regular expression")]
pub struct InvalidPattern(String);

impl Pattern {
    /// Whether all of a text has this form.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // By itself first: `a)|(b` is none, and would be one within the parentheses.
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

/// By how much a sum may differ from what it has to be: a decimal number that is not negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tolerance(String);

/// A text that is no tolerance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number that is zero or more")]
pub struct InvalidTolerance(String);

impl Tolerance {
    /// The number.
    #[must_use]
    pub fn number(&self) -> NumberText {
        // It was one when it was read.
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
