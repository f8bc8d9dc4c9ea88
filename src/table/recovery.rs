//! Recovery: finishes the commits of interrupted runs before a run reads the tables, and tells what it would find.
//!
//! What a run does with each commit record stands in the table of [`commit_log`].

use chrono::{DateTime, Utc};

use super::commit_log::{self, CommitRecord};
use super::{CommitError, Snapshot, TableStore, retention};
use crate::schema::RunId;

impl dyn TableStore {
    /// Finishes open commits, deletes abandoned staged files and reads the snapshot.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is damaged.
    pub async fn recover(&self, now: DateTime<Utc>) -> Result<Snapshot, CommitError> {
        let destination = self.destination();
        let records = commit_log::read_all(destination).await?;
        for logged in &records {
            if let CommitRecord::Open(intent) = &logged.record {
                tracing::warn!(run = %intent.run_id, "finishing the commit of an interrupted run");
                self.roll_forward(logged.sequence, intent).await?;
            }
        }
        retention::sweep_staging(destination, now).await?;
        let mut snapshot = self.committed().await?;
        snapshot.next_sequence = records.iter().map(|it| it.sequence).max().unwrap_or(0) + 1;
        let logged = records.iter().filter_map(|it| it.record.run_id());
        let last = snapshot.state.as_ref().map(|state| &state.last_run);
        let writers = snapshot.manifests.values().map(|manifest| &manifest.run_id);
        snapshot.runs = logged.chain(last).chain(writers).cloned().collect();
        Ok(snapshot)
    }

    /// Reads the snapshot that the next run will start from, and changes nothing. Open commits count as finished, since
    /// the next run finishes them.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is damaged.
    pub async fn snapshot(&self) -> Result<Snapshot, CommitError> {
        let mut snapshot = self.committed().await?;
        for intent in commit_log::read_open(self.destination()).await? {
            snapshot.insert(intent.manifests);
            snapshot.state = Some(intent.state);
        }
        Ok(snapshot)
    }

