//! Errors of resolving schemas.

use crate::exit_code::{ExitCode, Failure};
use crate::infer::contract::Change;
use crate::infer::wide_object::WideObject;
use crate::schema::{ColumnName, ColumnType, IDENTITY_COLUMN, TableName};

/// The export contradicts the definition or the schemas of the destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Two values have one column name.
    #[error("in table `{table}` both `{first}` and `{second}` would be the column `{column}`")]
    Collision {
        /// The table.
        table: TableName,
        /// The name.
        column: ColumnName,
        /// One path.
        first: String,
        /// The other path.
        second: String,
    },
    /// Two keys of an object have one field name.
    #[error(
        "in `{column}` of table `{table}` both the keys `{first}` and `{second}` would be the field `{field}`"
    )]
    FieldCollision {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// The name.
        field: ColumnName,
        /// One key.
        first: String,
        /// The other key.
        second: String,
    },
    /// A contract forbids what the export would change.
    #[error("the schema is frozen, and this export would change it: {}", some_of(changes))]
    Frozen {
        /// All of it.
        changes: Vec<Change>,
    },
    /// A value has neither a column nor a child table, and nothing excludes or discards it.
    #[error("a value of table `{table}` would be lost: `{path}` has no column")]
    Unplaced {
        /// The table.
        table: TableName,
        /// The path.
        path: String,
    },
    /// Two lists have one table name.
    #[error("two lists would be the table `{table}`")]
    TableCollision {
        /// The name.
        table: TableName,
    },
    /// A column that the definition uses is missing.
    #[error("table `{table}` has no column `{column}` for `{used_as}`; it has {}", columns.join(", "))]
    MissingColumn {
        /// The table.
        table: TableName,
        /// The name.
        column: ColumnName,
        /// The key of the definition that uses it.
        used_as: &'static str,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A child table cannot carry a column of its parent.
    #[error(
        "table `{table}` cannot carry `{column}`: `{parent}` has no such column besides its key"
    )]
    MissingParentColumn {
        /// The child table.
        table: TableName,
        /// Its parent.
        parent: TableName,
        /// The name.
        column: ColumnName,
        /// The column of the parent that is meant, if one has a name like it.
        nearest: Option<ColumnName>,
    },
    /// A child table is to carry a column of its parent that its rows do not have.
    #[error("table `{table}` has rows without `{column}`, which `parent_columns` says now")]
    NotCarried {
        /// The child table.
        table: TableName,
        /// The name of the column in the child table.
        column: ColumnName,
    },
    /// A column of a nested type is used where values are compared.
    #[error("`{column}` of table `{table}` cannot be in `{used_as}`: it is {column_type}")]
    UnfitColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// The key of the definition that uses it.
        used_as: &'static str,
        /// Its type.
        column_type: ColumnType,
    },
    /// A column cannot be partitioned by in this way.
    #[error("table `{table}` cannot be partitioned by `{field}`: `{column}` is {column_type}")]
    UnfitPartition {
        /// The table.
        table: TableName,
        /// The partition, as the definition writes it.
        field: String,
        /// The column.
        column: ColumnName,
        /// Its type.
        column_type: ColumnType,
    },
    /// The definition partitions a table differently from its files.
    #[error("table `{table}` has files in other partitions than `partition_by` says now")]
    Repartitioned {
        /// The table.
        table: TableName,
        /// Several pipelines write it.
        is_shared: bool,
    },
    /// The directories of a table would have other names, since the column has another type now.
    #[error(
        "table `{table}` has a directory for each value of `{column}`, which was {before} and is {now} now"
    )]
    OtherDirectories {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type in the files.
        before: ColumnType,
        /// Its type with the export.
        now: ColumnType,
    },
    /// The definition gives a table another key than its rows have.
    #[error("table `{table}` has rows with another key than the definition says now: {}", shown_key(.before))]
    Rekeyed {
        /// The table.
        table: TableName,
        /// The key that its rows have; none for a hash of the record.
        before: Vec<ColumnName>,
    },
    /// The definition gives a key column a type in which values that are one key have several texts.
    #[error(
        "`{column}` is in the key of table `{table}`, which has rows with {before}, and is declared as {now} now"
    )]
    OtherKeyType {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type in the files.
        before: ColumnType,
        /// Its type by the definition.
        now: ColumnType,
    },
    /// The definition drops a column for soft deletes that the table has.
    #[error(
        "table `{table}` has rows of the past, told by `{column}`, which the definition does not keep any more"
    )]
    Unkept {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
    },
    /// The definition drops the history of a table.
    #[error(
        "table `{table}` has a history, `{history}`, which the definition does not keep any more"
    )]
    HistoryUnkept {
        /// The table.
        table: TableName,
        /// Its history.
        history: TableName,
    },
    /// Another table has the name of a history.
    #[error("the history of table `{table}` needs the name `{history}`, which another table has")]
    HistoryCollision {
        /// The table.
        table: TableName,
        /// The name.
        history: TableName,
    },
    /// A check names a missing column or one of an unfit type.
    #[error("table `{table}` cannot be checked by {rule}: {reason}")]
    Uncheckable {
        /// The table.
        table: TableName,
        /// The rule, as it is shown.
        rule: String,
        /// Why not.
        reason: String,
    },
    /// The export would make a table wider than the definition allows.
    #[error(
        "table `{table}` would have more than {most} columns or child tables: {}", object.described()
    )]
    TooWide {
        /// The table.
        table: TableName,
        /// How many there may be.
        most: usize,
        /// The object of its records with the most keys.
        object: WideObject,
    },
    /// A column that has values of another type is declared as JSON.
    #[error(
        "`{column}` of table `{table}` has values of type {before}, and is declared as json now"
    )]
    NotJson {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// Its type so far.
        before: ColumnType,
    },
    /// A column keeps all of its value as JSON, and a child table is to have rows of it.
    #[error("`{column}` of table `{table}` is declared as json, so `{child}` would have no rows")]
    JsonHasRows {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// The child table.
        child: TableName,
    },
    /// A directory's key is also the name of a column.
    #[error(
        "table `{table}` has a column `{directory_key}`, which is also the name of a partition"
    )]
    PartitionCollision {
        /// The table.
        table: TableName,
        /// The name.
        directory_key: String,
    },
}

