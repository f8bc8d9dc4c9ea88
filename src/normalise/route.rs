//! Routes: which values of a key a column holds, and which are rows of a child table.
//!
//! | value | place |
//! |---|---|
//! | a scalar | the column |
//! | an object | the columns below, or the child table where there are none |
//! | a list of scalars | a column of lists, or else the child table |
//! | a list with objects or lists | the child table |

use crate::infer::ResolvedTable;
use crate::schema::{ColumnSource, ColumnType, Kinds, Step, ValueKind};

/// The places of the values at one path.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Route {
    /// The kinds that a child table has.
    pub(super) child: Kinds,
    /// The kinds that columns below the path have.
    pub(super) below: Kinds,
    /// The kinds that are discarded.
    pub(super) discarded: Kinds,
}

impl Route {
    pub(super) fn of(table: &ResolvedTable, path: &[Step], has_child: bool) -> Self {
        let discarded = table.policy.discarded.iter().filter(|it| it.path == path);
        let discarded = discarded.fold(Kinds::default(), |kinds, it| kinds.and(it.kinds));
        if !has_child {
            return Self { child: Kinds::default(), below: ValueKind::Object.into(), discarded };
        }
        let mut child = Kinds::from(ValueKind::RowList);
        let is_below = |path_of: &[Step]| path_of.len() > path.len() && path_of.starts_with(path);
        let columns = || table.schema.columns.iter();
        let has_columns_below = columns().any(|column| column.path().is_some_and(is_below));
        if !has_columns_below {
            child = child.with(ValueKind::Object);
        }
        let is_list = columns().any(|column| {
            matches!(&column.source, ColumnSource::Value { path: of, .. } if of == path)
                && matches!(column.column_type, ColumnType::List(_))
        });
        if !is_list {
            child = child.with(ValueKind::ScalarList);
        }
        let below = if has_columns_below { ValueKind::Object.into() } else { Kinds::default() };
        Self { child, below, discarded }
    }

    /// The kinds that are not in the column of the path.
    pub(super) fn elsewhere(self) -> Kinds {
        self.child.and(self.below).and(self.discarded)
    }
}
