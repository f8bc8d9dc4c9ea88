//! The rows of a child table: the objects and list items of one key, without those that are in columns of the parent.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::aligner::{row_of, values_at};
use super::route::Route;
use crate::decode::{Level, NestedRows, Values};
use crate::infer::ResolvedTable;
use crate::schema::{Step, ValueKind};

/// The rows of a child table.
pub(super) struct ChildRows<'l> {
    pub(super) level: ChildLevel<'l>,
    /// For each of them, the parent's row.
    pub(super) parents: Vec<u32>,
}

/// The level of a child table.
pub(super) enum ChildLevel<'l> {
    /// All rows of a key.
    Whole(&'l Level),
    /// Some of them.
    Part(Level),
}

impl ChildLevel<'_> {
    pub(super) fn as_ref(&self) -> &Level {
        match self {
            Self::Whole(level) => level,
            Self::Part(level) => level,
        }
    }
}

impl<'l> ChildRows<'l> {
    /// The rows of the child table at a path, from a level of its parent.
    pub(super) fn of(
        parent: &ResolvedTable,
        level: &'l Level,
        path: &[Step],
    ) -> PolarsResult<Self> {
        let Some((values, rows)) = values_at(level, path) else { return Ok(Self::nothing()) };
        let Some(nested) = values.nested.as_deref() else { return Ok(Self::nothing()) };
        let route = Route::of(parent, path, true);
        let kinds = kinds_of_rows(values, nested, route);
        let belongs = |row: u32| {
            let kind = kinds.get(&row).copied().unwrap_or_else(|| kind_of_nothing(nested, row));
            route.child.contains(kind) && !route.discarded.contains(kind)
        };
        let all = (0_u32..).zip(&nested.level.parents);
        let own = all.filter_map(|(row, parent)| {
            let of_table = row_of(rows.as_deref(), *parent)?;
            belongs(*parent).then_some((row, of_table))
        });
        let (kept, parents): (Vec<u32>, Vec<u32>) = own.unzip();
        if kept.len() == nested.level.rows {
            return Ok(Self { level: ChildLevel::Whole(&nested.level), parents });
        }
        Ok(Self { level: ChildLevel::Part(nested.level.select(&kept)?), parents })
    }

    fn nothing() -> Self {
        Self { level: ChildLevel::Part(Level::default()), parents: Vec::new() }
    }
}

/// What each value is; nothing is looked at where the child table has all of them.
fn kinds_of_rows(values: &Values, nested: &NestedRows, route: Route) -> BTreeMap<u32, ValueKind> {
    let all = [ValueKind::Object, ValueKind::ScalarList, ValueKind::RowList];
    let takes = |kind| route.child.contains(kind) && !route.discarded.contains(kind);
    let has_no_objects =
        nested.lists.len() == nested.level.positions.iter().filter(|it| **it == 0).count();
    let takes_objects = has_no_objects || takes(ValueKind::Object);
    if takes_objects && all[1..].iter().all(|kind| takes(*kind)) {
        return BTreeMap::new();
    }
    values.rows_by_kind()
}

/// What a value without scalars would be. An empty row among list items keeps its place.
fn kind_of_nothing(nested: &NestedRows, row: u32) -> ValueKind {
    if nested.is_list(row) { ValueKind::RowList } else { ValueKind::Object }
}
