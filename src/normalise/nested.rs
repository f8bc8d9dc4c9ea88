//! Nested columns: objects and lists in one column, as structs and lists of Parquet.
//!
//! | JSON | type |
//! |---|---|
//! | an object | `struct<key: …>` |
//! | a list | `list<…>`; anything else where others have a list is a list of one |
//! | a scalar where others have an object | the object's field `value`, as if it were `{"value": …}` |
//! | a list in a list where others have an object | the object's field `items` |
//! | an object without keys | `struct<value: string>`, since Parquet has no struct without fields |
//! | what is nested deeper than [`MOST_LEVELS`](crate::schema::MOST_LEVELS) | text, as JSON |

use std::collections::HashMap;

use polars::prelude::{
    BooleanChunked, IdxCa, IdxSize, IntoSeries, NewChunkedArray, PlSmallStr, PolarsResult, Series,
    StructChunked,
};
use polars_arrow::bitmap::Bitmap;

use super::cast::{Cast, CastRules, cast_raw, only_where, polars_type};
use super::lists::lists_of;
use crate::decode::{Level, NestedRows, Scalars, Values};
use crate::infer::{FieldIndex, ITEMS_FIELD};
use crate::schema::{ColumnName, ColumnType, ITEM_COLUMN, Step, StructField};

/// The values under one key as a column of any type. What holds no scalar is null.
pub(super) fn column(
    values: &Values,
    rows: usize,
    column_type: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    match column_type {
        ColumnType::List(inner) => {
            list_column(Some(values), values.scalars.as_ref(), rows, inner, rules)
        }
        ColumnType::Struct(_) => object_column(values, rows, column_type, rules),
        _ => {
            let mut column = scalars_as(values.scalars.as_ref(), rows, column_type, rules)?;
            column.unfit.extend(values.nested.iter().flat_map(|it| it.filled_parents()));
            Ok(column.in_order())
        }
    }
}

/// The same for a declared type, which `{}` and `[]` fit only if they are of that type.
pub(super) fn declared_column(
    values: &Values,
    rows: usize,
    column_type: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let mut column = column(values, rows, column_type, rules)?;
    let is_list_of_scalars = matches!(column_type, ColumnType::List(item) if item.is_scalar());
    if let Some(nested) = values.nested.as_deref().filter(|_| is_list_of_scalars) {
        column.unfit.extend(lists_with_rows(nested));
    }
    if column_type.is_scalar() {
        column.unfit.extend(values.nested.iter().flat_map(|nested| &nested.level.parents));
    }
    if column_type.is_scalar() || is_list_of_scalars {
        column.unfit.extend(&values.empty_objects);
    }
    if !matches!(column_type, ColumnType::List(_)) {
        column.unfit.extend(&values.empty_lists);
    }
    Ok(column.in_order())
}

/// The parent rows whose lists have objects or lists as items, also empty ones.
fn lists_with_rows(nested: &NestedRows) -> impl Iterator<Item = u32> {
    let items = nested.level.values.get(&Step::Item);
    let lists = items.into_iter().flat_map(rows_that_have_lists);
    let rows = nested.objects.iter().copied().chain(lists);
    rows.map(|row| nested.level.parents[row as usize])
}

/// Scalars as values of any type: lists of one, objects of one field.
pub(super) fn scalars_as(
    scalars: Option<&Scalars>,
    rows: usize,
    column_type: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let Some(scalars) = scalars else { return Ok(Cast::nulls(rows, column_type)) };
    match column_type {
        ColumnType::List(inner) => list_column(None, Some(scalars), rows, inner, rules),
        ColumnType::Struct(fields) => {
            let Some((_, field)) = FieldIndex::new(fields).named(ITEM_COLUMN) else {
                let unfit = rows_of_true(&scalars.values.is_not_null());
                return Ok(Cast { unfit, ..Cast::nulls(rows, column_type) });
            };
            let rules = rules.of_field(&field.name);
            let values = scalars_as(Some(scalars), rows, &field.column_type, rules)?;
            // A scalar that does not fit is no object without members.
            let mut object = ObjectBuilder::new(fields, values.series.is_not_null());
            object.fill(&field.name, values)?;
            object.finish()
        }
        _ => cast_raw(&scalars.values, column_type, rules),
    }
}

