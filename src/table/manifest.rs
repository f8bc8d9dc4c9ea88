//! Manifest: the schema and the live files of a table after its last commit.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::decode::RecordsAt;
use crate::landing::ExportHash;
use crate::schema::{InvalidPartitionKey, PartitionKey, RunId, TableSchema};
use crate::table::json::Versioned;
use crate::table::quarantine::QuarantineFile;
use crate::write::StagedFile;
use crate::write::statistics::Statistics;

/// A table's schema and live files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredManifest")]
pub struct Manifest {
    /// The version of the file format.
    pub version: u32,
    /// The run that wrote it.
    pub run_id: RunId,
    /// The table's columns and where they come from.
    pub schema: TableSchema,
    /// Where its records were in the last export, for a table without a parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordsAt>,
    /// How many records the last export had, for a table without a parent.
    pub received: u64,
    /// The live data files. A manifest and the one that follows it share the files that both have.
    #[serde(serialize_with = "each")]
    pub files: Vec<Arc<DataFile>>,
    /// The quarantine files with records that have not loaded yet, for a table without a parent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<QuarantineFile>,
    /// The exports that it has loaded: all of them with `append`, otherwise the last one.
    pub exports: Vec<TakenExport>,
    /// Files of it, or of its parent, child or history, were lost: it may have rows that belong to none, which a merge
    /// looks for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_incomplete: bool,
    /// What this flowlake does not know, and keeps.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// An export that a table has loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenExport {
    /// The hash of the export.
    pub hash: ExportHash,
    /// The hash of what the definition said of it at that time.
    pub definition: String,
    /// How many of its records of the table went to quarantine.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// It was of a window, or loaded again: records that it does not have were not deleted, or not all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

fn each<S: Serializer>(files: &[Arc<DataFile>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| &**file))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Its path in the destination.
    pub path: String,
    /// Its partition. JSON has the directory.
    pub partition: PartitionKey,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
    /// Minimum and maximum of columns, so readers can skip files. Early manifests have none.
    #[serde(skip_serializing_if = "Statistics::is_empty")]
    pub statistics: Statistics,
}

/// A manifest as JSON has it. Its partitions are directories, which the schema tells how to parse.
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
    #[serde(default)]
    is_incomplete: bool,
    #[serde(flatten)]
    unknown: Map<String, Value>,
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
            Ok(Arc::new(DataFile { path, partition, rows, bytes, blake3, statistics }))
        });
        let files = files.collect::<Result<_, _>>()?;
        let StoredManifest { exports, is_incomplete, unknown, .. } = stored;
        Ok(Self {
            version,
            run_id,
            schema,
            records,
            received,
            files,
            quarantine,
            exports,
            is_incomplete,
            unknown,
        })
    }
}

impl Versioned for Manifest {
    const VERSION: u32 = 2;
}

impl TakenExport {
    /// Whether it is the same export, loaded under the same definition.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.hash == other.hash && self.definition == other.definition
    }
}

impl DataFile {
    /// Whether it has rows. A table without any has one file, which tells readers its columns.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        self.rows > 0
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
    /// The version that this flowlake writes.
    pub const VERSION: u32 = <Self as Versioned>::VERSION;

    /// The live data files.
    pub fn data_files(&self) -> impl Iterator<Item = &DataFile> {
        self.files.iter().map(|file| &**file)
    }

    /// The number of rows in all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}
