//! `[defaults]`: what tables without a parent have when they do not say otherwise.

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::{Field, List};
use super::{Contract, Nested, Table, WriteDisposition};
use crate::schema::{ColumnName, PartitionField, TableName};

/// What tables without a parent have when they do not say otherwise.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Defaults", deny_unknown_fields)]
pub(super) struct RawDefaults {
    /// The `primary_key` of tables without a parent.
    pub(super) primary_key: Option<Field<List<ColumnName>>>,
    /// The `cursor` of tables without a parent.
    pub(super) cursor: Option<Field<ColumnName>>,
    /// The `write_disposition` of tables without a parent.
    #[schemars(extend("default" = "replace"))]
    pub(super) write_disposition: Option<Field<WriteDisposition>>,
    /// The `partition_by` of tables without a parent.
    #[schemars(extend("uniqueItems" = true))]
    pub(super) partition_by: Option<Field<List<PartitionField>>>,
    /// The `sort_by` of tables without a parent.
    pub(super) sort_by: Option<Field<List<ColumnName>>>,
    /// The `nested` of tables without a parent.
    #[schemars(extend("default" = "tables"))]
    pub(super) nested: Option<Field<Nested>>,
    /// The `schema_contract` of tables without a parent.
    pub(super) schema_contract: Option<Field<Contract>>,
    /// The `null_values` of tables without a parent.
    pub(super) null_values: Option<Field<List<String>>>,
}

/// What tables without a parent have when they do not say otherwise.
#[derive(Default)]
pub(super) struct TableDefaults {
    primary_key: Vec<ColumnName>,
    cursor: Option<ColumnName>,
    write_disposition: WriteDisposition,
    partition_by: Vec<PartitionField>,
    sort_by: Vec<ColumnName>,
    nested: Nested,
    contract: Option<Contract>,
    null_values: Vec<String>,
}

impl RawDefaults {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> TableDefaults {
        let disposition = checker.value(self.write_disposition, "defaults.write_disposition");
        let partitions = checker.list(self.partition_by, "defaults.partition_by");
        TableDefaults {
            primary_key: checker.list(self.primary_key, "defaults.primary_key").unwrap_or_default(),
            cursor: checker.value(self.cursor, "defaults.cursor"),
            write_disposition: disposition.unwrap_or_default(),
            partition_by: partitions.unwrap_or_default(),
            sort_by: checker.list(self.sort_by, "defaults.sort_by").unwrap_or_default(),
            nested: checker.value(self.nested, "defaults.nested").unwrap_or_default(),
            contract: checker.value(self.schema_contract, "defaults.schema_contract"),
            null_values: checker.list(self.null_values, "defaults.null_values").unwrap_or_default(),
        }
    }
}

impl TableDefaults {
    /// A table without a parent that says nothing itself.
    pub(super) fn table(&self, name: TableName) -> Table {
        Table {
            primary_key: self.primary_key.clone(),
            cursor: self.cursor.clone(),
            write_disposition: self.write_disposition,
            partition_by: self.partition_by.clone(),
            sort_by: self.sort_by.clone(),
            nested: self.nested,
            contract: self.contract,
            null_values: self.null_values.clone(),
            ..Table::named(name)
        }
    }
}
