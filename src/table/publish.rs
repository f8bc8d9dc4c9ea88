//! Publish: the steps of a commit after its intent exists. Each can be repeated without harm.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::commit_log::{self, CommitRecord, Logged};
use super::intent::NewManifest;
use super::read::read_snapshot;
use super::table_store::AT_ONCE;
use super::{CommitError, CommitOutcome, Intent, TableStore, delta, json, layout};
use crate::store::{Destination, FileMove, ObjectVersion, PublishError, ReplaceOutcome};

/// Where a commit stands.
enum CommitProgress {
    /// The snapshot is that of the commit before, in this version.
    Ahead(ObjectVersion),
    /// The snapshot is its own.
    Visible,
    /// It is over: finished before later commits, or void.
    Over(CommitOutcome),
}

impl TableStore {
    /// Applies an intent and closes its commit.
    ///
    /// It may be repeated, in whole or from any point, also after another run has finished the commit and later ones.
    /// `before` is the version of the snapshot of the commit before, where that is known.
    pub(super) async fn roll_forward(
        &self,
        sequence: u64,
        intent: &Intent,
        before: Option<ObjectVersion>,
    ) -> Result<CommitOutcome, CommitError> {
        let destination = self.destination();
        let is_first = before.is_some();
        let mut progress = match before {
            Some(seen) => CommitProgress::Ahead(seen),
            None => progress_of(destination, sequence, intent).await?,
        };
        if let CommitProgress::Ahead(_) = progress
            && let Err(error) = publish_all(destination, sequence, intent, is_first).await
        {
            progress = progress_of(destination, sequence, intent).await?;
            if let CommitProgress::Ahead(_) = progress {
                return Err(error);
            }
        }
        let next = json::encode(&intent.snapshot)?;
        while let CommitProgress::Ahead(seen) = progress {
            let replaced =
                destination.replace(&layout::snapshot(destination), next.clone(), seen).await?;
            progress = match replaced {
                ReplaceOutcome::Replaced(_) => CommitProgress::Visible,
                ReplaceOutcome::Conflict => progress_of(destination, sequence, intent).await?,
            };
        }
        if let CommitProgress::Over(outcome) = progress {
            return Ok(outcome);
        }
        // The originals with the replaced files: S3 removes a thousand by one request.
        let moves: Vec<FileMove> = intent.publish.iter().map(FileMove::from).collect();
        let replaced = intent.gone_with_the_commit().map(|path| layout::recorded(path));
        let gone: Vec<Path> = replaced.chain(destination.originals(&moves).cloned()).collect();
        destination.delete_all(&gone).await?;
        let snapshot = Box::new(intent.snapshot.clone());
        let closed = CommitRecord::Closed { run_id: intent.run_id.clone(), snapshot };
        commit_log::end(destination, sequence, &closed).await?;
        Ok(CommitOutcome::Committed)
    }
}

async fn progress_of(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
) -> Result<CommitProgress, CommitError> {
    let (file, seen) = read_snapshot(destination).await?;
    if file.sequence < sequence {
        return Ok(CommitProgress::Ahead(seen));
    }
    if file.sequence == sequence && file.run_id.as_ref() == Some(&intent.run_id) {
        return Ok(CommitProgress::Visible);
    }
    let is_finished = matches!(
        commit_log::read(destination, sequence).await?,
        Logged::Record(CommitRecord::Closed { .. })
    );
    let outcome = if is_finished { CommitOutcome::Committed } else { CommitOutcome::Conflict };
    Ok(CommitProgress::Over(outcome))
}

/// Moves the staged files to their targets, writes the manifests, and then adds the commit to the logs of the tables, where
/// they have any. At first, the commit has just looked into the directories of the tables.
async fn publish_all(
    destination: &Destination,
    sequence: u64,
    intent: &Intent,
    is_first: bool,
) -> Result<(), CommitError> {
    let mut moves: Vec<FileMove> = intent.publish.iter().map(FileMove::from).collect();
    for file in moves.iter_mut().filter(|file| layout::is_data_file(&file.target)) {
        file.is_free = is_first;
    }
    match destination.put_in_place(&moves).await {
        // Once readers of one log see the commit, those of the others have to; `verify` tells what was lost since.
        Err(PublishError::Lost { .. } | PublishError::Taken { .. })
            if !is_first && delta::is_begun(destination, sequence, intent).await? => {}
        published => published?,
    }
    let writes = intent.manifests.iter().map(async |NewManifest { path, content, .. }| {
        destination.put(&layout::recorded(path), content.0.clone()).await.map(drop)
    });
    let writes: Vec<_> = writes.collect();
    stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    delta::publish(destination, sequence, intent, is_first).await
}
