//! The types a column can have, as definitions write them and manifests keep them.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::schema::ColumnName;
use crate::shown;

/// The most levels of objects and lists that a type has. Readers of Parquet, and of the JSON that keeps schemas, limit how
/// deep they recurse.
pub const MOST_LEVELS: usize = 32;

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
    /// An exact decimal number.
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
    /// Any JSON value as canonical text.
    Json,
    /// A list.
    List(Box<ColumnType>),
    /// An object, of at least one field.
    Struct(Vec<StructField>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Its name, which no other field of the object has.
    pub name: ColumnName,
    /// Its type.
    pub column_type: ColumnType,
}

/// A text that is not a column type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a column type")]
pub struct InvalidColumnType(String);

impl ColumnType {
    /// The forms a definition may write.
    pub const FORMS: [&str; 10] = [
        "bool",
        "int64",
        "float64",
        "decimal(18,2)",
        "date",
        "timestamp",
        "string",
        "list<string>",
        "struct<name: string, amount: decimal(18,2)>",
        "json",
    ];

    /// Whether it is neither a list nor an object.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Struct(_))
    }

    /// Whether the later of two versions of a record is told by it: a number, a date or a timestamp.
    #[must_use]
    pub fn has_order(&self) -> bool {
        !matches!(self, Self::Bool | Self::String | Self::Json | Self::List(_) | Self::Struct(_))
    }

    /// Whether a column of the type `before` may become one of this type without leaving its family: numbers stay
    /// numbers, times times, lists lists, and objects keep their fields. A column of text may be one that has had no
    /// values yet.
    #[must_use]
    pub fn is_in_family_of(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::String, _) | (Self::Bool, Self::Bool) => true,
            (Self::Int64 | Self::Float64 | Self::Decimal { .. }, after) => {
                matches!(after, Self::Int64 | Self::Float64 | Self::Decimal { .. })
            }
            (Self::Date | Self::Timestamp, after) => {
                matches!(after, Self::Date | Self::Timestamp)
            }
            (Self::List(before), Self::List(after)) => after.is_in_family_of(before),
            (Self::Struct(before), Self::Struct(after)) => before.iter().all(|field| {
                let now = after.iter().find(|now| now.name == field.name);
                now.is_some_and(|now| now.column_type.is_in_family_of(&field.column_type))
            }),
            _ => false,
        }
    }

    /// Whether every value of the type `before` has the same text as one of this type. Directories of partitions are
    /// named by it.
    #[must_use]
    pub fn keeps_texts_of(&self, before: &Self) -> bool {
        match (before, self) {
            (before, after) if before == after => true,
            (before, Self::String) => before.is_scalar() && *before != Self::Float64,
            (Self::Int64, Self::Decimal { scale: 0, .. }) => true,
            _ => false,
        }
    }

    /// Whether an object has fields that it does not have in the type `before`, at any depth.
    #[must_use]
    pub fn adds_fields_to(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::List(before), Self::List(after)) => after.adds_fields_to(before),
            (Self::Struct(before), Self::Struct(after)) => after.iter().any(|field| {
                let old = before.iter().find(|old| old.name == field.name);
                old.is_none_or(|old| field.column_type.adds_fields_to(&old.column_type))
            }),
            _ => false,
        }
    }

    /// Whether objects may have more fields than in the type `before`, and nothing else differs.
    #[must_use]
    pub fn only_adds_fields_to(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::List(before), Self::List(after)) => after.only_adds_fields_to(before),
            (Self::Struct(before), Self::Struct(after)) => before.iter().all(|old| {
                let new = after.iter().find(|field| field.name == old.name);
                new.is_some_and(|new| new.column_type.only_adds_fields_to(&old.column_type))
            }),
            _ => self == before,
        }
    }

    /// The type of the scalars in a column of scalars or of lists of them.
    #[must_use]
    pub fn scalars(&self) -> Option<&Self> {
        match self {
            Self::List(items) => Some(&**items).filter(|items| items.is_scalar()),
            other => Some(other).filter(|other| other.is_scalar()),
        }
    }

    /// The same type, in which the fields that `before` has too come first, in its order.
    #[must_use]
    pub fn in_order_of(self, before: &Self) -> Self {
        match (self, before) {
            (Self::List(items), Self::List(before)) => {
                Self::List(Box::new(items.in_order_of(before)))
            }
            // An object may have become a list of it.
            (Self::List(items), before) => Self::List(Box::new(items.in_order_of(before))),
            (Self::Struct(mut fields), Self::Struct(before)) => {
                let place = |name: &ColumnName| {
                    before.iter().position(|field| field.name == *name).unwrap_or(before.len())
                };
                fields.sort_by_key(|field| place(&field.name));
                let fields = fields.into_iter().map(|StructField { name, column_type }| {
                    let column_type = match before.get(place(&name)) {
                        Some(before) => column_type.in_order_of(&before.column_type),
                        None => column_type,
                    };
                    StructField { name, column_type }
                });
                Self::Struct(fields.collect())
            }
            (other, _) => other,
        }
    }

    /// Whether it is a scalar or a list of scalars, as columns are with `nested = "tables"`.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.scalars().is_some()
    }
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
            Self::Json => f.write_str("json"),
            Self::List(inner) => write!(f, "list<{inner}>"),
            Self::Struct(fields) => {
                let fields = fields.iter().map(StructField::to_string).collect::<Vec<_>>();
                write!(f, "struct<{}>", fields.join(", "))
            }
        }
    }
}

