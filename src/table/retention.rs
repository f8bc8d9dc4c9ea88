//! Retention: deletes flowlake's own files that nothing needs any more. One listing finds them all.
//!
//! | files | kept |
//! |---|---|
//! | exports, each with its origin | those of the last `landing.keep` runs of the pipeline, and those of other pipelines |
//! | reports | those of the last `retention.reports` runs |
//! | commit records and manifests | those of the last `retention.commits` commits; what the snapshot names always |
//! | staged files | until the next run where a lock ends with its process, for a day elsewhere: their run may be at work |
//!
//! The last ones are the last by time: a scheduler's ids need not sort.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::own_file::OwnFile;
use super::{CommitError, Snapshot, layout};
use crate::definition::{LandingPolicy, Pipeline, RetentionPolicy};
use crate::landing::{self, ArchiveError};
use crate::schema::RunId;
use crate::store::{Destination, ListedFile};

/// Staged files without an intent are kept this long, since their run may still be at work.
const STAGING_RETENTION: TimeDelta = TimeDelta::days(1);

/// What is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// How many exports.
    pub landing: LandingPolicy,
    /// How much of everything else.
    pub retention: RetentionPolicy,
    pipeline: String,
    /// Other pipelines have tables in the destination.
    has_others: bool,
    sequence: u64,
    manifests: HashSet<String>,
}

/// How many files were deleted because nothing needs them any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Exports.
    pub exports: u64,
    /// Reports of runs.
    pub reports: u64,
    /// Commit records and manifests.
    pub commits: u64,
    /// Staged files.
    pub staged: u64,
    /// Data files of Delta tables that were replaced long ago.
    #[serde(default)]
    pub replaced: u64,
}

impl Pruned {
    /// Whether there was nothing to delete.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Pruned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { exports, reports, commits, staged, replaced } = self;
        let kinds = [
            (exports, "old exports"),
            (reports, "old reports"),
            (commits, "old commit records and manifests"),
            (staged, "abandoned staged files"),
            (replaced, "replaced data files"),
        ];
        let deleted = kinds.into_iter().filter(|(count, _)| **count > 0);
        let deleted: Vec<_> = deleted.map(|(count, kind)| format!("{count} {kind}")).collect();
        if deleted.is_empty() { f.write_str("nothing") } else { f.write_str(&deleted.join(", ")) }
    }
}

impl Kept {
    /// What a pipeline keeps, beside all that a snapshot names.
    #[must_use]
    pub fn beside(snapshot: &Snapshot, pipeline: &Pipeline) -> Self {
        let Pipeline { name, landing, retention, .. } = pipeline;
        Self {
            landing: *landing,
            retention: *retention,
            pipeline: name.clone(),
            has_others: snapshot.tables().any(|(_, entry)| entry.pipeline != *name),
            sequence: snapshot.sequence(),
            manifests: snapshot.tables().map(|(_, entry)| entry.manifest.path.clone()).collect(),
        }
    }

    /// Deletes what is not kept. The export of `run` is spared, whatever the clocks say.
    ///
    /// # Errors
    /// The destination fails.
    pub async fn prune(
        &self,
        destination: &Destination,
        run: Option<&RunId>,
        now: DateTime<Utc>,
    ) -> Result<Pruned, ArchiveError> {
        let mut files: BTreeMap<OwnFile, Vec<ListedFile>> = BTreeMap::new();
        for file in destination.list(&destination.own_files()).await? {
            if let Some(kind) = OwnFile::of(file.path.as_ref()) {
                files.entry(kind).or_default().push(file);
            }
        }
        let mut of = |kind| files.remove(&kind).unwrap_or_default();
        let exports: Vec<ListedFile> =
            [of(OwnFile::Export), of(OwnFile::ExportOrigin)].into_iter().flatten().collect();
        let exports = self.of_pipeline(exports, destination).await?;
        let exports = older_runs(exports, self.landing.keep, run);
        let reports = older_runs(of(OwnFile::Report), self.retention.reports, run);
        let kept = u64::try_from(self.retention.commits.max(1)).unwrap_or(u64::MAX);
        let oldest = self.sequence.saturating_sub(kept - 1);
        let is_old = |file: &ListedFile| {
            layout::sequence_of(&file.path).is_some_and(|it| it < oldest)
                && !self.manifests.contains(file.path.as_ref())
        };
        let records = [of(OwnFile::Commit), of(OwnFile::Manifest)].into_iter().flatten();
        let commits: Vec<ListedFile> = records.filter(is_old).collect();
        let staged: Vec<ListedFile> =
            of(OwnFile::Staged).into_iter().filter(|file| is_abandoned(file, now)).collect();
        let pruned = Pruned {
            exports: exports.len() as u64,
            reports: reports.len() as u64,
            commits: commits.len() as u64,
            staged: staged.len() as u64,
            replaced: 0,
        };
        let all = [exports, reports, commits, staged].into_iter().flatten();
        let all: Vec<Path> = all.map(|file| file.path).collect();
        if !all.is_empty() {
            destination.delete_all(&all).await?;
        }
        Ok(pruned)
    }

