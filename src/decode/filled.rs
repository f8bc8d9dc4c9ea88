//! Filled rows: those that hold a scalar at any depth, and what each of them is. `null`, `{}`, `[]` and what holds
//! nothing else is no value.

use std::collections::BTreeMap;

use super::{Level, NestedRows, Scalars, Values};
use crate::schema::{Kinds, Step, ValueKind};

impl Level {
    fn is_filled(&self) -> bool {
        self.values.values().any(Values::is_filled)
    }

    /// For each row, whether it holds a scalar.
    pub(crate) fn filled_rows(&self) -> Vec<bool> {
        let mut filled = vec![false; self.rows];
        for row in self.values.values().flat_map(Values::filled_rows) {
            filled[row as usize] = true;
        }
        filled
    }
}

impl Values {
    fn is_filled(&self) -> bool {
        self.scalars.as_ref().is_some_and(|scalars| !scalars.statistics.is_empty())
            || self.nested.as_ref().is_some_and(|nested| nested.level.is_filled())
    }

    /// The rows that hold a scalar.
    pub(crate) fn filled_rows(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.scalars.iter().flat_map(Scalars::rows).collect();
        rows.extend(self.nested.iter().flat_map(|nested| nested.filled_parents()));
        rows
    }

    /// What the values of this key are.
    pub(crate) fn kinds(&self) -> Kinds {
        let scalars = self.scalars.as_ref().is_some_and(|scalars| !scalars.statistics.is_empty());
        let nested = self.nested.as_ref().map_or_else(Kinds::default, |nested| nested.kinds());
        if scalars { nested.with(ValueKind::Scalar) } else { nested }
    }

    /// What the value of each row is, of those that hold a scalar; ascending.
    pub(crate) fn rows_by_kind(&self) -> BTreeMap<u32, ValueKind> {
        let scalars = self.scalars.iter().flat_map(Scalars::rows);
        let mut rows: BTreeMap<u32, ValueKind> =
            scalars.map(|row| (row, ValueKind::Scalar)).collect();
        if let Some(nested) = &self.nested {
            rows.extend(nested.rows_by_kind());
        }
        rows
    }
}

impl Scalars {
    /// The rows that have a scalar, ascending.
    pub(crate) fn rows(&self) -> Vec<u32> {
        let there = self.values.is_not_null();
        (0..).zip(there.iter()).filter(|(_, is)| *is == Some(true)).map(|(row, _)| row).collect()
    }
}

impl NestedRows {
    /// The parent rows whose object or list holds a scalar, ascending; a list is told for each such item.
    pub(crate) fn filled_parents(&self) -> Vec<u32> {
        let filled = self.level.filled_rows();
        let parents = self.level.parents.iter().zip(filled);
        parents.filter(|(_, is_filled)| *is_filled).map(|(parent, _)| *parent).collect()
    }

    /// Whether the value of a parent row is a list.
    pub(crate) fn is_list(&self, parent: u32) -> bool {
        self.lists.binary_search(&parent).is_ok()
    }

    /// For each row, whether it is an object that holds a scalar.
    pub(crate) fn filled_objects(&self) -> Vec<bool> {
        let mut filled = vec![false; self.level.rows];
        let all = self.level.filled_rows();
        self.objects.iter().for_each(|row| filled[*row as usize] = all[*row as usize]);
        filled
    }

    /// Whether an object, in a list or alone, holds a scalar.
    pub(crate) fn has_filled_objects(&self) -> bool {
        if self.objects.len() == self.level.rows {
            return self.level.is_filled();
        }
        !self.objects.is_empty() && self.filled_objects().contains(&true)
    }

    fn items_are_nested(&self) -> bool {
        self.level.values.get(&Step::Item).is_some_and(|items| items.nested.is_some())
    }

    /// The rows are looked at one by one only where different kinds stand beside each other.
    fn kinds(&self) -> Kinds {
        if !self.level.is_filled() {
            return Kinds::default();
        }
        if self.lists.is_empty() {
            return ValueKind::Object.into();
        }
        if self.level.keys.is_some() {
            // Members of objects are rows, whatever they are.
            return ValueKind::RowList.into();
        }
        let starts = self.level.positions.iter().filter(|position| **position == 0).count();
        let has_lists_only = starts == self.lists.len();
        if has_lists_only && self.objects.is_empty() && !self.items_are_nested() {
            return ValueKind::ScalarList.into();
        }
        if has_lists_only && self.objects.len() == self.level.rows {
            return ValueKind::RowList.into();
        }
        self.rows_by_kind().into_values().collect()
    }

    fn rows_by_kind(&self) -> BTreeMap<u32, ValueKind> {
        let mut is_row = match self.level.keys {
            Some(_) => vec![true; self.level.rows],
            None => self.filled_objects(),
        };
        if let Some(nested) = self.level.values.get(&Step::Item).and_then(|it| it.nested.as_ref()) {
            nested.filled_parents().into_iter().for_each(|row| is_row[row as usize] = true);
        }
        let mut kinds = BTreeMap::new();
        let rows = self.level.parents.iter().zip(is_row).zip(self.level.filled_rows());
        for ((parent, is_row), _) in rows.filter(|(_, is_filled)| *is_filled) {
            let kind = match (self.is_list(*parent), is_row) {
                (false, _) => ValueKind::Object,
                (true, true) => ValueKind::RowList,
                (true, false) => ValueKind::ScalarList,
            };
            let known = kinds.entry(*parent).or_insert(kind);
            if kind == ValueKind::RowList {
                *known = kind;
            }
        }
        kinds
    }
}
