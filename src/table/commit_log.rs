//! Commit log: one numbered record for each commit, `commits/<sequence>.json`.
//!
//! | record of the commit after the snapshot's | meaning | the next run |
//! |---|---|---|
//! | absent | nothing is under way | commits under this number |
//! | open | its intent exists, its files may not all be published | finishes it, or voids it if its staged files are gone |
//! | blank | a power cut came before its content was on disk, so nothing was changed | voids it |
//! | closed, void | the snapshot is older than the log: a part of the destination was restored | refuses the destination |
//!
//! The record of the snapshot's own commit is open until the files that it replaces are removed. Earlier records are
//! history, and nothing depends on them. A record is created only if its number is free, so of two writers only one gets
//! it.

use serde::{Deserialize, Serialize};

use super::json::Versioned;
use super::snapshot::SnapshotFile;
use super::{CommitError, Intent, json, layout};
use crate::schema::RunId;
use crate::store::{CreateOutcome, Destination};

/// The content of a commit record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredRecord", into = "StoredRecord")]
#[derive(Clone)]
pub(super) enum CommitRecord {
    /// The commit may be unfinished.
    Open(Box<Intent>),
    /// The commit is finished.
    Closed {
        /// The run that committed.
        run_id: RunId,
        /// The snapshot that it made. `snapshot.json` can be written again from it.
        snapshot: Box<SnapshotFile>,
    },
    /// Nothing was changed under this number.
    Void,
}

impl Versioned for CommitRecord {
    const VERSION: u32 = 2;
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Open,
    Closed,
    Void,
}

/// A record as JSON has it.
#[derive(Serialize, Deserialize)]
struct StoredRecord {
    version: u32,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<Box<Intent>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Box<SnapshotFile>>,
}

impl From<CommitRecord> for StoredRecord {
    fn from(record: CommitRecord) -> Self {
        let version = CommitRecord::VERSION;
        let (status, run_id, intent, snapshot) = match record {
            CommitRecord::Open(intent) => {
                (Status::Open, Some(intent.run_id.clone()), Some(intent), None)
            }
            CommitRecord::Closed { run_id, snapshot } => {
                (Status::Closed, Some(run_id), None, Some(snapshot))
            }
            CommitRecord::Void => (Status::Void, None, None, None),
        };
        Self { version, status, run_id, intent, snapshot }
    }
}

impl TryFrom<StoredRecord> for CommitRecord {
    type Error = &'static str;

    fn try_from(stored: StoredRecord) -> Result<Self, Self::Error> {
        match stored {
            StoredRecord { status: Status::Open, intent: Some(intent), .. } => {
                Ok(Self::Open(intent))
            }
            StoredRecord {
                status: Status::Closed,
                run_id: Some(run_id),
                snapshot: Some(snapshot),
                ..
            } => Ok(Self::Closed { run_id, snapshot }),
            StoredRecord { status: Status::Void, .. } => Ok(Self::Void),
            StoredRecord { status: Status::Open, .. } => Err("an open commit without its intent"),
            StoredRecord { status: Status::Closed, .. } => {
                Err("a closed commit without its run or its snapshot")
            }
        }
    }
}

/// What is found under a number.
#[derive(Debug)]
pub(super) enum Logged {
    Absent,
    Blank,
    Record(CommitRecord),
}

/// Reads the record of a number.
pub(super) async fn read(destination: &Destination, sequence: u64) -> Result<Logged, CommitError> {
    let path = layout::commit(destination, sequence);
    match destination.get(&path).await? {
        None => Ok(Logged::Absent),
        Some(content) if content.iter().all(|byte| *byte == 0) => Ok(Logged::Blank),
        Some(content) => Ok(Logged::Record(json::decode(&path, &content)?)),
    }
}

/// Creates the record of a commit; returns whether its number was free. A record that cannot be read back is not
/// created: no later run could open the destination.
pub(super) async fn open(
    destination: &Destination,
    sequence: u64,
    record: &CommitRecord,
) -> Result<bool, CommitError> {
    let path = layout::commit(destination, sequence);
    let content = json::encode(record)?;
    serde_json::from_slice::<CommitRecord>(&content).map_err(CommitError::Unwritable)?;
    if destination.create(&path, content.clone()).await? != CreateOutcome::AlreadyExists {
        return Ok(true);
    }
    // When the answer to a create is lost, the store's client repeats it and meets its own record.
    Ok(destination.get(&path).await?.as_ref() == Some(&content))
}

/// Ends a commit: it is finished, or changed nothing.
pub(super) async fn end(
    destination: &Destination,
    sequence: u64,
    ending: &CommitRecord,
) -> Result<(), CommitError> {
    destination.put(&layout::commit(destination, sequence), json::encode(ending)?).await?;
    Ok(())
}
