//! Reads the snapshot and the manifests that it names, and refuses what is not what was committed.

use super::snapshot::{SnapshotFile, TableEntry};
use super::{Agreement, CommitError, Manifest, SharingError, json, layout};
use crate::schema::TableName;
use crate::store::{Destination, ObjectVersion};

/// Reads `snapshot.json`, and its version. A destination without one has no tables yet, or has lost it.
pub(super) async fn read_snapshot(
    destination: &Destination,
) -> Result<(SnapshotFile, ObjectVersion), CommitError> {
    let path = layout::snapshot(destination);
    if let Some((content, seen)) = destination.get_versioned(&path).await? {
        return Ok((json::decode(&path, content)?, seen));
    }
    refuse_lost_snapshot(destination).await?;
    Ok((SnapshotFile::default(), ObjectVersion::Absent))
}

/// Without a snapshot there is nothing but a first commit, which is under way, and what runs leave that fail before it.
async fn refuse_lost_snapshot(destination: &Destination) -> Result<(), CommitError> {
    if destination.size(&layout::state_of_old(destination)).await?.is_some() {
        return Err(CommitError::OldFormat { path: layout::state_of_old(destination) });
    }
    if !destination.is_shared() {
        let agreement = Agreement::read(destination).await?;
        let pipelines: Vec<String> = agreement.pipelines().into_iter().map(str::to_owned).collect();
        if !pipelines.is_empty() {
            return Err(SharingError::Shared { pipelines }.into());
        }
    }
    let later = destination.list(&layout::commits(destination)).await?.into_iter();
    let mut later = later.filter(|file| layout::sequence_of(&file.path).is_some_and(|it| it > 1));
    match later.next() {
        Some(file) => Err(CommitError::SnapshotLost { trace: file.path }),
        None => Ok(()),
    }
}

pub(super) async fn read_manifest(
    destination: &Destination,
    table: &TableName,
    entry: &TableEntry,
) -> Result<Manifest, CommitError> {
    let path = layout::recorded(&entry.manifest.path);
    let Some(content) = destination.get(&path).await? else {
        return Err(CommitError::ManifestLost { table: table.clone(), path });
    };
    let is_named = entry.manifest.is(&content);
    // What cannot be read says more than that it is another one.
    let manifest = json::decode(&path, content)?;
    if is_named {
        Ok(manifest)
    } else {
        Err(CommitError::OtherManifest { table: table.clone(), path })
    }
}
