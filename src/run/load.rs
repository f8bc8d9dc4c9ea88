//! Loads the chunks of an export: the rows of every partition of every table, in bounded memory.
//!
//! ```text
//! chunks ─▶ rows of each table ─▶ unsorted ─▶ rows of each partition, ─▶ files
//!           on all cores          up to a     encoded, held or spilled
//!                                 budget
//! ```
//!
//! Rows are encoded as they come where no later record can change them. Rows that a later record may supersede, that
//! are compared with the table one by one, or that are sorted, wait until all rows are there. Of rows that `replace`
//! compares by partition, only the hashes are kept.

mod quarantined;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter::Peekable;
use std::sync::Arc;

use polars::prelude::{
    DataFrame, IntoColumn, NewChunkedArray, PlSmallStr, PolarsResult, UInt64Chunked,
};

use crate::decode::{Chunk, ChunkSource};
use crate::definition::{Size, WriteDisposition};
use crate::infer::Schemas;
use crate::merge::{ContentHash, PartitionRows, RECORD_COLUMN};
use crate::normalise::{
    MetadataColumns, Normalised, Normaliser, RecordIds, TableFrame, Uniques, VersionTracker,
    values_in_rows,
};
use crate::run::RunError;
use crate::run::budget::Budget;
use crate::run::guard_error::GuardError;
use crate::run::loaded::{BrokenCheck, Counts, EncodedRows, LeftOut, Loaded, Quarantined};
use crate::run::waiting_size::WaitingSize;
use crate::runtime::{give_back_memory, on_all_cores, parallelism};
use crate::schema::{IdVec, PartitionKey, StoredTable, TableId, TableSchema, ValueCounts};
use crate::write::partition::Partitioner;
use crate::write::parts::{RowPart, RowParts};
use crate::write::spill::{KeptRows, Spill, SpillError};
use crate::write::{Encoder, FileLayout};

/// What a cell of a column takes at least, whether it has a value or not.
const BYTES_OF_A_CELL: usize = 8;
/// Cells that take so many times as much as their JSON are nearly all empty. What is freed of them lies between what stays: an
/// export of 400,000 records that have one of 900 keys each takes 370 MB, and 290 when it is given back at once.
const SPARSE: usize = 16;

/// The rows of an export so far.
pub(super) struct Load {
    schemas: Arc<Schemas>,
    metadata: MetadataColumns,
    budget: Budget,
    /// The maximum number of partitions.
    most_partitions: usize,
    /// How much waits in quarantine, for each root table.
    waiting: IdVec<TableId, WaitingSize>,
    ids: RecordIds,
    partitioner: Partitioner,
    /// For each root table whose records supersede each other, its versions.
    versions: HashMap<TableId, VersionTracker>,
    uniques: Uniques,
    /// How many chunks there were.
    chunks: u32,
    pending: Vec<UnsortedRows>,
    pending_bytes: usize,
    /// Their cells take far more than their JSON.
    pending_is_sparse: bool,
    rows: BTreeMap<(TableId, PartitionKey), PartitionContent>,
    /// The file layout of each table whose rows are encoded as they come.
    forms: IdVec<TableId, Option<Arc<FileLayout>>>,
    /// Whether they are compared with rows that the table has.
    compared: IdVec<TableId, bool>,
    spill: Arc<Spill>,
    counts: IdVec<TableId, Counts>,
    /// For each root table, the values of its records.
    values: BTreeMap<TableId, ValueCounts>,
    /// For each root table, the values of records that have no rows.
    rejected_values: BTreeMap<TableId, u64>,
    /// For each table and column, how many rows have a value.
    filled: IdVec<TableId, Vec<u64>>,
    quarantined: Vec<Quarantined>,
    broken: BTreeMap<(TableId, usize), BrokenCheck>,
    left_out: BTreeMap<TableId, LeftOut>,
}

/// Rows of one table that are not sorted into partitions yet.
struct UnsortedRows {
    table: TableId,
    rows: DataFrame,
    /// The number of each row's partition.
    partitions: Vec<usize>,
}

