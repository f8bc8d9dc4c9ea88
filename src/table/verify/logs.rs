//! The logs of tables, in the format of Delta, compared with their manifests.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingKind, VerifyDepth, VerifyError, finding_of};
use crate::schema::{TableFormat, TableName};
use crate::store::Destination;
use crate::table::delta::{LogState, differences};
use crate::table::snapshot::SnapshotFile;
use crate::table::{Agreement, CommitError, Manifest};

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
        depth: VerifyDepth,
    ) -> Result<Self, VerifyError> {
        let mut logs = Self { are_known: true, ..Self::default() };
        if file.format != TableFormat::Delta {
            return Ok(logs);
        }
        let agreement = Agreement::of(destination).await?;
        for manifest in manifests {
            let table = &manifest.schema.name;
            let Some(position) = file.tables.get(table).and_then(|entry| entry.log.as_ref()) else {
                continue;
            };
            match LogState::read(destination, table).await {
                Ok(Some(state)) => {
                    let found =
                        differences(&state, manifest, position, agreement.as_ref())?.into_iter();
                    let found = found.map(|(subject, detail)| {
                        Finding::new(FindingKind::WrongLog, subject, detail)
                    });
                    logs.findings.extend(found);
                    for error in damaged_versions(destination, &state, table, depth).await? {
                        logs.findings.push(finding_of(destination, error)?);
                    }
                    for (path, reason) in &state.damaged {
                        let kind = FindingKind::Unreadable;
                        logs.findings.push(Finding::new(kind, path, reason.as_str()));
                    }
                    logs.replaced.extend(state.removed_files(table));
                }
                Ok(None) => {
                    logs.are_known = false;
                    logs.findings.push(finding_of(
                        destination,
                        CommitError::LogLost { table: table.clone() },
                    )?);
                }
                Err(error) => {
                    logs.are_known = false;
                    logs.findings.push(finding_of(destination, error)?);
                }
            }
        }
        Ok(logs)
    }
}

/// What is wrong with the versions of a log whose last state can be read.
async fn damaged_versions(
    destination: &Destination,
    state: &LogState,
    table: &TableName,
    depth: VerifyDepth,
) -> Result<Vec<CommitError>, CommitError> {
    let mut damaged = Vec::new();
    if state.has_lost_last_version(destination, table).await? {
        damaged.push(CommitError::LogLost { table: table.clone() });
    }
    if depth == VerifyDepth::Contents {
        damaged.extend(state.damaged_versions(destination, table).await?);
    }
    Ok(damaged)
}
