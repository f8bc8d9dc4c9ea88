//! The rows of a chunk by table, and its rejected records.

use std::collections::BTreeMap;

use polars::prelude::{BooleanChunked, DataFrame, PolarsResult};

use super::reason::Reasons;
use super::received::ReceivedValues;
use crate::schema::TableId;

/// Rows of one table that came from one chunk.
#[derive(Debug)]
pub struct TableFrame {
    /// The table.
    pub table: TableId,
    /// The rows, in export order, with every column of the schema.
    pub rows: DataFrame,
    /// For each row, the record of the chunk that it came from.
    pub records: Vec<u32>,
    /// How many rows the chunk had for this table, rejected ones included.
    pub received: usize,
    /// How many of them belong to rejected records.
    pub quarantined: usize,
    /// The rows of rejected records.
    pub left_out: Option<LeftOutRows>,
}

/// The rows of rejected records.
#[derive(Debug)]
pub struct LeftOutRows {
    /// The rows.
    pub rows: DataFrame,
    /// For each row, the record of the chunk that it came from.
    pub records: Vec<u32>,
}

impl TableFrame {
    /// Removes the rows of some records; returns how many.
    pub(super) fn remove(&mut self, is_out: impl Fn(u32) -> bool) -> PolarsResult<usize> {
        let before = self.records.len();
        let kept: BooleanChunked = self.records.iter().map(|record| !is_out(*record)).collect();
        let mut gone = LeftOutRows {
            rows: self.rows.filter(&!&kept)?,
            records: self.records.iter().copied().filter(|record| is_out(*record)).collect(),
        };
        if let Some(LeftOutRows { rows, records }) = self.left_out.take() {
            gone.rows = rows.vstack(&gone.rows)?;
            gone.records.splice(0..0, records);
        }
        self.left_out = Some(gone);
        self.rows = self.rows.filter(&kept)?;
        self.records.retain(|record| !is_out(*record));
        Ok(before - self.records.len())
    }
}

/// A record that its table does not take, or not with all values.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// Its number in the chunk.
    pub record: u32,
    /// Everything that is wrong with it.
    pub reasons: Reasons,
}

/// A normalised chunk.
#[derive(Debug)]
pub struct Normalised {
    /// The rows, by table.
    pub frames: Vec<TableFrame>,
    /// The records that have no rows in `frames`, ascending.
    pub rejected: Vec<Rejection>,
    /// The records with rows in `frames` that lack values, ascending.
    pub partially_loaded: Vec<Rejection>,
    /// The checks that rows break, by table and position among the table's checks.
    pub broken: BTreeMap<(TableId, usize), BrokenRows>,
    /// The values that the records came with.
    pub values: ReceivedValues,
}

/// Rows that break a check.
#[derive(Debug, Clone, Copy)]
pub struct BrokenRows {
    /// How many.
    pub rows: u64,
    /// The record of the first of them.
    pub first_record: u32,
}

impl Normalised {
    /// Rejects some records: removes their rows from every table.
    pub(super) fn leave_out(&mut self, reasons: BTreeMap<u32, Reasons>) -> PolarsResult<()> {
        if reasons.is_empty() {
            return Ok(());
        }
        for frame in &mut self.frames {
            frame.quarantined += frame.remove(|record| reasons.contains_key(&record))?;
        }
        let mut rejected: BTreeMap<u32, Reasons> = reasons;
        // For a rejected record, values that it would have lost are further reasons.
        let partially_loaded = std::mem::take(&mut self.partially_loaded).into_iter();
        let (lost_too, partially_loaded): (Vec<_>, Vec<_>) = partially_loaded
            .partition(|partially_loaded| rejected.contains_key(&partially_loaded.record));
        self.partially_loaded = partially_loaded;
        for Rejection { record, reasons } in lost_too {
            rejected.entry(record).or_default().extend(reasons);
        }
        self.rejected.extend(rejections(rejected));
        self.rejected.sort_by_key(|rejection| rejection.record);
        Ok(())
    }
}

/// Records with all that is wrong with each.
pub(super) fn rejections(reasons: BTreeMap<u32, Reasons>) -> impl Iterator<Item = Rejection> {
    reasons.into_iter().map(|(record, reasons)| Rejection { record, reasons })
}

/// A row of a table's frame that breaks one of the table's checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    /// The check's position among those of the table.
    pub(super) check: usize,
    pub(super) row: u32,
}

/// Counts a row that breaks a check.
pub(super) fn count(
    broken: &mut BTreeMap<(TableId, usize), BrokenRows>,
    table: TableId,
    breach: Breach,
    record: u32,
) {
    let first = BrokenRows { rows: 0, first_record: record };
    let count = broken.entry((table, breach.check)).or_insert(first);
    count.rows += 1;
    count.first_record = count.first_record.min(record);
}
