//! Budget: divides the memory of a run.

/// The memory for rows. The shares leave room for the copies that sorting and compressing make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes: usize::try_from(bytes).unwrap_or(usize::MAX) }
    }

    /// For chunks that are not rows yet.
    pub(super) fn held(self) -> usize {
        self.bytes / 8
    }

    /// For rows that do not fill a page yet, and for dictionaries. They are needed again soon: with a quarter of the
    /// memory, a run with 24 partitions takes a fifth longer.
    pub(super) fn remainders(self) -> usize {
        self.bytes / 2
    }

    /// For rows that are not sorted into partitions yet; three copies of them exist for a moment.
    pub(super) fn pending(self) -> usize {
        self.bytes / 8
    }
}
