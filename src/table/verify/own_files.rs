//! Own files that cannot be read although no table depends on them.

use futures::{StreamExt, stream};

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
