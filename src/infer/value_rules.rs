//! What the definition says of values before their types are inferred: see [`ValueRules`].
//!
//! | in the definition | the values at the path |
//! |---|---|
//! | `null_values` of a table | those scalars are null, here and below |
//! | `null_values` of a column | the same, instead of those of the table |
//! | `type = "json"` | one text each |
//! | `keys` of a child table | each member of an object is a row |
//! | `exclude = true` of a key of the record | are not read |
//!
//! Columns are declared by name, so a path is named here as [`columns`](super::columns) names it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::naming::{column_name, distinct_name, parent_key_name};
use crate::decode::{ValueForm, ValueRule, ValueRules};
use crate::definition::{Column, Nested, Table};
use crate::schema::{
    ColumnName, ColumnType, IDENTITY_COLUMN, INDEX_COLUMN, JsonPointer, NullValues, PartitionField,
    Step, TableName, TableSchema, ValuePath,
};

/// The rules of a record array.
#[derive(Debug)]
struct DeclaredValues {
    null_values: Option<Arc<NullValues>>,
    /// The table and its declared child tables, those with the longest paths first.
    tables: Vec<DeclaredTable>,
}

/// A table or child table.
#[derive(Debug)]
struct DeclaredTable {
    /// The path from the root table's record.
    path: ValuePath,
    keys: Option<ColumnName>,
    nested: Nested,
    /// The names that a child table needs for keys and partitions; no key of the JSON gets them.
    reserved: Vec<ColumnName>,
    by_name: HashMap<ColumnName, ValueRule>,
    by_path: HashMap<ValuePath, ValueRule>,
    /// The names of the columns that the table has.
    known: HashMap<ValuePath, ColumnName>,
}

/// The rules for the records of a table; none when the definition says nothing of their values.
#[must_use]
pub fn value_rules(
    root: &Table,
    declared: &[Table],
    known: &BTreeMap<TableName, TableSchema>,
) -> Option<Arc<dyn ValueRules>> {
    let null_values =
        (!root.null_values.is_empty()).then(|| Arc::new(root.null_values.iter().collect()));
    let mut tables = vec![DeclaredTable::new(root, Vec::new(), known)];
    let mut parents: Vec<(&TableName, ValuePath, Vec<ColumnName>)> =
        vec![(&root.name, Vec::new(), keys_in_children(root))];
    while let Some((parent, above, parent_keys)) = parents.pop() {
        for child in declared.iter().filter(|table| table.parent.as_ref() == Some(parent)) {
            let pointer = child.records.iter().flat_map(JsonPointer::keys);
            let steps = above.iter().cloned().chain(pointer.cloned().map(Step::Key));
            let path: ValuePath = steps.collect();
            let mut table = DeclaredTable::new(child, path.clone(), known);
            let directories = PartitionField::reserved_names(&root.partition_by, Some(&root.name));
            // One that the parent carries itself keeps its name, which is no name of the JSON there either.
            let carried = child.parent_columns.iter();
            let carried = carried.map(|name| parent_key_name(parent, name.as_str()));
            let keys = parent_keys.iter().cloned().chain(child.keys.clone());
            table.reserved = keys.chain(carried).chain(directories).collect();
            tables.push(table);
            let keys = parent_keys.iter().cloned().chain(keys_in_children(child));
            parents.push((&child.name, path, keys.collect()));
        }
    }
    let says_nothing = |table: &DeclaredTable| {
        table.keys.is_none() && table.by_name.is_empty() && table.by_path.is_empty()
    };
    if null_values.is_none() && tables.iter().all(says_nothing) {
        return None;
    }
    tables.sort_by_key(|table| std::cmp::Reverse(table.path.len()));
    Some(Arc::new(DeclaredValues { null_values, tables }))
}

/// The key columns of a table, by their names in its child tables.
fn keys_in_children(table: &Table) -> Vec<ColumnName> {
    let own = match (&table.parent, table.primary_key.as_slice(), &table.keys) {
        (None, [], _) => vec![IDENTITY_COLUMN],
        (Some(_), _, Some(keys)) => vec![keys.as_str()],
        (Some(_), [], None) => vec![INDEX_COLUMN],
        (_, primary_key, _) => primary_key.iter().map(ColumnName::as_str).collect(),
    };
    own.into_iter().map(|column| parent_key_name(&table.name, column)).collect()
}

