//! The records that an export was loaded without, once it is loaded a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use polars::prelude::PolarsResult;

use crate::normalise::key_hashes;
use crate::run::loaded::{BrokenCheck, LeftOut, Loaded, Quarantined};
use crate::schema::{ColumnType, TableId, TableName, TableSchema};

/// What the first load found out about records that go to quarantine. Tables are named, since their ids belong to the
/// schemas of one load.
pub(super) struct SetApart {
    records: Vec<(TableName, Quarantined)>,
    /// Their rows, child rows included.
    rows: BTreeMap<TableName, u64>,
    /// Their values.
    values: BTreeMap<TableName, u64>,
    /// The values of all records that the definition excludes, theirs included where they are not read at all.
    excluded: BTreeMap<TableName, u64>,
    /// The checks that rows break, those of other records included.
    broken: BTreeMap<(TableName, usize), BrokenCheck>,
    /// The tables with records whose keys cannot be read.
    with_unknown: BTreeSet<TableName>,
    /// The types that the keys of each root table were read with.
    key_types: BTreeMap<TableName, Vec<ColumnType>>,
}

impl SetApart {
    /// Keeps what is known of them, and frees the rows of the others.
    pub(super) fn of(load: Loaded) -> Self {
        let schemas = load.schemas;
        let name = |table| schemas[table].name.clone();
        let rows = load.counts.iter().map(|(table, counts)| (name(table), counts.quarantined));
        let values = load.rejected_values.iter().map(|(table, values)| (name(*table), *values));
        let excluded = load.values.iter().map(|(table, it)| (name(*table), it.excluded));
        let broken = load.broken.iter().map(|((table, check), it)| ((name(*table), *check), *it));
        let records = load.quarantined.into_iter().filter(|record| !record.row_kept);
        let keys = schemas.roots().map(|table| (name(table), schemas[table].key_types()));
        let unknown = load.left_out.iter().filter(|(_, left_out)| left_out.has_unknown);
        Self {
            rows: rows.collect(),
            values: values.collect(),
            excluded: excluded.collect(),
            broken: broken.collect(),
            key_types: keys.collect(),
            records: records.map(|record| (name(record.table), record)).collect(),
            with_unknown: unknown.map(|(table, _)| name(*table)).collect(),
        }
    }

    /// Where in a body of the export they begin.
    pub(super) fn offsets(&self, body: usize) -> Arc<BTreeSet<u64>> {
        let of_body = self.records.iter().filter(|(_, record)| record.piece == body);
        Arc::new(of_body.map(|(_, record)| record.place.start).collect())
    }

    /// Counts them with the records that were loaded. Child tables that only they would have are none.
    pub(super) fn add_to(self, load: &mut Loaded) -> PolarsResult<()> {
        let schemas = load.schemas.clone();
        let id = |name: &TableName| {
            schemas.iter().find(|(_, schema)| schema.name == *name).map(|(table, _)| table)
        };
        for (table, rows) in named(self.rows, id) {
            load.counts[table].received += rows;
            load.counts[table].quarantined += rows;
        }
        for (table, values) in named(self.values, id) {
            let counts = load.values.entry(table).or_default();
            counts.received += values;
            counts.quarantined += values;
        }
        for (table, excluded) in named(self.excluded, id) {
            let counts = load.values.entry(table).or_default();
            let theirs = excluded.saturating_sub(counts.excluded);
            counts.received += theirs;
            counts.excluded += theirs;
        }
        for ((name, check), broken) in self.broken {
            if let Some(table) = id(&name) {
                load.broken.insert((table, check), broken);
            }
        }
        load.set_apart_key_types = named(self.key_types, id).collect();
        let tables: BTreeSet<&TableName> = self.records.iter().map(|(table, _)| table).collect();
        for (table, name) in tables.into_iter().filter_map(|name| Some((id(name)?, name))) {
            let keys = self.records.iter().filter(|(table, _)| table == name);
            let left_out = left_out_keys(keys.map(|(_, record)| record), &schemas[table])?;
            let all = load.left_out.entry(table).or_default();
            all.has_unknown |= left_out.has_unknown || self.with_unknown.contains(name);
            all.keys.extend(left_out.keys);
        }
        let records = self.records.into_iter();
        let records =
            records.filter_map(|(name, record)| Some(Quarantined { table: id(&name)?, ..record }));
        load.quarantined.extend(records);
        load.quarantined.sort_by_key(|record| (record.piece, record.place.start));
        Ok(())
    }
}

/// What is known of tables by name, by their ids; tables that there are none of are left out.
fn named<T>(
    known: BTreeMap<TableName, T>,
    id: impl Fn(&TableName) -> Option<TableId>,
) -> impl Iterator<Item = (TableId, T)> {
    known.into_iter().filter_map(move |(name, it)| Some((id(&name)?, it)))
}

/// The keys of records by the types that the key has now: other types have other hashes.
fn left_out_keys<'r>(
    records: impl Iterator<Item = &'r Quarantined>,
    schema: &TableSchema,
) -> PolarsResult<LeftOut> {
    let keys: Vec<&[String]> =
        records.map(|record| &*record.key).filter(|key| !key.is_empty()).collect();
    let hashes = key_hashes(&keys, schema, &schema.record_key(schema.primary_key.len()))?;
    let has_unknown = hashes.iter().any(Option::is_none);
    Ok(LeftOut { keys: hashes.into_iter().flatten().collect(), has_unknown })
}
