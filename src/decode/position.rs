//! A position in an export.

use std::fmt;

use memchr::memchr_iter;

/// A byte offset and line in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The byte offset, from 0.
    pub byte: u64,
    /// The line, from 1.
    pub line: u64,
}

impl Position {
    /// The first byte of an export.
    pub(crate) const START: Self = Self { byte: 0, line: 1 };

    /// The position after these bytes.
    pub(crate) fn after(self, bytes: &[u8]) -> Self {
        let newlines = memchr_iter(b'\n', bytes).count();
        Self { byte: self.byte + bytes.len() as u64, line: self.line + newlines as u64 }
    }
}

impl fmt::Display for Position {
    /// Most exports are one line; then the line number says nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.byte)?;
        if self.line > 1 {
            write!(f, ", line {}", self.line)?;
        }
        Ok(())
    }
}
