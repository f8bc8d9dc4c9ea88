//! The formats of tables.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the files of tables are made known to readers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// By their directories: every Parquet file there is a part of the table.
    #[default]
    Parquet,
    /// By the log of the table, `_delta_log`: readers see one version, and older ones for a while.
    Delta,
}

impl TableFormat {
    /// Each with the word for it in a definition.
    pub const WORDS: [(&'static str, Self); 2] =
        [("parquet", Self::Parquet), ("delta", Self::Delta)];

    /// Whether it is plain Parquet.
    #[must_use]
    pub fn is_parquet(&self) -> bool {
        *self == Self::Parquet
    }
}

impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, format)| format == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}
