//! Maintenance: what a person asks of a destination beside a run. Each holds the lock, and recovers first.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::RunError;
use super::quarantine::{StagedQuarantine, waiting_lines};
use crate::definition::Pipeline;
use crate::schema::{LoadedTime, RunId, TableFormat, TableName, Window};
use crate::store::Destination;
use crate::table::lock::{Lock, Owner};
use crate::table::{
    self, Changes, CommitOutcome, Kept, Manifest, Pruned, Snapshot, discard_abandoned,
    discard_staged,
};

/// How a recovery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// No commit was open.
    NothingToDo,
    /// The commit of this run is finished.
    Finished(RunId),
    /// The commit of this run could not be finished. It changed no table.
    Voided(RunId),
}

/// Ends an open commit.
///
/// # Errors
/// A run holds the destination, or it failed.
pub async fn recover(destination: &Destination, now: DateTime<Utc>) -> Result<Recovery, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake recover", now, async |_| {
        let open = tables.open_commit().await?;
        let snapshot = tables.recover().await?;
        Ok(match open {
            None => Recovery::NothingToDo,
            Some(run) if snapshot.run_id() == Some(&run) => Recovery::Finished(run),
            Some(run) => Recovery::Voided(run),
        })
    })
    .await
}

/// Deletes the old files that a pipeline does not keep.
///
/// # Errors
/// A run holds the destination, or it failed.
pub async fn prune(
    destination: &Destination,
    pipeline: &Pipeline,
    now: DateTime<Utc>,
) -> Result<Pruned, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake prune", now, async |lock| {
        let snapshot = tables.recover().await?;
        if lock.ends_with_process() {
            discard_abandoned(destination).await?;
        }
        let kept = Kept::beside(&snapshot, pipeline);
        let with_log = snapshot.tables().filter(|(_, entry)| {
            // How long versions of other pipelines stay is theirs to say.
            entry.log.is_some() && entry.pipeline == pipeline.name
        });
        let with_log: Vec<TableName> = with_log.map(|(table, _)| table.clone()).collect();
        // Logs are as large as manifests.
        drop(snapshot);
        let pruned = kept.prune(destination, None, now).await?;
        let replaced = tables.keep_up_logs(&with_log, pipeline.retention, now, true).await?;
        Ok(Pruned { replaced, ..pruned })
    })
    .await
}

/// Gives all tables of a destination another format. Returns how many were changed; none if all have it already, or there
/// are no tables.
///
/// # Errors
/// A run holds the destination, or it failed. The tables are as they were, or the next run finishes the conversion.
pub async fn convert(
    destination: &Destination,
    to: TableFormat,
    now: DateTime<Utc>,
) -> Result<Option<usize>, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake convert", now, async |_| {
        let snapshot = tables.recover().await?;
        if destination.is_shared() && to.is_parquet() {
            return Err(RunError::SharedTables);
        }
        if snapshot.format().is_none_or(|is| is == to) {
            return Ok(None);
        }
        let changes = tables.conversion(&snapshot, to, now).await?;
        let converted = changes.manifests.len();
        match tables.commit(snapshot, changes).await? {
            CommitOutcome::Committed => Ok(Some(converted)),
            CommitOutcome::Conflict => Err(RunError::Conflict),
        }
    })
    .await
}

