//! `checks` of `[[tables]]`.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use super::Checker;
use crate::definition::form::RawCheck;
use crate::definition::problem::suggest;
use crate::definition::raw::Field;
use crate::definition::{Check, CheckRule, OnFailure, Table};
use crate::schema::{ColumnName, TableName};

/// The keys that go with each rule.
const KEYS: [(&str, &[&str]); 7] = [
    ("not_null", &[]),
    ("unique", &[]),
    ("accepted_values", &["values"]),
    ("range", &["min", "max"]),
    ("matches", &["pattern"]),
    ("references", &["to"]),
    ("sum", &["equals", "tolerance"]),
];

const COLUMN_HELP: &str = "use the column's name in the table, like `created_at`";

impl Checker<'_> {
    pub(super) fn checks(&mut self, field: Option<Field<Vec<RawCheck>>>, key: &str) -> Vec<Check> {
        let Some((raw, span)) = self.spanned(field, key) else { return Vec::new() };
        raw.iter().filter_map(|check| self.check(check, &span, key)).collect()
    }

    fn check(&mut self, raw: &RawCheck, span: &Range<usize>, key: &str) -> Option<Check> {
        let [(rule, columns)] = raw.rules.as_slice() else {
            let message = if raw.rules.is_empty() {
                "a check without a rule".to_owned()
            } else {
                let words: Vec<&str> = raw.rules.iter().map(|(word, _)| *word).collect();
                format!("a check with several rules: {}", words.join(", "))
            };
            let words: Vec<&str> = KEYS.iter().map(|(word, _)| *word).collect();
            let help = format!("write one check for each rule; the rules are {}", words.join(", "));
            self.report(span.clone(), key, message, help);
            return None;
        };
        let on_failure =
            raw.on_failure.clone().map(|word| Field { value: Ok(word), span: span.clone() });
        let on_failure = match on_failure {
            Some(word) => self.choice(Some(word), key, &OnFailure::WORDS)?,
            None => OnFailure::default(),
        };
        self.keys_of_rule(raw, rule, span, key)?;
        let rule = self.rule(raw, rule, columns, span, key)?;
        Some(Check { rule, on_failure })
    }

    /// Every key there is has to be one that the rule takes.
    fn keys_of_rule(
        &mut self,
        raw: &RawCheck,
        rule: &str,
        span: &Range<usize>,
        key: &str,
    ) -> Option<()> {
        let taken = KEYS.iter().find(|(word, _)| *word == rule).map_or(&[][..], |(_, keys)| keys);
        let written = [
            ("values", raw.values.is_some()),
            ("min", raw.min.is_some()),
            ("max", raw.max.is_some()),
            ("pattern", raw.pattern.is_some()),
            ("to", raw.to.is_some()),
            ("equals", raw.equals.is_some()),
            ("tolerance", raw.tolerance.is_some()),
        ];
        let stray = written.iter().find(|(name, there)| *there && !taken.contains(name));
        let Some((stray, _)) = stray else { return Some(()) };
        let message = format!("`{rule}` does not take `{stray}`");
        let help = match taken {
            [] => format!("leave `{stray}` out"),
            _ => suggest(stray, taken),
        };
        self.report(span.clone(), key, message, help);
        None
    }

    fn rule(
        &mut self,
        raw: &RawCheck,
        rule: &str,
        columns: &[String],
        span: &Range<usize>,
        key: &str,
    ) -> Option<CheckRule> {
        let mut needed = |value: &Option<String>, name: &str, example: &str| {
            if value.is_none() {
                let message = format!("`{rule}` needs `{name}`");
                self.report(span.clone(), key, message, format!("add `{example}`"));
            }
            value.clone()
        };
        Some(match rule {
            "not_null" => CheckRule::NotNull(self.checked(columns, span, key)?),
            "unique" => {
                let names = columns.iter().map(|name| self.parsed(name, span, key, COLUMN_HELP));
                let names: Vec<ColumnName> = names.collect::<Option<_>>()?;
                if names.is_empty() {
                    let help = "name at least one column, as in `unique = [\"number\"]`";
                    self.report(span.clone(), key, "`unique` of no column", help);
                    return None;
                }
                CheckRule::Unique(names)
            }
            "accepted_values" => {
                let values = raw.values.clone().filter(|values| !values.is_empty());
                if values.is_none() {
                    let help = "add `values = [\"approved\", \"sent\"]`";
                    self.report(span.clone(), key, "`accepted_values` needs `values`", help);
                }
                CheckRule::AcceptedValues {
                    values: values?,
                    column: self.checked(columns, span, key)?,
                }
            }
            "range" => {
                let (min, max) = (raw.min.clone(), raw.max.clone());
                if min.is_none() && max.is_none() {
                    let help = "add `min = 0`, or a `max`";
                    self.report(span.clone(), key, "`range` needs a bound", help);
                    return None;
                }
                CheckRule::Range { column: self.checked(columns, span, key)?, min, max }
            }
            "matches" => {
                let pattern = needed(&raw.pattern, "pattern", "pattern = \"[A-Z]{3}\"")?;
                let help = "write a regular expression for the whole value, like `[A-Z]{3}`";
                CheckRule::Matches {
                    column: self.checked(columns, span, key)?,
                    pattern: self.parsed(&pattern, span, key, help)?,
                }
            }
            "references" => {
                let to = needed(&raw.to, "to", "to = \"lots.id\"")?;
                let help = "write the table and its column, like `lots.id`";
                CheckRule::References {
                    column: self.checked(columns, span, key)?,
                    to: self.parsed(&to, span, key, help)?,
                }
            }
            _ => {
                let equals = needed(&raw.equals, "equals", "equals = \"total_amount\"")?;
                let tolerance = raw.tolerance.as_deref().unwrap_or("0");
                let help = "write a number, like `\"0.01\"`";
                CheckRule::Sum {
                    of: self.first(
                        columns,
                        span,
                        key,
                        "write the child table and its column, like `lines.amount`",
                    )?,
                    equals: self.parsed(&equals, span, key, COLUMN_HELP)?,
                    tolerance: self.parsed(tolerance, span, key, help)?,
                }
            }
        })
    }

    /// The column that a rule is about.
    fn checked(
        &mut self,
        columns: &[String],
        span: &Range<usize>,
        key: &str,
    ) -> Option<ColumnName> {
        self.first(columns, span, key, COLUMN_HELP)
    }

    fn first<T: FromStr>(
        &mut self,
        names: &[String],
        span: &Range<usize>,
        key: &str,
        help: &str,
    ) -> Option<T>
    where
        T::Err: Display,
    {
        self.parsed(names.first()?, span, key, help)
    }

    /// Checks that look at another table, or at a column that is left out.
    pub(super) fn checks_of(&mut self, key: &str, table: &Table, tables: &[Table]) {
        let key = format!("{key}.checks");
        for check in &table.checks {
            let rule = &check.rule;
            for column in rule.columns() {
                if table.columns.get(column).is_some_and(|column| column.exclude) {
                    let message = format!("`{column}` is excluded from the table");
                    self.misuse(&key, message, "keep the column, or leave the check out");
                }
            }
            let Some(other) = rule.other() else { continue };
            let root = root_of(&table.name, tables);
            let Some(declared) = tables.iter().find(|it| it.name == other.table) else {
                // An undeclared child table has a name that says whose it is.
                let own = format!("{root}__");
                if !other.table.as_str().starts_with(&own) && other.table != *root {
                    let names: Vec<&str> = tables.iter().map(|it| it.name.as_str()).collect();
                    let message = format!("there is no table `{}`", other.table);
                    self.misuse(&key, message, &suggest(other.table.as_str(), &names));
                }
                continue;
            };
            let (message, help) = match rule {
                CheckRule::Sum { .. } if declared.parent.as_ref() != Some(&table.name) => (
                    format!("`{}` is no child table of `{}`", declared.name, table.name),
                    "sums are of the rows of a child table, as in `lines.amount`",
                ),
                _ if root_of(&declared.name, tables) != root => (
                    format!("`{}` and `{}` are not parts of one record", table.name, declared.name),
                    "refer to a table that has the same table at its root",
                ),
                _ => continue,
            };
            self.misuse(&key, message, help);
        }
    }
}

/// The name of the table without a parent that a table hangs from.
fn root_of<'a>(name: &'a TableName, tables: &'a [Table]) -> &'a TableName {
    let mut root = name;
    // Cycles are reported elsewhere; they only must not go on for ever here.
    for _ in 0..tables.len() {
        match tables
            .iter()
            .find(|table| table.name == *root)
            .and_then(|table| table.parent.as_ref())
        {
            Some(parent) => root = parent,
            None => break,
        }
    }
    root
}
