//! Repair: mends what can be mended without losing anything. Nothing that holds rows is deleted; what nobody names is moved
//! aside.

use chrono::Utc;

use super::finding::{FindingKind, Sizes, Verification, VerifyDepth, VerifyError};
use super::look::finding_of;
use crate::schema::RunId;
use crate::table::aside::move_aside;
use crate::table::commit_log::{self, CommitRecord, Logged};
use crate::table::lock::{Lock, Owner};
use crate::table::snapshot::SnapshotFile;
use crate::table::{CommitError, TableStore, json, layout};

impl dyn TableStore {
    /// Repairs what can be repaired without losing anything; returns what is left.
    ///
    /// # Errors
    /// The destination fails, or a run holds the lock.
    pub async fn repair(&self, depth: VerifyDepth) -> Result<Verification, VerifyError> {
        let owner = Owner::this_process(&RunId::at(Utc::now()), "flowlake verify --repair");
        let lock = Lock::acquire(self.destination(), owner).await?;
        let repaired = self.repair_locked(depth).await;
        lock.release().await;
        repaired?;
        self.verify(depth).await
    }

    async fn repair_locked(&self, depth: VerifyDepth) -> Result<(), VerifyError> {
        self.restore_snapshot().await?;
        if let Err(error) = self.recover().await {
            // What is damaged is found again, and told.
            finding_of(error)?;
            return Ok(());
        }
        let destination = self.destination();
        destination.remove_temporary_files().await?;
        let findings = self.look(depth).await?.findings;
        let of = |kind| {
            let found = findings.iter().filter(move |finding| finding.kind == kind);
            found.map(|finding| layout::recorded(&finding.subject)).collect::<Vec<_>>()
        };
        move_aside(destination, &of(FindingKind::Orphan), &RunId::at(Utc::now())).await?;
        Ok(destination.delete_all(&of(FindingKind::Temporary)).await?)
    }

    /// Writes the snapshot of the last commit again, if the one that is there is lost, damaged or older.
    async fn restore_snapshot(&self) -> Result<(), VerifyError> {
        let destination = self.destination();
        let current = match self.snapshot_file().await {
            Ok((file, _)) => {
                let next = commit_log::read(destination, file.sequence + 1).await;
                let is_behind = matches!(
                    next,
                    Ok(Logged::Record(CommitRecord::Closed { .. } | CommitRecord::Void))
                );
                if !is_behind {
                    return Ok(());
                }
                Some(file)
            }
            Err(CommitError::SnapshotLost { .. } | CommitError::Unreadable { .. }) => None,
            Err(error) => {
                finding_of(error)?;
                return Ok(());
            }
        };
        let (last, committed) = self.last_commit().await?;
        let Some(committed) = committed else { return Ok(()) };
        let chosen = match current {
            None => Some(committed),
            Some(_) if self.is_whole(&committed).await? => Some(committed),
            Some(current) if self.is_whole(&current).await? => Some(current),
            Some(_) => None,
        };
        if let Some(chosen) = chosen {
            tracing::warn!(commit = chosen.sequence, "writing the snapshot of this commit again");
            // Its numbers are taken, so the next commit gets one after the last.
            let restored = SnapshotFile { sequence: last, ..chosen };
            destination.put(&layout::snapshot(), json::encode(&restored)?).await?;
        }
        Ok(())
    }

    /// The number of the last commit that is over, and the snapshot of the last one that changed something.
    async fn last_commit(&self) -> Result<(u64, Option<SnapshotFile>), VerifyError> {
        let listed = self.destination().list(&layout::commits()).await?;
        let mut last = 0;
        for sequence in listed.iter().rev().filter_map(|file| layout::sequence_of(&file.path)) {
            match commit_log::read(self.destination(), sequence).await {
                Ok(Logged::Record(CommitRecord::Closed { snapshot, .. })) => {
                    return Ok((last.max(sequence), Some(*snapshot)));
                }
                Ok(Logged::Record(CommitRecord::Void)) => last = last.max(sequence),
                _ => {}
            }
        }
        Ok((last, None))
    }

    /// Whether everything that a snapshot names is there.
    async fn is_whole(&self, file: &SnapshotFile) -> Result<bool, VerifyError> {
        let listed = self.destination().list(&object_store::path::Path::default()).await?;
        let sizes: Sizes =
            listed.into_iter().map(|file| (file.path.to_string(), file.bytes)).collect();
        for (table, entry) in &file.tables {
            let Ok(manifest) = self.manifest(table, entry).await else { return Ok(false) };
            if manifest.files.iter().any(|file| sizes.get(&file.path) != Some(&file.bytes)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
