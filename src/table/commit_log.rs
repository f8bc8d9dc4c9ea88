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

use serde::{Deserialize, Serialize, Serializer};

use super::json::Versioned;
use super::snapshot::SnapshotFile;
use super::{CommitError, Intent, json, layout};
use crate::schema::RunId;
use crate::store::{CreateOutcome, Destination};

/// The content of a commit record.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "StoredRecord")]
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
#[derive(Deserialize)]
struct StoredRecord {
    status: Status,
    run_id: Option<RunId>,
    intent: Option<Box<Intent>>,
    snapshot: Option<Box<SnapshotFile>>,
}

/// The same to write. An intent has the texts of manifests, which are large, so nothing is copied.
#[derive(Serialize)]
struct RecordToStore<'a> {
    version: u32,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<&'a Intent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<&'a SnapshotFile>,
}

impl Serialize for CommitRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, run_id, intent, snapshot) = match self {
            Self::Open(intent) => (Status::Open, Some(&intent.run_id), Some(&**intent), None),
            Self::Closed { run_id, snapshot } => {
                (Status::Closed, Some(run_id), None, Some(&**snapshot))
            }
            Self::Void => (Status::Void, None, None, None),
        };
        RecordToStore { version: Self::VERSION, status, run_id, intent, snapshot }
            .serialize(serializer)
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
        Some(content) => Ok(Logged::Record(json::decode(&path, content)?)),
    }
}

/// Creates the record of a commit; returns its intent as later runs would read it, or none where its number is taken. A
/// record that cannot be read back is not created: no later run could open the destination.
pub(super) async fn open(
    destination: &Destination,
    sequence: u64,
    intent: Intent,
) -> Result<Option<Box<Intent>>, CommitError> {
    let path = layout::commit(destination, sequence);
    let record = CommitRecord::Open(Box::new(intent));
    let content = json::encode(&record)?;
    // Before it is read back: both have the texts of manifests.
    drop(record);
    let written = serde_json::from_slice(&content).map_err(CommitError::Unwritable)?;
    let CommitRecord::Open(intent) = written else { return Ok(None) };
    if destination.create(&path, content.clone()).await? != CreateOutcome::AlreadyExists {
        return Ok(Some(intent));
    }
    // When the answer to a create is lost, the store's client repeats it and meets its own record.
    let is_own = destination.get(&path).await?.as_ref() == Some(&content);
    Ok(is_own.then_some(intent))
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
