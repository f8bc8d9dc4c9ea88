//! `destination.slice`: the part of shared tables that a pipeline writes.

use schemars::{Schema, SchemaGenerator, json_schema};
use toml::Value;

use super::checker::Checker;
use super::contract::DataTypeMode;
use super::field::{Field, FromToml, TypeMismatch};
use super::names::NAME;
use super::table::Table;
use crate::schema::{ColumnName, Slice, TableFormat};

const KEY: &str = "destination.slice";
const EXAMPLE: &str = "write `slice = { organisation_id = \"acme\" }`";
/// What a reader takes for null, although the log says otherwise.
const NULLS: [&str; 1] = ["__HIVE_DEFAULT_PARTITION__"];
/// The longest name of a pipeline that is a directory, in bytes.
const MOST_NAME_BYTES: usize = 100;

/// A column and its value as typed.
#[derive(Debug, Clone)]
pub(super) struct RawSlice {
    column: ColumnName,
    value: String,
}

impl FromToml for RawSlice {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let Value::Table(table) = value else {
            return Err(TypeMismatch::of(value, "a column with its value", EXAMPLE));
        };
        let mut pairs = table.iter();
        let (Some((column, value)), None) = (pairs.next(), pairs.next()) else {
            return Err(TypeMismatch::new("a slice is one column with its value", EXAMPLE));
        };
        let Value::String(value) = value else {
            return Err(TypeMismatch::of(value, "a string as the value of the slice", EXAMPLE));
        };
        match column.parse() {
            Ok(column) => Ok(Self { column, value: value.clone() }),
            Err(error) => Err(TypeMismatch::new(error.to_string(), EXAMPLE)),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": { "pattern": format!("^{NAME}$") },
            "additionalProperties": { "type": "string", "minLength": 1 },
        })
    }
}

impl Checker<'_> {
    /// The slice of a pipeline, where it shares its tables with others.
    pub(super) fn slice(
        &mut self,
        field: Option<Field<RawSlice>>,
        format: TableFormat,
    ) -> Option<Slice> {
        let (RawSlice { column, value }, span) = self.spanned(field, KEY)?;
        let (value, span) = self.text(Some(Field { value: Ok(value), span }), KEY)?;
        if value.is_empty() {
            self.report(span, KEY, "the value of a slice is empty", EXAMPLE);
            return None;
        }
        if NULLS.contains(&value.as_str()) {
            let help = "give it another value";
            self.report(span, KEY, "readers take this value for null", help);
            return None;
        }
        if format != TableFormat::Delta {
            let help = "add `format = \"delta\"`, or leave the slice out";
            self.report(span, KEY, "only tables with a log can be shared", help);
            return None;
        }
        Some(Slice { column, value })
    }

    /// What tables and names have to be like where tables are shared: types stay as all pipelines have agreed on them.
    pub(super) fn shared(&mut self, slice: &Slice, pipeline: Option<&str>, tables: &mut [Table]) {
        if let Some(name) = pipeline.filter(|name| !is_directory_name(name)) {
            let message = format!("`{name}` cannot be the name of a directory");
            let help = "in a shared destination a pipeline has a directory: use letters, digits, `.`, `-` and `_`";
            self.misuse("name", message, help);
        }
        for (position, table) in tables.iter_mut().enumerate() {
            table.slice = Some(slice.clone());
            if table.contract.is_some_and(|it| it.data_type == DataTypeMode::Evolve) {
                let key = format!("tables[{position}].schema_contract");
                let message = format!("`{}` is shared, so its types cannot evolve", table.name);
                let help = "leave `data_type` out: values that do not fit go to quarantine";
                self.misuse(&key, message, help);
            }
            let names = table.columns.keys().chain(&table.primary_key).chain(&table.sort_by);
            let partitions = table.partition_by.iter().map(|field| &field.column);
            if names.chain(partitions).any(|name| *name == slice.column) {
                let message = format!(
                    "`{}` is the column of the slice, so no other column of `{}` has this name",
                    slice.column, table.name
                );
                self.misuse(KEY, message, "give the slice, or the other column, another name");
            }
        }
    }
}

fn is_directory_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty()
        && name.len() <= MOST_NAME_BYTES
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
}
