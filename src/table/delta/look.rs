//! Looks whether a log is as the last commit left it, before a commit relies on that.

use std::collections::{BTreeMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::action::Line;
use super::log_file;
use super::position::{LogPosition, app_id, is_of};
use super::uri::decoded;
use crate::schema::TableName;
use crate::store::{Destination, ListedFile};
use crate::table::snapshot::TableEntry;
use crate::table::table_store::AT_ONCE;
use crate::table::{CommitError, Manifest, Snapshot, layout};

/// Where the logs of tables are that a commit changes. Refuses a log that others have changed, or that is damaged.
pub(in crate::table) async fn positions(
    destination: &Destination,
    snapshot: &Snapshot,
    changed: &[Manifest],
) -> Result<BTreeMap<TableName, LogPosition>, CommitError> {
    let looks: Vec<_> =
        changed.iter().map(|manifest| position_of(destination, snapshot, manifest)).collect();
    let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn position_of(
    destination: &Destination,
    snapshot: &Snapshot,
    manifest: &Manifest,
) -> Result<Option<(TableName, LogPosition)>, CommitError> {
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
        None if manifest.schema.excluded => return Ok(None),
        None => {
            refuse_other_log(destination, table).await?;
            LogPosition::beginning()
        }
    };
    Ok(Some((table.clone(), position)))
}

/// A log where none begins yet is of another table.
async fn refuse_other_log(destination: &Destination, table: &TableName) -> Result<(), CommitError> {
    let listed = destination.list(&layout::table_directory(table)).await?;
    let is_of_log = |file: &&ListedFile| layout::is_of_log(file.path.as_ref(), table);
    let Some(log) = listed.iter().find(is_of_log) else { return Ok(()) };
    let data = listed.iter().filter(|file| layout::is_data_file(&file.path));
    let data: Vec<&ListedFile> = data.collect();
    Err(CommitError::UnknownFiles {
        table: table.clone(),
        is_new: true,
        files: data.len(),
        first: data.first().unwrap_or(&log).path.to_string(),
    })
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
    let known: Option<HashSet<&str>> = before.map(|before| {
        before.files.iter().filter_map(|file| layout::below_table(&file.path, table)).collect()
    });
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
