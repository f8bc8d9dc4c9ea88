//! `[source.filters]` and `source.list_style`: query parameters.

use std::ops::Range;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use toml::Value;

use super::Template;
use super::checker::Checker;
use super::field::{Field, FromToml, TypeMismatch, written_as_word};
use super::problem::Problem;

/// A query parameter and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The parameter's name, exactly as the account documents it.
    pub name: String,
    /// One value, or several for a list.
    pub values: Vec<Template>,
}

/// How a filter with several values becomes query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListStyle {
    /// `status=a&status=b`
    #[default]
    Repeat,
    /// `status=a,b`
    Comma,
    /// `status[]=a&status[]=b`
    Brackets,
}

written_as_word!(ListStyle);

/// The filters as typed.
pub(super) type RawFilters = IndexMap<String, Field<RawFilter>>;

/// The value of a query parameter: one scalar, or a list of scalars.
#[derive(Debug, Clone)]
pub(super) struct RawFilter(Vec<Value>);

impl FromToml for RawFilter {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let items = match value {
            Value::Array(items) => items.clone(),
            single => vec![single.clone()],
        };
        let is_nested = |item: &Value| matches!(item, Value::Array(_) | Value::Table(_));
        if items.iter().any(is_nested) {
            return Err(TypeMismatch::new(
                "a filter is a string, a number, a boolean, a date, or a list of these",
                "write for example `status = [\"approved\", \"sent\"]`",
            ));
        }
        Ok(Self(items))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = ["string", "number", "boolean"];
        json_schema!({
            "description": "One value, or a list of values. Dates are written as in TOML or as strings.",
            "anyOf": [{ "type": scalar }, { "type": "array", "items": { "type": scalar } }],
        })
    }
}

/// The valid filters among those typed. `has_window` tells whether they may use the bounds of a window.
pub(super) fn check(raw: RawFilters, has_window: bool, checker: &mut Checker<'_>) -> Vec<Filter> {
    let filters = raw.into_iter();
    filters.filter_map(|(name, field)| filter(name, field, has_window, checker)).collect()
}

fn filter(
    name: String,
    field: Field<RawFilter>,
    has_window: bool,
    checker: &mut Checker<'_>,
) -> Option<Filter> {
    let key = format!("source.filters.{name}");
    if is_secret(&name) {
        let message = "a filter is part of the URL, which is shown and reported";
        let help = "leave it out: the API key is sent as `x-api-key`, and `[source.headers]` sends other headers";
        checker.problems.push(Problem::at(field.span, &key, message, help).hiding_the_line());
        return None;
    }
    let (RawFilter(items), span) = checker.spanned(Some(field), &key)?;
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(template(item, &span, &key, has_window, checker)?);
    }
    Some(Filter { name, values })
}

/// Whether a parameter is called as one that holds a secret.
fn is_secret(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "apikey",
        "xapikey",
        "accesskey",
        "accesstoken",
        "authtoken",
        "clientsecret",
        "secret",
        "token",
        "password",
    ];
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let letters: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.contains(&letters.as_str())
}

fn template(
    value: Value,
    span: &Range<usize>,
    key: &str,
    has_window: bool,
    checker: &mut Checker<'_>,
) -> Option<Template> {
    match value {
        Value::String(text) => {
            let field = Field { value: Ok(text), span: span.clone() };
            checker.template(Some(field), key, has_window).map(|(template, _)| template)
        }
        Value::Float(number) => Some(Template::literal(&number.to_string())),
        other => Some(Template::literal(&other.to_string())),
    }
}
