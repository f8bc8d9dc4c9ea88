//! Quarantine files: records that did not load, each with its reasons and its raw JSON.
//!
//! A run writes one `quarantine/<table>/<run id>.jsonl.zst` for each table with quarantined records. The table's manifest
//! names the files whose records have not loaded yet. `flowlake quarantine retry` loads them again.

mod lines;
mod well_formed;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(super) use lines::lines_of;
pub use lines::{QuarantineLines, ReadableLines, read, read_what_is_left};
use well_formed::is_well_formed;

use crate::decode::without_whitespace;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::normalise::{Place, PlaceStep, Reason, Reasons};
use crate::schema::{ColumnName, JsonPointer, RunId, TableName};
use crate::store::DestinationError;

/// A quarantine file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The manifest names the file, and it is gone.
    #[error("a quarantine file is missing: `{path}`")]
    Missing {
        /// The file.
        path: String,
    },
    /// The file is damaged.
    #[error("cannot read the quarantine file `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be encoded.
    #[error("cannot encode a quarantine file: {0}")]
    Unwritable(std::io::Error),
}

impl Failure for QuarantineError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Destination(error) => error.exit_code(),
            Self::Missing { .. } | Self::Unreadable { .. } => ExitCode::Destination,
            Self::Unwritable(_) => ExitCode::Unexpected,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.help(),
            Self::Missing { .. } | Self::Unreadable { .. } => {
                Some(advice::LOST_QUARANTINE.to_owned())
            }
            Self::Unwritable(_) => Some(advice::REPORT_A_BUG.to_owned()),
        }
    }
}

/// A quarantine file as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineFile {
    /// Where it is, relative to the destination.
    pub path: String,
    /// The run that wrote it.
    pub run_id: RunId,
    /// Its size.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
    /// The records that are in no table.
    pub records: u64,
    /// The records that are in their table without some of their values.
    #[serde(default)]
    pub partially_loaded: u64,
}

/// One line of a quarantine file: a record, and the reasons why it or some of its values did not load.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantineLine {
    /// The run that received the record.
    pub run_id: RunId,
    /// The table that it was received for.
    pub table: TableName,
    /// The byte offset of the record in that run's export.
    pub offset: u64,
    /// Why it is in quarantine.
    pub reasons: Vec<QuarantineReason>,
    /// How many more reasons there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_reasons: u64,
    /// The record is in its table without the values that the reasons name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub row_kept: bool,
    /// The export had a later version of the record, or a later one does not have it any more: a retry does not load it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// Its key as text, in a table that is merged; empty if it could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The record as it was received, without whitespace between tokens. Digits and the order of keys are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    /// The record as text, if common JSON parsers refuse it. Otherwise they would refuse the whole line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// One reason why a record or a value did not load.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReason {
    /// The table whose rule is broken: the record's own, or a child table.
    pub table: TableName,
    /// The column, if the rule is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnName>,
    /// JSON Pointer (RFC 6901) to the value, from the record.
    pub pointer: String,
    /// The broken rule: `type`, `primary_key`, `schema`, `json`, or the name of a check.
    pub rule: String,
    /// The type that the value should have, if the rule is `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// A sentence for people.
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl QuarantineLine {
    /// The line of a record as it stood in the export.
    #[must_use]
    pub fn new(
        (run_id, offset): (RunId, u64),
        table: TableName,
        reasons: &Reasons,
        (row_kept, superseded): (bool, bool),
        key: Vec<String>,
        received: &str,
    ) -> Self {
        let is_well_formed = is_well_formed(received);
        // A null under `record` would be read as no record.
        let record = (is_well_formed && received != "null")
            .then(|| RawValue::from_string(without_whitespace(received)).ok())
            .flatten();
        let raw = record.is_none().then(|| received.to_owned());
        let json = is_well_formed.then_some(received);
        let told = reasons.told.iter().map(|reason| QuarantineReason::new(reason, json));
        let (reasons, more_reasons) = (told.collect(), reasons.more);
        Self {
            run_id,
            table,
            offset,
            reasons,
            more_reasons,
            row_kept,
            superseded,
            key,
            record,
            raw,
        }
    }

    /// The record as it was received, apart from whitespace.
    #[must_use]
    pub fn received(&self) -> &str {
        let record = self.record.as_ref().map(|record| record.get());
        record.or(self.raw.as_deref()).unwrap_or_default()
    }

    /// Whether the other line tells the same of the same record, whichever run received it.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |line: &Self| (line.row_kept, line.superseded, line.more_reasons);
        said(self) == said(other)
            && self.key == other.key
            && self.reasons == other.reasons
            && self.received() == other.received()
    }

    /// The value that a reason points to, as it stands in the record.
    #[must_use]
    pub fn value_at(&self, reason: &QuarantineReason) -> Option<&str> {
        let pointer: JsonPointer = reason.pointer.parse().ok()?;
        pointer.keys().iter().try_fold(self.received(), |json, key| member(json, key))
    }
}

