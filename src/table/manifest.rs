//! The manifest: what a table is, as its last commit left it.

use serde::{Deserialize, Serialize};

use crate::decode::RecordsAt;
use crate::landing::ExportHash;
use crate::schema::{InvalidPartitionKey, PartitionKey, RunId, TableSchema};
use crate::table::quarantine::QuarantineFile;
use crate::write::StagedFile;
use crate::write::statistics::Statistics;

/// A table's schema and live files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredManifest")]
pub struct Manifest {
    /// The form of this file.
    pub version: u32,
    /// The run that wrote it.
    pub run_id: RunId,
    /// The table's columns and where they come from.
    pub schema: TableSchema,
    /// Where in the export its records were found, for a table without a parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordsAt>,
    /// How many records the last export had for it, for a table without a parent.
    pub received: u64,
    /// The files that are the table.
    pub files: Vec<DataFile>,
    /// The records that the table should have and does not take, for a table without a parent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<QuarantineFile>,
    /// The exports whose rows are in it: the last one of a table that is replaced, all of one that is
    /// appended to.
    pub exports: Vec<TakenExport>,
}

/// An export that a table has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenExport {
    /// The export's content.
    pub hash: ExportHash,
    /// What the definition said of tables then, hashed.
    pub definition: String,
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Where it is, relative to the destination.
    pub path: String,
    /// Its partition, kept as the directory.
    pub partition: PartitionKey,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
    /// What it holds in the columns that rows are found by; nothing in manifests from before there were any.
    #[serde(skip_serializing_if = "Statistics::is_empty")]
    pub statistics: Statistics,
}

/// A manifest as JSON has it: what a partition's directory means, the schema says.
#[derive(Deserialize)]
struct StoredManifest {
    version: u32,
    run_id: RunId,
    schema: TableSchema,
    #[serde(default)]
    records: Option<RecordsAt>,
    #[serde(default)]
    received: u64,
    files: Vec<StoredFile>,
    #[serde(default)]
    quarantine: Vec<QuarantineFile>,
    exports: Vec<TakenExport>,
}

#[derive(Deserialize)]
struct StoredFile {
    path: String,
    partition: String,
    rows: u64,
    bytes: u64,
    blake3: String,
    #[serde(default)]
    statistics: Statistics,
}

impl TryFrom<StoredManifest> for Manifest {
    type Error = InvalidPartitionKey;

    fn try_from(stored: StoredManifest) -> Result<Self, Self::Error> {
        let StoredManifest { version, run_id, schema, records, received, quarantine, .. } = stored;
        let files = stored.files.into_iter().map(|file| {
            let StoredFile { path, rows, bytes, blake3, statistics, .. } = file;
            let partition = PartitionKey::parse(&file.partition, &schema.partition_by)?;
            Ok(DataFile { path, partition, rows, bytes, blake3, statistics })
        });
        let (files, exports) = (files.collect::<Result<_, _>>()?, stored.exports);
        Ok(Self { version, run_id, schema, records, received, files, quarantine, exports })
    }
}

impl From<StagedFile> for DataFile {
    fn from(file: StagedFile) -> Self {
        Self {
            path: file.target.to_string(),
            partition: file.partition,
            rows: file.rows,
            bytes: file.bytes,
            blake3: file.hash,
            statistics: file.statistics,
        }
    }
}

impl Manifest {
    /// The form of manifests that this flowlake writes.
    pub const VERSION: u32 = 1;

    /// The rows of all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}
