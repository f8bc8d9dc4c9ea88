//! Plain Parquet tables: the snapshot names the manifest of each table, the manifest its live files, and readers may glob.

mod publish;
mod read;

use async_trait::async_trait;

use super::small_files::SmallFiles;
use super::snapshot::{SnapshotFile, TableEntry};
use super::{CommitError, CommitOutcome, Intent, Manifest, TableStore};
use crate::schema::TableName;
use crate::store::{Destination, ObjectVersion};

/// The plain Parquet tables of a destination.
#[derive(Debug)]
pub(super) struct ParquetTables {
    destination: Destination,
    small_files: SmallFiles,
}

impl ParquetTables {
    pub(super) fn new(destination: Destination) -> Self {
        Self { destination, small_files: SmallFiles::default() }
    }
}

#[async_trait]
impl TableStore for ParquetTables {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    fn small_files(&self) -> &SmallFiles {
        &self.small_files
    }

    async fn snapshot_file(&self) -> Result<(SnapshotFile, ObjectVersion), CommitError> {
        read::read_snapshot(&self.destination).await
    }

    async fn manifest(
        &self,
        table: &TableName,
        entry: &TableEntry,
    ) -> Result<Manifest, CommitError> {
        read::read_manifest(&self.destination, table, entry).await
    }

    async fn roll_forward(
        &self,
        sequence: u64,
        intent: &Intent,
        before: Option<ObjectVersion>,
    ) -> Result<CommitOutcome, CommitError> {
        publish::roll_forward(&self.destination, sequence, intent, before).await
    }
}
