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

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::commit_log;
use super::table_store::AT_ONCE;
use super::{
    Changes, CommitError, CommitOutcome, DataFile, Intent, Manifest, Snapshot, TableStore, delta,
    layout,
};
use crate::schema::{TableFormat, TableName};
use crate::store::Destination;

impl TableStore {
    /// Commits changes to the tables of a snapshot. Its manifests, and those of the changes, are gone once the commit is
    /// open: the record has them as text.
    ///
    /// # Errors
    /// Something that the commit needs is not as it should be, in which case nothing has changed; or the destination
    /// fails, in which case the next run finishes this commit if its intent was created.
    pub async fn commit(
        &self,
        snapshot: Snapshot,
        changes: Changes,
    ) -> Result<CommitOutcome, CommitError> {
        let destination = self.destination();
        let new: HashSet<&str> = changes.publish.iter().map(|it| it.target.as_str()).collect();
        let others = changes.manifests.iter().filter(|it| snapshot.has_other_files(it));
        let tables: Vec<_> = others.map(|manifest| FilesOfTable::of(manifest, &new)).collect();
        let format = changes.format.unwrap_or(snapshot.file.format);
        let logs = match format {
            TableFormat::Delta if destination.is_shared() => {
                let Changes { run_id, manifests, .. } = &changes;
                delta::shared_positions(destination, &snapshot, run_id, manifests)
                    .await
                    .map_err(|error| CommitError::Unbegun(Box::new(error)))?
            }
            TableFormat::Delta => delta::positions(destination, &snapshot, &changes.manifests)
                .await
                .map_err(|error| CommitError::Unbegun(Box::new(error)))?,
            TableFormat::Parquet => BTreeMap::new(),
        };
        let intent = Intent::after(destination, &snapshot, changes, logs)?;
        // Everything in an intent has to be possible once it exists.
        for target in intent.targets() {
            destination.check_name(&target)?;
        }
        let looks = tables.iter().map(|table| table.refuse_others(destination, &snapshot, format));
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffered(AT_ONCE).try_collect::<()>().await?;
        drop(tables);
        destination.refuse_links(intent.targets()).await?;
        let staged: Vec<_> = intent.publish.iter().map(|it| layout::recorded(&it.staged)).collect();
        destination.sync_names(&staged).await?;
        refuse_lost_staging(destination, &intent).await?;
        let sequence = snapshot.next_sequence();
        let Snapshot { seen, manifests, .. } = snapshot;
        drop(manifests);
        match commit_log::open(destination, sequence, intent).await? {
            Some(intent) => self.roll_forward(sequence, &intent, Some(seen)).await,
            None => Ok(CommitOutcome::Conflict),
        }
    }
}

/// The data files of a table that changes.
struct FilesOfTable {
    table: TableName,
    directory: Path,
    /// Those that it keeps.
    kept: HashSet<String>,
    /// Those that it gets.
    new: HashSet<String>,
}

impl FilesOfTable {
    fn of(manifest: &Manifest, published: &HashSet<&str>) -> Self {
        let files = manifest.files.iter().map(|file| file.path.clone());
        let (new, kept) = files.partition(|path| published.contains(path.as_str()));
        let directory = layout::data_directory(&manifest.schema);
        Self { table: manifest.schema.name.clone(), directory, kept, new }
    }

