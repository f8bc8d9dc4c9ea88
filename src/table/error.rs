//! Why the state of a destination could not be read or changed.

use object_store::path::Path;

use super::sharing_error::SharingError;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::TableName;
use crate::store::{DestinationError, PathTooLong, PublishError};

/// A commit or a recovery failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// One of flowlake's own files is damaged.
    #[error("cannot read `{path}` in the destination: {source}")]
    Unreadable {
        /// The file.
        path: Path,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// One of flowlake's own files is from a newer flowlake.
    #[error("`{path}` was written by a newer flowlake: version {version}, known is {known}")]
    Newer {
        /// The file.
        path: Path,
        /// Its version.
        version: u32,
        /// The version that this flowlake knows.
        known: u32,
    },
    /// The destination is from before there were snapshots.
    #[error("`{path}` is from an early flowlake, whose destinations this one does not read")]
    OldFormat {
        /// The file that tells.
        path: Path,
    },
    /// The snapshot is gone, and there were commits.
    #[error("`_flowlake/snapshot.json` is missing, although there were commits: `{trace}`")]
    SnapshotLost {
        /// The file that tells.
        trace: Path,
    },
    /// The snapshot is older than the commits.
    #[error(
        "the snapshot is of commit {snapshot}, and commit {commit} is over: an older `_flowlake/snapshot.json` was restored"
    )]
    SnapshotBehind {
        /// The commit of the snapshot.
        snapshot: u64,
        /// The later commit.
        commit: u64,
    },
    /// A manifest is gone.
    #[error("the manifest of `{table}` is missing: `{path}`")]
    ManifestLost {
        /// The table.
        table: TableName,
        /// The manifest.
        path: Path,
    },
    /// A manifest is not the one that was committed.
    #[error("the manifest of `{table}` is not the one that was committed: `{path}`")]
    OtherManifest {
        /// The table.
        table: TableName,
        /// The manifest.
        path: Path,
    },
    /// A table has lost files that it needs.
    #[error("`{table}` has lost {files} of its files, such as `{first}`")]
    LostFiles {
        /// The table.
        table: TableName,
        /// How many files.
        files: usize,
        /// One of them.
        first: String,
    },
    /// A new table would begin among files of another one.
    #[error(
        "{} has {files} data files that its manifest does not name, such as `{first}`",
        if *.is_new { format!("`{table}` is a new table, and its directory") } else { format!("the directory of `{table}`") }
    )]
    UnknownFiles {
        /// The table.
        table: TableName,
        /// No commit has had it.
        is_new: bool,
        /// How many files.
        files: usize,
        /// One of them.
        first: String,
    },
    /// The log of a table is gone.
    #[error("the log of `{table}` is gone, or its last versions are: `{table}/_delta_log`")]
    LogLost {
        /// The table.
        table: TableName,
    },
    /// A file of a log cannot be read.
    #[error("the log of a table is damaged at `{path}`: {reason}")]
    DamagedLog {
        /// The file.
        path: Path,
        /// What is wrong with it.
        reason: String,
    },
    /// Another writer has changed a table.
    #[error(
        "the log of `{table}` has files or columns in version {version} that flowlake did not write"
    )]
    OtherLog {
        /// The table.
        table: TableName,
        /// The version.
        version: u64,
    },
    /// Pipelines that share tables cannot agree.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// What a commit looks at first is not as it should be, so there was none.
    #[error(transparent)]
    Unbegun(Box<CommitError>),
    /// A staged file of this run is gone before its commit.
    #[error("the staged file of `{target}` is gone, or is not complete")]
    StagingLost {
        /// Where it would have been published.
        target: String,
    },
    /// A state cannot be written as JSON.
    #[error("cannot write the state of the destination as JSON: {0}")]
    Unwritable(serde_json::Error),
    /// The commit needs a file name that is too long.
    #[error(transparent)]
    Name(#[from] PathTooLong),
    /// A file of the commit cannot be published.
    #[error("cannot finish a commit: {0}")]
    Publish(#[from] PublishError),
}

impl CommitError {
    /// Whether it came before the intent, so that nothing has changed.
    #[must_use]
    pub fn left_no_intent(&self) -> bool {
        matches!(
            self,
            Self::Name(_)
                | Self::LostFiles { .. }
                | Self::UnknownFiles { .. }
                | Self::StagingLost { .. }
                | Self::Unbegun(_)
        )
    }
}

impl Failure for CommitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Name(_) => ExitCode::Export,
            Self::Unbegun(error) => error.exit_code(),
            Self::Sharing(error) => error.exit_code(),
            _ => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Destination(error) if error.is_understood() => return error.help(),
            Self::Destination(_) => {
                "check that the destination exists, has room, and lets this user write; \
                 if the commit had begun, the next run finishes it"
            }
            Self::Publish(error) => return error.help(),
            Self::Unbegun(error) => return error.help(),
            Self::Sharing(error) => return error.help(),
            Self::Unreadable { .. } => advice::CHANGED_BY_HAND,
            Self::Newer { .. } => "use that flowlake, or a later one",
            Self::OldFormat { .. } => {
                "give the pipeline another destination and load the source again; \
                 the exports that were kept are in `_flowlake/landing`"
            }
            Self::SnapshotLost { .. } => {
                "write it again from the record of the last commit with `flowlake verify --repair`, \
                 or restore `_flowlake` from a backup; the data files are as they were"
            }
            Self::ManifestLost { .. } | Self::OtherManifest { .. } => {
                "restore it from a backup, or look at what `flowlake verify --rebuild` makes of the data files; \
                 these are as they were"
            }
            Self::SnapshotBehind { .. } => {
                "restore the whole destination, or let `flowlake verify --repair` take the newest state whose files \
                 are all there; it moves other data files aside"
            }
            Self::LostFiles { .. } => advice::LOST_FILES,
            Self::UnknownFiles { is_new: false, .. } => {
                "`flowlake verify` names them, and `flowlake verify --repair` moves them aside if they are not needed; \
                 if an older `_flowlake` was restored, restore the one of the time of the data files; the tables are as they were"
            }
            Self::UnknownFiles { is_new: true, .. } => {
                "move them away if they are not needed, give the table another name, or restore `_flowlake` if it was lost; \
                 the tables are as they were"
            }
            Self::LogLost { .. } | Self::DamagedLog { .. } => {
                "restore it from a backup, or write the logs again from the manifests: `flowlake convert --to parquet`, then \
                 `--to delta`; the manifests and the data files are as they were"
            }
            Self::OtherLog { .. } => {
                "a table is written by flowlake alone: restore the version before, or take what it has now as another \
                 table; `flowlake verify` tells the differences"
            }
            Self::StagingLost { .. } => "the tables are as they were; run it again",
            Self::Unwritable(_) => advice::REPORT_A_BUG,
            Self::Name(_) => {
                "partition by a column with short values or by a date, or give the table a shorter name; \
                 the tables are as they were"
            }
        };
        Some(help.to_owned())
    }
}
