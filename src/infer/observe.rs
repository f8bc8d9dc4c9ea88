//! Merges the decoded chunks of an export into its [`Shape`].

use crate::decode::{Level, Values};
use crate::schema::{Shape, ValueShape};

/// Merges what the rows of a chunk hold.
pub fn observe(shape: &mut Shape, level: &Level) {
    for (step, values) in &level.values {
        observe_values(shape.values.entry(step.clone()).or_default(), values);
    }
}

fn observe_values(shape: &mut ValueShape, values: &Values) {
    if let Some(scalars) = &values.scalars {
        shape.scalars = shape.scalars.merge(scalars.statistics);
    }
    shape.lists |= !values.empty_lists.is_empty();
    if let Some(nested) = &values.nested {
        shape.lists |= nested.lists;
        shape.objects |= !nested.objects.is_empty();
        observe(shape.nested.get_or_insert_default(), &nested.level);
    }
}
