//! A table before its schema is resolved, and what is known of all tables meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::definition::{Contract, Nested, Table};
use crate::schema::{ColumnName, ColumnSchema, Shape, TableId, TableName, TableSchema, ValuePath};

/// What a table is resolved from.
pub(crate) struct UnresolvedTable<'a> {
    pub(crate) name: TableName,
    /// What the definition says of it.
    pub(crate) declared: Option<&'a Table>,
    pub(crate) parent: Option<TableId>,
    pub(crate) path: ValuePath,
    /// Its own, or its parent's.
    pub(crate) contract: Contract,
    /// All versions of its rows are kept.
    pub(crate) has_history: bool,
    pub(crate) rows: TableShape<'a>,
}

/// A child table: its name, its path from the parent's record, and its shape.
pub(crate) type ChildTable<'a> = (TableName, ValuePath, TableShape<'a>);

/// A column that a declared child table carries.
#[derive(Clone, Copy)]
pub(crate) struct CarriedColumn<'a> {
    pub(crate) child: &'a TableName,
    /// Its name in the parent.
    pub(crate) name: &'a ColumnName,
}

/// What this export has for a table.
#[derive(Clone, Copy)]
pub(crate) enum TableShape<'a> {
    /// Records of this shape.
    Seen(&'a Shape),
    /// No place for the table, which keeps its rows.
    NotSeen,
    /// The definition excludes the table; its rows are removed.
    Excluded,
}

impl UnresolvedTable<'_> {
    /// What becomes of its objects and lists. A child table has child tables itself.
    pub(crate) fn nested(&self) -> Nested {
        self.declared.map(|table| table.nested).unwrap_or_default()
    }
}

pub(crate) static NOTHING_SEEN: Shape = Shape { values: BTreeMap::new() };

/// The tables that there are and that are declared.
pub(crate) struct KnownTables<'a> {
    /// All tables of the definition.
    pub(crate) declared: &'a [Table],
    /// The schemas the destination has, with what other pipelines have of them.
    pub(crate) schemas: &'a BTreeMap<TableName, TableSchema>,
    /// Those of the rows of this pipeline.
    pub(crate) own: &'a BTreeMap<TableName, TableSchema>,
    /// The names of all tables that exist or will.
    pub(crate) names: HashSet<TableName>,
    /// What only other pipelines have, where they share the tables.
    pub(crate) foreign: Option<Foreign>,
}

/// What only other pipelines have of the tables that they share.
#[derive(Default)]
pub(crate) struct Foreign {
    pub(crate) tables: HashSet<TableName>,
    pub(crate) columns: HashMap<TableName, HashSet<ColumnName>>,
}

impl Foreign {
    pub(crate) fn has_column(&self, table: &TableName, column: &ColumnName) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }
}

/// The tables of a pipeline with what others have of them, and what only those have.
pub(crate) fn with_shared(
    known: &BTreeMap<TableName, TableSchema>,
    shared: &BTreeMap<TableName, TableSchema>,
) -> (BTreeMap<TableName, TableSchema>, Foreign) {
    let (mut all, mut foreign) = (known.clone(), Foreign::default());
    for (table, shared) in shared {
        let Some(own) = all.get_mut(table) else {
            let columns = shared.columns.iter().map(|column| column.name.clone());
            foreign.columns.insert(table.clone(), columns.collect());
            foreign.tables.insert(table.clone());
            all.insert(table.clone(), shared.clone());
            continue;
        };
        // A column of nulls gets the type that others have found.
        own.columns.retain(|column| !column.is_untyped() || shared.column(&column.name).is_none());
        let missing = shared.columns.iter().filter(|column| own.column(&column.name).is_none());
        let missing: Vec<ColumnSchema> = missing.cloned().collect();
        let names = missing.iter().map(|column| column.name.clone());
        foreign.columns.insert(table.clone(), names.collect());
        own.columns.extend(missing);
    }
    (all, foreign)
}

impl<'a> KnownTables<'a> {
    pub(crate) fn new(declared: &'a [Table], known: &'a BTreeMap<TableName, TableSchema>) -> Self {
        let names = declared.iter().map(|table| &table.name).chain(known.keys()).cloned().collect();
        Self { declared, schemas: known, own: known, names, foreign: None }
    }

    /// Whether only other pipelines have a table.
    pub(crate) fn is_foreign(&self, table: &TableName) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| foreign.tables.contains(table))
    }

    /// Whether a table exists and some record has had a value for it. Until then its first records make its columns,
    /// whatever the contract.
    pub(crate) fn has_values(&self, table: &TableName) -> bool {
        self.schemas.get(table).is_some_and(TableSchema::has_had_values)
    }
}
