//! The records that an export was loaded without, once it is loaded a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    left_out: BTreeMap<TableName, LeftOut>,
    /// The types of the keys that `left_out` has.
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
        let keys = load.left_out.keys().map(|table| (name(*table), key_types(&schemas[*table])));
        Self {
            rows: rows.collect(),
            values: values.collect(),
            excluded: excluded.collect(),
            broken: broken.collect(),
            key_types: keys.collect(),
            records: records.map(|record| (name(record.table), record)).collect(),
            left_out: load.left_out.into_iter().map(|(table, it)| (name(table), it)).collect(),
        }
    }

    /// Where in a body of the export they begin.
    pub(super) fn offsets(&self, body: usize) -> Arc<BTreeSet<u64>> {
        let of_body = self.records.iter().filter(|(_, record)| record.piece == body);
        Arc::new(of_body.map(|(_, record)| record.place.start).collect())
    }

    /// Counts them with the records that were loaded. Child tables that only they would have are none.
    pub(super) fn add_to(self, load: &mut Loaded) {
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
        for (name, left_out) in self.left_out {
            let Some(table) = id(&name) else { continue };
            let all = load.left_out.entry(table).or_default();
            // Keys of other types have other hashes.
            let same_types = self.key_types.get(&name) == Some(&key_types(&schemas[table]));
            all.has_unknown |= left_out.has_unknown || !same_types;
            all.keys.extend(left_out.keys);
        }
        let records = self.records.into_iter();
        let records =
            records.filter_map(|(name, record)| Some(Quarantined { table: id(&name)?, ..record }));
        load.quarantined.extend(records);
        load.quarantined.sort_by_key(|record| (record.piece, record.place.start));
    }
}

/// What is known of tables by name, by their ids; tables that there are none of are left out.
fn named<T>(
    known: BTreeMap<TableName, T>,
    id: impl Fn(&TableName) -> Option<TableId>,
) -> impl Iterator<Item = (TableId, T)> {
    known.into_iter().filter_map(move |(name, it)| Some((id(&name)?, it)))
}

fn key_types(schema: &TableSchema) -> Vec<ColumnType> {
    let key = schema.primary_key.iter().filter_map(|name| schema.column(name));
    key.map(|column| column.column_type.clone()).collect()
}
