//! Repartition: divides the rows of tables by other columns, in one commit and without the source.
//!
//! A record and its child rows are in one partition, before and after. So one partition after the other is read: first the
//! rows of the root table, which tell where their records go, then those of child tables, which follow their record.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::DataFrame;

use super::maintenance::locked;
use super::record_places::{RecordPlace, RecordPlaces, RowPlace};
use super::{Interruption, RunError, left_no_intent, refuse_other_format};
use crate::definition::{Pipeline, Table, WriteDisposition};
use crate::infer::with_partitions;
use crate::normalise::row_hashes;
use crate::run::guard_error::GuardError;
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{
    ColumnName, ColumnSource, PartitionField, PartitionKey, RunId, TableName, TableSchema,
};
use crate::store::Destination;
use crate::table::{
    self, Changes, CommitOutcome, DataFile, FileContent, Manifest, Publication, Snapshot,
    TableStore, discard_abandoned, discard_staged,
};
use crate::write::partition::Partitioner;
use crate::write::parts::RowParts;
use crate::write::spill::{KeptRows, Spill, SpillError};
use crate::write::{FileLayout, FileNumbers, StagedFile, bytes_of, encode, stage, stage_empty};

/// Divided rows beyond this size wait on local disk.
const MOST_HELD_BYTES: usize = 64 << 20;

/// A table whose rows are in other partitions now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repartitioned {
    /// The table.
    pub table: TableName,
    /// How many files it had.
    pub files_before: usize,
    /// How many it has.
    pub files: usize,
}

/// Gives the tables of a pipeline the partitions that its definition says. Returns the tables that had others.
///
/// # Errors
/// A run holds the destination, a table has no such columns, or the destination failed. The tables are as they were, or the
/// next run finishes the commit.
pub async fn repartition(
    destination: &Destination,
    pipeline: &Pipeline,
    interruption: &Interruption,
    now: DateTime<Utc>,
) -> Result<Vec<Repartitioned>, RunError> {
    let tables = table::open(destination);
    locked(destination, "flowlake convert", now, async |lock| {
        let snapshot = tables.recover().await?;
        refuse_other_format(pipeline, &snapshot)?;
        // The files of a table are written once more: what killed runs have staged may be what fills the disk.
        if lock.ends_with_process() {
            discard_abandoned(destination).await?;
        }
        let roots = with_other_partitions(pipeline, &snapshot)?;
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        if destination.is_shared() {
            return Err(RunError::SharedPartitions);
        }
        let repartition = Repartition { destination, store: &tables, run_id: RunId::at(now) };
        let run_id = repartition.run_id.clone();
        let staging = repartition.stage(pipeline, &roots, &snapshot, now);
        let result = match interruption.or(staging).await {
            Ok(Ok((changes, done))) => match tables.commit(snapshot, changes).await {
                Ok(CommitOutcome::Committed) => Ok(done),
                Ok(CommitOutcome::Conflict) => Err(RunError::Conflict),
                Err(error) => Err(error.into()),
            },
            Ok(Err(error)) => Err(error),
            Err(signal) => Err(RunError::Stopped(signal)),
        };
        if result.as_ref().is_err_and(left_no_intent)
            && let Err(error) = discard_staged(destination, &run_id).await
        {
            tracing::warn!("staged files are left, which the next run deletes: {error}");
        }
        result
    })
    .await
}

/// The root tables of a pipeline that have other partitions than their definition says.
fn with_other_partitions<'a>(
    pipeline: &'a Pipeline,
    snapshot: &Snapshot,
) -> Result<Vec<&'a Table>, RunError> {
    let differs = |table: &&Table| {
        let manifest = snapshot.manifests.get(&table.name);
        manifest.is_some_and(|manifest| manifest.schema.partition_by != table.partition_by)
    };
    let roots: Vec<&Table> = pipeline.root_tables().filter(differs).collect();
    let names = roots.iter().map(|table| &table.name);
    match snapshot.table_of_another(&pipeline.name, names) {
        Some((table, pipeline)) => Err(RunError::OtherPipeline { table, pipeline }),
        None => Ok(roots),
    }
}

/// A change of partitions under way.
struct Repartition<'a> {
    destination: &'a Destination,
    store: &'a TableStore,
    run_id: RunId,
}

