//! The columns of a table from the levels of a chunk: those of its own level, and of the objects flattened into it.

use polars::prelude::{BooleanChunked, IdxCa, NewChunkedArray, PlSmallStr, PolarsResult};

use super::cast::{Cast, CastRules, only_where};
use super::nested::{column, declared_column, scalars_as};
use super::route::Route;
use crate::decode::{Level, NestedRows, Values};
use crate::definition::Nested;
use crate::infer::{Discarded, ResolvedTable};
use crate::schema::{ColumnSchema, ColumnType, Kinds, Step};

/// The rows of a level that have a discarded value, however deep in objects it is.
pub(super) fn rows_that_have(level: &Level, discarded: &Discarded) -> Vec<u32> {
    let Some((values, rows)) = values_at(level, &discarded.path) else { return Vec::new() };
    let kinds = values.rows_by_kind().into_iter();
    let own = kinds.filter(|(_, kind)| discarded.kinds.contains(*kind));
    own.filter_map(|(row, _)| row_of(rows.as_deref(), row)).collect()
}

/// The values at a path through objects and, unless they are the level's own, the level's row for each row of theirs.
pub(super) fn values_at<'l>(
    level: &'l Level,
    path: &[Step],
) -> Option<(&'l Values, Option<Vec<u32>>)> {
    let (step, objects) = path.split_last()?;
    if objects.is_empty() {
        return Some((level.values.get(step)?, None));
    }
    let view = View::of(level, objects)?;
    Some((view.level.values.get(step)?, Some(view.rows)))
}

/// The row of the table for a row of values.
pub(super) fn row_of(rows: Option<&[u32]>, row: u32) -> Option<u32> {
    let row = rows.map_or(row, |rows| rows[row as usize]);
    (row != NO_ROW).then_some(row)
}

/// The rows of lists are not those of the objects that stand beside them.
const NO_ROW: u32 = u32::MAX;

/// Objects in a table's own level or below; for each row, the table's row.
pub(super) struct View<'l> {
    level: &'l Level,
    rows: Vec<u32>,
}

impl<'l> View<'l> {
    /// The objects that a path of at least one step leads to; `None` when nothing in this chunk has it.
    fn of(level: &'l Level, path: &[Step]) -> Option<Self> {
        let mut view: Option<Self> = None;
        for step in path {
            let above = view.as_ref().map_or(level, |view| view.level);
            let nested = above.values.get(step)?.nested.as_deref()?;
            let rows = Self::rows(nested, view.as_ref().map(|view| &*view.rows));
            view = Some(Self { level: &nested.level, rows });
        }
        view
    }

    fn rows(nested: &NestedRows, above: Option<&[u32]>) -> Vec<u32> {
        let has_lists = !nested.lists.is_empty();
        let row_of = |parent: &u32| match above {
            _ if has_lists && nested.is_list(*parent) => NO_ROW,
            Some(rows) => rows[*parent as usize],
            None => *parent,
        };
        nested.level.parents.iter().map(row_of).collect()
    }
}

/// Aligns the columns of a table, and of the objects flattened into it, with the table's rows.
pub(super) struct Aligner<'l> {
    pub(super) level: &'l Level,
    table: &'l ResolvedTable,
    /// The paths whose lists are rows of child tables.
    child_paths: Vec<Vec<Step>>,
    /// The objects around the last column; columns of one object come one after the other.
    last: Option<(Vec<Step>, Option<Flattened<'l>>)>,
}

/// Objects that are flattened into a table.
struct Flattened<'l> {
    view: View<'l>,
    /// For each row of the table, the object's row; none when every row has its object, in order.
    take: Option<IdxCa>,
}

impl<'l> Aligner<'l> {
    pub(super) fn new(
        level: &'l Level,
        table: &'l ResolvedTable,
        child_paths: Vec<Vec<Step>>,
    ) -> Self {
        Self { level, table, child_paths, last: None }
    }

