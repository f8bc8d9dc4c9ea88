//! Rebuild: makes lost manifests again from the files that are there, with the columns of an older manifest. A manifest
//! of which files are lost goes on with those that are left.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use polars::prelude::{ParquetReader, SerReader};

use super::content::{has_columns_of, statistics_of};
use super::finding::VerifyError;
use crate::runtime::on_cpu;
use crate::schema::{PartitionKey, RunId, TableName};
use crate::store::Destination;
use crate::table::commit_log::{self, CommitRecord, Logged};
use crate::table::delta::LogState;
use crate::table::lock::{Lock, Owner};
use crate::table::own_file::OwnFile;
use crate::table::quarantine::{self, QuarantineError, QuarantineFile};
use crate::table::{
    Changes, CommitOutcome, DataFile, Manifest, Snapshot, TableStore, json, layout,
};
use crate::write::statistics::Statistics;

/// A table whose manifest is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// What its manifest says, or would say.
    Manifest {
        /// The table.
        table: TableName,
        /// How many partitions.
        partitions: usize,
        /// How many data files.
        files: usize,
        /// How many rows.
        rows: u64,
    },
    /// It cannot be made again.
    Impossible {
        /// The table.
        table: TableName,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { table, partitions, files, rows } => {
                write!(f, "{table}: {rows} rows in {files} files of {partitions} partitions")
            }
            Self::Impossible { table, reason } => write!(f, "{table}: {reason}"),
        }
    }
}

impl TableStore {
    /// Makes manifests again that are lost, or of which files are, or with `write` false only tells what they would say.
    ///
    /// # Errors
    /// The destination fails, or a run holds the lock.
    pub async fn rebuild(&self, write: bool) -> Result<Vec<Rebuilt>, VerifyError> {
        let run_id = RunId::at(Utc::now());
        let owner = Owner::this_process(&run_id, "flowlake verify --rebuild");
        let lock = Lock::acquire(self.destination(), owner).await?;
        let rebuilt = self.rebuild_locked(&run_id, write).await;
        lock.release().await;
        rebuilt
    }

    async fn rebuild_locked(
        &self,
        run_id: &RunId,
        write: bool,
    ) -> Result<Vec<Rebuilt>, VerifyError> {
        let (file, seen) = self.snapshot_file().await?;
        let mut snapshot = Snapshot { file, seen, ..Snapshot::default() };
        let passing = self.passing_files(snapshot.sequence()).await?;
        let logs = self.logs(&snapshot).await?;
        let replaced = logs.iter().flat_map(|(table, log)| log.removed_files(table));
        let passing: HashSet<String> = passing.into_iter().chain(replaced).collect();
        let (mut manifests, mut shown) = (Vec::new(), Vec::new());
        let mut damaged: BTreeSet<TableName> = BTreeSet::new();
        for (table, entry) in snapshot.file.tables.clone() {
            let made = match self.manifest(&table, &entry).await {
                Ok(manifest) => {
                    let left = self.files_left(&manifest).await?;
                    let is_whole = left.len() == manifest.files.len();
                    snapshot.insert([manifest.clone()]);
                    if is_whole {
                        continue;
                    }
                    Ok(Manifest { files: left, ..manifest })
                }
                Err(_) => self.rebuilt_manifest(&table, &passing).await?,
            };
            match made {
                Ok(manifest) => {
                    let partitions: BTreeSet<_> =
                        manifest.files.iter().map(|file| &file.partition).collect();
                    let (partitions, files) = (partitions.len(), manifest.files.len());
                    let rows = manifest.rows();
                    damaged.insert(manifest.schema.root.clone());
                    shown.push(Rebuilt::Manifest { table, partitions, files, rows });
                    manifests.push(manifest);
                }
                Err(reason) => shown.push(Rebuilt::Impossible { table, reason }),
            }
        }
        // Beside rows that are lost, their child rows and versions are left, which a merge has to look for from now on.
        let is_made =
            |table: &TableName| manifests.iter().any(|it: &Manifest| it.schema.name == *table);
        let relatives = snapshot.manifests.values();
        let relatives =
            relatives.filter(|it| damaged.contains(&it.schema.root) && !is_made(&it.schema.name));
        let relatives: Vec<Manifest> = relatives.cloned().collect();
        manifests.extend(relatives);
        for manifest in &mut manifests {
            manifest.is_incomplete = true;
            manifest.run_id = run_id.clone();
        }
        if write && !manifests.is_empty() {
            let remove = gone_from_logs(&logs, &manifests);
            let changes =
                Changes { remove, manifests, ..Changes::nothing(run_id.clone(), Utc::now()) };
            if self.commit(snapshot, changes).await? == CommitOutcome::Conflict {
                tracing::warn!("a commit is open; `flowlake recover` ends it first");
            }
        }
        Ok(shown)
    }

    /// The files of a manifest that are there, of the size that it says.
    async fn files_left(&self, manifest: &Manifest) -> Result<Vec<Arc<DataFile>>, VerifyError> {
        let directory = layout::data_directory(&manifest.schema);
        let listed = self.destination().list(&directory).await?;
        let there: HashMap<&str, u64> =
            listed.iter().map(|file| (file.path.as_ref(), file.bytes)).collect();
        let is_there = |file: &&Arc<DataFile>| there.get(file.path.as_str()) == Some(&file.bytes);
        Ok(manifest.files.iter().filter(is_there).cloned().collect())
    }

