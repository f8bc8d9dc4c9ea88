//! Shape: the keys, nesting and kinds of values of an export, merged over all of its chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::{ColumnStatistics, KeyPlace, Kinds, Step, ValueKind};

/// What was seen at one level of nesting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Step, ValueShape)>", into = "Vec<(Step, ValueShape)>")]
pub struct Shape {
    pub(crate) values: BTreeMap<Step, ValueShape>,
}

/// What was seen under one key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValueShape {
    /// Statistics of the scalars here, those in lists left out.
    pub(crate) scalars: ColumnStatistics,
    /// There were lists that hold a scalar.
    pub(crate) lists: bool,
    /// There were objects that hold a scalar, in lists or alone.
    pub(crate) objects: bool,
    /// Another key of the object has the name of this key's field, so this one has a name of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) distinct: bool,
    /// What the values of this export are.
    #[serde(skip)]
    pub(crate) kinds: Kinds,
    /// What holds them, objects or lists, where both stand under one key.
    #[serde(skip)]
    pub(crate) holders: Kinds,
    /// Where its key stands in objects.
    #[serde(skip)]
    pub(crate) place: KeyPlace,
    /// What the objects and list items hold.
    pub(crate) nested: Option<Box<Shape>>,
}

impl Shape {
    /// Whether records have more keys of scalars and lists than this, or the items of a list. Those of lists are counted
    /// apart, since they may be tables of their own.
    pub(crate) fn has_more_keys_than(&self, most: usize) -> bool {
        let mut lists = vec![self];
        while let Some(shape) = lists.pop() {
            let mut keys = 0;
            let mut objects = vec![shape];
            while let Some(shape) = objects.pop() {
                for value in shape.values.values() {
                    let is_object = value.nested.is_some() && !value.kinds.has_lists();
                    keys += usize::from(!is_object);
                    let below = if is_object { &mut objects } else { &mut lists };
                    below.extend(value.nested.as_deref());
                }
                if keys > most {
                    return true;
                }
            }
        }
        false
    }

    /// Merges the shape of another part of the export.
    pub fn merge(&mut self, other: &Self) {
        for (step, values) in &other.values {
            self.values.entry(step.clone()).or_default().merge(values);
        }
    }

    /// The values in the order in which the source has their keys.
    pub(crate) fn in_source_order(&self) -> Vec<(&Step, &ValueShape)> {
        let mut values: Vec<_> = self.values.iter().collect();
        // Keys with equal places stay in the order of their names.
        values.sort_by_key(|(_, value)| value.place);
        values
    }

    /// Where the values at a path stand among all others: comparing these puts paths into the order of the source.
    pub(crate) fn place_of(&self, path: &[Step]) -> Vec<(KeyPlace, Step)> {
        let mut level = Some(self);
        let places = path.iter().map(|step| {
            let value = level.and_then(|level| level.values.get(step));
            level = value.and_then(|value| value.nested.as_deref());
            (value.map(|value| value.place).unwrap_or_default(), step.clone())
        });
        places.collect()
    }
}

// A step is not a text, so it cannot be a key of a JSON object.
impl From<Vec<(Step, ValueShape)>> for Shape {
    fn from(values: Vec<(Step, ValueShape)>) -> Self {
        Self { values: values.into_iter().collect() }
    }
}

impl From<Shape> for Vec<(Step, ValueShape)> {
    fn from(shape: Shape) -> Self {
        shape.values.into_iter().collect()
    }
}

impl ValueShape {
    /// Lists of scalars.
    pub(crate) fn of_lists(scalars: ColumnStatistics) -> Self {
        let items = Self { scalars, ..Self::default() };
        let nested = Shape { values: BTreeMap::from([(Step::Item, items)]) };
        Self { lists: true, nested: Some(Box::new(nested)), ..Self::default() }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.scalars = self.scalars.merge(other.scalars);
        self.lists |= other.lists;
        self.objects |= other.objects;
        self.distinct |= other.distinct;
        self.kinds = self.kinds.and(other.kinds);
        self.holders = self.holders.and(other.holders);
        self.place = self.place.merge(other.place);
        if let Some(nested) = &other.nested {
            self.nested.get_or_insert_default().merge(nested);
        }
    }

