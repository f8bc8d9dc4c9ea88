//! Snapshot: the tables of a destination as one commit left them.
//!
//! `snapshot.json` is the one file that names them all. Replacing it is the moment at which a commit becomes visible to
//! everyone who reads by it.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::delta::LogPosition;
use super::json::Versioned;
use super::{Agreement, Manifest};
use crate::definition::Pipeline;
use crate::schema::{LoadedTime, RunId, Slice, TableFormat, TableName, TableSchema};
use crate::store::ObjectVersion;

/// The content of `snapshot.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotFile {
    /// The version of the file format.
    pub version: u32,
    /// The commit that it is from. Each commit has the next number.
    pub sequence: u64,
    /// The run that committed it; none before the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// When that run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
    /// The format of the tables.
    #[serde(default, skip_serializing_if = "TableFormat::is_parquet")]
    pub format: TableFormat,
    /// The part of the tables that it names the files of, where several pipelines share them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The tables.
    pub tables: BTreeMap<TableName, TableEntry>,
    /// What this flowlake does not know, and keeps.
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// A table in the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its manifest.
    pub manifest: ManifestFile,
    /// The pipeline that writes it.
    pub pipeline: String,
    /// What of the source's time it has, if it is loaded by windows.
    #[serde(default, flatten)]
    pub loaded: Option<LoadedTime>,
    /// Where its log was found by the commit, in the format of Delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPosition>,
    /// What this flowlake does not know, and keeps.
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// A manifest as the snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path in the destination.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
}

impl Versioned for SnapshotFile {
    const VERSION: u32 = 1;
}

impl Default for SnapshotFile {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            sequence: 0,
            run_id: None,
            committed_at: None,
            format: TableFormat::default(),
            slice: None,
            tables: BTreeMap::new(),
            unknown: Map::new(),
        }
    }
}

impl ManifestFile {
    pub(super) fn of(path: &object_store::path::Path, content: &Bytes) -> Self {
        let blake3 = blake3::hash(content).to_hex().to_string();
        Self { path: path.to_string(), bytes: content.len() as u64, blake3 }
    }

    /// Whether this is the content that was written.
    pub(super) fn is(&self, content: &[u8]) -> bool {
        self.blake3 == blake3::hash(content).to_hex().as_str()
    }
}

/// The tables of a destination.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The tables.
    pub manifests: BTreeMap<TableName, Manifest>,
    pub(super) file: SnapshotFile,
    /// The version of `snapshot.json` that it was read from.
    pub(super) seen: ObjectVersion,
    /// What the pipelines agree on that share the tables.
    pub agreement: Option<Agreement>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            manifests: BTreeMap::new(),
            file: SnapshotFile::default(),
            seen: ObjectVersion::Absent,
            agreement: None,
        }
    }
}

impl Snapshot {
    /// The number of the commit that it is from; 0 before the first one.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.file.sequence
    }

    /// Whether nothing was committed yet.
    #[must_use]
    pub fn is_of_no_commit(&self) -> bool {
        self.sequence() == 0
    }

    /// The run of that commit.
    #[must_use]
    pub fn run_id(&self) -> Option<&RunId> {
        self.file.run_id.as_ref()
    }

    /// The format of the tables; none before there are any.
    #[must_use]
    pub fn format(&self) -> Option<TableFormat> {
        (!self.file.tables.is_empty()).then_some(self.file.format)
    }

    /// The part of the tables that it is of, where several pipelines share them.
    #[must_use]
    pub fn slice(&self) -> Option<&Slice> {
        self.file.slice.as_ref()
    }

    /// The number of the next commit.
    pub(super) fn next_sequence(&self) -> u64 {
        self.file.sequence + 1
    }

    pub(super) fn insert(&mut self, manifests: impl IntoIterator<Item = Manifest>) {
        let by_name = |manifest: Manifest| (manifest.schema.name.clone(), manifest);
        self.manifests.extend(manifests.into_iter().map(by_name));
    }

    /// The tables, with what the snapshot says of each.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, &TableEntry)> {
        self.file.tables.iter()
    }

    /// The schemas of the tables, without histories.
    #[must_use]
    pub fn schemas(&self) -> BTreeMap<TableName, TableSchema> {
        let is_current = |manifest: &&Manifest| manifest.schema.history_of.is_none();
        let manifests = self.manifests.iter().filter(|(_, manifest)| is_current(manifest));
        manifests.map(|(name, manifest)| (name.clone(), manifest.schema.clone())).collect()
    }

    /// Whether a table has other files than a manifest of it says.
    pub(super) fn has_other_files(&self, manifest: &Manifest) -> bool {
        let before = self.manifests.get(&manifest.schema.name);
        before.is_none_or(|before| before.files != manifest.files)
    }

    /// What a table has of the source's time; `None` for a table that is not there, or not loaded by windows.
    #[must_use]
    pub fn loaded(&self, table: &TableName) -> Option<LoadedTime> {
        self.file.tables.get(table)?.loaded.clone()
    }

    /// The pipeline that writes a table.
    #[must_use]
    pub fn pipeline_of(&self, table: &TableName) -> Option<&str> {
        Some(&self.file.tables.get(table)?.pipeline)
    }

    /// The first of these tables that another pipeline writes, and that pipeline.
    #[must_use]
    pub fn table_of_another<'t>(
        &self,
        pipeline: &str,
        mut tables: impl Iterator<Item = &'t TableName>,
    ) -> Option<(TableName, String)> {
        tables.find_map(|table| {
            let writer = self.pipeline_of(table)?;
            (writer != pipeline).then(|| (table.clone(), writer.to_owned()))
        })
    }

    /// Where the next window of a pipeline begins: at the earliest watermark of its tables.
    #[must_use]
    pub fn watermark(&self, pipeline: &Pipeline) -> Option<DateTime<Utc>> {
        let loaded = pipeline.root_tables().filter_map(|table| self.loaded(&table.name));
        loaded.map(|loaded| loaded.watermark).min()
    }

    /// The pipelines whose tables are as a run of this id wrote them. Names of files have the id, so a second run of it
    /// could meet files of the first.
    #[must_use]
    pub fn pipelines_of_run(&self, run_id: &RunId) -> Vec<&str> {
        let written = self.manifests.values().filter(|manifest| manifest.run_id == *run_id);
        written.filter_map(|manifest| self.pipeline_of(&manifest.schema.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o14_what_a_snapshot_does_not_know_survives() {
        let text = r#"{"version":1,"sequence":3,"run_id":"r","committed_at":"2026-01-01T00:00:00Z","tables":{"t":
            {"manifest":{"path":"p","bytes":1,"blake3":"h"},"pipeline":"p","loaded_from":"2026-01-01T00:00:00Z",
            "watermark":"2026-01-02T00:00:00Z","new":{"a":1}}},"newer":[1]}"#;
        let file: SnapshotFile = serde_json::from_str(text).unwrap();
        let loaded = file.tables.values().next().unwrap().loaded.clone().unwrap();
        assert_eq!(loaded.watermark.to_rfc3339(), "2026-01-02T00:00:00+00:00");
        let written: Value = serde_json::to_value(&file).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
    }
}
