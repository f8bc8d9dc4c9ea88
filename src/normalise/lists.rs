//! Builds list columns from their items.

use polars::prelude::{CompatLevel, PlSmallStr, PolarsResult, Series};
use polars_arrow::array::{Array, ListArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::offset::{Offsets, OffsetsBuffer};

/// Lists of these lengths from consecutive items; null where no list is `there`.
///
/// # Errors
/// The lengths do not add up to the number of items.
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
