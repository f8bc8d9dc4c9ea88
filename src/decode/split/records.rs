//! Records: their bytes are held in the batch of their table until it is full.

use super::{BATCH_BYTES, Splitter};
use crate::decode::batch::{BatchRecord, RecordBatch};
use crate::decode::envelope::{EnvelopeState, is_scalar_byte};
use crate::decode::lines::LONGEST_RECORD_BYTES;
use crate::decode::nesting::{Advance, Nesting};
use crate::decode::split_error::SplitError;

impl Splitter {
    /// Begins a record with this byte, which is read again. What is no object is refused by the parser, as a record.
    pub(super) fn begin_record(&mut self, byte: u8, in_array: bool) {
        let batch = &mut self.batches[self.table];
        batch.records.push(BatchRecord { start: batch.bytes.len(), position: self.position });
        self.in_array = in_array;
        self.nesting = Nesting::default();
        self.state = match byte {
            b'{' | b'[' | b'"' => EnvelopeState::InRecord,
            _ => EnvelopeState::InScalarRecord,
        };
    }

    pub(super) fn in_scalar_record(
        &mut self,
        rest: &[u8],
        full: &mut Vec<RecordBatch>,
    ) -> Result<usize, SplitError> {
        let used = rest.iter().take_while(|byte| is_scalar_byte(**byte)).count();
        self.hold_record(&rest[..used])?;
        if used < rest.len() {
            self.end_record(full);
        }
        Ok(used)
    }

    pub(super) fn in_record(
        &mut self,
        rest: &[u8],
        full: &mut Vec<RecordBatch>,
    ) -> Result<usize, SplitError> {
        let (used, is_over) = match self.nesting.advance(rest) {
            Advance::Within => (rest.len(), false),
            Advance::Ended(used) => (used, true),
            Advance::Wrong(at) => return Err(self.wrong_bracket(rest, at)),
            Advance::TooDeep(at) => return Err(self.too_deep(rest, at)),
        };
        let batch = &mut self.batches[self.table];
        if batch.bytes.is_empty() && batch.first_record > 0 {
            // It becomes as large as the one before; growing would copy it several times.
            batch.bytes.reserve(BATCH_BYTES + BATCH_BYTES / 16);
        }
        self.hold_record(&rest[..used])?;
        if is_over {
            self.end_record(full);
        } else if self.tentative_bytes() > LONGEST_RECORD_BYTES {
            self.skip_tentative();
        }
        Ok(used)
    }

    /// Adds the next bytes of the record to its batch.
    fn hold_record(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        let batch = &mut self.batches[self.table];
        batch.bytes.extend_from_slice(bytes);
        match (self.most_record, batch.records.last()) {
            (Some(most), Some(record))
                if (batch.bytes.len() - record.start) as u64 > most.bytes() =>
            {
                Err(SplitError::RecordTooLarge { position: record.position, most })
            }
            _ => Ok(()),
        }
    }

    /// How many bytes are held of items that may turn out to be no records.
    fn tentative_bytes(&self) -> usize {
        let held = self.batches[self.table].bytes.len();
        self.tentative.as_ref().map_or(0, |tentative| held - tentative.bytes)
    }

    /// Whether the records of a table are one object, where a list could be. A line is one of many.
    pub(super) fn is_one_object(&self, table: usize) -> bool {
        self.records[table] == 1 && self.completeness.is_single(table) && !self.lines
    }

    /// Takes an object without members, where a list could be, for an empty list: a row of it would have no value.
    pub(super) fn forget_empty_objects(&mut self) {
        for table in 0..self.records.len() {
            if self.is_one_object(table) && self.batches[table].is_one_empty_object() {
                self.batches[table] = RecordBatch::empty(table, 0);
                self.records[table] = 0;
                self.completeness.not_single(table);
            }
        }
    }

    pub(super) fn end_record(&mut self, full: &mut Vec<RecordBatch>) {
        self.records[self.table] += 1;
        let bytes = self.batches[self.table].bytes.len();
        if self.tentative.is_some() {
            if self.tentative_bytes() > LONGEST_RECORD_BYTES {
                self.forget_tentative();
                return self.skip_array();
            }
        } else if bytes >= BATCH_BYTES {
            let next = RecordBatch::empty(self.table, self.records[self.table]);
            full.push(std::mem::replace(&mut self.batches[self.table], next));
        }
        if self.in_array {
            self.state = EnvelopeState::RecordCommaOrEnd;
        } else {
            self.end_value();
        }
    }
}
