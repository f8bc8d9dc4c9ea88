//! Why the state of a destination could not be read or changed.

use object_store::path::Path;

use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::RunId;
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
    /// A state cannot be written as JSON.
    #[error("cannot write the state of the destination as JSON: {0}")]
    Unwritable(serde_json::Error),
    /// The commit needs a file name that is too long.
    #[error(transparent)]
    Name(#[from] PathTooLong),
    /// A staged file cannot be published.
    #[error(transparent)]
    Publish(PublishError),
    /// An intent names a file that is neither in staging nor published.
    #[error("cannot finish the commit of run {run_id}: `{target}` is neither staged nor published")]
    Lost {
        /// The run.
        run_id: RunId,
        /// The file.
        target: String,
    },
}

impl Failure for CommitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Name(_) => ExitCode::Export,
            Self::Destination(_)
            | Self::Publish(_)
            | Self::Unreadable { .. }
            | Self::Unwritable(_)
            | Self::Lost { .. } => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Destination(_) => {
                "check that the destination exists, has room, and lets this user write; \
                 if the commit had begun, the next run finishes it"
            }
            Self::Publish(error) => return error.help(),
            Self::Unreadable { .. } | Self::Lost { .. } => advice::CHANGED_BY_HAND,
            Self::Unwritable(_) => advice::REPORT_A_BUG,
            Self::Name(_) => {
                "partition by a column with short values or by a date, or give the table a shorter name; \
                 the tables are as they were"
            }
        };
        Some(help.to_owned())
    }
}
