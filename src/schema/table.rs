//! Table schemas, as manifests keep them.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::schema::{
    ColumnName, ColumnStatistics, ColumnType, LocalTime, PartitionField, PartitionKey, RunId,
    Slice, Step, TableName, ValuePath, ValueShape,
};

/// One table's columns and where they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The table's name.
    pub name: TableName,
    /// The table without a parent that this one belongs to, or itself.
    pub root: TableName,
    /// For a child table, the table whose records hold its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TableName>,
    /// For the history of a table, that table. It has the root and the parent of its table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_of: Option<TableName>,
    /// For a child table, the path from the parent's record to the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: ValuePath,
    /// The definition excludes it: its rows were removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excluded: bool,
    /// For people; goes into the files' metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The columns that identify a row. A child row is identified by these and the key of its parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<ColumnName>,
    /// The column that orders records with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<ColumnName>,
    /// The part of the table that these are the rows of, where several pipelines share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The Hive partitions; a child table has its root's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<PartitionField>,
    /// The order of rows within a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort_by: Vec<ColumnName>,
    /// The columns, in the order of the files.
    pub columns: Vec<ColumnSchema>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSchema {
    /// Its name in Parquet.
    pub name: ColumnName,
    /// Its type in Parquet.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Where its values come from.
    pub source: ColumnSource,
    /// The formats of its dates or timestamps, in strftime notation; ISO 8601 when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// How its timestamps without a zone are read; as UTC without this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_time: Option<LocalTime>,
    /// The type of its scalars before the contract made it a column of text. A merge compares values of that type as
    /// such: an older row has `10.1` of a double where the export has `10.10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<ColumnType>,
    /// For people; goes into the files' metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The runs that had values for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenIn>,
}

/// The runs that had values for a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenIn {
    /// The first of them.
    pub first: RunId,
    /// The last of them.
    pub last: RunId,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnSource {
    /// The JSON.
    Value {
        /// The path from the record.
        path: ValuePath,
        /// Statistics of all scalars so far.
        statistics: ColumnStatistics,
        /// The shape of all objects and lists of lists so far, where they stay in the column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nested: Option<ValueShape>,
    },
    /// The JSON, but the last export had no values for this column.
    Unseen {
        /// The path from the record, once there were values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<ValuePath>,
        /// Statistics of all scalars so far.
        statistics: ColumnStatistics,
        /// The shape of all objects and lists of lists so far, where they stay in the column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nested: Option<ValueShape>,
    },
    /// The parent's row: the key column of this position.
    ParentKey(usize),
    /// The parent's row: the column of this name, which is no part of its key.
    ParentColumn(ColumnName),
    /// The position in the parent's list.
    Index,
    /// The key in the parent's object.
    MemberKey,
    /// The hash of the record.
    Identity,
    /// The run.
    RunId,
    /// The time the run started.
    LoadedAt,
    /// The time at which a full export first lacked the record; null while it has it.
    DeletedAt,
    /// The time from which the row is current.
    ValidFrom,
    /// The time until which the row was current; null while it is.
    ValidTo,
}

