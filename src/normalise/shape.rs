//! Shape: which keys, nestings and kinds of values an export has, merged over all of its chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decode::{Level, Step, Values};
use crate::scalar::Facts;

/// What was met at one level of nesting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Step, ValueShape)>", into = "Vec<(Step, ValueShape)>")]
pub struct Shape {
    pub(super) values: BTreeMap<Step, ValueShape>,
}

/// What was met under one key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValueShape {
    /// The scalars that stood here, not in a list.
    pub(super) scalars: Facts,
    /// There were lists, empty ones included.
    pub(super) lists: bool,
    /// There were objects, in lists or alone.
    pub(super) objects: bool,
    /// What the objects and list items hold.
    pub(super) nested: Option<Box<Shape>>,
}

impl Shape {
    /// Takes in what a chunk met.
    pub fn observe(&mut self, level: &Level) {
        for (step, values) in &level.values {
            self.values.entry(step.clone()).or_default().observe(values);
        }
    }

    /// Takes in what another part of the export has.
    pub fn merge(&mut self, other: &Self) {
        for (step, values) in &other.values {
            self.values.entry(step.clone()).or_default().merge(values);
        }
    }
}

// A step is no key that JSON has.
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
    pub(super) fn of_lists(scalars: Facts) -> Self {
        let items = Self { scalars, ..Self::default() };
        let nested = Shape { values: BTreeMap::from([(Step::Item, items)]) };
        Self { lists: true, nested: Some(Box::new(nested)), ..Self::default() }
    }

    fn observe(&mut self, values: &Values) {
        if let Some(scalars) = &values.scalars {
            self.scalars = self.scalars.merge(scalars.facts);
        }
        self.lists |= !values.empty_lists.is_empty();
        if let Some(nested) = &values.nested {
            self.lists |= nested.lists;
            self.objects |= !nested.objects.is_empty();
            self.nested.get_or_insert_default().observe(&nested.level);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.scalars = self.scalars.merge(other.scalars);
        self.lists |= other.lists;
        self.objects |= other.objects;
        if let Some(nested) = &other.nested {
            self.nested.get_or_insert_default().merge(nested);
        }
    }

    pub(super) fn items(&self) -> Option<&ValueShape> {
        self.nested.as_ref()?.values.get(&Step::Item)
    }

    /// There is more than scalars here, so that the items of lists need rows of their own.
    pub(super) fn needs_rows(&self) -> bool {
        self.objects || self.items().is_some_and(|items| items.lists)
    }

    /// The objects here hold something.
    pub(super) fn has_keys(&self) -> bool {
        self.nested.as_ref().is_some_and(|nested| !nested.values.is_empty())
    }

    /// What is known of the scalars here and in the lists here.
    pub(super) fn facts_with_items(&self) -> Facts {
        self.items().map_or(self.scalars, |items| self.scalars.merge(items.scalars))
    }
}
