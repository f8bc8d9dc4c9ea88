//! Publish: the steps of a commit after its intent exists. Each can be repeated without harm.

use bytes::Bytes;
use object_store::path::Path;

use crate::schema::RunId;
use crate::store::{Destination, FileMove, PublishError, ReplaceOutcome};
use crate::table::intent::Publication;
use crate::table::{CommitError, Intent, commit_log, json, layout};

/// Applies an intent and closes its commit. Repeating it changes nothing, not even after another run has finished the
/// commit and later commits have happened.
pub(super) async fn roll_forward(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
) -> Result<(), CommitError> {
    if let Err(error) = destination.publish_all(&moves(intent)).await {
        let is_finished = matches!(commit_log::is_open(destination, sequence).await, Ok(false));
        return if is_finished { Ok(()) } else { Err(of_run(&intent.run_id, error)) };
    }
    let removals: Vec<Path> = intent.removals().map(|path| layout::recorded(path)).collect();
    destination.delete_all(&removals).await?;
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

/// The moves of staged files to their targets.
fn moves(intent: &Intent) -> Vec<FileMove> {
    let moves = intent.publish.iter().map(|Publication { staged, target, bytes }| FileMove {
        staged: layout::recorded(staged),
        target: layout::recorded(target),
        bytes: *bytes,
    });
    moves.collect()
}

fn of_run(run_id: &RunId, error: PublishError) -> CommitError {
    match error {
        PublishError::Lost { target, .. } => {
            CommitError::Lost { run_id: run_id.clone(), target: target.to_string() }
        }
        error => CommitError::Publish(error),
    }
}
