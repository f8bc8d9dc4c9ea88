//! Width: refuses tables of more columns than the definition allows, and names the object whose keys are data.

use std::collections::BTreeMap;

use super::error::SchemaError;
use super::naming::{child_table_name, column_name};
use super::resolved::{ResolvedTable, Schemas};
use super::wide_object::WideObject;
use crate::definition::{Nested, Table};
use crate::schema::{
    ColumnSchema, ColumnType, JsonPointer, RootId, Shape, ShownPath, Step, TableId, TableName,
    TableSchema, ValuePath, ValueShape,
};

/// How many keys of the widest object a message shows.
const SHOWN_KEYS: usize = 3;

/// An object with more keys than any other.
#[derive(Default)]
struct Widest {
    path: ValuePath,
    keys: Vec<String>,
    count: usize,
}

impl Widest {
    /// The object with the most keys in records of this shape.
    fn of(shape: &Shape, enters: impl Fn(&ValueShape) -> bool + Copy) -> Self {
        let mut widest = Self::default();
        widest.look_into(shape, enters, &mut Vec::new());
        widest
    }

    fn look_into(
        &mut self,
        shape: &Shape,
        enters: impl Fn(&ValueShape) -> bool + Copy,
        path: &mut ValuePath,
    ) {
        let keys = shape.values.keys().filter_map(|step| match step {
            Step::Key(key) => Some(key),
            Step::Item => None,
        });
        let count = keys.clone().count();
        if count > self.count {
            *self =
                Self { path: path.clone(), keys: keys.take(SHOWN_KEYS).cloned().collect(), count };
        }
        for (step, value) in &shape.values {
            let Some(nested) = value.nested.as_deref().filter(|_| enters(value)) else { continue };
            path.push(step.clone());
            self.look_into(nested, enters, path);
            path.pop();
        }
    }

    fn shown(self) -> WideObject {
        let rest = if self.count > self.keys.len() { ", …" } else { "" };
        WideObject {
            column: (!self.path.is_empty()).then(|| column_name(&self.path).to_string()),
            pointer: ShownPath(&self.path).to_string(),
            keys: format!("{}{rest}", self.keys.join(", ")),
        }
    }
}

impl Schemas {
    /// Refuses tables that this export makes wider than `most` columns, or gives more child tables, at all levels, than that. A table
    /// that is wider already may stay so.
    ///
    /// # Errors
    /// There is such a table.
    pub fn check_width(
        &self,
        seen: &[(RootId, &Table, &Shape)],
        known: &BTreeMap<TableName, TableSchema>,
        most: usize,
    ) -> Result<(), SchemaError> {
        for (id, table) in self.tables() {
            let columns = width(&table.schema);
            let before = known.get(&table.schema.name).map_or(0, width);
            let is_root = table.schema.parent.is_none();
            let has_too_many_children =
                is_root && self.below(id) > most.max(below_before(table, known));
            if columns <= most.max(before) && !has_too_many_children {
                continue;
            }
            let nothing = Shape::default();
            let shape = self.shape_of(id, seen).unwrap_or(&nothing);
            let is_one_column = table.policy.nested != Nested::Tables;
            let enters = |value: &ValueShape| is_one_column || !value.kinds.has_lists();
            return Err(SchemaError::TooWide {
                table: table.schema.name.clone(),
                most,
                object: Widest::of(shape, enters).shown(),
            });
        }
        Ok(())
    }

    /// How many tables are below a root table.
    fn below(&self, id: TableId) -> usize {
        let root = &self.table(id).schema.name;
        self.tables().filter(|(other, table)| *other != id && table.schema.root == *root).count()
    }

    fn shape_of<'s>(&self, id: TableId, seen: &[(RootId, &Table, &'s Shape)]) -> Option<&'s Shape> {
        let table = self.table(id);
        let Some(parent) = &table.schema.parent else {
            let root = self.root_id_of(id)?;
            return seen.iter().find(|(id, _, _)| *id == root).map(|(_, _, shape)| *shape);
        };
        let is_parent = |(_, table): &(TableId, &ResolvedTable)| table.schema.name == *parent;
        let (parent, _) = self.tables().find(is_parent)?;
        let above = self.shape_of(parent, seen)?;
        table
            .schema
            .path
            .iter()
            .try_fold(above, |shape, step| shape.values.get(step)?.nested.as_deref())
    }
}

/// How many tables were below a root table.
fn below_before(table: &ResolvedTable, known: &BTreeMap<TableName, TableSchema>) -> usize {
    let root = &table.schema.name;
    known.values().filter(|schema| schema.root == *root && schema.name != *root).count()
}

/// Refuses an export of which not all keys were collected.
pub(crate) fn too_wide(
    root: &TableName,
    shape: &Shape,
    declared: &[Table],
    most: usize,
) -> SchemaError {
    let mut widest = Widest::of(shape, |_| true);
    let (mut table, mut within) = (root.clone(), shape);
    let mut start = 0;
    for (position, step) in widest.path.iter().enumerate() {
        let Some(value) = within.values.get(step) else { break };
        let Some(nested) = value.nested.as_deref() else { break };
        if value.kinds.has_lists() {
            let path = &widest.path[start..=position];
            let is_here = |child: &&Table| {
                let keys = child.records.iter().flat_map(JsonPointer::keys);
                child.parent.as_ref() == Some(&table)
                    && keys.cloned().map(Step::Key).eq(path.iter().cloned())
            };
            let child = declared.iter().find(is_here).map(|child| child.name.clone());
            table = child.unwrap_or_else(|| child_table_name(&table, path));
            start = position + 1;
        }
        within = nested;
    }
    widest.path.drain(..start);
    SchemaError::TooWide { table, most, object: widest.shown() }
}

/// How many columns of a table come from the JSON; in a nested column each scalar counts.
#[must_use]
pub fn width(schema: &TableSchema) -> usize {
    let from_json = schema.columns.iter().filter(|column| column.statistics().is_some());
    from_json.map(|ColumnSchema { column_type, .. }| scalars(column_type)).sum()
}

fn scalars(column_type: &ColumnType) -> usize {
    match column_type {
        ColumnType::List(items) => scalars(items),
        ColumnType::Struct(fields) => fields.iter().map(|field| scalars(&field.column_type)).sum(),
        _ => 1,
    }
}
