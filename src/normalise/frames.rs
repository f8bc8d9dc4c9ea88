//! Frames: one chunk's levels as rows of the settled tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use polars::prelude::{
    BooleanChunked, Column, DataFrame, IdxCa, Int64Chunked, IntoSeries, NewChunkedArray,
    PlSmallStr, PolarsResult, Series, StringChunked,
};

use super::cast::{Cast, polars_type};
use super::checks::{Breach, Records, Uniques};
use super::metadata_columns::MetadataColumns;
use super::nested::{column, scalars_as};
use super::reason::{Origin, Origins, Place, Reason, Reasons, Rule};
use super::versions::Versions;
use crate::decode::{Chunk, Level, Values};
use crate::definition::{Discard, Nested, OnFailure};
use crate::infer::{Discarded, ResolvedTable, Schemas};
use crate::schema::{ColumnSchema, ColumnSource, ColumnType, RootId, Step, TableId, TableSchema};

/// Rows of one table that came from one chunk.
#[derive(Debug)]
pub struct TableFrame {
    /// The table's position in the schemas.
    pub table: TableId,
    /// The rows, in export order, with every column of the schema.
    pub rows: DataFrame,
    /// For each row, the record of the chunk that it came from.
    pub records: Vec<u32>,
    /// How many rows the chunk had for this table, rejected ones included.
    pub received: usize,
    /// How many of them belong to rejected records.
    pub quarantined: usize,
    /// The rows of these.
    pub left_out: Option<DataFrame>,
}

impl TableFrame {
    /// Takes out the rows of some records; returns how many.
    pub(super) fn remove(&mut self, is_out: impl Fn(u32) -> bool) -> PolarsResult<usize> {
        let before = self.records.len();
        let kept: BooleanChunked = self.records.iter().map(|record| !is_out(*record)).collect();
        let gone = self.rows.filter(&!&kept)?;
        self.left_out = Some(match self.left_out.take() {
            Some(earlier) => earlier.vstack(&gone)?,
            None => gone,
        });
        self.rows = self.rows.filter(&kept)?;
        self.records.retain(|record| !is_out(*record));
        Ok(before - self.records.len())
    }
}

/// A record that cannot be in the table as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// Its number in the chunk.
    pub record: u32,
    /// Everything that is wrong with it.
    pub reasons: Reasons,
}

/// What a chunk became.
#[derive(Debug)]
pub struct Normalised {
    /// The rows, by table.
    pub frames: Vec<TableFrame>,
    /// The records that have no rows in `frames`, ascending.
    pub rejected: Vec<Rejection>,
    /// The records that have rows in `frames` from which values are missing, ascending.
    pub partially_loaded: Vec<Rejection>,
    /// The checks that rows break, by their tables' positions and their own.
    pub broken: BTreeMap<(TableId, usize), Broken>,
}

/// Rows that break a check.
#[derive(Debug, Clone, Copy)]
pub struct Broken {
    /// How many.
    pub rows: u64,
    /// The record of the first of them.
    pub first_record: u32,
}

impl Normalised {
    /// Leaves out the records that have values which are to be unique, and which an earlier record has.
    ///
    /// # Errors
    /// A column is not there, which `Schemas::settle` rules out.
    pub fn reject_repeated(&mut self, schemas: &Schemas, seen: &mut Uniques) -> PolarsResult<()> {
        let mut reasons: BTreeMap<u32, Reasons> = BTreeMap::new();
        for frame in &self.frames {
            let ResolvedTable { schema, policy, .. } = schemas.table(frame.table);
            let has_versions = Versions::are_told(schemas.root_of(frame.table));
            for breach in seen.observe(schema, &policy.checks, frame, has_versions)? {
                let record = frame.records[breach.row as usize];
                count(&mut self.broken, frame.table, breach, record);
                let check = &policy.checks[breach.check];
                if check.on_failure == OnFailure::Quarantine {
                    let (table, rule) = (schema.name.clone(), Rule::Check(check.rule.clone()));
                    // Where in the record does not matter: it is fine by itself.
                    let reason = Reason { table, place: Place::new(), rule };
                    reasons.entry(record).or_default().add(reason);
                }
            }
        }
        self.leave_out(reasons)
    }

