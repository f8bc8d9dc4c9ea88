//! Commit: makes a run's files and manifests visible, all or nothing.
//!
//! ```text
//! staged files ─▶ intent ─▶ publish files, manifests ─▶ snapshot.json ─▶ remove replaced files ─▶ intent closed
//!                   │                                       │
//!                   │                                       └─ the moment for everyone who reads by the snapshot
//!                   └─ from here on the next run finishes the commit, or voids it if a staged file is gone
//! ```
//!
//! The intent is created only if its sequence number is free, and the snapshot is replaced only if it is still the one
//! before; this fences off a second writer. Every step after the intent can be repeated, so recovery repeats them.

use std::collections::HashMap;

use super::commit_log::{self, CommitRecord};
use super::{Changes, CommitError, CommitOutcome, Intent, Snapshot, TableStore, layout};
use crate::store::Destination;

impl dyn TableStore {
    /// Commits changes to the tables of a snapshot.
    ///
    /// # Errors
    /// Something that the commit needs is not as it should be, in which case nothing has changed; or the destination
    /// fails, in which case the next run finishes this commit if its intent was created.
    pub async fn commit(
        &self,
        snapshot: &Snapshot,
        changes: Changes,
    ) -> Result<CommitOutcome, CommitError> {
        let destination = self.destination();
        let intent = Intent::after(snapshot, changes)?;
        // Everything in an intent has to be possible once it exists.
        for target in intent.targets() {
            destination.check_name(&target)?;
        }
        refuse_unknown_files(destination, snapshot, &intent).await?;
        destination.refuse_links(intent.targets()).await?;
        let staged: Vec<_> = intent.publish.iter().map(|it| layout::recorded(&it.staged)).collect();
        destination.sync_names(&staged).await?;
        refuse_lost_staging(destination, &intent).await?;
        let sequence = snapshot.next_sequence();
        let record = CommitRecord::Open(Box::new(intent));
        if !commit_log::open(destination, sequence, &record).await? {
            return Ok(CommitOutcome::Conflict);
        }
        match &record {
            CommitRecord::Open(intent) => {
                self.roll_forward(sequence, intent, Some(snapshot.seen.clone())).await
            }
            CommitRecord::Closed { .. } | CommitRecord::Void => Ok(CommitOutcome::Conflict),
        }
    }
}

/// Refuses to begin a table in a directory that has files of one: they are of a table that was lost, or of another
/// destination, and readers would take both for one.
async fn refuse_unknown_files(
    destination: &Destination,
    snapshot: &Snapshot,
    intent: &Intent,
) -> Result<(), CommitError> {
    let tables = intent.snapshot.tables.keys();
    for table in tables.filter(|table| !snapshot.file.tables.contains_key(*table)) {
        let listed = destination.list(&layout::table_directory(table)).await?;
        let data: Vec<_> = listed.iter().filter(|file| layout::is_data_file(&file.path)).collect();
        if let Some(first) = data.first() {
            let (table, files, first) = (table.clone(), data.len(), first.path.to_string());
            return Err(CommitError::UnknownFiles { table, files, first });
        }
    }
    Ok(())
}

/// Looks at the staged files once more: a run that slept for long may have lost them to a clean-up.
async fn refuse_lost_staging(
    destination: &Destination,
    intent: &Intent,
) -> Result<(), CommitError> {
    if intent.publish.is_empty() {
        return Ok(());
    }
    let listed = destination.list(&Destination::staging(&intent.run_id)).await?;
    let sizes: HashMap<String, u64> =
        listed.into_iter().map(|file| (file.path.to_string(), file.bytes)).collect();
    let lost = intent.publish.iter().find(|it| sizes.get(&it.staged) != Some(&it.bytes));
    lost.map_or(Ok(()), |lost| Err(CommitError::StagingLost { target: lost.target.clone() }))
}
