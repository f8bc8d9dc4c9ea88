//! Verify: whether a destination is what its manifests say.
//!
//! | finding | what it means | `--repair` |
//! |---|---|---|
//! | missing, changed, unreadable | a file of a table is gone or not the one that was written | no: restore it, or load the table again |
//! | other columns, other rows, other values | a file is not of its table's schema, or has not the rows or the ends of values that the manifest tells of | no |
//! | open commit | a run was stopped while it published | finishes it |
//! | orphan | a file of ours that no manifest names | removes it |
//! | foreign | a file in a table's directory that flowlake did not name; readers that glob take it for rows | no |
//! | left behind | staged files of a run that is over, and files that a run that was killed has written in part | removes them |
//! | stray lock | the lock of a run that is gone | removes it |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use chrono::Utc;
use object_store::path::Path;
use polars::prelude::{ParquetReader, PolarsResult, Schema, SchemaExt as _, SerReader};
use serde::Serialize;

use crate::exit_code::{ExitCode, Failure};
use crate::normalise::polars_type;
use crate::runtime::on_cpu;
use crate::schema::{RunId, TableSchema, percent_encoded};
use crate::store::{Destination, DestinationError, ListedFile};
use crate::table::lock::{self, Lock, LockError, Owner};
use crate::table::{CommitError, DataFile, Manifest, Snapshot, open_commits};
use crate::write::statistics::{Statistics, StatisticsCollector};

/// A destination cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its state cannot be read, or an open commit not be finished.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A run is at work, and nothing can be repaired meanwhile.
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

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The file or run.
    pub subject: String,
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file of a table is not there.
    Missing,
    /// It is not what was written.
    Changed,
    /// It is not Parquet.
    Unreadable,
    /// It does not have the columns of its table.
    OtherColumns,
    /// It does not have as many rows as it should.
    OtherRows,
    /// The least or greatest value of a column is another one.
    OtherValues,
    /// A commit was begun and not finished.
    OpenCommit,
    /// A file of ours that nothing refers to.
    Orphan,
    /// A file in a table's directory that is none of ours.
    Foreign,
    /// Staged files of a run that is over.
    LeftBehind,
    /// The lock of a run that is gone.
    StrayLock,
}

impl Kind {
    /// Whether rows are lost, or wrong.
    #[must_use]
    pub fn is_damage(self) -> bool {
        self <= Self::OtherValues
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Missing => "missing",
            Kind::Changed => "changed",
            Kind::Unreadable => "unreadable",
            Kind::OtherColumns => "other columns",
            Kind::OtherRows => "other rows",
            Kind::OtherValues => "other values",
            Kind::OpenCommit => "open commit",
            Kind::Orphan => "orphan",
            Kind::Foreign => "foreign",
            Kind::LeftBehind => "left behind",
            Kind::StrayLock => "stray lock",
        };
        write!(f, "{what}: {}", self.subject)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Tables.
    pub tables: u64,
    /// Files of tables.
    pub files: u64,
    /// Their rows, by the manifests.
    pub rows: u64,
    /// Their bytes, by the manifests.
    pub bytes: u64,
    /// What is not as it should be, most serious first.
    pub findings: Vec<Finding>,
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At names and sizes.
    Sizes,
    /// At every byte.
    Contents,
}

/// Compares a destination with its manifests.
///
/// # Errors
/// The destination fails, or its state cannot be read.
pub async fn verify(destination: &Destination, depth: Depth) -> Result<Verification, VerifyError> {
    let mut found = Verification::default();
    let open = open_commits(destination).await?;
    found.findings.extend(open.iter().map(|run_id| Finding {
        kind: Kind::OpenCommit,
        subject: format!("run {run_id}"),
        detail: "the next run, or `--repair`, finishes it".to_owned(),
    }));
    let snapshot = Snapshot::peek(destination).await?;
    for manifest in snapshot.manifests.values() {
        found.tables += 1;
        for file in &manifest.files {
            found.files += 1;
            found.rows += file.rows;
            found.bytes += file.bytes;
            // Of a commit that is not finished, files may still be on their way.
            if open.is_empty() {
                found.findings.extend(look_at(destination, manifest, file, depth).await?);
            }
        }
    }
    if open.is_empty() {
        found.findings.extend(strangers(destination, &snapshot).await?);
        found.findings.extend(left_behind(destination).await?);
    }
    found.findings.extend(stray_lock(destination).await?);
    found
        .findings
        .sort_by(|left, right| (left.kind, &left.subject).cmp(&(right.kind, &right.subject)));
    Ok(found)
}

/// Mends what can be mended without losing anything; tells what is left.
///
/// # Errors
/// The destination fails, or a run is at work.
pub async fn repair(destination: &Destination, depth: Depth) -> Result<Verification, VerifyError> {
    let owner = Owner::this_process(&RunId::at(Utc::now()), "flowlake verify --repair");
    let lock = Lock::acquire(destination, owner).await?;
    let repaired = repair_alone(destination, depth).await;
    lock.release().await;
    repaired?;
    verify(destination, depth).await
}

async fn repair_alone(destination: &Destination, depth: Depth) -> Result<(), VerifyError> {
    Snapshot::recover(destination, Utc::now()).await?;
    destination.remove_temporary_files().await?;
    for finding in verify(destination, depth).await?.findings {
        if matches!(finding.kind, Kind::Orphan | Kind::LeftBehind) {
            destination.delete(&stored(&finding.subject)).await?;
        }
    }
    Ok(())
}

