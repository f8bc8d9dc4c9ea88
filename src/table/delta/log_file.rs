//! The files of a log: one for each version.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;

use super::action::{Action, Line};
use crate::schema::TableName;
use crate::store::{CreateOutcome, Destination};
use crate::table::{CommitError, layout};

/// The longest pause of a writer that came second, in milliseconds.
const MOST_PAUSE: u64 = 40;

/// Reads the file of a version; none if there is no such version yet.
pub(super) async fn read(
    destination: &Destination,
    table: &TableName,
    version: u64,
) -> Result<Option<Vec<Line>>, CommitError> {
    let path = layout::log_file(table, version);
    let Some(content) = destination.get(&path).await? else { return Ok(None) };
    parse(&path, &content).map(Some)
}

/// Creates the file of a version; returns whether its number was free.
pub(super) async fn create(
    destination: &Destination,
    table: &TableName,
    version: u64,
    text: Bytes,
) -> Result<bool, CommitError> {
    let path = layout::log_file(table, version);
    let created = destination.create(&path, text).await?;
    Ok(created != CreateOutcome::AlreadyExists)
}

/// A pause after which another writer is less likely to ask for the same number.
pub(super) async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=MOST_PAUSE))).await;
}

/// The text of a log file, written action by action: a hundred thousand of them take less as text.
#[derive(Default)]
pub(super) struct LogText(Vec<u8>);

impl LogText {
    pub(super) fn push(&mut self, action: &Action) -> Result<(), CommitError> {
        serde_json::to_writer(&mut self.0, action).map_err(CommitError::Unwritable)?;
        self.0.push(b'\n');
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

fn parse(path: &Path, content: &[u8]) -> Result<Vec<Line>, CommitError> {
    let damaged = |reason: String| CommitError::DamagedLog { path: path.clone(), reason };
    // Readers take an empty file for a version that changed nothing, and fail at one of zeros.
    if content.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
        return Err(damaged("it has no content".to_owned()));
    }
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|it| damaged(it.to_string()))).collect()
}
