//! What a verification finds.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::exit_code::{ExitCode, Failure, advice};
use crate::landing::ArchiveError;
use crate::store::{Destination, DestinationError};
use crate::table::lock::LockError;
use crate::table::{CommitError, layout};

/// A destination cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its state cannot be read, or an open commit cannot be finished.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A kept export cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A run holds the lock, so nothing can be repaired.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Failure for VerifyError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lock(error) => error.exit_code(),
            Self::Commit(error) => error.exit_code(),
            Self::Archive(error) => error.exit_code(),
            Self::Destination(_) => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Lock(LockError::Held { .. }) => {
                "verify without `--repair`, or when the run has ended"
            }
            Self::Commit(error) => return error.help(),
            Self::Archive(error) => return error.help(),
            Self::Lock(_) | Self::Destination(_) => "check that the destination can be read",
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

impl Finding {
    pub(super) fn new(
        kind: FindingKind,
        subject: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, subject: subject.to_string(), detail: detail.into() }
    }
}

/// The kinds of findings, most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A file is gone.
    Missing,
    /// A file is not the one that was written.
    Changed,
    /// A file is damaged.
    Unreadable,
    /// A file is from a newer flowlake.
    Newer,
    /// The snapshot is older than the last commit.
    Behind,
    /// A data file does not have the columns of its table.
    WrongColumns,
    /// A data file does not have as many rows as its manifest says.
    WrongRowCount,
    /// The minimum or maximum of a column is not what the manifest says.
    WrongStatistics,
    /// The log of a table names other files than its manifest.
    WrongLog,
    /// A commit was begun and not finished.
    OpenCommit,
    /// A file that flowlake wrote and nothing refers to.
    Orphan,
    /// A file that flowlake did not write.
    Foreign,
    /// An old file that cannot be read, and that no table depends on.
    DamagedArchive,
    /// A staged or partly written file of a run that is over.
    Temporary,
    /// The lock of a run that is gone.
    StaleLock,
}

impl Finding {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        let is_of_quarantine = self.kind.is_damage() && self.is_of_quarantine();
        if is_of_quarantine { Some(advice::LOST_QUARANTINE) } else { self.kind.help() }
    }

    /// Whether it is about records that wait, and not about rows of a table.
    pub(super) fn is_of_quarantine(&self) -> bool {
        layout::is_of_quarantine(&self.subject)
    }
}

impl FindingKind {
    /// Whether rows are lost or wrong, or may be.
    #[must_use]
    pub fn is_damage(self) -> bool {
        self <= Self::WrongLog
    }

    fn help(self) -> Option<&'static str> {
        Some(match self {
            Self::Missing | Self::Changed | Self::Unreadable => {
                "restore these files from a backup; without one, `--repair` writes the snapshot again, `--rebuild` shows \
                 the tables without the files that are gone, and `flowlake run --again` loads a table that is replaced"
            }
            Self::Newer => "use the flowlake that wrote it, or a later one",
            Self::Behind => {
                "restore the whole destination, or let `--repair` take the newest state whose files are all there"
            }
            Self::WrongColumns | Self::WrongRowCount | Self::WrongStatistics => {
                "restore the file and the manifest of its table from the same backup"
            }
            Self::WrongLog => {
                "restore the whole destination from a backup, or write the logs again from the manifests: \
                 `flowlake convert --to parquet`, then `--to delta`"
            }
            Self::OpenCommit => "`flowlake recover` finishes the commit, and so does the next run",
            Self::Orphan => {
                "`--repair` moves orphans to `_flowlake/aside`, out of the readers' way, once nothing is missing"
            }
            Self::Foreign => "move foreign files out of the directories of tables",
            Self::Temporary | Self::StaleLock => {
                "`--repair` deletes what is left of runs that are over"
            }
            Self::DamagedArchive => return None,
        })
    }

    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::Newer => "newer",
            Self::Behind => "behind",
            Self::WrongColumns => "wrong columns",
            Self::WrongRowCount => "wrong row count",
            Self::WrongStatistics => "wrong statistics",
            Self::WrongLog => "wrong log",
            Self::OpenCommit => "open commit",
            Self::Orphan => "orphan",
            Self::Foreign => "foreign",
            Self::DamagedArchive => "damaged archive",
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
    /// The commit that was looked at.
    pub sequence: u64,
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
    /// The parts of `_flowlake` that were not looked at, since this user may not read them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_looked_at: Vec<&'static str>,
}

/// How much of each file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyDepth {
    /// Name and size.
    Sizes,
    /// Every byte.
    Contents,
}

/// The size of every file of a destination, by path.
pub(super) type Sizes = BTreeMap<String, u64>;

/// The finding for a file of flowlake's own that cannot be read.
///
/// # Errors
/// The destination failed, or is of a form that cannot be verified.
pub(super) fn finding_of(
    destination: &Destination,
    error: CommitError,
) -> Result<Finding, VerifyError> {
    let finding = match &error {
        CommitError::SnapshotLost { trace } => {
            let detail = format!("there were commits: {trace}");
            Finding::new(FindingKind::Missing, layout::snapshot(destination), detail)
        }
        CommitError::SnapshotBehind { snapshot, commit } => {
            let detail = format!("it is of commit {snapshot}, and commit {commit} is over");
            Finding::new(FindingKind::Behind, layout::snapshot(destination), detail)
        }
        CommitError::ManifestLost { table, path } => {
            Finding::new(FindingKind::Missing, path, format!("the manifest of {table}"))
        }
        CommitError::OtherManifest { table, path } => {
            let detail = format!("it is not the manifest of {table} that was committed");
            Finding::new(FindingKind::Changed, path, detail)
        }
        CommitError::Unreadable { path, source } => {
            Finding::new(FindingKind::Unreadable, path, source.to_string())
        }
        CommitError::LogLost { table } => {
            let detail = format!("the log of {table}, or its last versions");
            Finding::new(FindingKind::Missing, layout::log_directory(table), detail)
        }
        CommitError::DamagedLog { path, reason } => {
            Finding::new(FindingKind::Unreadable, path, reason)
        }
        CommitError::Newer { path, version, .. } => {
            Finding::new(FindingKind::Newer, path, format!("version {version}"))
        }
        _ => return Err(error.into()),
    };
    Ok(finding)
}
