//! Compaction: which small files of a partition are rewritten as one. They pile up when every night adds a few rows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::DataFile;
use crate::schema::PartitionKey;

/// Files of this size and larger are never compacted.
const SMALL_FILE_BYTES: u64 = 4 << 20;
/// A partition with this many small files is compacted.
const MIN_SMALL_FILES: usize = 8;

/// The files to rewrite together with the new rows of their partitions. Partitions without new rows are skipped, so a run
/// that changes nothing writes nothing.
pub fn files_to_compact(
    files: &[Arc<DataFile>],
    has_new_rows: impl Fn(&PartitionKey) -> bool,
) -> HashSet<&str> {
    let mut small: BTreeMap<&PartitionKey, Vec<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.bytes < SMALL_FILE_BYTES) {
        small.entry(&file.partition).or_default().push(&file.path);
    }
    let compacted = small
        .into_iter()
        .filter(|(partition, files)| files.len() >= MIN_SMALL_FILES && has_new_rows(partition));
    compacted.flat_map(|(_, files)| files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PartitionField;
    use crate::write::statistics::Statistics;

    fn partition(name: &str) -> PartitionKey {
        let fields: [PartitionField; 1] = ["c".parse().unwrap()];
        PartitionKey::parse(&format!("c_partition={name}"), &fields).unwrap()
    }

    /// So many files of a partition, each of this size.
    fn files(name: &str, count: usize, bytes: u64) -> Vec<Arc<DataFile>> {
        let file = |number| DataFile {
            path: format!("t/c={name}/{number:04}-run.parquet"),
            partition: partition(name),
            rows: 1,
            bytes,
            blake3: String::new(),
            statistics: Statistics::default(),
        };
        (0..count).map(file).map(Arc::new).collect()
    }

    #[test]
    fn a_partition_with_new_rows_and_eight_small_files_is_compacted() {
        for (count, bytes, has_new_rows, expected) in [
            (7, 1, true, 0),
            (8, 1, true, 8),
            (9, SMALL_FILE_BYTES - 1, true, 9),
            (9, SMALL_FILE_BYTES, true, 0),
            (9, 1, false, 0),
        ] {
            let files = files("a", count, bytes);
            let found = files_to_compact(&files, |_| has_new_rows);
            assert_eq!(found.len(), expected, "{count} files of {bytes} bytes");
        }
    }

    #[test]
    fn partitions_are_compacted_one_by_one_and_large_files_stay() {
        let all =
            [files("a", 8, 1), files("b", 8, 1), files("c", 7, 1), files("c", 1, SMALL_FILE_BYTES)];
        let all = all.concat();
        let found = files_to_compact(&all, |partition| *partition != self::partition("b"));
        assert_eq!(found.len(), 8);
        assert!(found.iter().all(|path| path.starts_with("t/c=a/")), "{found:?}");
    }
}
