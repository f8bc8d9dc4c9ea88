//! The values that a chunk's records came with, and which of them its rows need not have.

use std::collections::BTreeSet;

use polars::prelude::{BooleanChunked, PolarsResult};

use super::aligner::{row_of, values_at};
use super::frame::{Normalised, Rejection};
use super::values_in::values_in_rows;
use crate::decode::{Chunk, Level, ScalarCounts};
use crate::definition::{CheckRule, OnFailure};
use crate::infer::Schemas;
use crate::schema::{Step, TableId, ValueCounts};

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

    /// The values of some records, and those of them that are excluded.
    fn of(&self, records: &BTreeSet<u32>) -> (u64, u64) {
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

impl Normalised {
    /// The values that came with the records, and those of them that are in no row. What the rows have is counted when
    /// they are written.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn value_counts(&self, schemas: &Schemas) -> PolarsResult<ValueCounts> {
        let values = &self.values;
        let [rejected, partial] = [&self.rejected, &self.partially_loaded]
            .map(|those| those.iter().map(|it: &Rejection| it.record).collect::<BTreeSet<u32>>());
        let (waiting, excluded_with_it) = values.of(&rejected);
        // The copy of a record that is loaded in part has all of its values.
        let (received, excluded) = values.of(&partial);
        let loaded = self.loaded_of(schemas, &partial)?;
        let lost = received.saturating_sub(excluded + loaded);
        let excluded = values.excluded.iter().sum::<u64>() - excluded_with_it;
        Ok(ValueCounts {
            received: values.scalars.values + values.scalars.null_texts,
            loaded: 0,
            excluded: excluded + values.scalars.null_texts,
            quarantined: waiting + lost,
        })
    }

    /// The values of some records in rows.
    fn loaded_of(&self, schemas: &Schemas, records: &BTreeSet<u32>) -> PolarsResult<u64> {
        if records.is_empty() {
            return Ok(0);
        }
        let loaded = self.frames.iter().map(|frame| {
            let of_them = frame.records.iter().map(|record| records.contains(record));
            let rows = frame.rows.filter(&of_them.collect::<BooleanChunked>())?;
            Ok(values_in_rows(&rows, &schemas[frame.table]))
        });
        loaded.sum()
    }
}
