//! Recovery: ends the commit of an interrupted run before a run reads the tables, and tells what it would find.
//!
//! It looks at two commit records, that of the snapshot and the one after it, whatever the number of commits. What it does
//! with each stands in the table of [`commit_log`].

use std::collections::{HashMap, HashSet};

use object_store::path::Path;

use super::aside::move_aside;
use super::commit_log::{self, CommitRecord, Logged};
use super::intent::{Intent, Publication};
use super::lock;
use super::own_file::OwnFile;
use super::snapshot::SnapshotFile;
use super::{Agreement, CommitError, Manifest, Snapshot, TableStore, delta, json, layout};
use crate::schema::RunId;
use crate::store::{Destination, PublishError, ReplaceOutcome};

impl TableStore {
    /// Ends an open commit and reads the snapshot.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is missing or damaged.
    pub async fn recover(&self) -> Result<Snapshot, CommitError> {
        let destination = self.destination();
        let mut snapshot = self.committed().await?;
        if snapshot.sequence() > 0 {
            self.end_last(&snapshot).await?;
        }
        loop {
            let sequence = snapshot.next_sequence();
            match commit_log::read(destination, sequence).await? {
                Logged::Absent => return Ok(snapshot),
                Logged::Blank => {
                    // A commit whose intent never reached the disk has written no manifest.
                    if last_manifest(destination).await? >= sequence {
                        let (snapshot, commit) = (snapshot.sequence(), sequence);
                        return Err(CommitError::SnapshotBehind { snapshot, commit });
                    }
                    tracing::warn!(
                        sequence,
                        "voiding the blank commit of an interrupted run; it had changed nothing"
                    );
                    if skip_number(destination, &snapshot).await? {
                        commit_log::end(destination, sequence, &CommitRecord::Void).await?;
                    }
                }
                Logged::Record(CommitRecord::Open(intent)) => {
                    self.end_open(&snapshot, &intent).await?;
                }
                Logged::Record(CommitRecord::Closed { .. } | CommitRecord::Void) => {
                    return Err(CommitError::SnapshotBehind {
                        snapshot: snapshot.sequence(),
                        commit: sequence,
                    });
                }
            }
            snapshot = self.committed().await?;
        }
    }