    /// Merges a later export. What holds no scalar is no new field.
    pub(crate) fn merge_later(&mut self, other: &Self) {
        self.scalars = self.scalars.merge(other.scalars);
        self.lists |= other.lists;
        self.objects |= other.objects;
        for (step, value) in other.nested.iter().flat_map(|nested| &nested.values) {
            let known = self.nested.as_mut().and_then(|nested| nested.values.get_mut(step));
            match known {
                Some(known) => known.merge_later(value),
                None if value.is_nothing() => {}
                None => {
                    let nested = self.nested.get_or_insert_default();
                    nested.values.insert(step.clone(), value.clone());
                }
            }
        }
    }

    /// Merges a later export, as far as every value stays in the family of those before. What is nothing yet takes
    /// any value, an object new keys.
    pub(crate) fn widen(&mut self, other: &Self, may_add_fields: bool) {
        if self.is_nothing() {
            return self.merge_later(other);
        }
        self.widen_scalars(other);
        let (lists, objects) = (self.lists, self.objects && other.objects);
        for (step, value) in other.nested.iter().flat_map(|nested| &nested.values) {
            let is_item = *step == Step::Item;
            // Where one object stands, those in lists have no place.
            let in_objects =
                lists || value.kinds.is_empty() || value.holders.contains(ValueKind::Object);
            let has_place = if is_item { lists } else { objects && in_objects };
            if !has_place {
                continue;
            }
            let nested = self.nested.get_or_insert_default();
            match nested.values.get_mut(step) {
                Some(known) => known.widen(value, may_add_fields),
                None if is_item || value.is_nothing() || !may_add_fields => {}
                None => {
                    nested.values.insert(step.clone(), value.clone());
                }
            }
        }
    }

    /// Scalars that stand here or in lists here have one type.
    fn widen_scalars(&mut self, other: &Self) {
        let known = self.statistics_with_items();
        let family = known.column_type();
        let new = if self.lists { other.statistics_with_items() } else { other.scalars };
        let new = new.within(&family);
        if known.is_empty() || !known.merge(new).column_type().is_in_family_of(&family) {
            return;
        }
        let items = self.nested.as_mut().and_then(|nested| nested.values.get_mut(&Step::Item));
        match items {
            Some(items) if self.lists && !items.scalars.is_empty() => {
                items.scalars = items.scalars.merge(new);
            }
            _ => self.scalars = self.scalars.merge(new),
        }
    }

    /// Whether no value holds a scalar.
    fn is_nothing(&self) -> bool {
        self.scalars.is_empty()
            && self.nested.iter().all(|nested| nested.values.values().all(Self::is_nothing))
    }

    pub(crate) fn items(&self) -> Option<&ValueShape> {
        self.nested.as_ref()?.values.get(&Step::Item)
    }

    /// Whether lists here have items that are not scalars, and need rows of their own.
    pub(crate) fn needs_rows(&self) -> bool {
        self.objects || self.items().is_some_and(|items| items.lists)
    }

    /// Whether an object here has a key.
    pub(crate) fn has_keys(&self) -> bool {
        let nested = self.nested.iter().flat_map(|nested| nested.values.keys());
        nested.into_iter().any(|step| *step != Step::Item)
    }

    /// Statistics of the scalars here and in the lists here.
    pub(crate) fn statistics_with_items(&self) -> ColumnStatistics {
        self.items().map_or(self.scalars, |items| self.scalars.merge(items.scalars))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ValueKind;

    #[test]
    fn v11_keys_of_lists_are_counted_apart_and_objects_are_no_columns() {
        let value = |kind: ValueKind, nested: Option<Shape>| ValueShape {
            kinds: kind.into(),
            nested: nested.map(Box::new),
            ..ValueShape::default()
        };
        let shape = |values: Vec<(&str, ValueShape)>| Shape {
            values: values.into_iter().map(|(key, it)| (Step::Key(key.to_owned()), it)).collect(),
        };
        let scalar = || value(ValueKind::Scalar, None);
        let two = || shape(vec![("x", scalar()), ("y", scalar())]);
        let object = value(ValueKind::Object, Some(two()));
        let list = value(ValueKind::RowList, Some(two()));
        let records = shape(vec![("o", object), ("l", list), ("a", scalar())]);
        assert!(records.has_more_keys_than(3));
        assert!(!records.has_more_keys_than(4));
    }
}
