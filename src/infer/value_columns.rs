//! The columns of a table that come from the JSON, in their order.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::column_shape::{ColumnShape, SeenColumn, ValuesFrom};
use super::error::SchemaError;
use super::resolved::TablePolicy;
use super::unresolved::{CarriedColumn, TableShape, UnresolvedTable};
use super::validate::verify_named_for_child;
use crate::definition::{Column, Table};
use crate::schema::{ColumnName, ColumnSchema, ColumnType, Step};

/// The columns of the JSON's values: those the table has, in their order, then the new ones: the primary key, then all
/// others where the source has them. A column without values in this export stays, and is null.
pub(crate) fn value_columns(
    pending: &UnresolvedTable<'_>,
    policy: &TablePolicy,
    known: &[&ColumnSchema],
    mut seen: HashMap<ColumnName, SeenColumn>,
    for_children: &[CarriedColumn<'_>],
) -> Result<Vec<ColumnSchema>, SchemaError> {
    let none = IndexMap::new();
    let declared = pending.declared.map_or(&none, |table| &table.columns);
    let mut columns = Vec::new();
    for column in known {
        let values = seen.remove(&column.name);
        columns.extend(known_column(pending, policy, column, values)?);
    }
    let add = |name: &ColumnName, seen: Option<SeenColumn>| {
        let (shape, source) = match seen {
            Some(SeenColumn { path, shape, .. }) => (shape, ValuesFrom::Path(path)),
            None => (ColumnShape::default(), ValuesFrom::Nowhere(None)),
        };
        shape.column(&pending.name, name, source, declared.get(name), None)
    };
    // Where no record tells what the columns in use are, the first that does gives them their type.
    let has_records = matches!(pending.rows, TableShape::Seen(shape) if !shape.values.is_empty());
    let in_use: Vec<&ColumnName> = match pending.declared {
        Some(table) if known.is_empty() && !has_records => names_in_use(table).collect(),
        _ => Vec::new(),
    };
    let promised = declared.iter().filter(|(_, column)| is_promised(column)).map(|(name, _)| name);
    let promised: Vec<&ColumnName> = promised.chain(in_use).collect();
    let mut there: HashSet<ColumnName> = known.iter().map(|column| column.name.clone()).collect();
    for name in pending.declared.iter().flat_map(|table| &table.primary_key) {
        let values = seen.remove(name);
        if (values.is_some() || promised.contains(&name)) && there.insert(name.clone()) {
            columns.push(add(name, values)?);
        }
    }
    for (name, values) in in_source_order(pending, seen) {
        columns.push(add(&name, Some(values))?);
        there.insert(name);
    }
    for name in promised {
        if there.insert(name.clone()) {
            columns.push(add(name, None)?);
        }
    }
    for carried in for_children {
        if !there.contains(carried.name) {
            if has_records {
                verify_named_for_child(pending, *carried, &columns)?;
            }
            columns.push(add(carried.name, None)?);
            there.insert(carried.name.clone());
        }
    }
    Ok(columns)
}

/// A column that the table has already, with the values of this export; none if it does not come from the JSON.
fn known_column(
    pending: &UnresolvedTable<'_>,
    policy: &TablePolicy,
    column: &ColumnSchema,
    seen: Option<SeenColumn>,
) -> Result<Option<ColumnSchema>, SchemaError> {
    let Some(before) = ColumnShape::of(column) else { return Ok(None) };
    let declared = pending.declared.and_then(|table| table.columns.get(&column.name));
    let (shape, source) = match seen {
        Some(now) => {
            let widening = policy.widening(&column.name);
            let may_add_fields = policy.contract.columns.discards().is_none();
            let SeenColumn { path, shape, .. } = now.after(before, widening, may_add_fields);
            (shape, ValuesFrom::Path(path))
        }
        None => (before, ValuesFrom::Nowhere(column.path().map(<[Step]>::to_vec))),
    };
    let kept = Some(&column.column_type);
    let now = shape.column(&pending.name, &column.name, source, declared, kept)?;
    let was = if declared.is_some_and(is_promised) { None } else { type_before_text(column, &now) };
    Ok(Some(ColumnSchema { was, ..now }))
}

/// The type of a column's scalars before they became text.
fn type_before_text(before: &ColumnSchema, now: &ColumnSchema) -> Option<ColumnType> {
    match (before.column_type.scalars()?, now.column_type.scalars()?) {
        (ColumnType::String, ColumnType::String) => before.was.clone(),
        (before, ColumnType::String) => Some(before.clone()),
        _ => None,
    }
}

/// Columns where the source has their values.
fn in_source_order(
    pending: &UnresolvedTable<'_>,
    seen: HashMap<ColumnName, SeenColumn>,
) -> Vec<(ColumnName, SeenColumn)> {
    let mut columns: Vec<(ColumnName, SeenColumn)> = seen.into_iter().collect();
    columns.sort_by_cached_key(|(name, column)| {
        let place = match pending.rows {
            TableShape::Seen(shape) => shape.place_of(&column.path),
            TableShape::NotSeen | TableShape::Excluded => Vec::new(),
        };
        (place, name.clone())
    });
    columns
}

/// The columns that a definition uses.
fn names_in_use(table: &Table) -> impl Iterator<Item = &ColumnName> {
    let by = table.partition_by.iter().map(|field| &field.column);
    let checked = table.checks.iter().flat_map(|check| check.rule.columns());
    (table.primary_key.iter()).chain(&table.cursor).chain(by).chain(&table.sort_by).chain(checked)
}

/// Whether a column exists even when no record has it, because the definition declares its type.
fn is_promised(declared: &Column) -> bool {
    !declared.exclude && (declared.column_type.is_some() || !declared.fields.is_empty())
}
