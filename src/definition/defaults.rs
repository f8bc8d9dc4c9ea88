//! `[defaults]`: what tables without a parent have when they do not say otherwise.

use schemars::JsonSchema;

use super::checker::Checker;
use super::contract::Contract;
use super::disposition::{Nested, WriteDisposition};
use super::field::{Field, List};
use crate::schema::{ColumnName, NullValue, PartitionField};

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
    pub(super) null_values: Option<Field<List<NullValue>>>,
}

/// What tables without a parent have when they do not say otherwise.
#[derive(Default)]
pub(super) struct TableDefaults {
    pub(super) primary_key: Vec<ColumnName>,
    pub(super) cursor: Option<ColumnName>,
    pub(super) write_disposition: WriteDisposition,
    pub(super) partition_by: Vec<PartitionField>,
    pub(super) sort_by: Vec<ColumnName>,
    pub(super) nested: Nested,
    pub(super) contract: Option<Contract>,
    pub(super) null_values: Vec<NullValue>,
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