/// Sets until when tables of a pipeline are loaded; with `None`, a run of these tables begins where the definition says.
/// Returns the tables, with their watermarks before.
///
/// # Errors
/// A run holds the destination, or it failed.
pub async fn set_watermark(
    destination: &Destination,
    pipeline: &Pipeline,
    chosen: &[TableName],
    watermark: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<(TableName, Option<DateTime<Utc>>)>, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake watermark", now, async |_| {
        let snapshot = tables.recover().await?;
        let roots = pipeline.root_tables().map(|table| &table.name);
        let roots: Vec<&TableName> = roots
            .filter(|table| chosen.is_empty() || chosen.contains(table))
            .filter(|table| snapshot.manifests.contains_key(*table))
            .collect();
        let other = |table: &&&TableName| {
            snapshot.pipeline_of(table).is_some_and(|writer| writer != pipeline.name)
        };
        if let Some(table) = roots.iter().find(other) {
            let writer = snapshot.pipeline_of(table).unwrap_or_default().to_owned();
            return Err(RunError::OtherPipeline { table: (*table).clone(), pipeline: writer });
        }
        let before = roots.iter().map(|table| (*table).clone()).map(|table| {
            let before = snapshot.loaded(&table).map(|loaded| loaded.watermark);
            (table, before)
        });
        let before: Vec<_> = before.collect();
        let loaded =
            roots.into_iter().map(|table| (table.clone(), moved(&snapshot, table, watermark)));
        let loaded = loaded.collect::<BTreeMap<_, _>>();
        let changes = Changes { loaded, ..Changes::nothing(RunId::at(now), now) };
        match tables.commit(snapshot, changes).await? {
            CommitOutcome::Committed => Ok(before),
            CommitOutcome::Conflict => Err(RunError::Conflict),
        }
    })
    .await
}

fn moved(
    snapshot: &Snapshot,
    table: &TableName,
    watermark: Option<DateTime<Utc>>,
) -> Option<LoadedTime> {
    let watermark = watermark?;
    let nothing = LoadedTime::of(Window { start: watermark, end: watermark });
    Some(snapshot.loaded(table).map_or(nothing, |loaded| loaded.going_on_at(watermark)))
}

/// The quarantined records of a table that were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRecords {
    /// The table.
    pub table: TableName,
    /// How many.
    pub dropped: u64,
    /// How many still wait.
    pub left: u64,
}

/// Deletes quarantined records: all, those of one table, or those that one run received.
///
/// # Errors
/// A run holds the destination, or it failed. The records of a damaged file are dropped with all others of their table
/// only.
pub async fn drop_quarantined(
    destination: &Destination,
    table: Option<&TableName>,
    run: Option<&RunId>,
    now: DateTime<Utc>,
) -> Result<Vec<DroppedRecords>, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake quarantine drop", now, async |_| {
        let snapshot = tables.recover().await?;
        let (mut changes, mut drops) = (Changes::nothing(RunId::at(now), now), Vec::new());
        let mut staged = StagedQuarantine::default();
        for (name, manifest) in &snapshot.manifests {
            if table.is_some_and(|table| table != name) {
                continue;
            }
            let mut left = match run {
                Some(_) => waiting_lines(destination, &snapshot, name, |_| Ok(())).await?,
                None => Vec::new(),
            };
            left.retain(|line| run.is_some_and(|run| *run != line.run_id));
            let all = manifest.quarantine.iter().map(|file| file.records + file.partially_loaded);
            let (all, left_records) = (all.sum::<u64>(), left.len() as u64);
            if all == left_records {
                continue;
            }
            let file = staged.put(destination, &changes.run_id, name, &left).await?;
            let removed = manifest.quarantine.iter().map(|file| file.path.clone());
            changes.remove.extend(removed);
            let quarantine = file.into_iter().collect();
            changes.manifests.push(Manifest { quarantine, ..manifest.clone() });
            let (table, dropped) = (name.clone(), all - left_records);
            drops.push(DroppedRecords { table, dropped, left: left_records });
        }
        changes.publish = staged.publications;
        if drops.is_empty() {
            return Ok(drops);
        }
        let run_id = changes.run_id.clone();
        match tables.commit(snapshot, changes).await {
            Ok(CommitOutcome::Committed) => Ok(drops),
            Ok(CommitOutcome::Conflict) => Err(RunError::Conflict),
            Err(error) => {
                if error.left_no_intent() {
                    discard_staged(destination, &run_id).await?;
                }
                Err(error.into())
            }
        }
    })
    .await
}

/// Does something under the lock of a destination.
pub(super) async fn locked<T>(
    destination: &Destination,
    command: &str,
    now: DateTime<Utc>,
    work: impl AsyncFnOnce(&Lock) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let lock = Lock::acquire(destination, Owner::this_process(&RunId::at(now), command)).await?;
    let done = work(&lock).await;
    lock.release().await;
    done
}
