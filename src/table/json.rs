//! JSON: reads and writes flowlake's own small files.

use bytes::Bytes;
use object_store::path::Path;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CommitError;
use crate::store::Destination;

/// The content of a file; `None` when there is no such file.
pub(super) async fn read<T: DeserializeOwned>(
    destination: &Destination,
    path: &Path,
) -> Result<Option<T>, CommitError> {
    let content = destination.get(path).await?;
    content.map(|content| decode(path, &content)).transpose()
}

pub(super) fn decode<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T, CommitError> {
    serde_json::from_slice(content)
        .map_err(|source| CommitError::Unreadable { path: path.clone(), source })
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Bytes, CommitError> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(CommitError::Unwritable)
}
