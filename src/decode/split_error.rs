//! What is wrong with an export that cannot be split into records.

use super::array_list::ArrayList;
use super::position::Position;
use crate::definition::Size;
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
    /// JSON, in an encoding that JSON is not exchanged in.
    #[error("the export is UTF-16 or UTF-32, and not UTF-8")]
    WideText,
    /// JSON text sequences of RFC 7464.
    #[error("the export is a JSON text sequence: it begins with a record separator (0x1E)")]
    TextSequence,
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
    /// A record is too large to be held.
    #[error(
        "the record at {position} of the export is larger than {most}, the limit of `limits.max_record_size`"
    )]
    RecordTooLarge {
        /// Where it begins.
        position: Position,
        /// The limit.
        most: Size,
    },
    /// A key, a number or a word of the envelope is too long to be held.
    #[error("the {what} at {position} of the export is longer than {most}")]
    TokenTooLong {
        /// What it is.
        what: &'static str,
        /// Where it is found to be too long.
        position: Position,
        /// The limit.
        most: Size,
    },
    /// The envelope, or a value in it, is nested too deep.
    #[error("the export is nested more than {most} levels deep, at {position}")]
    TooDeep {
        /// Where.
        position: Position,
        /// The limit.
        most: usize,
    },
    /// A second value follows the first.
    #[error("the export has a second JSON value, at {position}")]
    SecondValue {
        /// Where.
        position: Position,
    },
    /// Several arrays of objects, and the definition does not say which to load.
    #[error("the export has several arrays of objects: {candidates}")]
    Ambiguous {
        /// Which.
        candidates: ArrayList,
    },
    /// No array of objects.
    #[error("the export has no array of objects")]
    NoRecords,
    /// A selected array is missing.
    #[error("the export has no records {}{}", .pointer.place_in_export(), others(.candidates))]
    NotFound {
        /// The selected array.
        pointer: JsonPointer,
        /// The arrays of objects in the export.
        candidates: ArrayList,
    },
    /// The envelope says that records are missing, or that the source has failed.
    #[error("{}", incomplete(.pointer, .sign))]
    Incomplete {
        /// The member that says so.
        pointer: JsonPointer,
        /// What it says.
        sign: Sign,
    },
    /// A key of the envelope is there twice, and parsers differ in which value they keep.
    #[error("the export has two values {}", .pointer.place_in_export())]
    Twice {
        /// The place.
        pointer: JsonPointer,
    },
    /// The selected value is a scalar.
    #[error("the value {} is neither a list nor an object", .pointer.place_in_export())]
    NotRecords {
        /// The place.
        pointer: JsonPointer,
    },
}

/// A member of the envelope that says that the export is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// There is more: the value.
    Says(String),
    /// Another number of records than there are.
    Total {
        /// What it says.
        total: i128,
        /// How many there are.
        records: u64,
    },
    /// An error of the source: its text.
    Error(String),
}

impl Failure for SplitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Ambiguous { .. } => ExitCode::Usage,
            Self::Empty
            | Self::NotJson { .. }
            | Self::WideText
            | Self::TextSequence
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::RecordTooLarge { .. }
            | Self::TokenTooLong { .. }
            | Self::TooDeep { .. }
            | Self::SecondValue { .. }
            | Self::NoRecords
            | Self::NotFound { .. }
            | Self::Incomplete { .. }
            | Self::Twice { .. }
            | Self::NotRecords { .. } => ExitCode::Export,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Ambiguous { candidates } => {
                let lines = candidates.shown(" or ", |it| format!("records = \"{it}\""));
                return Some(format!("say which in `[[tables]]`, one table each: {lines}"));
            }
            Self::Incomplete { pointer, .. } => {
                return Some(format!(
                    "the tables are as they were; to load such exports all the same: `[source.envelope]` \
                     with `ignore = [\"{pointer}\"]`"
                ));
            }
            Self::RecordTooLarge { most, .. } => {
                let larger = Size::from_bytes(most.bytes().saturating_mul(4));
                return Some(format!(
                    "the tables are as they were; if this is one record, write `max_record_size = \"{larger}\"` under \
                     `[limits]`; otherwise name the list of the records: `records` in `[[tables]]`"
                ));
            }
            Self::TokenTooLong { .. } | Self::TooDeep { .. } => {
                "no envelope is like that: check what answers at `base_url`; the tables are as they were"
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
            Self::Twice { .. } => {
                "a key is repeated, and nobody can say which value is meant: ask the source; the tables are as they were"
            }
            Self::WideText => "ask the source for UTF-8; the tables are as they were",
            Self::TextSequence => {
                "ask the source for newline-delimited JSON or one JSON value; the tables are as they were"
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

fn incomplete(pointer: &JsonPointer, sign: &Sign) -> String {
    match sign {
        Sign::Says(text) => {
            format!("the response says that it is not whole: `{pointer}` is {text}")
        }
        Sign::Total { total, records } => {
            format!(
                "the response is not whole: `{pointer}` is {total}, and it has {records} records"
            )
        }
        Sign::Error(text) => format!("the source reports an error in `{pointer}`: {text}"),
    }
}

fn others(candidates: &ArrayList) -> String {
    if candidates.is_empty() {
        String::new()
    } else {
        format!("; its arrays of objects are {candidates}")
    }
}
