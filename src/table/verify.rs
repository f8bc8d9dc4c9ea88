//! Verify: compares the files of a destination with its manifests.
//!
//! | finding | meaning | `--repair` |
//! |---|---|---|
//! | missing, changed, unreadable | a data file is gone, or is not the file that was written | no: restore it, or load the table again |
//! | wrong columns, wrong row count, wrong statistics | a data file does not match its table's schema or its manifest entry | no |
//! | open commit | a run was killed while it published | finishes it |
//! | orphan | a file that flowlake wrote and no manifest names | deletes it |
//! | foreign | a file in a table's directory that flowlake did not write; readers that glob take it for rows | no |
//! | temporary | a staged or partly written file of a run that is over | deletes it |
//! | stale lock | the lock of a run that is gone | deletes it |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use chrono::Utc;
use object_store::path::Path;
use polars::prelude::{ParquetReader, PolarsResult, Schema, SchemaExt as _, SerReader};
use serde::Serialize;

use super::lock::{self, Lock, LockError, Owner};
use super::{CommitError, DataFile, Manifest, Snapshot, TableStore, layout};
use crate::exit_code::{ExitCode, Failure};
use crate::normalise::polars_type;
use crate::runtime::on_cpu;
use crate::schema::{RunId, TableSchema};
use crate::store::{Destination, DestinationError, ListedFile};
use crate::write::statistics::{Statistics, StatisticsCollector};

/// A destination cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its state cannot be read, or an open commit cannot be finished.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A run holds the lock, so nothing can be repaired.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Failure for VerifyError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lock(error) => error.exit_code(),
            Self::Commit(_) | Self::Destination(_) => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Lock(LockError::Held { .. }) => {
                "verify without `--repair`, or when the run has ended"
            }
            Self::Lock(_) | Self::Commit(_) | Self::Destination(_) => {
                "check that the destination can be read"
            }
        };
        Some(help.to_owned())
    }
}

/// A difference between a destination and its manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of difference.
    pub kind: FindingKind,
    /// The file or run.
    pub subject: String,
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The kinds of findings, most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A data file is gone.
    Missing,
    /// A data file is not the one that was written.
    Changed,
    /// A data file is not Parquet.
    Unreadable,
    /// A data file does not have the columns of its table.
    WrongColumns,
    /// A data file does not have as many rows as its manifest says.
    WrongRowCount,
    /// The minimum or maximum of a column is not what the manifest says.
    WrongStatistics,
    /// A commit was begun and not finished.
    OpenCommit,
    /// A file that flowlake wrote and nothing refers to.
    Orphan,
    /// A file in a table's directory that flowlake did not write.
    Foreign,
    /// A staged or partly written file of a run that is over.
    Temporary,
    /// The lock of a run that is gone.
    StaleLock,
}

impl FindingKind {
    /// Whether rows are lost or wrong.
    #[must_use]
    pub fn is_damage(self) -> bool {
        self <= Self::WrongStatistics
    }

    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::WrongColumns => "wrong columns",
            Self::WrongRowCount => "wrong row count",
            Self::WrongStatistics => "wrong statistics",
            Self::OpenCommit => "open commit",
            Self::Orphan => "orphan",
            Self::Foreign => "foreign",
            Self::Temporary => "temporary",
            Self::StaleLock => "stale lock",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.label(), self.subject)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many tables there are.
    pub tables: u64,
    /// How many data files there are, by the manifests.
    pub files: u64,
    /// Their rows, by the manifests.
    pub rows: u64,
    /// Their bytes, by the manifests.
    pub bytes: u64,
    /// The differences, most serious first.
    pub findings: Vec<Finding>,
}

/// How much of each data file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyDepth {
    /// Name and size.
    Sizes,
    /// Every byte.
    Contents,
}

