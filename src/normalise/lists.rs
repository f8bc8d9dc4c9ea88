//! Lists from their items.

use polars::prelude::{CompatLevel, PlSmallStr, PolarsResult, Series};
use polars_arrow::array::{Array, ListArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::offset::{Offsets, OffsetsBuffer};

/// Lists of these lengths from their items, which stand one after the other; null where none is `there`.
///
/// # Errors
/// The lengths are not those of the items.
pub fn lists_of(
    name: PlSmallStr,
    items: &Series,
    lengths: impl Iterator<Item = usize>,
    there: Option<Bitmap>,
) -> PolarsResult<Series> {
    let items = items.rechunk().to_arrow(0, CompatLevel::newest());
    let offsets: OffsetsBuffer<i64> = Offsets::try_from_lengths(lengths)?.into();
    let list_type = ListArray::<i64>::default_datatype(items.dtype().clone());
    let lists = ListArray::try_new(list_type, offsets, items, there)?;
    Series::try_from((name, Box::new(lists) as Box<dyn Array>))
}
