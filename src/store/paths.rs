//! Where flowlake keeps its own files in a destination, and how long a path may be.

use object_store::path::Path;

use super::destination::Destination;
use super::own_directory::{OWN_DIRECTORY, PIPELINES};
use crate::schema::RunId;

/// The longest name of a directory or file on the usual file systems, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// A temporary file has a name this much longer: `name#1`, or a greater number.
const TEMPORARY_SUFFIX_BYTES: usize = 8;
/// The longest key of S3, Azure and Google Cloud Storage, and the longest path on the strictest systems, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// 128 bits of a hash. Some stores keep a name, encoded, within a name of their own, so it is short.
const STAGED_NAME_DIGITS: usize = 32;

/// A path that some store could not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "path too long: {what} has {bytes} bytes, limit {limit}: `{}…`",
    .path.chars().take(80).collect::<String>()
)]
pub struct PathTooLong {
    path: String,
    what: &'static str,
    bytes: usize,
    limit: usize,
}

impl Destination {
    /// The directory of flowlake's own files: of those of one pipeline, where several share the destination.
    #[must_use]
    pub fn own_files(&self) -> Path {
        match &self.pipeline {
            None => Path::from(OWN_DIRECTORY),
            Some(pipeline) => Path::from_iter([OWN_DIRECTORY, PIPELINES, pipeline]),
        }
    }

    /// The directory of flowlake's own files of this kind. Engines skip names that begin with an underscore.
    #[must_use]
    pub fn own(&self, name: &str) -> Path {
        self.own_files().join(name)
    }

    /// The report of a run.
    #[must_use]
    pub fn report(&self, run_id: &str) -> Path {
        self.own("runs").join(format!("{run_id}.json"))
    }

    /// The directory of a run's files that are not published yet.
    #[must_use]
    pub fn staging(&self, run_id: &RunId) -> Path {
        self.own("staging").join(run_id.as_str())
    }

    /// The staged file that will be published as `target`. Its name is short, whatever the target's is.
    #[must_use]
    pub fn staged(&self, run_id: &RunId, target: &Path) -> Path {
        let hash = blake3::hash(target.as_ref().as_bytes()).to_hex();
        self.staging(run_id).join(format!("{}.staged", &hash[..STAGED_NAME_DIGITS]))
    }

    /// Refuses a path that could not be published here, or not be copied to another kind of store.
    ///
    /// # Errors
    /// The path, or one of its parts, is too long.
    pub fn check_name(&self, path: &Path) -> Result<(), PathTooLong> {
        let refuse =
            |what, bytes, limit| Err(PathTooLong { path: path.to_string(), what, bytes, limit });
        let bytes = path.as_ref().len();
        let limit = MAX_PATH_BYTES.saturating_sub(self.prefix_bytes);
        if bytes > limit {
            return refuse("the path in the destination", bytes, limit);
        }
        let parts: Vec<usize> = path.parts().map(|part| part.as_ref().len()).collect();
        let Some((file, directories)) = parts.split_last() else { return Ok(()) };
        if let Some(bytes) = directories.iter().find(|bytes| **bytes > MAX_NAME_BYTES) {
            return refuse("a directory name", *bytes, MAX_NAME_BYTES);
        }
        let limit = MAX_NAME_BYTES - TEMPORARY_SUFFIX_BYTES;
        if *file > limit {
            return refuse("the file name", *file, limit);
        }
        Ok(())
    }
}
