//! Why a destination cannot be shared as a definition asks for.

use crate::exit_code::{ExitCode, Failure};
use crate::schema::Slice;

/// A destination cannot be shared as a definition asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// Another pipeline writes a slice.
    #[error("the slice `{slice}` is written by the pipeline `{owner}`")]
    SliceTaken {
        /// The slice.
        slice: Slice,
        /// The pipeline.
        owner: String,
    },
    /// Tables of one pipeline are where others would be shared.
    #[error("the tables of this destination are written by pipelines that share none")]
    NotShared,
    /// Several pipelines share the destination, and none of them was named.
    #[error("the tables of this destination are shared by the pipelines {}", .pipelines.join(", "))]
    Shared {
        /// The pipelines.
        pipelines: Vec<String>,
    },
}

impl Failure for SharingError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::SliceTaken { .. } => {
                "give `destination.slice` another value, or the pipeline the name that it had: \
                 each slice is written by one pipeline"
            }
            Self::NotShared => {
                "leave `destination.slice` out, or give the pipeline another destination"
            }
            Self::Shared { .. } => {
                "give the definition of one of them; a definition for this destination has \
                 `destination.slice`"
            }
        };
        Some(help.to_owned())
    }
}