    /// Files of a commit under way, which are not of the table yet or not any more.
    async fn passing_files(&self, sequence: u64) -> Result<HashSet<String>, VerifyError> {
        let mut passing = HashSet::new();
        for number in [sequence, sequence + 1] {
            if let Ok(Logged::Record(CommitRecord::Open(intent))) =
                commit_log::read(self.destination(), number).await
            {
                let published = intent.publish.into_iter().map(|publication| publication.target);
                passing.extend(if number == sequence {
                    intent.remove
                } else {
                    published.collect()
                });
            }
        }
        Ok(passing)
    }

    /// What the logs of tables say, where they have any.
    async fn logs(&self, snapshot: &Snapshot) -> Result<Vec<(TableName, LogState)>, VerifyError> {
        let mut logs = Vec::new();
        let with_log = snapshot.file.tables.iter().filter(|(_, entry)| entry.log.is_some());
        for (table, _) in with_log {
            let state = LogState::read(self.destination(), table).await?;
            logs.extend(state.map(|state| (table.clone(), state)));
        }
        Ok(logs)
    }

    async fn rebuilt_manifest(
        &self,
        table: &TableName,
        passing: &HashSet<String>,
    ) -> Result<Result<Manifest, String>, VerifyError> {
        let destination = self.destination();
        let Some(older) = last_readable(destination, table).await? else {
            let reason =
                "no manifest of it is left that could tell its columns; restore one from a backup";
            return Ok(Err(reason.to_owned()));
        };
        let statistics: BTreeSet<String> =
            older.files.iter().flat_map(|file| file.statistics.keys().cloned()).collect();
        let mut files = Vec::new();
        for listed in destination.list(&layout::data_directory(&older.schema)).await? {
            let path = listed.path.to_string();
            if !layout::is_data_file(&listed.path) || passing.contains(&path) {
                continue;
            }
            let Some(content) = destination.get(&listed.path).await? else { continue };
            let (schema, statistics) = (older.schema.clone(), statistics.clone());
            let made = on_cpu(move || data_file(path, &content, &schema, &statistics)).await;
            match made {
                Ok(file) => files.push(Arc::new(file)),
                Err(reason) => return Ok(Err(format!("`{}`: {reason}", listed.path))),
            }
        }
        let quarantine = quarantine_files(destination, table, passing).await?;
        Ok(Ok(Manifest { files, quarantine, ..older }))
    }
}

/// The files that logs name and the manifests do not.
fn gone_from_logs(logs: &[(TableName, LogState)], manifests: &[Manifest]) -> Vec<String> {
    let mut gone = Vec::new();
    for manifest in manifests {
        let table = &manifest.schema.name;
        let named: HashSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        let of_table = logs.iter().filter(|(name, _)| name == table);
        let live = of_table.flat_map(|(table, log)| log.live_files(table));
        gone.extend(live.filter(|path| !named.contains(path.as_str())));
    }
    gone
}

/// The last manifest of a table that can be read, whether or not a snapshot names it.
async fn last_readable(
    destination: &Destination,
    table: &TableName,
) -> Result<Option<Manifest>, VerifyError> {
    let directory = layout::manifests(destination).join(table.to_string());
    for listed in destination.list(&directory).await?.iter().rev() {
        if OwnFile::of(listed.path.as_ref()) != Some(OwnFile::Manifest) {
            continue;
        }
        let content = destination.get(&listed.path).await?;
        if let Some(Ok(manifest)) = content.map(|it| json::decode::<Manifest>(&listed.path, it)) {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

/// The manifest entry of a data file, from the file alone.
fn data_file(
    path: String,
    content: &bytes::Bytes,
    schema: &crate::schema::TableSchema,
    columns: &BTreeSet<String>,
) -> Result<DataFile, String> {
    let mut reader = ParquetReader::new(Cursor::new(content.clone()));
    let rows = reader.num_rows().map_err(|error| error.to_string())? as u64;
    let found = reader.schema().map_err(|error| error.to_string())?;
    has_columns_of(schema, &found)
        .map_err(|found| format!("it has other columns than the table: {found}"))?;
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let partition = directory.strip_prefix(schema.data_directory().as_str());
    let partition = partition.map_or("", |it| it.trim_start_matches('/'));
    let partition =
        PartitionKey::parse(partition, &schema.partition_by).map_err(|error| error.to_string())?;
    let statistics = match rows {
        0 => Statistics::default(),
        _ => statistics_of(content.clone(), columns).map_err(|error| error.to_string())?,
    };
    let blake3 = blake3::hash(content).to_hex().to_string();
    Ok(DataFile { path, partition, rows, bytes: content.len() as u64, blake3, statistics })
}

/// The quarantine files of a table, by what they hold.
async fn quarantine_files(
    destination: &Destination,
    table: &TableName,
    passing: &HashSet<String>,
) -> Result<Vec<QuarantineFile>, VerifyError> {
    let mut files = Vec::new();
    for listed in destination.list(&layout::quarantine(destination).join(table.as_str())).await? {
        if passing.contains(listed.path.as_ref()) {
            continue;
        }
        let Some(content) = destination.get(&listed.path).await? else { continue };
        let name = listed.path.filename().and_then(layout::run_of_quarantine);
        if let (Some(run_id), Ok((records, partially_loaded))) = (name, counts(content.clone())) {
            files.push(QuarantineFile {
                path: listed.path.to_string(),
                run_id,
                bytes: content.len() as u64,
                blake3: blake3::hash(&content).to_hex().to_string(),
                records,
                partially_loaded,
            });
        }
    }
    Ok(files)
}

/// How many records in a quarantine file are in no table, and how many in theirs without some of their values.
fn counts(content: Bytes) -> Result<(u64, u64), QuarantineError> {
    let (mut records, mut partially_loaded) = (0, 0);
    for line in quarantine::lines_of(content, "")? {
        *(if line?.row_kept { &mut partially_loaded } else { &mut records }) += 1;
    }
    Ok((records, partially_loaded))
}