    /// Takes the rows of some records out, in every table.
    fn leave_out(&mut self, reasons: BTreeMap<u32, Reasons>) -> PolarsResult<()> {
        if reasons.is_empty() {
            return Ok(());
        }
        for frame in &mut self.frames {
            frame.quarantined += frame.remove(|record| reasons.contains_key(&record))?;
        }
        let mut rejected: BTreeMap<u32, Reasons> = reasons;
        // Of a record that is left out, the values that it would have lost are reasons like any other.
        let partially_loaded = std::mem::take(&mut self.partially_loaded).into_iter();
        let (lost_too, partially_loaded): (Vec<_>, Vec<_>) = partially_loaded
            .partition(|partially_loaded| rejected.contains_key(&partially_loaded.record));
        self.partially_loaded = partially_loaded;
        for Rejection { record, reasons } in lost_too {
            rejected.entry(record).or_default().extend(reasons);
        }
        self.rejected.extend(rejections(rejected));
        self.rejected.sort_by_key(|rejection| rejection.record);
        Ok(())
    }
}

fn rejections(reasons: BTreeMap<u32, Reasons>) -> impl Iterator<Item = Rejection> {
    reasons.into_iter().map(|(record, reasons)| Rejection { record, reasons })
}

fn count(
    broken: &mut BTreeMap<(TableId, usize), Broken>,
    table: TableId,
    breach: Breach,
    record: u32,
) {
    let first = Broken { rows: 0, first_record: record };
    let count = broken.entry((table, breach.check)).or_insert(first);
    count.rows += 1;
    count.first_record = count.first_record.min(record);
}

/// Turns chunks into frames. Chunks may be turned in any order once their records have ids.
#[derive(Debug)]
pub struct Normaliser<'a> {
    schemas: &'a Schemas,
    metadata: &'a MetadataColumns,
}

impl<'a> Normaliser<'a> {
    /// A normaliser for one run.
    #[must_use]
    pub fn new(schemas: &'a Schemas, metadata: &'a MetadataColumns) -> Self {
        Self { schemas, metadata }
    }

    /// The rows of a chunk, whose records have these ids.
    ///
    /// # Errors
    /// polars refuses an operation, which would be a mistake of ours.
    pub fn frames(&self, chunk: &Chunk, ids: &[String]) -> PolarsResult<Normalised> {
        let mut work = ChunkWork {
            schemas: self.schemas,
            metadata: self.metadata,
            ids,
            frames: Vec::new(),
            origins: Origins::default(),
            reasons: BTreeMap::new(),
            losses: BTreeMap::new(),
            broken: BTreeMap::new(),
        };
        // Where all tables of a record array have taken the export already, its records make no rows.
        if let Some(table) = self.schemas.table_of(chunk.root) {
            let records: Vec<u32> = (0..).take(chunk.records.rows).collect();
            let origin = Origin { parent: None, path: &[], parents: Vec::new(), positions: &[] };
            work.table(table, &chunk.records, &records, origin, None)?;
        }
        work.finish()
    }
}

/// Gives ids to records without a key, in the order of the export.
#[derive(Debug, Default)]
pub struct RecordIds {
    /// How often each record of each array has been seen.
    seen: HashMap<(RootId, u128), u64>,
}

impl RecordIds {
    /// The hash of each record, with a number from the second of its kind on.
    pub fn of(&mut self, chunk: &Chunk) -> Vec<String> {
        let ids = chunk.identities.iter().map(|identity| {
            let seen = self.seen.entry((chunk.root, *identity)).or_default();
            *seen += 1;
            let again = if *seen == 1 { String::new() } else { format!("-{seen}") };
            format!("{identity:032x}{again}")
        });
        ids.collect()
    }
}

/// The rows of a table that its child tables hang from.
struct ParentRows<'p> {
    /// The key columns, under the names the children use.
    keys: Vec<Column>,
    /// For each row of the child level, its parent's row.
    rows: &'p IdxCa,
}

