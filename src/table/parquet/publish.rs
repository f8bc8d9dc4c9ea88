//! Publish: the steps of a commit after its intent exists. Each can be repeated without harm.

use bytes::Bytes;
use object_store::path::Path;

use crate::store::{Destination, ReplaceOutcome};
use crate::table::intent::Publication;
use crate::table::{CommitError, Intent, commit_log, json, layout};

/// Applies an intent and closes its commit. Repeating it changes nothing, not even after another run has finished the
/// commit and later commits have happened.
pub(super) async fn roll_forward(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
) -> Result<(), CommitError> {
    for publication in &intent.publish {
        if let Err(error) = publish(destination, intent, publication).await {
            let is_finished = matches!(commit_log::is_open(destination, sequence).await, Ok(false));
            return if is_finished { Ok(()) } else { Err(error) };
        }
    }
    for path in intent.removals() {
        destination.delete(&layout::recorded(path)).await?;
    }
    for (path, content) in pointers(intent)? {
        if !put_while_open(destination, sequence, &path, content).await? {
            return Ok(());
        }
    }
    commit_log::close(destination, sequence, &intent.run_id).await
}

/// The files that every commit replaces: manifests, and the state after them.
fn pointers(intent: &Intent) -> Result<Vec<(Path, Bytes)>, CommitError> {
    let mut pointers = Vec::new();
    for manifest in &intent.manifests {
        pointers.push((layout::manifest(&manifest.schema.name), json::encode(manifest)?));
    }
    pointers.push((layout::state(), json::encode(&intent.state)?));
    Ok(pointers)
}

/// Replaces a file that later commits replace too, unless this commit is finished; returns whether it was open.
///
/// Later commits begin after this one is closed. So a file version that was seen while this commit is open is not theirs,
/// and only that version is replaced.
async fn put_while_open(
    destination: &Destination,
    sequence: u64,
    path: &Path,
    content: Bytes,
) -> Result<bool, CommitError> {
    loop {
        let seen = destination.version(path).await?;
        if !commit_log::is_open(destination, sequence).await? {
            return Ok(false);
        }
        if destination.replace(path, content.clone(), seen).await? != ReplaceOutcome::Conflict {
            return Ok(true);
        }
    }
}

/// Moves a staged file to its target, unless that has happened already.
async fn publish(
    destination: &Destination,
    intent: &Intent,
    publication: &Publication,
) -> Result<(), CommitError> {
    let staged = layout::recorded(&publication.staged);
    let target = layout::recorded(&publication.target);
    if destination.size(&staged).await?.is_some() {
        return Ok(destination.rename(&staged, &target).await?);
    }
    if destination.size(&target).await? == Some(publication.bytes) {
        return Ok(());
    }
    Err(CommitError::Lost { run_id: intent.run_id.clone(), target: publication.target.clone() })
}
