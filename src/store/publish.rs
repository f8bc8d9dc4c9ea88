//! Publishing: moves staged files to the names under which tables have them.

use object_store::path::Path;

use super::destination::Destination;
use super::error::DestinationError;
use crate::exit_code::{ExitCode, Failure, advice};

/// The move of a file from staging to its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMove {
    /// Where it is.
    pub staged: Path,
    /// Where it belongs.
    pub target: Path,
    /// Its size.
    pub bytes: u64,
}

/// Files cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The file is neither in staging nor at its target.
    #[error("`{target}` is neither staged nor published in the destination {destination}")]
    Lost {
        /// Where it belongs.
        target: Path,
        /// The destination.
        destination: String,
    },
    /// There is another file at the target. It is as it was.
    #[error(
        "cannot publish `{target}` in the destination {destination}: another file, of {found} bytes, is there; \
         the one to publish has {bytes}"
    )]
    Taken {
        /// The name.
        target: Path,
        /// The destination.
        destination: String,
        /// The size of the file that is there.
        found: u64,
        /// The size of the file to publish.
        bytes: u64,
    },
}

impl Failure for PublishError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Destination
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.help(),
            Self::Lost { .. } | Self::Taken { .. } => Some(advice::CHANGED_BY_HAND.to_owned()),
        }
    }
}

impl Destination {
    /// Moves staged files to their targets, many at once. It may be repeated after it was interrupted at any point.
    ///
    /// # Errors
    /// The store fails, a file is lost, or there is another file at a target.
    pub async fn publish_all(&self, moves: &[FileMove]) -> Result<(), PublishError> {
        for FileMove { staged, target, bytes } in moves {
            if self.size(staged).await?.is_some() {
                self.rename(staged, target).await?;
            } else if self.size(target).await? != Some(*bytes) {
                let (target, destination) = (target.clone(), self.shown.clone());
                return Err(PublishError::Lost { target, destination });
            }
        }
        Ok(())
    }
}
