//! Resolves the schemas of a run from the shape of its export, the definition and the schemas so far.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::checks::verify_checks;
use super::column_shape::{ColumnShape, SeenColumn, ValuesFrom};
use super::columns::ColumnInference;
use super::error::SchemaError;
use super::own_columns::{key_columns, lifetime_columns, metadata_columns};
use super::resolved::{ResolvedTable, Schemas, TablePolicy};
use super::unresolved::{KnownTables, TableShape, UnresolvedTable};
use super::validate::{check_columns, check_partitions};
use crate::definition::{Column, Table, WriteDisposition};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, IdVec, PositionId, RootId, Shape, Step, TableId,
    TableName, TableSchema,
};

impl Schemas {
    /// Resolves the tables of a run: `roots` are the record arrays with their tables and shapes, `declared` all tables of
    /// the definition, `known` the schemas the destination has.
    ///
    /// # Errors
    /// The export contradicts the definition or the schema contract.
    pub fn resolve(
        roots: &[(RootId, &Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Result<Self, SchemaError> {
        let mut resolver =
            Resolver { known: KnownTables::new(declared, known), tables: IdVec::default() };
        let mut root_ids = BTreeMap::new();
        for (id, table, shape) in roots {
            root_ids.insert(*id, TableId::from_index(resolver.tables.len()));
            resolver.table(&UnresolvedTable {
                name: table.name.clone(),
                declared: Some(table),
                parent: None,
                path: Vec::new(),
                contract: table.contract.unwrap_or_default(),
                rows: TableShape::Seen(shape),
            })?;
        }
        let schemas = Self { tables: resolver.tables, roots: root_ids };
        verify_checks(&schemas)?;
        let changes = schemas.forbidden_changes(declared, known);
        if changes.is_empty() { Ok(schemas) } else { Err(SchemaError::Frozen { changes }) }
    }
}

/// Resolves one table after the other, parents before their children.
struct Resolver<'a> {
    known: KnownTables<'a>,
    tables: IdVec<TableId, ResolvedTable>,
}

impl<'a> Resolver<'a> {
    fn table(&mut self, pending: &UnresolvedTable<'a>) -> Result<(), SchemaError> {
        if self.tables.values().any(|table| table.schema.name == pending.name) {
            return Err(SchemaError::TableCollision { table: pending.name.clone() });
        }
        let mut inference = ColumnInference {
            table: pending,
            known: &mut self.known,
            columns: IndexMap::new(),
            children: Vec::new(),
            discarded: Vec::new(),
        };
        if let TableShape::Seen(shape) = pending.rows {
            inference.level(shape, &mut Vec::new())?;
        }
        inference.children_not_seen();
        let known = inference.known_columns();
        let ColumnInference { columns, children, discarded, .. } = inference;
        let parent = pending.parent.map(|parent| &self.tables[parent]);
        let policy = TablePolicy { discarded, ..policy(pending, parent) };
        let schema = self.schema(pending, &known, columns)?;
        self.check_layout(&schema, &policy)?;
        let own = TableId::from_index(self.tables.len());
        let root = parent.map_or(own, |parent| parent.root);
        self.tables.push(ResolvedTable { schema, policy, root, children: Vec::new() });
        if let (Some(parent), TableShape::Seen(_)) = (pending.parent, pending.rows) {
            self.tables[parent].children.push(own);
        }
        for (name, path, rows) in children {
            let declared = self.known.declared.iter().find(|table| table.name == name);
            let contract = declared.and_then(|table| table.contract).unwrap_or(pending.contract);
            let parent = Some(own);
            self.table(&UnresolvedTable { name, declared, parent, path, contract, rows })?;
        }
        Ok(())
    }

    fn schema(
        &self,
        pending: &UnresolvedTable<'a>,
        known: &[&ColumnSchema],
        seen: IndexMap<ColumnName, SeenColumn>,
    ) -> Result<TableSchema, SchemaError> {
        let parent = pending.parent.map(|parent| &self.tables[parent].schema);
        let primary_key =
            pending.declared.map(|table| table.primary_key.clone()).unwrap_or_default();
        let partition_by = match (parent, pending.declared) {
            (Some(parent), _) => parent.partition_by.clone(),
            (None, Some(declared)) => declared.partition_by.clone(),
            (None, None) => Vec::new(),
        };
        let mut columns = key_columns(parent, &primary_key);
        columns.extend(value_columns(pending, known, seen)?);
        columns.extend(lifetime_columns(pending, parent));
        columns.extend(metadata_columns());
        let schema = TableSchema {
            name: pending.name.clone(),
            root: parent.map_or_else(|| pending.name.clone(), |table| table.root.clone()),
            parent: parent.map(|table| table.name.clone()),
            path: pending.path.clone(),
            excluded: matches!(pending.rows, TableShape::Excluded),
            description: pending.declared.and_then(|table| table.description.clone()),
            primary_key,
            cursor: pending.declared.and_then(|table| table.cursor.clone()),
            partition_by,
            sort_by: pending.declared.map(|table| table.sort_by.clone()).unwrap_or_default(),
            columns,
        };
        check_columns(&schema)?;
        check_partitions(&schema)?;
        Ok(schema)
    }

    /// Files that stay in the table have to lie where the definition's partitions put them, and child rows that
    /// stay have to name their parents by the key there is.
    fn check_layout(&self, schema: &TableSchema, policy: &TablePolicy) -> Result<(), SchemaError> {
        if policy.disposition == WriteDisposition::Replace {
            return Ok(());
        }
        let Some(known) = self.known.known.get(&schema.name) else { return Ok(()) };
        let table = schema.name.clone();
        let lifetimes = [ColumnSource::DeletedAt, ColumnSource::ValidTo];
        let lost = lifetimes.iter().filter_map(|source| known.own_column(source));
        if let Some(column) = lost.into_iter().find(|name| schema.column(name).is_none()) {
            return Err(SchemaError::Unkept { table, column: column.clone() });
        }
        if known.partition_by != schema.partition_by {
            return Err(SchemaError::Repartitioned { table });
        }
        if known.primary_key != schema.primary_key {
            return Err(SchemaError::Rekeyed { table, before: known.primary_key.clone() });
        }
        Ok(())
    }
}

/// What a run does with the rows of a table.
fn policy(pending: &UnresolvedTable<'_>, parent: Option<&ResolvedTable>) -> TablePolicy {
    let declared = pending.declared;
    TablePolicy {
        disposition: match (pending.rows, parent) {
            // The rows of an excluded table do not stay.
            (TableShape::Excluded, _) => WriteDisposition::Replace,
            (_, Some(parent)) => parent.policy.disposition,
            (_, None) => declared.map(|table| table.write_disposition).unwrap_or_default(),
        },
        deletes: declared.map(|table| table.deletes).unwrap_or_default(),
        nested: pending.nested(),
        contract: pending.contract,
        checks: declared.map(|table| table.checks.clone()).unwrap_or_default(),
        discarded: Vec::new(),
    }
}

/// The columns of the JSON's values: those the table has, in their order, then the new ones. A column without values
/// in this export stays, and is null.
fn value_columns(
    pending: &UnresolvedTable<'_>,
    known: &[&ColumnSchema],
    mut seen: IndexMap<ColumnName, SeenColumn>,
) -> Result<Vec<ColumnSchema>, SchemaError> {
    let none = IndexMap::new();
    let declared = pending.declared.map_or(&none, |table| &table.columns);
    let mut columns = Vec::new();
    for column in known {
        let Some(before) = ColumnShape::of(column) else { continue };
        let declared = declared.get(&column.name);
        let (shape, source) = match seen.shift_remove(&column.name) {
            Some(now) => {
                let SeenColumn { path, shape } = now.after(before, pending.contract.data_type);
                (shape, ValuesFrom::Path(path))
            }
            None => (before, ValuesFrom::Nowhere(column.path().map(<[Step]>::to_vec))),
        };
        columns.push(shape.column(&pending.name, &column.name, source, declared)?);
    }
    let first = pending.declared.map_or(&[][..], |table| &table.primary_key);
    for name in first.iter().chain(declared.keys()) {
        let declared = declared.get(name);
        if let Some(SeenColumn { path, shape }) = seen.shift_remove(name) {
            columns.push(shape.column(&pending.name, name, ValuesFrom::Path(path), declared)?);
        } else if is_promised(declared) && !columns.iter().any(|column| column.name == *name) {
            let source = ValuesFrom::Nowhere(None);
            columns.push(ColumnShape::default().column(&pending.name, name, source, declared)?);
        }
    }
    seen.sort_keys();
    for (name, SeenColumn { path, shape }) in seen {
        columns.push(shape.column(&pending.name, &name, ValuesFrom::Path(path), None)?);
    }
    Ok(columns)
}

/// Whether a column exists even when no record has it, because the definition declares its type.
fn is_promised(declared: Option<&Column>) -> bool {
    declared.is_some_and(|column| !column.exclude && column.column_type.is_some())
}
