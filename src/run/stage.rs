//! Stage: writes the files of a run where no reader looks, and collects all that its commit changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{Run, RunError, ledger, merge};
use crate::definition::WriteDisposition;
use crate::landing::Landed;
use crate::merge::{EndedRows, MergedTables, OverwrittenPartitions, PartitionRows, carry_over};
use crate::report::{EventKind, RunWarning, TableReport};
use crate::run::history::{VersionTimes, first_versions, rewritten_histories};
use crate::run::intake::FoundRecords;
use crate::run::loaded::{EncodedRows, Loaded};
use crate::run::merge::KeysOfTables;
use crate::run::quarantine::QuarantinedRecords;
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{IdVec, PartitionKey, RootId, StoredTable, TableId};
use crate::table::{
    Changes, DataFile, LoadedExport, ManifestUpdate, Publication, Snapshot, TakenExport,
    UpdatedManifest, files_to_compact,
};
use crate::write::{Encoder, FileLayout, FileNumbers, StagedFile, encode, stage};

/// Where the rows of a run come from.
pub(super) enum RowSource {
    /// An export from the source.
    Export {
        taken: TakenExport,
        /// Where the records of each root table were, and how many.
        found: IdVec<RootId, FoundRecords>,
    },
    /// Quarantined records.
    Quarantine(QuarantinedRecords),
}

/// The rows of a file to write: those of older files, followed by new ones.
#[derive(Default)]
struct FileRows<'a> {
    older: Vec<&'a DataFile>,
    /// The files of a table whose history begins.
    first_versions: Vec<&'a DataFile>,
    new: Option<PartitionRows>,
    /// New rows that are already encoded.
    encoded: Option<Encoder>,
}

/// The files to write, by table and partition.
type Files<'a> = BTreeMap<(StoredTable, PartitionKey), FileRows<'a>>;

/// The staged files of a run, and the files of the tables that they replace.
pub(super) struct Written {
    pub(super) staged: Vec<(StoredTable, StagedFile)>,
    pub(super) rewritten: HashSet<String>,
    export_keys: KeysOfTables,
    /// How many versions were added to each history.
    versions: HashMap<StoredTable, u64>,
}

impl Written {
    /// Whether a table gets a file.
    pub(super) fn has_file_of(&self, table: StoredTable) -> bool {
        self.staged.iter().any(|(of, _)| *of == table)
    }
}

/// The staged files of one partition.
struct WrittenFiles {
    table: StoredTable,
    /// How many rows they have that are not of older files of the table.
    added: u64,
    /// How many rows were superseded.
    superseded: u64,
    /// The files with the other rows, if any.
    files: Vec<StagedFile>,
}

