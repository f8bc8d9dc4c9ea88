//! Own files that cannot be read although no table depends on them.

use futures::{StreamExt, TryStreamExt, stream};

use super::finding::{Finding, FindingKind, Sizes, VerifyDepth, VerifyError};
use crate::landing;
use crate::runtime::on_cpu;
use crate::store::Destination;
use crate::table::commit_log::CommitRecord;
use crate::table::own_file::OwnFile;
use crate::table::snapshot::SnapshotFile;
use crate::table::{Manifest, json, layout};

/// How many small files are read at once.
const AT_ONCE: usize = 16;
/// Larger ones are read one after the other: the manifest of 100,000 files has 40 MB.
const SMALL: u64 = 1_000_000;

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
    let old = sizes.iter().filter(|(path, _)| is_old(path));
    let (small, large): (Vec<_>, Vec<_>) = old.partition(|(_, bytes)| **bytes <= SMALL);
    let mut found = Vec::new();
    for (files, at_once) in [(small, AT_ONCE), (large, 1)] {
        let checks: Vec<_> =
            files.into_iter().map(|(path, _)| damage_of(destination, path)).collect();
        let checked: Vec<Option<Finding>> =
            stream::iter(checks).buffered(at_once).try_collect().await?;
        found.extend(checked.into_iter().flatten());
    }
    Ok(found)
}

async fn damage_of(destination: &Destination, path: &str) -> Result<Option<Finding>, VerifyError> {
    let damaged = |detail: String| Finding::new(FindingKind::DamagedArchive, path, detail);
    let recorded = layout::recorded(path);
    // It may have been removed since it was listed.
    let Some(content) = destination.get(&recorded).await? else { return Ok(None) };
    let reason = match OwnFile::of(path) {
        Some(OwnFile::Commit) => {
            json::decode::<CommitRecord>(&recorded, content).err().map(|it| it.to_string())
        }
        Some(OwnFile::Manifest) => {
            json::decode::<Manifest>(&recorded, content).err().map(|it| it.to_string())
        }
        Some(OwnFile::Report) => {
            serde_json::from_slice::<serde_json::Value>(&content).err().map(|it| it.to_string())
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
