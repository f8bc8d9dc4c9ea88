//! Commit: makes a run's files, manifests and state visible, all or nothing.
//!
//! ```text
//! staged files ─▶ intent ─▶ publish ─▶ remove ─▶ manifests ─▶ state ─▶ intent closed
//!                   │
//!                   └─ from here on the run has happened: the next run finishes it
//! ```
//!
//! The intent is created only if its sequence number is free; this fences off a second writer. Every step after it can be
//! repeated, so recovery repeats them all.

use super::commit_log::{self, CommitRecord};
use super::{CommitError, Intent, Snapshot, TableStore};

/// The result of a commit.
#[must_use = "a conflict means that nothing was committed"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The commit is visible.
    Committed,
    /// Another run committed after the snapshot was read. Nothing has changed.
    Conflict,
}

impl dyn TableStore {
    /// Commits changes to the tables of a snapshot.
    ///
    /// # Errors
    /// A file name is too long, in which case nothing has changed; or the destination fails, in which case the next run
    /// finishes this commit if its intent was created.
    pub async fn commit(
        &self,
        snapshot: &Snapshot,
        intent: Intent,
    ) -> Result<CommitOutcome, CommitError> {
        // Everything in an intent has to be possible once it exists.
        for target in intent.targets() {
            self.destination().check_name(&target)?;
        }
        self.destination().refuse_links(intent.targets()).await?;
        self.destination().sync_names(&intent.staged()).await?;
        let sequence = snapshot.next_sequence;
        let record = CommitRecord::Open(intent);
        if !commit_log::open(self.destination(), sequence, &record).await? {
            return Ok(CommitOutcome::Conflict);
        }
        if let CommitRecord::Open(intent) = &record {
            self.roll_forward(sequence, intent).await?;
        }
        Ok(CommitOutcome::Committed)
    }
}
