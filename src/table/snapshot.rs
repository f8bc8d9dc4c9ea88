//! Snapshot: the tables and the state of a destination at one point between two commits.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::schema::{RunId, TableName, TableSchema};

/// What a destination remembers besides its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableState {
    /// The run that committed last.
    pub last_run: RunId,
    /// When that run began.
    pub committed_at: DateTime<Utc>,
    /// The end of the last window that was loaded; none for full exports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<DateTime<Utc>>,
}

/// The tables and the state of a destination.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The tables.
    pub manifests: BTreeMap<TableName, Manifest>,
    /// The state; none before the first commit.
    pub state: Option<TableState>,
    /// The sequence number of the next commit.
    pub(super) next_sequence: u64,
    /// The runs that have committed.
    pub(super) runs: HashSet<RunId>,
}

impl Snapshot {
    /// A snapshot of these tables, without the history of commits.
    pub(super) fn new(
        manifests: impl IntoIterator<Item = Manifest>,
        state: Option<TableState>,
    ) -> Self {
        let mut snapshot = Self { state, ..Self::default() };
        snapshot.insert(manifests);
        snapshot
    }

    pub(super) fn insert(&mut self, manifests: impl IntoIterator<Item = Manifest>) {
        let by_name = |manifest: Manifest| (manifest.schema.name.clone(), manifest);
        self.manifests.extend(manifests.into_iter().map(by_name));
    }

    /// The schemas of the tables.
    #[must_use]
    pub fn schemas(&self) -> BTreeMap<TableName, TableSchema> {
        let manifests = self.manifests.iter();
        manifests.map(|(name, manifest)| (name.clone(), manifest.schema.clone())).collect()
    }

    /// The end of the last window that was loaded.
    #[must_use]
    pub fn watermark(&self) -> Option<DateTime<Utc>> {
        self.state.as_ref()?.watermark
    }

    /// Whether a run with this id has committed. File names contain the run id, so a second run with the same id would
    /// overwrite files of the first.
    #[must_use]
    pub fn has_run(&self, run_id: &RunId) -> bool {
        self.runs.contains(run_id)
    }
}
