//! Commit: makes a run's files, manifests and state visible, all or nothing.
//!
//! ```text
//! staged files ─▶ intent ─▶ publish ─▶ remove ─▶ manifests ─▶ state ─▶ intent closed
//!                   │
//!                   └─ from here on the run has happened: whoever comes next finishes it
//! ```
//!
//! The intent is created only if its sequence number is free, which makes it the fence between two writers.
//! Every step after it can be done again without harm, so recovery is doing them all once more.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Manifest;

use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::{RunId, TableName, TableSchema};
use crate::store::{
    CreateOutcome, Destination, DestinationError, ListedFile, PathTooLong, ReplaceOutcome,
};
use crate::write::StagedFile;

/// Staged files that no intent names are kept this long, since their run may still be at work.
const ABANDONED_AFTER: TimeDelta = TimeDelta::days(1);

/// How many records of earlier commits are read at once: there is one for each night, and each is a request to S3.
const RECORDS_AT_ONCE: usize = 16;

/// A commit or recovery could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A file of ours says what we cannot read.
    #[error("`{path}` in the destination is not readable: {source}")]
    Unreadable {
        /// The file.
        path: Path,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A state cannot be written as JSON.
    #[error("the state of the destination cannot be written: {0}")]
    Unwritable(serde_json::Error),
    /// The export or the definition asks for a file that cannot be.
    #[error(transparent)]
    Name(#[from] PathTooLong),
    /// Somebody else committed since this run began.
    #[error("another run committed to this destination at the same time")]
    Conflict,
    /// A file that an intent names is neither in staging nor published.
    #[error(
        "the commit of run {run_id} cannot be finished: `{target}` is neither staged nor published"
    )]
    Lost {
        /// The run.
        run_id: RunId,
        /// The file.
        target: String,
    },
}

impl Failure for CommitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Name(_) => ExitCode::Export,
            Self::Conflict => ExitCode::Busy,
            Self::Destination(_)
            | Self::Unreadable { .. }
            | Self::Unwritable(_)
            | Self::Lost { .. } => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Destination(_) => {
                "check that the destination exists, has room, and lets this user write; \
                 if the commit had begun, the next run finishes it"
            }
            Self::Unreadable { .. } | Self::Lost { .. } => advice::CHANGED_BY_HAND,
            Self::Unwritable(_) => advice::REPORT_A_BUG,
            Self::Name(_) => {
                "partition by a column with short values or by a date, or give the table a shorter name; \
                 the tables are as they were"
            }
            Self::Conflict => "the other run is complete; run this one again",
        };
        Some(help.to_owned())
    }
}

/// What a commit changes, complete enough for somebody else to finish it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The run whose commit it is.
    pub run_id: RunId,
    /// Files that are in staging and where they go.
    pub publish: Vec<Publication>,
    /// Files that are replaced.
    pub remove: Vec<String>,
    /// The tables as they will be.
    pub manifests: Vec<Manifest>,
    /// The destination's state as it will be.
    pub state: State,
}

impl Intent {
    /// The files that there will be.
    fn targets(&self) -> impl Iterator<Item = Path> {
        let published = self.publish.iter().map(|publication| stored_path(&publication.target));
        let manifests = self.manifests.iter();
        published.chain(manifests.map(|manifest| Manifest::path(&manifest.schema.name)))
    }

    /// The files to be removed: whatever stands in `remove`, no file that is part of a table.
    fn replaced_files(&self) -> impl Iterator<Item = &String> {
        let files = self.manifests.iter().flat_map(|manifest| &manifest.files);
        let live: HashSet<&String> = files.map(|file| &file.path).collect();
        self.remove.iter().filter(move |path| !live.contains(path))
    }
}

/// One file's way from staging to where readers look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    staged: String,
    target: String,
    bytes: u64,
}

impl Publication {
    /// A file that is complete in staging.
    #[must_use]
    pub fn new(staged: &Path, target: &Path, bytes: u64) -> Self {
        Self { staged: staged.to_string(), target: target.to_string(), bytes }
    }
}

impl From<&StagedFile> for Publication {
    fn from(file: &StagedFile) -> Self {
        Self::new(&file.staged, &file.target, file.bytes)
    }
}

/// What a destination remembers besides its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The run that committed last.
    pub last_run: RunId,
    /// When it began.
    pub committed_at: DateTime<Utc>,
    /// Up to where windows have been loaded; none for full exports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<DateTime<Utc>>,
}

/// What stands in `commits/<sequence>.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum CommitRecord {
    Open(Intent),
    Closed {
        run_id: RunId,
    },
    /// The number was taken and the intent never reached the disk, so that nothing was done of it.
    Void,
}

impl CommitRecord {
    fn into_run_id(self) -> Option<RunId> {
        match self {
            Self::Open(Intent { run_id, .. }) | Self::Closed { run_id } => Some(run_id),
            Self::Void => None,
        }
    }
}

