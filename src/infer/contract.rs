//! Contract: what an export changes in the schemas that a destination has, and what of that it may.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::definition::{Contract, ContractMode, Table};
use crate::infer::resolved::{ResolvedTable, Schemas};
use crate::schema::{ColumnName, ColumnSchema, ColumnSource, ColumnType, TableName, TableSchema};

/// What a run changes in the schema of a table, or would have to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// There is a table more.
    NewTable {
        /// The table.
        table: TableName,
    },
    /// There is a column more.
    NewColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type.
        column_type: ColumnType,
        /// How many rows have a value in it.
        filled: Filled,
    },
    /// A column that had no values in the last export has some again.
    Returned {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// How many rows have a value in it.
        filled: Filled,
    },
    /// An export has nothing for a column. It stays, and is null in new rows.
    Vanished {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
    },
    /// A column takes another type, which holds the values there are as well.
    Widened {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type so far.
        before: ColumnType,
        /// Its type from now on.
        after: ColumnType,
    },
    /// The definition gives a column another type.
    Retyped {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type so far.
        before: ColumnType,
        /// Its type from now on.
        after: ColumnType,
    },
    /// The definition leaves a column out.
    Excluded {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
    },
    /// Values do not fit their column.
    Violated {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type.
        column_type: ColumnType,
        /// How many records have such values; they are in quarantine.
        records: u64,
    },
    /// The contract lets a value in as no column and no child table.
    Refused {
        /// The table.
        table: TableName,
        /// The way to it from the table's record.
        path: String,
        /// How many records have it; they are in quarantine.
        records: u64,
    },
}

/// How many rows have a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// So many.
    pub rows: u64,
    /// Of so many.
    pub of: u64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewTable { table } => write!(f, "+ table {table} (new)"),
            Self::NewColumn { table, column, column_type, filled } => {
                write!(f, "+ {table}.{column} {column_type} (new{filled})")
            }
            Self::Returned { table, column, filled } => {
                write!(f, "+ {table}.{column} (back{filled})")
            }
            Self::Vanished { table, column } => {
                write!(f, "- {table}.{column} (vanished from the export; null from now on)")
            }
            Self::Widened { table, column, before, after } => {
                write!(f, "~ {table}.{column} {before} → {after} (widened)")
            }
            Self::Retyped { table, column, before, after } => {
                write!(f, "~ {table}.{column} {before} → {after} (declared)")
            }
            Self::Excluded { table, column } => {
                write!(f, "- {table}.{column} (excluded, with the values there are)")
            }
            Self::Violated { table, column, column_type, records } => {
                write!(f, "! {table}.{column} {column_type} (violated in {})", count(*records))
            }
            Self::Refused { table, path, records } => {
                write!(f, "! {table} {path} (not let in, in {})", count(*records))
            }
        }
    }
}

fn count(records: u64) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

impl fmt::Display for Filled {
    /// The share as it goes on behind a word; nothing where there are no rows to have a share of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, of } = *self;
        match (u128::from(rows) * 100).checked_div(of.into()) {
            None => Ok(()),
            Some(100) => f.write_str(", in all rows"),
            Some(0) if rows > 0 => f.write_str(", in less than 1 % of rows"),
            Some(percent) => write!(f, ", in {percent} % of rows"),
        }
    }
}

/// A change, and whether it is one that nobody declared.
struct Noticed {
    change: Change,
    is_surprise: bool,
    contract: Contract,
}

impl Noticed {
    fn is_forbidden(&self) -> bool {
        let contract = self.contract;
        let mode = match self.change {
            Change::NewTable { .. } => contract.tables,
            Change::NewColumn { .. } => contract.columns,
            Change::Widened { .. } => contract.data_type,
            _ => return false,
        };
        self.is_surprise && mode == ContractMode::Freeze
    }
}

impl Schemas {
    /// What is different from the schemas that the destination has. Of tables that are made with their root there is
    /// nothing to tell.
    #[must_use]
    pub fn changes(
        &self,
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Vec<Change> {
        self.noticed(declared, known).into_iter().map(|noticed| noticed.change).collect()
    }

    /// The changes that a contract forbids. What is declared is no surprise, and neither is anything in a table that is
    /// made by this run.
    pub(crate) fn forbidden_changes(
        &self,
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Vec<Change> {
        let noticed = self.noticed(declared, known).into_iter();
        noticed.filter(Noticed::is_forbidden).map(|noticed| noticed.change).collect()
    }

    fn noticed(
        &self,
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Vec<Noticed> {
        let mut all = Vec::new();
        for (_, ResolvedTable { schema, policy, .. }) in self.tables() {
            let contract = policy.contract;
            if !known.contains_key(&schema.root) {
                continue;
            }
            let own = declared.iter().find(|table| table.name == schema.name);
            let Some(before) = known.get(&schema.name) else {
                let change = Change::NewTable { table: schema.name.clone() };
                all.push(Noticed { change, is_surprise: own.is_none(), contract });
                continue;
            };
            all.extend(schema.columns.iter().filter_map(|column| {
                let declared = own.and_then(|table| table.columns.get(&column.name));
                let is_promised = declared.is_some_and(|column| column.column_type.is_some());
                let change = changed(schema, column, before.column(&column.name), is_promised)?;
                Some(Noticed { change, is_surprise: declared.is_none(), contract })
            }));
            let gone = before.columns.iter().filter(|column| schema.column(&column.name).is_none());
            let gone = gone.filter(|column| column.statistics().is_some());
            all.extend(gone.map(|column| {
                let (table, column) = (schema.name.clone(), column.name.clone());
                Noticed { change: Change::Excluded { table, column }, is_surprise: false, contract }
            }));
        }
        all
    }
}

/// What is different about a column. Only what comes from the JSON is for the source to change.
fn changed(
    schema: &TableSchema,
    column: &ColumnSchema,
    before: Option<&ColumnSchema>,
    is_promised: bool,
) -> Option<Change> {
    column.statistics()?;
    let (table, name, after) =
        (schema.name.clone(), column.name.clone(), column.column_type.clone());
    let Some(before) = before else {
        let filled = Filled::default();
        return Some(Change::NewColumn { table, column: name, column_type: after, filled });
    };
    let is_seen = |column: &ColumnSchema| matches!(column.source, ColumnSource::Value { .. });
    let old = before.column_type.clone();
    match (is_seen(before), is_seen(column)) {
        _ if old != after && is_promised => {
            Some(Change::Retyped { table, column: name, before: old, after })
        }
        _ if old != after => Some(Change::Widened { table, column: name, before: old, after }),
        (true, false) => Some(Change::Vanished { table, column: name }),
        (false, true) => Some(Change::Returned { table, column: name, filled: Filled::default() }),
        _ => None,
    }
}