impl dyn TableStore {
    /// Compares the destination with its manifests.
    ///
    /// # Errors
    /// The destination fails, or its state cannot be read.
    pub async fn verify(&self, depth: VerifyDepth) -> Result<Verification, VerifyError> {
        let mut verification = Verification::default();
        let open = self.open_commits().await?;
        verification.findings.extend(open.iter().map(open_commit));
        let snapshot = self.snapshot().await?;
        for manifest in snapshot.manifests.values() {
            verification.tables += 1;
            for file in &manifest.files {
                verification.files += 1;
                verification.rows += file.rows;
                verification.bytes += file.bytes;
                // Files of an open commit may not be published yet.
                if open.is_empty() {
                    let finding = self.verify_file(manifest, file, depth).await?;
                    verification.findings.extend(finding);
                }
            }
        }
        if open.is_empty() {
            verification.findings.extend(unreferenced(self.destination(), &snapshot).await?);
            verification.findings.extend(temporary(self.destination()).await?);
        }
        verification.findings.extend(stale_lock(self.destination()).await?);
        let findings = &mut verification.findings;
        findings
            .sort_by(|left, right| (left.kind, &left.subject).cmp(&(right.kind, &right.subject)));
        Ok(verification)
    }

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
        self.recover(Utc::now()).await?;
        self.destination().remove_temporary_files().await?;
        for finding in self.verify(depth).await?.findings {
            if matches!(finding.kind, FindingKind::Orphan | FindingKind::Temporary) {
                self.destination().delete(&layout::recorded(&finding.subject)).await?;
            }
        }
        Ok(())
    }

    async fn verify_file(
        &self,
        manifest: &Manifest,
        file: &DataFile,
        depth: VerifyDepth,
    ) -> Result<Option<Finding>, VerifyError> {
        let finding = |kind, detail: String| Finding { kind, subject: file.path.clone(), detail };
        let path = layout::recorded(&file.path);
        let Some(size) = self.destination().size(&path).await? else {
            return Ok(Some(finding(FindingKind::Missing, format!("it had {} rows", file.rows))));
        };
        if size != file.bytes {
            let detail = format!("it has {size} bytes, and {} were written", file.bytes);
            return Ok(Some(finding(FindingKind::Changed, detail)));
        }
        if depth == VerifyDepth::Sizes {
            return Ok(None);
        }
        let Some(content) = self.destination().get(&path).await? else {
            return Ok(Some(finding(FindingKind::Missing, String::new())));
        };
        let (schema, expected) = (manifest.schema.clone(), file.clone());
        let wrong = on_cpu(move || wrong_content(content, &schema, &expected)).await;
        Ok(wrong.map(|(kind, detail)| finding(kind, detail)))
    }
}

fn open_commit(run_id: &RunId) -> Finding {
    Finding {
        kind: FindingKind::OpenCommit,
        subject: format!("run {run_id}"),
        detail: "the next run, or `--repair`, finishes it".to_owned(),
    }
}

fn wrong_content(
    content: Bytes,
    schema: &TableSchema,
    file: &DataFile,
) -> Option<(FindingKind, String)> {
    if blake3::hash(&content).to_hex().as_str() != file.blake3 {
        let detail = "its bytes are not those that were written".to_owned();
        return Some((FindingKind::Changed, detail));
    }
    let mut reader = ParquetReader::new(Cursor::new(content.clone()));
    let read = reader.num_rows().and_then(|rows| Ok((rows, reader.schema()?)));
    let (rows, columns) = match read {
        Ok(read) => read,
        Err(error) => return Some((FindingKind::Unreadable, error.to_string())),
    };
    if rows as u64 != file.rows {
        let detail = format!("it has {rows} rows instead of {}", file.rows);
        return Some((FindingKind::WrongRowCount, detail));
    }
    let columns = Schema::from_arrow_schema(&columns);
    let expected = schema.columns.iter();
    let expected = expected.map(|it| (it.name.as_str(), polars_type(&it.column_type)));
    let actual = columns.iter().map(|(name, data_type)| (name.as_str(), data_type.clone()));
    if !expected.eq(actual) {
        return Some((FindingKind::WrongColumns, format!("it has {}", names(&columns))));
    }
    wrong_statistics(content, file)
}

