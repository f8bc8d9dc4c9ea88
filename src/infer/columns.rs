//! Infers which columns and child tables the values of one table become, and their names.

use indexmap::IndexMap;

use crate::definition::{ContractMode, Nested};
use crate::infer::column_shape::{ColumnShape, SeenColumn};
use crate::infer::error::SchemaError;
use crate::infer::naming::{child_table_name, column_name, distinct_name, distinct_table_name};
use crate::infer::resolved::Discarded;
use crate::infer::unresolved::{
    ChildTable, KnownTables, NOTHING_SEEN, TableShape, UnresolvedTable,
};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnType, Shape, ShownPath, Step, TableName,
    ValuePath, ValueShape,
};

/// Collects the columns and child tables of one table from the shape of its records.
pub(crate) struct ColumnInference<'s, 'a> {
    pub(crate) table: &'s UnresolvedTable<'a>,
    pub(crate) known: &'s mut KnownTables<'a>,
    pub(crate) columns: IndexMap<ColumnName, SeenColumn>,
    pub(crate) children: Vec<ChildTable<'a>>,
    pub(crate) discarded: Vec<Discarded>,
}

impl<'a> ColumnInference<'_, 'a> {
    pub(crate) fn level(
        &mut self,
        shape: &'a Shape,
        path: &mut ValuePath,
    ) -> Result<(), SchemaError> {
        for (step, value) in &shape.values {
            path.push(step.clone());
            self.value(value, path)?;
            path.pop();
        }
        Ok(())
    }

    fn value(&mut self, value: &'a ValueShape, path: &mut ValuePath) -> Result<(), SchemaError> {
        let name = self.name_of(path)?;
        if self.is_excluded(&name) {
            return Ok(());
        }
        if self.table.nested() == Nested::Columns {
            return self.whole(name, value, path);
        }
        let lists = value.lists || self.is_list(&name);
        let child = self.child_table(&name, value, lists, path);
        let mode = self.mode(&name, child.as_ref(), value);
        if let Some(discard) = mode.and_then(ContractMode::discards) {
            let beside_objects = child.is_none() && !lists && value.has_keys();
            self.discarded.push(Discarded { path: path.clone(), beside_objects, discard });
            return match &value.nested {
                Some(objects) if beside_objects => self.level(objects, path),
                _ => Ok(()),
            };
        }
        if let Some(child) = &child {
            let shape = value.nested.as_deref().unwrap_or(&NOTHING_SEEN);
            self.children.push((child.clone(), path.clone(), TableShape::Seen(shape)));
        }
        let list = child.is_none() && lists;
        let statistics = if list { value.statistics_with_items() } else { value.scalars };
        if !statistics.is_empty() || list || !(child.is_some() || value.has_keys()) {
            let shape = ColumnShape { statistics, list, nested: None };
            self.add(name, SeenColumn { path: path.clone(), shape })?;
        }
        match &value.nested {
            Some(nested) if child.is_none() && !list => self.level(nested, path),
            _ => Ok(()),
        }
    }

    /// A value that becomes one column, nested or not.
    fn whole(
        &mut self,
        name: ColumnName,
        value: &ValueShape,
        path: &ValuePath,
    ) -> Result<(), SchemaError> {
        let declared = self.table.declared.is_some_and(|table| table.columns.contains_key(&name));
        let known = self.known.known.get(&self.table.name);
        let is_new = known.is_some_and(|known| !declared && known.column(&name).is_none());
        let mode = is_new.then_some(self.table.contract.columns);
        if let Some(discard) = mode.and_then(ContractMode::discards) {
            self.discarded.push(Discarded { path: path.clone(), beside_objects: false, discard });
            return Ok(());
        }
        let mut shape = ColumnShape::whole(value);
        shape.list |= self.is_list(&name);
        self.add(name, SeenColumn { path: path.clone(), shape })
    }

    /// The contract mode for a value without a column or child table; none for values that are known or declared. An
    /// object is not a value itself.
    fn mode(
        &self,
        name: &ColumnName,
        child: Option<&TableName>,
        value: &ValueShape,
    ) -> Option<ContractMode> {
        let known = self.known.known.get(&self.table.name)?;
        let is_known = |child: &TableName| {
            self.known.known.contains_key(child)
                || self.known.declared.iter().any(|table| table.name == *child)
        };
        let declared = self.table.declared.is_some_and(|table| table.columns.contains_key(name));
        match child {
            Some(child) => (!is_known(child)).then_some(self.table.contract.tables),
            None if declared || known.column(name).is_some() => None,
            None if value.scalars.is_empty() && !value.lists && value.has_keys() => None,
            None => Some(self.table.contract.columns),
        }
    }

    /// Whether the definition excludes a name, with everything below it.
    fn is_excluded(&self, name: &ColumnName) -> bool {
        let declared = self.table.declared.and_then(|table| table.columns.get(name));
        declared.is_some_and(|column| column.exclude)
    }

    /// Whether a value, or an object around it, is excluded.
    fn excludes(&self, path: &[Step]) -> bool {
        let mut objects = (1..=path.len()).map(|length| &path[..length]);
        objects.any(|path| self.name_of(path).is_ok_and(|name| self.is_excluded(&name)))
    }

    /// The columns of the table so far, without those the definition excludes.
    pub(crate) fn known_columns(&self) -> Vec<&'a ColumnSchema> {
        let known = self.known.known.get(&self.table.name);
        let columns = known.map_or(&[][..], |schema| &schema.columns).iter();
        let is_excluded = |column: &&ColumnSchema| {
            matches!(self.table.rows, TableShape::Excluded)
                || self.is_excluded(&column.name)
                || column.path().is_some_and(|path| self.excludes(path))
        };
        columns.filter(|column| !is_excluded(column)).collect()
    }

    /// Adds the declared and existing child tables that are missing from this export: they are part of the run too.
    pub(crate) fn children_not_seen(&mut self) {
        let is_child = |name: &Option<TableName>| name.as_ref() == Some(&self.table.name);
        let declared = self.known.declared.iter().filter(|table| is_child(&table.parent));
        let declared = declared.map(|table| {
            let keys = table.records.as_ref().map_or(&[][..], |pointer| pointer.keys());
            (table.name.clone(), keys.iter().cloned().map(Step::Key).collect::<ValuePath>())
        });
        let known = self.known.known.values().filter(|schema| is_child(&schema.parent));
        let known = known.map(|schema| (schema.name.clone(), schema.path.clone()));
        let all: Vec<(TableName, ValuePath)> = declared.chain(known).collect();
        for (name, path) in all {
            if self.children.iter().any(|(other, _, _)| *other == name) {
                continue;
            }
            let rows = match self.table.rows {
                TableShape::Excluded => TableShape::Excluded,
                _ if self.excludes(&path) => TableShape::Excluded,
                _ => TableShape::NotSeen,
            };
            self.children.push((name, path, rows));
        }
    }

    fn declared_type(&self, name: &ColumnName) -> Option<&'a ColumnType> {
        self.table.declared?.columns.get(name)?.column_type.as_ref()
    }

    /// Whether the definition or the table so far makes a column one of lists, even if this export has none.
    fn is_list(&self, name: &ColumnName) -> bool {
        let known = || Some(&self.known.known.get(&self.table.name)?.column(name)?.column_type);
        matches!(self.declared_type(name).or_else(known), Some(ColumnType::List(_)))
    }

    /// The child table of the objects and lists here, if they have one.
    fn child_table(
        &mut self,
        name: &ColumnName,
        value: &ValueShape,
        lists: bool,
        path: &[Step],
    ) -> Option<TableName> {
        let parent = &self.table.name;
        let declared = self.known.declared.iter().find(|table| {
            table.parent.as_ref() == Some(parent)
                && table.records.as_ref().is_some_and(|pointer| {
                    pointer.keys().iter().cloned().map(Step::Key).eq(path.iter().cloned())
                })
        });
        let known = || {
            self.known
                .known
                .values()
                .find(|schema| schema.parent.as_ref() == Some(parent) && schema.path == path)
        };
        if let Some(table) = declared {
            return Some(table.name.clone());
        }
        if matches!(self.declared_type(name), Some(ColumnType::List(_))) {
            return None;
        }
        if let Some(schema) = known() {
            return Some(schema.name.clone());
        }
        (lists && value.needs_rows()).then(|| self.free_table_name(path))
    }

    /// The name of an undeclared child table, with a suffix made from its path when another table has the name.
    fn free_table_name(&mut self, path: &[Step]) -> TableName {
        let mut name = child_table_name(&self.table.name, path);
        while !self.known.names.insert(name.clone()) {
            name = distinct_table_name(&name, path);
        }
        name
    }

    /// The column name of a value: declared for its path, known from earlier exports, or made from the path.
    fn name_of(&self, path: &[Step]) -> Result<ColumnName, SchemaError> {
        if let Some(name) = self.declared_name(path).or_else(|| self.known_name(path)) {
            return Ok(name.clone());
        }
        let mut name = column_name(path);
        let columns = self.table.declared.map(|table| &table.columns);
        while let Some(other) = self.path_that_has(&name, path) {
            if columns.is_some_and(|columns| columns.contains_key(&name)) {
                return Err(self.collision(name, &other, path));
            }
            name = distinct_name(&name, path);
        }
        Ok(name)
    }

    fn declared_name(&self, path: &[Step]) -> Option<&ColumnName> {
        let columns = &self.table.declared?.columns;
        columns.keys().find(|name| self.declared_path(name).as_deref() == Some(path))
    }

    /// The declared path of a column's values.
    fn declared_path(&self, name: &ColumnName) -> Option<ValuePath> {
        let pointer = self.table.declared?.columns.get(name)?.from.as_ref()?;
        Some(pointer.keys().iter().cloned().map(Step::Key).collect())
    }

    /// The column of values from this path in the last export, or in an earlier one.
    fn known_name(&self, path: &[Step]) -> Option<&ColumnName> {
        let known = self.known.known.get(&self.table.name)?;
        let is_from_here = |column: &&ColumnSchema| {
            column.path() == Some(path)
                && self.declared_path(&column.name).is_none_or(|declared| declared == path)
        };
        let is_seen = |column: &&ColumnSchema| matches!(column.source, ColumnSource::Value { .. });
        let from_here = || known.columns.iter().filter(is_from_here);
        let column = from_here().find(is_seen).or_else(|| from_here().next())?;
        Some(&column.name)
    }

    /// The path of another value with this name: declared, in this export, or in the table so far.
    fn path_that_has(&self, name: &ColumnName, path: &[Step]) -> Option<ValuePath> {
        let seen = || self.columns.get(name).map(|seen| seen.path.clone());
        let known = || {
            let known = self.known.known.get(&self.table.name)?;
            known.column(name)?.path().map(<[Step]>::to_vec)
        };
        self.declared_path(name).or_else(seen).or_else(known).filter(|other| other != path)
    }

    fn collision(&self, column: ColumnName, first: &[Step], second: &[Step]) -> SchemaError {
        SchemaError::Collision {
            table: self.table.name.clone(),
            column,
            first: ShownPath(first).to_string(),
            second: ShownPath(second).to_string(),
        }
    }

    fn add(&mut self, name: ColumnName, seen: SeenColumn) -> Result<(), SchemaError> {
        let path = seen.path.clone();
        match self.columns.insert(name.clone(), seen) {
            Some(other) => Err(self.collision(name, &other.path, &path)),
            None => Ok(()),
        }
    }
}
