//! Position: where in an export something stands.

use std::fmt;

use memchr::memchr_iter;

/// A place in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From its first byte on, in bytes.
    pub byte: u64,
    /// From 1 on.
    pub line: u64,
}

impl Position {
    /// The beginning of an export.
    pub(crate) const START: Self = Self { byte: 0, line: 1 };

    /// The place behind these bytes, which stand here.
    pub(crate) fn behind(self, bytes: &[u8]) -> Self {
        let newlines = memchr_iter(b'\n', bytes).count();
        Self { byte: self.byte + bytes.len() as u64, line: self.line + newlines as u64 }
    }
}

impl fmt::Display for Position {
    /// Most exports are one line, and then it helps nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.byte)?;
        if self.line > 1 {
            write!(f, ", line {}", self.line)?;
        }
        Ok(())
    }
}
