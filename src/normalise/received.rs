//! The values that a chunk's records came with.

use std::collections::BTreeSet;

use super::aligner::{row_of, values_at};
use crate::decode::{Chunk, Level, ScalarCounts};
use crate::definition::{CheckRule, OnFailure};
use crate::infer::Schemas;
use crate::schema::{Step, TableId};

/// The values that the records of a chunk came with.
#[derive(Debug)]
pub struct ReceivedValues {
    records: usize,
    scalars: ScalarCounts,
    /// Of each record. Empty when all records are loaded whole.
    by_record: Vec<u64>,
    /// Of each record, the values that the definition excludes. Empty when it excludes none.
    excluded: Vec<u64>,
}

impl ReceivedValues {
    /// Nothing counted yet, of so many records.
    pub(super) fn of_records(records: usize) -> Self {
        let scalars = ScalarCounts::default();
        Self { records, scalars, by_record: Vec::new(), excluded: Vec::new() }
    }

    /// Counts the values at an excluded path, in rows that belong to `records`.
    pub(super) fn exclude(&mut self, level: &Level, path: &[Step], records: &[u32]) {
        let Some((values, rows)) = values_at(level, path) else { return };
        let mut counts = vec![0; rows.as_ref().map_or(level.rows, Vec::len)];
        values.add_scalars(&mut counts);
        self.excluded.resize(self.records, 0);
        for (row, count) in (0..).zip(counts) {
            if let Some(row) = row_of(rows.as_deref(), row) {
                self.excluded[records[row as usize] as usize] += count;
            }
        }
    }

    /// Counts all values; those of each record only if some records may be set apart.
    pub(super) fn count(&mut self, chunk: &Chunk, sets_apart: bool) {
        self.scalars = chunk.scalars;
        if sets_apart {
            self.by_record = chunk.records.scalars_by_row();
        }
    }

    /// How many values there are, how many are excluded, and how many more were left out.
    pub(super) fn all(&self) -> (u64, u64, u64) {
        let ScalarCounts { values, left_out } = self.scalars;
        (values, self.excluded.iter().sum(), left_out)
    }

    /// The values of some records, and those of them that are excluded.
    pub(super) fn of(&self, records: &BTreeSet<u32>) -> (u64, u64) {
        let sum = |counts: &[u64]| {
            let of_records = records.iter().filter_map(|record| counts.get(*record as usize));
            of_records.sum()
        };
        (sum(&self.by_record), sum(&self.excluded))
    }
}

/// Whether later records decide on those of a chunk: they may repeat the values of a `unique` check.
pub(super) fn may_repeat(schemas: &Schemas, root: TableId) -> bool {
    let checks = |table| schemas.policy(table).checks.iter();
    schemas.tree_of(root).into_iter().flat_map(checks).any(|check| {
        matches!(check.rule, CheckRule::Unique(_)) && check.on_failure == OnFailure::Quarantine
    })
}
