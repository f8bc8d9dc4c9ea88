//! The columns that the definition and a table so far have, by name and by path. Wide tables ask for each of them.

use std::collections::{HashMap, HashSet};

use crate::definition::Table;
use crate::schema::{ColumnName, ColumnSchema, JsonPointer, Step, TableSchema, ValuePath};

/// The columns of one table before this export.
#[derive(Default)]
pub(crate) struct ColumnIndex<'a> {
    /// The paths that the definition gives to columns.
    paths: HashMap<&'a ColumnName, ValuePath>,
    declared: HashMap<ValuePath, &'a ColumnName>,
    known: HashMap<&'a ColumnName, &'a ColumnSchema>,
    /// The column of values from a path in the last export, or in an earlier one.
    names: HashMap<&'a [Step], &'a ColumnName>,
    /// The paths of objects that have columns.
    objects: HashSet<ValuePath>,
}

impl<'a> ColumnIndex<'a> {
    pub(crate) fn new(
        declared: Option<&'a Table>,
        known: Option<&'a TableSchema>,
        reserved: &HashSet<ColumnName>,
    ) -> Self {
        let mut index = Self::default();
        let is_excluded = |name: &ColumnName| {
            declared.and_then(|table| table.columns.get(name)).is_some_and(|column| column.exclude)
        };
        for (name, column) in declared.iter().flat_map(|table| &table.columns) {
            let Some(path) = column.from.as_ref().map(path_of) else { continue };
            if !column.exclude {
                index.add_objects(&path);
            }
            index.declared.entry(path.clone()).or_insert(name);
            index.paths.insert(name, path);
        }
        let columns = known.map_or(&[][..], |schema| &schema.columns);
        for column in columns {
            index.known.insert(&column.name, column);
            if let Some(path) = column.path().filter(|_| !is_excluded(&column.name)) {
                index.add_objects(path);
            }
        }
        let in_order = columns.iter().filter(|column| column.is_seen()).chain(columns);
        for column in in_order.filter(|column| !reserved.contains(&column.name)) {
            let Some(path) = column.path() else { continue };
            if index.path_of(&column.name).is_none_or(|declared| declared == path) {
                index.names.entry(path).or_insert(&column.name);
            }
        }
        index
    }

    fn add_objects(&mut self, path: &[Step]) {
        for length in 1..path.len() {
            if !self.objects.contains(&path[..length]) {
                self.objects.insert(path[..length].to_vec());
            }
        }
    }

    /// The path that the definition gives to a column.
    pub(crate) fn path_of(&self, name: &ColumnName) -> Option<&[Step]> {
        self.paths.get(name).map(Vec::as_slice)
    }

    /// The column that the definition, or the table so far, has for a path.
    pub(crate) fn name_of(&self, path: &[Step]) -> Option<&'a ColumnName> {
        self.declared.get(path).or_else(|| self.names.get(path)).copied()
    }

    /// A column of the table so far.
    pub(crate) fn known(&self, name: &ColumnName) -> Option<&'a ColumnSchema> {
        self.known.get(name).copied()
    }

    /// Whether there are columns of the objects at a path.
    pub(crate) fn has_objects(&self, path: &[Step]) -> bool {
        self.objects.contains(path)
    }
}

fn path_of(pointer: &JsonPointer) -> ValuePath {
    pointer.keys().iter().cloned().map(Step::Key).collect()
}
