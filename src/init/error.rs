//! Why no definition can be proposed.

use polars::prelude::PolarsError;

use super::output::OutputError;
use super::saved::SavedExportError;
use crate::decode::{DecodeError, SplitError};
use crate::definition::Problems;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::infer::SchemaError;

/// No definition can be proposed.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The export cannot be read.
    #[error("the export cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is not an export.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A record of it is not JSON.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// No schemas follow from its values.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Its rows could not be built.
    #[error("could not build rows from the export: {0}")]
    Frame(#[from] PolarsError),
    /// The definition that was made of it has mistakes.
    #[error("the proposed definition has mistakes: {0}")]
    Mistaken(#[from] Problems),
    /// A saved export cannot be opened, or is none.
    #[error(transparent)]
    Saved(#[from] SavedExportError),
    /// The definition cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure for InitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Mistaken(_) => ExitCode::Unexpected,
            Self::Saved(error) => error.exit_code(),
            Self::Output(error) => error.exit_code(),
            Self::Unreadable(_)
            | Self::Split(_)
            | Self::Decode(_)
            | Self::Schema(_)
            | Self::Frame(_) => ExitCode::Export,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Schema(error) => error.help(),
            Self::Saved(error) => error.help(),
            Self::Output(error) => error.help(),
            Self::Split(SplitError::RecordTooLarge { .. }) => Some(
                "a run refuses it too: leave that record out of a saved export, and raise the limit in the definition \
                 that is made of the others"
                    .to_owned(),
            ),
            Self::Mistaken(_) => Some(advice::REPORT_A_BUG.to_owned()),
            Self::Unreadable(_) | Self::Split(_) | Self::Decode(_) | Self::Frame(_) => {
                Some("give a whole export, as the API sent it".to_owned())
            }
        }
    }
}
