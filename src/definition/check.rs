//! `checks`: what the rows of a table have to satisfy, and what a run does with rows that do not.
//!
//! A check is one rule, its column, and the keys that the rule takes: see [`RULES`].

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::{Table, Value};

use super::check_values::{ColumnOf, Pattern, Scalar, Tolerance};
use super::field::{FromToml, List, Members, TypeMismatch, written_as_word};
use super::problem::{nearest, suggest};
use crate::schema::ColumnName;

/// One rule, and what happens to rows that break it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The rule.
    pub rule: CheckRule,
    /// What happens to a row that breaks it.
    pub on_failure: OnFailure,
}

/// The rule of a check. Null breaks [`CheckRule::NotNull`] and no other rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckRule {
    /// Every row has a value.
    NotNull(ColumnName),
    /// No two rows of an export have the same values. Null equals nothing.
    Unique(Vec<ColumnName>),
    /// Every value is one of a set.
    AcceptedValues {
        /// The column.
        column: ColumnName,
        /// The values, as text.
        values: Vec<String>,
    },
    /// Every value is within bounds, both included.
    Range {
        /// The column.
        column: ColumnName,
        /// The lower bound.
        min: Option<String>,
        /// The upper bound.
        max: Option<String>,
    },
    /// Every value matches a regular expression as a whole.
    Matches {
        /// The column.
        column: ColumnName,
        /// The regular expression.
        pattern: Pattern,
    },
    /// Every value is in a column of another table, in the same record.
    References {
        /// The column.
        column: ColumnName,
        /// The other column.
        to: ColumnOf,
    },
    /// The values of a record's child rows add up to a column of their parent row.
    Sum {
        /// The column that is added up.
        of: ColumnOf,
        /// The column that the sum has to equal.
        equals: ColumnName,
        /// The largest difference allowed.
        tolerance: Tolerance,
    },
}

/// What happens to a row that breaks a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Its record is quarantined.
    #[default]
    Quarantine,
    /// It is loaded and counted.
    Warn,
    /// The run fails and changes nothing.
    Fail,
}

written_as_word!(OnFailure);

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl CheckRule {
    /// Its name in definitions and reports.
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

    /// The columns of the checked table that it reads.
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

    /// The column of another table that it reads.
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

/// The rules, with the keys that each takes.
const RULES: [(&str, &[&str]); 7] = [
    ("not_null", &[]),
    ("unique", &[]),
    ("accepted_values", &["values"]),
    ("range", &["min", "max"]),
    ("matches", &["pattern"]),
    ("references", &["to"]),
    ("sum", &["equals", "tolerance"]),
];

/// The columns of `unique`: one, or several in an array.
struct UniqueColumns(Vec<ColumnName>);

impl FromToml for UniqueColumns {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        if !value.is_array() {
            return Ok(Self(vec![ColumnName::read(value)?]));
        }
        let columns: Vec<ColumnName> =
            List::read(value)?.0.into_iter().collect::<Result<_, _>>()?;
        if columns.is_empty() {
            let help = "name at least one column, as in `unique = [\"number\"]`";
            return Err(TypeMismatch::new("needs at least one column", help));
        }
        Ok(Self(columns))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let name = ColumnName::schema(generator);
        json_schema!({ "anyOf": [name, { "type": "array", "items": name, "minItems": 1 }] })
    }
}

impl FromToml for Check {
    const LIST_EXAMPLE: &'static str = "[{ not_null = \"supplier_id\" }]";

    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let Value::Table(table) = value else {
            let help = format!("write `checks = {}`", Self::LIST_EXAMPLE);
            return Err(TypeMismatch::of(value, "a check", help));
        };
        let name = rule_of(table)?;
        refuse_other_keys(name, table)?;
        let mut members = Members::new(name, table);
        let rule = rule(name, &mut members)?;
        let on_failure = members.take("on_failure")?.unwrap_or_default();
        Ok(Self { rule, on_failure })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let rules: Vec<Schema> =
            RULES.iter().map(|(name, keys)| rule_schema(name, keys, generator)).collect();
        json_schema!({
            "description": "What the rows of a table have to satisfy.",
            "anyOf": rules,
        })
    }
}

