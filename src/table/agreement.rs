//! Agreement: what the pipelines that share the tables of a destination agree on: whose each slice is, and which columns
//! the tables have.
//!
//! Each agreement is a file with the next number, created only if that is free. It holds all that the one before did: who
//! was second reads the new one and tries again. A type that was agreed on stays; columns and fields are added.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::json::{self, Versioned};
use super::{CommitError, SharingError, layout};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnType, Slice, StructField, TableName, TableSchema,
};
use crate::store::{CreateOutcome, Destination};

/// What the pipelines of a shared destination agree on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The version of the file format.
    version: u32,
    /// Its number; 0 before there is one.
    number: u64,
    /// The pipeline that writes each slice, by the directory of the slice.
    slices: BTreeMap<String, String>,
    /// The tables.
    pub(super) tables: BTreeMap<TableName, SharedTable>,
    /// What this flowlake does not know, and keeps.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// A table that pipelines share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SharedTable {
    /// The id of the table, as its log has it.
    pub(super) id: String,
    /// When it was agreed on first.
    pub(super) created_at: DateTime<Utc>,
    /// The agreement that gave it its columns.
    pub(super) number: u64,
    /// Its columns. The value of its slice is empty: they are those of all slices.
    pub(super) schema: TableSchema,
}

/// Two pipelines want something else of one table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Disagreement {
    /// Another type for a column.
    #[error(
        "`{table}.{column}` is {agreed} in the tables that the pipelines share, and here it is {own}"
    )]
    Type {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// What was agreed on.
        agreed: ColumnType,
        /// What this pipeline has.
        own: ColumnType,
    },
    /// Other partitions.
    #[error("`{table}` is partitioned by {} in the destination that the pipelines share, and here by {}", .agreed.join(", "), .own.join(", "))]
    Partitions {
        /// The table.
        table: TableName,
        /// What was agreed on.
        agreed: Vec<String>,
        /// What this pipeline has.
        own: Vec<String>,
    },
}

/// What an agreement makes of the tables of one pipeline.
#[derive(Debug)]
pub enum Joined {
    /// It has all of it.
    Complete,
    /// The next agreement, with what is missing.
    Next(Box<Agreement>),
}

impl Versioned for Agreement {
    const VERSION: u32 = 1;
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            number: 0,
            slices: BTreeMap::new(),
            tables: BTreeMap::new(),
            unknown: Map::new(),
        }
    }
}

impl Agreement {
    /// Reads the last agreement of a destination.
    ///
    /// # Errors
    /// The destination fails, or the agreement is damaged.
    pub async fn read(destination: &Destination) -> Result<Self, CommitError> {
        let listed = destination.list(&layout::agreements()).await?;
        let last = listed.iter().rfind(|file| layout::sequence_of(&file.path).is_some());
        let Some(last) = last else { return Ok(Self::default()) };
        match destination.get(&last.path).await? {
            Some(content) => json::decode(&last.path, content),
            None => Ok(Self::default()),
        }
    }

    /// The last agreement, where several pipelines share the destination.
    ///
    /// # Errors
    /// The destination holds tables that are not shared, it fails, or the agreement is damaged.
    pub async fn of(destination: &Destination) -> Result<Option<Self>, CommitError> {
        if !destination.is_shared() {
            return Ok(None);
        }
        let agreement = Self::read(destination).await?;
        if agreement.number == 0 && destination.size(&layout::unshared_snapshot()).await?.is_some()
        {
            return Err(SharingError::NotShared.into());
        }
        Ok(Some(agreement))
    }