impl Repartition<'_> {
    /// Stages the files of all tables, and collects what their commit changes.
    async fn stage(
        &self,
        pipeline: &Pipeline,
        roots: &[&Table],
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<(Changes, Vec<Repartitioned>), RunError> {
        let mut changes = Changes::nothing(self.run_id.clone(), now);
        let mut done = Vec::new();
        for root in roots {
            let most_partitions = pipeline.limits.max_partitions();
            let division = Division::of(root, snapshot, most_partitions)?;
            for (manifest, staged) in self.stage_tree(division).await? {
                changes.publish.extend(staged.iter().map(Publication::from));
                changes.remove.extend(manifest.files.iter().map(|file| file.path.clone()));
                done.push(Repartitioned {
                    table: manifest.schema.name.clone(),
                    files_before: manifest.files.len(),
                    files: staged.len(),
                });
                let files = staged.into_iter().map(|file| Arc::new(file.into())).collect();
                let run_id = self.run_id.clone();
                changes.manifests.push(Manifest { run_id, files, ..manifest });
            }
        }
        Ok((changes, done))
    }

    /// Stages the files of a root table and of those that belong to it. Returns their manifests, with the new schemas and
    /// the old files.
    async fn stage_tree(
        &self,
        mut division: Division,
    ) -> Result<Vec<(Manifest, Vec<StagedFile>)>, RunError> {
        for files in division.files_by_partition() {
            division.records = RecordPlaces::default();
            for (table, file) in files {
                let content = self.store.read(&file).await?;
                division = on_cpu(move || division.take(table, &content)).await?;
            }
        }
        let Division { tables, partitioner, spill, .. } = division;
        let mut staged = Vec::new();
        for DividedTable { manifest, rows, .. } in tables {
            let files = self.stage_table(&manifest.schema, rows, &partitioner, &spill).await?;
            staged.push((manifest, files));
        }
        Ok(staged)
    }

    async fn stage_table(
        &self,
        schema: &TableSchema,
        rows: BTreeMap<usize, Vec<KeptRows>>,
        partitioner: &Partitioner,
        spill: &Arc<Spill>,
    ) -> Result<Vec<StagedFile>, RunError> {
        if rows.is_empty() && !schema.excluded {
            return Ok(vec![stage_empty(self.destination, schema, &self.run_id).await?]);
        }
        let partitions = rows.len();
        let staging = rows.into_iter().enumerate().map(async |(partition, (number, pieces))| {
            let (of, spill) = (schema.clone(), spill.clone());
            let encoder = on_cpu(move || {
                let rows = pieces.iter().map(|piece| piece.read(&spill));
                encode(rows, &of, Arc::new(FileLayout::of(&of)?), &spill)
            });
            let numbers = FileNumbers { partition, partitions };
            let (key, encoders) = (partitioner.key(number), vec![encoder.await?]);
            let staged = stage(self.destination, schema, &self.run_id, key, numbers, encoders);
            Ok::<_, RunError>(staged.await?)
        });
        let staging: Vec<_> = staging.collect();
        let staged: Vec<Vec<StagedFile>> =
            stream::iter(staging).buffered(parallelism()).try_collect().await?;
        Ok(staged.into_iter().flatten().collect())
    }
}

/// The rows of a root table and of those that belong to it, by new partition.
struct Division {
    by: Vec<PartitionField>,
    most_partitions: usize,
    partitioner: Partitioner,
    /// The root table and its history, which decide, are before the others; the table after its history, since what is
    /// current decides last.
    tables: Vec<DividedTable>,
    records: RecordPlaces,
    disposition: WriteDisposition,
    spill: Arc<Spill>,
    held_bytes: usize,
}

/// One of these tables.
struct DividedTable {
    /// With the new schema and the old files.
    manifest: Manifest,
    /// The columns that tell which record a row belongs to.
    record_key: Vec<ColumnName>,
    rows: BTreeMap<usize, Vec<KeptRows>>,
}

impl Division {
    fn of(root: &Table, snapshot: &Snapshot, most_partitions: usize) -> Result<Self, RunError> {
        let key = snapshot.manifests.get(&root.name).map(|manifest| manifest.schema.row_key());
        let keys = key.unwrap_or_default().len();
        let of_root = snapshot.manifests.values().filter(|it| it.schema.root == root.name);
        let divided = of_root.map(|manifest| {
            let schema = with_partitions(&manifest.schema, &root.partition_by);
            let schema = schema.map_err(RunError::Undividable)?;
            let record_key = match schema.parent {
                None => schema.row_key(),
                Some(_) => schema.record_key(keys),
            };
            let manifest = Manifest { schema, ..manifest.clone() };
            Ok::<_, RunError>(DividedTable { manifest, record_key, rows: BTreeMap::new() })
        });
        let mut tables = divided.collect::<Result<Vec<_>, _>>()?;
        tables.sort_by_key(|table| {
            let schema = &table.manifest.schema;
            (schema.parent.is_some(), schema.history_of.is_none())
        });
        Ok(Self {
            by: root.partition_by.clone(),
            most_partitions,
            partitioner: Partitioner::default(),
            tables,
            records: RecordPlaces::default(),
            disposition: root.write_disposition,
            spill: Arc::default(),
            held_bytes: 0,
        })
    }

