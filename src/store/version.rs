//! The version of a file, by the store's own marks.

use object_store::{ObjectMeta, PutResult, UpdateVersion};

/// The version of a file at the moment it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectVersion {
    /// There was no file.
    Absent,
    /// The store's own mark of the version: `ETag`, generation or both.
    Present(UpdateVersion),
}

impl From<PutResult> for ObjectVersion {
    fn from(PutResult { e_tag, version }: PutResult) -> Self {
        Self::Present(UpdateVersion { e_tag, version })
    }
}

impl From<&ObjectMeta> for ObjectVersion {
    fn from(meta: &ObjectMeta) -> Self {
        Self::Present(UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() })
    }
}
