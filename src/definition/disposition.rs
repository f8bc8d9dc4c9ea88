//! What a run does with existing rows, with missing ones, and with nested values: the words of `[[tables]]` and `[defaults]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::written_as_word;

/// What a run does with the existing rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteDisposition {
    /// The table becomes what the export holds.
    #[default]
    Replace,
    /// The export's rows are added. The same export is not added twice.
    Append,
    /// A record replaces the one with the same key, with all its child rows. Other records are added.
    Merge,
    /// The partitions that the export covers are replaced. Other partitions stay.
    OverwritePartitions,
}

impl WriteDisposition {
    /// Whether a record that waits in quarantine still waits when another export has come.
    #[must_use]
    pub fn keeps_quarantine(self, is_full_export: bool) -> bool {
        match self {
            Self::Append | Self::Merge => true,
            Self::OverwritePartitions => !is_full_export,
            Self::Replace => false,
        }
    }
}

impl std::fmt::Display for WriteDisposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// What happens to a row of a merged table that is missing from the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// The row stays.
    #[default]
    Ignore,
    /// The row stays, with the time at which it was first missing, and its child rows with it.
    Mark,
    /// The row is deleted, with its child rows.
    Remove,
}

/// How objects and lists are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// Fields of objects become columns, lists of objects become child tables.
    #[default]
    Tables,
    /// Objects become structs and lists become lists, in columns of the same table.
    Columns,
    /// JSON text, as in the export but without whitespace.
    Json,
}

written_as_word!(WriteDisposition, Deletes, Nested);
