//! Schema contract: what an export changes in the schemas of a destination, and whether it may.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::definition::{
    Column, Contract, ContractMode, DataTypeMode, FieldType, FieldTypes, Table,
};
use crate::infer::resolved::{ResolvedTable, Schemas};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnType, LocalTime, StructField, TableName,
    TableSchema,
};

/// A change in the schema of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A new table.
    NewTable {
        /// The table.
        table: TableName,
    },
    /// A new column.
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
    /// A column has values again that had none in the last export.
    Returned {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// How many rows have a value in it.
        filled: Filled,
    },
    /// A column has no values in this export. It stays, and is null in new rows.
    Vanished {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
    },
    /// A column takes a wider type, which also holds the values it has.
    Widened {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type so far.
        before: ColumnType,
        /// Its new type.
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
        /// Its new type.
        after: ColumnType,
    },
    /// The definition reads the dates or times of a column differently. Values that are there keep their meaning.
    Reread {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// The formats and the time zone so far.
        before: String,
        /// The new ones.
        after: String,
    },
    /// The definition excludes a column.
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
        /// The path of the field that they are in, as in `lines.price`, where its type is declared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// Its type.
        column_type: ColumnType,
        /// How many records have such values; they are in quarantine.
        records: u64,
        /// The type to declare to keep scalars of any family; none where the definition declares the type already, and
        /// where the column could not be of that type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_with: Option<ColumnType>,
    },
    /// The contract admits no column or child table for a value.
    Refused {
        /// The table.
        table: TableName,
        /// The path from the table's record.
        path: String,
        /// How many records have it; they are in quarantine.
        records: u64,
    },
}

/// How many rows have a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// Rows with a value.
    pub rows: u64,
    /// All rows.
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
                write!(f, "- {table}.{column} (in no record of this export)")
            }
            Self::Widened { table, column, before, after } => {
                write!(f, "~ {table}.{column} {before} → {after} (widened)")
            }
            Self::Retyped { table, column, before, after } => {
                write!(f, "~ {table}.{column} {before} → {after} (declared)")
            }
            Self::Reread { table, column, before, after } => {
                write!(
                    f,
                    "~ {table}.{column} {before} → {after} (declared, for values from now on)"
                )
            }
            Self::Excluded { table, column } => {
                write!(f, "- {table}.{column} (excluded, with the values there are)")
            }
            Self::Violated { table, column, field, column_type, records, keep_with } => {
                let place = field.as_deref().unwrap_or(column.as_str());
                write!(f, "! {table}.{place} {column_type} (violated in {})", count(*records))?;
                match keep_with {
                    Some(other) => write!(f, "; `{column} = \"{other}\"` keeps such values"),
                    None => Ok(()),
                }
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
    /// The share, to be appended to a word; nothing when there are no rows.
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

/// A change, and whether it is undeclared.
struct Noticed {
    change: Change,
    is_undeclared: bool,
    contract: Contract,
}

impl Noticed {
    fn is_forbidden(&self) -> bool {
        let contract = self.contract;
        let is_forbidden = match &self.change {
            Change::NewTable { .. } => contract.tables == ContractMode::Freeze,
            Change::NewColumn { .. } => contract.columns == ContractMode::Freeze,
            Change::Widened { before, after, .. } => {
                contract.data_type == DataTypeMode::Freeze
                    || (contract.columns == ContractMode::Freeze && after.adds_fields_to(before))
            }
            _ => false,
        };
        self.is_undeclared && is_forbidden
    }
}

impl Schemas {
    /// The differences from the schemas of the destination. Tables that are created together with their root are not
    /// listed.
    #[must_use]
    pub fn changes(
        &self,
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Vec<Change> {
        self.noticed(declared, known).into_iter().map(|noticed| noticed.change).collect()
    }

    /// The changes that a contract forbids. Declared changes are allowed, and so is everything in a table that this run
    /// creates.
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
            if !known.get(&schema.root).is_some_and(TableSchema::has_had_values) {
                continue;
            }
            let own = declared.iter().find(|table| table.name == schema.name);
            let Some(before) = known.get(&schema.name) else {
                let change = Change::NewTable { table: schema.name.clone() };
                all.push(Noticed { change, is_undeclared: own.is_none(), contract });
                continue;
            };
            let columns_before: HashMap<&ColumnName, &ColumnSchema> =
                before.columns.iter().map(|column| (&column.name, column)).collect();
            all.extend(schema.columns.iter().filter_map(|column| {
                let declared = own.and_then(|table| table.columns.get(&column.name));
                let old = columns_before.get(&column.name).copied();
                let is_carried = matches!(column.source, ColumnSource::ParentColumn(_));
                let is_promised = declared.is_some_and(|declared| promises(declared, column, old));
                let change = changed(schema, column, old, is_promised)?;
                // Fields beside the declared ones are as undeclared as other columns.
                let has_fields = declared.is_some_and(|column| !column.fields.is_empty());
                let is_undeclared =
                    !is_carried && (declared.is_none() || (has_fields && !is_promised));
                Some(Noticed { change, is_undeclared, contract })
            }));
            let stay: HashSet<&ColumnName> =
                schema.columns.iter().map(|column| &column.name).collect();
            let gone = before.columns.iter().filter(|column| !stay.contains(&column.name));
            let gone = gone.filter(|column| holds_data(column));
            all.extend(gone.map(|column| {
                let (table, column) = (schema.name.clone(), column.name.clone());
                Noticed {
                    change: Change::Excluded { table, column },
                    is_undeclared: false,
                    contract,
                }
            }));
        }
        all
    }
}

