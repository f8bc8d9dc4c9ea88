//! What is wrong with an export that cannot be split into records.

use super::position::Position;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::JsonPointer;

/// The export is not JSON, is incomplete, or does not have the selected records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Only whitespace.
    #[error("the export is empty")]
    Empty,
    /// The first byte cannot begin JSON.
    #[error("the export is not JSON: it begins with `{beginning}`")]
    NotJson {
        /// Its first line.
        beginning: String,
    },
    /// The bytes stop before the JSON does.
    #[error("the export is truncated after {bytes} bytes")]
    Truncated {
        /// How many bytes there are.
        bytes: u64,
    },
    /// Unexpected input.
    #[error("the export is not valid JSON at {position}: expected {expected}, found `{rest}`")]
    Malformed {
        /// Where.
        position: Position,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        rest: String,
    },
    /// A second value follows the first.
    #[error("the export has a second JSON value, at {position}")]
    SecondValue {
        /// Where.
        position: Position,
    },
    /// Several arrays of objects, and the definition does not say which to load.
    #[error("the export has several arrays of objects: {}", list(.candidates))]
    Ambiguous {
        /// All of them.
        candidates: Vec<JsonPointer>,
    },
    /// No array of objects.
    #[error("the export has no array of objects")]
    NoRecords,
    /// A selected array is missing.
    #[error("the export has no records {}{}", place(.pointer), others(.candidates))]
    NotFound {
        /// The selected array.
        pointer: JsonPointer,
        /// The arrays of objects in the export.
        candidates: Vec<JsonPointer>,
    },
    /// The selected value is a scalar.
    #[error("the value {} is neither a list nor an object", place(.pointer))]
    NotRecords {
        /// The place.
        pointer: JsonPointer,
    },
}

impl Failure for SplitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Ambiguous { .. } => ExitCode::Usage,
            Self::Empty
            | Self::NotJson { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::SecondValue { .. }
            | Self::NoRecords
            | Self::NotFound { .. }
            | Self::NotRecords { .. } => ExitCode::Export,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Ambiguous { candidates } => {
                let lines: Vec<String> =
                    candidates.iter().map(|it| format!("records = \"{it}\"")).collect();
                let lines = lines.join(" or ");
                return Some(format!("say which in `[[tables]]`, one table each: {lines}"));
            }
            Self::NoRecords => {
                "to load the whole export as one record, write `records = \"\"` in `[[tables]]`"
            }
            Self::NotFound { .. } | Self::NotRecords { .. } => {
                "correct `records` in `[[tables]]`; the tables are as they were"
            }
            Self::NotJson { .. } => {
                "check `base_url` and what answers there; the tables are as they were"
            }
            Self::SecondValue { .. } => {
                "the tables are as they were; if each value is a record, write `records = \"\"` in `[[tables]]`, \
                 otherwise ask the source for the export again"
            }
            Self::Empty | Self::Truncated { .. } | Self::Malformed { .. } => advice::ASK_AGAIN,
        };
        Some(help.to_owned())
    }
}

fn place(pointer: &JsonPointer) -> String {
    if pointer.keys().is_empty() { "at its root".to_owned() } else { format!("at `{pointer}`") }
}

fn list(pointers: &[JsonPointer]) -> String {
    let quoted: Vec<String> = pointers.iter().map(|pointer| format!("`{pointer}`")).collect();
    quoted.join(", ")
}

fn others(candidates: &[JsonPointer]) -> String {
    if candidates.is_empty() {
        String::new()
    } else {
        format!("; its arrays of objects are {}", list(candidates))
    }
}
