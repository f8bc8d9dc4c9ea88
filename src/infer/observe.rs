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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::infer::test_support::shape;

    /// What stands under a key.
    const VALUES: [&str; 7] =
        ["null", "1", "2.5", "\"x\"", "{\"y\":1,\"x\":2}", "[{\"x\":1},{\"y\":1}]", "[1]"];

    /// An object of some keys, in any order.
    fn any_object() -> impl Strategy<Value = String> {
        let keys = Just(vec!["a", "b", "c", "d", "e"]).prop_shuffle();
        let values = proptest::collection::vec(proptest::sample::select(&VALUES[..]), 0..5);
        (keys, values).prop_map(|(keys, values)| {
            let members = keys.iter().zip(values);
            let members: Vec<String> =
                members.map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
    }

    proptest! {
        #[test]
        fn p6_order_of_records_changes_no_shape_and_no_place(
            (records, others) in proptest::collection::vec(any_object(), 1..6)
                .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
        ) {
            let [left, right] = [records, others].map(|it| shape(&format!("[{}]", it.join(","))));
            prop_assert_eq!(left, right);
        }
    }
}
