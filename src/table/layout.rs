//! Layout: the paths and names of flowlake's own files in a destination.
//!
//! | path | content |
//! |---|---|
//! | `<table>/<partition>/0000-<run id>.parquet` | rows |
//! | `<table>/_delta_log/` | the log of the table, in the format of Delta |
//! | `_flowlake/snapshot.json` | the tables as they are: for each its manifest, pipeline and watermark |
//! | `_flowlake/tables/<table>/<sequence>.json` | the manifest of a table after a commit; never changed |
//! | `_flowlake/commits/<sequence>.json` | one commit: an intent until it is finished |
//! | `_flowlake/staging/<run id>/` | files of a run that are not published yet |
//! | `_flowlake/quarantine/<table>/<run id>.jsonl.zst` | quarantined records |
//! | `_flowlake/aside/<run id>/<path>` | what `verify --repair` and recovery found in the way |
//! | `_flowlake/lock.json` | the owner of the lock |
//! | `_flowlake/shared/<number>.json` | what pipelines that share the destination agree on; each has its own files below `_flowlake/pipelines/<name>/` |
//!
//! All of them are addressed by name: a file beside them changes nothing.

use object_store::path::Path;

use crate::landing;
use crate::schema::{RunId, Slice, TableName, TableSchema};
use crate::store::Destination;

/// The directory of flowlake's own files, and where pipelines that share a destination have theirs.
const OWN: &str = "_flowlake/";
const PIPELINES: &str = "pipelines/";

const DATA_SUFFIX: &str = ".parquet";
const QUARANTINE_SUFFIX: &str = ".jsonl.zst";
/// Data files of a run are numbered with at least this many digits.
const FILE_NUMBER_DIGITS: usize = 4;

const LOG_DIRECTORY: &str = "_delta_log";
const LOG_SUFFIX: &str = ".json";
const CHECKPOINT_SUFFIX: &str = ".checkpoint.parquet";
const LAST_CHECKPOINT: &str = "_last_checkpoint";
/// How many digits a version has in a file name of a log.
const LOG_DIGITS: usize = 20;

/// How many digits a sequence number has in a file name.
const SEQUENCE_DIGITS: usize = 12;

pub(super) fn snapshot(destination: &Destination) -> Path {
    destination.own("snapshot.json")
}

/// Where flowlake 0.1 kept the state of a destination before it had snapshots.
pub(super) fn state_of_old(destination: &Destination) -> Path {
    destination.own("state.json")
}

/// The snapshot of a destination that is not shared.
pub(super) fn unshared_snapshot() -> Path {
    recorded("_flowlake/snapshot.json")
}

/// The directory of the agreements of the pipelines that share a destination.
pub(super) fn agreements() -> Path {
    recorded("_flowlake/shared")
}

pub(super) fn agreement(number: u64) -> Path {
    numbered(agreements(), number)
}

pub(super) fn lock(destination: &Destination) -> Path {
    destination.own("lock.json")
}

pub(super) fn manifests(destination: &Destination) -> Path {
    destination.own("tables")
}

pub(super) fn manifest(destination: &Destination, table: &TableName, sequence: u64) -> Path {
    numbered(manifests(destination).join(table.to_string()), sequence)
}

pub(super) fn commits(destination: &Destination) -> Path {
    destination.own("commits")
}

pub(super) fn commit(destination: &Destination, sequence: u64) -> Path {
    numbered(commits(destination), sequence)
}

fn numbered(directory: Path, sequence: u64) -> Path {
    directory.join(format!("{sequence:0SEQUENCE_DIGITS$}.json"))
}

/// The sequence number of a commit record or a manifest.
pub(super) fn sequence_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// Where a run moves a file that is in the way.
pub(super) fn aside(destination: &Destination, path: &Path, run_id: &RunId) -> Path {
    path.parts().fold(destination.own("aside").join(run_id.as_str()), Path::join)
}

pub(super) fn quarantine(destination: &Destination) -> Path {
    destination.own("quarantine")
}

