//! flowlake's own files, by their names alone. A file with another name is a stranger, and nothing reads it.

use super::layout;
use crate::landing;
use crate::schema::RunId;

/// What a file of flowlake's own is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnFile {
    Snapshot,
    Lock,
    Manifest,
    Commit,
    Staged,
    Quarantine,
    Export,
    ExportOrigin,
    Report,
    /// Moved aside, or of a check that was interrupted.
    Other,
}

impl OwnFile {
    pub(super) fn of(path: &str) -> Option<Self> {
        let own = layout::below_own(path)?;
        let recorded = layout::recorded(path);
        let (directory, rest) = own.split_once('/').unwrap_or(("", own));
        let depth = rest.split('/').count();
        let is_of_run = |ending: &str| {
            rest.strip_suffix(ending)
                .and_then(|name| name.split('/').next())
                .is_some_and(|run| run.parse::<RunId>().is_ok())
        };
        match (directory, depth) {
            ("", 1) if rest == "snapshot.json" => Some(Self::Snapshot),
            ("", 1) if rest == "lock.json" => Some(Self::Lock),
            ("tables", 2) => layout::sequence_of(&recorded).map(|_| Self::Manifest),
            ("commits", 1) => layout::sequence_of(&recorded).map(|_| Self::Commit),
            ("staging", 2) => is_of_run(".staged").then_some(Self::Staged),
            ("quarantine", 2) => layout::is_quarantine_file(&recorded).then_some(Self::Quarantine),
            ("landing", 1 | 2) if is_of_run(landing::EXPORT) => Some(Self::Export),
            ("landing", 1 | 2) if is_of_run(landing::ORIGIN) => Some(Self::ExportOrigin),
            ("runs", 1) => is_of_run(".json").then_some(Self::Report),
            ("aside" | "check", _) => Some(Self::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o02_own_files_are_known_by_their_names_alone() {
        for (path, expected) in [
            ("_flowlake/snapshot.json", Some(OwnFile::Snapshot)),
            ("_flowlake/snapshot.json.bak", None),
            ("_flowlake/tables/t/000000000007.json", Some(OwnFile::Manifest)),
            ("_flowlake/tables/t/000000000007.json.bak", None),
            ("_flowlake/tables/t.json", None),
            ("_flowlake/commits/000000000007.json", Some(OwnFile::Commit)),
            ("_flowlake/commits/.DS_Store", None),
            ("_flowlake/staging/run/0123.staged", Some(OwnFile::Staged)),
            ("_flowlake/quarantine/t/run.jsonl.zst", Some(OwnFile::Quarantine)),
            ("_flowlake/landing/run.json.zst", Some(OwnFile::Export)),
            ("_flowlake/landing/run/0000.origin.json", Some(OwnFile::ExportOrigin)),
            ("_flowlake/runs/run.json", Some(OwnFile::Report)),
            ("_flowlake/runs/run (copy).json", None),
            ("_flowlake/landing/run.old.json.zst", None),
            ("_flowlake/staging/run/notes#1", None),
            ("_flowlake/aside/t/0000-run.parquet", Some(OwnFile::Other)),
            ("_flowlake/desktop.ini", None),
            ("_flowlake/pipelines/p/snapshot.json", Some(OwnFile::Snapshot)),
            ("_flowlake/pipelines/p/runs/run.json", Some(OwnFile::Report)),
            ("t/0000-run.parquet", None),
        ] {
            assert_eq!(OwnFile::of(path), expected, "{path}");
        }
    }
}
