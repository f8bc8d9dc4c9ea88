//! Small files: a merge looks into a file before it rewrites it. What is small is read and hashed once for both.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// A larger file is read twice.
const LARGEST: usize = 1024 * 1024;
/// So much of all small files is kept.
const MOST: usize = 16 * 1024 * 1024;

/// The small files that were read once, until they are read again.
#[derive(Debug, Default)]
pub struct SmallFiles(Mutex<ReadOnce>);

#[derive(Debug, Default)]
struct ReadOnce {
    contents: HashMap<String, Bytes>,
    bytes: usize,
}

impl SmallFiles {
    /// Takes the content of a file.
    pub(super) fn take(&self, path: &str) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let content = kept.contents.remove(path)?;
        kept.bytes -= content.len();
        Some(content)
    }

    /// Keeps the content of a file, if it and all others are small enough.
    pub(super) fn keep(&self, path: &str, content: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if content.len() <= LARGEST && kept.bytes + content.len() <= MOST {
            let before = kept.contents.insert(path.to_owned(), content.clone());
            kept.bytes = kept.bytes + content.len() - before.map_or(0, |before| before.len());
        }
    }
}
