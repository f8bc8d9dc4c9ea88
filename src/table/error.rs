//! Why the state of a destination could not be read or changed.

use object_store::path::Path;

use crate::schema::RunId;
use crate::store::{DestinationError, NameTooLong};

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
    Name(#[from] NameTooLong),
    /// An intent names a file that is neither in staging nor published.
    #[error("cannot finish the commit of run {run_id}: `{target}` is neither staged nor published")]
    Lost {
        /// The run.
        run_id: RunId,
        /// The file.
        target: String,
    },
}
