//! The tables of a run: their schemas, and what the run does with their rows.
//!
//! A [`TableSchema`] is what a manifest keeps. A [`TablePolicy`] follows from the definition and the export, and is
//! gone after the run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Index;

use crate::definition::{
    Check, Contract, DataTypeMode, Deletes, Discard, FieldTypes, Nested, Widening, WriteDisposition,
};
use crate::infer::unmatched::Unmatched;
use crate::schema::{
    ColumnName, ColumnSource, ColumnStatistics, HistoryId, IdVec, Kinds, RootId, StoredTable,
    TableId, TableSchema, ValuePath,
};

/// The tables of a run, parents before their children.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schemas {
    pub(super) tables: IdVec<TableId, ResolvedTable>,
    /// The table of each record array. An array whose tables have taken the export already has none.
    pub(super) roots: BTreeMap<RootId, TableId>,
    /// The histories of tables that have one.
    pub(super) histories: IdVec<HistoryId, TableHistory>,
}

/// The history of a table in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TableHistory {
    /// The table whose versions it has.
    pub of: TableId,
    /// What its manifest will keep: the columns of the table, and when each version was current.
    pub schema: TableSchema,
}

/// One table of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedTable {
    /// What its manifest will keep.
    pub schema: TableSchema,
    /// What the run does with its rows.
    pub policy: TablePolicy,
    /// The table without a parent that this one belongs to, or itself.
    pub root: TableId,
    /// The child tables that its records are read for. A table that is here only because earlier exports or the
    /// definition have it is in no list: what stands in its place may belong to another table.
    pub children: Vec<TableId>,
}

/// What a run does with the rows of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TablePolicy {
    /// What happens to the rows the table has. An excluded table is replaced, whatever its root's disposition.
    pub disposition: WriteDisposition,
    /// What a merge does with records that are missing from a full export.
    pub deletes: Deletes,
    /// What becomes of objects and lists.
    pub nested: Nested,
    /// The columns whose type the definition declares: only values of that type fit.
    pub declared: HashSet<ColumnName>,
    /// The primary key, the cursor and the partition columns, and how far their types may change at most. A record with
    /// a value that does not fit is discarded.
    pub guarded: HashMap<ColumnName, Widening>,
    /// The declared types of fields, for the columns that hold objects with such.
    pub declared_fields: HashMap<ColumnName, FieldTypes>,
    /// What an export may change.
    pub contract: Contract,
    /// Other pipelines write the table too, so its types stay.
    pub is_shared: bool,
    /// What its rows have to be like.
    pub checks: Vec<Check>,
    /// Values of this export that the contract does not let into the table.
    pub discarded: Vec<Discarded>,
    /// The paths of values of this export that the definition excludes.
    pub excluded: HashSet<ValuePath>,
    /// What the definition says of columns that there are not.
    pub unmatched: Vec<Unmatched>,
}

/// A value of an export that becomes neither a column nor a child table.
#[derive(Debug, Clone, PartialEq)]
pub struct Discarded {
    /// The path from the record.
    pub path: ValuePath,
    /// Which of the values there.
    pub kinds: Kinds,
    /// How much of the record is discarded.
    pub discard: Discard,
}

impl TablePolicy {
    /// How much of a record is discarded with a value that does not fit a column.
    #[must_use]
    pub fn unfit(&self, column: &ColumnName) -> Discard {
        match self.contract.data_type {
            _ if self.guarded.contains_key(column) => Discard::Row,
            DataTypeMode::Widen if !self.declared.contains(column) => Discard::Value,
            _ => self.unfit_declared(),
        }
    }

    /// How much of a record is discarded with a value that does not fit a declared type.
    #[must_use]
    pub fn unfit_declared(&self) -> Discard {
        match self.contract.data_type {
            DataTypeMode::DiscardValue => Discard::Value,
            _ => Discard::Row,
        }
    }

    /// How far the type of a column may change.
    #[must_use]
    pub fn widening(&self, column: &ColumnName) -> Widening {
        match (self.contract.data_type, self.guarded.get(column)) {
            // What pipelines have agreed on stays.
            (_, Some(_)) if self.is_shared => Widening::Never,
            (mode, None) if self.is_shared && mode != DataTypeMode::Freeze => {
                Widening::AddingFields
            }
            (DataTypeMode::Evolve | DataTypeMode::Widen, Some(guarded)) => *guarded,
            (mode, _) => mode.widening(),
        }
    }
}

