//! Quarantine: the lines that tell of records, and of values, that are in no table.
//!
//! A run writes `quarantine/<table>/<run id>.jsonl.zst`; the manifest of the table names the files whose records still
//! wait to be taken in. People read them, and [`retry`](crate::run::retry) takes their records in again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::BufRead;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::without_whitespace;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::normalise::{Place, PlaceStep, Reason, Reasons};
use crate::schema::{ColumnName, JsonPointer, RunId, TableName};
use crate::store::{Destination, DestinationError};

/// How the name of a file ends.
const ENDING: &str = ".jsonl.zst";

/// A file of quarantined records cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The manifest names it, and it is not there.
    #[error("a file of quarantined records is not there any more: `{path}`")]
    Missing {
        /// The file.
        path: String,
    },
    /// It says what we cannot read.
    #[error("quarantined records cannot be read: `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be made.
    #[error("quarantined records cannot be written: {0}")]
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
                Some(advice::CHANGED_BY_HAND.to_owned())
            }
            Self::Unwritable(_) => Some(advice::REPORT_A_BUG.to_owned()),
        }
    }
}

/// A file of quarantined records that wait to be taken in, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineFile {
    /// Where it is, relative to the destination.
    pub path: String,
    /// The run that wrote it.
    pub run_id: RunId,
    /// The records in it that are in no table.
    pub records: u64,
    /// The records in it that are in their table without some of their values.
    #[serde(default)]
    pub partially_loaded: u64,
}

/// One line: a record, and all that is wrong with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The run that received it.
    pub run_id: RunId,
    /// The table that it was received for.
    pub table: TableName,
    /// Where it began in that run's export, in bytes.
    pub offset: u64,
    /// Why it is here.
    pub reasons: Vec<Finding>,
    /// How many reasons there are besides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_reasons: u64,
    /// The record is in its table, without the values that the reasons name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub row_kept: bool,
    /// The record as it was received: the digits and the order of keys as they were, without the whitespace between
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    /// The record as text, when it is JSON that a usual parser refuses: one bad record shall not cost the reader the
    /// line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// One reason, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The table that does not take it: the record's own, or a child table.
    pub table: TableName,
    /// The column it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnName>,
    /// JSON Pointer (RFC 6901) to the value, from the record.
    pub pointer: String,
    /// What it breaks: `type`, `primary_key`, `schema`, `json`, or the word of a check.
    pub rule: String,
    /// The type that the value should have had, if that is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The same in people's words.
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Line {
    /// The line of a record that was received for a table, as it stood in the export.
    #[must_use]
    pub fn new(
        (run_id, offset): (RunId, u64),
        table: TableName,
        reasons: &Reasons,
        row_kept: bool,
        received: &str,
    ) -> Self {
        let json: Option<Value> = serde_json::from_str(received).ok();
        let compact = |_: &Value| RawValue::from_string(without_whitespace(received)).ok();
        let record = json.as_ref().and_then(compact);
        let raw = record.is_none().then(|| received.to_owned());
        let findings = reasons.told.iter().map(|reason| Finding::new(reason, json.as_ref()));
        let (reasons, more_reasons) = (findings.collect(), reasons.more);
        Self { run_id, table, offset, reasons, more_reasons, row_kept, record, raw }
    }

    /// The record as it was received, whitespace aside.
    #[must_use]
    pub fn received(&self) -> &str {
        let record = self.record.as_ref().map(|record| record.get());
        record.or(self.raw.as_deref()).unwrap_or_default()
    }

    /// The value that a finding points to, as it stands in the record.
    #[must_use]
    pub fn value_at(&self, finding: &Finding) -> Option<&str> {
        let pointer: JsonPointer = finding.pointer.parse().ok()?;
        let mut json: &RawValue = serde_json::from_str(self.received()).ok()?;
        for key in pointer.keys() {
            json = if json.get().starts_with('[') {
                serde_json::from_str::<Vec<&RawValue>>(json.get())
                    .ok()?
                    .get(key.parse::<usize>().ok()?)?
            } else {
                let members: HashMap<String, &RawValue> = serde_json::from_str(json.get()).ok()?;
                members.get(key)?
            };
        }
        Some(json.get())
    }
}

impl Finding {
    fn new(reason: &Reason, record: Option<&Value>) -> Self {
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

/// The pointer to a place in a record. An object that stands where other records have a list has no position.
fn pointer(place: &Place, record: Option<&Value>) -> String {
    let mut pointer = String::new();
    let mut at = record;
    for step in place {
        match step {
            PlaceStep::Key(key) => {
                pointer.push_str(&JsonPointer::from_keys(vec![key.clone()]).to_string());
                at = at.and_then(|at| at.get(key));
            }
            PlaceStep::Item(_) if at.is_some_and(|at| !at.is_array()) => {}
            PlaceStep::Item(position) => {
                let _ = write!(pointer, "/{position}");
                at = at.and_then(|at| at.get(*position as usize));
            }
        }
    }
    pointer
}

/// Where the quarantined records of a table go, when a run has some.
#[must_use]
pub fn file_path(table: &TableName, run_id: &RunId) -> Path {
    Destination::own("quarantine").join(table.as_str()).join(format!("{run_id}{ENDING}"))
}

/// The content of a file.
///
/// # Errors
/// There is no memory for it.
pub fn encode(lines: &[Line]) -> Result<Vec<u8>, QuarantineError> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)
            .map_err(|error| QuarantineError::Unwritable(error.into()))?;
        text.push(b'\n');
    }
    zstd::encode_all(text.as_slice(), 0).map_err(QuarantineError::Unwritable)
}

/// The lines of a file.
///
/// # Errors
/// The destination fails, or the file is gone or damaged.
pub async fn read(
    destination: &Destination,
    file: &QuarantineFile,
) -> Result<Vec<Line>, QuarantineError> {
    let path = Path::parse(&file.path).unwrap_or_else(|_| Path::from(file.path.as_str()));
    let content = destination.get(&path).await?;
    let content = content.ok_or_else(|| QuarantineError::Missing { path: file.path.clone() })?;
    let unreadable =
        |reason: String| QuarantineError::Unreadable { path: file.path.clone(), reason };
    let text = zstd::decode_all(content.as_ref()).map_err(|error| unreadable(error.to_string()))?;
    let lines = text.lines().map(|line| {
        let line = line.map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_str(&line).map_err(|error| unreadable(error.to_string()))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_the_value_in_the_record_as_it_is() {
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
            let record: Value = serde_json::from_str(record).unwrap();
            let pointer = pointer(&place.to_vec(), Some(&record));
            assert_eq!(pointer, expected);
            assert_eq!(record.pointer(&pointer), Some(&Value::from(3)));
        }
    }
}
