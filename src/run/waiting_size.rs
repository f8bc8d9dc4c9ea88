//! The size of the records that wait in quarantine for a table. They are in memory together when its file is written.

use crate::definition::Size;
use crate::run::guard_error::GuardError;
use crate::schema::TableName;

/// What a record takes besides its own bytes: its reasons, and where it came from.
const BYTES_OF_REASONS: u64 = 1_000;

/// Adds up the records that wait for a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitingSize {
    records: u64,
    bytes: u64,
    most: Size,
}

impl WaitingSize {
    /// No records yet, of at most this size.
    pub(super) fn up_to(most: Size) -> Self {
        Self { records: 0, bytes: 0, most }
    }

    /// Adds a record of so many bytes, unless it is one too many.
    pub(super) fn add(&mut self, table: &TableName, bytes: u64) -> Result<(), GuardError> {
        self.records += 1;
        self.bytes += bytes + BYTES_OF_REASONS;
        if self.bytes > self.most.bytes() {
            let (table, records, most) = (table.clone(), self.records, self.most);
            return Err(GuardError::TooMuchWaits { table, records, most });
        }
        Ok(())
    }
}
