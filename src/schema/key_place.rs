//! The place of a key among the other keys of its objects.

use std::cmp::Reverse;

/// Where a key stands: its position in the largest object that has it, and of several as large, the first position. Keys
/// in order of their places have the order of the source. Places merge in any order, so neither the order of records nor
/// the borders of chunks change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPlace {
    /// How many keys the object has; keys of larger objects come first.
    keys: Reverse<u32>,
    position: u32,
}

/// The place of what is no key, and of keys that were never seen: after all others.
impl Default for KeyPlace {
    fn default() -> Self {
        Self { keys: Reverse(0), position: u32::MAX }
    }
}

impl KeyPlace {
    /// The place at a position in an object of so many keys.
    #[must_use]
    pub fn new(keys: usize, position: usize) -> Self {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { keys: Reverse(number(keys)), position: number(position) }
    }

    /// How many keys the largest object has that has the key.
    #[must_use]
    pub fn keys(self) -> usize {
        self.keys.0 as usize
    }

    /// The place of a key that has both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.min(other)
    }
}
