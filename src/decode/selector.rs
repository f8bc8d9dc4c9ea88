//! Which arrays of an export hold records, and where they were found.

use serde::{Deserialize, Serialize};

use crate::schema::{InvalidPointer, JsonPointer};

/// Which arrays of an export hold records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordSelector {
    /// The only array of objects, or the array that earlier exports had.
    TheOnlyArray {
        /// Where the records were in earlier exports.
        before: Option<RecordsAt>,
    },
    /// One array per table, in the order of the tables.
    At(Vec<JsonPointer>),
}

/// Where records were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordsAt {
    /// In an array, or in a single object.
    Place(JsonPointer),
    /// In newline-delimited objects, one record each.
    Lines,
}

impl RecordsAt {
    /// How manifests write newline-delimited records; no JSON Pointer.
    const LINES: &str = "lines";

    /// The pointer to the records; the root for newline-delimited ones.
    #[must_use]
    pub fn pointer(&self) -> JsonPointer {
        match self {
            Self::Place(pointer) => pointer.clone(),
            Self::Lines => JsonPointer::default(),
        }
    }

    /// The keys of that pointer.
    pub(super) fn keys(&self) -> &[String] {
        match self {
            Self::Place(pointer) => pointer.keys(),
            Self::Lines => &[],
        }
    }
}

impl TryFrom<String> for RecordsAt {
    type Error = InvalidPointer;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == Self::LINES { Ok(Self::Lines) } else { text.parse().map(Self::Place) }
    }
}

impl From<RecordsAt> for String {
    fn from(at: RecordsAt) -> Self {
        match at {
            RecordsAt::Place(pointer) => pointer.into(),
            RecordsAt::Lines => RecordsAt::LINES.to_owned(),
        }
    }
}

impl RecordSelector {
    /// Selects each value of the export as a record or an array of records.
    pub(super) fn all_values() -> Self {
        Self::At(vec![JsonPointer::default()])
    }

    /// Whether newline-delimited objects can be the records. They cannot if earlier records were in a nested array.
    pub(super) fn can_be_lines(&self) -> bool {
        match self {
            Self::TheOnlyArray { before: None } => true,
            Self::TheOnlyArray { before: Some(RecordsAt::Place(it)) } => it.keys().is_empty(),
            Self::TheOnlyArray { before: Some(RecordsAt::Lines) } | Self::At(_) => false,
        }
    }

    /// Whether every value of the export is selected, so that a second one is not lost.
    pub(super) fn selects_every_value(&self) -> bool {
        match self {
            Self::At(pointers) => pointers.iter().any(|pointer| pointer.keys().is_empty()),
            Self::TheOnlyArray { .. } => false,
        }
    }
}