    /// The exports that are not of another pipeline.
    async fn of_pipeline(
        &self,
        exports: Vec<ListedFile>,
        destination: &Destination,
    ) -> Result<Vec<ListedFile>, ArchiveError> {
        if !self.has_others || exports.is_empty() {
            return Ok(exports);
        }
        let others = landing::runs_of_others(destination, &self.pipeline, exports.clone()).await?;
        let others: HashSet<&str> = others.iter().map(RunId::as_str).collect();
        let is_own = |file: &ListedFile| !others.contains(layout::run_of(&file.path).as_str());
        Ok(exports.into_iter().filter(is_own).collect())
    }
}

/// The files of all runs but the last `keep`, and but that of `own`.
fn older_runs(files: Vec<ListedFile>, keep: usize, own: Option<&RunId>) -> Vec<ListedFile> {
    let mut runs: BTreeMap<String, Vec<ListedFile>> = BTreeMap::new();
    for file in files {
        runs.entry(layout::run_of(&file.path)).or_default().push(file);
    }
    let mut runs: Vec<(String, Vec<ListedFile>)> = runs.into_iter().collect();
    let is_own = |run: &str| own.is_some_and(|own| own.as_str() == run);
    // Stores tell times by the second; ids that sort by time decide within one.
    runs.sort_by_cached_key(|(run, files)| {
        let last = files.iter().map(|file| file.modified.timestamp()).max();
        (is_own(run), last, run.clone())
    });
    let spared = usize::from(keep == 0 && runs.last().is_some_and(|(run, _)| is_own(run)));
    runs.truncate(runs.len().saturating_sub(keep + spared));
    runs.into_iter().flat_map(|(_, files)| files).collect()
}

fn is_abandoned(staged: &ListedFile, now: DateTime<Utc>) -> bool {
    now - staged.modified > STAGING_RETENTION
}

/// Deletes the staged files of a run that commits nothing.
///
/// # Errors
/// The destination fails; a later run deletes the files.
pub async fn discard_staged(destination: &Destination, run_id: &RunId) -> Result<(), CommitError> {
    // One file that failed ends a run while others are still being written.
    destination.settle().await;
    for listed in destination.list(&destination.staging(run_id)).await? {
        if OwnFile::of(listed.path.as_ref()) == Some(OwnFile::Staged) {
            destination.delete(&listed.path).await?;
        }
    }
    Ok(())
}

