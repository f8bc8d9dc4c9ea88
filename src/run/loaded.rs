//! What an export holds: the rows of every partition of every table, their counts, and what was left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::DataFrame;

use crate::definition::Deletes;
use crate::infer::{Filled, Schemas};
use crate::merge::{ContentHash, MergeOutcome, PartitionRows};
use crate::normalise::{CursorForm, MetadataColumns, Reasons};
use crate::schema::{
    ColumnName, ColumnType, IdVec, PartitionKey, TableId, TableName, TableSchema, ValueCounts,
};
use crate::write::Encoder;
use crate::write::spill::{Spill, SpillError};

/// What an export holds, ready to be written.
pub(super) struct Loaded {
    pub(super) schemas: Arc<Schemas>,
    /// The rows of each table's partition, in export order, that are not encoded yet.
    pub(super) rows: BTreeMap<(TableId, PartitionKey), PartitionRows>,
    /// The others.
    pub(super) encoded: BTreeMap<(TableId, PartitionKey), EncodedRows>,
    pub(super) spill: Arc<Spill>,
    /// The row counts of each table.
    pub(super) counts: IdVec<TableId, Counts>,
    /// For each root table, the values of its records, superseded rows included.
    pub(super) values: BTreeMap<TableId, ValueCounts>,
    /// For each root table, the values of records that have no rows.
    pub(super) rejected_values: BTreeMap<TableId, u64>,
    /// For each table and column, how many rows have a value, superseded rows included.
    pub(super) filled_rows: IdVec<TableId, Vec<u64>>,
    pub(super) quarantined: Vec<Quarantined>,
    /// The checks that rows break, by table and position among the table's checks.
    pub(super) broken: BTreeMap<(TableId, usize), BrokenCheck>,
    pub(super) left_out: BTreeMap<TableId, LeftOut>,
    /// The types of the keys of each root table before its quarantined records were set apart.
    pub(super) set_apart_key_types: BTreeMap<TableId, Vec<ColumnType>>,
    /// For each root table whose records supersede each other, the form of its cursor's texts.
    pub(super) cursor_forms: HashMap<TableId, CursorForm>,
}

/// The rows of a partition that were encoded as they came.
pub(super) struct EncodedRows {
    pub(super) encoder: Encoder,
    /// What they hold, where the table has rows that may be the same.
    pub(super) hash: Option<ContentHash>,
}

impl EncodedRows {
    /// Adds rows without metadata columns.
    pub(super) fn push(
        &mut self,
        rows: DataFrame,
        schema: &TableSchema,
        metadata: &MetadataColumns,
    ) -> Result<(), SpillError> {
        if let Some(hash) = &mut self.hash {
            hash.add(ContentHash::of(&rows, schema)?);
        }
        self.encoder.push(&metadata.complete(rows, schema)?)
    }
}

/// The quarantined records of a table, which the export has and must not delete.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftOut {
    /// The hashes of their keys.
    pub(super) keys: HashSet<u128>,
    /// The key of some of them cannot be read.
    pub(super) has_unknown: bool,
}

/// A check that rows break.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrokenCheck {
    /// How many.
    pub(super) rows: u64,
    /// Where in the export the record of the first of them is, in bytes.
    pub(super) first: u64,
}

/// The rows of a table in an export, by outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) received: u64,
    pub(super) kept: u64,
    pub(super) quarantined: u64,
    pub(super) superseded: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    /// Records that a merge deletes; not part of `received`.
    pub(super) deleted: u64,
}

impl Counts {
    /// Counts the rows of an unchanged partition: `all` rows of the export, of which `latest` are not superseded.
    pub(super) fn count_unchanged(&mut self, all: u64, latest: u64) {
        self.kept -= all;
        self.unchanged += latest;
        self.superseded += all - latest;
    }

    /// Divides the kept rows by the outcome of a merge.
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
    /// The response that it came with.
    pub(super) piece: usize,
    /// Where it is in the response, in bytes.
    pub(super) place: Range<u64>,
    pub(super) reasons: Arc<Reasons>,
    /// The record was loaded without the values that the reasons name.
    pub(super) row_kept: bool,
    /// Its key as text, in a table that is merged; empty if it cannot be read.
    pub(super) key: Vec<String>,
    /// Its number among all records of the run.
    pub(super) number: u64,
    /// The export has a later version of the record.
    pub(super) is_superseded: bool,
}

impl Loaded {
    /// What a merge does with records missing from the export. When the key of a quarantined record cannot be read, any
    /// record may be that one, so none is deleted.
    pub(super) fn deletes(&self, table: TableId) -> Deletes {
        let has_unknown = self.left_out.get(&table).is_some_and(|left_out| left_out.has_unknown);
        if has_unknown { Deletes::Ignore } else { self.schemas.policy(table).deletes }
    }

    /// Whether records of the export have no rows.
    pub(super) fn sets_apart(&self) -> bool {
        self.quarantined.iter().any(|record| !record.row_kept)
    }

    /// The keys of records that are in quarantine.
    pub(super) fn left_out(&self, table: TableId) -> HashSet<u128> {
        self.left_out.get(&table).map(|left_out| left_out.keys.clone()).unwrap_or_default()
    }

    /// The types that the keys of quarantined records were read with. Where a table has rows its own types are wider or
    /// the same; where all of its records are in quarantine its key has no type of its own.
    pub(super) fn quarantined_key_types(&self, table: TableId) -> Vec<ColumnType> {
        let set_apart = self.set_apart_key_types.get(&table).cloned();
        set_apart.unwrap_or_else(|| self.schemas[table].key_types())
    }

    /// How many rows of a table have a value in a column.
    pub(super) fn filled(&self, table: &TableName, column: &ColumnName) -> Filled {
        let found = self.schemas.iter().find(|(_, schema)| schema.name == *table);
        let filled = found.and_then(|(table, _)| {
            let columns = &self.schemas[table].columns;
            let position = columns.iter().position(|it| it.name == *column)?;
            let counts = self.counts[table];
            let of = counts.received - counts.quarantined;
            Some(Filled { rows: self.filled_rows[table][position], of })
        });
        filled.unwrap_or_default()
    }
}