const FROZEN_HELP: &str = "the tables are as they were; declare what is expected under `[tables.columns]`, or let it in \
     once, as with `--set tables[0].schema_contract=evolve`";
const HISTORY_COLLISION_HELP: &str = "leave `history` out, or load into a new destination, in which a list of that name gets another";

impl SchemaError {
    /// Whether the definition contradicts the tables of the destination, whatever the export has.
    #[must_use]
    pub fn is_of_definition(&self) -> bool {
        matches!(
            self,
            Self::Repartitioned { .. }
                | Self::OtherDirectories { .. }
                | Self::Rekeyed { .. }
                | Self::OtherKeyType { .. }
                | Self::Unkept { .. }
                | Self::HistoryUnkept { .. }
                | Self::NotCarried { .. }
                | Self::NotJson { .. }
                | Self::JsonHasRows { .. }
        )
    }
}

impl Failure for SchemaError {
    fn exit_code(&self) -> ExitCode {
        if self.is_of_definition() { ExitCode::Usage } else { ExitCode::Export }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Collision { second, .. } => format!(
                "give one of them another name: `other_name = {{ from = \"{second}\" }}` under `[tables.columns]`"
            ),
            Self::FieldCollision { column, .. } => format!(
                "load the table with `nested = \"json\"` or `nested = \"tables\"`, or leave the column out: \
                 `{column} = {{ exclude = true }}` under `[tables.columns]`"
            ),
            Self::Frozen { .. } => FROZEN_HELP.into(),
            Self::TableCollision { .. } => TABLE_COLLISION_HELP.into(),
            Self::Unplaced { path, .. } => format!(
                "this is a mistake of flowlake, please report it; until then exclude the value or name it: \
                 `name = {{ from = \"{path}\" }}` under `[tables.columns]`"
            ),
            Self::MissingColumn { used_as, .. } => format!(
                "correct `{used_as}`, or name the value: `name = {{ from = \"/path\" }}` under `[tables.columns]`"
            ),
            Self::MissingParentColumn { parent, column, nearest: Some(nearest), .. } => format!(
                "write `{nearest}` in `parent_columns`, or if `{column}` is still to come, declare it in `{parent}`: \
                 `{column} = \"string\"` under `[tables.columns]`"
            ),
            Self::MissingParentColumn { column, .. } => {
                format!("remove `{column}` from `parent_columns`: child rows carry the key already")
            }
            Self::UnfitColumn { used_as, column_type: ColumnType::Struct(_), .. } => {
                format!("name a column in `{used_as}` that holds no objects")
            }
            Self::UnfitColumn { column, used_as, .. } => format!(
                "name another column in `{used_as}`, or declare this one: `{column} = \"string\"`"
            ),
            Self::UnfitPartition { column, column_type, .. } => partition_help(column, column_type),
            Self::Uncheckable { .. } => UNCHECKABLE_HELP.into(),
            Self::PartitionCollision { directory_key, .. } => format!(
                "give the column another name: `other_name = {{ from = \"/{directory_key}\" }}`"
            ),
            Self::TooWide { table, most, object } => object.help(table, *most),
            Self::NotJson { column, .. } => format!(
                "in it a text and JSON cannot be told apart: name a new column, as in \
                 `{column}_json = {{ type = \"json\", from = \"/{column}\" }}`, or use `write_disposition = \"replace\"` once"
            ),
            Self::JsonHasRows { column, child, .. } => {
                format!(
                    "remove the column `{column}` or the child table `{child}` from the definition"
                )
            }
            Self::Unkept { .. } | Self::HistoryUnkept { .. } => {
                "write `deletes` and `history` as they were, or load into a new destination".into()
            }
            Self::HistoryCollision { .. } => HISTORY_COLLISION_HELP.into(),
            Self::Repartitioned { is_shared: true, .. } => OTHER_PARTITIONS_SHARED_HELP.into(),
            Self::Repartitioned { .. } => OTHER_PARTITIONS_HELP.into(),
            Self::OtherDirectories { column, before, .. } => {
                format!("declare `{before}` for `{column}`, or load into a new destination")
            }
            Self::OtherKeyType { column, before, .. } => other_key_type_help(column, before),
            Self::Rekeyed { .. } | Self::NotCarried { .. } => {
                "load into a new destination, or use `write_disposition = \"replace\"` once".into()
            }
        })
    }
}