    /// Refuses a slice that another pipeline writes.
    ///
    /// # Errors
    /// Another pipeline writes it.
    pub fn refuse_other_owner(&self, slice: &Slice, pipeline: &str) -> Result<(), SharingError> {
        match self.slices.get(&slice.directory()) {
            Some(owner) if owner != pipeline => {
                Err(SharingError::SliceTaken { slice: slice.clone(), owner: owner.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Takes a slice for a pipeline, unless it has it already; returns the agreement that says so.
    ///
    /// # Errors
    /// Another pipeline has it, or the destination fails.
    pub async fn with_slice(
        mut self,
        destination: &Destination,
        slice: &Slice,
        pipeline: &str,
    ) -> Result<Self, CommitError> {
        loop {
            self.refuse_other_owner(slice, pipeline)?;
            if self.slices.contains_key(&slice.directory()) {
                return Ok(self);
            }
            let mut next = self.next();
            next.slices.insert(slice.directory(), pipeline.to_owned());
            if next.write(destination).await? {
                return Ok(next);
            }
            self = Self::read(destination).await?;
        }
    }

    /// The pipelines that share the destination.
    pub(super) fn pipelines(&self) -> Vec<&str> {
        self.slices.values().map(String::as_str).collect()
    }

    /// The schemas of the shared tables, without histories.
    #[must_use]
    pub fn schemas(&self) -> BTreeMap<TableName, TableSchema> {
        let current = self.tables.iter().filter(|(_, shared)| shared.schema.history_of.is_none());
        current.map(|(table, shared)| (table.clone(), shared.schema.clone())).collect()
    }

    fn next(&self) -> Self {
        Self { number: self.number + 1, ..self.clone() }
    }

    /// Creates it; returns whether its number was free.
    ///
    /// # Errors
    /// The destination fails.
    pub async fn write(&self, destination: &Destination) -> Result<bool, CommitError> {
        let path = layout::agreement(self.number);
        let content = json::encode(self)?;
        if destination.create(&path, content.clone()).await? != CreateOutcome::AlreadyExists {
            return Ok(true);
        }
        // The answer to a create may have been lost.
        Ok(destination.get(&path).await?.as_ref() == Some(&content))
    }

    /// What is missing for the tables of a pipeline that have rows. Those without say nothing of types that is certain.
    ///
    /// # Errors
    /// They have other types or partitions than were agreed on.
    pub fn joined<'s>(
        &self,
        schemas: impl Iterator<Item = &'s TableSchema>,
    ) -> Result<Joined, Disagreement> {
        let mut next = self.next();
        for schema in schemas.filter(|schema| !schema.excluded) {
            let number = next.number;
            match next.tables.get_mut(&schema.name) {
                Some(table) => {
                    if table.take(schema)? {
                        table.number = number;
                    }
                }
                None => {
                    next.tables.insert(schema.name.clone(), SharedTable::of(schema, number));
                }
            }
        }
        let is_complete = next.tables == self.tables;
        Ok(if is_complete { Joined::Complete } else { Joined::Next(Box::new(next)) })
    }

    /// Whether a pipeline would name the values of its tables alike if it looked at this agreement first.
    pub fn names_alike<'s>(&self, mut schemas: impl Iterator<Item = &'s TableSchema>) -> bool {
        schemas.all(|schema| {
            let Some(shared) = self.tables.get(&schema.name) else { return true };
            let own = schema.columns.iter().filter(|column| column.path().is_some());
            let mut pairs = own.map(|column| {
                let with_path = shared.schema.columns.iter().find(|it| it.path() == column.path());
                let with_name = shared.schema.column(&column.name);
                (with_path.map(|it| &it.name), with_name.map(|it| &it.name))
            });
            pairs.all(|(with_path, with_name)| with_path == with_name)
        })
    }
}

impl SharedTable {
    fn of(schema: &TableSchema, number: u64) -> Self {
        let slice = schema.slice.clone().map(|slice| Slice { value: String::new(), ..slice });
        let columns = schema.columns.iter().map(ColumnSchema::as_shared).collect();
        Self {
            id: Uuid::now_v7().to_string(),
            created_at: Utc::now(),
            number,
            schema: TableSchema { slice, columns, ..schema.clone() },
        }
    }

    /// Takes the columns of a pipeline that are not there yet; returns whether there were any.
    fn take(&mut self, schema: &TableSchema) -> Result<bool, Disagreement> {
        let (agreed, own) = (self.schema.partition_columns(), schema.partition_columns());
        if agreed != own {
            return Err(Disagreement::Partitions { table: schema.name.clone(), agreed, own });
        }
        let mut has_new = false;
        for column in &schema.columns {
            let there = self.schema.columns.iter_mut().find(|it| it.name == column.name);
            let Some(there) = there else {
                self.schema.columns.push(column.as_shared());
                has_new = true;
                continue;
            };
            let Some(joined) = joined_type(&there.column_type, &column.column_type) else {
                return Err(Disagreement::Type {
                    table: schema.name.clone(),
                    column: column.name.clone(),
                    agreed: there.column_type.clone(),
                    own: column.column_type.clone(),
                });
            };
            if joined != there.column_type {
                there.column_type = joined;
                there.source = column.as_shared().source;
                has_new = true;
            }
        }
        Ok(has_new)
    }
}

/// The type that was agreed on, with the fields that are new; none where types differ otherwise.
fn joined_type(agreed: &ColumnType, own: &ColumnType) -> Option<ColumnType> {
    match (agreed, own) {
        _ if agreed == own => Some(agreed.clone()),
        // Readers see both as text.
        (ColumnType::String | ColumnType::Json, ColumnType::String | ColumnType::Json) => {
            Some(agreed.clone())
        }
        (ColumnType::List(agreed), ColumnType::List(own)) => {
            Some(ColumnType::List(Box::new(joined_type(agreed, own)?)))
        }
        (ColumnType::Struct(agreed), ColumnType::Struct(own)) => {
            let mut fields: Vec<StructField> = agreed.clone();
            for field in own {
                match fields.iter_mut().find(|it| it.name == field.name) {
                    Some(there) => {
                        there.column_type = joined_type(&there.column_type, &field.column_type)?;
                    }
                    None => fields.push(field.clone()),
                }
            }
            Some(ColumnType::Struct(fields))
        }
        _ => None,
    }
}