/// The destination as a run finds it, after recovery.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Its tables.
    pub manifests: BTreeMap<TableName, Manifest>,
    /// What it remembers besides; none before the first commit.
    pub state: Option<State>,
    /// The number the next commit has to have.
    next_sequence: u64,
    /// The runs that have committed.
    runs: HashSet<RunId>,
}

impl Snapshot {
    /// Finishes what an interrupted run left, and reads the state of the destination.
    ///
    /// # Errors
    /// The destination fails, or holds files of ours that cannot be read.
    pub async fn recover(
        destination: &Destination,
        now: DateTime<Utc>,
    ) -> Result<Self, CommitError> {
        let mut next_sequence = 1;
        let mut runs = HashSet::new();
        let records = destination.list(&Destination::own("commits")).await?;
        void_if_blank(destination, records.last()).await?;
        let numbered = records.iter().filter_map(|it| Some((sequence_of(&it.path)?, &it.path)));
        let reads = numbered.map(async |(sequence, path)| {
            Ok::<_, CommitError>((sequence, read::<CommitRecord>(destination, path).await?))
        });
        let mut records = stream::iter(reads.collect::<Vec<_>>()).buffered(RECORDS_AT_ONCE);
        while let Some((sequence, record)) = records.try_next().await? {
            next_sequence = next_sequence.max(sequence + 1);
            let Some(record) = record else { continue };
            if let CommitRecord::Open(intent) = &record {
                tracing::warn!(run = %intent.run_id, "finishing the commit of an interrupted run");
                roll_forward(destination, sequence, intent).await?;
            }
            runs.extend(record.into_run_id());
        }
        sweep_staging(destination, now).await?;
        let manifests = read_manifests(destination).await?;
        runs.extend(manifests.values().map(|manifest| manifest.run_id.clone()));
        let state: Option<State> = read(destination, &state_path()).await?;
        runs.extend(state.as_ref().map(|state| state.last_run.clone()));
        Ok(Self { manifests, state, next_sequence, runs })
    }

    /// What recovery would find, without doing anything.
    ///
    /// # Errors
    /// The destination fails, or holds files of ours that cannot be read.
    pub async fn peek(destination: &Destination) -> Result<Self, CommitError> {
        let manifests = read_manifests(destination).await?;
        let state = read(destination, &state_path()).await?;
        let mut seen = Self { manifests, state, ..Self::default() };
        for listed in destination.list(&Destination::own("commits")).await? {
            if is_blank(destination, &listed.path).await? {
                continue;
            }
            if let Some(CommitRecord::Open(intent)) = read(destination, &listed.path).await? {
                seen.manifests.extend(by_name(intent.manifests));
                seen.state = Some(intent.state);
            }
        }
        Ok(seen)
    }

    /// The schemas of its tables.
    #[must_use]
    pub fn schemas(&self) -> BTreeMap<TableName, TableSchema> {
        let manifests = self.manifests.iter();
        manifests.map(|(name, manifest)| (name.clone(), manifest.schema.clone())).collect()
    }

    /// Up to where windows have been loaded.
    #[must_use]
    pub fn watermark(&self) -> Option<DateTime<Utc>> {
        self.state.as_ref()?.watermark
    }

    /// Whether a run of this id has committed. Files are called by their run's id: a second run of the same id
    /// would write over those of the first.
    #[must_use]
    pub fn has_run(&self, run_id: &RunId) -> bool {
        self.runs.contains(run_id)
    }

    /// Commits.
    ///
    /// # Errors
    /// Another run was faster, or a file cannot be called as it is to be, in which case nothing has changed; or
    /// the destination fails, in which case the next run finishes this commit.
    pub async fn commit(
        &self,
        destination: &Destination,
        intent: Intent,
    ) -> Result<(), CommitError> {
        // Once the intent is there, everything in it has to be possible.
        for target in intent.targets() {
            destination.check_name(&target)?;
        }
        let path = record_path(self.next_sequence);
        let record = CommitRecord::Open(intent);
        let content = encode(&record)?;
        if destination.create(&path, content.clone()).await? == CreateOutcome::AlreadyExists
            && destination.get(&path).await?.as_ref() != Some(&content)
        {
            // A create that was done but not answered is tried again by the store's client, and then
            // finds the record that it wrote itself; any other record is somebody else's.
            return Err(CommitError::Conflict);
        }
        let CommitRecord::Open(intent) = record else { return Ok(()) };
        roll_forward(destination, self.next_sequence, &intent).await
    }
}

/// The runs whose commits are not finished.
///
/// # Errors
/// The destination fails, or holds files of ours that cannot be read.
pub async fn open_commits(destination: &Destination) -> Result<Vec<RunId>, CommitError> {
    let mut open = Vec::new();
    for listed in destination.list(&Destination::own("commits")).await? {
        if is_blank(destination, &listed.path).await? {
            continue;
        }
        if let Some(CommitRecord::Open(intent)) = read(destination, &listed.path).await? {
            open.push(intent.run_id);
        }
    }
    Ok(open)
}

