//! What a log says in all, at its last version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use object_store::path::Path;

use super::action::{Add, Line, MetaData, Protocol, Remove, Txn};
use super::uri::{decoded, encoded};
use super::{checkpoint_reader, log_file};
use crate::runtime::on_cpu;
use crate::schema::{Slice, TableName, TableSchema};
use crate::store::{Destination, ListedFile};
use crate::table::table_store::AT_ONCE;
use crate::table::{CommitError, Manifest, layout};

/// The state of a log.
#[derive(Debug, Default)]
pub struct LogState {
    /// Its last version.
    pub(super) version: u64,
    pub(super) protocol: Option<Protocol>,
    pub(super) meta_data: Option<Box<MetaData>>,
    pub(super) txns: BTreeMap<String, Txn>,
    /// The files that the table has, by path as the log has it.
    pub(super) live: BTreeMap<String, Add>,
    /// The files that were replaced and are not vacuumed.
    pub(super) removed: BTreeMap<String, Remove>,
    pub(super) files: LogFiles,
    /// The checkpoint that it was read from.
    pub(super) checkpoint: Option<u64>,
    /// The checkpoints that cannot be read, and why.
    pub(in crate::table) damaged: Vec<(Path, String)>,
}

/// The files of a log that are there.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    /// When each version was written.
    pub(super) versions: BTreeMap<u64, DateTime<Utc>>,
    /// When each checkpoint was written.
    pub(super) checkpoints: BTreeMap<u64, DateTime<Utc>>,
}

impl LogFiles {
    pub(super) async fn list(
        destination: &Destination,
        table: &TableName,
    ) -> Result<Self, CommitError> {
        let mut files = Self::default();
        let listed = destination.list(&layout::log_directory(table)).await?;
        for ListedFile { path, modified, .. } in listed {
            if let Some(version) = layout::version_of(&path) {
                files.versions.insert(version, modified);
            } else if let Some(version) = layout::version_of_checkpoint(&path) {
                files.checkpoints.insert(version, modified);
            }
        }
        Ok(files)
    }

    pub(super) fn last_version(&self) -> Option<u64> {
        self.versions.keys().chain(self.checkpoints.keys()).max().copied()
    }
}

impl LogState {
    /// Reads a log; none if the table has none.
    pub(in crate::table) async fn read(
        destination: &Destination,
        table: &TableName,
    ) -> Result<Option<Self>, CommitError> {
        let files = LogFiles::list(destination, table).await?;
        let Some(last) = files.last_version() else { return Ok(None) };
        let checkpoints: Vec<u64> = files.checkpoints.keys().rev().copied().collect();
        let mut state = Self { version: last, files, ..Self::default() };
        for version in checkpoints {
            if state.read_checkpoint(destination, table, version).await? {
                break;
            }
        }
        let next = state.checkpoint.map_or(0, |version| version + 1);
        for version in next..=last {
            let Some(lines) = log_file::read(destination, table, version).await? else {
                let missing = (layout::log_file(table, version), "it is missing".to_owned());
                let (path, reason) = state.damaged.pop().unwrap_or(missing);
                return Err(CommitError::DamagedLog { path, reason });
            };
            for line in lines {
                state.apply(line);
            }
        }
        Ok(Some(state))
    }

    /// Whether its last version is gone and only the checkpoint of it is there. A run does not go on from there: the version
    /// says who wrote it.
    pub(in crate::table) async fn has_lost_last_version(
        &self,
        destination: &Destination,
        table: &TableName,
    ) -> Result<bool, CommitError> {
        let is_listed = self.files.versions.contains_key(&self.version);
        let last = layout::log_file(table, self.version);
        Ok(!is_listed && destination.size(&last).await?.is_none())
    }

    /// The versions that its checkpoint makes up for and that cannot be read: readers of older versions need them.
    pub(in crate::table) async fn damaged_versions(
        &self,
        destination: &Destination,
        table: &TableName,
    ) -> Result<Vec<CommitError>, CommitError> {
        let until = self.checkpoint.map_or(0, |checkpoint| checkpoint + 1);
        let before = self.files.versions.range(..until);
        let reads = before.map(|(version, _)| log_file::read(destination, table, *version));
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let mut damaged = Vec::new();
        while let Some(read) = reads.next().await {
            match read {
                // One that is gone was cleaned up meanwhile.
                Ok(_) => {}
                Err(error @ CommitError::DamagedLog { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(damaged)
    }

    /// Begins with a checkpoint; returns whether it can be read. One that cannot is passed over where the versions before it
    /// are there.
    async fn read_checkpoint(
        &mut self,
        destination: &Destination,
        table: &TableName,
        version: u64,
    ) -> Result<bool, CommitError> {
        let path: Path = layout::checkpoint(table, version);
        let content = destination.get(&path).await?.unwrap_or_default();
        match on_cpu(move || checkpoint_reader::lines(content)).await {
            Ok(lines) => {
                for line in lines {
                    self.apply(line);
                }
                self.checkpoint = Some(version);
                Ok(true)
            }
            Err(reason) => {
                self.damaged.push((path, reason));
                Ok(false)
            }
        }
    }

    fn apply(&mut self, line: Line) {
        let Line { protocol, meta_data, txn, remove, add } = line;
        self.protocol = protocol.or(self.protocol.take());
        self.meta_data = meta_data.or(self.meta_data.take());
        if let Some(txn) = txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(remove) = remove {
            self.live.remove(&remove.path);
            self.removed.insert(remove.path.clone(), remove);
        }
        if let Some(add) = add {
            self.removed.remove(&add.path);
            self.live.insert(add.path.clone(), add);
        }
    }

    /// Whether it has a commit of a writer, or a later one.
    pub(super) fn has_commit(&self, app_id: &str, sequence: u64) -> bool {
        let version = self.txns.get(app_id).and_then(|txn| u64::try_from(txn.version).ok());
        version.is_some_and(|version| version >= sequence)
    }

    /// The files of the slice that a manifest is of; all, where a table is not shared.
    pub(super) fn live_in(&self, manifest: &Manifest) -> impl Iterator<Item = (&String, &Add)> {
        let slice = slice_prefix(&manifest.schema);
        self.live.iter().filter(move |(path, _)| path.starts_with(&slice))
    }

    /// The files that the table has, as paths in the destination.
    pub(in crate::table) fn live_files(&self, table: &TableName) -> Vec<String> {
        self.live.keys().filter_map(|path| in_destination(path, table)).collect()
    }

    /// The files that were replaced and are not vacuumed.
    pub(in crate::table) fn removed_files(&self, table: &TableName) -> Vec<String> {
        self.removed.keys().filter_map(|path| in_destination(path, table)).collect()
    }
}

/// What the paths of a slice begin with in a log; nothing, where a table is not shared.
pub(super) fn slice_prefix(schema: &TableSchema) -> String {
    let directory = schema.slice.as_ref().map(Slice::directory);
    directory.map(|directory| encoded(&format!("{directory}/"))).unwrap_or_default()
}

/// A path of a log as a path in the destination.
pub(super) fn in_destination(path: &str, table: &TableName) -> Option<String> {
    Some(format!("{}/{}", layout::table_directory(table), decoded(path)?))
}
