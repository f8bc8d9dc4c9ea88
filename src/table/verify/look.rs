//! One look at a destination: the snapshot, the files it names, and what lies beside them.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::content::wrong_content;
use super::finding::{
    Finding, FindingKind, Sizes, Verification, VerifyDepth, VerifyError, finding_of,
};
use super::logs::Logs;
use super::own_files;
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{TableFormat, TableName};
use crate::store::{Destination, ListedFile};
use crate::table::commit_log::{self, CommitRecord, Logged};
use crate::table::lock::{self, Holder, LockError, Owner};
use crate::table::own_file::OwnFile;
use crate::table::snapshot::SnapshotFile;
use crate::table::{DataFile, Manifest, TableStore, layout, quarantine};

/// How often a destination is looked at that changes meanwhile.
const MOST_LOOKS: usize = 5;

/// Who is at work in the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// Nobody.
    None,
    /// A run that is interrupted has left an open commit.
    OpenCommit,
    /// A run: its files come and go.
    Run,
}

impl TableStore {
    /// Compares the destination with its snapshot.
    ///
    /// # Errors
    /// The destination fails, or it is of a form that this flowlake does not read.
    pub async fn verify(&self, depth: VerifyDepth) -> Result<Verification, VerifyError> {
        let mut found = self.look(depth).await?;
        for _ in 1..MOST_LOOKS {
            match self.snapshot_file().await {
                Ok((now, _)) if now.sequence != found.sequence => found = self.look(depth).await?,
                _ => break,
            }
        }
        let by_kind = |left: &Finding, right: &Finding| {
            (left.kind, &left.subject).cmp(&(right.kind, &right.subject))
        };
        found.findings.sort_by(by_kind);
        found.findings.dedup();
        Ok(found)
    }

    pub(super) async fn look(&self, depth: VerifyDepth) -> Result<Verification, VerifyError> {
        let mut found = Verification::default();
        let file = match self.snapshot_file().await {
            Ok((file, _)) => file,
            Err(error) => {
                found.findings.push(finding_of(self.destination(), error)?);
                return Ok(found);
            }
        };
        found.sequence = file.sequence;
        let (activity, open) = self.activity(&file).await?;
        let sizes = self.sizes(&file).await?;
        // The files of a run that has begun meanwhile are in no snapshot yet.
        let activity = if self.run_at_work().await? { Activity::Run } else { activity };
        if activity != Activity::Run {
            found.findings.extend(open);
        }
        if file.sequence == 0 && activity == Activity::None {
            found.findings.extend(lost_snapshot(self.destination(), &sizes));
        }
        // Before the manifests of tables are read: old ones are as large.
        found.findings.extend(own_files::damaged(self.destination(), &file, &sizes, depth).await?);
        let mut manifests = Vec::new();
        for (table, entry) in &file.tables {
            match self.manifest(table, entry).await {
                Ok(manifest) => manifests.push(manifest),
                Err(error) => found.findings.push(finding_of(self.destination(), error)?),
            }
        }
        let is_whole = manifests.len() == file.tables.len();
        let mut checks = Vec::new();
        for manifest in &manifests {
            found.tables += 1;
            found.files += manifest.files.len() as u64;
            found.rows += manifest.rows();
            found.bytes += manifest.files.iter().map(|file| file.bytes).sum::<u64>();
            checks.extend(manifest.files.iter().map(|file| (manifest, file)));
        }
        let checks = checks
            .into_iter()
            .map(|(manifest, file)| self.check_file(manifest, file, &sizes, depth));
        let checked = stream::iter(checks).buffered(parallelism() + 2);
        let damaged: Vec<Finding> = checked.try_filter_map(async |it| Ok(it)).try_collect().await?;
        found.findings.extend(damaged);
        found.not_looked_at = self.destination().closed_areas();
        if !found.not_looked_at.contains(&"quarantine") {
            found.findings.extend(self.quarantine_findings(&manifests, &sizes, depth).await?);
        }
        found.findings.extend(foreign(&file, &sizes));
        if activity == Activity::None {
            let logs = Logs::read(self.destination(), &file, &manifests, depth).await?;
            found.findings.extend(logs.findings);
            // Without all manifests and logs nobody knows which files are live.
            if is_whole && logs.are_known {
                found.findings.extend(orphans(&manifests, &logs.replaced, &sizes));
            }
            found.findings.extend(self.temporary(&sizes).await?);
        }
        Ok(found)
    }