/// The lists of a level's rows, with items of type `inner`; anything else is a list of one. There are no `lists`
/// where a child table has them.
fn list_column(
    lists: Option<&Values>,
    scalars: Option<&Scalars>,
    rows: usize,
    inner: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let nested = lists.and_then(|lists| lists.nested.as_deref());
    let items = nested.map(|nested| items_of(nested, inner, rules)).transpose()?;
    let parents = nested.map_or(&[][..], |nested| &nested.level.parents);
    let ones = scalars.map(|scalars| scalars_as(Some(scalars), rows, inner, rules)).transpose()?;

    let (mut lengths, mut there) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let is_one = ones.as_ref().map(|cast| cast.series.is_not_null());
    // The items of lists, or behind these a list of one's item.
    let item_count = items.as_ref().map_or(0, |items| items.series.len());
    let mut positions: Vec<IdxSize> = Vec::new();
    let mut next_item = 0;
    let mut empty_lists = lists.map_or(&[][..], |lists| &lists.empty_lists).iter().peekable();
    for row in (0_u32..).take(rows) {
        let mut count = parents[next_item..].iter().take_while(|parent| **parent == row).count();
        positions.extend((0..).skip(next_item).take(count));
        next_item += count;
        let is_empty = count == 0 && empty_lists.next_if(|empty| **empty == row).is_some();
        let is_one = is_one.as_ref().is_some_and(|is_one| is_one.get(row as usize) == Some(true));
        if count == 0 && !is_empty && is_one {
            positions.push(IdxSize::try_from(item_count).unwrap_or(IdxSize::MAX) + row);
            count = 1;
        }
        lengths.push(count);
        there.push(count > 0 || is_empty);
    }
    let mut values = match &items {
        Some(items) => items.series.clone(),
        None => Series::new_empty(PlSmallStr::EMPTY, &polars_type(inner)),
    };
    if let Some(ones) = &ones {
        values.append(&ones.series)?;
        values = values.rechunk().take(&IdxCa::from_slice(PlSmallStr::EMPTY, &positions))?;
    }
    let there: Bitmap = there.into_iter().collect();
    let series = lists_of(PlSmallStr::EMPTY, &values, lengths.into_iter(), Some(there))?;
    let item_rows = items.iter().flat_map(|cast| &cast.unfit).map(|item| parents[*item as usize]);
    let mut unfit: Vec<u32> = item_rows.collect();
    unfit.extend(ones.iter().flat_map(|cast| &cast.unfit));
    let column = Cast { series, unfit }.in_order();
    // A list with a gap is another list. An object in a list only lacks a member.
    if matches!(inner, ColumnType::Struct(_)) { Ok(column) } else { column.without_unfit() }
}

/// The items of all lists, one after the other.
fn items_of(
    nested: &NestedRows,
    item_type: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let NestedRows { objects, level, .. } = nested;
    let items = level.values.get(&Step::Item);
    if let ColumnType::Struct(fields) = item_type {
        return objects_of(level, objects, fields, rules);
    }
    let mut column = match items {
        Some(items) => column(items, level.rows, item_type, rules)?,
        None => Cast::nulls(level.rows, item_type),
    };
    let filled = nested.filled_objects();
    column.unfit.extend(objects.iter().filter(|object| filled[**object as usize]));
    Ok(column.in_order())
}

