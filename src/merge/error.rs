//! Why an export could not be compared with its tables.

use polars::prelude::PolarsError;

use crate::table::ReadError;
use crate::write::spill::SpillError;

/// An export could not be compared with its tables.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A data file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The rows of the export cannot be read back from local disk.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Rows do not have the columns of their schema.
    #[error(transparent)]
    Frame(#[from] PolarsError),
}
