//! Merge in a run: reads what the tables have of the records that an export brings, partition by partition, and has
//! [`merge`](crate::merge) decide on them.
//!
//! ```text
//! each partition: rows of the export ┐
//!                 rows of the files  ┴─▶ equal? ──▶ unchanged
//!                                        └─ others ─▶ all partitions together: inserted, updated, moved, deleted
//! ```
//!
//! So memory is taken by two partitions at a time, by what changes, and by the keys of the export.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::{BooleanChunked, DataFrame, PolarsResult};

use crate::definition::{Deletes, WriteDisposition};
use crate::infer::Schemas;
use crate::merge::{
    Merge, MergeOutcome, PartitionRows, RecordIds, RowHashes, Unchanged, UnchangedRows, Versions,
    are_current, hashes_of, record_hashes,
};
use crate::normalise::Cursor;
use crate::plan::Plan;
use crate::run::loaded::Loaded;
use crate::run::{RunError, guard};
use crate::runtime::{on_all_cores, on_cpu, parallelism};
use crate::schema::{ColumnSource, PartitionKey, TableId, Window};
use crate::store::Destination;
use crate::table::{DataFile, FileContent, Snapshot};
use crate::write::spill::SpillError;

/// What becomes of rows in all tables of a run that are merged.
#[derive(Default)]
pub(super) struct Merged {
    /// What of the export the tables have already, or have later versions of.
    pub(super) unchanged: Arc<UnchangedRows>,
    /// Rows of the tables that end.
    pub(super) ending: Merge,
    /// The files that those are in.
    pub(super) touched: HashSet<String>,
    /// The tables and partitions that get rows of the export, of those that are merged.
    pub(super) written: HashSet<(TableId, PartitionKey)>,
    /// For each root table, how many of its records are deleted.
    pub(super) deleted: HashMap<TableId, u64>,
    /// For each merged table that has rows already, what became of the export's.
    pub(super) outcomes: HashMap<TableId, MergeOutcome>,
}

impl Merged {
    /// Whether a partition of a table gets no row of the export, though the export has some for it.
    pub(super) fn spares(&self, key: &(TableId, PartitionKey)) -> bool {
        self.outcomes.contains_key(&key.0) && !self.written.contains(key)
    }
}