    /// All files; of a shared destination, those of the pipeline, of its slice and of the logs of its tables.
    async fn sizes(&self, file: &SnapshotFile) -> Result<Sizes, VerifyError> {
        let directories = match &file.slice {
            None if !self.destination().is_shared() => vec![Path::default()],
            slice => {
                let of_table = |table: &TableName| {
                    let slice = slice.as_ref().map(|slice| layout::slice_directory(table, slice));
                    slice.into_iter().chain([layout::log_directory(table)])
                };
                let own = [self.destination().own_files()].into_iter();
                own.chain(file.tables.keys().flat_map(of_table)).collect()
            }
        };
        let lists = directories.iter().map(|directory| self.destination().list(directory));
        let lists: Vec<_> = lists.collect();
        let listed: Vec<Vec<ListedFile>> =
            stream::iter(lists).buffered(parallelism() + 2).try_collect().await?;
        let all = listed.into_iter().flatten();
        Ok(all.map(|file| (file.path.to_string(), file.bytes)).collect())
    }

    /// Who is at work, with the findings that this makes if nobody is.
    async fn activity(&self, file: &SnapshotFile) -> Result<(Activity, Vec<Finding>), VerifyError> {
        let mut findings = Vec::new();
        if self.run_at_work().await? {
            return Ok((Activity::Run, findings));
        }
        if let Ok(Some(owner)) = lock::holder(self.destination()).await
            && owner.is_gone()
        {
            let detail = "its process is gone; the next run takes it over";
            findings.push(Finding::new(FindingKind::StaleLock, owner, detail));
        }
        let mut activity = Activity::None;
        for sequence in [file.sequence, file.sequence + 1] {
            match commit_log::read(self.destination(), sequence).await {
                Ok(Logged::Record(CommitRecord::Open(intent))) => {
                    activity = Activity::OpenCommit;
                    let subject = format!("run {}", intent.run_id);
                    let detail = "the next run, or `flowlake recover`, finishes it";
                    findings.push(Finding::new(FindingKind::OpenCommit, subject, detail));
                }
                Ok(Logged::Record(_)) if sequence > file.sequence => {
                    let detail =
                        format!("it is of commit {}, and commit {sequence} is over", file.sequence);
                    findings.push(Finding::new(
                        FindingKind::Behind,
                        layout::snapshot(self.destination()),
                        detail,
                    ));
                }
                Ok(Logged::Blank) if sequence > file.sequence => {
                    let detail =
                        "its record is blank; the next run, or `verify --repair`, voids it";
                    let record = layout::commit(self.destination(), sequence);
                    findings.push(Finding::new(FindingKind::OpenCommit, record, detail));
                }
                // What is behind the snapshot is looked at with the other old files.
                Err(error) if sequence > file.sequence => {
                    findings.push(finding_of(self.destination(), error)?);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok((activity, findings))
    }

    /// Whether a run holds the lock, or may hold it: who may only read cannot look at every lock.
    async fn run_at_work(&self) -> Result<bool, VerifyError> {
        // A repair holds the lock itself.
        let is_this_process = |holder: &Holder| match holder {
            Holder::Run(owner) => {
                owner.process == Owner::this_process(&owner.run_id, &owner.pipeline).process
            }
            Holder::Unnamed(_) => false,
        };
        match lock::holder(self.destination()).await {
            Ok(owner) => Ok(owner.is_some_and(|it| !it.is_gone() && !is_this_process(&it))),
            Err(LockError::File { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn check_file(
        &self,
        manifest: &Manifest,
        file: &DataFile,
        sizes: &Sizes,
        depth: VerifyDepth,
    ) -> Result<Option<Finding>, VerifyError> {
        let finding = |kind, detail: String| Some(Finding::new(kind, &file.path, detail));
        match sizes.get(&file.path) {
            None => return Ok(finding(FindingKind::Missing, format!("it had {} rows", file.rows))),
            Some(size) if *size != file.bytes => {
                let detail = format!("it has {size} bytes, and {} were written", file.bytes);
                return Ok(finding(FindingKind::Changed, detail));
            }
            Some(_) if depth == VerifyDepth::Sizes => return Ok(None),
            Some(_) => {}
        }
        let Some(content) = self.destination().get(&layout::recorded(&file.path)).await? else {
            return Ok(finding(FindingKind::Missing, String::new()));
        };
        let (schema, expected) = (manifest.schema.clone(), file.clone());
        let wrong = on_cpu(move || wrong_content(content, &schema, &expected)).await;
        Ok(wrong.and_then(|(kind, detail)| finding(kind, detail)))
    }

    async fn quarantine_findings(
        &self,
        manifests: &[Manifest],
        sizes: &Sizes,
        depth: VerifyDepth,
    ) -> Result<Vec<Finding>, VerifyError> {
        let mut findings = Vec::new();
        for file in manifests.iter().flat_map(|manifest| &manifest.quarantine) {
            let finding = |kind, detail: String| Finding::new(kind, &file.path, detail);
            let records = file.records + file.partially_loaded;
            match sizes.get(&file.path) {
                None => {
                    findings
                        .push(finding(FindingKind::Missing, format!("it had {records} records")));
                }
                Some(size) if *size != file.bytes => {
                    let detail = format!("it has {size} bytes, and {} were written", file.bytes);
                    findings.push(finding(FindingKind::Changed, detail));
                }
                Some(_) if depth == VerifyDepth::Sizes => {}
                Some(_) => {
                    let read = quarantine::read(self.destination(), file).await;
                    let read = read.and_then(|mut lines| lines.try_for_each(|it| it.map(drop)));
                    if let Err(error) = read {
                        findings.push(finding(FindingKind::Changed, error.to_string()));
                    }
                }
            }
        }
        Ok(findings)
    }

    /// Staged and partly written files, while nobody is at work.
    async fn temporary(&self, sizes: &Sizes) -> Result<Vec<Finding>, VerifyError> {
        let staged =
            sizes.keys().filter(|path| OwnFile::of(path) == Some(OwnFile::Staged)).cloned();
        let partly_written = self.destination().temporary_files().await?.into_iter();
        let partly_written = partly_written.map(|file| file.display().to_string());
        let all = staged.chain(partly_written);
        Ok(all.map(|file| Finding::new(FindingKind::Temporary, file, "")).collect())
    }
}

/// Files that flowlake wrote and no manifest names.
fn orphans(manifests: &[Manifest], replaced: &BTreeSet<String>, sizes: &Sizes) -> Vec<Finding> {
    let data = manifests.iter().flat_map(|manifest| manifest.files.iter().map(|file| &file.path));
    let lines =
        manifests.iter().flat_map(|manifest| manifest.quarantine.iter().map(|file| &file.path));
    let named: BTreeSet<&String> = data.chain(lines).chain(replaced).collect();
    let is_ours = |path: &String| {
        let in_table = manifests.iter().any(|it| layout::is_in_table(path, &it.schema.name));
        let is_data = in_table && layout::is_data_file(&layout::recorded(path));
        is_data || OwnFile::of(path) == Some(OwnFile::Quarantine)
    };
    let orphans = sizes.keys().filter(|path| !named.contains(path) && is_ours(path));
    orphans.map(|path| Finding::new(FindingKind::Orphan, path, "")).collect()
}

/// Without a snapshot there are no data files, unless it was lost with the commits.
fn lost_snapshot(destination: &Destination, sizes: &Sizes) -> Option<Finding> {
    let is_data = |path: &&String| {
        !path.contains("/_flowlake/")
            && !layout::is_own(path)
            && path.contains('/')
            && layout::is_data_file(&layout::recorded(path))
    };
    let first = sizes.keys().find(is_data)?;
    let detail =
        format!("there are data files, such as {first}; restore `_flowlake` from a backup");
    Some(Finding::new(FindingKind::Missing, layout::snapshot(destination), detail))
}

/// Files among flowlake's own, or in the directories of tables, whose names it does not give. Data files in a directory
/// that is no table are of one that was lost, unless another destination lies there.
fn foreign(file: &SnapshotFile, sizes: &Sizes) -> Vec<Finding> {
    let nested: BTreeSet<&str> = sizes
        .keys()
        .filter_map(|path| path.split_once("/_flowlake/").map(|(above, _)| above))
        .collect();
    let foreign = sizes.keys().filter_map(|path| {
        if nested.iter().any(|above| path.strip_prefix(above).is_some_and(|it| it.starts_with('/')))
        {
            return None;
        }
        let is_data = layout::is_data_file(&layout::recorded(path));
        let in_table = file.tables.keys().any(|table| layout::is_in_table(path, table));
        let detail = if layout::is_own(path) {
            OwnFile::of(path).is_none().then_some("")
        } else if in_table {
            let is_log = file.format == TableFormat::Delta
                && file.tables.keys().any(|table| layout::is_of_log(path, table));
            (!is_data && !is_log).then_some("")
        } else {
            is_data.then_some("no table of the snapshot is there")
        };
        Some(Finding::new(FindingKind::Foreign, path, detail?))
    });
    foreign.collect()
}
