//! Tables as a definition describes them.

use indexmap::IndexMap;
use serde::Serialize;

use super::Check;
use super::canonical::is_default;
use crate::schema::{ColumnName, ColumnType, JsonPointer, PartitionField, TableName};

/// One declared table or child table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The table's name, which is its directory.
    pub name: TableName,
    /// The table whose records hold this one's, for a child table.
    #[serde(skip_serializing_if = "is_default")]
    pub parent: Option<TableName>,
    /// Where its records are: in the export for a table, in the parent's record for a child table.
    #[serde(skip_serializing_if = "is_default")]
    pub records: Option<JsonPointer>,
    /// The columns that name a row; child tables carry them.
    #[serde(skip_serializing_if = "is_default")]
    pub primary_key: Vec<ColumnName>,
    /// Tells which of two records with the same key is the later one.
    #[serde(skip_serializing_if = "is_default")]
    pub cursor: Option<ColumnName>,
    /// What a run does with rows that are already there.
    #[serde(skip_serializing_if = "is_default")]
    pub write_disposition: WriteDisposition,
    /// What a merge does with records that a full export does not have any more.
    #[serde(skip_serializing_if = "is_default")]
    pub deletes: Deletes,
    /// A merge keeps the rows that others take the place of, with the time until which they were the last.
    #[serde(skip_serializing_if = "is_default")]
    pub history: bool,
    /// The Hive partitions, outermost first. Empty for a child table that inherits its parent's.
    #[serde(skip_serializing_if = "is_default")]
    pub partition_by: Vec<PartitionField>,
    /// The order of rows within a file; export order when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub sort_by: Vec<ColumnName>,
    /// What becomes of the objects and lists in its records.
    #[serde(skip_serializing_if = "is_default")]
    pub nested: Nested,
    /// What happens when an export holds what the schema does not; the parent's when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub contract: Option<Contract>,
    /// Texts that mean that there is no value, in its records and all that is in them.
    #[serde(skip_serializing_if = "is_default")]
    pub null_values: Vec<String>,
    /// For people; goes into the files' metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub description: Option<String>,
    /// What its rows have to be like, besides their types.
    #[serde(skip_serializing_if = "is_default")]
    pub checks: Vec<Check>,
    /// Columns the author says something about, in the order written.
    #[serde(skip_serializing_if = "is_default")]
    pub columns: IndexMap<ColumnName, Column>,
}

impl Table {
    /// A table of which nothing but the name is declared.
    #[must_use]
    pub fn named(name: TableName) -> Self {
        Self {
            name,
            parent: None,
            records: None,
            primary_key: Vec::new(),
            cursor: None,
            write_disposition: WriteDisposition::default(),
            deletes: Deletes::default(),
            history: false,
            partition_by: Vec::new(),
            sort_by: Vec::new(),
            nested: Nested::default(),
            contract: None,
            null_values: Vec::new(),
            description: None,
            checks: Vec::new(),
            columns: IndexMap::new(),
        }
    }
}

impl Table {
    /// Whether rows missing from a windowed export are deleted in the partitions it covers.
    #[must_use]
    pub fn takes_window_for_all(&self) -> bool {
        self.write_disposition == WriteDisposition::OverwritePartitions
            || self.deletes != Deletes::Ignore
    }
}

/// What a run does with the rows a table already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteDisposition {
    /// The table becomes what the export holds.
    #[default]
    Replace,
    /// The export's rows are added; an export that was taken before is not added again.
    Append,
    /// A record takes the place of the one with its key, with all its child rows; others are added.
    Merge,
    /// The partitions that the export covers become what it holds; the others stay.
    OverwritePartitions,
}

impl WriteDisposition {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 4] = [
        ("replace", Self::Replace),
        ("append", Self::Append),
        ("merge", Self::Merge),
        ("overwrite_partitions", Self::OverwritePartitions),
    ];
}

impl std::fmt::Display for WriteDisposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = Self::WORDS.iter().find(|(_, disposition)| disposition == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// What becomes of a record that is in a merged table and not in a full export any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// It stays.
    #[default]
    Ignore,
    /// It stays, with the time at which it was missed first.
    Mark,
    /// It goes, with its child rows.
    Remove,
}

impl Deletes {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 3] =
        [("ignore", Self::Ignore), ("mark", Self::Mark), ("remove", Self::Remove)];
}

/// What becomes of objects and lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// Objects become columns of their own, lists of objects child tables.
    #[default]
    Tables,
    /// Objects become structs, lists become lists, all in the columns of the one table.
    Columns,
    /// Texts of JSON, as it stood in the export without the whitespace.
    Json,
}

impl Nested {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 3] =
        [("tables", Self::Tables), ("columns", Self::Columns), ("json", Self::Json)];
}

/// What happens when an export holds what a table's schema does not. What the definition declares is no surprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Contract {
    /// A list that is no child table yet.
    pub tables: ContractMode,
    /// A value that is no column yet.
    pub columns: ContractMode,
    /// A value that would widen its column.
    pub data_type: ContractMode,
}

/// What is done about a surprise. What is discarded goes to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractMode {
    /// The schema takes it in.
    #[default]
    Evolve,
    /// The run ends, and changes nothing.
    Freeze,
    /// The record is left out.
    DiscardRow,
    /// The record is loaded without the value.
    DiscardValue,
}

impl ContractMode {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 4] = [
        ("evolve", Self::Evolve),
        ("freeze", Self::Freeze),
        ("discard_row", Self::DiscardRow),
        ("discard_value", Self::DiscardValue),
    ];

    /// What is discarded, if something is.
    #[must_use]
    pub fn discards(self) -> Option<Discard> {
        match self {
            Self::Evolve | Self::Freeze => None,
            Self::DiscardRow => Some(Discard::Row),
            Self::DiscardValue => Some(Discard::Value),
        }
    }
}

/// How much of a record goes with a value that its table does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discard {
    /// All of it, with its child rows.
    #[default]
    Row,
    /// Only the value.
    Value,
}

/// What the author says of one column.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Column {
    /// The declared type; inferred from the whole export when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub column_type: Option<ColumnType>,
    /// Where the value stands in the record, when the name alone does not say.
    #[serde(skip_serializing_if = "is_default")]
    pub from: Option<JsonPointer>,
    /// Left out of the table, together with everything below it.
    #[serde(skip_serializing_if = "is_default")]
    pub exclude: bool,
    /// How its dates or timestamps are written, as strftime has it; ISO 8601 when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub formats: Vec<String>,
    /// For people; goes into the files' metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub description: Option<String>,
}
