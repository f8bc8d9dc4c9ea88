//! Merge in a run: reads what the tables have of the records that an export brings, and has [`merge`](crate::merge)
//! decide on them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::{AnyValue, BooleanChunked, DataFrame, PolarsResult};

use super::RunError;
use super::load::{Loaded, conformed, content_of};
use crate::commit::{DataFile, Snapshot};
use crate::definition::{Deletes, WriteDisposition};
use crate::destination::Destination;
use crate::merge::{
    Fates, Merge, RowHashes, RowId, Versions, are_current, record_hashes, row_hashes,
};
use crate::normalise::{ColumnSource, Schemas, TableSchema};
use crate::runtime::{on_all_cores, on_cpu, parallelism};
use crate::spill::SpillError;

/// What becomes of rows in all tables of a run that are merged.
#[derive(Default)]
pub(super) struct Merged {
    /// Rows of the export that the tables have already, or have later versions of.
    pub(super) surplus: Arc<HashSet<RowId>>,
    /// Rows of the tables that end.
    pub(super) ending: Merge,
    /// The files that those are in.
    pub(super) touched: HashSet<String>,
    /// For each root table, how many of its records are deleted.
    pub(super) deleted: HashMap<usize, u64>,
    /// For each merged table that has rows already, what became of the export's.
    pub(super) fates: HashMap<usize, Fates>,
}

/// Decides on every record of the tables that are merged and have rows already.
pub(super) async fn decide(
    destination: &Destination,
    load: &Loaded,
    snapshot: &Snapshot,
) -> Result<Merged, RunError> {
    let mut surplus = HashSet::new();
    let mut merged = Merged::default();
    for &root in &load.schemas.roots {
        let tree = Tree::new(&load.schemas, root, snapshot);
        let disposition = load.schemas.tables[root].disposition;
        if disposition != WriteDisposition::Merge || tree.files.is_empty() {
            continue;
        }
        let deletes = load.deletes(root);
        let sought = Arc::new(Sought {
            export: tree.export(load)?,
            all_but: (deletes != Deletes::Ignore).then(|| load.left_out(root)),
        });
        let table = tree.versions(destination, &sought).await?;
        let merge = Merge::of(&sought.export, &table, root, deletes);
        surplus.extend(merge.surplus);
        merged.ending.outdated.extend(merge.outdated);
        merged.ending.deleted.extend(merge.deleted);
        merged.deleted.insert(root, merge.deleted_records);
        let path = |file: &usize| tree.files[*file].1.path.clone();
        merged.touched.extend(merge.touched.iter().map(path));
        let fates = |table: &usize| (*table, merge.fates.get(table).copied().unwrap_or_default());
        merged.fates.extend(tree.tables.iter().map(fates));
    }
    merged.surplus = Arc::new(surplus);
    Ok(merged)
}

/// The records that are looked for in a table.
struct Sought {
    /// Those of the export.
    export: Versions,
    /// Where deleted records are looked for, all others as well; but not these, which the export has and which are in
    /// quarantine.
    all_but: Option<HashSet<u128>>,
}

impl Sought {
    fn has(&self, record: u128) -> bool {
        self.export.has(record) || self.all_but.as_ref().is_some_and(|left| !left.contains(&record))
    }
}

/// A table with its child tables, and the files that they have.
struct Tree<'a> {
    hasher: Hasher,
    tables: Vec<usize>,
    files: Vec<(usize, &'a DataFile)>,
    /// The partitions that there are, by their directories.
    partitions: HashMap<&'a str, usize>,
}

/// Hashes the rows of a table and its child tables.
#[derive(Clone)]
struct Hasher {
    schemas: Arc<Schemas>,
    root: usize,
}

/// What a file has of the records that are looked for.
#[derive(Default)]
struct Found {
    hashes: Vec<RowHashes>,
    /// For rows of a root table with a cursor, its values.
    cursors: Vec<AnyValue<'static>>,
    /// For rows of a root table in which deleted records are marked, whether they are.
    marked: Vec<bool>,
}

impl<'a> Tree<'a> {
    fn new(schemas: &Arc<Schemas>, root: usize, snapshot: &'a Snapshot) -> Self {
        let name = &schemas.tables[root].name;
        let in_tree =
            |(_, schema): &(usize, &TableSchema)| schema.root == *name && !schema.excluded;
        let tables = schemas.tables.iter().enumerate().filter(in_tree).map(|(table, _)| table);
        let tables: Vec<usize> = tables.collect();
        let files: Vec<(usize, &DataFile)> = tables
            .iter()
            .filter_map(|table| {
                Some((*table, snapshot.manifests.get(&schemas.tables[*table].name)?))
            })
            .flat_map(|(table, manifest)| manifest.files.iter().map(move |file| (table, file)))
            .collect();
        let mut partitions = HashMap::new();
        for (_, file) in &files {
            let number = partitions.len();
            partitions.entry(file.partition.as_str()).or_insert(number);
        }
        Self { hasher: Hasher { schemas: schemas.clone(), root }, tables, files, partitions }
    }