/// Deletes what killed runs have left: staged files, and on local disk those that were being written. Only who holds a lock
/// that ends with its process knows that none of them is at work; elsewhere staged files are deleted after a day.
///
/// # Errors
/// The destination fails; a later run deletes the files.
pub async fn discard_abandoned(destination: &Destination) -> Result<(), CommitError> {
    let staged = destination.list(&destination.own("staging")).await?;
    let staged = staged.into_iter().map(|file| file.path);
    let staged: Vec<Path> =
        staged.filter(|path| OwnFile::of(path.as_ref()) == Some(OwnFile::Staged)).collect();
    if !staged.is_empty() {
        destination.delete_all(&staged).await?;
    }
    Ok(destination.remove_leftovers().await?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[test]
    fn staged_files_are_abandoned_after_a_day() {
        let now = Utc::now();
        for (age, expected) in [
            (TimeDelta::zero(), false),
            (TimeDelta::hours(24), false),
            (TimeDelta::hours(24) + TimeDelta::seconds(1), true),
            // The clocks of store and machine may differ.
            (-TimeDelta::hours(1), false),
        ] {
            let listed = ListedFile { path: Path::from("f"), bytes: 1, modified: now - age };
            assert_eq!(is_abandoned(&listed, now), expected, "{age}");
        }
    }

    #[tokio::test]
    async fn discarding_deletes_the_staged_files_of_one_run() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let [first, second] = ["first", "second"].map(|run| run.parse::<RunId>().unwrap());
        let target = Path::from("t/0000-first.parquet");
        let data = [destination.staged(&first, &target), destination.staged(&second, &target)];
        for path in data.iter().chain([&target]) {
            destination.put(path, "x".into()).await.unwrap();
        }
        discard_staged(&destination, &first).await.unwrap();
        assert_eq!(destination.size(&data[0]).await.unwrap(), None);
        assert_eq!(destination.size(&data[1]).await.unwrap(), Some(1));
        assert_eq!(destination.size(&target).await.unwrap(), Some(1));
    }

    fn listed(path: &str, second: i64) -> ListedFile {
        let modified = DateTime::from_timestamp(second, 0).unwrap();
        ListedFile { path: layout::recorded(path), bytes: 1, modified }
    }

    #[test]
    fn o13_the_last_runs_are_the_last_by_time_and_not_by_name() {
        let files = || {
            let landing = |name: &str, second| listed(&format!("_flowlake/landing/{name}"), second);
            vec![
                landing("z.json.zst", 1),
                landing("z.origin.json", 1),
                landing("nightly-2026-11-26/0000.json.zst", 2),
                landing("nightly-2026-11-26/0001.json.zst", 3),
                landing("a.json.zst", 4),
            ]
        };
        let gone = |keep, own: Option<&str>| {
            let own: Option<RunId> = own.map(|own| own.parse().unwrap());
            let older = older_runs(files(), keep, own.as_ref());
            older.iter().map(|file| file.path.filename().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(gone(2, None), ["z.json.zst", "z.origin.json"]);
        assert_eq!(gone(3, None), Vec::<String>::new());
        assert_eq!(gone(0, None).len(), 5);
        // S8: with a clock set back, the run's own export would be the oldest.
        assert_eq!(gone(1, Some("z")), ["0000.json.zst", "0001.json.zst", "a.json.zst"]);
        assert_eq!(gone(0, Some("z")), ["0000.json.zst", "0001.json.zst", "a.json.zst"]);
    }

    #[tokio::test]
    async fn o11_commit_records_and_manifests_do_not_add_up() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let table = "t".parse().unwrap();
        for sequence in 1..=20 {
            for path in [
                layout::commit(&destination, sequence),
                layout::manifest(&destination, &table, sequence),
            ] {
                destination.put(&path, "{}".into()).await.unwrap();
            }
        }
        let stranger = Path::from("_flowlake/commits/notes.txt");
        destination.put(&stranger, "x".into()).await.unwrap();
        let kept = Kept {
            landing: LandingPolicy::default(),
            retention: RetentionPolicy { commits: 5, ..RetentionPolicy::default() },
            pipeline: "test".to_owned(),
            has_others: false,
            sequence: 20,
            // A table that has not changed for long.
            manifests: [layout::manifest(&destination, &table, 3).to_string()].into(),
        };
        let pruned = kept.prune(&destination, None, Utc::now()).await.unwrap();
        assert_eq!(pruned, Pruned { commits: 15 + 14, ..Pruned::default() });
        let left = destination.list(&layout::manifests(&destination)).await.unwrap();
        let left: Vec<_> = left.iter().filter_map(|it| layout::sequence_of(&it.path)).collect();
        assert_eq!(left, [3, 16, 17, 18, 19, 20]);
        assert_eq!(destination.size(&stranger).await.unwrap(), Some(1));
    }
}
