//! Contract: what an export may change in the schemas that a destination has.

use std::collections::BTreeMap;
use std::fmt;

use super::schema::{ColumnSchema, Schemas, TableSchema};
use crate::definition::{ColumnName, ColumnType, Surprise, Table, TableName};

/// What an export changes in the schema of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A list becomes a child table.
    NewTable(TableName),
    /// A value becomes a column.
    NewColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type.
        column_type: ColumnType,
    },
    /// A column takes another type, which holds the values there are as well.
    Widened {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type so far.
        before: ColumnType,
        /// Its type from now on.
        after: ColumnType,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewTable(table) => write!(f, "+ table {table} (new)"),
            Self::NewColumn { table, column, column_type } => {
                write!(f, "+ {table}.{column} {column_type} (new)")
            }
            Self::Widened { table, column, before, after } => {
                write!(f, "~ {table}.{column} {before} → {after}")
            }
        }
    }
}

/// Every change that a contract forbids. What is declared is no surprise, and neither is anything in a table that
/// is made by this run.
pub(super) fn forbidden_changes(
    schemas: &Schemas,
    declared: &[Table],
    known: &BTreeMap<TableName, TableSchema>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for schema in &schemas.tables {
        let contract = schema.contract;
        let own = declared.iter().find(|table| table.name == schema.name);
        let Some(before) = known.get(&schema.name) else {
            let is_surprise = own.is_none() && known.contains_key(&schema.root);
            if is_surprise && contract.tables == Surprise::Freeze {
                changes.push(Change::NewTable(schema.name.clone()));
            }
            continue;
        };
        let columns =
            schema.columns.iter().filter_map(|column| change(schema, column, before, own));
        changes.extend(columns.filter(|change| match change {
            Change::NewTable(_) => contract.tables == Surprise::Freeze,
            Change::NewColumn { .. } => contract.columns == Surprise::Freeze,
            Change::Widened { .. } => contract.data_type == Surprise::Freeze,
        }));
    }
    changes
}

fn change(
    schema: &TableSchema,
    column: &ColumnSchema,
    before: &TableSchema,
    declared: Option<&Table>,
) -> Option<Change> {
    // Only what comes from the JSON is for the source to change.
    column.facts()?;
    let declared = declared.and_then(|table| table.columns.get(&column.name));
    let (table, name, after) = (&schema.name, &column.name, &column.column_type);
    match before.column(name) {
        None if declared.is_none() => Some(Change::NewColumn {
            table: table.clone(),
            column: name.clone(),
            column_type: after.clone(),
        }),
        Some(old) if old.column_type != *after => {
            let is_promised = declared.is_some_and(|column| column.column_type.is_some());
            (!is_promised).then(|| Change::Widened {
                table: table.clone(),
                column: name.clone(),
                before: old.column_type.clone(),
                after: after.clone(),
            })
        }
        _ => None,
    }
}