/// The quarantine file of a table in one run.
#[must_use]
pub fn quarantine_file(destination: &Destination, table: &TableName, run_id: &RunId) -> Path {
    quarantine(destination).join(table.as_str()).join(format!("{run_id}{QUARANTINE_SUFFIX}"))
}

/// The directory of the files that a schema is of: those of its slice, where a table is shared.
pub(super) fn data_directory(schema: &TableSchema) -> Path {
    recorded(&schema.data_directory())
}

/// The directory of a slice in a table.
pub(super) fn slice_directory(table: &TableName, slice: &Slice) -> Path {
    recorded(&format!("{table}/{}", slice.directory()))
}

/// The directory of a table.
pub(super) fn table_directory(table: &TableName) -> Path {
    recorded(table.as_str())
}

/// The path of a file below the directory of its table.
pub(super) fn below_table<'p>(path: &'p str, table: &TableName) -> Option<&'p str> {
    path.strip_prefix(table_directory(table).as_ref())?.strip_prefix('/')
}

/// The directory of a table's log, in the format of Delta.
pub(super) fn log_directory(table: &TableName) -> Path {
    table_directory(table).join(LOG_DIRECTORY)
}

/// The file of a version of a log.
pub(super) fn log_file(table: &TableName, version: u64) -> Path {
    log_directory(table).join(format!("{version:0LOG_DIGITS$}{LOG_SUFFIX}"))
}

/// The checkpoint of a version of a log.
pub(super) fn checkpoint(table: &TableName, version: u64) -> Path {
    log_directory(table).join(format!("{version:0LOG_DIGITS$}{CHECKPOINT_SUFFIX}"))
}

/// The file that names the last checkpoint of a log.
pub(super) fn last_checkpoint(table: &TableName) -> Path {
    log_directory(table).join(LAST_CHECKPOINT)
}

/// The version that a file of a log is of.
pub(super) fn version_of(path: &Path) -> Option<u64> {
    log_number(path.filename()?.strip_suffix(LOG_SUFFIX)?)
}

/// The version that a checkpoint is of.
pub(super) fn version_of_checkpoint(path: &Path) -> Option<u64> {
    log_number(path.filename()?.strip_suffix(CHECKPOINT_SUFFIX)?)
}

fn log_number(digits: &str) -> Option<u64> {
    (digits.len() == LOG_DIGITS).then(|| digits.parse().ok()).flatten()
}

/// Whether a path is that of a file of a table's log.
pub(super) fn is_of_log(path: &str, table: &TableName) -> bool {
    let path = recorded(path);
    path.prefix_matches(&log_directory(table))
        && (version_of(&path).is_some()
            || version_of_checkpoint(&path).is_some()
            || path.filename() == Some(LAST_CHECKPOINT))
}

/// The path of a file among flowlake's own, or among those of a pipeline that shares the destination.
pub(super) fn below_own(path: &str) -> Option<&str> {
    let below = path.strip_prefix(OWN)?;
    let of_pipeline = below.strip_prefix(PIPELINES).and_then(|it| it.split_once('/'));
    Some(of_pipeline.map_or(below, |(_, below)| below))
}

/// Whether a path is that of a file in quarantine.
pub(super) fn is_of_quarantine(path: &str) -> bool {
    below_own(path).is_some_and(|below| below.starts_with("quarantine/"))
}

/// The run that a report or a kept export is of.
pub(super) fn run_of(path: &Path) -> String {
    let name = below_own(path.as_ref()).and_then(|below| below.split('/').nth(1));
    let name = name.unwrap_or_default().to_owned();
    let endings = [landing::EXPORT, landing::ORIGIN, ".json"];
    let run = endings.iter().find_map(|ending| name.strip_suffix(ending));
    run.map(str::to_owned).unwrap_or(name)
}

/// Whether a path is that of a file of flowlake's own, or of a stranger among them.
pub(super) fn is_own(path: &str) -> bool {
    path.starts_with(OWN)
}