    /// The files with rows of each old partition, those of tables that decide first.
    fn files_by_partition(&self) -> Vec<Vec<(usize, Arc<DataFile>)>> {
        let mut files: BTreeMap<&PartitionKey, Vec<(usize, Arc<DataFile>)>> = BTreeMap::new();
        for (table, DividedTable { manifest, .. }) in self.tables.iter().enumerate() {
            for file in manifest.files.iter().filter(|file| file.has_rows()) {
                files.entry(&file.partition).or_default().push((table, file.clone()));
            }
        }
        files.into_values().collect()
    }

    /// Divides the rows of a file.
    fn take(mut self, table: usize, file: &FileContent) -> Result<Self, RunError> {
        let schema = self.tables[table].manifest.schema.clone();
        for rows in file.row_groups(&schema)? {
            let rows = rows?;
            let partitions = self.partitions_of(table, &rows)?;
            for part in RowParts::of(partitions.into_iter()).divide(vec![rows])? {
                let number = part.number;
                let kept = self.keep(part.into_rows()?)?;
                self.tables[table].rows.entry(number).or_default().push(kept);
            }
        }
        Ok(self)
    }

    /// The new partition of each row.
    fn partitions_of(&mut self, table: usize, rows: &DataFrame) -> Result<Vec<usize>, RunError> {
        let DividedTable { manifest, record_key, .. } = &self.tables[table];
        let schema = &manifest.schema;
        let has_children = self.tables.iter().any(|it| it.manifest.schema.parent.is_some());
        if !has_children {
            return self.partitions_by_value(table, rows);
        }
        let records = row_hashes(rows, record_key)?;
        // Only what is appended is of the run of its record: elsewhere, rows that stay as they are keep their run.
        let run = schema.own_column(&ColumnSource::RunId);
        let run = run.filter(|_| self.disposition == WriteDisposition::Append);
        let runs = run.map(|run| row_hashes(rows, std::slice::from_ref(run))).transpose()?;
        let runs = runs.unwrap_or_else(|| vec![0; records.len()]);
        if schema.parent.is_some() {
            return self.partitions_of_records(table, records.into_iter().zip(runs));
        }
        let is_current = schema.history_of.is_none();
        let partitions = self.partitions_by_value(table, rows)?;
        for ((record, run), partition) in records.into_iter().zip(runs).zip(&partitions) {
            self.records.add(record, RowPlace { partition: *partition, run, is_current });
        }
        Ok(partitions)
    }

    fn partitions_by_value(
        &mut self,
        table: usize,
        rows: &DataFrame,
    ) -> Result<Vec<usize>, RunError> {
        let partitions = self.partitioner.assign(rows, &self.by)?;
        if self.partitioner.count() > self.most_partitions {
            let table = self.tables[table].manifest.schema.root.clone();
            return Err(GuardError::TooManyPartitions { table, most: self.most_partitions }.into());
        }
        Ok(partitions)
    }

    /// The new partition of each child row, given its record and its run.
    fn partitions_of_records(
        &mut self,
        table: usize,
        rows: impl Iterator<Item = (u128, u128)>,
    ) -> Result<Vec<usize>, RunError> {
        let mut partitions = Vec::with_capacity(rows.size_hint().0);
        for (record, run) in rows {
            partitions.push(match self.records.of(record, run) {
                RecordPlace::Known(partition) => partition,
                RecordPlace::Unclear => {
                    let TableSchema { name, root, .. } = &self.tables[table].manifest.schema;
                    return Err(RunError::UnclearRecord {
                        table: name.clone(),
                        root: root.clone(),
                    });
                }
                // It goes where records without values do.
                RecordPlace::Lost => self.partitioner.number(PartitionKey::of_nulls(&self.by)),
            });
        }
        Ok(partitions)
    }

    /// Keeps rows in memory while there is room.
    fn keep(&mut self, rows: DataFrame) -> Result<KeptRows, SpillError> {
        let bytes = bytes_of(&rows);
        if self.held_bytes + bytes > MOST_HELD_BYTES {
            return self.spill.put_rows(rows);
        }
        self.held_bytes += bytes;
        Ok(KeptRows::Held(rows))
    }
}
