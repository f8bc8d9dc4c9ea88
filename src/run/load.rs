//! Load: the chunks of an export as the rows of every partition of every table, in bounded memory.
//!
//! ```text
//! chunks ─▶ rows of each table ─▶ pending ─▶ rows of each partition, ─▶ files
//!           on all cores          up to a     encoded, held or spilled
//!                                 budget
//! ```
//!
//! Rows are encoded as they come where nothing that comes later can have a say in them. Those of which a later version
//! may come, that are compared with what is in the table, or that are sorted, wait until all are there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{
    DataFrame, IntoColumn, NewChunkedArray, PlSmallStr, PolarsResult, UInt64Chunked,
};

use crate::decode::{Chunk, ChunkSource};
use crate::definition::{Deletes, WriteDisposition};
use crate::infer::{Filled, Schemas};
use crate::merge::{self, MergeOutcome, PartitionRows, RECORD_COLUMN};
use crate::normalise::{
    MetadataColumns, Normalised, Normaliser, Reason, Reasons, RecordIds, Rejection, Rule, Uniques,
    Versions,
};
use crate::run::RunError;
use crate::run::budget::Budget;
use crate::run::guard::GuardError;
use crate::runtime::{on_all_cores, parallelism};
use crate::schema::{ColumnName, IdVec, PartitionKey, TableId, TableName, TableSchema};
use crate::write::partition::Partitioner;
use crate::write::parts::{Part, Parts};
use crate::write::spill::{Piece, Spill, SpillError};
use crate::write::{Encoder, FileLayout};

/// The rows of an export so far.
pub(super) struct Load {
    schemas: Arc<Schemas>,
    metadata: MetadataColumns,
    budget: Budget,
    /// How many partitions there may be.
    most_partitions: usize,
    ids: RecordIds,
    partitioner: Partitioner,
    /// For each wanted table of which one record may put out another, what has been seen of its records.
    versions: HashMap<TableId, Versions>,
    uniques: Uniques,
    /// How many chunks there were.
    chunks: u32,
    pending: Vec<Pending>,
    pending_bytes: usize,
    rows: BTreeMap<(TableId, PartitionKey), Rows>,
    /// Of each table whose rows are encoded as they come.
    forms: IdVec<TableId, Option<Arc<FileLayout>>>,
    spill: Arc<Spill>,
    counts: IdVec<TableId, Counts>,
    /// For each table and column, how many rows have a value.
    filled: IdVec<TableId, Vec<u64>>,
    quarantined: Vec<Quarantined>,
    broken: BTreeMap<(TableId, usize), BrokenCheck>,
    left_out: BTreeMap<TableId, LeftOut>,
}

/// Rows of one table that are not sorted into partitions yet.
struct Pending {
    table: TableId,
    rows: DataFrame,
    /// The number of each row's partition.
    partitions: Vec<usize>,
}

/// Rows of one partition of one table.
enum Rows {
    /// Encoded as they came.
    Encoded(Encoder),
    Waiting(Vec<Piece>),
}

/// What an export holds, ready to be written.
pub(super) struct Loaded {
    pub(super) schemas: Arc<Schemas>,
    /// The rows of each table's partition, in export order, that are not encoded yet.
    pub(super) rows: BTreeMap<(TableId, PartitionKey), PartitionRows>,
    /// The others.
    pub(super) encoded: BTreeMap<(TableId, PartitionKey), Encoder>,
    pub(super) spill: Arc<Spill>,
    /// For each table, its rows by what became of them.
    pub(super) counts: IdVec<TableId, Counts>,
    /// For each table and column, how many rows have a value, with those that a later version puts out.
    filled: IdVec<TableId, Vec<u64>>,
    pub(super) quarantined: Vec<Quarantined>,
    /// The checks that rows break, by their tables' positions and their own.
    pub(super) broken: BTreeMap<(TableId, usize), BrokenCheck>,
    left_out: BTreeMap<TableId, LeftOut>,
}

/// Records of a table that are in quarantine, and that the export has all the same.
#[derive(Debug, Clone, Default)]
struct LeftOut {
    /// The hashes of their keys.
    keys: HashSet<u128>,
    /// There are some whose key nobody can tell.
    has_unknown: bool,
}

/// A check that rows break.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrokenCheck {
    /// How many.
    pub(super) rows: u64,
    /// Where in the export the record of the first of them stands, in bytes.
    pub(super) first: u64,
}

/// How many rows of a table an export had, and what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) received: u64,
    pub(super) kept: u64,
    pub(super) quarantined: u64,
    pub(super) superseded: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    /// Records of a merged table that the export does not have; none of `received`.
    pub(super) deleted: u64,
}

