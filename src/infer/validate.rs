//! Validates a resolved table schema.

use std::collections::HashMap;

use crate::definition::nearest;
use crate::infer::error::SchemaError;
use crate::infer::unresolved::{CarriedColumn, TableShape, UnresolvedTable};
use crate::schema::{ColumnName, ColumnSchema, PartitionField, ShownPath, TableSchema};

/// Refuses columns with one name, and missing or nested columns in keys, cursors and sort orders.
pub(crate) fn check_columns(schema: &TableSchema) -> Result<(), SchemaError> {
    let mut seen: HashMap<&ColumnName, &ColumnSchema> = HashMap::new();
    for column in &schema.columns {
        if let Some(other) = seen.insert(&column.name, column) {
            return Err(SchemaError::Collision {
                table: schema.name.clone(),
                column: column.name.clone(),
                first: origin(other),
                second: origin(column),
            });
        }
    }
    let used = (schema.primary_key.iter().map(|name| (name, "primary_key")))
        .chain(schema.cursor.iter().map(|name| (name, "cursor")))
        .chain(schema.sort_by.iter().map(|name| (name, "sort_by")));
    for (name, used_as) in used {
        let column = required_column(schema, name, used_as)?;
        if !column.column_type.is_scalar() {
            return Err(SchemaError::UnfitColumn {
                table: schema.name.clone(),
                column: name.clone(),
                used_as,
                column_type: column.column_type.clone(),
            });
        }
    }
    Ok(())
}

/// Refuses columns that a child table cannot have from its parent.
pub(crate) fn verify_parent_columns(
    pending: &UnresolvedTable<'_>,
    parent: Option<&TableSchema>,
) -> Result<(), SchemaError> {
    let (Some(declared), Some(parent)) = (pending.declared, parent) else { return Ok(()) };
    // An excluded table has no rows, whatever its parent has.
    if matches!(pending.rows, TableShape::Excluded) {
        return Ok(());
    }
    for name in &declared.parent_columns {
        if parent.column(name).and_then(|column| parent.name_of_carried(column)).is_none() {
            return Err(SchemaError::MissingParentColumn {
                table: pending.name.clone(),
                parent: parent.name.clone(),
                column: name.clone(),
                nearest: None,
            });
        }
    }
    Ok(())
}

/// Refuses a column for a child table that no record has, while another column has a name like it. A column that is
/// still to come is null until then.
pub(crate) fn verify_named_for_child(
    pending: &UnresolvedTable<'_>,
    carried: CarriedColumn<'_>,
    columns: &[ColumnSchema],
) -> Result<(), SchemaError> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    match nearest(carried.name.as_str(), &names) {
        None => Ok(()),
        Some(nearest) => Err(SchemaError::MissingParentColumn {
            table: carried.child.clone(),
            parent: pending.name.clone(),
            column: carried.name.clone(),
            nearest: nearest.parse().ok(),
        }),
    }
}

fn origin(column: &ColumnSchema) -> String {
    match column.path() {
        Some(path) => ShownPath(path).to_string(),
        None => format!("flowlake's own {}", column.name),
    }
}

fn required_column<'a>(
    schema: &'a TableSchema,
    name: &ColumnName,
    used_as: &'static str,
) -> Result<&'a ColumnSchema, SchemaError> {
    schema.column(name).ok_or_else(|| SchemaError::MissingColumn {
        table: schema.name.clone(),
        column: name.clone(),
        used_as,
        columns: schema.columns.iter().map(|column| column.name.to_string()).collect(),
    })
}

/// The schema of a table with other partitions.
///
/// # Errors
/// The table has no such columns, or cannot be partitioned by them.
pub fn with_partitions(
    schema: &TableSchema,
    partition_by: &[PartitionField],
) -> Result<TableSchema, SchemaError> {
    let schema = TableSchema { partition_by: partition_by.to_vec(), ..schema.clone() };
    check_partitions(&schema)?;
    Ok(schema)
}

/// Refuses partitions of missing columns, unfit types or names that a column has.
pub(crate) fn check_partitions(schema: &TableSchema) -> Result<(), SchemaError> {
    for (field, directory_key) in schema.partition_by.iter().zip(schema.directory_keys()) {
        if schema.parent.is_none() {
            let column = required_column(schema, &field.column, "partition_by")?;
            if !column.is_untyped() && !field.fits(&column.column_type) {
                return Err(SchemaError::UnfitPartition {
                    table: schema.name.clone(),
                    field: field.to_string(),
                    column: column.name.clone(),
                    column_type: column.column_type.clone(),
                });
            }
        }
        if schema.columns.iter().any(|column| column.name.as_str() == directory_key) {
            return Err(SchemaError::PartitionCollision {
                table: schema.name.clone(),
                directory_key,
            });
        }
    }
    let Some(slice) = &schema.slice else { return Ok(()) };
    let directory_key = slice.column.to_string();
    if schema.column(&slice.column).is_some() || schema.directory_keys().contains(&directory_key) {
        return Err(SchemaError::PartitionCollision { table: schema.name.clone(), directory_key });
    }
    Ok(())
}