    /// Ends the record of the snapshot's own number: removes what the commit replaces, or withdraws what a void one has
    /// published, if either was interrupted.
    async fn end_last(&self, snapshot: &Snapshot) -> Result<(), CommitError> {
        let sequence = snapshot.sequence();
        match commit_log::read(self.destination(), sequence).await {
            Ok(Logged::Record(CommitRecord::Open(intent))) => {
                if snapshot.file.run_id.as_ref() == Some(&intent.run_id) {
                    tracing::warn!(run = %intent.run_id, "finishing the commit of an interrupted run");
                    let _ = self.roll_forward(sequence, &intent, None).await?;
                } else {
                    self.end_void(sequence, snapshot, &intent).await?;
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(CommitError::Unreadable { path, source }) => {
                tracing::warn!(%path, %source, "a commit record is damaged; its commit is over, so nothing depends on it");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Finishes a commit whose snapshot is not there yet, or voids it if that is impossible.
    async fn end_open(&self, snapshot: &Snapshot, intent: &Intent) -> Result<(), CommitError> {
        tracing::warn!(run = %intent.run_id, "finishing the commit of an interrupted run");
        let sequence = snapshot.next_sequence();
        let lost = match self.lost_file(intent).await? {
            Some(lost) if !delta::is_begun(self.destination(), sequence, intent).await? => lost,
            _ => match self.roll_forward(sequence, intent, None).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Publish(
                    PublishError::Lost { target, .. } | PublishError::Taken { target, .. },
                )) => target,
                Err(error) => return Err(error),
            },
        };
        tracing::warn!(
            run = %intent.run_id, file = %lost,
            "the commit cannot be finished, and nothing of it is in a table: voiding it"
        );
        // The snapshot first: a run that still rolls this commit forward cannot replace it any more. If it was faster,
        // its files are live.
        if skip_number(self.destination(), snapshot).await? {
            self.end_void(snapshot.next_sequence(), snapshot, intent).await?;
        }
        Ok(())
    }

    /// A file of an intent that is gone, or is not the one that was written. To publish it would remove the sound files
    /// that it replaces.
    async fn lost_file(&self, intent: &Intent) -> Result<Option<Path>, CommitError> {
        let mut hashes: HashMap<String, String> = HashMap::new();
        for manifest in &intent.manifests {
            let path = layout::recorded(&manifest.path);
            let Manifest { files, quarantine, .. } =
                json::decode(&path, manifest.content.0.clone())?;
            hashes.extend(files.iter().map(|file| (file.path.clone(), file.blake3.clone())));
            hashes.extend(quarantine.into_iter().map(|file| (file.path, file.blake3)));
        }
        for Publication { staged, target, bytes } in &intent.publish {
            let target_path = layout::recorded(target);
            let content = match self.destination().get(&layout::recorded(staged)).await? {
                Some(content) => Some(content),
                None => self.destination().get(&target_path).await?,
            };
            let is_whole = content.is_some_and(|content| {
                let hash = blake3::hash(&content).to_hex();
                content.len() as u64 == *bytes
                    && hashes.get(target).is_none_or(|expected| expected == hash.as_str())
            });
            if !is_whole {
                return Ok(Some(target_path));
            }
        }
        Ok(None)
    }

    /// Ends a commit that no snapshot names: moves what it has published out of the readers' way, then voids its record.
    async fn end_void(
        &self,
        sequence: u64,
        snapshot: &Snapshot,
        intent: &Intent,
    ) -> Result<(), CommitError> {
        let live = snapshot.manifests.values().flat_map(|manifest| &manifest.files);
        let live: HashSet<&String> = live.map(|file| &file.path).collect();
        let mut published = Vec::new();
        for Publication { target, bytes, .. } in &intent.publish {
            if live.contains(target) {
                continue;
            }
            let target = layout::recorded(target);
            if self.destination().size(&target).await? == Some(*bytes) {
                published.push(target);
            }
        }
        move_aside(self.destination(), &published, &intent.run_id).await?;
        commit_log::end(self.destination(), sequence, &CommitRecord::Void).await
    }

    /// Reads the snapshot that the next run will start from, and changes nothing. An open commit counts as finished, since
    /// the next run finishes it.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is missing or damaged.
    pub async fn snapshot(&self) -> Result<Snapshot, CommitError> {
        let mut snapshot = self.committed().await?;
        if let Some(intent) = self.open_after(&snapshot).await? {
            for manifest in &intent.manifests {
                let path = layout::recorded(&manifest.path);
                snapshot.insert([json::decode::<Manifest>(&path, manifest.content.0.clone())?]);
            }
            snapshot.file = intent.snapshot;
        }
        Ok(snapshot)
    }

    /// The same with what the pipelines agree on that share the tables.
    ///
    /// # Errors
    /// The destination holds tables that are not shared, it fails, or one of flowlake's own files is missing or damaged.
    pub async fn snapshot_and_agreement(&self) -> Result<Snapshot, CommitError> {
        let agreement = Agreement::of(self.destination()).await?;
        Ok(Snapshot { agreement, ..self.snapshot().await? })
    }

    /// The same without the manifests: which tables there are, of which pipelines, and how far they are loaded.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is missing or damaged.
    pub async fn snapshot_without_manifests(&self) -> Result<Snapshot, CommitError> {
        let (file, seen) = self.snapshot_file().await?;
        let mut snapshot = Snapshot { file, seen, ..Snapshot::default() };
        if let Some(intent) = self.open_after(&snapshot).await? {
            snapshot.file = intent.snapshot;
        }
        Ok(snapshot)
    }

    async fn open_after(&self, snapshot: &Snapshot) -> Result<Option<Box<Intent>>, CommitError> {
        let logged = commit_log::read(self.destination(), snapshot.next_sequence()).await?;
        match logged {
            Logged::Record(CommitRecord::Open(intent)) => Ok(Some(intent)),
            _ => Ok(None),
        }
    }

    /// The run whose commit is open.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is missing or damaged.
    pub async fn open_commit(&self) -> Result<Option<RunId>, CommitError> {
        let snapshot = self.committed().await?;
        if let Some(intent) = self.open_after(&snapshot).await? {
            return Ok(Some(intent.run_id));
        }
        let last = match snapshot.sequence() {
            0 => Logged::Absent,
            // A damaged record of a commit that is visible stops nobody.
            sequence => match commit_log::read(self.destination(), sequence).await {
                Err(CommitError::Unreadable { .. }) => Logged::Absent,
                read => read?,
            },
        };
        match last {
            Logged::Record(CommitRecord::Open(intent)) => Ok(Some(intent.run_id)),
            _ => Ok(None),
        }
    }

    /// The run whose commit is open while nobody is at work: it was killed. Where nobody may look at the lock, somebody may
    /// be at work.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is missing or damaged.
    pub async fn unfinished_commit(&self) -> Result<Option<RunId>, CommitError> {
        let Some(open) = self.open_commit().await? else { return Ok(None) };
        let holder = lock::holder(self.destination()).await;
        if !holder.is_ok_and(|holder| holder.is_none_or(|it| it.is_gone())) {
            return Ok(None);
        }
        // Its run may have ended between the two looks.
        Ok(self.open_commit().await?.filter(|still| *still == open))
    }
}

/// The highest number of a manifest; 0 without any.
pub(super) async fn last_manifest(destination: &Destination) -> Result<u64, CommitError> {
    let listed = destination.list(&layout::manifests(destination)).await?.into_iter();
    let manifests = listed.filter(|it| OwnFile::of(it.path.as_ref()) == Some(OwnFile::Manifest));
    Ok(manifests.filter_map(|it| layout::sequence_of(&it.path)).max().unwrap_or(0))
}

/// Gives the tables of a snapshot the number of the commit after it, so that nobody can commit under that number any more.
/// Returns whether the snapshot was still that one.
pub(super) async fn skip_number(
    destination: &Destination,
    snapshot: &Snapshot,
) -> Result<bool, CommitError> {
    let sequence = snapshot.next_sequence();
    let next = SnapshotFile { sequence, ..snapshot.file.clone() };
    let content = json::encode(&next)?;
    let replaced =
        destination.replace(&layout::snapshot(destination), content, snapshot.seen.clone()).await?;
    Ok(replaced != ReplaceOutcome::Conflict)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::store::FileMove;
    use crate::table::{Changes, CommitOutcome, open};

    /// A destination with a staged file, and the changes that publish it and delete an older file.
    struct Bench {
        destination: Destination,
        staged: Path,
        target: Path,
        old: Path,
    }

    async fn bench() -> Bench {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let target = Path::from("t/0000-run.parquet");
        let old = Path::from("t/0000-old.parquet");
        let staged = destination.staged(&"run".parse().unwrap(), &target);
        destination.put(&staged, "new".into()).await.unwrap();
        destination.put(&old, "old".into()).await.unwrap();
        Bench { destination, staged, target, old }
    }

    impl Bench {
        fn changes(&self, run_id: &str) -> Changes {
            Changes {
                publish: vec![Publication::new(&self.staged, &self.target, 3)],
                remove: vec![self.old.to_string()],
                ..Changes::nothing(run_id.parse().unwrap(), DateTime::UNIX_EPOCH)
            }
        }

        fn intent(&self) -> Box<Intent> {
            let logs = std::collections::BTreeMap::new();
            Box::new(
                Intent::after(&self.destination, &Snapshot::default(), self.changes("run"), logs)
                    .unwrap(),
            )
        }

        async fn log(&self, sequence: u64, record: &CommitRecord) {
            commit_log::end(&self.destination, sequence, record).await.unwrap();
        }

        async fn open(&self) -> Box<Intent> {
            let intent = self.intent();
            self.log(1, &CommitRecord::Open(intent.clone())).await;
            intent
        }

        async fn publish(&self) {
            let (staged, target) = (self.staged.clone(), self.target.clone());
            let moved = FileMove::new(staged, target, 3);
            self.destination.publish_all(&[moved]).await.unwrap();
        }

        async fn recover(&self) -> Result<Snapshot, CommitError> {
            open(&self.destination).recover().await
        }

        async fn status(&self, sequence: u64) -> String {
            let record = self
                .destination
                .get(&layout::commit(&self.destination, sequence))
                .await
                .unwrap()
                .unwrap();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
            record["status"].as_str().unwrap().to_owned()
        }

        async fn files(&self) -> [Option<u64>; 3] {
            let mut sizes = [None; 3];
            for (size, path) in sizes.iter_mut().zip([&self.staged, &self.target, &self.old]) {
                *size = self.destination.size(path).await.unwrap();
            }
            sizes
        }
    }

    #[tokio::test]
    async fn p2_an_open_commit_is_finished_from_any_point() {
        for done in 0..4 {
            let bench = bench().await;
            let intent = bench.open().await;
            if done > 0 {
                bench.publish().await;
            }
            if done > 1 {
                let snapshot = json::encode(&intent.snapshot).unwrap();
                bench
                    .destination
                    .put(&layout::snapshot(&bench.destination), snapshot)
                    .await
                    .unwrap();
            }
            if done > 2 {
                bench.destination.delete(&bench.old).await.unwrap();
            }
            let snapshot = bench.recover().await.unwrap();
            assert_eq!(bench.files().await, [None, Some(3), None], "{done} steps were done");
            assert_eq!(bench.status(1).await, "closed");
            assert_eq!(snapshot.file, intent.snapshot);
            assert_eq!(snapshot.next_sequence(), 2);
            assert_eq!(snapshot.file.run_id.as_ref(), Some(&intent.run_id));
        }
    }

    #[tokio::test]
    async fn a_blank_record_after_the_snapshot_is_voided_and_its_number_stays_taken() {
        for blank in ["", "\0\0\0"] {
            let bench = bench().await;
            bench
                .destination
                .put(&layout::commit(&bench.destination, 1), blank.into())
                .await
                .unwrap();
            assert_eq!(open(&bench.destination).open_commit().await.unwrap(), None);
            assert_eq!(bench.recover().await.unwrap().next_sequence(), 2);
            assert_eq!(bench.status(1).await, "void");
        }
    }

    #[tokio::test]
    async fn s07_records_behind_the_snapshot_stop_nobody() {
        let bench = bench().await;
        bench.open().await;
        bench.recover().await.unwrap();
        for damaged in ["", "{", "[]"] {
            bench
                .destination
                .put(&layout::commit(&bench.destination, 1), damaged.into())
                .await
                .unwrap();
            assert_eq!(bench.recover().await.unwrap().sequence(), 1, "{damaged}");
        }
        bench.destination.delete(&layout::commit(&bench.destination, 1)).await.unwrap();
        assert_eq!(bench.recover().await.unwrap().sequence(), 1);
    }

    #[tokio::test]
    async fn a_snapshot_that_is_older_than_the_commits_is_refused() {
        let closed =
            CommitRecord::Closed { run_id: "r".parse().unwrap(), snapshot: Box::default() };
        for ending in [CommitRecord::Void, closed] {
            let bench = bench().await;
            bench.log(1, &ending).await;
            let refused = bench.recover().await.unwrap_err();
            assert!(matches!(refused, CommitError::SnapshotBehind { .. }), "{refused}");
            bench.log(2, &ending).await;
            let refused = bench.recover().await.unwrap_err();
            assert!(matches!(refused, CommitError::SnapshotLost { .. }), "{refused}");
        }
    }

    #[tokio::test]
    async fn s04_a_commit_whose_staged_file_is_lost_is_voided_and_removes_nothing() {
        let bench = bench().await;
        bench.open().await;
        bench.destination.delete(&bench.staged).await.unwrap();
        // A file of another size is not the one that was staged.
        bench.destination.put(&bench.target, "other".into()).await.unwrap();
        assert_eq!(bench.recover().await.unwrap().next_sequence(), 2);
        assert_eq!(bench.status(1).await, "void");
        assert_eq!(bench.files().await, [None, Some(5), Some(3)]);
    }

    #[tokio::test]
    async fn s04_published_files_of_a_void_commit_are_moved_out_of_sight() {
        let bench = bench().await;
        let mut intent = bench.intent();
        let gone = Path::from("t/0001-run.parquet");
        intent.publish.push(Publication::new(&Path::from("gone"), &gone, 3));
        bench.log(1, &CommitRecord::Open(intent)).await;
        bench.publish().await;
        assert_eq!(bench.recover().await.unwrap().next_sequence(), 2);
        assert_eq!(bench.files().await, [None, None, Some(3)]);
        let aside = bench
            .destination
            .size(&layout::aside(&bench.destination, &bench.target, &"run".parse().unwrap()))
            .await
            .unwrap();
        assert_eq!(aside, Some(3));
    }

    #[tokio::test]
    async fn s04_a_commit_that_was_being_voided_is_withdrawn_by_the_next_run() {
        let bench = bench().await;
        bench.open().await;
        bench.publish().await;
        // The kill came after the snapshot had skipped the number.
        assert!(skip_number(&bench.destination, &Snapshot::default()).await.unwrap());
        assert_eq!(bench.recover().await.unwrap().sequence(), 1);
        assert_eq!(bench.status(1).await, "void");
        assert_eq!(bench.files().await, [None, None, Some(3)]);
    }

    #[tokio::test]
    async fn an_open_commit_counts_in_a_snapshot_that_changes_nothing() {
        let bench = bench().await;
        let intent = bench.open().await;
        let tables = open(&bench.destination);
        assert_eq!(tables.snapshot().await.unwrap().file, intent.snapshot);
        assert_eq!(tables.open_commit().await.unwrap(), Some(intent.run_id));
        assert_eq!(bench.files().await, [Some(3), None, Some(3)]);
        assert_eq!(bench.status(1).await, "open");
    }

    #[tokio::test]
    async fn p10_only_one_commit_gets_a_sequence_number() {
        let bench = bench().await;
        let tables = open(&bench.destination);
        let snapshot = bench.recover().await.unwrap();
        let outcome = tables.commit(snapshot.clone(), bench.changes("run")).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed);
        let late = Changes { publish: Vec::new(), ..bench.changes("late") };
        let outcome = tables.commit(snapshot, late).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Conflict);
        assert_eq!(bench.files().await, [None, Some(3), None]);
    }

    #[tokio::test]
    async fn nothing_is_committed_under_a_name_that_is_too_long_or_without_its_staged_file() {
        let bench = bench().await;
        let target = Path::from(format!("t/{}.parquet", "x".repeat(300)));
        let snapshot = bench.recover().await.unwrap();
        let tables = open(&bench.destination);
        for (publication, is_name) in [
            (Publication::new(&bench.staged, &target, 3), true),
            (Publication::new(&bench.staged, &bench.target, 4), false),
        ] {
            let changes = Changes { publish: vec![publication], ..bench.changes("run") };
            let refused = tables.commit(snapshot.clone(), changes).await.unwrap_err();
            assert_eq!(matches!(refused, CommitError::Name(_)), is_name, "{refused}");
            assert_eq!(matches!(refused, CommitError::StagingLost { .. }), !is_name, "{refused}");
            assert!(tables.open_commit().await.unwrap().is_none());
        }
    }
}