async fn look_at(
    destination: &Destination,
    manifest: &Manifest,
    file: &DataFile,
    depth: Depth,
) -> Result<Option<Finding>, VerifyError> {
    let finding = |kind, detail: String| Finding { kind, subject: file.path.clone(), detail };
    let path = stored(&file.path);
    let Some(size) = destination.size(&path).await? else {
        return Ok(Some(finding(Kind::Missing, format!("it had {} rows", file.rows))));
    };
    if size != file.bytes {
        let detail = format!("it has {size} bytes and was written with {}", file.bytes);
        return Ok(Some(finding(Kind::Changed, detail)));
    }
    if depth == Depth::Sizes {
        return Ok(None);
    }
    let Some(content) = destination.get(&path).await? else {
        return Ok(Some(finding(Kind::Missing, String::new())));
    };
    let (schema, expected) = (manifest.schema.clone(), file.clone());
    let wrong = on_cpu(move || wrong_content(content, &schema, &expected)).await;
    Ok(wrong.map(|(kind, detail)| finding(kind, detail)))
}

fn wrong_content(content: Bytes, schema: &TableSchema, file: &DataFile) -> Option<(Kind, String)> {
    if blake3::hash(&content).to_hex().as_str() != file.blake3 {
        return Some((Kind::Changed, "its bytes are not those that were written".to_owned()));
    }
    let mut reader = ParquetReader::new(Cursor::new(content.clone()));
    let read = reader.num_rows().and_then(|rows| Ok((rows, reader.schema()?)));
    let (rows, columns) = match read {
        Ok(read) => read,
        Err(error) => return Some((Kind::Unreadable, error.to_string())),
    };
    if rows as u64 != file.rows {
        return Some((Kind::OtherRows, format!("it has {rows} and should have {}", file.rows)));
    }
    let columns = Schema::from_arrow_schema(&columns);
    let expected = schema.file_columns();
    let expected = expected.map(|it| (it.name.as_str(), polars_type(&it.column_type)));
    let actual = columns.iter().map(|(name, data_type)| (name.as_str(), data_type.clone()));
    if !expected.eq(actual) {
        return Some((Kind::OtherColumns, format!("it has {}", names(&columns))));
    }
    match statistics_of(content, file) {
        Ok(found) => {
            let other =
                found.iter().find(|(name, found)| file.statistics.get(*name) != Some(found));
            other.map(|(name, found)| (Kind::OtherValues, format!("`{name}` has {found:?}")))
        }
        Err(error) => Some((Kind::Unreadable, error.to_string())),
    }
}

/// The statistics of a file in the columns that the manifest tells of.
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
async fn strangers(
    destination: &Destination,
    snapshot: &Snapshot,
) -> Result<Vec<Finding>, VerifyError> {
    let manifests = || snapshot.manifests.values();
    let data = manifests().flat_map(|manifest| manifest.files.iter().map(|file| &file.path));
    let lines = manifests().flat_map(|manifest| manifest.quarantine.iter().map(|file| &file.path));
    let known: BTreeSet<&String> = data.chain(lines).collect();
    let mut directories: BTreeMap<Path, &'static str> = BTreeMap::new();
    directories.insert(Destination::own("quarantine"), ".jsonl.zst");
    directories.extend(
        manifests()
            .map(|manifest| (stored(&percent_encoded(manifest.schema.name.as_str())), ".parquet")),
    );
    let mut findings = Vec::new();
    for (directory, ending) in directories {
        for ListedFile { path, .. } in destination.list(&directory).await? {
            if known.contains(&path.to_string()) {
                continue;
            }
            let kind = if is_ours(&path, ending) { Kind::Orphan } else { Kind::Foreign };
            findings.push(Finding { kind, subject: path.to_string(), detail: String::new() });
        }
    }
    Ok(findings)
}

/// Whether a file is called as flowlake calls its files.
fn is_ours(path: &Path, ending: &str) -> bool {
    let name = path.filename().and_then(|name| name.strip_suffix(ending));
    name.is_some_and(|name| match ending {
        ".parquet" => name.split_once('-').is_some_and(|(number, run_id)| {
            number.len() >= 4 && number.parse::<u32>().is_ok() && run_id.parse::<RunId>().is_ok()
        }),
        _ => name.parse::<RunId>().is_ok(),
    })
}

/// Staged and half-written files, while no run is at work.
async fn left_behind(destination: &Destination) -> Result<Vec<Finding>, VerifyError> {
    let staged = destination.list(&Destination::own("staging")).await?;
    let is_used = lock::holder(destination).await?.is_some_and(|owner| {
        // Whoever repairs holds the lock, and stages nothing.
        owner.process != Owner::this_process(&owner.run_id, &owner.pipeline).process
            && !owner.is_gone()
    });
    if is_used {
        return Ok(Vec::new());
    }
    let left_behind = |subject| Finding { kind: Kind::LeftBehind, subject, detail: String::new() };
    let staged = staged.into_iter().map(|listed| left_behind(listed.path.to_string()));
    let half_written = destination.temporary_files().await?.into_iter();
    let half_written = half_written.map(|file| left_behind(file.display().to_string()));
    Ok(staged.chain(half_written).collect())
}

async fn stray_lock(destination: &Destination) -> Result<Option<Finding>, VerifyError> {
    let owner = lock::holder(destination).await?.filter(Owner::is_gone);
    Ok(owner.map(|owner| Finding {
        kind: Kind::StrayLock,
        subject: owner.to_string(),
        detail: "its process is gone; the next run takes it over".to_owned(),
    }))
}

fn stored(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}
