//! Arrays that are not selected by name. Those with an object among their items may be the records.

use super::{Splitter, TentativeRecords};
use crate::decode::envelope::{EnvelopeState, begins_value};
use crate::decode::nesting::Nesting;
use crate::decode::selector::RecordSelector;
use crate::decode::split_error::SplitError;

impl Splitter {
    /// Takes the first byte of an array that is not selected by name.
    pub(super) fn judge_candidate(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        if rest[0] == b']' {
            self.note_empty();
            self.end_value();
            return Ok(1);
        }
        if !begins_value(rest[0]) {
            return Err(self.malformed(rest, "a value or `]`"));
        }
        let is_wanted = match &self.selector {
            RecordSelector::TheOnlyArray { before: None } => {
                let only = self.arrays.with_objects.only();
                if only.is_some_and(|only| only.keys() == self.path) {
                    return Err(self.twice());
                }
                self.arrays.with_objects.is_empty()
            }
            RecordSelector::TheOnlyArray { before: Some(before) } => {
                if before.keys() == self.path {
                    if self.arrays.is_where_before {
                        return Err(self.twice());
                    }
                    // It had objects before, so its items are records whatever they are.
                    self.arrays.is_where_before = true;
                    self.state = EnvelopeState::RecordOrEnd;
                    return Ok(0);
                }
                false
            }
            RecordSelector::At(_) => {
                // Only its name is of interest, for the error when a selected array is missing.
                if rest[0] == b'{' {
                    self.arrays.with_objects.add(&self.path);
                }
                self.skip_array();
                return Ok(0);
            }
        };
        let batch = &self.batches[self.table];
        let (bytes, records) = (batch.bytes.len(), batch.records.len());
        self.tentative = Some(TentativeRecords { bytes, records, is_wanted });
        self.state = EnvelopeState::RecordOrEnd;
        Ok(0)
    }

    /// Notes an array without items, which may be the records too.
    pub(super) fn note_empty(&mut self) {
        if let RecordSelector::TheOnlyArray { before: Some(before) } = &self.selector {
            self.arrays.is_where_before |= before.keys() == self.path;
        } else {
            self.arrays.empty.add(&self.path);
        }
    }

    /// Begins an item of an array of records. The first object makes the items of a tentative one records.
    pub(super) fn begin_item(&mut self, byte: u8) {
        let (Some(tentative), true) = (&self.tentative, byte == b'{') else {
            return self.begin_record(byte, true);
        };
        let is_wanted = tentative.is_wanted;
        self.arrays.with_objects.add(&self.path);
        if is_wanted {
            self.tentative = None;
            self.begin_record(byte, true);
        } else {
            self.forget_tentative();
            self.skip_array();
        }
    }

    /// Skips the rest of an array.
    pub(super) fn skip_array(&mut self) {
        self.nesting = Nesting::in_list();
        self.state = EnvelopeState::Skipping;
    }

    /// Skips the rest of a tentative array, in one of its items.
    pub(super) fn skip_tentative(&mut self) {
        self.batches[self.table].records.pop();
        self.forget_tentative();
        self.nesting = std::mem::take(&mut self.nesting).within_list();
        self.state = EnvelopeState::Skipping;
    }

    /// Takes back the items of an array that has no objects.
    pub(super) fn forget_tentative(&mut self) {
        let Some(TentativeRecords { bytes, records, .. }) = self.tentative.take() else { return };
        let batch = &mut self.batches[self.table];
        self.records[self.table] -= (batch.records.len() - records) as u64;
        batch.bytes.truncate(bytes);
        batch.records.truncate(records);
    }
}
