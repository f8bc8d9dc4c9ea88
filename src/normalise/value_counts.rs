//! Where the values of a chunk are: with records in quarantine, excluded, or expected in rows.

use std::collections::BTreeSet;

use polars::prelude::{BooleanChunked, PolarsResult};

use super::frame::{Normalised, Rejection};
use super::values_in::values_in_rows;
use crate::infer::Schemas;
use crate::schema::ValueCounts;

impl Normalised {
    /// The values that came with the records, and those of them that are in no row. What the rows have is counted when
    /// they are written.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn value_counts(&self, schemas: &Schemas) -> PolarsResult<ValueCounts> {
        let values = &self.values;
        let (waiting, excluded_with_it) = values.of(&records_of(&self.rejected));
        let partial = records_of(&self.partially_loaded);
        // The copy of a record that is loaded in part has all of its values.
        let (received, excluded) = values.of(&partial);
        let loaded = self.loaded_of(schemas, &partial)?;
        let lost = received.saturating_sub(excluded + loaded);
        let (all, all_excluded, null_texts) = values.all();
        Ok(ValueCounts {
            received: all + null_texts,
            loaded: 0,
            excluded: all_excluded - excluded_with_it + null_texts,
            quarantined: waiting + lost,
        })
    }

    /// The values of records that have no rows.
    #[must_use]
    pub fn rejected_values(&self) -> u64 {
        self.values.of(&records_of(&self.rejected)).0
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

fn records_of(rejections: &[Rejection]) -> BTreeSet<u32> {
    rejections.iter().map(|rejection| rejection.record).collect()
}
