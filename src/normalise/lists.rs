//! List columns: from the rows of a nested level, or from scalars, to one list a row.

use polars::chunked_array::builder::{AnonymousOwnedListBuilder, ListBuilderTrait};
use polars::prelude::{IntoSeries, PlSmallStr, PolarsResult, Series};

use super::cast::{Cast, cast, polars_type};
use super::dates::in_iso_form;
use crate::decode::{Nested, Scalars, Step, Values};
use crate::definition::ColumnType;

/// The lists of a level's rows, with items of type `inner`; a scalar is a list of one. There are no `lists`
/// where a child table has them.
pub(super) fn list_column(
    lists: Option<&Values>,
    scalars: Option<&Scalars>,
    rows: usize,
    inner: &ColumnType,
    formats: &[String],
) -> PolarsResult<Cast> {
    let read = |raw: &Series| cast(&in_iso_form(raw, inner, formats)?, inner);
    let nested = lists.and_then(|lists| lists.nested.as_deref());
    let items = nested.map(|nested| item_column(nested, inner, read)).transpose()?;
    let scalars = scalars.map(|scalars| read(&scalars.series)).transpose()?;
    let parents = nested.map_or(&[][..], |nested| &nested.level.parents);

    let item_type = polars_type(inner);
    let mut builder = AnonymousOwnedListBuilder::new(PlSmallStr::EMPTY, rows, Some(item_type));
    let mut next_item = 0;
    let mut empty_lists = lists.map_or(&[][..], |lists| &lists.empty_lists).iter().peekable();
    for row in 0..u32::try_from(rows).unwrap_or(u32::MAX) {
        let count = parents[next_item..].iter().take_while(|parent| **parent == row).count();
        let scalar = scalars.as_ref().map(|cast| cast.series.slice(i64::from(row), 1));
        if let (Some(items), 1..) = (&items, count) {
            let first = i64::try_from(next_item).unwrap_or(i64::MAX);
            builder.append_series(&items.series.slice(first, count))?;
            next_item += count;
        } else if empty_lists.next_if(|empty| **empty == row).is_some() {
            builder.append_empty();
        } else if let Some(scalar) = scalar.filter(|scalar| scalar.null_count() == 0) {
            builder.append_series(&scalar)?;
        } else {
            builder.append_null();
        }
    }
    let item_rows = items.iter().flat_map(|cast| &cast.unfit).map(|item| parents[*item as usize]);
    let mut unfit: Vec<u32> = item_rows.collect();
    unfit.extend(scalars.iter().flat_map(|cast| &cast.unfit));
    unfit.sort_unstable();
    unfit.dedup();
    Ok(Cast { series: builder.finish().into_series(), unfit })
}

/// The items of all lists, one after the other; an object or a list among them does not fit.
fn item_column(
    nested: &Nested,
    inner: &ColumnType,
    read: impl Fn(&Series) -> PolarsResult<Cast>,
) -> PolarsResult<Cast> {
    let items = nested.level.values.get(&Step::Item);
    let mut column = match items.and_then(|items| items.scalars.as_ref()) {
        Some(scalars) => read(&scalars.series)?,
        None => Cast {
            series: Series::full_null(PlSmallStr::EMPTY, nested.level.rows, &polars_type(inner)),
            unfit: Vec::new(),
        },
    };
    column.unfit.extend(&nested.objects);
    if let Some(items) = items {
        column.unfit.extend(&items.empty_lists);
        let lists = items.nested.iter();
        column.unfit.extend(lists.flat_map(|lists| &lists.level.parents));
    }
    Ok(column)
}
