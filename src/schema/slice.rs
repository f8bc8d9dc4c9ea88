//! Slice: the part of a shared table that one pipeline writes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ColumnName;
use super::directory_value::escaped;

/// The part of a shared table that one pipeline writes: the rows with a value in a column. Readers get the column from the
/// log of the table; no file has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slice {
    /// The column, by which the table is partitioned first.
    pub column: ColumnName,
    /// Its value in every row of the slice.
    pub value: String,
}

impl Slice {
    /// The directory of the slice in those of its tables. Readers have the type of the column from the log, so none guesses.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{}={}", self.column, escaped(&self.value))
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.directory())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_a_directory_of_its_own() {
        for (value, expected) in [
            ("acme", "org=acme"),
            ("Ærø a/s", "org=Ærø a%2Fs"),
            ("0042", "org=0042"),
            ("none", "org=none"),
        ] {
            let slice = Slice { column: "org".parse().unwrap(), value: value.to_owned() };
            assert_eq!(slice.directory(), expected);
        }
    }
}
