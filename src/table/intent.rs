//! Intent: everything that a commit changes, complete enough for another run to finish it.

use std::collections::HashSet;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Manifest, TableState, layout};
use crate::schema::RunId;
use crate::write::StagedFile;

/// What a commit changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The run that commits.
    pub run_id: RunId,
    /// The files to move from staging to their targets.
    pub publish: Vec<Publication>,
    /// The files to delete.
    pub remove: Vec<String>,
    /// The manifests after the commit.
    pub manifests: Vec<Manifest>,
    /// The destination's state after the commit.
    pub state: TableState,
}

impl Intent {
    /// The files that the commit writes, apart from its own record and the state.
    pub(super) fn targets(&self) -> impl Iterator<Item = Path> {
        let published =
            self.publish.iter().map(|publication| layout::recorded(&publication.target));
        let manifests = self.manifests.iter();
        published.chain(manifests.map(|manifest| layout::manifest(&manifest.schema.name)))
    }

    /// The files in staging.
    pub(super) fn staged(&self) -> Vec<Path> {
        self.publish.iter().map(|publication| layout::recorded(&publication.staged)).collect()
    }

    /// The files to delete. A live data file is never among them, whatever `remove` says.
    pub(super) fn removals(&self) -> impl Iterator<Item = &String> {
        let files = self.manifests.iter().flat_map(|manifest| &manifest.files);
        let live: HashSet<&String> = files.map(|file| &file.path).collect();
        self.remove.iter().filter(move |path| !live.contains(path))
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

impl From<&StagedFile> for Publication {
    fn from(file: &StagedFile) -> Self {
        Self::new(&file.staged, &file.target, file.bytes)
    }
}