    /// The records of the export.
    fn export(&self, load: &Loaded) -> Result<Versions, RunError> {
        let mut versions = Versions::default();
        let mut new_partitions: HashMap<&str, usize> = HashMap::new();
        for table in &self.tables {
            let of_table = load.rows.range((*table, String::new())..(table + 1, String::new()));
            let hashed = on_all_cores(of_table.collect(), |((_, partition), rows)| {
                let found = rows.latest().map(|rows| Ok(self.hasher.hashes(*table, &rows?)?));
                Ok::<_, SpillError>((partition, found.collect::<Result<Vec<Found>, SpillError>>()?))
            });
            for hashed in hashed {
                let (partition, found) = hashed?;
                // One that the table does not have has a number behind those that it has.
                let next = self.partitions.len() + new_partitions.len();
                let number = match self.partitions.get(partition.as_str()) {
                    Some(number) => *number,
                    None => *new_partitions.entry(partition).or_insert(next),
                };
                for found in found {
                    found.add_to(&mut versions, *table, number, 0);
                }
            }
        }
        Ok(versions)
    }

    /// What the tables have of the records of an export. Rows of one record lie in one partition, so that child rows are
    /// looked for only where there are rows of the root table.
    async fn versions(
        &self,
        destination: &Destination,
        sought: &Arc<Sought>,
    ) -> Result<Versions, RunError> {
        let mut versions = Versions::default();
        let mut partitions: BTreeSet<&str> = BTreeSet::new();
        let (of_root, of_children): (Vec<usize>, Vec<usize>) =
            (0..self.files.len()).partition(|file| self.files[*file].0 == self.hasher.root);
        self.look_in(destination, of_root, sought, |file, found| {
            if !found.hashes.is_empty() {
                partitions.insert(self.files[file].1.partition.as_str());
            }
            self.add(&mut versions, file, found);
        })
        .await?;
        let is_near = |file: &usize| partitions.contains(self.files[*file].1.partition.as_str());
        let near = of_children.into_iter().filter(is_near).collect();
        self.look_in(destination, near, sought, |file, found| self.add(&mut versions, file, found))
            .await?;
        Ok(versions)
    }

    fn add(&self, versions: &mut Versions, file: usize, found: Found) {
        let (table, data) = self.files[file];
        let partition = self.partitions[data.partition.as_str()];
        found.add_to(versions, table, partition, file);
    }

    async fn look_in(
        &self,
        destination: &Destination,
        files: Vec<usize>,
        sought: &Arc<Sought>,
        mut take: impl FnMut(usize, Found),
    ) -> Result<(), RunError> {
        let looking = files.into_iter().map(async |file| {
            let (table, data) = self.files[file];
            let content = content_of(destination, data).await?;
            let (hasher, sought, path) = (self.hasher.clone(), sought.clone(), data.path.clone());
            let found = on_cpu(move || hasher.find(table, &path, content, &sought)).await?;
            Ok::<_, RunError>((file, found))
        });
        let looking: Vec<_> = looking.collect();
        let mut found = stream::iter(looking).buffered(parallelism());
        while let Some((file, found)) = found.try_next().await? {
            take(file, found);
        }
        Ok(())
    }
}

impl Hasher {
    /// How many columns the key of the root table has.
    fn root_keys(&self) -> usize {
        self.schemas.tables[self.root].primary_key.len()
    }

    /// The rows of a file that are of records that are looked for. Its keys are read first, since most files have none of
    /// them.
    fn find(
        &self,
        table: usize,
        path: &str,
        content: Bytes,
        sought: &Sought,
    ) -> Result<Found, RunError> {
        let schema = &self.schemas.tables[table];
        let keys = schema.record_key(self.root_keys());
        let keys = keys.iter().map(ToString::to_string).collect();
        let rows = conformed(path, content.clone(), schema, Some(keys))?;
        let records = record_hashes(&rows, schema, self.root_keys())?;
        let is_wanted: BooleanChunked =
            records.into_iter().map(|record| sought.has(record)).collect();
        if !is_wanted.any() {
            return Ok(Found::default());
        }
        let rows = conformed(path, content, schema, None)?;
        let rows = rows.filter(&(is_wanted & are_current(&rows, schema)?))?;
        let marked = match schema.own_column(&ColumnSource::DeletedAt) {
            Some(name) => rows.column(name.as_str())?.is_not_null().iter().flatten().collect(),
            None => Vec::new(),
        };
        Ok(Found { marked, ..self.hashes(table, &rows)? })
    }

    fn hashes(&self, table: usize, rows: &DataFrame) -> PolarsResult<Found> {
        let schema = &self.schemas.tables[table];
        let cursors = match &schema.cursor {
            Some(cursor) if table == self.root => {
                let cursors = rows.column(cursor.as_str())?.as_materialized_series();
                cursors.iter().map(AnyValue::into_static).collect()
            }
            _ => Vec::new(),
        };
        let hashes = row_hashes(rows, schema, self.root_keys())?;
        Ok(Found { hashes, cursors, marked: Vec::new() })
    }
}

impl Found {
    fn add_to(self, versions: &mut Versions, table: usize, partition: usize, file: usize) {
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