/// The value of a key of an object, or at a position of a list.
fn member<'j>(json: &'j str, key: &str) -> Option<&'j str> {
    let value = if json.starts_with('[') {
        let position: usize = key.parse().ok()?;
        *serde_json::from_str::<Vec<&RawValue>>(json).ok()?.get(position)?
    } else {
        *serde_json::from_str::<HashMap<String, &RawValue>>(json).ok()?.get(key)?
    };
    Some(value.get())
}

impl QuarantineReason {
    fn new(reason: &Reason, record: Option<&str>) -> Self {
        Self {
            table: reason.table.clone(),
            column: reason.rule.column().cloned(),
            pointer: pointer(&reason.place, record),
            rule: reason.rule.word().to_owned(),
            expected: reason.rule.expected().map(ToString::to_string),
            message: reason.to_string(),
        }
    }
}

/// The pointer to a place in a record. Where this record has an object and others a list, there is no list position.
fn pointer(place: &Place, record: Option<&str>) -> String {
    let mut pointer = String::new();
    // Looked up only where it decides: most places have no item.
    let items = place.iter().filter(|step| matches!(step, PlaceStep::Item(_))).count();
    let mut at = record.filter(|_| items > 0);
    for step in place {
        match step {
            PlaceStep::Key(key) => {
                pointer.push_str(&JsonPointer::from_keys(vec![key.clone()]).to_string());
                at = at.and_then(|at| member(at, key));
            }
            PlaceStep::Item(_) if at.is_some_and(|at| !at.starts_with('[')) => {}
            PlaceStep::Item(position) => {
                let _ = write!(pointer, "/{position}");
                at = at.and_then(|at| member(at, &position.to_string()));
            }
        }
    }
    pointer
}

/// Encodes a quarantine file, line by line.
///
/// # Errors
/// The compressor runs out of memory.
pub fn encode(lines: &[QuarantineLine]) -> Result<Vec<u8>, QuarantineError> {
    let encode = || {
        let mut file = zstd::Encoder::new(Vec::new(), 0)?;
        for line in lines {
            serde_json::to_writer(&mut file, line)?;
            file.write_all(b"\n")?;
        }
        file.finish()
    };
    encode().map_err(QuarantineError::Unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_the_value_whether_it_is_in_a_list_or_not() {
        let place = [
            PlaceStep::Key("a/b".to_owned()),
            PlaceStep::Item(0),
            PlaceStep::Key("n".to_owned()),
            PlaceStep::Item(2),
        ];
        for (record, expected) in [
            (r#"{"a/b":[{"n":[1,2,3]}]}"#, "/a~1b/0/n/2"),
            (r#"{"a/b":{"n":[1,2,3]}}"#, "/a~1b/n/2"),
        ] {
            let pointer = pointer(&place.to_vec(), Some(record));
            assert_eq!(pointer, expected);
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            assert_eq!(record.pointer(&pointer), Some(&serde_json::Value::from(3)));
        }
    }
}