    /// Refuses a table whose directory does not hold what the snapshot says. Files that it does not know are of a table
    /// that was lost, of a later commit, or of another destination, and readers would take both for one.
    async fn refuse_others(
        &self,
        destination: &Destination,
        snapshot: &Snapshot,
        format: TableFormat,
    ) -> Result<(), CommitError> {
        let table = self.table.clone();
        let before = snapshot.manifests.get(&table).map_or(&[][..], |manifest| &manifest.files);
        let listed = destination.list(&self.directory).await?;
        let there: HashMap<&str, u64> =
            listed.iter().map(|file| (file.path.as_ref(), file.bytes)).collect();
        let is_lost = |file: &&Arc<DataFile>| there.get(file.path.as_str()) != Some(&file.bytes);
        let lost: Vec<&Arc<DataFile>> = before.iter().filter(is_lost).collect();
        let needed = |file: &&&Arc<DataFile>| self.kept.contains(&file.path);
        if let Some(first) = lost.iter().find(needed) {
            let (files, first) = (lost.len(), first.path.clone());
            return Err(CommitError::LostFiles { table, files, first });
        }
        let known = before.iter().map(|file| &file.path).chain(&self.kept);
        let known: HashSet<&str> = known.map(String::as_str).collect();
        let mut unknown: Vec<&Path> = listed.iter().map(|file| &file.path).collect();
        unknown.retain(|path| !known.contains(path.as_ref()) && layout::is_data_file(path));
        let is_new = !snapshot.file.tables.contains_key(&table);
        // A commit that replaces what is lost, or makes a lost manifest again, makes the table whole. What else is there
        // is told by `verify`.
        let is_mended = !lost.is_empty() || (!is_new && !snapshot.manifests.contains_key(&table));
        // Readers of a log do not look into directories, and replaced files stay there for a while.
        if is_mended || format == TableFormat::Delta {
            unknown.retain(|path| self.new.contains(path.as_ref()));
        }
        match unknown.first() {
            None => Ok(()),
            Some(first) => {
                let (files, first) = (unknown.len(), first.to_string());
                Err(CommitError::UnknownFiles { table, is_new, files, first })
            }
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
    let listed = destination.list(&destination.staging(&intent.run_id)).await?;
    let sizes: HashMap<String, u64> =
        listed.into_iter().map(|file| (file.path.to_string(), file.bytes)).collect();
    let lost = intent.publish.iter().find(|it| sizes.get(&it.staged) != Some(&it.bytes));
    lost.map_or(Ok(()), |lost| Err(CommitError::StagingLost { target: lost.target.clone() }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use serde_json::json;

    use super::*;

    fn manifest(files: &[&str]) -> Manifest {
        let file = |path: &&str| json!({ "path": path, "partition": "", "rows": 1, "bytes": 1, "blake3": "", "statistics": {} });
        let files: Vec<_> = files.iter().map(file).collect();
        let schema = json!({ "name": "t", "root": "t", "columns": [] });
        let manifest = json!({ "version": Manifest::VERSION, "run_id": "r", "schema": schema,
            "received": 0, "files": files, "quarantine": [], "exports": [] });
        serde_json::from_value(manifest).unwrap()
    }

    /// What becomes of a commit after which `t` has files, of which it publishes some.
    async fn looked_at(
        there: &[&str],
        before: Option<&[&str]>,
        (after, published): (&[&str], &[&str]),
    ) -> &'static str {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        for file in there {
            destination.put(&Path::from(*file), "x".into()).await.unwrap();
        }
        let mut snapshot = Snapshot::default();
        let changes = Changes {
            manifests: vec![manifest(&["t/0000-a.parquet"])],
            ..Changes::nothing("r".parse().unwrap(), chrono::Utc::now())
        };
        // The table is known, also where its manifest is lost.
        snapshot.file =
            Intent::after(&destination, &snapshot, changes, BTreeMap::new()).unwrap().snapshot;
        snapshot.insert(before.map(manifest));
        let published = published.iter().copied().collect();
        let table = FilesOfTable::of(&manifest(after), &published);
        match table.refuse_others(&destination, &snapshot, TableFormat::Parquet).await {
            Ok(()) => "fine",
            Err(CommitError::LostFiles { .. }) => "lost",
            Err(CommitError::UnknownFiles { is_new: false, .. }) => "unknown",
            Err(_) => "failed",
        }
    }

    #[tokio::test]
    async fn p11_a_table_is_changed_only_where_its_directory_holds_what_the_snapshot_says() {
        let [a, b, c] = ["t/0000-a.parquet", "t/0000-b.parquet", "t/0000-c.parquet"];
        for (there, before, after, published, expected) in [
            (&[a][..], Some(&[a][..]), &[a, b][..], &[b][..], "fine"),
            (&[a], Some(&[a]), &[b], &[b], "fine"),
            (&[a, "t/notes.txt", "t/export.parquet"], Some(&[a]), &[a, b], &[b], "fine"),
            (&[a, c], Some(&[a]), &[a, b], &[b], "unknown"),
            (&[a, b], Some(&[a]), &[a, b], &[b], "unknown"),
            (&[], Some(&[a]), &[a, b], &[b], "lost"),
            // A commit that replaces what is lost makes the table whole, but writes over nothing.
            (&[c], Some(&[a]), &[b], &[b], "fine"),
            (&[b], Some(&[a]), &[b], &[b], "unknown"),
            // A manifest is made again, beside a file whose removal was interrupted.
            (&[a, c], None, &[a], &[], "fine"),
        ] {
            let found = looked_at(there, before, (after, published)).await;
            assert_eq!(found, expected, "{there:?} {before:?} {after:?}");
        }
    }
}
