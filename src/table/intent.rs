//! Intent: everything that a commit changes, complete enough for another run to finish it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::delta::{LogPosition, same_to_readers};
use super::json::Embedded;
use super::snapshot::{ManifestFile, SnapshotFile, TableEntry};
use super::{CommitError, Manifest, Snapshot, json, layout};
use crate::schema::{LoadedTime, RunId, Slice, TableFormat, TableName};
use crate::store::{Destination, FileMove};
use crate::write::StagedFile;

/// What a run changes, before it is known as which commit.
#[derive(Debug)]
pub struct Changes {
    /// The run that commits.
    pub run_id: RunId,
    /// The pipeline that the changed tables are of; without one they stay with theirs.
    pub pipeline: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The files to move from staging to their targets.
    pub publish: Vec<Publication>,
    /// The files to delete.
    pub remove: Vec<String>,
    /// The manifests of the tables that change.
    pub manifests: Vec<Manifest>,
    /// The part of the tables that the pipeline writes, where others write the rest.
    pub slice: Option<Slice>,
    /// The format of the tables, where it begins or changes.
    pub format: Option<TableFormat>,
    /// What tables have of the source's time afterwards; `None` lets them begin anew.
    pub loaded: BTreeMap<TableName, Option<LoadedTime>>,
}

impl Changes {
    /// No changes.
    #[must_use]
    pub fn nothing(run_id: RunId, now: DateTime<Utc>) -> Self {
        Self {
            run_id,
            pipeline: None,
            started_at: now,
            publish: Vec::new(),
            remove: Vec::new(),
            manifests: Vec::new(),
            slice: None,
            format: None,
            loaded: BTreeMap::new(),
        }
    }
}

/// The result of a commit.
#[must_use = "a conflict means that nothing was committed"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The commit is visible.
    Committed,
    /// Another run committed after the snapshot was read. Nothing has changed.
    Conflict,
}

/// What a commit does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intent {
    /// The run that commits.
    pub run_id: RunId,
    pub(super) publish: Vec<Publication>,
    pub(super) remove: Vec<String>,
    pub(super) manifests: Vec<NewManifest>,
    /// `snapshot.json` after the commit.
    pub(super) snapshot: SnapshotFile,
}

/// A manifest to write, byte for byte: the snapshot has its hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NewManifest {
    pub(super) path: String,
    /// Whether readers of a log see other columns than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_new_columns: bool,
    pub(super) content: Embedded,
}

impl Intent {
    /// The changes of a run as the commit that follows a snapshot. `logs` tells where the logs of changed tables are, in
    /// the format of Delta.
    pub(super) fn after(
        destination: &Destination,
        snapshot: &Snapshot,
        changes: Changes,
        mut logs: BTreeMap<TableName, LogPosition>,
    ) -> Result<Self, CommitError> {
        let sequence = snapshot.next_sequence();
        let Changes { run_id, pipeline, started_at, publish, mut remove, .. } = changes;
        let mut file = SnapshotFile {
            sequence,
            run_id: Some(run_id.clone()),
            committed_at: Some(started_at),
            format: changes.format.unwrap_or(snapshot.file.format),
            slice: changes.slice.or_else(|| snapshot.file.slice.clone()),
            ..snapshot.file.clone()
        };
        let (mut manifests, mut live) = (Vec::new(), HashSet::new());
        for manifest in changes.manifests {
            live.extend(manifest.files.iter().map(|file| file.path.clone()));
            let before = snapshot.manifests.get(&manifest.schema.name);
            // The columns of shared tables are in their logs before there are rows.
            let has_new_columns = !destination.is_shared()
                && logs.contains_key(&manifest.schema.name)
                && before.is_some_and(|it| !same_to_readers(&it.schema, &manifest.schema));
            let table = manifest.schema.name.clone();
            let path = layout::manifest(destination, &table, sequence);
            let content = json::encode(&manifest)?;
            let written = ManifestFile::of(&path, &content);
            let content = Embedded(content);
            manifests.push(NewManifest { path: path.to_string(), has_new_columns, content });
            let old = file.tables.remove(&table);
            let (before, loaded, unknown) =
                old.map(|old| (old.pipeline, old.loaded, old.unknown)).unwrap_or_default();
            let pipeline = pipeline.clone().unwrap_or(before);
            let log = logs.remove(&table);
            let entry = TableEntry { manifest: written, pipeline, loaded, log, unknown };
            file.tables.insert(table, entry);
        }
        for (table, loaded) in changes.loaded {
            if let Some(entry) = file.tables.get_mut(&table) {
                entry.loaded = loaded;
            }
        }
        // A live data file is never deleted, whatever the run thinks.
        remove.retain(|path| !live.contains(path));
        let mut intent = Self { run_id, publish, remove, manifests, snapshot: file };
        intent.number_logs();
        Ok(intent)
    }

    /// Notes which logs get a version with this commit.
    fn number_logs(&mut self) {
        // The first directory of a data file is that of its table.
        let paths = self.publish.iter().map(|it| &it.target).chain(&self.remove);
        let with_other_files: HashSet<&str> =
            paths.filter_map(|path| Some(path.split_once('/')?.0)).collect();
        let new: HashMap<&str, &NewManifest> =
            self.manifests.iter().map(|manifest| (manifest.path.as_str(), manifest)).collect();
        let sequence = self.snapshot.sequence;
        for (table, entry) in &mut self.snapshot.tables {
            let Some(log) = &mut entry.log else { continue };
            let Some(manifest) = new.get(entry.manifest.path.as_str()) else { continue };
            if log.version.is_none()
                || manifest.has_new_columns
                || with_other_files.contains(table.as_str())
            {
                log.commit = Some(sequence);
            }
        }
    }

    /// The files that nothing needs once the snapshot is replaced. Readers of a log keep the data files that it names.
    pub(super) fn gone_with_the_commit(&self) -> impl Iterator<Item = &String> {
        let keeps_data = self.snapshot.format == TableFormat::Delta;
        self.remove.iter().filter(move |path| !keeps_data || layout::is_own(path))
    }

    /// The files that the commit writes, apart from its own record and the snapshot.
    pub(super) fn targets(&self) -> impl Iterator<Item = Path> {
        let published = self.publish.iter().map(|publication| &publication.target);
        let manifests = self.manifests.iter().map(|manifest| &manifest.path);
        published.chain(manifests).map(|path| layout::recorded(path))
    }
}

/// One file's move from staging to its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub(super) staged: String,
    pub(super) target: String,
    pub(super) bytes: u64,
}

impl Publication {
    /// The move of a file that is complete in staging.
    #[must_use]
    pub fn new(staged: &Path, target: &Path, bytes: u64) -> Self {
        Self { staged: staged.to_string(), target: target.to_string(), bytes }
    }
}

impl From<&Publication> for FileMove {
    fn from(publication: &Publication) -> Self {
        let Publication { staged, target, bytes } = publication;
        Self::new(layout::recorded(staged), layout::recorded(target), *bytes)
    }
}

impl From<&StagedFile> for Publication {
    fn from(file: &StagedFile) -> Self {
        Self::new(&file.staged, &file.target, file.bytes)
    }
}
