//! Table store: how tables of one format are read and changed.
//!
//! A format supplies three things; the rest is the same for every format and stands beside this file.
//!
//! | a format supplies | shared |
//! |---|---|
//! | [`committed`](TableStore::committed): which files are live | `snapshot`, [`Snapshot`] with the files of every partition |
//! | [`roll_forward`](TableStore::roll_forward): how an intent becomes visible | `commit` and `recover`, which create intents and finish them |
//! | [`read`](TableStore::read): the content of a data file | `verify`, `repair` |

use std::fmt::Debug;
use std::io::Cursor;

use async_trait::async_trait;
use bytes::Bytes;
use polars::prelude::{DataFrame, ParquetReader, PolarsError, SerReader};

use super::{CommitError, DataFile, Intent, Snapshot, layout};
use crate::exit_code::{ExitCode, Failure, advice};
use crate::normalise::{ConformError, conform};
use crate::schema::TableSchema;
use crate::store::{Destination, DestinationError};

/// The tables of a destination, in one format.
#[async_trait]
pub trait TableStore: Debug + Send + Sync {
    /// Where the tables are.
    fn destination(&self) -> &Destination;

    /// Reads the tables and the state as the last finished commit left them.
    async fn committed(&self) -> Result<Snapshot, CommitError>;

    /// Makes the changes of an intent visible and closes its commit.
    ///
    /// It may be repeated, in whole or from any point, also after another run has finished the commit and later ones.
    async fn roll_forward(&self, sequence: u64, intent: &Intent) -> Result<(), CommitError>;

    /// Reads a data file.
    async fn read(&self, file: &DataFile) -> Result<FileContent, ReadError> {
        let content = self.destination().get(&layout::recorded(&file.path)).await?;
        let content = content.ok_or_else(|| ReadError::Missing { path: file.path.clone() })?;
        Ok(FileContent { path: file.path.clone(), content })
    }
}

/// A data file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The manifest names the file, and it is gone.
    #[error("a file of the table is missing: `{path}`")]
    Missing {
        /// The file.
        path: String,
    },
    /// The file is damaged.
    #[error("cannot read a file of the table: `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What polars said.
        source: PolarsError,
    },
    /// Its rows do not fit the schema that the table has now.
    #[error(transparent)]
    Conform(#[from] ConformError),
}

impl Failure for ReadError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Destination(error) => error.exit_code(),
            Self::Missing { .. } | Self::Unreadable { .. } => ExitCode::Destination,
            Self::Conform(error) => error.exit_code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.help(),
            Self::Missing { .. } | Self::Unreadable { .. } => {
                Some(advice::CHANGED_BY_HAND.to_owned())
            }
            Self::Conform(error) => error.help(),
        }
    }
}

/// The bytes of a data file.
#[derive(Debug, Clone)]
pub struct FileContent {
    path: String,
    content: Bytes,
}

impl FileContent {
    /// The rows, with the columns and types of `schema`. With `columns`, all other columns are null.
    ///
    /// # Errors
    /// The file is damaged, or its rows do not fit the schema.
    pub fn rows(
        &self,
        schema: &TableSchema,
        columns: Option<Vec<String>>,
    ) -> Result<DataFrame, ReadError> {
        let rows = ParquetReader::new(Cursor::new(self.content.clone()))
            .with_columns(columns)
            .finish()
            .map_err(|source| ReadError::Unreadable { path: self.path.clone(), source })?;
        Ok(conform(&rows, schema)?)
    }
}
