//! Merges the decoded chunks of an export into its [`Shape`].

use crate::decode::{Level, NestedRows, Values};
use crate::schema::{Kinds, Shape, ValueKind, ValueShape};

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
    shape.place = shape.place.merge(values.place);
    let kinds = values.kinds();
    shape.kinds = shape.kinds.and(kinds);
    if let Some(nested) = &values.nested {
        shape.lists |= kinds.has_lists();
        shape.objects = shape.objects || nested.has_filled_objects();
        let below = shape.nested.get_or_insert_default();
        observe(below, &nested.level);
        observe_holders(below, nested, kinds);
    }
}

/// Notes which keys objects have and which the items of lists.
fn observe_holders(shape: &mut Shape, nested: &NestedRows, kinds: Kinds) {
    for (step, values) in &nested.level.values {
        let Some(shape) = shape.values.get_mut(step) else { continue };
        if values.kinds().is_empty() {
            continue;
        }
        let holders = match (kinds.contains(ValueKind::Object), kinds.has_lists()) {
            (true, false) => ValueKind::Object.into(),
            (false, _) => ValueKind::RowList.into(),
            (true, true) => holders(nested, values),
        };
        shape.holders = shape.holders.and(holders);
    }
}

fn holders(nested: &NestedRows, values: &Values) -> Kinds {
    let parents = values.filled_rows().into_iter().map(|row| nested.level.parents[row as usize]);
    let holder =
        |parent| if nested.is_list(parent) { ValueKind::RowList } else { ValueKind::Object };
    parents.map(holder).collect()
}