impl ColumnSchema {
    /// The path from the record to the column's values, if they come from the JSON and have been seen.
    #[must_use]
    pub fn path(&self) -> Option<&[Step]> {
        match &self.source {
            ColumnSource::Value { path, .. } => Some(path),
            ColumnSource::Unseen { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// Whether the last export that had records of the table had values for the column.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        matches!(self.source, ColumnSource::Value { .. })
    }

    /// The same for everyone who shares the table: nothing of the exports of one pipeline. A column that has had no value is
    /// text, as it is in the files.
    #[must_use]
    pub fn as_shared(&self) -> Self {
        let source = match self.source.clone() {
            ColumnSource::Value { path, statistics, nested } => {
                ColumnSource::Unseen { path: Some(path), statistics, nested }
            }
            ColumnSource::Unseen { path, nested, .. } if self.is_untyped() => {
                let statistics = ColumnStatistics::of_type(&self.column_type);
                ColumnSource::Unseen { path, statistics, nested }
            }
            source => source,
        };
        Self { source, was: None, seen: None, ..self.clone() }
    }

    /// The same, seen.
    fn seen_before(self) -> Self {
        match self.source {
            ColumnSource::Unseen { path: Some(path), statistics, nested } => {
                Self { source: ColumnSource::Value { path, statistics, nested }, ..self }
            }
            source => Self { source, ..self },
        }
    }

    /// Whether no export has had values for the column and nothing declares another type than text.
    pub(crate) fn is_untyped(&self) -> bool {
        let ColumnSource::Unseen { path: None, statistics, nested: None } = &self.source else {
            return false;
        };
        statistics.is_empty() && self.column_type == ColumnType::String
    }

    /// Statistics of the column's values so far, if they come from the JSON.
    pub(crate) fn statistics(&self) -> Option<ColumnStatistics> {
        match &self.source {
            ColumnSource::Value { statistics, .. } | ColumnSource::Unseen { statistics, .. } => {
                Some(*statistics)
            }
            _ => None,
        }
    }
}

impl TableSchema {
    /// Whether some record has had a value for one of its columns.
    #[must_use]
    pub fn has_had_values(&self) -> bool {
        self.columns.iter().any(|column| column.path().is_some())
    }

    /// Whether the export had records of the table.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.columns.iter().any(ColumnSchema::is_seen)
    }

    /// The column of a name.
    #[must_use]
    pub fn column(&self, name: &ColumnName) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == *name)
    }

    /// The name of the column of a source, if the table has one.
    pub(crate) fn own_column(&self, source: &ColumnSource) -> Option<&ColumnName> {
        let column = self.columns.iter().find(|column| column.source == *source)?;
        Some(&column.name)
    }

    /// The columns that identify a row.
    pub(crate) fn row_key(&self) -> Vec<ColumnName> {
        let is_key = |column: &&ColumnSchema| {
            matches!(
                column.source,
                ColumnSource::ParentKey(_)
                    | ColumnSource::Index
                    | ColumnSource::MemberKey
                    | ColumnSource::Identity
            ) || self.primary_key.contains(&column.name)
        };
        self.columns.iter().filter(is_key).map(|column| column.name.clone()).collect()
    }

    /// The columns that identify the record of a row; `root_keys` is the number of key columns of the root table.
    pub(crate) fn record_key(&self, root_keys: usize) -> Vec<ColumnName> {
        let is_key = |column: &&ColumnSchema| match column.source {
            ColumnSource::ParentKey(position) => position < root_keys,
            _ => self.parent.is_none() && self.primary_key.contains(&column.name),
        };
        self.columns.iter().filter(is_key).map(|column| column.name.clone()).collect()
    }

    /// The types of its primary key.
    pub(crate) fn key_types(&self) -> Vec<ColumnType> {
        let key = self.primary_key.iter().filter_map(|name| self.column(name));
        key.map(|column| column.column_type.clone()).collect()
    }

    /// The names in front of `=` in its directories, outermost first. A child table is in the partitions of its root; where
    /// it has a column of its own of the name, the directory says whose it is.
    #[must_use]
    pub fn directory_keys(&self) -> Vec<String> {
        let fields = self.partition_by.iter();
        if self.parent.is_none() {
            return fields.map(PartitionField::directory_key).collect();
        }
        let has = |name: &str| self.columns.iter().any(|column| column.name.as_str() == name);
        let keys: Vec<String> = fields
            .clone()
            .map(|field| match field.directory_key() {
                key if has(&key) || has(field.column.as_str()) => {
                    field.directory_key_of(&self.root)
                }
                key => key,
            })
            .collect();
        // `a_b` of the root `a` may be called like its own `b`.
        let distinct: HashSet<&String> = keys.iter().collect();
        if distinct.len() == keys.len() {
            return keys;
        }
        fields.map(|field| field.directory_key_of(&self.root)).collect()
    }

    /// The names in front of `=` in the paths of its files, outermost first.
    #[must_use]
    pub fn partition_columns(&self) -> Vec<String> {
        let slice = self.slice.iter().map(|slice| slice.column.to_string());
        slice.chain(self.directory_keys()).collect()
    }

    /// The directory of its data files.
    #[must_use]
    pub fn data_directory(&self) -> String {
        match &self.slice {
            None => self.name.to_string(),
            Some(slice) => format!("{}/{}", self.name, slice.directory()),
        }
    }

    /// The directories of a partition, relative to those of the table.
    #[must_use]
    pub fn directory_of(&self, partition: &PartitionKey) -> String {
        partition.directory_named(self.directory_keys().into_iter())
    }

    /// The schema for the manifest of a run, with the runs that had values for each column. An export without records of
    /// the table says nothing of its columns.
    #[must_use]
    pub fn seen_in(&self, run_id: &RunId, before: Option<&Self>) -> Self {
        let is_quiet = !self.is_seen();
        let before = before.map_or(&[][..], |before| &before.columns).iter();
        let before: HashMap<&ColumnName, &ColumnSchema> =
            before.map(|column| (&column.name, column)).collect();
        let columns = self.columns.iter().cloned().map(|column| {
            let before = before.get(&column.name);
            let seen = before.and_then(|before| before.seen.clone());
            let seen = if column.is_seen() {
                let first = seen.map_or_else(|| run_id.clone(), |seen| seen.first);
                Some(SeenIn { first, last: run_id.clone() })
            } else {
                seen
            };
            let column = match before {
                Some(before) if is_quiet && before.is_seen() => column.seen_before(),
                _ => column,
            };
            ColumnSchema { seen, ..column }
        });
        Self { columns: columns.collect(), ..self.clone() }
    }

    /// Whether a file written with `other` is what this schema would write of the same rows: also in its directory, order
    /// and descriptions.
    #[must_use]
    pub fn lays_out_files_like(&self, other: &Self) -> bool {
        let described = |schema: &Self| {
            let columns = schema.columns.iter().map(|column| column.description.clone());
            columns.chain([schema.description.clone()]).collect::<Vec<_>>()
        };
        self.same_files(other)
            && self.partition_by == other.partition_by
            && self.directory_keys() == other.directory_keys()
            && self.sort_by == other.sort_by
            && described(self) == described(other)
    }

    /// Whether nothing more is known of the columns than in `other`: they have the same types, and none has got its first
    /// values.
    #[must_use]
    pub fn same_inferred(&self, other: &Self) -> bool {
        let has_none = |column: &ColumnSchema| column.statistics().map(|it| it.is_empty());
        self.same_files(other)
            && self.columns.iter().map(has_none).eq(other.columns.iter().map(has_none))
    }

    /// Whether files written with `other` have the columns and types of this schema.
    #[must_use]
    pub fn same_files(&self, other: &Self) -> bool {
        let form = |column: &ColumnSchema| (column.name.clone(), column.column_type.clone());
        self.columns.iter().map(form).eq(other.columns.iter().map(form))
    }
}
