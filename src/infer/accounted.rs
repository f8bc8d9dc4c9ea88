//! Accounts for every path of an export that has values: a column, a child table, an exclusion or a discard.
//!
//! Nothing relies on this: names and places are decided so that it holds. A value that had no place would be lost
//! without a word (promise P1), so a table is not resolved without this check.

use std::collections::{HashMap, HashSet};

use super::error::SchemaError;
use crate::definition::Nested;
use crate::infer::resolved::TablePolicy;
use crate::schema::{
    ColumnSource, Kinds, Shape, ShownPath, Step, TableSchema, ValueKind, ValuePath, ValueShape,
};

/// The places of one table's values.
pub(crate) struct Places<'s> {
    schema: &'s TableSchema,
    policy: &'s TablePolicy,
    children: HashSet<&'s [Step]>,
    /// The paths of values with a column; whether their type is declared.
    columns: HashMap<&'s [Step], bool>,
    /// The paths above these.
    above: HashSet<&'s [Step]>,
}

impl<'s> Places<'s> {
    pub(crate) fn new(
        schema: &'s TableSchema,
        policy: &'s TablePolicy,
        children: impl Iterator<Item = &'s ValuePath>,
    ) -> Self {
        let columns = schema.columns.iter().filter_map(|column| match &column.source {
            ColumnSource::Value { path, .. } => {
                Some((path.as_slice(), policy.declared.contains(&column.name)))
            }
            _ => None,
        });
        let paths = schema.columns.iter().filter_map(|column| column.path());
        let above = paths.flat_map(|path| (1..path.len()).map(|length| &path[..length]));
        Self {
            schema,
            policy,
            children: children.map(Vec::as_slice).collect(),
            columns: columns.collect(),
            above: above.collect(),
        }
    }

    /// Refuses a shape with a value that has no place.
    pub(crate) fn hold(&self, shape: &Shape) -> Result<(), SchemaError> {
        match self.lost(&shape.values.iter().collect::<Vec<_>>(), &mut Vec::new()) {
            None => Ok(()),
            Some(path) => Err(SchemaError::Unplaced {
                table: self.schema.name.clone(),
                path: ShownPath(&path).to_string(),
            }),
        }
    }

    fn lost(&self, values: &[(&Step, &ValueShape)], path: &mut ValuePath) -> Option<ValuePath> {
        for (step, value) in values {
            path.push((*step).clone());
            let lost = self.lost_value(value, path);
            path.pop();
            if lost.is_some() {
                return lost;
            }
        }
        None
    }

    fn lost_value(&self, value: &ValueShape, path: &mut ValuePath) -> Option<ValuePath> {
        if self.policy.excluded.contains(path) {
            return None;
        }
        let discarded = self.policy.discarded.iter().filter(|it| it.path == *path);
        let discarded = discarded.fold(Kinds::default(), |kinds, it| kinds.and(it.kinds));
        let kinds = |kind| value.kinds.contains(kind) && !discarded.contains(kind);
        let column = self.columns.get(path.as_slice());
        if self.policy.nested != Nested::Tables || column == Some(&true) {
            let is_lost = column.is_none() && value.kinds != discarded;
            return is_lost.then(|| path.clone());
        }
        let has_child = self.children.contains(path.as_slice());
        let is_lost = (kinds(ValueKind::Scalar) && column.is_none())
            || (kinds(ValueKind::ScalarList) && column.is_none() && !has_child)
            || (kinds(ValueKind::RowList) && !has_child);
        if is_lost {
            return Some(path.clone());
        }
        if !kinds(ValueKind::Object) || (has_child && !self.above.contains(path.as_slice())) {
            return None;
        }
        let below = value.nested.iter().flat_map(|nested| &nested.values);
        let of_objects = below.filter(|(step, value)| {
            **step != Step::Item && value.holders.contains(ValueKind::Object)
        });
        self.lost(&of_objects.collect::<Vec<_>>(), path)
    }
}
