//! The definition as typed: which keys there are and what form their values have, and nothing else.
//!
//! A wrong value does not end the reading: each leaf is a [`Field`] that keeps its own error, so that one
//! look at a file finds every mistake in it.

use std::ops::Range;

use indexmap::IndexMap;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use toml::{Spanned, Value};

use super::problem::{Problem, suggest};

/// A value, or why it has the wrong form, with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Field<T> {
    pub(super) value: Result<T, String>,
    pub(super) span: Range<usize>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.span();
        let value = T::deserialize(spanned.into_inner())
            .map_err(|error| error.to_string().trim().to_owned());
        Ok(Self { value, span })
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct RawDefinition {
    pub(super) version: Option<Field<i64>>,
    pub(super) name: Option<Field<String>>,
    pub(super) description: Option<Field<String>>,
    pub(super) source: Option<RawSource>,
    pub(super) destination: Option<RawDestination>,
    pub(super) landing: Option<RawLanding>,
    #[serde(default)]
    pub(super) tables: Vec<RawTable>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct RawSource {
    pub(super) endpoint: Option<Field<String>>,
    pub(super) organisation_id: Option<Field<String>>,
    pub(super) base_url: Option<Field<String>>,
    pub(super) api_key: Option<Field<Vec<RawKeySource>>>,
    #[serde(default)]
    pub(super) filters: IndexMap<String, Field<Value>>,
    pub(super) list_style: Option<Field<String>>,
}

/// `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawKeySource {
    Env(String),
    File(String),
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct RawDestination {
    pub(super) url: Option<Field<String>>,
    pub(super) format: Option<Field<String>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct RawLanding {
    pub(super) keep: Option<Field<usize>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct RawTable {
    pub(super) name: Option<Field<String>>,
    pub(super) description: Option<Field<String>>,
    pub(super) parent: Option<Field<String>>,
    pub(super) records: Option<Field<String>>,
    pub(super) primary_key: Option<Field<Vec<String>>>,
    pub(super) write_disposition: Option<Field<String>>,
    pub(super) partition_by: Option<Field<Vec<String>>>,
    pub(super) sort_by: Option<Field<Vec<String>>>,
    #[serde(default)]
    pub(super) columns: IndexMap<String, Field<RawColumn>>,
}

/// A column: its type alone, or a table of what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct RawColumn {
    pub(super) column_type: Option<String>,
    pub(super) from: Option<String>,
    pub(super) exclude: bool,
    pub(super) description: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumnTable {
    r#type: Option<String>,
    from: Option<String>,
    #[serde(default)]
    exclude: bool,
    description: Option<String>,
}

impl<'de> Deserialize<'de> for RawColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(column_type) => {
                Ok(Self { column_type: Some(column_type), ..Self::default() })
            }
            table @ Value::Table(_) => {
                let table: RawColumnTable = table.try_into().map_err(D::Error::custom)?;
                Ok(Self {
                    column_type: table.r#type,
                    from: table.from,
                    exclude: table.exclude,
                    description: table.description,
                })
            }
            other => Err(D::Error::custom(format!(
                "a column is a type or a table, this is {}",
                other.type_str()
            ))),
        }
    }
}

/// Every key that a section may hold, by the section's path with list positions taken out.
const KEYS: [(&str, &[&str]); 5] = [
    ("", &["version", "name", "description", "source", "destination", "landing", "tables"]),
    ("source", &["endpoint", "organisation_id", "base_url", "api_key", "filters", "list_style"]),
    ("destination", &["url", "format"]),
    ("landing", &["keep"]),
    (
        "tables",
        &[
            "name",
            "description",
            "parent",
            "records",
            "primary_key",
            "write_disposition",
            "partition_by",
            "sort_by",
            "columns",
        ],
    ),
];

impl RawDefinition {
    /// Reads the text, noting what is not TOML, what is not a key of ours and what has the wrong form.
    pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let deserializer = match toml::Deserializer::parse(text) {
            Ok(deserializer) => deserializer,
            Err(error) => {
                problems.push(not_toml(&error));
                return None;
            }
        };
        let mut unknown = Vec::new();
        let read = serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()));
        // The path of an optional section has a `?` in it.
        problems.extend(unknown.iter().map(|path| unknown_key(text, &path.replace(".?", ""))));
        read.map_err(|error| problems.push(wrong_section(&error))).ok()
    }
}

fn not_toml(error: &toml::de::Error) -> Problem {
    Problem::at(
        error.span().unwrap_or(0..0),
        "definition",
        format!("this is not TOML: {}", first_line(error.message())),
        "definitions are TOML 1.0; strings stand in double quotes, tables in [brackets]",
    )
}

fn wrong_section(error: &toml::de::Error) -> Problem {
    Problem::at(
        error.span().unwrap_or(0..0),
        "definition",
        format!("this section has the wrong form: {}", first_line(error.message())),
        "sections are written as [source], [destination] and [[tables]]",
    )
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn unknown_key(text: &str, path: &str) -> Problem {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let section: Vec<&str> =
        section.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
    let section = section.join(".");
    let known = KEYS.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, keys)| keys);
    Problem {
        span: find_key(text, path),
        key: path.to_owned(),
        message: "there is no such key".to_owned(),
        help: suggest(key, known),
        sensitive: false,
    }
}

/// Where the key at a dotted `path` stands in the text.
fn find_key(text: &str, path: &str) -> Option<Range<usize>> {
    use toml::de::{DeTable, DeValue};
    let document = DeTable::parse(text).ok()?;
    let mut parts = path.split('.').peekable();
    let mut table = document.get_ref();
    loop {
        let (key, value) = table.get_key_value(parts.next()?)?;
        if parts.peek().is_none() {
            return Some(key.span());
        }
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            DeValue::Array(items) => {
                match items.get(parts.next()?.parse::<usize>().ok()?)?.get_ref() {
                    DeValue::Table(inner) => inner,
                    _ => return None,
                }
            }
            _ => return None,
        };
    }
}