/// Decides on every record of the tables that are merged and have rows already.
pub(super) async fn decide(
    destination: &Destination,
    load: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<Merged, RunError> {
    let mut unchanged_rows = UnchangedRows::default();
    let mut merged = Merged::default();
    for root in load.schemas.roots() {
        let tree = Tree::new(load, root, snapshot);
        let disposition = load.schemas.policy(root).disposition;
        if disposition != WriteDisposition::Merge || tree.files.is_empty() {
            continue;
        }
        let deletes = load.deletes(root);
        let sought = Arc::new(Sought {
            export: tree.records()?,
            deleted: (deletes != Deletes::Ignore)
                .then(|| DeletedRecords { all_but: load.left_out(root), window: plan.window }),
        });
        if sought.deleted.is_some() && plan.window.is_some() {
            guard::against_emptying(plan, load, root, tree.rows_that_may_go(&sought))?;
        }
        let Compared { unchanged, export, table } = tree.compare(destination, &sought).await?;
        let mut merge = Merge::of(&export, &table, &sought.export, root, deletes);
        for (table, rows) in unchanged.rows {
            merge.outcomes.entry(table).or_default().unchanged += rows;
        }
        unchanged_rows.records.extend(unchanged.records);
        unchanged_rows.rows.extend(merge.unchanged);
        merged.ending.outdated.extend(merge.outdated);
        merged.ending.deleted.extend(merge.deleted);
        merged.deleted.insert(root, merge.deleted_records);
        let path = |file: &usize| tree.files[*file].1.path.clone();
        merged.touched.extend(merge.touched.iter().map(path));
        let partitions: Vec<&PartitionKey> = tree.partitions().into_iter().collect();
        let written =
            |(table, partition): &(TableId, usize)| (*table, partitions[*partition].clone());
        merged.written.extend(merge.written.iter().map(written));
        let outcomes =
            |table: &TableId| (*table, merge.outcomes.get(table).copied().unwrap_or_default());
        merged.outcomes.extend(tree.tables.iter().map(outcomes));
    }
    merged.unchanged = Arc::new(unchanged_rows);
    Ok(merged)
}

/// The records that are looked for in a table.
struct Sought {
    /// Those of the export.
    export: RecordIds,
    /// And those that it does not have any more, where somebody wants to know.
    deleted: Option<DeletedRecords>,
}

/// The records that an export would have if they had not been deleted.
struct DeletedRecords {
    /// But not these, which it has and which are in quarantine.
    all_but: RecordIds,
    /// It has those of this window only.
    window: Option<Window>,
}

impl Sought {
    /// Whether a record is looked for in a partition, of which it is known whether the export has all that is in it.
    fn has(&self, record: u128, is_covered: bool) -> bool {
        let may_be_deleted = |deleted: &DeletedRecords| !deleted.all_but.contains(&record);
        self.export.contains(&record)
            || (is_covered && self.deleted.as_ref().is_some_and(may_be_deleted))
    }

    /// Whether the export has all records of a partition that there are.
    fn covers(&self, partition: &PartitionKey) -> bool {
        let window = self.deleted.as_ref().and_then(|deleted| deleted.window);
        window.is_none_or(|window| partition.lies_within(window))
    }
}

/// A table with its child tables: the rows that an export has for them, and the files that they have.
struct Tree<'a> {
    hasher: Hasher,
    load: &'a Loaded,
    tables: Vec<TableId>,
    files: Vec<(TableId, &'a DataFile)>,
}

/// Hashes the rows of a table and its child tables.
#[derive(Clone)]
struct Hasher {
    schemas: Arc<Schemas>,
    root: TableId,
}

/// What a file, or a partition of an export, has of the records that are looked for.
#[derive(Default)]
struct Found {
    hashes: Vec<RowHashes>,
    /// For rows of a root table with a cursor, its values.
    cursors: Vec<Cursor>,
    /// For rows of a root table in which deleted records are marked, whether they are.
    marked: Vec<bool>,
}

/// The records of an export, beside those of the tables.
#[derive(Default)]
struct Compared {
    unchanged: Unchanged,
    /// All others of the export.
    export: Versions,
    /// All others of the tables.
    table: Versions,
}

impl Compared {
    fn absorb(&mut self, other: Self) {
        self.unchanged.records.extend(other.unchanged.records);
        for (table, rows) in other.unchanged.rows {
            *self.unchanged.rows.entry(table).or_default() += rows;
        }
        self.export.absorb(other.export);
        self.table.absorb(other.table);
    }
}

impl<'a> Tree<'a> {
    fn new(load: &'a Loaded, root: TableId, snapshot: &'a Snapshot) -> Self {
        let schemas = &load.schemas;
        let tables = schemas.tree_of(root);
        let manifest = |table: &TableId| snapshot.manifests.get(&schemas[*table].name);
        let files = tables.iter().filter_map(|table| Some((*table, manifest(table)?)));
        let files = files
            .flat_map(|(table, manifest)| manifest.files.iter().map(move |file| (table, file)));
        Self {
            hasher: Hasher { schemas: schemas.clone(), root },
            load,
            files: files.collect(),
            tables,
        }
    }

    /// How many rows the root table has where an export without records would have them deleted.
    fn rows_that_may_go(&self, sought: &Sought) -> u64 {
        let of_root = self.files.iter().filter(|(table, _)| *table == self.hasher.root);
        let covered = of_root.filter(|(_, file)| sought.covers(&file.partition));
        covered.map(|(_, file)| file.rows).sum()
    }

    /// The partitions of the export and of the tables, by their directories.
    fn partitions(&self) -> BTreeSet<&PartitionKey> {
        let in_tree = |(table, _): &&(TableId, PartitionKey)| self.tables.contains(table);
        let new = self.load.rows.keys().filter(in_tree).map(|(_, partition)| partition);
        let old = self.files.iter().map(|(_, file)| &file.partition);
        new.chain(old).collect()
    }

    /// The hashes of the keys of all records of the export.
    fn records(&self) -> Result<RecordIds, RunError> {
        let of_root = self.load.rows.iter().filter(|((table, _), _)| *table == self.hasher.root);
        let hashed = on_all_cores(of_root.collect(), |(_, rows): (_, &PartitionRows)| {
            let hashed = rows.latest().map(|rows| Ok(self.hasher.records(&rows?)?));
            hashed.collect::<Result<Vec<Vec<u128>>, SpillError>>()
        });
        let mut records = RecordIds::new();
        for hashed in hashed {
            records.extend(hashed?.into_iter().flatten());
        }
        Ok(records)
    }

    /// Compares the export with the tables, a few partitions at a time.
    async fn compare(
        &self,
        destination: &Destination,
        sought: &Arc<Sought>,
    ) -> Result<Compared, RunError> {
        let mut files: BTreeMap<&PartitionKey, Vec<usize>> = BTreeMap::new();
        for (number, (_, file)) in self.files.iter().enumerate() {
            files.entry(&file.partition).or_default().push(number);
        }
        let partitions = self.partitions().into_iter().enumerate().map(|(number, partition)| {
            let files = files.remove(partition).unwrap_or_default();
            self.compare_in(destination, number, partition, files, sought)
        });
        let partitions: Vec<_> = partitions.collect();
        let mut compared = stream::iter(partitions).buffered(parallelism());
        let mut all = Compared::default();
        while let Some(one) = compared.try_next().await? {
            all.absorb(one);
        }
        Ok(all)
    }

    /// Compares one partition. Rows of one record lie in one partition, so that child rows are looked for only where
    /// there are rows of the root table.
    async fn compare_in(
        &self,
        destination: &Destination,
        number: usize,
        partition: &PartitionKey,
        files: Vec<usize>,
        sought: &Arc<Sought>,
    ) -> Result<Compared, RunError> {
        let new = self.tables.iter().filter_map(|table| {
            let rows = self.load.rows.get(&(*table, partition.clone()))?;
            Some((*table, rows.clone()))
        });
        let (new, hasher): (Vec<_>, _) = (new.collect(), self.hasher.clone());
        let mut export = on_cpu(move || hasher.export(&new, number)).await?;
        let mut table = Versions::default();
        let (of_root, of_children): (Vec<usize>, Vec<usize>) =
            files.into_iter().partition(|file| self.files[*file].0 == self.hasher.root);
        for file in of_root {
            self.look_in(destination, file, number, sought, &mut table).await?;
        }
        if !table.is_empty() {
            for file in of_children {
                self.look_in(destination, file, number, sought, &mut table).await?;
            }
        }
        let unchanged = export.take_out_equal(&mut table);
        Ok(Compared { unchanged, export, table })
    }

    async fn look_in(
        &self,
        destination: &Destination,
        file: usize,
        partition: usize,
        sought: &Arc<Sought>,
        versions: &mut Versions,
    ) -> Result<(), RunError> {
        let (table, data) = self.files[file];
        let content = crate::table::open(destination).read(data).await?;
        let (hasher, sought, data) = (self.hasher.clone(), sought.clone(), data.clone());
        let found = on_cpu(move || hasher.find(table, &data, &content, &sought)).await?;
        found.add_to(versions, table, partition, file);
        Ok(())
    }
}

impl Hasher {
    /// The records that an export has in a partition.
    fn export(
        &self,
        rows: &[(TableId, PartitionRows)],
        partition: usize,
    ) -> Result<Versions, RunError> {
        let mut versions = Versions::default();
        for (table, rows) in rows {
            for rows in rows.latest() {
                self.hashes(*table, &rows?)?.add_to(&mut versions, *table, partition, 0);
            }
        }
        Ok(versions)
    }

    /// The hashes of the keys of rows of the root table.
    fn records(&self, rows: &DataFrame) -> PolarsResult<Vec<u128>> {
        record_hashes(rows, &self.schemas[self.root], self.root_keys())
    }

    /// How many columns the key of the root table has.
    fn root_keys(&self) -> usize {
        self.schemas[self.root].primary_key.len()
    }

    /// The rows of a file that are of records that are looked for. Its keys are read first, since most files have none of
    /// them.
    fn find(
        &self,
        table: TableId,
        DataFile { partition, .. }: &DataFile,
        content: &FileContent,
        sought: &Sought,
    ) -> Result<Found, RunError> {
        let schema = &self.schemas[table];
        let is_covered = sought.covers(partition);
        let keys = schema.record_key(self.root_keys());
        let keys = keys.iter().map(ToString::to_string).collect();
        let rows = content.rows(schema, Some(keys))?;
        let records = record_hashes(&rows, schema, self.root_keys())?;
        let is_wanted: BooleanChunked =
            records.into_iter().map(|record| sought.has(record, is_covered)).collect();
        if !is_wanted.any() {
            return Ok(Found::default());
        }
        let rows = content.rows(schema, None)?;
        let rows = rows.filter(&(is_wanted & are_current(&rows, schema)?))?;
        let marked = match schema.own_column(&ColumnSource::DeletedAt) {
            Some(name) => rows.column(name.as_str())?.is_not_null().iter().flatten().collect(),
            None => Vec::new(),
        };
        Ok(Found { marked, ..self.hashes(table, &rows)? })
    }

    fn hashes(&self, table: TableId, rows: &DataFrame) -> PolarsResult<Found> {
        let schema = &self.schemas[table];
        let cursors = match &schema.cursor {
            Some(cursor) if table == self.root => {
                Cursor::of_column(rows.column(cursor.as_str())?).collect()
            }
            _ => Vec::new(),
        };
        let hashes = hashes_of(rows, schema, self.root_keys())?;
        Ok(Found { hashes, cursors, marked: Vec::new() })
    }
}

impl Found {
    fn add_to(self, versions: &mut Versions, table: TableId, partition: usize, file: usize) {
        for hashes in &self.hashes {
            versions.add(table, *hashes, partition, file);
        }
        for (hashes, cursor) in self.hashes.iter().zip(self.cursors) {
            versions.set_cursor(hashes.record, cursor);
        }
        for (hashes, _) in self.hashes.iter().zip(self.marked).filter(|(_, is_marked)| *is_marked) {
            versions.set_marked(hashes.record);
        }
    }
}