/// The rows of one partition of one table.
enum PartitionContent {
    /// Encoded as they came.
    Encoded(EncodedRows),
    Waiting(Vec<KeptRows>),
}

/// Where a chunk comes from.
#[derive(Clone, Copy)]
struct ChunkOrigin<'s> {
    /// The response that it came with.
    piece: usize,
    /// The number of its first record among all of the run.
    first_record: u64,
    source: &'s ChunkSource,
}

impl Load {
    pub(super) fn new(
        schemas: Schemas,
        metadata: MetadataColumns,
        budget: Budget,
        (most_partitions, most_waiting): (usize, Size),
        is_compared: impl Fn(&TableSchema) -> bool,
    ) -> PolarsResult<Self> {
        let told = schemas.roots().filter(|root| VersionTracker::apply_to(schemas.table(*root)));
        let forms = schemas.iter().map(|(id, table)| {
            let form = is_encoded_as_it_comes(id, &schemas).then(|| FileLayout::of(table));
            Ok(form.transpose()?.map(Arc::new))
        });
        Ok(Self {
            forms: forms.collect::<PolarsResult<_>>()?,
            compared: schemas.iter().map(|(_, table)| is_compared(table)).collect(),
            versions: told.map(|root| (root, VersionTracker::default())).collect(),
            counts: schemas.iter().map(|_| Counts::default()).collect(),
            filled: schemas.iter().map(|(_, table)| vec![0; table.columns.len()]).collect(),
            values: schemas.roots().map(|root| (root, ValueCounts::default())).collect(),
            rejected_values: BTreeMap::new(),
            waiting: schemas.iter().map(|_| WaitingSize::up_to(most_waiting)).collect(),
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
            pending_is_sparse: false,
            rows: BTreeMap::new(),
            spill: Arc::default(),
            quarantined: Vec::new(),
        })
    }