impl DeclaredTable {
    fn new(table: &Table, path: ValuePath, known: &BTreeMap<TableName, TableSchema>) -> Self {
        let (mut by_name, mut by_path) = (HashMap::new(), HashMap::new());
        for (name, column) in &table.columns {
            let Some(rule) = rule_of(column) else { continue };
            match &column.from {
                Some(from) => {
                    by_path.insert(from.keys().iter().cloned().map(Step::Key).collect(), rule)
                }
                None => by_name.insert(name.clone(), rule),
            };
        }
        let mut names = HashMap::new();
        if !by_name.is_empty() {
            let columns = known.get(&table.name).map_or(&[][..], |schema| &schema.columns);
            let (seen, unseen): (Vec<_>, Vec<_>) = columns
                .iter()
                .filter_map(|column| Some((column, column.path()?)))
                .partition(|(column, _)| column.is_seen());
            // A path may have had several names: the one with values is the last.
            let in_order = unseen.into_iter().chain(seen);
            names.extend(in_order.map(|(column, path)| (path.to_vec(), column.name.clone())));
        }
        Self {
            path,
            keys: table.keys.clone(),
            nested: table.nested,
            reserved: Vec::new(),
            by_name,
            by_path,
            known: names,
        }
    }
}

/// What a column says of its values before they have a type.
fn rule_of(column: &Column) -> Option<ValueRule> {
    let form = match column.column_type {
        _ if column.exclude => ValueForm::LeftOut,
        Some(ColumnType::Json) => ValueForm::Json,
        _ => ValueForm::AsFound,
    };
    let null_values = column.null_values.as_ref().map(|values| Arc::new(values.iter().collect()));
    (form != ValueForm::AsFound || null_values.is_some()).then_some(ValueRule { form, null_values })
}

impl ValueRules for DeclaredValues {
    fn rule(&self, path: &[Step], rows: usize, above: &ValueRule) -> ValueRule {
        if path.is_empty() {
            return ValueRule { form: ValueForm::AsFound, null_values: self.null_values.clone() };
        }
        let mut rule = self.declared(path, rows).unwrap_or_default();
        if self.tables.iter().any(|table| table.path == path && table.keys.is_some()) {
            rule.form = ValueForm::Keyed;
        }
        rule.null_values = rule.null_values.or_else(|| above.null_values.clone());
        rule
    }
}

impl DeclaredValues {
    /// The rule of a column of the innermost table. Rows of a list are no columns of the tables around it, whatever the
    /// names of those are.
    fn declared(&self, path: &[Step], rows: usize) -> Option<ValueRule> {
        let mut around = self.tables.iter().filter_map(|table| {
            let own = path.strip_prefix(table.path.as_slice()).filter(|own| !own.is_empty())?;
            Some((table, own))
        });
        let (table, own) = around.next().filter(|(table, _)| table.path.len() >= rows)?;
        let rule = table.rule(own)?;
        // Below a key, whether there are rows of a list is known only at the end; nothing may be lost meanwhile.
        let is_certain = path.len() == 1 || rule.form != ValueForm::LeftOut;
        is_certain.then_some(rule)
    }
}

impl DeclaredTable {
    /// The rule of the column that the values at a path become.
    fn rule(&self, path: &[Step]) -> Option<ValueRule> {
        if self.nested != Nested::Tables && path.len() > 1 {
            // It is in one column with what is around it.
            return None;
        }
        if let Some(rule) = self.by_path.get(path) {
            return Some(rule.clone());
        }
        if self.by_name.is_empty() {
            return None;
        }
        if let Some(name) = self.known.get(path) {
            return self.by_name.get(name).cloned();
        }
        let name = column_name(path);
        let own = self.by_name.get(&name).filter(|_| !self.reserved.contains(&name));
        own.or_else(|| self.by_name.get(&distinct_name(&name, path))).cloned()
    }
}
