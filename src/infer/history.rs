//! Histories: beside a table of what is true now, a table of every version of its rows.

use std::collections::{BTreeMap, BTreeSet};

use super::error::SchemaError;
use super::own_columns::validity_columns;
use super::resolved::{ResolvedTable, Schemas, TableHistory};
use crate::definition::Table;
use crate::schema::{
    ColumnSource, HistoryId, IdVec, RootId, Shape, TableId, TableName, TableSchema,
};

/// The histories of tables whose root has one.
pub(super) fn histories(
    tables: &IdVec<TableId, ResolvedTable>,
    roots: &[(RootId, &Table, &Shape)],
    known: &BTreeMap<TableName, TableSchema>,
) -> Result<IdVec<HistoryId, TableHistory>, SchemaError> {
    let has_history =
        |root: &TableName| roots.iter().any(|(_, table, _)| table.history && table.name == *root);
    let mut histories = IdVec::default();
    for (of, ResolvedTable { schema, .. }) in tables.iter() {
        if !has_history(&schema.root) {
            continue;
        }
        let history = history_of(schema);
        let is_taken = tables.values().any(|table| table.schema.name == history.name);
        if is_taken || known.contains_key(&history.name) {
            let (table, history) = (schema.name.clone(), history.name);
            return Err(SchemaError::HistoryCollision { table, history });
        }
        histories.push(TableHistory { of, schema: history });
    }
    Ok(histories)
}

impl Schemas {
    /// Refuses to write a table without its history, which would be out of date from then on.
    ///
    /// # Errors
    /// The destination has a history of a table, and the definition does not.
    pub fn check_histories(&self, known: &BTreeSet<TableName>) -> Result<(), SchemaError> {
        let unkept = self.tables().find(|(table, resolved)| {
            known.contains(&resolved.schema.name) && self.history_of(*table).is_none()
        });
        match unkept {
            Some((_, ResolvedTable { schema, .. })) => Err(SchemaError::HistoryUnkept {
                table: schema.name.clone(),
                history: schema.name.of_history(),
            }),
            None => Ok(()),
        }
    }
}

fn history_of(table: &TableSchema) -> TableSchema {
    let is_of_run =
        |source: &ColumnSource| matches!(source, ColumnSource::RunId | ColumnSource::LoadedAt);
    let (metadata, values): (Vec<_>, Vec<_>) =
        table.columns.iter().cloned().partition(|column| is_of_run(&column.source));
    TableSchema {
        name: table.name.of_history(),
        history_of: Some(table.name.clone()),
        columns: values.into_iter().chain(validity_columns()).chain(metadata).collect(),
        ..table.clone()
    }
}
