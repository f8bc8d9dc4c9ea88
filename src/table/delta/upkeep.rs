//! Upkeep of a log after a commit: checkpoints, vacuum, clean-up. A table is complete without it.
//!
//! | what | when | what is left |
//! |---|---|---|
//! | checkpoint | ten versions behind the last one | the state of the log as one file |
//! | vacuum | with a checkpoint | replaced files are removed after the retention, and only those that the log says were replaced |
//! | clean-up | with a checkpoint | versions since the last checkpoint that is older than the retention |

use chrono::{DateTime, Utc};
use object_store::path::Path;
use serde::Serialize;

use super::checkpoint;
use super::compare::differences;
use super::log_state::{LogFiles, LogState, in_destination, slice_prefix};
use crate::definition::RetentionPolicy;
use crate::runtime::on_cpu;
use crate::schema::{TableName, TableSchema};
use crate::store::Destination;
use crate::table::{Agreement, CommitError, TableStore, layout};

/// With so many versions behind the last checkpoint, there is a new one.
const VERSIONS: u64 = 10;

/// What is kept of the logs and files of tables.
#[derive(Debug, Clone, Copy)]
struct Upkeep {
    /// Files that were replaced before may go, and versions of before.
    oldest: DateTime<Utc>,
    /// Whether to remove what may be removed, also without ten new versions.
    at_once: bool,
}

/// What readers look at to find the last checkpoint.
#[derive(Serialize)]
struct LastCheckpoint {
    version: u64,
    size: u64,
}

impl TableStore {
    /// Keeps up the logs of tables; returns how many replaced files were removed. With `at_once`, everything is removed
    /// that may be.
    ///
    /// # Errors
    /// The destination fails, or a log is damaged. The tables are as they were.
    pub async fn keep_up_logs(
        &self,
        tables: &[TableName],
        retention: RetentionPolicy,
        now: DateTime<Utc>,
        at_once: bool,
    ) -> Result<u64, CommitError> {
        let oldest = now.checked_sub_signed(retention.time_travel);
        let upkeep = Upkeep { oldest: oldest.unwrap_or(DateTime::<Utc>::MIN_UTC), at_once };
        let mut removed = 0;
        for table in tables {
            removed += self.keep_up_log(table, upkeep).await?;
        }
        Ok(removed)
    }

    /// Keeps up the log of a table; returns how many replaced files were removed.
    async fn keep_up_log(&self, table: &TableName, upkeep: Upkeep) -> Result<u64, CommitError> {
        let destination = self.destination();
        let files = LogFiles::list(destination, table).await?;
        let last_checkpoint = files.checkpoints.keys().max().copied();
        let first = last_checkpoint.map_or(0, |version| version + 1);
        let next = files.last_version().map_or(0, |version| version + 1);
        if next.saturating_sub(first) < VERSIONS && !upkeep.at_once {
            return Ok(0);
        }
        let Some(mut state) = LogState::read(destination, table).await? else { return Ok(0) };
        let Some(schema) = self.refuse_other_log(table, &state).await? else { return Ok(0) };
        let vacuumed = upkeep.vacuum(destination, &schema, &mut state).await?;
        if vacuumed > 0 || state.checkpoint != Some(state.version) {
            state = write_checkpoint(destination, table, state).await?;
            let current = layout::checkpoint(table, state.version);
            let damaged = state.damaged.iter().map(|(path, _)| path.clone());
            let damaged: Vec<Path> = damaged.filter(|path| *path != current).collect();
            if !damaged.is_empty() {
                destination.delete_all(&damaged).await?;
            }
        }
        upkeep.clean_up(destination, table, &state.files).await?;
        Ok(vacuumed)
    }

    /// Refuses a log that says otherwise than the manifest: what it calls replaced may be live. Returns the schema of the
    /// manifest.
    async fn refuse_other_log(
        &self,
        table: &TableName,
        state: &LogState,
    ) -> Result<Option<TableSchema>, CommitError> {
        let (file, _) = self.snapshot_file().await?;
        let Some(entry) = file.tables.get(table) else { return Ok(None) };
        let Some(position) = &entry.log else { return Ok(None) };
        let agreement = Agreement::of(self.destination()).await?;
        let manifest = self.manifest(table, entry).await?;
        if differences(state, &manifest, position, agreement.as_ref())?.is_empty() {
            return Ok(Some(manifest.schema));
        }
        Err(CommitError::OtherLog { table: table.clone(), version: state.version })
    }
}

impl Upkeep {
    /// Removes files that were replaced long ago, and forgets them. They go before the checkpoint that does not name them:
    /// what is interrupted is done again.
    async fn vacuum(
        &self,
        destination: &Destination,
        schema: &TableSchema,
        state: &mut LogState,
    ) -> Result<u64, CommitError> {
        let (table, slice) = (&schema.name, slice_prefix(schema));
        let oldest = self.oldest.timestamp_millis();
        let is_old = |time: Option<i64>| time.is_none_or(|time| time < oldest);
        let (old, kept) = std::mem::take(&mut state.removed)
            .into_iter()
            // Those of another slice are its pipeline's matter.
            .partition(|(path, removed)| {
                path.starts_with(&slice) && is_old(removed.deletion_timestamp)
            });
        state.removed = kept;
        let paths: Vec<Path> = old
            .keys()
            .filter_map(|path| in_destination(path, table))
            .map(|path| layout::recorded(&path))
            // A log that was tampered with removes nothing but data files of its table.
            .filter(layout::is_data_file)
            .collect();
        if !paths.is_empty() {
            destination.delete_all(&paths).await?;
        }
        Ok(paths.len() as u64)
    }

    /// Removes versions that nobody can read any more: those before the last checkpoint that is older than the retention.
    async fn clean_up(
        &self,
        destination: &Destination,
        table: &TableName,
        files: &LogFiles,
    ) -> Result<(), CommitError> {
        let is_old = |(_, written): &(&u64, &DateTime<Utc>)| **written < self.oldest;
        let Some((first, _)) = files.checkpoints.iter().rfind(is_old) else {
            return Ok(());
        };
        let versions = files.versions.range(..first).map(|(it, _)| layout::log_file(table, *it));
        let checkpoints =
            files.checkpoints.range(..first).map(|(it, _)| layout::checkpoint(table, *it));
        let gone: Vec<Path> = versions.chain(checkpoints).collect();
        if !gone.is_empty() {
            destination.delete_all(&gone).await?;
        }
        Ok(())
    }
}

async fn write_checkpoint(
    destination: &Destination,
    table: &TableName,
    state: LogState,
) -> Result<LogState, CommitError> {
    let (state, encoded) = on_cpu(move || {
        let encoded = checkpoint::encode(&state);
        (state, encoded)
    })
    .await;
    let path = layout::checkpoint(table, state.version);
    let (content, size) = encoded.map_err(|error| CommitError::DamagedLog {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    destination.put(&path, content).await?;
    let last = LastCheckpoint { version: state.version, size };
    let last = serde_json::to_vec(&last).map_err(CommitError::Unwritable)?;
    destination.put(&layout::last_checkpoint(table), last.into()).await?;
    Ok(state)
}