    /// The runs whose commits are open.
    ///
    /// # Errors
    /// The destination fails, or one of flowlake's own files is damaged.
    pub async fn open_commits(&self) -> Result<Vec<RunId>, CommitError> {
        let open = commit_log::read_open(self.destination()).await?;
        Ok(open.into_iter().map(|intent| intent.run_id).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::store::{Destination, FileMove};
    use crate::table::{CommitOutcome, Intent, Publication, TableState, json, layout, open};

    /// A destination with a staged file, and the intent that publishes it and deletes an older file.
    struct Bench {
        destination: Destination,
        intent: Intent,
        staged: Path,
        target: Path,
        old: Path,
    }

    async fn bench() -> Bench {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let run_id: RunId = "run".parse().unwrap();
        let target = Path::from("t/0000-run.parquet");
        let old = Path::from("t/0000-old.parquet");
        let staged = Destination::staged(&run_id, &target);
        destination.put(&staged, "new".into()).await.unwrap();
        destination.put(&old, "old".into()).await.unwrap();
        let state = TableState {
            last_run: run_id.clone(),
            committed_at: DateTime::UNIX_EPOCH,
            watermark: None,
        };
        let publish = vec![Publication::new(&staged, &target, 3)];
        let remove = vec![old.to_string()];
        let intent = Intent { run_id, publish, remove, manifests: Vec::new(), state };
        Bench { destination, intent, staged, target, old }
    }

    impl Bench {
        async fn log(&self, sequence: u64, record: &CommitRecord) {
            let content = json::encode(record).unwrap();
            self.destination.put(&layout::commit(sequence), content).await.unwrap();
        }

        async fn recover(&self) -> Result<Snapshot, CommitError> {
            open(&self.destination).recover(Utc::now()).await
        }

        async fn status(&self, sequence: u64) -> String {
            let record = json::read(&self.destination, &layout::commit(sequence)).await;
            let record: serde_json::Value = record.unwrap().unwrap();
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
            bench.log(1, &CommitRecord::Open(bench.intent.clone())).await;
            if done > 0 {
                let (staged, target) = (bench.staged.clone(), bench.target.clone());
                let moved = [FileMove { staged, target, bytes: 3 }];
                bench.destination.publish_all(&moved).await.unwrap();
            }
            if done > 1 {
                bench.destination.delete(&bench.old).await.unwrap();
            }
            if done > 2 {
                let state = json::encode(&bench.intent.state).unwrap();
                bench.destination.put(&layout::state(), state).await.unwrap();
            }
            let snapshot = bench.recover().await.unwrap();
            assert_eq!(bench.files().await, [None, Some(3), None], "{done} steps were done");
            assert_eq!(bench.status(1).await, "closed");
            assert_eq!(snapshot.state, Some(bench.intent.state.clone()));
            assert_eq!(snapshot.next_sequence, 2);
            assert!(snapshot.has_run(&bench.intent.run_id));
        }
    }

    #[tokio::test]
    async fn closed_and_void_commits_are_left_alone() {
        let bench = bench().await;
        let other: RunId = "other".parse().unwrap();
        bench.log(3, &CommitRecord::Closed { run_id: other.clone() }).await;
        bench.log(7, &CommitRecord::Void).await;
        let snapshot = bench.recover().await.unwrap();
        assert_eq!(bench.files().await, [Some(3), None, Some(3)]);
        assert_eq!(snapshot.next_sequence, 8);
        assert!(snapshot.has_run(&other) && !snapshot.has_run(&bench.intent.run_id));
        assert_eq!(snapshot.state, None);
    }

    #[tokio::test]
    async fn a_blank_record_is_voided_at_the_end_of_the_log_and_refused_before_it() {
        for blank in ["", "\0\0\0"] {
            let bench = bench().await;
            bench.destination.put(&layout::commit(1), blank.into()).await.unwrap();
            assert!(open(&bench.destination).open_commits().await.unwrap().is_empty());
            assert_eq!(bench.recover().await.unwrap().next_sequence, 2);
            assert_eq!(bench.status(1).await, "void");
            bench.destination.put(&layout::commit(1), blank.into()).await.unwrap();
            bench.log(2, &CommitRecord::Void).await;
            let refused = bench.recover().await.unwrap_err();
            assert!(matches!(refused, CommitError::Unreadable { .. }), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_commit_whose_file_is_lost_cannot_be_finished() {
        let bench = bench().await;
        bench.log(1, &CommitRecord::Open(bench.intent.clone())).await;
        bench.destination.delete(&bench.staged).await.unwrap();
        // A file of another size is not the one that was staged.
        bench.destination.put(&bench.target, "other".into()).await.unwrap();
        let refused = bench.recover().await.unwrap_err();
        assert!(matches!(refused, CommitError::Publish(_)), "{refused}");
        assert_eq!(bench.status(1).await, "open");
    }

    #[tokio::test]
    async fn an_open_commit_counts_in_a_snapshot_that_changes_nothing() {
        let bench = bench().await;
        bench.log(1, &CommitRecord::Open(bench.intent.clone())).await;
        let tables = open(&bench.destination);
        assert_eq!(tables.snapshot().await.unwrap().state, Some(bench.intent.state.clone()));
        assert_eq!(tables.open_commits().await.unwrap(), vec![bench.intent.run_id.clone()]);
        assert_eq!(bench.files().await, [Some(3), None, Some(3)]);
        assert_eq!(bench.status(1).await, "open");
    }

    #[tokio::test]
    async fn p10_only_one_commit_gets_a_sequence_number() {
        let bench = bench().await;
        let tables = open(&bench.destination);
        let snapshot = bench.recover().await.unwrap();
        let outcome = tables.commit(&snapshot, bench.intent.clone()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed);
        let late = Intent { run_id: "late".parse().unwrap(), ..bench.intent.clone() };
        let outcome = tables.commit(&snapshot, late).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Conflict);
        assert_eq!(bench.files().await, [None, Some(3), None]);
    }

    #[tokio::test]
    async fn nothing_is_committed_under_a_name_that_is_too_long() {
        let bench = bench().await;
        let target = Path::from(format!("t/{}.parquet", "x".repeat(300)));
        let publish = vec![Publication::new(&bench.staged, &target, 3)];
        let intent = Intent { publish, ..bench.intent.clone() };
        let snapshot = bench.recover().await.unwrap();
        let refused = open(&bench.destination).commit(&snapshot, intent).await.unwrap_err();
        assert!(matches!(refused, CommitError::Name(_)), "{refused}");
        assert!(open(&bench.destination).open_commits().await.unwrap().is_empty());
    }
}