impl Counts {
    /// Of the rows that were kept so far, `all` are of a partition that is not written, since it has them already; as
    /// many of them as there are in it are the `latest`.
    pub(super) fn spare(&mut self, all: u64, latest: u64) {
        self.kept -= all;
        self.unchanged += latest;
        self.superseded += all - latest;
    }

    /// Of the rows that were kept so far, so many are not new in the table.
    pub(super) fn divide(&mut self, outcomes: MergeOutcome) {
        let MergeOutcome { inserted, updated, unchanged, superseded } = outcomes;
        let in_export = self.kept - inserted - updated - unchanged - superseded;
        self.kept = inserted;
        self.updated = updated;
        self.unchanged = unchanged;
        self.superseded += in_export + superseded;
    }
}

/// A record that goes to quarantine.
#[derive(Debug)]
pub(super) struct Quarantined {
    /// Its table.
    pub(super) table: TableId,
    /// The piece of the export that it came with.
    pub(super) piece: usize,
    /// Where it stands there, in bytes.
    pub(super) place: Range<u64>,
    pub(super) reasons: Reasons,
    /// It is in its table all the same, without the values that the reasons name.
    pub(super) row_kept: bool,
}

impl Load {
    pub(super) fn new(
        schemas: Schemas,
        metadata: MetadataColumns,
        budget: Budget,
        most_partitions: usize,
    ) -> PolarsResult<Self> {
        let told = schemas.roots().filter(|root| Versions::are_told(schemas.table(*root)));
        let forms = schemas.iter().map(|(id, table)| {
            let form = is_encoded_as_it_comes(id, &schemas).then(|| FileLayout::of(table));
            Ok(form.transpose()?.map(Arc::new))
        });
        Ok(Self {
            forms: forms.collect::<PolarsResult<_>>()?,
            versions: told.map(|root| (root, Versions::default())).collect(),
            counts: schemas.iter().map(|_| Counts::default()).collect(),
            filled: schemas.iter().map(|(_, table)| vec![0; table.columns.len()]).collect(),
            uniques: Uniques::default(),
            broken: BTreeMap::new(),
            left_out: BTreeMap::new(),
            schemas: Arc::new(schemas),
            metadata,
            budget,
            most_partitions,
            ids: RecordIds::default(),
            partitioner: Partitioner::default(),
            chunks: 0,
            pending: Vec::new(),
            pending_bytes: 0,
            rows: BTreeMap::new(),
            spill: Arc::default(),
            quarantined: Vec::new(),
        })
    }

    /// Takes in the next chunks, in the order of the export; all of them came with this piece of it.
    pub(super) fn take(&mut self, piece: usize, chunks: Vec<Chunk>) -> Result<(), RunError> {
        let schemas = self.schemas.clone();
        let mut chunks = chunks.into_iter().filter(|chunk| schemas.table_of(chunk.root).is_some());
        loop {
            // A few at a time, so that the rows of all of them are never there at once.
            let few = chunks.by_ref().take(2 * parallelism());
            let few: Vec<_> = few.map(|chunk| (self.ids.of(&chunk), chunk)).collect();
            if few.is_empty() {
                return Ok(());
            }
            let normaliser = Normaliser::new(&self.schemas, &self.metadata);
            let made = on_all_cores(few, |(ids, chunk)| {
                let rows = normaliser.frames(&chunk, &ids);
                (chunk.into_source(), rows)
            });
            for (source, rows) in made {
                self.add(piece, &source, rows?)?;
            }
            if self.pending_bytes > self.budget.pending() {
                self.pass_on_pending(true)?;
            }
        }
    }

    /// The rows of the whole export. The schemas are those that the whole export has: the same but for what is known
    /// of values.
    pub(super) fn finish(mut self, schemas: Schemas) -> Result<Loaded, RunError> {
        self.pass_on_pending(false)?;
        let superseded = self.versions.into_values().map(Versions::into_superseded);
        let superseded: Arc<HashSet<u64>> = Arc::new(superseded.flatten().collect());
        let schemas = Arc::new(schemas);
        let (mut rows, mut encoders) = (BTreeMap::new(), BTreeMap::new());
        for (key, of_partition) in self.rows {
            let pieces = match of_partition {
                Rows::Encoded(encoder) => {
                    encoders.insert(key, encoder);
                    continue;
                }
                Rows::Waiting(pieces) => pieces,
            };
            let (schemas, table, spill) = (schemas.clone(), key.0, self.spill.clone());
            let (metadata, superseded) = (self.metadata.clone(), superseded.clone());
            let unchanged = Arc::default();
            let of_partition =
                PartitionRows { pieces, spill, schemas, table, metadata, superseded, unchanged };
            rows.insert(key, of_partition);
        }
        Ok(Loaded {
            schemas,
            rows,
            encoded: encoders,
            spill: self.spill,
            counts: self.counts,
            filled: self.filled,
            quarantined: self.quarantined,
            broken: self.broken,
            left_out: self.left_out,
        })
    }