/// The state of turning one chunk into frames.
struct ChunkWork<'a> {
    schemas: &'a Schemas,
    metadata: &'a MetadataColumns,
    ids: &'a [String],
    frames: Vec<TableFrame>,
    /// Where the rows of each frame stand in their records.
    origins: Origins<'a>,
    /// Why records are rejected.
    reasons: BTreeMap<u32, Reasons>,
    /// Which values records are loaded without, and why.
    losses: BTreeMap<u32, Reasons>,
    broken: BTreeMap<(TableId, usize), Broken>,
}

impl<'a> ChunkWork<'a> {
    /// Builds the rows of a table from a level, then those of its child tables.
    fn table(
        &mut self,
        table: TableId,
        level: &'a Level,
        records: &[u32],
        origin: Origin<'a>,
        parent: Option<&ParentRows<'_>>,
    ) -> PolarsResult<()> {
        let schemas = self.schemas;
        self.origins.0.push(origin);
        let ResolvedTable { schema, policy, .. } = schemas.table(table);
        let mut columns = Vec::with_capacity(schema.columns.len());
        let flattens = policy.nested == Nested::Tables;
        let mut aligner = Aligner::new(level, self.child_paths(table), flattens);
        for column in &schema.columns {
            let values = self.column(table, column, &mut aligner, records, parent)?;
            columns.push(values.with_name(PlSmallStr::from_str(column.name.as_str())));
        }
        for discarded in &policy.discarded {
            for row in rows_that_have(level, discarded) {
                let rule = Rule::Schema { path: discarded.path.clone() };
                let reason = self.reason(schema, row, &discarded.path, rule);
                self.discard(records[row as usize], discarded.discard, reason);
            }
        }
        let keys = keys_for_children(schema, &columns);
        self.frames.push(TableFrame {
            table,
            rows: DataFrame::new(level.rows, columns)?,
            received: level.rows,
            quarantined: 0,
            left_out: None,
            records: records.to_vec(),
        });
        self.children(table, level, records, &keys)
    }

    /// The places whose lists have rows of their own.
    fn child_paths(&self, table: TableId) -> Vec<Vec<Step>> {
        let children = self.schemas.table(table).children.iter();
        children.map(|child| self.schemas[*child].path.clone()).collect()
    }

    fn children(
        &mut self,
        table: TableId,
        level: &'a Level,
        records: &[u32],
        keys: &[Column],
    ) -> PolarsResult<()> {
        let schemas = self.schemas;
        let own = self.frames.len() - 1;
        for child in &schemas.table(table).children {
            let path = &schemas[*child].path;
            let View { level: child_level, rows: parents } =
                View::of(level, path).unwrap_or(View { level: &NOTHING, rows: Vec::new() });
            let child_records: Vec<u32> =
                parents.iter().map(|row| records[*row as usize]).collect();
            let rows = IdxCa::from_slice(PlSmallStr::EMPTY, &parents);
            let parent = ParentRows { keys: keys.to_vec(), rows: &rows };
            let positions = child_level.positions.as_slice();
            let origin = Origin { parent: Some(own), path, parents, positions };
            self.table(*child, child_level, &child_records, origin, Some(&parent))?;
        }
        Ok(())
    }