fn wrong_statistics(content: Bytes, file: &DataFile) -> Option<(FindingKind, String)> {
    match statistics_of(content, file) {
        Ok(actual) => {
            let recorded = |name: &String| file.statistics.get(name);
            let wrong = actual.iter().find(|(name, values)| recorded(name) != Some(values));
            wrong.map(|(name, values)| {
                (FindingKind::WrongStatistics, format!("`{name}` has {values:?}"))
            })
        }
        Err(error) => Some((FindingKind::Unreadable, error.to_string())),
    }
}

/// The statistics of a file for the columns that its manifest entry has.
fn statistics_of(content: Bytes, file: &DataFile) -> PolarsResult<Statistics> {
    if file.statistics.is_empty() {
        return Ok(Statistics::new());
    }
    let columns: BTreeSet<String> = file.statistics.keys().cloned().collect();
    let reader = ParquetReader::new(Cursor::new(content));
    let rows = reader.with_columns(Some(columns.iter().cloned().collect())).finish()?;
    let mut collector = StatisticsCollector::default();
    collector.observe(&rows, &columns)?;
    collector.finish()
}

fn names(columns: &Schema) -> String {
    let names: Vec<&str> = columns.iter_names().map(polars::prelude::PlSmallStr::as_str).collect();
    names.join(", ")
}

/// Files in the directories of tables and of the quarantine that no manifest names.
async fn unreferenced(
    destination: &Destination,
    snapshot: &Snapshot,
) -> Result<Vec<Finding>, VerifyError> {
    let manifests = || snapshot.manifests.values();
    let data = manifests().flat_map(|manifest| manifest.files.iter().map(|file| &file.path));
    let lines = manifests().flat_map(|manifest| manifest.quarantine.iter().map(|file| &file.path));
    let referenced: BTreeSet<&String> = data.chain(lines).collect();
    let mut directories: BTreeMap<Path, fn(&Path) -> bool> = BTreeMap::new();
    directories.insert(layout::quarantine(), layout::is_quarantine_file);
    for manifest in manifests() {
        directories.insert(layout::table_directory(&manifest.schema.name), layout::is_data_file);
    }
    let mut findings = Vec::new();
    for (directory, is_ours) in directories {
        for ListedFile { path, .. } in destination.list(&directory).await? {
            if referenced.contains(&path.to_string()) {
                continue;
            }
            let kind = if is_ours(&path) { FindingKind::Orphan } else { FindingKind::Foreign };
            findings.push(Finding { kind, subject: path.to_string(), detail: String::new() });
        }
    }
    Ok(findings)
}

/// Staged and partly written files, unless a run is at work.
async fn temporary(destination: &Destination) -> Result<Vec<Finding>, VerifyError> {
    let staged = destination.list(&layout::staging()).await?;
    let is_used = lock::holder(destination).await?.is_some_and(|owner| {
        // A repair holds the lock and stages nothing.
        owner.process != Owner::this_process(&owner.run_id, &owner.pipeline).process
            && !owner.is_gone()
    });
    if is_used {
        return Ok(Vec::new());
    }
    let temporary =
        |subject| Finding { kind: FindingKind::Temporary, subject, detail: String::new() };
    let staged = staged.into_iter().map(|listed| temporary(listed.path.to_string()));
    let partly_written = destination.temporary_files().await?.into_iter();
    let partly_written = partly_written.map(|file| temporary(file.display().to_string()));
    Ok(staged.chain(partly_written).collect())
}

async fn stale_lock(destination: &Destination) -> Result<Option<Finding>, VerifyError> {
    let owner = lock::holder(destination).await?.filter(Owner::is_gone);
    Ok(owner.map(|owner| Finding {
        kind: FindingKind::StaleLock,
        subject: owner.to_string(),
        detail: "its process is gone; the next run takes it over".to_owned(),
    }))
}
