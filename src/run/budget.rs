//! Budget: how much of the memory that a run may use goes to what.

/// The memory that rows may take at any one time. The shares leave room for the copies that sorting and packing make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes: usize::try_from(bytes).unwrap_or(usize::MAX) }
    }

    /// For chunks of which it is not known yet what they become.
    pub(super) fn held(self) -> usize {
        self.bytes / 8
    }

    /// For rows that fill no page of their partition yet, and for dictionaries. What is spilled here is soon wanted
    /// again: with a quarter a run of 24 partitions takes a fifth longer.
    pub(super) fn remainders(self) -> usize {
        self.bytes / 2
    }

    /// For rows that wait to be sorted into partitions; three copies of them exist for a moment.
    pub(super) fn pending(self) -> usize {
        self.bytes / 8
    }
}