    fn column(
        &mut self,
        table: TableId,
        column: &ColumnSchema,
        aligner: &mut Aligner<'_>,
        records: &[u32],
        parent: Option<&ParentRows<'_>>,
    ) -> PolarsResult<Column> {
        let ResolvedTable { schema, policy, .. } = self.schemas.table(table);
        let level = aligner.level;
        match &column.source {
            ColumnSource::Value { path, .. } => {
                let Cast { series, unfit } = aligner.column(path, column)?;
                for row in unfit {
                    let (column_name, expected) = (column.name.clone(), column.column_type.clone());
                    let rule = Rule::Type { column: column_name, expected };
                    let reason = self.reason(schema, row, path, rule);
                    self.discard(records[row as usize], policy.unfit(), reason);
                }
                if schema.primary_key.contains(&column.name) {
                    self.reject_nulls(schema, column, &series, records);
                }
                Ok(series.into())
            }
            ColumnSource::Unseen { .. } => {
                let series = nulls(level.rows, &column.column_type);
                if schema.primary_key.contains(&column.name) {
                    self.reject_nulls(schema, column, &series, records);
                }
                Ok(series.into())
            }
            ColumnSource::ParentKey(position) => match parent {
                Some(parent) => parent.keys[*position].take(parent.rows),
                None => Ok(nulls(level.rows, &column.column_type).into()),
            },
            ColumnSource::Index => {
                let positions = level.positions.iter().map(|position| Some(i64::from(*position)));
                Ok(Int64Chunked::from_iter_options(PlSmallStr::EMPTY, positions)
                    .into_series()
                    .into())
            }
            ColumnSource::Identity => {
                Ok(StringChunked::from_slice(PlSmallStr::EMPTY, self.ids).into_series().into())
            }
            source @ (ColumnSource::RunId
            | ColumnSource::LoadedAt
            | ColumnSource::DeletedAt
            | ColumnSource::ValidFrom
            | ColumnSource::ValidTo) => {
                let stamped = self.metadata.column(source, level.rows);
                Ok(stamped.unwrap_or_else(|| nulls(level.rows, &column.column_type).into()))
            }
        }
    }

    /// Why a row of the frame that is being built is not fine.
    fn reason(&self, schema: &TableSchema, row: u32, path: &[Step], rule: Rule) -> Reason {
        let frame = self.origins.0.len() - 1;
        Reason { table: schema.name.clone(), place: self.origins.place(frame, row, path), rule }
    }

    fn discard(&mut self, record: u32, discard: Discard, reason: Reason) {
        let discarded = match discard {
            Discard::Row => &mut self.reasons,
            Discard::Value => &mut self.losses,
        };
        discarded.entry(record).or_default().add(reason);
    }

    fn reject_nulls(
        &mut self,
        schema: &TableSchema,
        column: &ColumnSchema,
        series: &Series,
        records: &[u32],
    ) {
        if series.null_count() == 0 {
            return;
        }
        for ((row, is_null), record) in (0..).zip(series.is_null().iter()).zip(records) {
            if is_null == Some(true) {
                let rule = Rule::PrimaryKey { column: column.name.clone() };
                let reason = self.reason(schema, row, column.path().unwrap_or_default(), rule);
                self.discard(*record, Discard::Row, reason);
            }
        }
    }