/// Whether a path is in the directory of a table.
pub(super) fn is_in_table(path: &str, table: &TableName) -> bool {
    below_table(path, table).is_some()
}

/// A path as manifests and intents record it, which needs no encoding.
#[must_use]
pub fn recorded(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// Whether a data file has a name that flowlake gives.
pub(super) fn is_data_file(path: &Path) -> bool {
    let name = path.filename().and_then(|name| name.strip_suffix(DATA_SUFFIX));
    name.and_then(|name| name.split_once('-')).is_some_and(|(number, run_id)| {
        number.len() >= FILE_NUMBER_DIGITS
            && number.parse::<u32>().is_ok()
            && run_id.parse::<RunId>().is_ok()
    })
}

/// The run that a quarantine file is of, by its name.
pub(super) fn run_of_quarantine(name: &str) -> Option<RunId> {
    name.strip_suffix(QUARANTINE_SUFFIX)?.parse().ok()
}

/// Whether a quarantine file has a name that flowlake gives.
pub(super) fn is_quarantine_file(path: &Path) -> bool {
    path.filename().and_then(run_of_quarantine).is_some()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn destination() -> Destination {
        Destination::of_store(Arc::new(InMemory::new()), "memory")
    }

    #[test]
    fn commit_records_sort_by_their_sequence() {
        assert_eq!(commit(&destination(), 7).as_ref(), "_flowlake/commits/000000000007.json");
        assert!(commit(&destination(), 9) < commit(&destination(), 10));
        for sequence in [1, 999_999_999_999, 1_000_000_000_000] {
            assert_eq!(sequence_of(&commit(&destination(), sequence)), Some(sequence));
        }
        assert_eq!(
            manifest(&destination(), &"t".parse().unwrap(), 7).as_ref(),
            "_flowlake/tables/t/000000000007.json"
        );
        for other in ["_flowlake/commits/readme.json", "_flowlake/commits/1.txt", ""] {
            assert_eq!(sequence_of(&Path::from(other)), None, "{other}");
        }
    }

    #[test]
    fn each_pipeline_of_a_shared_destination_has_files_of_its_own() {
        let shared = destination().shared_by("acme");
        assert_eq!(lock(&shared).as_ref(), "_flowlake/pipelines/acme/lock.json");
        assert_eq!(sequence_of(&commit(&shared, 7)), Some(7));
        assert_eq!(below_own(lock(&shared).as_ref()), Some("lock.json"));
        assert_eq!(below_own(lock(&destination()).as_ref()), Some("lock.json"));
        assert_eq!(below_own("orders/0000-run.parquet"), None);
        let export = shared.own("landing").join("run.json.zst");
        assert_eq!(run_of(&export), "run");
    }

    #[test]
    fn only_names_that_flowlake_gives_are_its_own() {
        for (name, is_ours) in [
            ("t/0000-run.parquet", true),
            ("t/at_month=2026-01/12345-run-1.parquet", true),
            ("t/000-run.parquet", false),
            ("t/backup.parquet", false),
            ("t/0000-run.csv", false),
            ("t/0000-.parquet", false),
        ] {
            assert_eq!(is_data_file(&Path::from(name)), is_ours, "{name}");
        }
        let quarantined =
            quarantine_file(&destination(), &"t".parse().unwrap(), &"run-1".parse().unwrap());
        assert_eq!(quarantined.as_ref(), "_flowlake/quarantine/t/run-1.jsonl.zst");
        assert!(is_quarantine_file(&quarantined));
        assert!(!is_quarantine_file(&Path::from("_flowlake/quarantine/t/run-1.jsonl")));
    }

    #[test]
    fn a_recorded_path_is_not_encoded_again() {
        for path in ["t/c_partition=a%2Fb/0000-r.parquet", "t/c_partition=å b/0000-r.parquet"] {
            assert_eq!(recorded(path).as_ref(), path);
        }
        assert_eq!(table_directory(&"t".parse().unwrap()).as_ref(), "t");
    }
}
