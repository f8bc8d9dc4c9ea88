//! What the definition says of values before their types are inferred: see [`ValueRules`].
//!
//! | in the definition | the values at the path |
//! |---|---|
//! | `null_values` of a table | those scalars are null, here and below |
//! | `null_values` of a column | the same, instead of those of the table |
//! | `type = "json"` | one text each |
//! | `keys` of a child table | each member of an object is a row |
//! | `exclude = true` | are not read |
//!
//! Columns are declared by name, so a path is named here as [`columns`](super::columns) names it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::naming::{column_name, distinct_name};
use crate::decode::{ValueForm, ValueRule, ValueRules};
use crate::definition::{Column, Nested, Table};
use crate::schema::{
    ColumnName, ColumnSource, ColumnType, JsonPointer, NullValues, PartitionField, Step, TableName,
    TableSchema, ValuePath,
};

/// The rules of a record array.
#[derive(Debug)]
struct DeclaredValues {
    null_values: Option<Arc<NullValues>>,
    /// The table and its declared child tables, those with the longest paths first.
    tables: Vec<DeclaredTable>,
    /// How names begin that child rows may need for keys.
    key_prefixes: Vec<String>,
    /// Names that partitions need.
    partitions: Vec<String>,
}

/// A table or child table.
#[derive(Debug)]
struct DeclaredTable {
    /// The path from the root table's record.
    path: ValuePath,
    keys: Option<ColumnName>,
    nested: Nested,
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
    let mut names: Vec<(&TableName, ValuePath)> = vec![(&root.name, Vec::new())];
    while let Some((parent, above)) = names.pop() {
        let children = declared.iter().filter(|table| table.parent.as_ref() == Some(parent));
        for child in children {
            let keys = child.records.iter().flat_map(JsonPointer::keys);
            let path: ValuePath =
                above.iter().cloned().chain(keys.cloned().map(Step::Key)).collect();
            tables.push(DeclaredTable::new(child, path.clone(), known));
            names.push((&child.name, path));
        }
    }
    let says_nothing = |table: &DeclaredTable| {
        table.keys.is_none() && table.by_name.is_empty() && table.by_path.is_empty()
    };
    if null_values.is_none() && tables.iter().all(says_nothing) {
        return None;
    }
    tables.sort_by_key(|table| std::cmp::Reverse(table.path.len()));
    let all = declared.iter().map(|table| &table.name).chain(known.keys());
    Some(Arc::new(DeclaredValues {
        null_values,
        tables,
        key_prefixes: all.map(|name| format!("{name}__")).collect(),
        partitions: declared
            .iter()
            .flat_map(|table| &table.partition_by)
            .map(PartitionField::directory_key)
            .collect(),
    }))
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
                .partition(|(column, _)| matches!(column.source, ColumnSource::Value { .. }));
            // A path may have had several names: the one with values is the last.
            let in_order = unseen.into_iter().chain(seen);
            names.extend(in_order.map(|(column, path)| (path.to_vec(), column.name.clone())));
        }
        Self {
            path,
            keys: table.keys.clone(),
            nested: table.nested,
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
    fn rule(&self, path: &[Step], above: &ValueRule) -> ValueRule {
        if path.is_empty() {
            return ValueRule { form: ValueForm::AsFound, null_values: self.null_values.clone() };
        }
        let mut rule = self.declared(path).unwrap_or_default();
        if self.tables.iter().any(|table| table.path == path && table.keys.is_some()) {
            rule.form = ValueForm::Keyed;
        }
        rule.null_values = rule.null_values.or_else(|| above.null_values.clone());
        rule
    }
}

impl DeclaredValues {
    /// The rule of the innermost table that declares a column for the path.
    fn declared(&self, path: &[Step]) -> Option<ValueRule> {
        let mut around = self.tables.iter().filter_map(|table| {
            let own = path.strip_prefix(table.path.as_slice()).filter(|own| !own.is_empty())?;
            Some((table, own))
        });
        around.find_map(|(table, own)| self.declared_in(table, own))
    }

    fn declared_in(&self, table: &DeclaredTable, path: &[Step]) -> Option<ValueRule> {
        if table.nested != Nested::Tables && path.len() > 1 {
            // It is in one column with what is around it.
            return None;
        }
        if let Some(rule) = table.by_path.get(path) {
            return Some(rule.clone());
        }
        if table.by_name.is_empty() {
            return None;
        }
        if let Some(name) = table.known.get(path) {
            return table.by_name.get(name).cloned();
        }
        let name = column_name(path);
        let own = (!self.may_be_reserved(&name, table)).then(|| table.by_name.get(&name)).flatten();
        own.or_else(|| table.by_name.get(&distinct_name(&name, path))).cloned()
    }

    /// Whether keys, partitions or flowlake's own columns may need a name, so that a key of the JSON does not get it.
    fn may_be_reserved(&self, name: &ColumnName, table: &DeclaredTable) -> bool {
        let name = name.as_str();
        name.starts_with('_')
            || table.keys.as_ref().is_some_and(|keys| keys.as_str() == name)
            || (!table.path.is_empty()
                && (self.partitions.iter().any(|partition| partition == name)
                    || self.key_prefixes.iter().any(|prefix| name.starts_with(prefix))))
    }
}
