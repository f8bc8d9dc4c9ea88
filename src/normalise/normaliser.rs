//! Normaliser: the levels of a chunk as rows of the resolved tables.
//!
//! ```text
//! level of records ──columns, checks──▶ frame of the root table
//!   └─ levels of lists ───────────────▶ frames of child tables, with the keys of their parents' rows
//! ```

use std::collections::{BTreeMap, HashSet};

use polars::prelude::{
    Column, DataFrame, IdxCa, Int64Chunked, IntoSeries, NewChunkedArray, PlSmallStr, PolarsResult,
    Series, StringChunked,
};

use super::aligner::{Aligner, rows_that_have};
use super::cast::{Cast, polars_type};
use super::checks::Records;
use super::child_rows::ChildRows;
use super::frame::{BrokenRows, Normalised, TableFrame, count, rejections};
use super::metadata_columns::MetadataColumns;
use super::reason::{Reason, Reasons, RowOrigin, RowOrigins, Rule};
use super::received::{ReceivedValues, may_repeat};
use super::row_hash::row_hashes;
use super::unfit_fields::{UnfitField, unfit_fields};
use crate::decode::{Chunk, Level};
use crate::definition::{Discard, OnFailure};
use crate::infer::{ResolvedTable, Schemas};
use crate::schema::{ColumnSchema, ColumnSource, ColumnType, Step, TableId, TableSchema};

/// Turns chunks into frames, in any order once their records have ids.
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
    /// polars fails, which would be a bug.
    pub fn frames(&self, chunk: &Chunk, ids: &[String]) -> PolarsResult<Normalised> {
        let mut work = ChunkWork {
            schemas: self.schemas,
            metadata: self.metadata,
            ids,
            frames: Vec::new(),
            origins: RowOrigins::default(),
            reasons: BTreeMap::new(),
            losses: BTreeMap::new(),
            broken: BTreeMap::new(),
            values: ReceivedValues::of_records(chunk.records.rows),
        };
        let root = self.schemas.table_of(chunk.root);
        // A record array whose table has loaded the export already makes no rows.
        if let Some(table) = root {
            let records: Vec<u32> = (0..).take(chunk.records.rows).collect();
            let origin =
                RowOrigin { parent: None, path: &[], parents: Vec::new(), positions: Vec::new() };
            work.table(table, &chunk.records, &records, origin, None)?;
        }
        let mut normalised = work.finish()?;
        let sets_apart = !normalised.rejected.is_empty()
            || !normalised.partially_loaded.is_empty()
            || root.is_some_and(|root| may_repeat(self.schemas, root));
        normalised.values.count(chunk, sets_apart);
        Ok(normalised)
    }
}

/// The rows of a parent table, as its child tables need them.
struct ParentRows<'p> {
    /// The key columns, under the names the children use.
    keys: Vec<Column>,
    /// For each row of the child level, its parent's row.
    rows: &'p IdxCa,
}

/// The work on one chunk.
struct ChunkWork<'a> {
    schemas: &'a Schemas,
    metadata: &'a MetadataColumns,
    ids: &'a [String],
    frames: Vec<TableFrame>,
    /// Where the rows of each frame are in their records.
    origins: RowOrigins<'a>,
    /// Why records are rejected.
    reasons: BTreeMap<u32, Reasons>,
    /// Why values of records are discarded.
    losses: BTreeMap<u32, Reasons>,
    broken: BTreeMap<(TableId, usize), BrokenRows>,
    values: ReceivedValues,
}

