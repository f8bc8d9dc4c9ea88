//! Commit log: one numbered record for each commit, `commits/<sequence>.json`.
//!
//! | record | meaning | the next run |
//! |---|---|---|
//! | open | its intent exists, its changes may not all be visible | finishes it |
//! | closed | it is finished | leaves it |
//! | void | its number was taken, nothing was changed | leaves it |
//! | blank, the last one | a power cut came before its content was on disk, so nothing was changed | makes it void |
//! | blank, an earlier one | it was damaged later | refuses the destination |
//!
//! A record is created only if its number is free, so of two writers only one gets it.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{CommitError, Intent, json, layout};
use crate::schema::RunId;
use crate::store::{CreateOutcome, Destination};

/// How many records are read at once. There is one for each night, and each is a request to an object store.
const RECORDS_AT_ONCE: usize = 16;

/// The content of a commit record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum CommitRecord {
    /// The commit may be unfinished.
    Open(Intent),
    /// The commit is finished.
    Closed {
        /// The run that committed.
        run_id: RunId,
    },
    /// The intent never reached the disk.
    Void,
}

impl CommitRecord {
    /// The run that committed.
    pub(super) fn run_id(&self) -> Option<&RunId> {
        match self {
            Self::Open(Intent { run_id, .. }) | Self::Closed { run_id } => Some(run_id),
            Self::Void => None,
        }
    }
}

/// A record with its sequence number.
pub(super) struct LoggedCommit {
    pub(super) sequence: u64,
    pub(super) record: CommitRecord,
}

/// Reads all records, in order. A blank last record becomes void first; its number stays taken.
pub(super) async fn read_all(destination: &Destination) -> Result<Vec<LoggedCommit>, CommitError> {
    let listed = destination.list(&layout::commits()).await?;
    if let Some(last) = listed.last() {
        void_if_blank(destination, &last.path).await?;
    }
    let numbered = listed.iter().filter_map(|it| Some((layout::sequence_of(&it.path)?, &it.path)));
    let reads = numbered.map(async |(sequence, path)| {
        let record = json::read(destination, path).await?;
        Ok::<_, CommitError>(record.map(|record| LoggedCommit { sequence, record }))
    });
    let records = stream::iter(reads.collect::<Vec<_>>()).buffered(RECORDS_AT_ONCE);
    records.try_filter_map(async |record| Ok(record)).try_collect().await
}

async fn void_if_blank(destination: &Destination, path: &Path) -> Result<(), CommitError> {
    let content = destination.get(path).await?;
    if content.is_some_and(|content| is_blank(&content)) {
        tracing::warn!(%path, "voiding the blank commit record of an interrupted run; it had changed nothing");
        destination.put(path, json::encode(&CommitRecord::Void)?).await?;
    }
    Ok(())
}

/// Reads the intents of open commits, in order. Blank records are skipped.
pub(super) async fn read_open(destination: &Destination) -> Result<Vec<Intent>, CommitError> {
    let mut open = Vec::new();
    for listed in destination.list(&layout::commits()).await? {
        let content = destination.get(&listed.path).await?;
        let Some(content) = content.filter(|content| !is_blank(content)) else { continue };
        if let CommitRecord::Open(intent) = json::decode(&listed.path, &content)? {
            open.push(intent);
        }
    }
    Ok(open)
}

fn is_blank(content: &[u8]) -> bool {
    content.iter().all(|byte| *byte == 0)
}

/// Creates the record of a commit; returns whether its number was free. A record that cannot be read back is not
/// created: no later run could open the destination.
pub(super) async fn open(
    destination: &Destination,
    sequence: u64,
    record: &CommitRecord,
) -> Result<bool, CommitError> {
    let path = layout::commit(sequence);
    let content = json::encode(record)?;
    serde_json::from_slice::<CommitRecord>(&content).map_err(CommitError::Unwritable)?;
    if destination.create(&path, content.clone()).await? != CreateOutcome::AlreadyExists {
        return Ok(true);
    }
    // When the answer to a create is lost, the store's client repeats it and meets its own record.
    Ok(destination.get(&path).await?.as_ref() == Some(&content))
}

/// Whether a commit is open.
pub(super) async fn is_open(destination: &Destination, sequence: u64) -> Result<bool, CommitError> {
    let record = json::read(destination, &layout::commit(sequence)).await?;
    Ok(matches!(record, Some(CommitRecord::Open(_))))
}

/// Marks a commit as finished.
pub(super) async fn close(
    destination: &Destination,
    sequence: u64,
    run_id: &RunId,
) -> Result<(), CommitError> {
    let closed = CommitRecord::Closed { run_id: run_id.clone() };
    destination.put(&layout::commit(sequence), json::encode(&closed)?).await?;
    Ok(())
}
