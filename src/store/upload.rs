//! Uploads of any length, with little of them in memory.

use std::io::Read;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt, PutResult};

use crate::runtime::on_cpu;

/// Larger content is uploaded in parts.
pub(super) const SINGLE_PUT_BYTES: usize = 16 << 20;
/// The size of a part. S3 and Google Cloud Storage take at least 5 MiB and at most ten thousand parts.
const PART_BYTES: usize = 6 << 20;
/// How many parts of a file are uploaded at once.
const CONCURRENT_PARTS: usize = 2;

/// Uploads what a reader gives. Readers see the whole file or none.
pub(super) async fn put_stream(
    store: &dyn ObjectStore,
    path: &Path,
    content: impl Read + Send + 'static,
) -> Result<PutResult, StoreError> {
    let (first, content) = next_part(content).await?;
    if first.len() < PART_BYTES {
        return store.put(path, first.into()).await;
    }
    let mut upload = store.put_multipart(path).await?;
    let uploaded = upload_parts(upload.as_mut(), first, content).await;
    if uploaded.is_err() {
        // Stores charge for parts until the upload is aborted.
        let _ = upload.abort().await;
    }
    uploaded
}

async fn upload_parts(
    upload: &mut dyn MultipartUpload,
    first: Bytes,
    mut content: impl Read + Send + 'static,
) -> Result<PutResult, StoreError> {
    let mut running = FuturesUnordered::new();
    let mut part = first;
    while !part.is_empty() {
        if running.len() == CONCURRENT_PARTS {
            running.try_next().await?;
        }
        running.push(upload.put_part(part.into()));
        (part, content) = next_part(content).await?;
    }
    running.try_collect::<()>().await?;
    upload.complete().await
}

/// The next part of a file. The last one is shorter; after it they are empty.
async fn next_part<R: Read + Send + 'static>(mut content: R) -> Result<(Bytes, R), StoreError> {
    on_cpu(move || {
        let mut part = Vec::with_capacity(PART_BYTES);
        match content.by_ref().take(PART_BYTES as u64).read_to_end(&mut part) {
            Ok(_) => Ok((Bytes::from(part), content)),
            Err(source) => Err(StoreError::Generic { store: "upload", source: source.into() }),
        }
    })
    .await
}
