//! The columns of a table from the levels of a chunk: those of its own level, and of the objects flattened into it.

use std::collections::BTreeSet;

use polars::prelude::{IdxCa, NewChunkedArray, PlSmallStr, PolarsResult};

use super::cast::Cast;
use super::nested::{column, scalars_as};
use crate::decode::{Level, Values};
use crate::infer::Discarded;
use crate::schema::{ColumnSchema, Step};

/// The rows of a level that have a discarded value, however deep in objects it is.
pub(super) fn rows_that_have(level: &Level, discarded: &Discarded) -> Vec<u32> {
    let Some((step, objects)) = discarded.path.split_last() else { return Vec::new() };
    let view = View::of(level, objects);
    let (holder, rows) = match &view {
        Some(view) => (view.level, Some(&view.rows)),
        None if objects.is_empty() => (level, None),
        None => return Vec::new(),
    };
    let Some(values) = holder.values.get(step) else { return Vec::new() };
    let mut own: BTreeSet<u32> = values.empty_lists.iter().copied().collect();
    if !discarded.beside_objects {
        own.extend(values.nested.iter().flat_map(|nested| &nested.level.parents));
    }
    if let Some(scalars) = &values.scalars {
        let there = scalars.values.is_not_null();
        own.extend(
            (0..).zip(there.iter()).filter(|(_, there)| *there == Some(true)).map(|(row, _)| row),
        );
    }
    own.into_iter().map(|row| rows.map_or(row, |rows| rows[row as usize])).collect()
}

/// A level below a table's own; for each of its rows, the table's row.
pub(super) struct View<'l> {
    pub(super) level: &'l Level,
    pub(super) rows: Vec<u32>,
}

impl<'l> View<'l> {
    /// The level that a path of at least one step leads to; `None` when nothing in this chunk has it.
    pub(super) fn of(level: &'l Level, path: &[Step]) -> Option<Self> {
        let mut view: Option<Self> = None;
        for step in path {
            let above = view.as_ref().map_or(level, |view| view.level);
            let nested = above.values.get(step)?.nested.as_ref()?;
            let rows = match &view {
                Some(view) => {
                    nested.level.parents.iter().map(|row| view.rows[*row as usize]).collect()
                }
                None => nested.level.parents.clone(),
            };
            view = Some(Self { level: &nested.level, rows });
        }
        view
    }
}

/// Aligns the columns of a table, and of the objects flattened into it, with the table's rows.
pub(super) struct Aligner<'l> {
    pub(super) level: &'l Level,
    /// The paths whose lists are rows of child tables.
    child_paths: Vec<Vec<Step>>,
    /// Objects are columns of their own.
    flattens: bool,
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
    pub(super) fn new(level: &'l Level, child_paths: Vec<Vec<Step>>, flattens: bool) -> Self {
        Self { level, child_paths, flattens, last: None }
    }

    /// The column at a path, cast to its type, as long as the table.
    pub(super) fn column(&mut self, path: &[Step], schema: &ColumnSchema) -> PolarsResult<Cast> {
        let (rows, flattens) = (self.level.rows, self.flattens);
        let absent = || Cast::nulls(rows, &schema.column_type);
        let Some((step, objects)) = path.split_last() else { return Ok(absent()) };
        let in_child = self.child_paths.iter().any(|child| child == path);
        if objects.is_empty() {
            let Some(values) = self.level.values.get(step) else { return Ok(absent()) };
            return typed(values, rows, schema, in_child, flattens);
        }
        let Some(flattened) = self.flattened(objects) else { return Ok(absent()) };
        let Some(values) = flattened.view.level.values.get(step) else { return Ok(absent()) };
        let rows = flattened.view.level.rows;
        let mut column = typed(values, rows, schema, in_child, flattens)?;
        if let Some(take) = &flattened.take {
            column.series = column.series.take(take)?;
        }
        column.unfit = column.unfit.iter().map(|row| flattened.view.rows[*row as usize]).collect();
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
                positions[*row as usize] = Some(own);
            }
            IdxCa::from_slice_options(PlSmallStr::EMPTY, &positions)
        });
        Self { view, take }
    }
}

/// The values under one key as a column of its resolved type, without those that are rows of a child table.
fn typed(
    values: &Values,
    rows: usize,
    schema: &ColumnSchema,
    in_child: bool,
    flattens: bool,
) -> PolarsResult<Cast> {
    let ColumnSchema { column_type, formats, .. } = schema;
    if in_child {
        return scalars_as(values.scalars.as_ref(), rows, column_type, formats);
    }
    column(values, rows, column_type, formats, flattens)
}
