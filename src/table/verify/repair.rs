//! Repair: mends what can be mended without losing anything. Nothing that holds rows is deleted; what nobody names is moved
//! aside.

use chrono::Utc;

use super::finding::{
    Finding, FindingKind, Sizes, Verification, VerifyDepth, VerifyError, finding_of,
};
use crate::schema::{RunId, TableFormat};
use crate::table::aside::move_aside;
use crate::table::commit_log::{self, CommitRecord, Logged};
use crate::table::lock::{Lock, Owner};
use crate::table::recovery::{last_manifest, skip_number};
use crate::table::snapshot::SnapshotFile;
use crate::table::{CommitError, TableStore, json, layout};

/// The end of the commit log.
#[derive(Debug, Default)]
struct LastCommits {
    /// The number of the last commit that is over.
    last: u64,
    /// The snapshot of the last one that changed something.
    committed: Option<SnapshotFile>,
    /// Whether a later one is open.
    is_open: bool,
    /// Whether there was a later one whose record is lost or damaged.
    has_unknown: bool,
}

impl TableStore {
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
            let is_over = self.void_damaged(&error).await? && self.recover().await.is_ok();
            if !is_over {
                // What is damaged is found again, and told.
                finding_of(self.destination(), error)?;
                return Ok(());
            }
        }
        let destination = self.destination();
        destination.remove_temporary_files().await?;
        let findings = self.look(depth).await?.findings;
        let of = |kind| {
            let found = findings.iter().filter(move |finding| finding.kind == kind);
            found.map(|finding| layout::recorded(&finding.subject)).collect::<Vec<_>>()
        };
        // Where files are missing, the others may be what is left of the rows, as after half a restore.
        let is_half = |it: &Finding| it.kind.is_damage() && !it.is_of_quarantine();
        if !findings.iter().any(is_half) {
            move_aside(destination, &of(FindingKind::Orphan), &RunId::at(Utc::now())).await?;
        }
        Ok(destination.delete_all(&of(FindingKind::Temporary)).await?)
    }

    /// Voids the commit after the snapshot if its record is damaged and the tables are whole without it. Its files are
    /// moved aside, since nothing names them.
    async fn void_damaged(&self, error: &CommitError) -> Result<bool, VerifyError> {
        let Ok(snapshot) = self.committed().await else { return Ok(false) };
        let path = layout::commit(self.destination(), snapshot.next_sequence());
        let is_damaged = match error {
            CommitError::Unreadable { path: damaged, .. } => *damaged == path,
            CommitError::SnapshotBehind { .. } => matches!(
                commit_log::read(self.destination(), snapshot.next_sequence()).await?,
                Logged::Blank
            ),
            _ => false,
        };
        if !is_damaged || !self.is_whole(&snapshot.file).await? {
            return Ok(false);
        }
        tracing::warn!(%path, "voiding a commit whose record is damaged; no table has changed");
        let now = RunId::at(Utc::now());
        move_aside(self.destination(), std::slice::from_ref(&path), &now).await?;
        if !skip_number(self.destination(), &snapshot).await? {
            return Ok(false);
        }
        let void = CommitRecord::Void;
        commit_log::end(self.destination(), snapshot.next_sequence(), &void).await?;
        Ok(true)
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
                finding_of(self.destination(), error)?;
                return Ok(());
            }
        };
        let log = self.last_commits().await?;
        let Some(committed) = log.committed.filter(|_| !log.has_unknown) else { return Ok(()) };
        // The commit that is open brings the files that are not there.
        let chosen = if log.is_open || self.is_whole(&committed).await? {
            Some(committed)
        } else {
            match current {
                Some(current) if self.is_whole(&current).await? => Some(current),
                _ => None,
            }
        };
        // The logs of tables do not go back.
        let chosen = chosen
            .filter(|chosen| chosen.format == TableFormat::Parquet || chosen.sequence == log.last);
        if let Some(chosen) = chosen {
            tracing::warn!(commit = chosen.sequence, "writing the snapshot of this commit again");
            // Its numbers are taken, so the next commit gets one after the last.
            let restored = SnapshotFile { sequence: log.last, ..chosen };
            destination.put(&layout::snapshot(destination), json::encode(&restored)?).await?;
        }
        Ok(())
    }

    /// What the commit records tell, from the last one back to one that changed something.
    async fn last_commits(&self) -> Result<LastCommits, VerifyError> {
        let destination = self.destination();
        let listed = destination.list(&layout::commits(destination)).await?;
        let mut log = LastCommits::default();
        let mut highest = 0;
        for sequence in listed.iter().rev().filter_map(|file| layout::sequence_of(&file.path)) {
            highest = highest.max(sequence);
            match commit_log::read(destination, sequence).await {
                Ok(Logged::Record(CommitRecord::Closed { snapshot, .. })) => {
                    log.last = log.last.max(sequence);
                    log.committed = Some(*snapshot);
                    break;
                }
                Ok(Logged::Record(CommitRecord::Void)) => log.last = log.last.max(sequence),
                Ok(Logged::Record(CommitRecord::Open(_))) => log.is_open = true,
                Ok(Logged::Absent | Logged::Blank) | Err(_) => log.has_unknown = true,
            }
        }
        // A manifest without the record of its commit is of one that is lost.
        log.has_unknown |= last_manifest(destination).await? > highest;
        Ok(log)
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