    /// The column at a path, cast to its type, as long as the table.
    pub(super) fn column(&mut self, path: &[Step], schema: &ColumnSchema) -> PolarsResult<Cast> {
        let (rows, table) = (self.level.rows, self.table);
        let absent = || Cast::nulls(rows, &schema.column_type);
        let Some((step, objects)) = path.split_last() else { return Ok(absent()) };
        let has_child = self.child_paths.iter().any(|child| child == path);
        let typed = |values: &Values, rows| {
            let is_declared = table.policy.declared.contains(&schema.name);
            let fields = table.policy.declared_fields.get(&schema.name);
            let rules = CastRules { fields, ..CastRules::of(schema, is_declared) };
            if table.policy.nested == Nested::Json && schema.column_type == ColumnType::String {
                // Objects and lists are texts, and empty ones null.
                return column(values, rows, &schema.column_type, rules);
            }
            let route = (table.policy.nested == Nested::Tables && !is_declared)
                .then(|| Route::of(table, path, has_child));
            typed(values, rows, &schema.column_type, route, rules)
        };
        if objects.is_empty() {
            let Some(values) = self.level.values.get(step) else { return Ok(absent()) };
            return typed(values, rows);
        }
        let Some(flattened) = self.flattened(objects) else { return Ok(absent()) };
        let Some(values) = flattened.view.level.values.get(step) else { return Ok(absent()) };
        let mut column = typed(values, flattened.view.level.rows)?;
        if let Some(take) = &flattened.take {
            column.series = column.series.take(take)?;
        }
        let rows = Some(&*flattened.view.rows);
        column.unfit = column.unfit.iter().filter_map(|row| row_of(rows, *row)).collect();
        Ok(column)
    }

    fn flattened(&mut self, objects: &[Step]) -> Option<&Flattened<'l>> {
        if self.last.as_ref().is_none_or(|(path, _)| path != objects) {
            let flattened =
                View::of(self.level, objects).map(|view| Flattened::new(view, self.level.rows));
            self.last = Some((objects.to_vec(), flattened));
        }
        self.last.as_ref()?.1.as_ref()
    }
}

impl<'l> Flattened<'l> {
    fn new(view: View<'l>, table_rows: usize) -> Self {
        let dense = view.rows.len() == table_rows
            && view.rows.iter().zip(0..).all(|(row, own)| *row == own);
        let take = (!dense).then(|| {
            let mut positions = vec![None; table_rows];
            for (own, row) in (0..).zip(&view.rows) {
                if *row != NO_ROW {
                    positions[*row as usize] = Some(own);
                }
            }
            IdxCa::from_slice_options(PlSmallStr::EMPTY, &positions)
        });
        Self { view, take }
    }
}

/// The values under one key as a column of its resolved type, without those that have another place.
fn typed(
    values: &Values,
    rows: usize,
    column_type: &ColumnType,
    route: Option<Route>,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    if rules.is_declared {
        return declared_column(values, rows, column_type, rules);
    }
    let Some(route) = route else { return column(values, rows, column_type, rules) };
    if !route.child.is_empty() && column_type.is_scalar() {
        return scalars_as(values.scalars.as_ref(), rows, column_type, rules);
    }
    without(column(values, rows, column_type, rules)?, values, route.elsewhere(), column_type)
}

/// A column without the values of some kinds.
fn without(
    mut column: Cast,
    values: &Values,
    kinds: Kinds,
    column_type: &ColumnType,
) -> PolarsResult<Cast> {
    let Some(nested) = &values.nested else { return Ok(column) };
    if column.unfit.is_empty() && column_type.is_scalar() {
        return Ok(column);
    }
    let others = values.rows_by_kind().into_iter().filter(|(_, kind)| kinds.contains(*kind));
    let others: Vec<u32> = others.map(|(row, _)| row).collect();
    column.unfit.retain(|row| others.binary_search(row).is_err());
    if !column_type.is_scalar() {
        let mut stays = vec![true; column.series.len()];
        let objects = nested.level.parents.iter().filter(|parent| !nested.is_list(**parent));
        others.iter().chain(objects).for_each(|row| stays[*row as usize] = false);
        let stays = BooleanChunked::from_slice(PlSmallStr::EMPTY, &stays);
        column.series = only_where(&stays, &column.series)?;
    }
    Ok(column)
}