    /// Adds the next chunks, in the order of the export; `piece` is the response they came with.
    pub(super) fn take(&mut self, piece: usize, chunks: Vec<Chunk>) -> Result<(), RunError> {
        let schemas = self.schemas.clone();
        let chunks = chunks.into_iter().filter(|chunk| schemas.table_of(chunk.root).is_some());
        let mut chunks = chunks.peekable();
        loop {
            let (few, bytes) = self.next_few(&mut chunks);
            let few: Vec<_> = few.into_iter().map(|chunk| (self.ids.of(&chunk), chunk)).collect();
            if few.is_empty() {
                return Ok(());
            }
            if self.pending_bytes + bytes > self.budget.pending() {
                self.pass_on_pending(true)?;
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

    /// A few chunks at a time become rows, so that not all of them are rows at once; fewer where they are large, or the table
    /// has many more columns than they have.
    fn next_few(&self, chunks: &mut Peekable<impl Iterator<Item = Chunk>>) -> (Vec<Chunk>, usize) {
        let (mut few, mut all_bytes) = (Vec::new(), 0);
        while few.len() < 2 * parallelism()
            && let Some(chunk) = chunks.peek()
        {
            let width =
                self.schemas.table_of(chunk.root).map_or(0, |it| self.schemas[it].columns.len());
            let cells = chunk.records.rows * width * BYTES_OF_A_CELL;
            let bytes = chunk.estimated_bytes().max(cells);
            if !few.is_empty() && all_bytes + bytes > self.budget.pending() {
                break;
            }
            all_bytes += bytes;
            few.extend(chunks.next());
        }
        (few, all_bytes)
    }

    /// The rows of the whole export. `schemas` are those of the whole export; only column statistics differ.
    pub(super) fn finish(mut self, schemas: Schemas) -> Result<Loaded, RunError> {
        self.pass_on_pending(false)?;
        self.mark_superseded()?;
        let cursor_forms = self.versions.iter();
        let cursor_forms = cursor_forms.map(|(root, it)| (*root, it.cursor_form())).collect();
        let superseded = self.versions.into_values().map(VersionTracker::into_superseded);
        let superseded: Arc<HashSet<u64>> = Arc::new(superseded.flatten().collect());
        let schemas = Arc::new(schemas);
        let (mut rows, mut encoded) = (BTreeMap::new(), BTreeMap::new());
        for (key, of_partition) in self.rows {
            let pieces = match of_partition {
                PartitionContent::Encoded(rows) => {
                    encoded.insert(key, rows);
                    continue;
                }
                PartitionContent::Waiting(pieces) => pieces,
            };
            let (schemas, table, spill) = (schemas.clone(), key.0, self.spill.clone());
            let (metadata, superseded) = (self.metadata.clone(), superseded.clone());
            let unchanged = Arc::default();
            let of_partition = PartitionRows {
                pieces,
                spill,
                schemas,
                table,
                stored: StoredTable::Current(table),
                metadata,
                superseded,
                unchanged,
            };
            rows.insert(key, of_partition);
        }
        Ok(Loaded {
            schemas,
            rows,
            encoded,
            spill: self.spill,
            counts: self.counts,
            values: self.values,
            rejected_values: self.rejected_values,
            filled_rows: self.filled,
            quarantined: self.quarantined,
            broken: self.broken,
            left_out: self.left_out,
            set_apart_key_types: BTreeMap::new(),
            cursor_forms,
        })
    }

    /// Whether other schemas make the same rows.
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
        self.note_broken_checks(source, &normalised);
        let Some(root) = schemas.table_of(source.root) else { return Ok(()) };
        *self.values.entry(root).or_default() += normalised.value_counts(&schemas)?;
        *self.rejected_values.entry(root).or_default() += normalised.rejected_values();
        let mut partition_of_record = vec![0; source.places.len()];
        let first_record = u64::from(self.chunks) << 32;
        self.chunks += 1;
        let keys = self.keys_of_quarantined(root, &normalised)?;
        let cells = normalised.frames.iter().map(|frame| frame.rows.height() * frame.rows.width());
        let bytes_of_cells = cells.sum::<usize>() * BYTES_OF_A_CELL;
        for frame in normalised.frames {
            self.count(&frame);
            if frame.table == root {
                self.keep_left_out_keys(root, &frame)?;
                self.assign_partitions(root, &frame, &mut partition_of_record)?;
            }
            let rows = self.carried_rows(root, &frame, first_record)?;
            let partitions =
                frame.records.iter().map(|record| partition_of_record[*record as usize]);
            let partitions = partitions.collect();
            self.pending.push(UnsortedRows { table: frame.table, rows, partitions });
        }
        // Rows take about as much as their JSON, unless most of their cells are empty.
        let bytes: u64 = source.places.iter().map(|place| place.end - place.start).sum();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.pending_bytes += bytes.max(bytes_of_cells);
        self.pending_is_sparse |= bytes_of_cells / SPARSE > bytes;
        self.quarantine_undecodable(piece, root, source)?;
        let origin = ChunkOrigin { piece, first_record, source };
        self.quarantine(origin, root, normalised.rejected, false, &keys)?;
        self.quarantine(origin, root, normalised.partially_loaded, true, &keys)
    }

    fn note_broken_checks(&mut self, source: &ChunkSource, normalised: &Normalised) {
        for (check, broken) in &normalised.broken {
            let first = source.places[broken.first_record as usize].start;
            let all = self.broken.entry(*check).or_insert(BrokenCheck { rows: 0, first });
            all.rows += broken.rows;
        }
    }

    fn count(&mut self, frame: &TableFrame) {
        let counts = &mut self.counts[frame.table];
        counts.received += frame.received as u64;
        counts.kept += frame.rows.height() as u64;
        counts.quarantined += frame.quarantined as u64;
        for (filled, column) in self.filled[frame.table].iter_mut().zip(frame.rows.columns()) {
            *filled += (column.len() - column.null_count()) as u64;
        }
    }

    /// Notes the partition of each record of a root table. Its child rows go to the same partition.
    fn assign_partitions(
        &mut self,
        root: TableId,
        frame: &TableFrame,
        partition_of_record: &mut [usize],
    ) -> Result<(), RunError> {
        let schema = &self.schemas[root];
        let partitions = self.partitioner.assign(&frame.rows, &schema.partition_by)?;
        if self.partitioner.count() > self.most_partitions {
            let (table, most) = (schema.name.clone(), self.most_partitions);
            return Err(GuardError::TooManyPartitions { table, most }.into());
        }
        for (record, partition) in frame.records.iter().zip(partitions) {
            partition_of_record[*record as usize] = partition;
        }
        Ok(())
    }

    /// The rows of a frame without metadata columns; with the numbers of their records where one may supersede another.
    fn carried_rows(
        &mut self,
        root: TableId,
        frame: &TableFrame,
        first_record: u64,
    ) -> PolarsResult<DataFrame> {
        let schema = &self.schemas[frame.table];
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
        Ok(rows)
    }

    /// Sorts rows into partitions, and encodes or keeps them: on local disk when there is more to come.
    fn pass_on_pending(&mut self, more_comes: bool) -> Result<(), RunError> {
        if std::mem::take(&mut self.pending_is_sparse) {
            give_back_memory();
        }
        self.pending_bytes = 0;
        let mut tables: BTreeMap<TableId, Vec<UnsortedRows>> = BTreeMap::new();
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
            let (new, schema) = (part.into_rows()?, &schemas[key.0]);
            let values = values_in_rows(&new, schema);
            match &mut rows {
                PartitionContent::Encoded(encoded) => encoded.push(new, schema, metadata)?,
                PartitionContent::Waiting(pieces) if more_comes => {
                    pieces.push(spill.put_rows(new)?);
                }
                PartitionContent::Waiting(pieces) => pieces.push(KeptRows::Held(new)),
            }
            Ok::<_, SpillError>((key, rows, values))
        });
        for passed_on in passed_on {
            let (key, rows, values) = passed_on?;
            let root = schemas.table(key.0).root;
            self.values.entry(root).or_default().loaded += values;
            self.rows.insert(key, rows);
        }
        self.spill_remainders()
    }

