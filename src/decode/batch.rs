//! Whole records as bytes, and what was found in an export.

use std::ops::Range;

use super::position::Position;
use super::selector::RecordsAt;
use crate::schema::{IdVec, PositionId, RootId};

/// Whole records of one array, as bytes.
#[derive(Debug)]
pub struct RecordBatch {
    /// The position in [`RecordSelector::At`](super::RecordSelector::At); 0 for the only array.
    pub root: RootId,
    /// The number of records of this table before this batch.
    pub first_record: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<BatchRecord>,
}

/// The position of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchRecord {
    /// Its first byte in the batch. It ends where the next record begins.
    pub(super) start: usize,
    /// Its first byte in the export.
    pub(super) position: Position,
}

impl RecordBatch {
    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The size of its records in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The offset of each record in the export, and its bytes.
    pub fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.extents().map(|(extent, offset)| (offset, &self.bytes[extent]))
    }

    /// Whether it has one record, which is an object without members.
    pub(super) fn is_one_empty_object(&self) -> bool {
        let members = self.bytes.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
        self.len() == 1 && members.is_some_and(|members| members.trim_ascii().is_empty())
    }

    /// The byte range of each record in the batch, and its offset in the export.
    pub(super) fn extents(&self) -> impl Iterator<Item = (Range<usize>, u64)> {
        let starts = self.records.iter().skip(1).map(|record| record.start);
        let ends = starts.chain([self.bytes.len()]);
        self.records.iter().zip(ends).map(|(record, end)| (record.start..end, record.position.byte))
    }
}

/// What a complete export has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// For each selected table, where its records are.
    pub records_at: IdVec<RootId, RecordsAt>,
    /// For each selected table, the number of records.
    pub records: IdVec<RootId, u64>,
    /// For each selected table, whether there is one object in place of a list.
    pub are_one_object: IdVec<RootId, bool>,
    /// Another value could follow, as in newline-delimited JSON: the JSON does not tell where it ends.
    pub is_open_ended: bool,
}

impl RecordBatch {
    /// A batch without records.
    pub(super) fn empty(table: usize, first_record: u64) -> Self {
        Self {
            root: RootId::from_index(table),
            first_record,
            bytes: Vec::new(),
            records: Vec::new(),
        }
    }
}