/// Whether a definition says all that is new in the type of a column.
fn promises(declared: &Column, column: &ColumnSchema, before: Option<&ColumnSchema>) -> bool {
    if declared.column_type.is_some() {
        return true;
    }
    let said = |before: &ColumnSchema| {
        with_declared(&before.column_type, &declared.fields).as_ref() == Some(&column.column_type)
    };
    !declared.fields.is_empty() && before.is_none_or(said)
}

/// A type in which fields have their declared types; none where there are no objects with fields.
fn with_declared(column_type: &ColumnType, declared: &FieldTypes) -> Option<ColumnType> {
    match column_type {
        ColumnType::List(items) => {
            Some(ColumnType::List(Box::new(with_declared(items, declared)?)))
        }
        ColumnType::Struct(fields) => {
            let mut fields = fields.clone();
            for name in declared.names() {
                let position = fields.iter().position(|field| field.name == *name);
                let before = position.map(|position| &fields[position].column_type);
                let column_type = match (declared.get(name)?, before) {
                    (FieldType::Type(declared), _) => declared.clone(),
                    (FieldType::Fields(below), Some(before)) => with_declared(before, below)?,
                    (FieldType::Fields(below), None) => {
                        with_declared(&ColumnType::Struct(Vec::new()), below)?
                    }
                };
                match position {
                    Some(position) => fields[position].column_type = column_type,
                    None => fields.push(StructField { name: name.clone(), column_type }),
                }
            }
            Some(ColumnType::Struct(fields))
        }
        _ => None,
    }
}

/// Whether a column comes from the JSON: of the table's own records, or of its parent's.
fn holds_data(column: &ColumnSchema) -> bool {
    column.statistics().is_some() || matches!(column.source, ColumnSource::ParentColumn(_))
}

/// The change of a column. Only columns from the JSON change.
fn changed(
    schema: &TableSchema,
    column: &ColumnSchema,
    before: Option<&ColumnSchema>,
    is_promised: bool,
) -> Option<Change> {
    if !holds_data(column) {
        return None;
    }
    let (table, name, after) =
        (schema.name.clone(), column.name.clone(), column.column_type.clone());
    let Some(before) = before else {
        let filled = Filled::default();
        return Some(Change::NewColumn { table, column: name, column_type: after, filled });
    };
    let old = before.column_type.clone();
    match (before.is_seen(), column.is_seen()) {
        _ if old != after && is_promised => {
            Some(Change::Retyped { table, column: name, before: old, after })
        }
        _ if old != after => Some(Change::Widened { table, column: name, before: old, after }),
        _ if reading(before) != reading(column) => {
            let (before, after) = (reading(before), reading(column));
            Some(Change::Reread { table, column: name, before, after })
        }
        // An export without records of the table says nothing of its columns.
        (true, false) if schema.is_seen() => Some(Change::Vanished { table, column: name }),
        (false, true) => Some(Change::Returned { table, column: name, filled: Filled::default() }),
        _ => None,
    }
}