/// The one rule of a check.
fn rule_of(table: &Table) -> Result<&'static str, TypeMismatch> {
    let names = RULES.map(|(name, _)| name);
    let rules: Vec<&str> = names.into_iter().filter(|name| table.contains_key(*name)).collect();
    match rules.as_slice() {
        [rule] => Ok(rule),
        [] => {
            let typed = table.keys().find(|key| nearest(key, &names).is_some());
            let (message, help) = match typed {
                Some(key) => (format!("a check has no rule `{key}`"), suggest(key, &names)),
                None => ("a check without a rule".to_owned(), suggest("", &names)),
            };
            Err(TypeMismatch::new(message, help))
        }
        several => Err(TypeMismatch::new(
            format!("a check with several rules: {}", several.join(", ")),
            "write one check for each rule",
        )),
    }
}

fn refuse_other_keys(name: &'static str, table: &Table) -> Result<(), TypeMismatch> {
    let keys = RULES.iter().find(|(rule, _)| *rule == name).map_or(&[][..], |(_, keys)| keys);
    let known: Vec<&str> = keys.iter().copied().chain(["on_failure", name]).collect();
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            Err(TypeMismatch::new(format!("`{name}` has no key `{key}`"), suggest(key, &known)))
        }
    }
}

fn rule(name: &'static str, members: &mut Members<'_>) -> Result<CheckRule, TypeMismatch> {
    Ok(match name {
        "not_null" => CheckRule::NotNull(column(name, members)?),
        "unique" => {
            let columns = members.take::<UniqueColumns>(name)?;
            CheckRule::Unique(columns.map_or_else(Vec::new, |UniqueColumns(columns)| columns))
        }
        "accepted_values" => {
            let column = column(name, members)?;
            let values = members.take_list::<Scalar>("values")?;
            let values = values.filter(|values| !values.is_empty());
            let values = needed(name, values, "values = [\"approved\", \"sent\"]")?;
            let values = values.into_iter().map(|Scalar(value)| value).collect();
            CheckRule::AcceptedValues { column, values }
        }
        "range" => {
            let column = column(name, members)?;
            let min = members.take("min")?.map(|Scalar(bound)| bound);
            let max = members.take("max")?.map(|Scalar(bound)| bound);
            if min.is_none() && max.is_none() {
                return Err(TypeMismatch::new(
                    "`range` needs a bound",
                    "add `min = 0`, or a `max`",
                ));
            }
            CheckRule::Range { column, min, max }
        }
        "matches" => {
            let column = column(name, members)?;
            let pattern = needed(name, members.take("pattern")?, "pattern = \"[A-Z]{3}\"")?;
            CheckRule::Matches { column, pattern }
        }
        "references" => {
            let column = column(name, members)?;
            CheckRule::References {
                column,
                to: needed(name, members.take("to")?, "to = \"lots.id\"")?,
            }
        }
        _ => CheckRule::Sum {
            of: needed(name, members.take(name)?, "sum = \"lines.amount\"")?,
            equals: needed(name, members.take("equals")?, "equals = \"total_amount\"")?,
            tolerance: members.take("tolerance")?.unwrap_or_default(),
        },
    })
}

/// The column that a rule is about.
fn column(rule: &'static str, members: &mut Members<'_>) -> Result<ColumnName, TypeMismatch> {
    needed(rule, members.take(rule)?, "not_null = \"supplier_id\"")
}

/// The value of a key that a rule cannot do without.
fn needed<T>(rule: &str, value: Option<T>, example: &str) -> Result<T, TypeMismatch> {
    let name = example.split_once(' ').map_or(example, |(name, _)| name);
    let missing =
        || TypeMismatch::new(format!("`{rule}` needs `{name}`"), format!("add `{example}`"));
    value.ok_or_else(missing)
}