    /// Whether its rows are those that other schemas would have made.
    pub(super) fn fits(&self, schemas: &Schemas) -> bool {
        self.schemas.same_rows(schemas)
    }

    fn add(
        &mut self,
        piece: usize,
        source: &ChunkSource,
        mut normalised: Normalised,
    ) -> Result<(), RunError> {
        let schemas = self.schemas.clone();
        normalised.reject_repeated(&schemas, &mut self.uniques)?;
        for (check, broken) in &normalised.broken {
            let first = source.places[broken.first_record as usize].start;
            let all = self.broken.entry(*check).or_insert(BrokenCheck { rows: 0, first });
            all.rows += broken.rows;
        }
        let Some(root) = schemas.table_of(source.root) else { return Ok(()) };
        let mut partition_of_record = vec![0; source.places.len()];
        let first_record = u64::from(self.chunks) << 32;
        self.chunks += 1;
        for frame in normalised.frames {
            let (schema, policy) = (&schemas[frame.table], schemas.policy(frame.table));
            let counts = &mut self.counts[frame.table];
            counts.received += frame.received as u64;
            counts.kept += frame.rows.height() as u64;
            counts.quarantined += frame.quarantined as u64;
            for (filled, column) in self.filled[frame.table].iter_mut().zip(frame.rows.columns()) {
                *filled += (column.len() - column.null_count()) as u64;
            }
            if frame.table == root && policy.deletes != Deletes::Ignore {
                let keys = &mut self.left_out.entry(root).or_default().keys;
                if let Some(rows) = &frame.left_out {
                    keys.extend(merge::record_hashes(rows, schema, schema.primary_key.len())?);
                }
            }
            if frame.table == root {
                let partitions = self.partitioner.assign(&frame.rows, &schema.partition_by)?;
                if self.partitioner.count() > self.most_partitions {
                    let (table, most) = (schema.name.clone(), self.most_partitions);
                    return Err(GuardError::TooManyPartitions { table, most }.into());
                }
                for (record, partition) in frame.records.iter().zip(partitions) {
                    partition_of_record[*record as usize] = partition;
                }
            }
            let mut rows = frame.rows.select(carried_column_names(schema))?;
            if let Some(versions) = self.versions.get_mut(&root) {
                let records = frame.records.iter().map(|record| first_record | u64::from(*record));
                let records: Vec<u64> = records.collect();
                if frame.table == root {
                    versions.observe(schema, &frame.rows, &records)?;
                }
                let name = PlSmallStr::from_static(RECORD_COLUMN);
                rows.with_column(UInt64Chunked::from_slice(name, &records).into_column())?;
            }
            let partitions =
                frame.records.iter().map(|record| partition_of_record[*record as usize]);
            let partitions = partitions.collect();
            self.pending.push(Pending { table: frame.table, rows, partitions });
        }
        // Rows take about as much as their JSON.
        let bytes: u64 = source.places.iter().map(|place| place.end - place.start).sum();
        self.pending_bytes += usize::try_from(bytes).unwrap_or(usize::MAX);
        self.quarantine(piece, root, source, normalised.rejected, normalised.partially_loaded);
        Ok(())
    }

    fn quarantine(
        &mut self,
        piece: usize,
        table: TableId,
        source: &ChunkSource,
        rejected: Vec<Rejection>,
        partially_loaded: Vec<Rejection>,
    ) {
        let key = &self.schemas[table].primary_key;
        let hides_key = |reason: &Reason| matches!(&reason.rule, Rule::Type { column, .. } if key.contains(column));
        let mut reasons = rejected.iter().flat_map(|rejection| &rejection.reasons.told);
        if reasons.any(hides_key) || !source.undecodable.is_empty() {
            self.left_out.entry(table).or_default().has_unknown = true;
        }
        let undecodable = source.undecodable.len() as u64;
        self.counts[table].received += undecodable;
        self.counts[table].quarantined += undecodable;
        let name = &self.schemas[table].name;
        self.quarantined.extend(source.undecodable.iter().map(|record| {
            Quarantined {
                piece,
                table,
                place: record.place.clone(),
                reasons: Reason {
                    table: name.clone(),
                    place: Vec::new(),
                    rule: Rule::Json(record.reason),
                }
                .into(),
                row_kept: false,
            }
        }));
        for (rejections, row_kept) in [(rejected, false), (partially_loaded, true)] {
            self.quarantined.extend(rejections.into_iter().map(|rejection| Quarantined {
                table,
                piece,
                place: source.places[rejection.record as usize].clone(),
                reasons: rejection.reasons,
                row_kept,
            }));
        }
    }

