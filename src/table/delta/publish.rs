//! Adds a commit to the logs of its tables. What is there already is found, so it can be repeated.

use std::collections::HashSet;

use chrono::Utc;

use super::entry::TableCommit;
use super::log_file;
use super::log_state::LogState;
use super::position::{app_id, is_of};
use crate::schema::{TableFormat, TableName};
use crate::store::Destination;
use crate::table::intent::NewManifest;
use crate::table::{CommitError, Intent, Manifest, json, layout};

/// Adds a commit to the logs of its tables, those of children first: no reader finds a child row before its parent's table
/// is about to have it, and none that reads parents first misses their children. At first, the commit has just looked where
/// the logs are.
pub(in crate::table) async fn publish(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
    is_first: bool,
) -> Result<(), CommitError> {
    // Manifests are large, and only logs are written from them.
    if intent.snapshot.format != TableFormat::Delta {
        return Ok(());
    }
    let published: HashSet<&str> = intent.publish.iter().map(|it| it.target.as_str()).collect();
    for new in intent.manifests.iter().rev() {
        let manifest = manifest_of(new)?;
        let Some(entry) = intent.snapshot.tables.get(&manifest.schema.name) else { continue };
        let Some(position) = &entry.log else { continue };
        let commit = TableCommit {
            sequence,
            manifest: &manifest,
            pipeline: &entry.pipeline,
            position,
            has_new_columns: new.has_new_columns,
            published: &published,
            removed: &intent.remove,
        };
        let next = if is_first || !destination.is_shared() {
            Some(position.next_version())
        } else {
            next_of_others(destination, &commit).await?
        };
        if let Some(next) = next {
            append(destination, &commit, next).await?;
        }
    }
    Ok(())
}

/// Whether a part of a commit is in a log, so that it must be finished.
pub(in crate::table) async fn is_begun(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
) -> Result<bool, CommitError> {
    if intent.snapshot.format != TableFormat::Delta {
        return Ok(false);
    }
    for new in &intent.manifests {
        let manifest = manifest_of(new)?;
        let table = &manifest.schema.name;
        let Some(entry) = intent.snapshot.tables.get(table) else { continue };
        let Some(position) = &entry.log else { continue };
        if destination.is_shared() {
            if is_in_log(destination, table, &app_id(&entry.pipeline), sequence).await? {
                return Ok(true);
            }
            continue;
        }
        let mut version = position.next_version();
        while let Some(lines) = log_file::read(destination, table, version).await? {
            if is_of(&lines, &app_id(&entry.pipeline), sequence) {
                return Ok(true);
            }
            version += 1;
        }
    }
    Ok(false)
}

fn manifest_of(new: &NewManifest) -> Result<Manifest, CommitError> {
    json::decode(&layout::recorded(&new.path), new.content.0.clone())
}

/// The number after the last version of the log of a shared table; none if the log has the commit. Since an interrupted run
/// has looked there, other pipelines may have added a thousand versions and removed old ones.
async fn next_of_others(
    destination: &Destination,
    commit: &TableCommit<'_>,
) -> Result<Option<u64>, CommitError> {
    let table = &commit.manifest.schema.name;
    let state = LogState::read(destination, table).await?;
    let state = state.ok_or_else(|| CommitError::LogLost { table: table.clone() })?;
    let has_commit = state.has_commit(&app_id(commit.pipeline), commit.sequence);
    Ok((!has_commit).then_some(state.version + 1))
}

/// Whether the log of a shared table has a commit.
async fn is_in_log(
    destination: &Destination,
    table: &TableName,
    app_id: &str,
    sequence: u64,
) -> Result<bool, CommitError> {
    let state = LogState::read(destination, table).await?;
    Ok(state.is_some_and(|state| state.has_commit(app_id, sequence)))
}

/// Adds a commit to the log of a table, at the first free number.
async fn append(
    destination: &Destination,
    commit: &TableCommit<'_>,
    mut version: u64,
) -> Result<(), CommitError> {
    let table = &commit.manifest.schema.name;
    let Some(text) = commit.text(Utc::now())? else { return Ok(()) };
    let app_id = app_id(commit.pipeline);
    let mut tries = 0;
    loop {
        tries += 1;
        if log_file::create(destination, table, version, text.clone()).await? {
            tracing::debug!(%table, version, tries, "added a version to the log");
            return Ok(());
        }
        // The number is taken, perhaps by a request of ours whose answer was lost.
        while let Some(lines) = log_file::read(destination, table, version).await? {
            if is_of(&lines, &app_id, commit.sequence) {
                return Ok(());
            }
            version += 1;
        }
        log_file::pause().await;
    }
}
