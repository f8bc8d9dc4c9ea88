//! The levels of a chunk, put together to records again.

use std::collections::BTreeMap;

use flowlake::decode::{Level, Values};
use flowlake::schema::Step;

/// An object, or another item of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// What the object says, but for nulls.
    pub fields: BTreeMap<String, Value>,
    /// What the item is, unless it is an object or null.
    pub item: Option<Box<Value>>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, or a number or word as it stands.
    Scalar(String),
    /// The items of a list. An object that stands alone is a list of one, and so it is in levels.
    Rows(Vec<Row>),
}

/// The rows of a level.
pub fn rows(level: &Level) -> Vec<Row> {
    let mut rows = vec![Row::default(); level.rows];
    for (step, values) in &level.values {
        for (row, value) in values_of(values) {
            match step {
                Step::Key(key) => {
                    let twice = rows[row].fields.insert(key.clone(), value);
                    assert_eq!(twice, None, "a row has two values");
                }
                Step::Item => rows[row].item = Some(Box::new(value)),
            }
        }
    }
    rows
}

fn values_of(values: &Values) -> Vec<(usize, Value)> {
    let mut all: Vec<(usize, Value)> = Vec::new();
    if let Some(scalars) = &values.scalars {
        let texts = scalars.values.texts();
        let there =
            texts.iter().enumerate().filter_map(|(row, text)| Some((row, text?.to_owned())));
        all.extend(there.map(|(row, text)| (row, Value::Scalar(text))));
    }
    all.extend(values.empty_lists.iter().map(|row| (*row as usize, Value::Rows(Vec::new()))));
    let empty = || Value::Rows(vec![Row::default()]);
    all.extend(values.empty_objects.iter().map(|row| (*row as usize, empty())));
    if let Some(nested) = &values.nested {
        let mut by_parent: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
        let places = nested.level.parents.iter().zip(&nested.level.positions);
        for ((parent, position), row) in places.zip(rows(&nested.level)) {
            let items = by_parent.entry(*parent).or_default();
            assert_eq!(items.len(), *position as usize, "items keep their order");
            items.push(row);
        }
        let lists = by_parent.into_iter();
        all.extend(lists.map(|(parent, items)| (parent as usize, Value::Rows(items))));
    }
    all
}
