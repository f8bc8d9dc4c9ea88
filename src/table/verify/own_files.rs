//! flowlake's own files by their names, and those that cannot be read although no table depends on them.

use futures::{StreamExt, stream};

use super::look::Sizes;
use super::{Finding, FindingKind, VerifyDepth, VerifyError};
use crate::landing;
use crate::report::RunReport;
use crate::runtime::on_cpu;
use crate::store::Destination;
use crate::table::commit_log::CommitRecord;
use crate::table::snapshot::SnapshotFile;
use crate::table::{Manifest, json, layout};

/// How many small files are read at once.
const AT_ONCE: usize = 16;

/// What a file of flowlake's own is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let own = path.strip_prefix("_flowlake/")?;
        let recorded = layout::recorded(path);
        let (directory, rest) = own.split_once('/').unwrap_or(("", own));
        let depth = rest.split('/').count();
        match (directory, depth) {
            ("", 1) if rest == "snapshot.json" => Some(Self::Snapshot),
            ("", 1) if rest == "lock.json" => Some(Self::Lock),
            ("tables", 2) => layout::sequence_of(&recorded).map(|_| Self::Manifest),
            ("commits", 1) => layout::sequence_of(&recorded).map(|_| Self::Commit),
            ("staging", 2) => rest.ends_with(".staged").then_some(Self::Staged),
            ("quarantine", 2) => layout::is_quarantine_file(&recorded).then_some(Self::Quarantine),
            ("landing", 1 | 2) if rest.ends_with(landing::EXPORT) => Some(Self::Export),
            ("landing", 1 | 2) if rest.ends_with(landing::ORIGIN) => Some(Self::ExportOrigin),
            ("runs", 1) => rest.ends_with(".json").then_some(Self::Report),
            ("aside" | "check", _) => Some(Self::Other),
            _ => None,
        }
    }
}

/// Old files that cannot be read.
pub(super) async fn damaged(
    destination: &Destination,
    snapshot: &SnapshotFile,
    sizes: &Sizes,
    depth: VerifyDepth,
) -> Result<Vec<Finding>, VerifyError> {
    let current: Vec<&String> =
        snapshot.tables.values().map(|entry| &entry.manifest.path).collect();
    let is_old = |path: &&String| match OwnFile::of(path) {
        Some(OwnFile::Commit) => {
            layout::sequence_of(&layout::recorded(path)).is_some_and(|it| it <= snapshot.sequence)
        }
        Some(OwnFile::Manifest) => !current.contains(path),
        Some(OwnFile::Report | OwnFile::ExportOrigin) => true,
        Some(OwnFile::Export) => depth == VerifyDepth::Contents,
        _ => false,
    };
    let checks = sizes.keys().filter(is_old).map(|path| damage_of(destination, path));
    let checks: Vec<_> = checks.collect();
    let found: Vec<Result<Option<Finding>, VerifyError>> =
        stream::iter(checks).buffered(AT_ONCE).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

async fn damage_of(destination: &Destination, path: &str) -> Result<Option<Finding>, VerifyError> {
    let damaged = |detail: String| Finding::new(FindingKind::DamagedArchive, path, detail);
    let recorded = layout::recorded(path);
    // It may have been removed since it was listed.
    let Some(content) = destination.get(&recorded).await? else { return Ok(None) };
    let reason = match OwnFile::of(path) {
        Some(OwnFile::Commit) => {
            json::decode::<CommitRecord>(&recorded, &content).err().map(|it| it.to_string())
        }
        Some(OwnFile::Manifest) => {
            json::decode::<Manifest>(&recorded, &content).err().map(|it| it.to_string())
        }
        Some(OwnFile::Report) => {
            serde_json::from_slice::<RunReport>(&content).err().map(|it| it.to_string())
        }
        Some(OwnFile::ExportOrigin) => {
            landing::hash_of_origin(&content).err().map(|it| it.to_string())
        }
        Some(OwnFile::Export) => {
            let origin = destination.get(&landing::origin_of(&recorded)).await?;
            on_cpu(move || landing::damage_of(&content, origin.as_deref())).await
        }
        _ => None,
    };
    Ok(reason.map(damaged))
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
            ("_flowlake/aside/t/0000-run.parquet", Some(OwnFile::Other)),
            ("_flowlake/desktop.ini", None),
            ("t/0000-run.parquet", None),
        ] {
            assert_eq!(OwnFile::of(path), expected, "{path}");
        }
    }
}
