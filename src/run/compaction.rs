//! Small: files of a partition that are put together when they pile up, as they do when every night adds a little.

use std::collections::{BTreeMap, HashSet};

use crate::schema::PartitionKey;
use crate::table::DataFile;

/// A larger file is no small one.
const SMALL_BYTES: u64 = 4 << 20;
/// As many small files a partition may have.
const MOST_SMALL_FILES: usize = 8;

/// The files that are written anew together with the rows that their partitions get. A partition that gets none is left
/// alone, so that a run that changes nothing writes nothing.
pub(super) fn files_to_compact(
    files: &[DataFile],
    gets_rows: impl Fn(&PartitionKey) -> bool,
) -> HashSet<&str> {
    let mut small: BTreeMap<&PartitionKey, Vec<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.bytes < SMALL_BYTES) {
        small.entry(&file.partition).or_default().push(&file.path);
    }
    let piled_up = small
        .into_iter()
        .filter(|(partition, files)| files.len() >= MOST_SMALL_FILES && gets_rows(partition));
    piled_up.flat_map(|(_, files)| files).collect()
}