    /// Finds the rows that break a check of their table.
    fn check(&mut self) -> PolarsResult<()> {
        for frame in 0..self.frames.len() {
            let (schemas, frames, origins) = (self.schemas, &self.frames, &self.origins);
            let table = frames[frame].table;
            let ResolvedTable { schema, policy, .. } = schemas.table(table);
            for breach in (Records { schemas, frames, origins }).breaches(frame)? {
                let record = self.frames[frame].records[breach.row as usize];
                count(&mut self.broken, table, breach, record);
                let check = &policy.checks[breach.check];
                if check.on_failure == OnFailure::Quarantine {
                    let column = check.rule.columns().first().and_then(|name| schema.column(name));
                    let path = column.and_then(ColumnSchema::path).unwrap_or_default();
                    let place = self.origins.place(frame, breach.row, path);
                    let (table, rule) = (schema.name.clone(), Rule::Check(check.rule.clone()));
                    self.discard(record, Discard::Row, Reason { table, place, rule });
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> PolarsResult<Normalised> {
        self.check()?;
        let mut normalised = Normalised {
            frames: self.frames,
            rejected: Vec::new(),
            partially_loaded: rejections(self.losses).collect(),
            broken: self.broken,
        };
        normalised.leave_out(self.reasons)?;
        Ok(normalised)
    }
}

/// What a chunk has for a child table that none of its records has.
static NOTHING: Level =
    Level { rows: 0, parents: Vec::new(), positions: Vec::new(), values: BTreeMap::new() };

fn keys_for_children(schema: &TableSchema, columns: &[Column]) -> Vec<Column> {
    let keys = schema.columns.iter().zip(columns);
    keys.filter_map(|(column, values)| {
        let name = schema.name_in_children(column)?;
        Some(values.clone().with_name(PlSmallStr::from_str(name.as_str())))
    })
    .collect()
}

fn nulls(rows: usize, column_type: &ColumnType) -> Series {
    Series::full_null(PlSmallStr::EMPTY, rows, &polars_type(column_type))
}

/// The rows of a level that have a value that is not let in, however deep in objects it stands.
fn rows_that_have(level: &Level, discarded: &Discarded) -> Vec<u32> {
    let Some((step, objects)) = discarded.path.split_last() else { return Vec::new() };
    let view = View::of(level, objects);
    let (holder, rows) = match &view {
        Some(view) => (view.level, Some(&view.rows)),
        None if objects.is_empty() => (level, None),
        None => return Vec::new(),
    };
    let Some(values) = holder.values.get(step) else { return Vec::new() };
    let mut own: BTreeSet<u32> = values.empty_lists.iter().copied().collect();
    if !discarded.beside_objects {
        own.extend(values.nested.iter().flat_map(|nested| &nested.level.parents));
    }
    if let Some(scalars) = &values.scalars {
        let there = scalars.values.is_not_null();
        own.extend(
            (0..).zip(there.iter()).filter(|(_, there)| *there == Some(true)).map(|(row, _)| row),
        );
    }
    own.into_iter().map(|row| rows.map_or(row, |rows| rows[row as usize])).collect()
}

/// A level below a table's own, seen from the table: for each of its rows, the table's row.
struct View<'l> {
    level: &'l Level,
    rows: Vec<u32>,
}

impl<'l> View<'l> {
    /// The level that a path of at least one step leads to; `None` when nothing in this chunk has it.
    fn of(level: &'l Level, path: &[Step]) -> Option<Self> {
        let mut view: Option<Self> = None;
        for step in path {
            let above = view.as_ref().map_or(level, |view| view.level);
            let nested = above.values.get(step)?.nested.as_ref()?;
            let rows = match &view {
                Some(view) => {
                    nested.level.parents.iter().map(|row| view.rows[*row as usize]).collect()
                }
                None => nested.level.parents.clone(),
            };
            view = Some(Self { level: &nested.level, rows });
        }
        view
    }
}

/// Brings the columns of a table and of the objects flattened into it to the table's rows.
struct Aligner<'l> {
    level: &'l Level,
    /// The places whose lists are rows of child tables.
    child_paths: Vec<Vec<Step>>,
    /// Objects are columns of their own.
    flattens: bool,
    /// The objects that the last column stood in; columns of one object come one after the other.
    last: Option<(Vec<Step>, Option<Flattened<'l>>)>,
}

/// Objects that are flattened into a table.
struct Flattened<'l> {
    view: View<'l>,
    /// For each row of the table, the object's row; none when every row has its object, in order.
    take: Option<IdxCa>,
}

impl<'l> Aligner<'l> {
    fn new(level: &'l Level, child_paths: Vec<Vec<Step>>, flattens: bool) -> Self {
        Self { level, child_paths, flattens, last: None }
    }

    /// The column at a path, cast to its type, as long as the table.
    fn column(&mut self, path: &[Step], schema: &ColumnSchema) -> PolarsResult<Cast> {
        let (rows, flattens) = (self.level.rows, self.flattens);
        let absent = || Cast::nulls(rows, &schema.column_type);
        let Some((step, objects)) = path.split_last() else { return Ok(absent()) };
        let in_child = self.child_paths.iter().any(|child| child == path);
        if objects.is_empty() {
            let Some(values) = self.level.values.get(step) else { return Ok(absent()) };
            return typed(values, rows, schema, in_child, flattens);
        }
        let Some(flattened) = self.flattened(objects) else { return Ok(absent()) };
        let Some(values) = flattened.view.level.values.get(step) else { return Ok(absent()) };
        let rows = flattened.view.level.rows;
        let mut column = typed(values, rows, schema, in_child, flattens)?;
        if let Some(take) = &flattened.take {
            column.series = column.series.take(take)?;
        }
        column.unfit = column.unfit.iter().map(|row| flattened.view.rows[*row as usize]).collect();
        Ok(column)
    }

    fn flattened(&mut self, objects: &[Step]) -> Option<&Flattened<'l>> {
        if self.last.as_ref().is_none_or(|(path, _)| path != objects) {
            let flattened =
                View::of(self.level, objects).map(|view| Flattened::new(view, self.level.rows));
            self.last = Some((objects.to_vec(), flattened));
        }
        self.last.as_ref()?.1.as_ref()
    }
}

impl<'l> Flattened<'l> {
    fn new(view: View<'l>, table_rows: usize) -> Self {
        let dense = view.rows.len() == table_rows
            && view.rows.iter().zip(0..).all(|(row, own)| *row == own);
        let take = (!dense).then(|| {
            let mut positions = vec![None; table_rows];
            for (own, row) in (0..).zip(&view.rows) {
                positions[*row as usize] = Some(own);
            }
            IdxCa::from_slice_options(PlSmallStr::EMPTY, &positions)
        });
        Self { view, take }
    }
}

/// The values under one key as a column of its settled type. What stands `in_child` rows does not concern it.
fn typed(
    values: &Values,
    rows: usize,
    schema: &ColumnSchema,
    in_child: bool,
    flattens: bool,
) -> PolarsResult<Cast> {
    let ColumnSchema { column_type, formats, .. } = schema;
    if in_child {
        return scalars_as(values.scalars.as_ref(), rows, column_type, formats);
    }
    column(values, rows, column_type, formats, flattens)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use polars::prelude::DataType;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::decode::{DecodeOptions, RecordSelector, Splitter, decode_batch};
    use crate::definition::Table;
    use crate::infer::observe;
    use crate::schema::{JsonPointer, Shape, TableName};

    /// Records in which the same keys hold scalars, objects and lists by turns.
    fn any_record(keys: &'static str) -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            (-2.0..2.0).prop_map(Value::from),
            "[xy]{0,2}".prop_map(Value::from),
        ];
        let value = scalar.prop_recursive(4, 16, 3, move |inner| {
            let members = proptest::collection::hash_map(keys, inner.clone(), 0..3);
            prop_oneof![
                proptest::collection::vec(inner, 0..3).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        proptest::collection::hash_map(keys, value, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    fn scalars_of(json: &Value) -> usize {
        match json {
            Value::Null => 0,
            Value::Array(items) => items.iter().map(scalars_of).sum(),
            Value::Object(members) => members.values().map(scalars_of).sum(),
            _ => 1,
        }
    }

    fn scalars_in(column: &Series) -> usize {
        match column.dtype() {
            DataType::List(_) => {
                let lists = column.list().unwrap();
                let items = (0..lists.len()).filter_map(|row| lists.get_as_series(row));
                items.map(|items| scalars_in(&items)).sum()
            }
            DataType::Struct(_) => {
                let fields = column.struct_().unwrap().fields_as_series();
                fields.iter().map(scalars_in).sum()
            }
            _ => column.len() - column.null_count(),
        }
    }

    fn scalars_of_frame(rows: &DataFrame, schema: &TableSchema) -> usize {
        let columns = schema.columns.iter().filter(|column| column.path().is_some());
        let columns = columns.map(|column| rows.column(column.name.as_str()).unwrap());
        columns.map(|column| scalars_in(column.as_materialized_series())).sum()
    }

    /// The tables of a destination.
    type Known = BTreeMap<TableName, TableSchema>;

    /// What an export made of `known` tables.
    struct Loaded {
        /// The scalars in all columns that come from the JSON.
        scalars: usize,
        /// The tables that there are then.
        known: Known,
        /// The rows of `t`.
        rows: Vec<DataFrame>,
    }

    /// Loads records, chunks being `pieces` of them.
    fn loaded(pieces: &[&[Value]], known: &Known, nested: Nested) -> Loaded {
        let mut chunks = Vec::new();
        let mut shape = Shape::default();
        for piece in pieces {
            let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
            let json = Value::from(piece.to_vec()).to_string();
            let mut batches = splitter.feed(json.as_bytes()).unwrap();
            batches.extend(splitter.finish().unwrap().0);
            chunks.extend(batches.iter().map(|batch| {
                decode_batch(batch, &DecodeOptions { identify: true, ..DecodeOptions::default() })
                    .unwrap()
            }));
        }
        for chunk in &chunks {
            observe(&mut shape, &chunk.records);
        }
        let table = Table { nested, ..Table::named("t".parse().unwrap()) };
        let schemas = Schemas::resolve(&[(RootId::default(), &table, &shape)], &[], known).unwrap();
        let metadata = MetadataColumns::new("run".parse().unwrap(), DateTime::UNIX_EPOCH);
        let normaliser = Normaliser::new(&schemas, &metadata);
        let mut ids = RecordIds::default();
        let (mut count, mut own) = (0, Vec::new());
        for chunk in &chunks {
            let rows = normaliser.frames(chunk, &ids.of(chunk)).unwrap();
            assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
            for frame in rows.frames {
                count += scalars_of_frame(&frame.rows, &schemas[frame.table]);
                if frame.table == TableId::default() {
                    own.push(frame.rows);
                }
            }
        }
        let mut known = known.clone();
        known.extend(schemas.iter().map(|(_, table)| (table.name.clone(), table.clone())));
        Loaded { scalars: count, known, rows: own }
    }

    proptest! {
        #[test]
        fn p1_every_scalar_is_in_some_column(
            records in proptest::collection::vec(any_record("[abA]|a_b"), 1..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let expected: usize = records.iter().map(scalars_of).sum();
            prop_assert_eq!(loaded(&[&records], &Known::new(), Nested::Tables).scalars, expected);
            let (first, second) = records.split_at(cut.index(records.len()));
            prop_assert_eq!(loaded(&[first, second], &Known::new(), Nested::Tables).scalars, expected);
        }

        #[test]
        fn p1_and_p6_every_scalar_is_in_a_nested_column_wherever_chunks_end(
            records in proptest::collection::vec(any_record("[ab]|value|items"), 1..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let expected: usize = records.iter().map(scalars_of).sum();
            let at_once = loaded(&[&records], &Known::new(), Nested::Columns);
            prop_assert_eq!(at_once.scalars, expected);
            let (first, second) = records.split_at(cut.index(records.len()));
            let in_two = loaded(&[first, second], &Known::new(), Nested::Columns);
            prop_assert_eq!(&in_two.known, &at_once.known);
            let all = |frames: &[DataFrame]| {
                let mut all = frames[0].clone();
                frames[1..].iter().for_each(|frame| { all.vstack_mut(frame).unwrap(); });
                all.drop("_flowlake_id").unwrap()
            };
            prop_assert!(all(&in_two.rows).equals_missing(&all(&at_once.rows)));
        }

        #[test]
        fn p1_and_p5_nested_columns_evolve_with_every_scalar_they_have(
            nights in proptest::collection::vec(
                proptest::collection::vec(any_record("[ab]|value|items"), 0..4), 2..4),
        ) {
            let (mut known, mut table) = (Known::new(), None::<DataFrame>);
            let mut expected = 0;
            for records in nights {
                expected += records.iter().map(scalars_of).sum::<usize>();
                let Loaded { known: then, rows, .. } = loaded(&[&records], &known, Nested::Columns);
                let schema = &then[&"t".parse::<TableName>().unwrap()];
                for frame in table.take().into_iter().chain(rows).collect::<Vec<_>>() {
                    let frame = super::super::conform(&frame, schema).unwrap();
                    table = Some(match table { Some(table) => table.vstack(&frame).unwrap(), None => frame });
                }
                if let Some(table) = &table {
                    prop_assert_eq!(scalars_of_frame(table, schema), expected);
                }
                known = then;
            }
        }

        #[test]
        fn p1_what_is_in_the_tables_already_costs_no_record_and_no_scalar(
            nights in proptest::collection::vec(
                proptest::collection::vec(any_record("[abA]|a_b"), 0..4), 2..4),
        ) {
            let mut known = Known::new();
            for records in nights {
                let night = loaded(&[&records], &known, Nested::Tables);
                prop_assert_eq!(night.scalars, records.iter().map(scalars_of).sum::<usize>());
                known = night.known;
            }
        }
    }
}
