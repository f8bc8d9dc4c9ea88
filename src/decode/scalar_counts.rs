//! Counts scalars: those that the parser reads, and those that levels hold.

use super::{Level, Values};

/// The scalars that the parser read. An object or list that is kept as JSON text is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScalarCounts {
    /// Strings, numbers and booleans.
    pub values: u64,
    /// Those that are read as null or excluded while they are read; not part of `values`.
    pub left_out: u64,
}

impl ScalarCounts {
    pub(super) fn add(&mut self, is_null: bool) {
        self.values += u64::from(!is_null);
        self.left_out += u64::from(is_null);
    }
}

impl Level {
    /// For each row, how many scalars it holds at any depth.
    pub(crate) fn scalars_by_row(&self) -> Vec<u64> {
        let mut scalars = vec![0; self.rows];
        for values in self.values.values() {
            values.add_scalars(&mut scalars);
        }
        scalars
    }
}

impl Values {
    /// Adds the scalars of each row, at any depth, to its count.
    pub(crate) fn add_scalars(&self, counts: &mut [u64]) {
        for row in self.scalars.iter().flat_map(super::Scalars::rows) {
            counts[row as usize] += 1;
        }
        if let Some(nested) = &self.nested {
            let below = nested.level.scalars_by_row();
            for (parent, scalars) in nested.level.parents.iter().zip(below) {
                counts[*parent as usize] += scalars;
            }
        }
    }
}