impl<'a> ChunkWork<'a> {
    /// Builds the rows of a table from a level, then those of its child tables.
    fn table(
        &mut self,
        table: TableId,
        level: &Level,
        records: &[u32],
        origin: RowOrigin<'a>,
        parent: Option<&ParentRows<'_>>,
    ) -> PolarsResult<()> {
        let schemas = self.schemas;
        self.origins.0.push(origin);
        let resolved = schemas.table(table);
        let ResolvedTable { schema, policy, .. } = resolved;
        let mut columns = Vec::with_capacity(schema.columns.len());
        let mut aligner = Aligner::new(level, resolved, self.child_paths(table));
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
        for path in &policy.excluded {
            self.values.exclude(level, path, records);
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
        self.reject_repeated_keys(schema)?;
        self.children(table, level, records, &keys)
    }

    /// The paths whose lists are rows of child tables.
    fn child_paths(&self, table: TableId) -> Vec<Vec<Step>> {
        let children = self.schemas.table(table).children.iter();
        children.map(|child| self.schemas[*child].path.clone()).collect()
    }

    fn children(
        &mut self,
        table: TableId,
        level: &Level,
        records: &[u32],
        keys: &[Column],
    ) -> PolarsResult<()> {
        let schemas = self.schemas;
        let own = self.frames.len() - 1;
        for child in &schemas.table(table).children {
            let path = &schemas[*child].path;
            let of_child = ChildRows::of(schemas.table(table), level, path)?;
            let ChildRows { level: child_level, parents } = of_child;
            let child_records: Vec<u32> =
                parents.iter().map(|row| records[*row as usize]).collect();
            let rows = IdxCa::from_slice(PlSmallStr::EMPTY, &parents);
            let parent = ParentRows { keys: keys.to_vec(), rows: &rows };
            let positions = child_level.as_ref().positions.clone();
            let origin = RowOrigin { parent: Some(own), path, parents, positions };
            self.table(*child, child_level.as_ref(), &child_records, origin, Some(&parent))?;
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
                for (row, reason) in self.unfit_values(table, column, path, &unfit, level)? {
                    let discard = match reason.rule {
                        Rule::FieldType { .. } => policy.unfit_declared(),
                        _ => policy.unfit(&column.name),
                    };
                    self.discard(records[row as usize], discard, reason);
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
            ColumnSource::ParentColumn(name) => match (parent, self.frame_of_parent()) {
                (Some(parent), Some(frame)) => frame.rows.column(name.as_str())?.take(parent.rows),
                _ => Ok(nulls(level.rows, &column.column_type).into()),
            },
            ColumnSource::Index => {
                let positions = level.positions.iter().map(|position| Some(i64::from(*position)));
                Ok(Int64Chunked::from_iter_options(PlSmallStr::EMPTY, positions)
                    .into_series()
                    .into())
            }
            ColumnSource::MemberKey => Ok(match &level.keys {
                Some(keys) => keys.clone().into_series().into(),
                None => nulls(level.rows, &column.column_type).into(),
            }),
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

    /// Why the values of some rows do not fit a column, with the row of each reason.
    fn unfit_values(
        &self,
        table: TableId,
        column: &ColumnSchema,
        path: &[Step],
        rows: &[u32],
        level: &Level,
    ) -> PolarsResult<Vec<(u32, Reason)>> {
        let ResolvedTable { schema, policy, .. } = self.schemas.table(table);
        let mut reasons = Vec::new();
        let declared = policy.declared_fields.get(&column.name).filter(|_| !rows.is_empty());
        if let (Some(declared), [step]) = (declared, path)
            && let Some(values) = level.values.get(step)
        {
            for unfit in unfit_fields(values, &column.column_type, declared)? {
                let UnfitField { row, place, field, expected } = unfit;
                let rule = Rule::FieldType { column: column.name.clone(), field, expected };
                let mut reason = self.reason(schema, row, path, rule);
                reason.place.extend(place);
                reasons.push((row, reason));
            }
        }
        let told: HashSet<u32> = reasons.iter().map(|(row, _)| *row).collect();
        for row in rows.iter().filter(|row| !told.contains(row)) {
            let (name, expected) = (column.name.clone(), column.column_type.clone());
            let rule = Rule::Type { column: name, expected };
            reasons.push((*row, self.reason(schema, *row, path, rule)));
        }
        Ok(reasons)
    }

    /// The rows of the parents of the frame under construction.
    fn frame_of_parent(&self) -> Option<&TableFrame> {
        self.frames.get(self.origins.0.last()?.parent?)
    }

    /// Rejects records with two child rows of one key. A child row is identified by the key of its parent and its own,
    /// so rows of different records never have the same.
    fn reject_repeated_keys(&mut self, schema: &TableSchema) -> PolarsResult<()> {
        let (Some(frame), false) = (self.frames.last(), schema.primary_key.is_empty()) else {
            return Ok(());
        };
        if schema.parent.is_none() {
            return Ok(());
        }
        let mut seen = HashSet::new();
        let keys = row_hashes(&frame.rows, &schema.row_key())?.into_iter();
        let rows = (0..).zip(frame.records.iter().copied()).zip(keys);
        let repeated = rows.filter(|((_, record), key)| !seen.insert((*record, *key)));
        let repeated: Vec<(u32, u32)> = repeated.map(|(row, _)| row).collect();
        for (row, record) in repeated {
            let rule = Rule::RepeatedKey { columns: schema.primary_key.clone() };
            let reason = self.reason(schema, row, &[], rule);
            self.discard(record, Discard::Row, reason);
        }
        Ok(())
    }

    /// A reason about a row of the frame under construction.
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
            values: self.values,
        };
        normalised.leave_out(self.reasons)?;
        Ok(normalised)
    }
}

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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use polars::prelude::DataType;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::record_ids::RecordIds;
    use super::*;
    use crate::decode::{DecodeOptions, RecordSelector, Splitter, decode_batch};
    use crate::definition::{Contract, DataTypeMode, Nested, Table};
    use crate::infer::observe;
    use crate::schema::{JsonPointer, RootId, Shape, TableName};

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
        let contract = Contract { data_type: DataTypeMode::Evolve, ..Contract::default() };
        let table =
            Table { nested, contract: Some(contract), ..Table::named("t".parse().unwrap()) };
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
            records in proptest::collection::vec(any_record("[abA]|value|items|Value"), 1..6),
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
                proptest::collection::vec(any_record("[abA]|value|items|Value"), 0..4), 2..4),
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
