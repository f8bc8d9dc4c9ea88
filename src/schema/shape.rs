//! Shape: which keys, nestings and kinds of values an export has, merged over all of its chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::{ColumnStatistics, Step};

/// What was met at one level of nesting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Step, ValueShape)>", into = "Vec<(Step, ValueShape)>")]
pub struct Shape {
    pub(crate) values: BTreeMap<Step, ValueShape>,
}

/// What was met under one key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValueShape {
    /// The scalars that stood here, not in a list.
    pub(crate) scalars: ColumnStatistics,
    /// There were lists, empty ones included.
    pub(crate) lists: bool,
    /// There were objects, in lists or alone.
    pub(crate) objects: bool,
    /// What the objects and list items hold.
    pub(crate) nested: Option<Box<Shape>>,
}

impl Shape {
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
    pub(crate) fn of_lists(scalars: ColumnStatistics) -> Self {
        let items = Self { scalars, ..Self::default() };
        let nested = Shape { values: BTreeMap::from([(Step::Item, items)]) };
        Self { lists: true, nested: Some(Box::new(nested)), ..Self::default() }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.scalars = self.scalars.merge(other.scalars);
        self.lists |= other.lists;
        self.objects |= other.objects;
        if let Some(nested) = &other.nested {
            self.nested.get_or_insert_default().merge(nested);
        }
    }

    pub(crate) fn items(&self) -> Option<&ValueShape> {
        self.nested.as_ref()?.values.get(&Step::Item)
    }

    /// There is more than scalars here, so that the items of lists need rows of their own.
    pub(crate) fn needs_rows(&self) -> bool {
        self.objects || self.items().is_some_and(|items| items.lists)
    }

    /// The objects here hold something.
    pub(crate) fn has_keys(&self) -> bool {
        self.nested.as_ref().is_some_and(|nested| !nested.values.is_empty())
    }

    /// What is known of the scalars here and in the lists here.
    pub(crate) fn statistics_with_items(&self) -> ColumnStatistics {
        self.items().map_or(self.scalars, |items| self.scalars.merge(items.scalars))
    }
}