const TABLE_COLLISION_HELP: &str =
    "declare one of them with a name of its own: `[[tables]]` with `parent` and `records`";
const UNCHECKABLE_HELP: &str =
    "correct the check in `[[tables]]`, or declare its columns under `[tables.columns]`";
const OTHER_PARTITIONS_HELP: &str =
    "divide them anew with `flowlake convert DEFINITION`, which does not need the source";
const OTHER_PARTITIONS_SHARED_HELP: &str = "tables that pipelines share keep the partitions that they began with; \
     load all slices into a new destination for others";

fn other_key_type_help(column: &ColumnName, before: &ColumnType) -> String {
    format!(
        "one key may be written in several ways, so that rows would be there twice: declare `{before}` for `{column}`, or \
         load into a new destination, or use `write_disposition = \"replace\"` once"
    )
}

/// What to do about a partition by a column of an unfit type.
fn partition_help(column: &ColumnName, column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::Float64 => format!(
            "partition by another column, or declare exact numbers: `{column} = \"decimal(18,2)\"`"
        ),
        ColumnType::Date => format!(
            "a date has no hours and no time zone: leave them out, or declare it: `{column} = \"timestamp\"`"
        ),
        scalar if scalar.is_scalar() => format!(
            "partition by `{column}` itself or by a date, or declare it: `{column} = \"timestamp\"`"
        ),
        _ => "partition by a column that holds neither objects nor lists".into(),
    }
}

fn shown_key(columns: &[ColumnName]) -> String {
    if columns.is_empty() {
        return IDENTITY_COLUMN.to_owned();
    }
    let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
    names.join(", ")
}

fn some_of(changes: &[Change]) -> String {
    const MOST: usize = 10;
    let mut told: Vec<String> = changes.iter().take(MOST).map(ToString::to_string).collect();
    if changes.len() > MOST {
        told.push(format!("{} more", changes.len() - MOST));
    }
    told.join("; ")
}