impl Run<'_> {
    /// Stages the rows of every partition, with the older rows of files that are rewritten.
    pub(super) async fn write(
        &self,
        load: &mut Loaded,
        snapshot: &Snapshot,
    ) -> Result<Written, RunError> {
        let (tables, plan) = (self.tables.as_ref(), self.plan);
        let (mut merged, export_keys) = merge::merge_records(tables, load, snapshot, plan).await?;
        let overwritten = merge::overwrite_partitions(tables, load, snapshot, plan).await?;
        let histories = rewritten_histories(tables, load, snapshot, &merged).await?;
        merged.rewritten.extend(histories);
        let times = VersionTimes::of(load, snapshot, self.plan.started_at);
        for (table, time) in times.ahead_of(self.plan.started_at) {
            let name = &load.schemas[table].name;
            self.events.warn_of_table(name, RunWarning::HistoryIsAhead(time));
        }
        let mut files = new_rows(load, &mut merged, &overwritten, &times);
        let rewritten = add_older_files(&mut files, load, snapshot, &merged, &overwritten);
        self.events.emit(EventKind::Writing(files.len() as u64));
        let files = numbered(files).into_iter().map(|(key, rows, numbers)| {
            self.write_partition(load, key, rows, numbers, &merged.ended, &times)
        });
        let files: Vec<_> = files.collect();
        // Some are encoded while others wait for the disk.
        let mut written = stream::iter(files).buffered(parallelism() + 2);
        let mut staged = Vec::new();
        let (mut superseded, mut versions) = (Vec::new(), HashMap::new());
        while let Some(of_partition) = written.try_next().await? {
            let table = of_partition.table;
            match table {
                StoredTable::Current(table) => superseded.push((table, of_partition.superseded)),
                StoredTable::History(_) => {
                    *versions.entry(table).or_default() += of_partition.added;
                }
            }
            staged.extend(of_partition.files.into_iter().map(|file| (table, file)));
        }
        drop(written);
        count_outcomes(load, superseded, merged);
        let mut written = Written { staged, rewritten, export_keys, versions };
        self.settle_empty_tables(load, snapshot, &mut written).await?;
        Ok(written)
    }

    /// Stages the rows of one partition, after those of older files.
    async fn write_partition(
        &self,
        load: &Loaded,
        (table, partition): (StoredTable, PartitionKey),
        FileRows { older, first_versions, new, encoded }: FileRows<'_>,
        numbers: FileNumbers,
        ended: &EndedRows,
        times: &VersionTimes,
    ) -> Result<WrittenFiles, RunError> {
        let (schema, of) = (load.schemas.stored_schema(table), load.schemas.rows_of(table));
        let metadata = times.set_in(self.metadata(), load, of);
        let sum = |files: &[&DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
        let own = sum(&older);
        let all = own
            + sum(&first_versions)
            + new.as_ref().map_or(0, PartitionRows::count)
            + encoded.as_ref().map_or(0, Encoder::rows);
        let mut first = Vec::new();
        let older = older.into_iter().map(|file| (file, false));
        for (file, begins) in older.chain(first_versions.into_iter().map(|file| (file, true))) {
            let content = self.tables.read(file).await?;
            let of_table = schema.clone();
            let rows = on_cpu(move || content.rows(&of_table, None)).await?;
            let rows = if begins { metadata.begin(rows, schema)? } else { rows };
            first.push(Ok(carry_over(rows, of, schema, ended, &metadata)?));
        }
        let mut encoders = Vec::new();
        if !first.is_empty() || new.is_some() {
            let rows = first.into_iter().chain(new.into_iter().flat_map(PartitionRows::read));
            let (schemas, spill) = (load.schemas.clone(), load.spill.clone());
            let encoder = on_cpu(move || {
                let schema = schemas.stored_schema(table);
                encode(rows, schema, Arc::new(FileLayout::of(schema)?), &spill)
            });
            encoders.push(encoder.await?);
        }
        encoders.extend(encoded);
        let run_id = &self.plan.run_id;
        let files = stage(self.destination, schema, run_id, partition, numbers, encoders).await?;
        self.events.emit(EventKind::Written);
        let rows = files.iter().map(|file| file.rows).sum::<u64>();
        let (added, superseded) = (rows.saturating_sub(own), all - rows);
        Ok(WrittenFiles { table, added, superseded, files })
    }

    /// All that a run changes, and the ledgers of its tables.
    pub(super) async fn all_changes(
        &self,
        load: &Loaded,
        Written { staged, rewritten, export_keys, versions }: Written,
        snapshot: &Snapshot,
        row_source: RowSource,
        landed: &[Landed],
    ) -> Result<(Changes, Vec<TableReport>), RunError> {
        let names = load.schemas.stored().map(|(_, schema)| &schema.name);
        self.refuse_tables_of_others(snapshot, names)?;
        let mut publish: Vec<Publication> =
            staged.iter().map(|(_, file)| Publication::from(file)).collect();
        let (loaded, waiting) = match row_source {
            RowSource::Export { taken, found } => (Some((taken, found)), None),
            RowSource::Quarantine(waiting) => (None, Some(waiting)),
        };
        let mut lines =
            self.stage_quarantine(load, landed, waiting, snapshot, &export_keys).await?;
        publish.append(&mut lines.publications);
        let mut files: HashMap<StoredTable, Vec<Arc<DataFile>>> = HashMap::new();
        for (table, file) in staged {
            files.entry(table).or_default().push(Arc::new(file.into()));
        }
        let (mut remove, mut manifests, mut ledgers) = (Vec::new(), Vec::new(), Vec::new());
        for (stored, schema) in load.schemas.stored() {
            let table = load.schemas.rows_of(stored);
            let is_current = stored == StoredTable::Current(table);
            let root = load.schemas.root_id_of(table).filter(|_| is_current);
            let loaded = loaded.as_ref().map(|(export, found)| {
                let records = root.map(|root| (&found[root].at, found[root].count));
                let quarantined = root.map_or(0, |_| load.counts[table].quarantined);
                LoadedExport { export, records, quarantined }
            });
            let update = ManifestUpdate {
                run_id: &self.plan.run_id,
                schema,
                disposition: load.schemas.policy(table).disposition,
                old: snapshot.manifests.get(&schema.name),
                rewritten: &rewritten,
                is_full_export: self.plan.window.is_none(),
                loaded,
            };
            let quarantine = lines.updates.remove(&schema.name);
            let UpdatedManifest { manifest, removed } =
                update.apply(files.remove(&stored).unwrap_or_default(), quarantine);
            remove.extend(removed);
            ledgers.push(match stored {
                StoredTable::Current(table) => {
                    let waited = lines.waiting_already.get(&schema.name);
                    let waiting_already = waited.copied().unwrap_or_default();
                    TableReport { waiting_already, ..ledger::of(load, table, &manifest) }
                }
                StoredTable::History(_) => ledger::of_history(
                    versions.get(&stored).copied().unwrap_or_default(),
                    &manifest,
                ),
            });
            manifests.push(manifest);
        }
        Ok((Changes { publish, remove, manifests, ..self.changes(snapshot) }, ledgers))
    }
}