impl Index<TableId> for Schemas {
    type Output = TableSchema;

    fn index(&self, table: TableId) -> &TableSchema {
        &self.tables[table].schema
    }
}

impl Schemas {
    /// How many tables there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// A table with its policy.
    #[must_use]
    pub fn table(&self, table: TableId) -> &ResolvedTable {
        &self.tables[table]
    }

    /// What the run does with the rows of a table.
    #[must_use]
    pub fn policy(&self, table: TableId) -> &TablePolicy {
        &self.tables[table].policy
    }

    /// All tables, parents before their children.
    pub fn tables(&self) -> impl Iterator<Item = (TableId, &ResolvedTable)> {
        self.tables.iter()
    }

    /// The schemas of all tables, parents before their children.
    pub fn iter(&self) -> impl Iterator<Item = (TableId, &TableSchema)> {
        self.tables.iter().map(|(id, table)| (id, &table.schema))
    }

    /// The tables without a parent, in the order of the record arrays.
    pub fn roots(&self) -> impl Iterator<Item = TableId> + Clone {
        self.roots.values().copied()
    }

    /// The table that the records of an array belong to; none when it has taken the export already.
    #[must_use]
    pub fn table_of(&self, root: RootId) -> Option<TableId> {
        self.roots.get(&root).copied()
    }

    /// The record array of a table without a parent.
    #[must_use]
    pub fn root_id_of(&self, table: TableId) -> Option<RootId> {
        self.roots.iter().find(|(_, root)| **root == table).map(|(id, _)| *id)
    }

    /// The histories.
    pub fn histories(&self) -> impl Iterator<Item = (HistoryId, &TableHistory)> {
        self.histories.iter()
    }

    /// The history of a table, if it has one.
    #[must_use]
    pub fn history_of(&self, table: TableId) -> Option<HistoryId> {
        self.histories.iter().find(|(_, history)| history.of == table).map(|(id, _)| id)
    }

    /// All tables of the destination that a run writes to, parents before their children, each before its history.
    pub fn stored(&self) -> impl Iterator<Item = (StoredTable, &TableSchema)> {
        let both = self.tables.ids().flat_map(|table| {
            let history = self.history_of(table).map(StoredTable::History);
            [StoredTable::Current(table)].into_iter().chain(history)
        });
        both.map(|stored| (stored, self.stored_schema(stored)))
    }

    /// The schema of a table of the destination.
    #[must_use]
    pub fn stored_schema(&self, table: StoredTable) -> &TableSchema {
        match table {
            StoredTable::Current(table) => &self.tables[table].schema,
            StoredTable::History(history) => &self.histories[history].schema,
        }
    }

    /// The table whose rows, or versions of rows, a table of the destination holds.
    #[must_use]
    pub fn rows_of(&self, table: StoredTable) -> TableId {
        match table {
            StoredTable::Current(table) => table,
            StoredTable::History(history) => self.histories[history].of,
        }
    }

    /// The table without a parent that a table belongs to.
    #[must_use]
    pub fn root_of(&self, table: TableId) -> &ResolvedTable {
        &self.tables[self.tables[table].root]
    }

    /// A table with its child tables at any depth, without those that the definition excludes.
    #[must_use]
    pub fn tree_of(&self, root: TableId) -> Vec<TableId> {
        let in_tree =
            |(_, table): &(TableId, &ResolvedTable)| table.root == root && !table.schema.excluded;
        self.tables.iter().filter(in_tree).map(|(id, _)| id).collect()
    }

    /// Whether any export makes the same rows with both. The statistics of columns do not matter to that.
    #[must_use]
    pub fn same_rows(&self, other: &Self) -> bool {
        self.without_statistics() == other.without_statistics()
    }

    fn without_statistics(&self) -> Self {
        let mut schemas = self.clone();
        for table in schemas.tables.values_mut() {
            table.policy.unmatched.clear();
        }
        let tables = schemas.tables.values_mut().map(|table| &mut table.schema);
        let tables =
            tables.chain(schemas.histories.values_mut().map(|history| &mut history.schema));
        for column in tables.flat_map(|schema| &mut schema.columns) {
            if let ColumnSource::Value { statistics, nested, .. }
            | ColumnSource::Unseen { statistics, nested, .. } = &mut column.source
            {
                (*statistics, *nested) = (ColumnStatistics::default(), None);
            }
        }
        schemas
    }
}