/// Objects that stand alone. A list does not fit, unless it is a list of one object.
fn object_column(
    values: &Values,
    rows: usize,
    object_type: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let scalars = values.scalars.as_ref();
    let scalars =
        scalars.map(|scalars| scalars_as(Some(scalars), rows, object_type, rules)).transpose()?;
    let mut unfit: Vec<u32> = scalars.iter().flat_map(|cast| &cast.unfit).copied().collect();
    let scalars = scalars.map(|cast| cast.series);
    let Some(nested) = values.nested.as_deref() else {
        let series = scalars.unwrap_or_else(|| Cast::nulls(rows, object_type).series);
        return Ok(Cast { series, unfit }.in_order());
    };
    let objects = items_of(nested, object_type, rules)?;
    let parents = &nested.level.parents;
    unfit.extend(objects.unfit.iter().map(|object| parents[*object as usize]));
    // A scalar's own row, or behind these the object's.
    let own = |row: IdxSize| scalars.is_some().then_some(row);
    let behind =
        if scalars.is_some() { IdxSize::try_from(rows).unwrap_or(IdxSize::MAX) } else { 0 };
    let mut positions: Vec<Option<IdxSize>> = (0..).take(rows).map(own).collect();
    let filled = nested.level.filled_rows();
    for ((object, parent), is_filled) in (0_u32..).zip(parents).zip(filled) {
        let is_object = nested.objects.binary_search(&object).is_ok();
        let position = &mut positions[*parent as usize];
        if is_object && *position == own(*parent) {
            *position = Some(behind + object);
        } else if is_filled {
            unfit.push(*parent);
        }
    }
    let all = match scalars {
        Some(mut both) => {
            both.append(&objects.series)?;
            both.rechunk()
        }
        None => objects.series,
    };
    let series = all.take(&IdxCa::from_slice_options(PlSmallStr::EMPTY, &positions))?;
    Ok(Cast { series, unfit }.in_order())
}

/// The rows of a level as objects of these fields, null where there is nothing.
fn objects_of(
    level: &Level,
    objects: &[u32],
    fields: &[StructField],
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let items = level.values.get(&Step::Item);
    let mut is_there = vec![false; level.rows];
    let items_there = items.map(rows_that_have_any).unwrap_or_default();
    for row in objects.iter().chain(&items_there) {
        is_there[*row as usize] = true;
    }
    let is_there = BooleanChunked::from_slice(PlSmallStr::EMPTY, &is_there);
    let mut object = ObjectBuilder::new(fields, is_there);
    let mut keys_of_fields: HashMap<usize, Vec<&Values>> = HashMap::new();
    for (step, values) in &level.values {
        let Step::Key(key) = step else { continue };
        match object.index.of_key(key) {
            Some((position, field)) => {
                let column = field_column(values, level.rows, field, rules)?;
                let earlier = keys_of_fields.entry(position).or_default();
                object.fill_from_key(position, column, values, earlier)?;
                earlier.push(values);
            }
            None => object.refuse(values.filled_rows()),
        }
    }
    let Some(items) = items else { return object.finish() };
    if let Some(scalars) = &items.scalars {
        match object.field(ITEM_COLUMN) {
            Some(field) => {
                let rules = rules.of_field(&field.name);
                let values = scalars_as(Some(scalars), level.rows, &field.column_type, rules)?;
                object.fill(&field.name, values)?;
            }
            None => object.refuse(rows_of_true(&scalars.values.is_not_null())),
        }
    }
    match object.field(ITEMS_FIELD) {
        Some(StructField { name, column_type: ColumnType::List(inner) }) => {
            let rules = rules.of_field(name);
            let values = list_column(Some(items), None, level.rows, inner, rules)?;
            object.fill(name, values)?;
        }
        _ => object.refuse(items.nested.iter().flat_map(|nested| nested.filled_parents())),
    }
    object.finish()
}

/// The values of a field of objects.
fn field_column(
    values: &Values,
    rows: usize,
    field: &StructField,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let StructField { name, column_type } = field;
    if rules.declare(name) {
        return declared_column(values, rows, column_type, rules.of_field(name));
    }
    column(values, rows, column_type, rules.of_field(name))
}

fn rows_that_have_lists(values: &Values) -> Vec<u32> {
    let mut rows = values.empty_lists.clone();
    rows.extend(values.nested.iter().flat_map(|nested| &nested.level.parents));
    rows
}

