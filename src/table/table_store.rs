//! Table store: the tables of a destination, as its last commit left them, and the content of their files.
//!
//! Everything that reads or changes tables is a method of [`TableStore`], each group beside this file: `commit`,
//! `recovery`, `verify`. What depends on the format of the tables stands in `format`.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::{DataFrame, ParquetReader, PolarsError, SerReader};

use super::read::{read_manifest, read_snapshot};
use super::small_files::SmallFiles;
use super::snapshot::{SnapshotFile, TableEntry};
use super::{CommitError, DataFile, Manifest, Snapshot, layout};
use crate::exit_code::{ExitCode, Failure, advice};
use crate::normalise::{ConformError, conform};
use crate::schema::{TableName, TableSchema};
use crate::store::{Destination, DestinationError, ObjectVersion};

/// How many small files are read or written at once.
pub(super) const AT_ONCE: usize = 16;

/// The tables of a destination.
#[derive(Debug)]
pub struct TableStore {
    destination: Destination,
    /// The small files that were read once.
    small_files: SmallFiles,
}

/// Opens the tables of a destination.
#[must_use]
pub fn open(destination: &Destination) -> Arc<TableStore> {
    let destination = destination.clone();
    Arc::new(TableStore { destination, small_files: SmallFiles::default() })
}

impl TableStore {
    /// Where the tables are.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Reads the snapshot of the last visible commit, and its version. A destination without tables has that of commit 0.
    pub(super) async fn snapshot_file(&self) -> Result<(SnapshotFile, ObjectVersion), CommitError> {
        read_snapshot(&self.destination).await
    }

    /// Reads the manifest of a table in a snapshot.
    pub(super) async fn manifest(
        &self,
        table: &TableName,
        entry: &TableEntry,
    ) -> Result<Manifest, CommitError> {
        read_manifest(&self.destination, table, entry).await
    }

    /// Reads the tables as the last visible commit left them.
    pub(super) async fn committed(&self) -> Result<Snapshot, CommitError> {
        let (file, seen) = self.snapshot_file().await?;
        let reads: Vec<_> =
            file.tables.iter().map(|(table, entry)| self.manifest(table, entry)).collect();
        let manifests: Vec<Manifest> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut snapshot = Snapshot { file, seen, ..Snapshot::default() };
        snapshot.insert(manifests);
        Ok(snapshot)
    }

    /// Looks for the files of a table, without reading them.
    ///
    /// # Errors
    /// A file is missing or has another size, or the destination fails.
    pub async fn refuse_lost_files(&self, manifest: &Manifest) -> Result<(), ReadError> {
        let directory = layout::data_directory(&manifest.schema);
        let listed = self.destination.list(&directory).await?;
        let sizes: HashMap<&str, u64> =
            listed.iter().map(|file| (file.path.as_ref(), file.bytes)).collect();
        for file in &manifest.files {
            match sizes.get(file.path.as_str()) {
                None => return Err(ReadError::Missing { path: file.path.clone() }),
                Some(bytes) if *bytes != file.bytes => {
                    return Err(ReadError::Changed { path: file.path.clone() });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Reads a data file.
    ///
    /// # Errors
    /// It is missing, changed, or the destination fails.
    pub async fn read(&self, file: &DataFile) -> Result<FileContent, ReadError> {
        if let Some(content) = self.small_files.take(&file.path) {
            return Ok(FileContent { path: file.path.clone(), content });
        }
        let content = self.destination.get(&layout::recorded(&file.path)).await?;
        let content = content.ok_or_else(|| ReadError::Missing { path: file.path.clone() })?;
        // What is read is written again, so a file that has changed would pass for a sound one from then on.
        if blake3::hash(&content).to_hex().as_str() != file.blake3 {
            return Err(ReadError::Changed { path: file.path.clone() });
        }
        self.small_files.keep(&file.path, &content);
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
    /// The file is not the one that was written.
    #[error("a file of the table has changed since it was written: `{path}`")]
    Changed {
        /// The file.
        path: String,
    },
    /// The file cannot be read.
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
            Self::Missing { .. } | Self::Changed { .. } | Self::Unreadable { .. } => {
                ExitCode::Destination
            }
            Self::Conform(error) => error.exit_code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.help(),
            Self::Missing { .. } | Self::Changed { .. } | Self::Unreadable { .. } => {
                Some(advice::LOST_FILES.to_owned())
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
        let rows = self.reader().with_columns(columns).finish();
        Ok(conform(&rows.map_err(|source| self.unreadable(source))?, schema)?)
    }

    /// The rows of one row group after the other, so that not all of them are in memory at once.
    ///
    /// # Errors
    /// The file is damaged, or its rows do not fit the schema.
    pub fn row_groups(
        &self,
        schema: &TableSchema,
    ) -> Result<impl Iterator<Item = Result<DataFrame, ReadError>>, ReadError> {
        let metadata = self.reader().get_metadata().cloned();
        let metadata = metadata.map_err(|source| self.unreadable(source))?;
        let (mut groups, mut first) = (Vec::new(), 0);
        for group in &metadata.row_groups {
            groups.push((first, group.num_rows()));
            first += group.num_rows();
        }
        Ok(groups.into_iter().map(move |group| {
            let rows = self.reader().with_slice(Some(group)).finish();
            Ok(conform(&rows.map_err(|source| self.unreadable(source))?, schema)?)
        }))
    }

    fn reader(&self) -> ParquetReader<Cursor<Bytes>> {
        ParquetReader::new(Cursor::new(self.content.clone()))
    }

    fn unreadable(&self, source: PolarsError) -> ReadError {
        ReadError::Unreadable { path: self.path.clone(), source }
    }
}