/// After a power cut the last record may have its name and nothing in it. Its run has done nothing yet, since it
/// waits until the record is on disk. The number stays taken.
async fn void_if_blank(
    destination: &Destination,
    last: Option<&ListedFile>,
) -> Result<(), CommitError> {
    let Some(path) = last.map(|last| &last.path) else { return Ok(()) };
    if is_blank(destination, path).await? {
        tracing::warn!(%path, "the record of an interrupted run is blank; nothing of it was done");
        destination.put(path, encode(&CommitRecord::Void)?).await?;
    }
    Ok(())
}

async fn is_blank(destination: &Destination, record: &Path) -> Result<bool, CommitError> {
    let content = destination.get(record).await?;
    Ok(content.is_some_and(|content| content.iter().all(|byte| *byte == 0)))
}

/// Does everything that an intent says. Doing it again, in whole or from any point, changes nothing; nor does
/// going on with it after somebody else has finished it, when later commits may have happened.
async fn roll_forward(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
) -> Result<(), CommitError> {
    for publication in &intent.publish {
        if let Err(error) = publish(destination, intent, publication).await {
            let is_finished = matches!(is_open(destination, sequence).await, Ok(false));
            return if is_finished { Ok(()) } else { Err(error) };
        }
    }
    for path in intent.replaced_files() {
        destination.delete(&stored_path(path)).await?;
    }
    let mut current = Vec::new();
    for manifest in &intent.manifests {
        current.push((Manifest::path(&manifest.schema.name), encode(manifest)?));
    }
    current.push((state_path(), encode(&intent.state)?));
    for (path, content) in current {
        if !put_while_open(destination, sequence, &path, content).await? {
            return Ok(());
        }
    }
    let closed = CommitRecord::Closed { run_id: intent.run_id.clone() };
    destination.put(&record_path(sequence), encode(&closed)?).await?;
    Ok(())
}

/// Puts a file that later commits put as well, unless this commit is finished; tells whether it did.
///
/// Later commits begin when this one is closed. So while it is open, the file that was looked at is none of
/// theirs, and no other one is replaced.
async fn put_while_open(
    destination: &Destination,
    sequence: u64,
    path: &Path,
    content: Bytes,
) -> Result<bool, CommitError> {
    loop {
        let seen = destination.version(path).await?;
        if !is_open(destination, sequence).await? {
            return Ok(false);
        }
        if destination.replace(path, content.clone(), seen).await? == ReplaceOutcome::Replaced {
            return Ok(true);
        }
    }
}

async fn is_open(destination: &Destination, sequence: u64) -> Result<bool, CommitError> {
    let record = read::<CommitRecord>(destination, &record_path(sequence)).await?;
    Ok(matches!(record, Some(CommitRecord::Open(_))))
}

async fn publish(
    destination: &Destination,
    intent: &Intent,
    publication: &Publication,
) -> Result<(), CommitError> {
    let (staged, target) = (stored_path(&publication.staged), stored_path(&publication.target));
    if destination.size(&staged).await?.is_some() {
        return Ok(destination.rename(&staged, &target).await?);
    }
    if destination.size(&target).await? == Some(publication.bytes) {
        return Ok(());
    }
    Err(CommitError::Lost { run_id: intent.run_id.clone(), target: publication.target.clone() })
}

/// Removes staged files that nobody will publish any more.
async fn sweep_staging(destination: &Destination, now: DateTime<Utc>) -> Result<(), CommitError> {
    for listed in destination.list(&Destination::own("staging")).await? {
        if now - listed.modified > ABANDONED_AFTER {
            destination.delete(&listed.path).await?;
        }
    }
    Ok(())
}

/// Removes what a run that commits nothing has staged.
///
/// # Errors
/// The destination fails; the files are swept later.
pub async fn discard_staged(destination: &Destination, run_id: &RunId) -> Result<(), CommitError> {
    for listed in destination.list(&Destination::staging(run_id)).await? {
        destination.delete(&listed.path).await?;
    }
    Ok(())
}

fn state_path() -> Path {
    Destination::own("state.json")
}

fn record_path(sequence: u64) -> Path {
    Destination::own("commits").join(format!("{sequence:012}.json"))
}

fn sequence_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// A path as it stands in our files, encoded already.
fn stored_path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

async fn read_manifests(
    destination: &Destination,
) -> Result<BTreeMap<TableName, Manifest>, CommitError> {
    let mut manifests = Vec::new();
    for listed in destination.list(&Destination::own("tables")).await? {
        manifests.extend(read::<Manifest>(destination, &listed.path).await?);
    }
    Ok(by_name(manifests).collect())
}

fn by_name(manifests: Vec<Manifest>) -> impl Iterator<Item = (TableName, Manifest)> {
    manifests.into_iter().map(|manifest| (manifest.schema.name.clone(), manifest))
}

async fn read<T: DeserializeOwned>(
    destination: &Destination,
    path: &Path,
) -> Result<Option<T>, CommitError> {
    let Some(content) = destination.get(path).await? else { return Ok(None) };
    serde_json::from_slice(&content)
        .map(Some)
        .map_err(|source| CommitError::Unreadable { path: path.clone(), source })
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, CommitError> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(CommitError::Unwritable)
}