fn rule_schema(name: &str, keys: &[&str], generator: &mut SchemaGenerator) -> Schema {
    let mut properties = serde_json::Map::new();
    for key in keys.iter().chain(&[name, "on_failure"]) {
        properties.insert((*key).to_owned(), key_schema(key, generator).to_value());
    }
    let mut schema = json_schema!({
        "type": "object",
        "additionalProperties": false,
        "required": [name],
        "properties": properties,
    });
    let more = match name {
        "range" => ("anyOf", json!([{ "required": ["min"] }, { "required": ["max"] }])),
        "sum" => ("required", json!(["sum", "equals"])),
        _ => ("required", json!(std::iter::once(&name).chain(keys).collect::<Vec<_>>())),
    };
    schema.insert(more.0.to_owned(), more.1);
    schema
}

fn key_schema(key: &str, generator: &mut SchemaGenerator) -> Schema {
    let (mut schema, description) = match key {
        "unique" => (
            UniqueColumns::schema(generator),
            "The column, or the columns that are unique together.",
        ),
        "values" => (
            json_schema!({ "type": "array", "items": Scalar::schema(generator), "minItems": 1 }),
            "The values allowed.",
        ),
        "min" => (Scalar::schema(generator), "The lower bound."),
        "max" => (Scalar::schema(generator), "The upper bound."),
        "pattern" => (String::schema(generator), "A regular expression for the whole value."),
        "to" => (
            ColumnOf::schema(generator),
            "A column of another table of the same record, as in `lots.id`.",
        ),
        "sum" => (
            ColumnOf::schema(generator),
            "The column of a child table that is added up, as in `lines.amount`.",
        ),
        "equals" => (ColumnName::schema(generator), "The column that the sum has to equal."),
        "tolerance" => {
            (Tolerance::schema(generator), "The largest difference allowed; 0 by default.")
        }
        "on_failure" => {
            (OnFailure::schema(generator), "What happens to a row that breaks the check.")
        }
        _ => (ColumnName::schema(generator), "The column."),
    };
    schema.insert("description".to_owned(), description.into());
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Check, TypeMismatch> {
        let table: Table = format!("check = {toml}").parse().unwrap();
        Check::read(&table["check"])
    }

    #[test]
    fn each_rule_is_read_with_its_keys() {
        for (toml, shown) in [
            ("{ not_null = 'a' }", "not_null(a)"),
            ("{ unique = 'a' }", "unique(a)"),
            ("{ unique = ['a', 'b'] }", "unique(a, b)"),
            ("{ accepted_values = 'a', values = [1, 'x'] }", "accepted_values(a)"),
            ("{ range = 'a', min = 0 }", "range(a)"),
            ("{ matches = 'a', pattern = '[A-Z]' }", "matches(a)"),
            ("{ references = 'a', to = 'b.c' }", "references(a, b.c)"),
            ("{ sum = 'b.c', equals = 'a', tolerance = 0.1 }", "sum(b.c) = a"),
        ] {
            assert_eq!(read(toml).unwrap().rule.to_string(), shown);
        }
        assert_eq!(
            read("{ not_null = 'a', on_failure = 'warn' }").unwrap().on_failure,
            OnFailure::Warn
        );
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        for (toml, message) in [
            ("{ notnull = 'a' }", "a check has no rule `notnull`"),
            ("{ on_failure = 'warn' }", "a check without a rule"),
            ("{ not_null = 'a', unique = 'a' }", "a check with several rules: not_null, unique"),
            ("{ range = 'a', mini = 0 }", "`range` has no key `mini`"),
            ("{ range = 'a' }", "`range` needs a bound"),
            ("{ unique = [] }", "`unique`: needs at least one column"),
            ("{ accepted_values = 'a', values = [] }", "`accepted_values` needs `values`"),
            ("'a'", "expected a check, found a string"),
        ] {
            assert_eq!(read(toml).unwrap_err().message, message, "{toml}");
        }
    }
}
