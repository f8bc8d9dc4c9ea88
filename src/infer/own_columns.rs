//! The columns that flowlake adds to a table: keys, lifetimes and metadata.

use std::collections::HashSet;

use crate::definition::{Deletes, Table};
use crate::infer::naming::parent_key_name;
use crate::infer::unresolved::UnresolvedTable;
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnType, DELETED_AT_COLUMN, IDENTITY_COLUMN,
    INDEX_COLUMN, LOADED_AT_COLUMN, PartitionField, RUN_ID_COLUMN, TableSchema, VALID_FROM_COLUMN,
    VALID_TO_COLUMN,
};

/// The columns for soft deletes, where the definition asks for them.
pub(crate) fn deletion_columns(
    pending: &UnresolvedTable<'_>,
    parent: Option<&TableSchema>,
) -> Vec<ColumnSchema> {
    let declared = pending.declared.filter(|_| parent.is_none());
    // Child rows are marked with their parent row.
    let marks_deletes = match parent {
        Some(parent) => parent.own_column(&ColumnSource::DeletedAt).is_some(),
        None => declared.is_some_and(|table| table.deletes == Deletes::Mark),
    };
    let deleted_at = own_column(DELETED_AT_COLUMN, ColumnType::Timestamp, ColumnSource::DeletedAt);
    marks_deletes.then_some(deleted_at).into_iter().collect()
}

/// The columns with the time in which a version of a history was current.
pub(crate) fn validity_columns() -> [ColumnSchema; 2] {
    [
        own_column(VALID_FROM_COLUMN, ColumnType::Timestamp, ColumnSource::ValidFrom),
        own_column(VALID_TO_COLUMN, ColumnType::Timestamp, ColumnSource::ValidTo),
    ]
}

/// The columns of the run that last changed a row.
pub(crate) fn metadata_columns() -> [ColumnSchema; 2] {
    [
        own_column(RUN_ID_COLUMN, ColumnType::String, ColumnSource::RunId),
        own_column(LOADED_AT_COLUMN, ColumnType::Timestamp, ColumnSource::LoadedAt),
    ]
}

fn own_column(name: &str, column_type: ColumnType, source: ColumnSource) -> ColumnSchema {
    let name = name.parse().unwrap_or_else(|_| ColumnName::unnamed());
    ColumnSchema {
        name,
        column_type,
        source,
        formats: Vec::new(),
        local_time: None,
        was: None,
        description: None,
        seen: None,
    }
}

/// The names that a table needs for its keys, its partitions and flowlake's own columns. Keys of the JSON with such a
/// name get a suffix.
pub(crate) fn reserved_names(
    pending: &UnresolvedTable<'_>,
    parent: Option<&TableSchema>,
) -> HashSet<ColumnName> {
    let declared = pending.declared;
    let own = key_columns(parent, declared).into_iter().chain(parent_columns(pending, parent));
    let own = own.chain(deletion_columns(pending, parent)).chain(metadata_columns());
    let partition_by = match parent {
        Some(parent) => parent.partition_by.as_slice(),
        None => declared.map_or(&[][..], |table| &table.partition_by),
    };
    let directories =
        PartitionField::reserved_names(partition_by, parent.map(|parent| &parent.root));
    let slice = match parent {
        Some(parent) => parent.slice.as_ref(),
        None => declared.and_then(|table| table.slice.as_ref()),
    };
    let slice = slice.map(|slice| slice.column.clone());
    own.map(|column| column.name).chain(directories).chain(slice).collect()
}

/// The columns that link a row to its record: the parent's key, and a position or a key of an object unless the row has
/// a key of its own; or a hash.
pub(crate) fn key_columns(
    parent: Option<&TableSchema>,
    declared: Option<&Table>,
) -> Vec<ColumnSchema> {
    let Some(parent) = parent else {
        let identity = own_column(IDENTITY_COLUMN, ColumnType::String, ColumnSource::Identity);
        return if declared.is_none_or(|table| table.primary_key.is_empty()) {
            vec![identity]
        } else {
            Vec::new()
        };
    };
    let keys = parent.key_for_children().into_iter().enumerate();
    // A key is read as the parent reads it: with its formats and its time zone.
    let mut columns: Vec<ColumnSchema> = keys
        .map(|(position, (name, key))| ColumnSchema {
            name,
            source: ColumnSource::ParentKey(position),
            description: None,
            seen: None,
            ..key.clone()
        })
        .collect();
    if let Some(keys) = declared.and_then(|table| table.keys.as_ref()) {
        columns.push(own_column(keys.as_str(), ColumnType::String, ColumnSource::MemberKey));
    } else if declared.is_none_or(|table| table.primary_key.is_empty()) {
        columns.push(own_column(INDEX_COLUMN, ColumnType::Int64, ColumnSource::Index));
    }
    columns
}

/// The columns of its parent that a child table carries, as the definition says. Those that the parent does not have are
/// left out here, and refused by [`verify_parent_columns`](super::validate::verify_parent_columns).
pub(crate) fn parent_columns(
    pending: &UnresolvedTable<'_>,
    parent: Option<&TableSchema>,
) -> Vec<ColumnSchema> {
    let (Some(declared), Some(parent)) = (pending.declared, parent) else { return Vec::new() };
    let carried = declared.parent_columns.iter().filter_map(|name| {
        let column = parent.column(name)?;
        Some(ColumnSchema {
            name: parent.name_of_carried(column)?,
            column_type: column.column_type.clone(),
            source: ColumnSource::ParentColumn(name.clone()),
            formats: Vec::new(),
            local_time: column.local_time,
            was: None,
            description: column.description.clone(),
            seen: None,
        })
    });
    carried.collect()
}

impl TableSchema {
    /// The key columns of this table, under the names they have in its child tables.
    pub(crate) fn key_for_children(&self) -> Vec<(ColumnName, &ColumnSchema)> {
        let columns = self.columns.iter();
        columns.filter_map(|column| Some((self.name_in_children(column)?, column))).collect()
    }

    /// The name of a column in a child table that says it wants to carry it; none for keys, which all child tables carry,
    /// and for flowlake's own columns, which they have themselves.
    pub(crate) fn name_of_carried(&self, column: &ColumnSchema) -> Option<ColumnName> {
        match &column.source {
            ColumnSource::ParentColumn(_) => Some(column.name.clone()),
            ColumnSource::Value { .. } | ColumnSource::Unseen { .. }
                if !self.primary_key.contains(&column.name) =>
            {
                Some(parent_key_name(&self.name, column.name.as_str()))
            }
            _ => None,
        }
    }

    /// The name of a column in the child tables, if it is part of the key.
    pub(crate) fn name_in_children(&self, column: &ColumnSchema) -> Option<ColumnName> {
        match &column.source {
            ColumnSource::ParentKey(_) => Some(column.name.clone()),
            ColumnSource::Index | ColumnSource::MemberKey | ColumnSource::Identity => {
                Some(parent_key_name(&self.name, column.name.as_str()))
            }
            ColumnSource::Value { .. } | ColumnSource::Unseen { .. }
                if self.primary_key.contains(&column.name) =>
            {
                Some(parent_key_name(&self.name, column.name.as_str()))
            }
            _ => None,
        }
    }
}
