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

use std::collections::{HashMap, HashSet};

use object_store::path::Path;

use super::commit_log::{self, CommitRecord};
use super::{
    Changes, CommitError, CommitOutcome, DataFile, Intent, Manifest, Snapshot, TableStore, layout,
};
use crate::schema::TableName;
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
        let new: HashSet<&str> = changes.publish.iter().map(|it| it.target.as_str()).collect();
        let tables = changes.manifests.iter().map(|manifest| FilesOfTable::kept(manifest, &new));
        let tables: Vec<_> = tables.collect();
        let intent = Intent::after(snapshot, changes)?;
        // Everything in an intent has to be possible once it exists.
        for target in intent.targets() {
            destination.check_name(&target)?;
        }
        for table in &tables {
            table.refuse_others(destination, snapshot).await?;
        }
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

/// The data files of a table that stay in it when it changes.
struct FilesOfTable {
    table: TableName,
    paths: HashSet<String>,
}

impl FilesOfTable {
    fn kept(manifest: &Manifest, new: &HashSet<&str>) -> Self {
        let files = manifest.files.iter().map(|file| &file.path);
        let paths = files.filter(|path| !new.contains(path.as_str())).cloned().collect();
        Self { table: manifest.schema.name.clone(), paths }
    }

    /// Refuses a table whose directory does not hold what the snapshot says. Files that it does not know are of a table
    /// that was lost, of a later commit, or of another destination, and readers would take both for one.
    async fn refuse_others(
        &self,
        destination: &Destination,
        snapshot: &Snapshot,
    ) -> Result<(), CommitError> {
        let table = self.table.clone();
        let before = snapshot.manifests.get(&table).map_or(&[][..], |manifest| &manifest.files);
        let listed = destination.list(&layout::table_directory(&table)).await?;
        let there: HashMap<&str, u64> =
            listed.iter().map(|file| (file.path.as_ref(), file.bytes)).collect();
        let is_lost = |file: &&DataFile| there.get(file.path.as_str()) != Some(&file.bytes);
        let lost: Vec<&DataFile> = before.iter().filter(is_lost).collect();
        let needed = |file: &&&DataFile| self.paths.contains(&file.path);
        if let Some(first) = lost.iter().find(needed) {
            let (files, first) = (lost.len(), first.path.clone());
            return Err(CommitError::LostFiles { table, files, first });
        }
        let known = before.iter().map(|file| &file.path).chain(&self.paths);
        let known: HashSet<&str> = known.map(String::as_str).collect();
        let mut unknown: Vec<&Path> = listed.iter().map(|file| &file.path).collect();
        unknown.retain(|path| !known.contains(path.as_ref()) && layout::is_data_file(path));
        match unknown.first() {
            // A commit that replaces what is lost makes the table whole. What else is there is told by `verify`.
            Some(first) if lost.is_empty() => {
                let (files, first) = (unknown.len(), first.to_string());
                let is_new = !snapshot.file.tables.contains_key(&table);
                Err(CommitError::UnknownFiles { table, is_new, files, first })
            }
            _ => Ok(()),
        }
    }
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
