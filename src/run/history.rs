//! Histories in a run: when its versions begin, and which files of a history it writes again.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::RunError;
use crate::definition::WriteDisposition;
use crate::infer::TableHistory;
use crate::merge::{MergedTables, files_with_ended_versions};
use crate::normalise::MetadataColumns;
use crate::plan::CLOCK_SKEW;
use crate::run::loaded::Loaded;
use crate::schema::{ColumnSource, PartitionKey, TableId};
use crate::table::{DataFile, Manifest, Snapshot, TableStore};

/// For each root table with a history, when the versions of the run begin.
#[derive(Debug, Default)]
pub(super) struct VersionTimes(BTreeMap<TableId, DateTime<Utc>>);

impl VersionTimes {
    /// The start of the run; but not before any time that the histories have, which is later where the clock was set back.
    pub(super) fn of(load: &Loaded, snapshot: &Snapshot, started_at: DateTime<Utc>) -> Self {
        let mut times = Self::default();
        for (_, TableHistory { of, schema }) in load.schemas.histories() {
            let latest = snapshot.manifests.get(&schema.name).and_then(latest_time);
            let root = load.schemas.table(*of).root;
            let time = times.0.entry(root).or_insert(started_at);
            *time = (*time).max(latest.unwrap_or(started_at));
        }
        times
    }

    /// The root tables whose versions begin in the future, and when.
    pub(super) fn ahead_of(
        &self,
        started_at: DateTime<Utc>,
    ) -> impl Iterator<Item = (TableId, DateTime<Utc>)> {
        let times = self.0.iter().map(|(table, time)| (*table, *time));
        times.filter(move |(_, time)| *time - started_at > CLOCK_SKEW)
    }

    /// The metadata columns of a table, with when its versions begin.
    pub(super) fn set_in(
        &self,
        metadata: MetadataColumns,
        load: &Loaded,
        table: TableId,
    ) -> MetadataColumns {
        match self.of_table(load, table) {
            Some(time) => metadata.with_versions_from(time),
            None => metadata,
        }
    }

    /// When versions of a table begin.
    pub(super) fn of_table(&self, load: &Loaded, table: TableId) -> Option<DateTime<Utc>> {
        self.0.get(&load.schemas.table(table).root).copied()
    }
}

/// The latest time at which a version of a history begins or ends.
fn latest_time(history: &Manifest) -> Option<DateTime<Utc>> {
    let columns = [ColumnSource::ValidFrom, ColumnSource::ValidTo];
    let columns = columns.iter().filter_map(|source| history.schema.own_column(source));
    let of_files = columns.flat_map(|name| {
        history.files.iter().filter_map(|file| {
            let statistics = file.statistics.get(name.as_str())?;
            instant(statistics.max.as_deref()?)
        })
    });
    of_files.max()
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc())
}

/// The files of histories with versions that a merge ends: in the partitions in which the tables have the rows.
pub(super) async fn rewritten_histories(
    store: &TableStore,
    load: &Loaded,
    snapshot: &Snapshot,
    merged: &MergedTables,
) -> Result<HashSet<String>, RunError> {
    let mut rewritten = HashSet::new();
    for (id, TableHistory { of, schema }) in load.schemas.histories() {
        let table = snapshot.manifests.get(&load.schemas[*of].name);
        let history = snapshot.manifests.get(&schema.name);
        let (Some(table), Some(history)) = (table, history) else { continue };
        let ended = table.files.iter().filter(|file| merged.rewritten.contains(&file.path));
        let partitions: HashSet<&PartitionKey> = ended.map(|file| &file.partition).collect();
        // Of rows that are lost nobody knows where they were.
        let is_looked_at =
            |file: &&DataFile| history.is_incomplete || partitions.contains(&file.partition);
        let files = history.data_files().filter(|file| file.has_rows());
        let files: Vec<&DataFile> = files.filter(is_looked_at).collect();
        let schemas = &load.schemas;
        let found = files_with_ended_versions(store, schemas, id, files, &merged.ended).await?;
        rewritten.extend(found);
    }
    Ok(rewritten)
}

/// The files of a table that has had no history so far, by the table: their rows are the first versions.
pub(super) fn first_versions<'a>(
    load: &Loaded,
    snapshot: &'a Snapshot,
    history: &TableHistory,
) -> impl Iterator<Item = &'a DataFile> + use<'a> {
    let is_new = !snapshot.manifests.contains_key(&history.schema.name);
    let is_merged = load.schemas.policy(history.of).disposition == WriteDisposition::Merge;
    let table = snapshot.manifests.get(&load.schemas[history.of].name);
    let files = table.filter(|_| is_new && is_merged).into_iter().flat_map(Manifest::data_files);
    files.filter(|file| file.has_rows())
}
