//! Names under `[tables.columns]` that nothing in the export has: most often they are misspelt.

use std::collections::HashSet;

use super::naming::column_name;
use super::unresolved::TableShape;
use crate::definition::{Column, Table, nearest};
use crate::schema::{ColumnName, Shape, Step, TableSchema, ValueKind, ValuePath};

/// A column of the definition that the first export of its table does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// Its name.
    pub name: ColumnName,
    /// The definition excludes it.
    pub is_excluded: bool,
    /// The name in the export that it most likely means.
    pub nearest: Option<String>,
}

/// Adds the names that values in objects have or would have, also where a list in other records makes them child rows.
fn add_names(shape: &Shape, path: &mut ValuePath, named: &mut HashSet<ColumnName>) {
    for (step, value) in &shape.values {
        if matches!(step, Step::Item) {
            continue;
        }
        path.push(step.clone());
        named.insert(column_name(path));
        if let Some(nested) = value.nested.as_deref()
            && value.kinds.contains(ValueKind::Object)
        {
            add_names(nested, path, named);
        }
        path.pop();
    }
}

/// The columns of a definition that neither an export nor the table has. `named` are the names of the export's values
/// that have become columns.
pub(super) fn unmatched(
    declared: &Table,
    rows: &TableShape<'_>,
    mut named: HashSet<ColumnName>,
    before: Option<&TableSchema>,
) -> Vec<Unmatched> {
    if let TableShape::Seen(shape) = rows {
        add_names(shape, &mut Vec::new(), &mut named);
    }
    if named.is_empty() {
        return Vec::new();
    }
    let is_known = |name: &ColumnName| before.is_some_and(|table| table.column(name).is_some());
    let is_expected = |(name, column): &(&ColumnName, &Column)| {
        let may_be_missing = column.optional || (column.exclude && before.is_some());
        let is_there = named.contains(*name) || is_known(name);
        let is_of_other_values = !column.fields.is_empty() || declared.keys.as_ref() == Some(*name);
        !(may_be_missing || is_there || is_of_other_values)
    };
    let missing = declared.columns.iter().filter(is_expected);
    let unmatched = missing.map(|(name, column)| {
        let known: Vec<&str> = named.iter().map(ColumnName::as_str).collect();
        Unmatched {
            name: name.clone(),
            is_excluded: column.exclude,
            nearest: nearest(name.as_str(), &known).map(str::to_owned),
        }
    });
    unmatched.collect()
}