/// The rows of the export that are written: all that are not unchanged, and where a table has a history, each of them as
/// a version too.
fn new_rows<'a>(
    load: &mut Loaded,
    merged: &mut MergedTables,
    overwritten: &OverwrittenPartitions,
    times: &VersionTimes,
) -> Files<'a> {
    let unchanged = Arc::new(std::mem::take(&mut merged.unchanged));
    let mut files = Files::new();
    for ((table, partition), rows) in std::mem::take(&mut load.rows) {
        let key = (table, partition);
        if let Some(same) = overwritten.unchanged.get(&key) {
            load.counts[table].count_unchanged(rows.count(), *same);
            continue;
        }
        if merged.is_unchanged(&key) {
            continue;
        }
        let (rows, partition) = (rows.without(&unchanged), key.1);
        if let (Some(history), Some(time)) =
            (load.schemas.history_of(table), times.of_table(load, table))
        {
            let versions = files.entry((StoredTable::History(history), partition.clone()));
            versions.or_default().new = Some(rows.as_versions(history, time));
        }
        files.entry((StoredTable::Current(table), partition)).or_default().new = Some(rows);
    }
    for (key, EncodedRows { encoder, .. }) in std::mem::take(&mut load.encoded) {
        if let Some(same) = overwritten.unchanged.get(&key) {
            load.counts[key.0].count_unchanged(encoder.rows(), *same);
        } else {
            let key = (StoredTable::Current(key.0), key.1);
            files.entry(key).or_default().encoded = Some(encoder);
        }
    }
    files
}

/// The files to write, with their numbers among those of their table.
fn numbered(files: Files<'_>) -> Vec<((StoredTable, PartitionKey), FileRows<'_>, FileNumbers)> {
    let mut partitions: HashMap<StoredTable, usize> = HashMap::new();
    let with_position = files.into_iter().map(|(key, rows)| {
        let of_table = partitions.entry(key.0).or_default();
        *of_table += 1;
        (key, rows, *of_table - 1)
    });
    let with_position: Vec<_> = with_position.collect();
    let with_numbers = with_position.into_iter().map(|(key, rows, partition)| {
        let partitions = partitions[&key.0];
        (key, rows, FileNumbers { partition, partitions })
    });
    with_numbers.collect()
}

/// Adds the older files that are rewritten: their schema changed, their rows were merged, or they are small. Returns the
/// paths of all files that are replaced, with those of excluded tables.
fn add_older_files<'a>(
    files: &mut Files<'a>,
    load: &Loaded,
    snapshot: &'a Snapshot,
    merged: &MergedTables,
    overwritten: &OverwrittenPartitions,
) -> HashSet<String> {
    let mut rewritten = overwritten.replaced.clone();
    for (table, schema) in load.schemas.stored() {
        let Some(old) = snapshot.manifests.get(&schema.name) else { continue };
        let policy = load.schemas.policy(load.schemas.rows_of(table));
        if policy.disposition == WriteDisposition::Replace {
            // Files of the other tables have been compared.
            let excluded = old.files.iter().filter(|_| schema.excluded);
            rewritten.extend(excluded.map(|file| file.path.clone()));
            continue;
        }
        let gets_rows = |partition: &PartitionKey| files.contains_key(&(table, partition.clone()));
        let small = files_to_compact(&old.files, gets_rows);
        let is_rewritten = |file: &&DataFile| {
            let changes = !schema.same_files(&old.schema)
                || merged.rewritten.contains(&file.path)
                || small.contains(file.path.as_str());
            file.has_rows() && changes && !overwritten.replaced.contains(&file.path)
        };
        for file in old.data_files().filter(is_rewritten) {
            files.entry((table, file.partition.clone())).or_default().older.push(file);
            rewritten.insert(file.path.clone());
        }
    }
    for (id, history) in load.schemas.histories() {
        for file in first_versions(load, snapshot, history) {
            let key = (StoredTable::History(id), file.partition.clone());
            files.entry(key).or_default().first_versions.push(file);
        }
    }
    rewritten
}

/// Completes the ledgers with what became of the rows.
fn count_outcomes(load: &mut Loaded, superseded: Vec<(TableId, u64)>, merged: MergedTables) {
    for (table, rows) in superseded {
        if !merged.outcomes.contains_key(&table) {
            load.counts[table].superseded += rows;
            load.counts[table].kept -= rows;
        }
    }
    for (table, outcomes) in merged.outcomes {
        load.counts[table].divide(outcomes);
    }
    for (table, records) in merged.deleted {
        load.counts[table].deleted = records;
    }
}