/// The rows that have a value.
fn rows_that_have_any(values: &Values) -> Vec<u32> {
    let mut rows = rows_that_have_lists(values);
    if let Some(scalars) = &values.scalars {
        rows.extend(rows_of_true(&scalars.values.is_not_null()));
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

pub(super) fn rows_of_true(mask: &BooleanChunked) -> Vec<u32> {
    (0..).zip(mask.iter()).filter(|(_, is)| *is == Some(true)).map(|(row, _)| row).collect()
}

/// Builds a column of objects, field by field.
pub(super) struct ObjectBuilder<'f> {
    fields: &'f [StructField],
    index: FieldIndex<'f>,
    /// The values of each field so far. Nulls are made at the end: for an object of many levels they cost the most.
    values: Vec<Option<Series>>,
    /// The rows that have an object.
    is_there: BooleanChunked,
    unfit: Vec<u32>,
}

impl<'f> ObjectBuilder<'f> {
    pub(super) fn new(fields: &'f [StructField], is_there: BooleanChunked) -> Self {
        let values = vec![None; fields.len()];
        Self { fields, index: FieldIndex::new(fields), values, is_there, unfit: Vec::new() }
    }

    pub(super) fn field(&self, name: &str) -> Option<&'f StructField> {
        self.index.named(name).map(|(_, field)| field)
    }

    /// Sets the values of a field in rows without one. A row does not fit if it has one already.
    pub(super) fn fill(&mut self, name: &ColumnName, values: Cast) -> PolarsResult<()> {
        match self.index.named(name.as_str()) {
            Some((position, _)) => self.fill_at(position, values),
            None => Ok(()),
        }
    }

    /// Sets the values of a field from a key, where `earlier` keys may have set it already: keys have one field together
    /// only if no more than one of them holds scalars. In a row with several, what holds none gives way.
    fn fill_from_key(
        &mut self,
        position: usize,
        mut column: Cast,
        values: &Values,
        earlier: &[&Values],
    ) -> PolarsResult<()> {
        if let (Some(there), false) = (&mut self.values[position], earlier.is_empty()) {
            let filled = |values: &[&Values]| -> BooleanChunked {
                let mut mask = vec![false; there.len()];
                let rows = values.iter().flat_map(|values| values.filled_rows());
                rows.for_each(|row| mask[row as usize] = true);
                BooleanChunked::from_slice(PlSmallStr::EMPTY, &mask)
            };
            let (new, old) = (filled(&[values]), filled(earlier));
            column.series = only_where(&(new | there.is_null()), &column.series)?;
            *there = only_where(&(old | column.series.is_null()), there)?;
        }
        self.fill_at(position, column)
    }

    fn fill_at(&mut self, position: usize, values: Cast) -> PolarsResult<()> {
        self.unfit.extend(values.unfit);
        let slot = &mut self.values[position];
        let Some(there) = slot else {
            *slot = Some(values.series);
            return Ok(());
        };
        let rows = there.len();
        let is_other = values.series.is_not_null();
        self.unfit.extend(rows_of_true(&(there.is_not_null() & is_other.clone())));
        let mut positions: Vec<IdxSize> = (0..).take(rows).collect();
        for row in rows_of_true(&is_other) {
            positions[row as usize] = row + IdxSize::try_from(rows).unwrap_or(IdxSize::MAX);
        }
        there.append(&values.series)?;
        *there = there.rechunk().take(&IdxCa::from_slice(PlSmallStr::EMPTY, &positions))?;
        Ok(())
    }

    /// Marks rows with a value that no field takes as unfit.
    pub(super) fn refuse(&mut self, rows: impl IntoIterator<Item = u32>) {
        self.unfit.extend(rows);
    }

    pub(super) fn finish(self) -> PolarsResult<Cast> {
        let Self { fields, values, is_there, unfit, .. } = self;
        let rows = is_there.len();
        let named = fields.iter().zip(values).map(|(field, values)| {
            let values = values.unwrap_or_else(|| Cast::nulls(rows, &field.column_type).series);
            values.rechunk().with_name(PlSmallStr::from_str(field.name.as_str()))
        });
        let named: Vec<Series> = named.collect();
        let objects = StructChunked::from_series(PlSmallStr::EMPTY, rows, named.iter())?;
        let is_there = is_there.rechunk();
        let validity = is_there.downcast_as_array().values().clone();
        let series = objects.with_outer_validity(Some(validity)).into_series();
        Ok(Cast { series, unfit }.in_order())
    }
}
