//! Counts the values in columns as readers of the files see them: the items of lists and the fields of objects one by
//! one, and nothing below a null.

use polars::prelude::{DataFrame, Series};
use polars_arrow::array::{Array, ListArray, StructArray};
use polars_arrow::bitmap::{Bitmap, and};

use crate::schema::{ColumnSource, TableSchema};

/// The values that rows of a table have from the JSON. A column that the rows lack counts for nothing.
pub(crate) fn values_in_rows(rows: &DataFrame, schema: &TableSchema) -> u64 {
    let from_json =
        schema.columns.iter().filter(|column| matches!(column.source, ColumnSource::Value { .. }));
    let columns = from_json.filter_map(|column| rows.column(column.name.as_str()).ok());
    columns.map(|column| values_in(column.as_materialized_series())).sum()
}

/// The values in a column.
fn values_in(column: &Series) -> u64 {
    column.chunks().iter().map(|chunk| count(chunk.as_ref(), None) as u64).sum()
}

/// The values in the rows of an array that no null above hides.
fn count(array: &dyn Array, shown: Option<&Bitmap>) -> usize {
    let there = match (array.validity(), shown) {
        (Some(own), Some(shown)) => Some(and(own, shown)),
        (own, shown) => own.or(shown).cloned(),
    };
    if let Some(objects) = array.as_any().downcast_ref::<StructArray>() {
        return objects.values().iter().map(|field| count(field.as_ref(), there.as_ref())).sum();
    }
    if let Some(lists) = array.as_any().downcast_ref::<ListArray<i64>>() {
        return count_items(lists, there.as_ref());
    }
    there.map_or_else(|| array.len() - array.null_count(), |there| there.set_bits())
}

fn count_items(lists: &ListArray<i64>, there: Option<&Bitmap>) -> usize {
    let range = lists.offsets().range();
    let (first, all) = (*lists.offsets().first(), usize::try_from(range).unwrap_or_default());
    let items = lists.values().sliced(usize::try_from(first).unwrap_or_default(), all);
    let Some(there) = there.filter(|there| there.unset_bits() > 0) else {
        return count(items.as_ref(), None);
    };
    // A null list may still span items.
    let lengths = lists.offsets().lengths().zip(there.iter());
    let shown = lengths.flat_map(|(length, is_there)| std::iter::repeat_n(is_there, length));
    count(items.as_ref(), Some(&shown.collect()))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{
        BooleanChunked, IntoSeries, NewChunkedArray, PlSmallStr, StringChunked, StructChunked,
    };

    use super::super::lists::lists_of;
    use super::*;

    fn texts(values: &[Option<&str>]) -> Series {
        StringChunked::from_slice_options("item".into(), values).into_series()
    }

    fn lists(items: &Series, lengths: [usize; 3], there: [bool; 3]) -> Series {
        let there = Some(there.into_iter().collect());
        lists_of(PlSmallStr::EMPTY, items, lengths.into_iter(), there).unwrap()
    }

    #[test]
    fn values_are_counted_where_they_can_be_seen() {
        let items = texts(&[Some("a"), None, Some("b"), Some("c")]);
        assert_eq!(values_in(&items), 3);
        assert_eq!(values_in(&items.slice(1, 2)), 1);
        assert_eq!(values_in(&Series::new_empty("item".into(), items.dtype())), 0);
        let all = lists(&items, [1, 3, 0], [true, true, false]);
        assert_eq!(values_in(&all), 3);
        assert_eq!(values_in(&all.slice(1, 2)), 2, "items of other lists are not counted");
        let hidden = lists(&items, [1, 2, 1], [true, true, false]);
        assert_eq!(values_in(&hidden), 2, "nobody reads the items of a null list");
        assert_eq!(
            values_in(
                &hidden
                    .filter(&BooleanChunked::from_slice("".into(), &[true, false, true]))
                    .unwrap()
            ),
            1
        );
        let [one, two] = ["one", "two"].map(|name| items.clone().with_name(name.into()));
        let objects = StructChunked::from_series("o".into(), 4, [&one, &two].into_iter()).unwrap();
        assert_eq!(values_in(&objects.clone().into_series()), 6);
        let there: Bitmap = [true, true, true, false].into_iter().collect();
        let objects = objects.with_outer_validity(Some(there)).into_series();
        assert_eq!(values_in(&objects), 4, "nobody reads the fields of a null object");
        let of_objects = lists(&objects, [2, 0, 2], [true, true, true]);
        assert_eq!(values_in(&of_objects), 4);
    }
}
