//! Looks whether a log is as the last commit left it, before a commit relies on that.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::action::Line;
use super::entry::{app_id, relative};
use super::log_file;
use super::uri::decoded;
use crate::schema::TableName;
use crate::store::Destination;
use crate::table::snapshot::TableEntry;
use crate::table::{CommitError, Manifest, Snapshot, layout};

/// Where a commit finds the log of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The id of the table, as its log has it.
    pub id: String,
    /// When its log began.
    pub created_at: DateTime<Utc>,
    /// The last version before the commit, or an earlier one; none where the log begins with the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The number of the commit, if it adds a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
}

impl LogPosition {
    fn beginning() -> Self {
        let created_at = Utc::now();
        Self { id: Uuid::now_v7().to_string(), created_at, version: None, commit: None }
    }

    /// The first version that a commit may have.
    pub(super) fn next_version(&self) -> u64 {
        self.version.map_or(0, |version| version + 1)
    }
}

/// Where the logs of tables are that a commit changes. Refuses a log that others have changed, or that is damaged.
pub(in crate::table) async fn positions(
    destination: &Destination,
    snapshot: &Snapshot,
    changed: &[Manifest],
) -> Result<BTreeMap<TableName, LogPosition>, CommitError> {
    let mut positions = BTreeMap::new();
    for manifest in changed {
        let table = &manifest.schema.name;
        let entry = snapshot.file.tables.get(table);
        let known = entry.and_then(|entry| Some((entry, entry.log.as_ref()?)));
        let position = match known {
            Some((entry, position)) => {
                let before = snapshot.manifests.get(table);
                let version = last_version(destination, table, entry, position, before).await?;
                LogPosition { version: Some(version), commit: None, ..position.clone() }
            }
            // It has no rows and no directory.
            None if manifest.schema.excluded => continue,
            None => {
                refuse_other_log(destination, table).await?;
                LogPosition::beginning()
            }
        };
        positions.insert(table.clone(), position);
    }
    Ok(positions)
}

/// A log where none begins yet is of another table.
async fn refuse_other_log(destination: &Destination, table: &TableName) -> Result<(), CommitError> {
    let listed = destination.list(&layout::log_directory(table)).await?;
    match listed.first() {
        None => Ok(()),
        Some(first) => Err(CommitError::UnknownFiles {
            table: table.clone(),
            is_new: true,
            files: listed.len(),
            first: first.path.to_string(),
        }),
    }
}

/// The last version of a log, after a look at those since the position that the last commit knew.
async fn last_version(
    destination: &Destination,
    table: &TableName,
    entry: &TableEntry,
    position: &LogPosition,
    before: Option<&Manifest>,
) -> Result<u64, CommitError> {
    let app_id = app_id(&entry.pipeline);
    let (mut version, mut is_whole) = (position.next_version(), false);
    while let Some(lines) = log_file::read(destination, table, version).await? {
        refuse_others(table, version, &lines, &app_id, before)?;
        is_whole |= position.commit.is_some_and(|commit| is_of(&lines, &app_id, commit));
        version += 1;
    }
    if position.commit.is_none() {
        let known = version.checked_sub(1).map(|last| layout::log_file(table, last));
        is_whole = match known {
            Some(known) => destination.size(&known).await?.is_some(),
            None => false,
        };
    }
    let last = version.checked_sub(1).filter(|_| is_whole);
    last.ok_or_else(|| CommitError::LogLost { table: table.clone() })
}

/// Refuses a version that another writer made, or that names files which the manifest does not.
fn refuse_others(
    table: &TableName,
    version: u64,
    lines: &[Line],
    app_id: &str,
    before: Option<&Manifest>,
) -> Result<(), CommitError> {
    let changes = |line: &Line| {
        line.add.is_some()
            || line.remove.is_some()
            || line.meta_data.is_some()
            || line.protocol.is_some()
    };
    let is_own = lines.iter().any(|line| line.txn.as_ref().is_some_and(|it| it.app_id == app_id));
    let known: Option<HashSet<&str>> = before
        .map(|before| before.files.iter().filter_map(|file| relative(&file.path, table)).collect());
    let is_unknown = |line: &Line| {
        let added = line.add.as_ref().and_then(|add| decoded(&add.path));
        let removed = line.remove.as_ref().and_then(|remove| decoded(&remove.path));
        let has = |path: &str| known.as_ref().is_none_or(|known| known.contains(path));
        added.is_some_and(|path| !has(&path))
            || removed.is_some_and(|path| known.is_some() && has(&path))
    };
    let is_other = if is_own { lines.iter().any(is_unknown) } else { lines.iter().any(changes) };
    if is_other {
        return Err(CommitError::OtherLog { table: table.clone(), version });
    }
    Ok(())
}

/// Whether a version is of this commit of a pipeline, or a later one.
pub(super) fn is_of(lines: &[Line], app_id: &str, sequence: u64) -> bool {
    let number = |line: &Line| {
        let txn = line.txn.as_ref().filter(|txn| txn.app_id == app_id)?;
        u64::try_from(txn.version).ok()
    };
    lines.iter().filter_map(number).any(|number| number >= sequence)
}