/// How dates or times are read: `%d.%m.%Y in Europe/Copenhagen`. It is the same for all columns that declare nothing.
fn reading(column: &ColumnSchema) -> String {
    let ColumnSchema { formats, local_time, column_type, .. } = column;
    let formats = if formats.is_empty() { "ISO 8601".to_owned() } else { formats.join(", ") };
    match local_time {
        Some(LocalTime { timezone, ambiguous: None }) => format!("{formats} in {timezone}"),
        Some(LocalTime { timezone, ambiguous: Some(choice) }) => {
            format!("{formats} in {timezone}, {choice}")
        }
        None if *column_type == ColumnType::Date => formats,
        None => format!("{formats} in UTC"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::SchemaError;
    use super::super::test_support::{KnownSchemas, known, resolve, table};
    use super::*;
    use crate::definition::Column;
    use crate::schema::Ambiguous;

    const BEFORE: &str = r#"[{"id": 1, "amount": 1, "gone": 1, "note": "x"}]"#;

    fn before() -> KnownSchemas {
        known(&resolve(BEFORE, &[table("t", &["id"], &[])], &KnownSchemas::new()).unwrap())
    }

    /// The changes that an export makes in the table that `BEFORE` made.
    fn changes(records: &str, declared: &Table) -> Vec<String> {
        let declared = [declared.clone()];
        let schemas = resolve(records, &declared, &before()).unwrap();
        schemas.changes(&declared, &before()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let records =
            r#"[{"id": 1, "amount": 1.5, "note": "x", "new": true, "items": [{"a": 1}]}]"#;
        let mut found = changes(records, &table("t", &["id"], &[]));
        found.sort();
        assert_eq!(
            found,
            [
                "+ t.new bool (new)",
                "+ table t__items (new)",
                "- t.gone (in no record of this export)",
                "~ t.amount int64 \u{2192} float64 (widened)",
            ]
        );
    }

    #[test]
    fn the_same_export_changes_nothing() {
        assert!(changes(BEFORE, &table("t", &["id"], &[])).is_empty());
    }

    #[test]
    fn what_the_definition_changes_is_no_surprise() {
        let mut declared = table("t", &["id"], &[("amount", "string")]);
        let exclude = Column { exclude: true, ..Column::default() };
        declared.columns.insert("gone".parse().unwrap(), exclude);
        declared.contract = Some(frozen());
        assert_eq!(
            changes(BEFORE, &declared),
            [
                "~ t.amount int64 \u{2192} string (declared)",
                "- t.gone (excluded, with the values there are)"
            ]
        );
    }

    #[test]
    fn a_column_that_is_read_differently_is_told() {
        let records = r#"[{"id": 1, "at": "2026-07-01T12:00:00"}]"#;
        let read = |ambiguous| {
            let timezone = "Europe/Copenhagen".parse().unwrap();
            let mut declared = table("t", &["id"], &[("at", "timestamp")]);
            let column = declared.columns.values_mut().next().unwrap();
            column.local_time = Some(LocalTime { timezone, ambiguous });
            declared
        };
        let first = [table("t", &["id"], &[])];
        let first = known(&resolve(records, &first, &KnownSchemas::new()).unwrap());
        let told = |declared: Table, known: &KnownSchemas| {
            let declared = [declared];
            let schemas = resolve(records, &declared, known).unwrap();
            let told = schemas.changes(&declared, known).iter().map(ToString::to_string).collect();
            (told, super::super::test_support::known(&schemas))
        };
        let (changes, second): (Vec<String>, _) = told(read(None), &first);
        let expected = "~ t.at ISO 8601 in UTC \u{2192} ISO 8601 in Europe/Copenhagen (declared, for values from now on)";
        assert_eq!(changes, [expected]);
        let (changes, third) = told(read(Some(Ambiguous::Latest)), &second);
        assert!(changes[0].contains("in Europe/Copenhagen, latest (declared"), "{changes:?}");
        assert!(told(read(Some(Ambiguous::Latest)), &third).0.is_empty());
    }

    #[test]
    fn a_column_that_comes_back_is_told() {
        let declared = [table("t", &["id"], &[])];
        let without = resolve(r#"[{"id": 1}]"#, &declared, &before()).unwrap();
        let known = known(&without);
        let again = resolve(r#"[{"id": 1, "gone": 2}]"#, &declared, &known).unwrap();
        let changes = again.changes(&declared, &known);
        assert!(matches!(&changes[..], [Change::Returned { .. }]), "{changes:?}");
    }

    fn frozen() -> Contract {
        let mode = ContractMode::Freeze;
        Contract { tables: mode, columns: mode, data_type: mode.into() }
    }

    #[test]
    fn a_frozen_contract_refuses_new_tables_columns_and_wider_types() {
        let mut declared = table("t", &["id"], &[]);
        declared.contract = Some(frozen());
        for (records, is_refused) in [
            (r#"[{"id": 1, "new": 1}]"#, true),
            (r#"[{"id": 1, "amount": 1.5}]"#, true),
            (r#"[{"id": 1, "items": [{"a": 1}]}]"#, true),
            (r#"[{"id": 1}]"#, false),
            (BEFORE, false),
        ] {
            let resolved = resolve(records, &[declared.clone()], &before());
            let is_frozen = matches!(resolved, Err(SchemaError::Frozen { .. }));
            assert_eq!(is_frozen, is_refused, "{records}");
        }
        // A table that this run creates has no schema yet that could be frozen.
        assert!(resolve(BEFORE, &[declared], &KnownSchemas::new()).is_ok());
    }

    #[test]
    fn shares_are_rounded_down_and_never_hide_a_value() {
        for (rows, of, shown) in [
            (0, 0, ""),
            (0, 7, ", in 0 % of rows"),
            (1, 1000, ", in less than 1 % of rows"),
            (999, 1000, ", in 99 % of rows"),
            (7, 7, ", in all rows"),
        ] {
            assert_eq!(Filled { rows, of }.to_string(), shown);
        }
    }
}