    fn no_rows(&self, table: TableId) -> PartitionContent {
        match &self.forms[table] {
            Some(form) => PartitionContent::Encoded(EncodedRows {
                encoder: Encoder::new(form.clone(), self.spill.clone()),
                hash: self.compared[table].then(ContentHash::default),
            }),
            None => PartitionContent::Waiting(Vec::new()),
        }
    }

    /// Spills rows that do not fill a page, when there are too many.
    fn spill_remainders(&mut self) -> Result<(), RunError> {
        let encoders = self.rows.values_mut().filter_map(|rows| match rows {
            PartitionContent::Encoded(rows) => Some(&mut rows.encoder),
            PartitionContent::Waiting(_) => None,
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

/// Divides the rows of one table by partition.
fn by_partition(pending: Vec<UnsortedRows>) -> PolarsResult<Vec<RowPart>> {
    let partitions = pending.iter().flat_map(|pending| pending.partitions.iter().copied());
    let parts = RowParts::of(partitions);
    parts.divide(pending.into_iter().map(|pending| pending.rows).collect())
}

/// Whether no later record changes rows of a table.
fn is_encoded_as_it_comes(table: TableId, schemas: &Schemas) -> bool {
    let disposition = schemas.policy(table).disposition;
    let is_added = matches!(disposition, WriteDisposition::Append | WriteDisposition::Replace);
    is_added
        && schemas[table].sort_by.is_empty()
        && !VersionTracker::apply_to(schemas.root_of(table))
}

fn carried_column_names(schema: &TableSchema) -> impl Iterator<Item = PlSmallStr> {
    MetadataColumns::carried(schema).map(|column| PlSmallStr::from_str(column.name.as_str()))
}
