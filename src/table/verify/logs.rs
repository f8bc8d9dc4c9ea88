//! The logs of tables, in the format of Delta, compared with their manifests.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingKind, VerifyError};
use super::look::finding_of;
use crate::schema::TableFormat;
use crate::store::Destination;
use crate::table::delta::LogState;
use crate::table::snapshot::SnapshotFile;
use crate::table::{CommitError, Manifest, layout};

/// What the logs of a destination say.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// How they differ from the manifests.
    pub(super) findings: Vec<Finding>,
    /// The files that were replaced, and stay until they are vacuumed.
    pub(super) replaced: BTreeSet<String>,
    /// Whether all of them could be read.
    pub(super) are_known: bool,
}

impl Logs {
    pub(super) async fn read(
        destination: &Destination,
        file: &SnapshotFile,
        manifests: &[Manifest],
    ) -> Result<Self, VerifyError> {
        let mut logs = Self { are_known: true, ..Self::default() };
        if file.format != TableFormat::Delta {
            return Ok(logs);
        }
        for manifest in manifests {
            let table = &manifest.schema.name;
            if file.tables.get(table).is_none_or(|entry| entry.log.is_none()) {
                continue;
            }
            match LogState::read(destination, table).await {
                Ok(Some(state)) => {
                    logs.findings.extend(differences(&state, manifest));
                    logs.replaced.extend(state.removed_files(table));
                }
                Ok(None) => {
                    logs.are_known = false;
                    logs.findings.push(finding_of(CommitError::LogLost { table: table.clone() })?);
                }
                Err(error) => {
                    logs.are_known = false;
                    logs.findings.push(finding_of(error)?);
                }
            }
        }
        Ok(logs)
    }
}

/// The files that only one of log and manifest has.
fn differences(state: &LogState, manifest: &Manifest) -> Vec<Finding> {
    let table = &manifest.schema.name;
    let live: BTreeSet<String> = state.live_files(table).into_iter().collect();
    let named: BTreeSet<String> = manifest.files.iter().map(|file| file.path.clone()).collect();
    let version = state.version();
    let log = layout::log_directory(table);
    let missing = named.difference(&live).map(|path| {
        let detail = format!("the table has it, and version {version} in {log} does not");
        Finding::new(FindingKind::WrongLog, path, detail)
    });
    let unknown = live.difference(&named).map(|path| {
        let detail = format!("version {version} in {log} has it, and the table does not");
        Finding::new(FindingKind::WrongLog, path, detail)
    });
    missing.chain(unknown).collect()
}
