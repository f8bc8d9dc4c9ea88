//! Shapes, tables and schemas for the unit tests of this module.

use std::collections::BTreeMap;

use super::{SchemaError, Schemas, observe};
use crate::decode::{DecodeOptions, RecordSelector, Splitter, decode_batch};
use crate::definition::{Column, Table};
use crate::schema::{JsonPointer, RootId, Shape, TableName, TableSchema};

/// The shape of an array of records.
pub(super) fn shape(records: &str) -> Shape {
    let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
    let mut batches = splitter.feed(records.as_bytes()).unwrap();
    batches.extend(splitter.finish().unwrap().0);
    let mut shape = Shape::default();
    for batch in &batches {
        let chunk = decode_batch(batch, &DecodeOptions::default()).unwrap();
        observe(&mut shape, &chunk.records);
    }
    shape
}

/// A table with a primary key, and with columns of declared types.
pub(super) fn table(name: &str, primary_key: &[&str], columns: &[(&str, &str)]) -> Table {
    let mut table = Table::named(name.parse().unwrap());
    table.primary_key = primary_key.iter().map(|name| name.parse().unwrap()).collect();
    for (name, column_type) in columns {
        let column =
            Column { column_type: Some(column_type.parse().unwrap()), ..Column::default() };
        table.columns.insert(name.parse().unwrap(), column);
    }
    table
}

/// A declared child table.
pub(super) fn child_table(name: &str, parent: &Table, records: &str) -> Table {
    let mut table = Table::named(name.parse().unwrap());
    table.parent = Some(parent.name.clone());
    table.records = Some(records.parse().unwrap());
    table
}

/// The schemas of a destination.
pub(super) type KnownSchemas = BTreeMap<TableName, TableSchema>;

/// The schemas that a destination has after a run.
pub(super) fn known(schemas: &Schemas) -> KnownSchemas {
    schemas.iter().map(|(_, schema)| (schema.name.clone(), schema.clone())).collect()
}

/// Resolves an export of one record array; the first of the declared tables is its table.
pub(super) fn resolve(
    records: &str,
    declared: &[Table],
    known: &KnownSchemas,
) -> Result<Schemas, SchemaError> {
    let roots = [(RootId::default(), &declared[0], &shape(records))];
    Schemas::resolve(&roots, declared, known)
}
