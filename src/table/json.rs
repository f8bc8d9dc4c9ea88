//! JSON: reads and writes flowlake's own small files.
//!
//! Each says its version. A file of a newer version is refused, and so is never written back without what it has more.

use bytes::Bytes;
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::CommitError;

/// A file of flowlake's own that says its version.
pub(super) trait Versioned: Serialize + DeserializeOwned {
    /// The version that this flowlake reads and writes.
    const VERSION: u32;
}

pub(super) fn decode<T: Versioned>(path: &Path, content: &[u8]) -> Result<T, CommitError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let unreadable = |source| CommitError::Unreadable { path: path.clone(), source };
    let Version { version } = serde_json::from_slice(content).map_err(unreadable)?;
    match version.cmp(&T::VERSION) {
        std::cmp::Ordering::Equal => serde_json::from_slice(content).map_err(unreadable),
        std::cmp::Ordering::Greater => {
            Err(CommitError::Newer { path: path.clone(), version, known: T::VERSION })
        }
        std::cmp::Ordering::Less => Err(CommitError::OldFormat { path: path.clone() }),
    }
}

pub(super) fn encode<T: Versioned>(value: &T) -> Result<Bytes, CommitError> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(CommitError::Unwritable)
}
