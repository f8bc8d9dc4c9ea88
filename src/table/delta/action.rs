//! The actions of a Delta log, as the protocol of Delta Lake names them. A log file has one a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::SmallMap;

/// The values of the partition columns of a file.
pub(super) type PartitionValues = SmallMap<Option<String>>;

/// One action, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    CommitInfo(CommitInfo),
    Protocol(Protocol),
    MetaData(Box<MetaData>),
    Txn(Txn),
    Remove(Remove),
    Add(Add),
}

/// A line of a log file, as it is read. What is none of these is no matter of ours.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) protocol: Option<Protocol>,
    pub(super) meta_data: Option<Box<MetaData>>,
    pub(super) txn: Option<Txn>,
    pub(super) remove: Option<Remove>,
    pub(super) add: Option<Add>,
}

/// Who wrote a version, when and why; for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitInfo {
    pub(super) timestamp: i64,
    pub(super) operation: &'static str,
    pub(super) operation_parameters: BTreeMap<String, String>,
    pub(super) engine_info: String,
    pub(super) run_id: String,
}

/// What a reader and a writer have to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) writer_features: Option<Vec<String>>,
}

/// The columns of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) format: FileFormat,
    /// JSON in a text.
    pub(super) schema_string: String,
    pub(super) partition_columns: Vec<String>,
    pub(super) configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_time: Option<i64>,
}

/// The format of the data files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileFormat {
    pub(super) provider: String,
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// How far a writer has come, by a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    pub(super) version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<i64>,
}

/// A file that the table has from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    /// Relative to the table, as a URI has it.
    pub(super) path: String,
    pub(super) partition_values: PartitionValues,
    pub(super) size: i64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    /// JSON in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stats: Option<String>,
}

/// A file that the table has no more. It stays where it is until it is vacuumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion_timestamp: Option<i64>,
    pub(super) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partition_values: Option<PartitionValues>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<i64>,
}

/// A feature that no other writer knows. Others read such a table, and refuse to write to it: a file that they remove or
/// compact would be missing from the manifest.
const FENCE: &str = "flowlake";

impl Protocol {
    /// Everyone reads, only flowlake writes.
    pub(super) fn of_flowlake() -> Self {
        let writer_features = Some(vec![FENCE.to_owned()]);
        Self { min_reader_version: 1, min_writer_version: 7, writer_features }
    }
}