    /// Encodes what is pending, or lets it wait: on local disk when there is more to come.
    fn pass_on_pending(&mut self, more_comes: bool) -> Result<(), RunError> {
        self.pending_bytes = 0;
        let mut tables: BTreeMap<TableId, Vec<Pending>> = BTreeMap::new();
        for pending in self.pending.drain(..) {
            tables.entry(pending.table).or_default().push(pending);
        }
        let divided = on_all_cores(tables.into_iter().collect(), |(table, pending)| {
            Ok::<_, SpillError>((table, by_partition(pending)?))
        });
        let mut shares = Vec::new();
        for divided in divided {
            let (table, parts) = divided?;
            for part in parts {
                let key = (table, self.partitioner.key(part.number));
                let rows = self.rows.remove(&key).unwrap_or_else(|| self.no_rows(table));
                shares.push((key, part, rows));
            }
        }
        let (schemas, metadata, spill) = (&self.schemas, &self.metadata, &self.spill);
        let passed_on = on_all_cores(shares, |(key, part, mut rows)| {
            let new = part.into_rows()?;
            match &mut rows {
                Rows::Encoded(encoder) => {
                    encoder.push(&metadata.complete(new, &schemas[key.0])?)?;
                }
                Rows::Waiting(pieces) if more_comes => pieces.push(spill.put_rows(new)?),
                Rows::Waiting(pieces) => pieces.push(Piece::Held(new)),
            }
            Ok::<_, SpillError>((key, rows))
        });
        self.rows.extend(passed_on.into_iter().collect::<Result<Vec<_>, _>>()?);
        self.spill_remainders()
    }

    fn no_rows(&self, table: TableId) -> Rows {
        match &self.forms[table] {
            Some(form) => Rows::Encoded(Encoder::new(form.clone(), self.spill.clone())),
            None => Rows::Waiting(Vec::new()),
        }
    }

    /// Puts the rows that fill no page on local disk, when they are too many.
    fn spill_remainders(&mut self) -> Result<(), RunError> {
        let encoders = self.rows.values_mut().filter_map(|rows| match rows {
            Rows::Encoded(encoder) => Some(encoder),
            Rows::Waiting(_) => None,
        });
        let encoders: Vec<&mut Encoder> = encoders.collect();
        let bytes: usize = encoders.iter().map(|encoder| encoder.held_bytes()).sum();
        if bytes > self.budget.remainders() {
            let spilled = on_all_cores(encoders, Encoder::spill);
            spilled.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(())
    }
}

/// What was pending of one table, by the numbers of partitions.
fn by_partition(pending: Vec<Pending>) -> PolarsResult<Vec<Part>> {
    let partitions = pending.iter().flat_map(|pending| pending.partitions.iter().copied());
    let parts = Parts::of(partitions);
    parts.divide(pending.into_iter().map(|pending| pending.rows).collect())
}

impl Loaded {
    /// What becomes of records that are in a table and not in the export. When the export has some whose key nobody can
    /// tell, any record may be one of them.
    pub(super) fn deletes(&self, table: TableId) -> Deletes {
        let has_unknown = self.left_out.get(&table).is_some_and(|left_out| left_out.has_unknown);
        if has_unknown { Deletes::Ignore } else { self.schemas.policy(table).deletes }
    }

    /// The keys of records that are in quarantine.
    pub(super) fn left_out(&self, table: TableId) -> HashSet<u128> {
        self.left_out.get(&table).map(|left_out| left_out.keys.clone()).unwrap_or_default()
    }

    /// How many rows of a table have a value in a column.
    pub(super) fn filled(&self, table: &TableName, column: &ColumnName) -> Filled {
        let found = self.schemas.iter().find(|(_, schema)| schema.name == *table);
        let filled = found.and_then(|(table, _)| {
            let columns = &self.schemas[table].columns;
            let position = columns.iter().position(|it| it.name == *column)?;
            let counts = self.counts[table];
            let of = counts.received - counts.quarantined;
            Some(Filled { rows: self.filled[table][position], of })
        });
        filled.unwrap_or_default()
    }
}

/// Whether nothing that comes later can have a say in the rows of a table.
fn is_encoded_as_it_comes(table: TableId, schemas: &Schemas) -> bool {
    let disposition = schemas.policy(table).disposition;
    let is_added = matches!(disposition, WriteDisposition::Append | WriteDisposition::Replace);
    is_added && schemas[table].sort_by.is_empty() && !Versions::are_told(schemas.root_of(table))
}

fn carried_column_names(schema: &TableSchema) -> impl Iterator<Item = PlSmallStr> {
    MetadataColumns::carried(schema).map(|column| PlSmallStr::from_str(column.name.as_str()))
}