impl fmt::Display for StructField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.column_type)
    }
}

impl FromStr for ColumnType {
    type Err = InvalidColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if compact == "json" {
            // A whole column is kept as JSON, never a part of one.
            return Ok(Self::Json);
        }
        let is_too_deep = levels(&compact) > MOST_LEVELS;
        let parsed = if is_too_deep { None } else { parse(&compact) };
        parsed.ok_or_else(|| InvalidColumnType(shown::quoted(text)))
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

/// How deep brackets are nested.
fn levels(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn parse(text: &str) -> Option<ColumnType> {
    if let Some(inner) = text.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        return Some(ColumnType::List(Box::new(parse(inner)?)));
    }
    if let Some(fields) = text.strip_prefix("struct<").and_then(|rest| rest.strip_suffix('>')) {
        return parse_fields(fields).map(ColumnType::Struct);
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

fn parse_fields(text: &str) -> Option<Vec<StructField>> {
    let mut fields: Vec<StructField> = Vec::new();
    let mut names = HashSet::new();
    for field in split_outside_brackets(text) {
        let (name, column_type) = field.split_once(':')?;
        let field = StructField { name: name.parse().ok()?, column_type: parse(column_type)? };
        if !names.insert(field.name.clone()) {
            return None;
        }
        fields.push(field);
    }
    Some(fields)
}

/// Splits a text at its commas, except those in brackets.
fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, character) in text.char_indices() {
        match character {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_it_is_written() {
        for form in ColumnType::FORMS {
            assert_eq!(form.parse::<ColumnType>().unwrap().to_string(), form);
        }
        let nested = "list<struct<a: list<list<decimal(38,0)>>, b: struct<c: bool>, d: date>>";
        assert_eq!(nested.parse::<ColumnType>().unwrap().to_string(), nested);
    }

    #[test]
    fn impossible_types_are_refused() {
        for form in [
            "decimal(39,2)",
            "decimal(2,3)",
            "decimal(0,0)",
            "list<>",
            "list<json>",
            "struct<a: json>",
            "list<string",
            "struct<>",
            "struct<a>",
            "struct<a: int64, a: string>",
            "struct<A: int64>",
            "struct<a: int64>, b: int64",
            "struct<a: struct<b: int64>",
            "text",
            "",
        ] {
            assert!(form.parse::<ColumnType>().is_err(), "{form}");
        }
    }
}
