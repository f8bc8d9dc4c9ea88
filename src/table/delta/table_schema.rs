//! The columns of a table as Delta has them.
//!
//! | column | Delta |
//! |---|---|
//! | `bool`, `int64`, `float64` | `boolean`, `long`, `double` |
//! | `decimal(18,2)`, `date`, `timestamp` | the same |
//! | `string`, `json` | `string` |
//! | `list<…>`, `struct<…>` | `array`, `struct` |
//! | a directory `created_at_month=2026-10` | a column `created_at_month`, `string`, by which the table is partitioned |
//!
//! A partition column has what stands behind the `=`, without its escapes, and is not in the files. It is never null and never empty: several
//! readers take an empty text for null, and some guess at dates and decimals. The values themselves are columns of the
//! files, whose least and greatest value a reader skips files by.

use serde_json::{Value, json};

use super::action::{FileFormat, MetaData, PartitionValues};
use super::uri::decoded;
use crate::schema::{ColumnType, TableSchema};
use crate::table::agreement::SharedTable;

/// The property of a log that names the agreement whose columns it has.
const AGREEMENT: &str = "flowlake.agreement";

/// What the log says of a table beside its files.
pub(super) fn meta_data(id: &str, created_time: i64, schema: &TableSchema) -> MetaData {
    MetaData {
        id: id.to_owned(),
        name: Some(schema.name.to_string()),
        description: schema.description.clone(),
        format: FileFormat { provider: "parquet".to_owned(), options: [].into() },
        schema_string: schema_string(schema),
        partition_columns: schema.partition_columns(),
        configuration: [].into(),
        created_time: Some(created_time),
    }
}

/// What the log of a shared table says of it.
pub(super) fn shared_meta_data(table: &SharedTable) -> MetaData {
    let created = table.created_at.timestamp_millis();
    let mut meta_data = meta_data(&table.id, created, &table.schema);
    meta_data.configuration.insert(AGREEMENT.to_owned(), table.number.to_string());
    meta_data
}

/// The agreement whose columns a log has.
pub(super) fn agreement_of(meta_data: Option<&MetaData>) -> Option<u64> {
    meta_data?.configuration.get(AGREEMENT)?.parse().ok()
}

/// Whether two schemas of a table are the same to readers of its log.
pub(in crate::table) fn same_to_readers(left: &TableSchema, right: &TableSchema) -> bool {
    left.description == right.description
        && left.partition_columns() == right.partition_columns()
        && schema_string(left) == schema_string(right)
}

fn schema_string(schema: &TableSchema) -> String {
    let columns = schema.columns.iter().map(|column| {
        field(column.name.as_str(), &column.column_type, column.description.as_deref())
    });
    let partitions = schema.partition_columns();
    let partitions = partitions.iter().map(|key| {
        let comment = format!("the directory of the file: what stands behind `{key}=`");
        field(key, &ColumnType::String, Some(&comment))
    });
    let fields: Vec<Value> = columns.chain(partitions).collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

fn field(name: &str, column_type: &ColumnType, description: Option<&str>) -> Value {
    let metadata = description.map_or(json!({}), |text| json!({ "comment": text }));
    json!({ "name": name, "type": type_of(column_type), "nullable": true, "metadata": metadata })
}

fn type_of(column_type: &ColumnType) -> Value {
    match column_type {
        ColumnType::Bool => "boolean".into(),
        ColumnType::Int64 => "long".into(),
        ColumnType::Float64 => "double".into(),
        ColumnType::Decimal { precision, scale } => format!("decimal({precision},{scale})").into(),
        ColumnType::Date => "date".into(),
        ColumnType::Timestamp => "timestamp".into(),
        ColumnType::String | ColumnType::Json => "string".into(),
        ColumnType::List(item) => {
            json!({ "type": "array", "elementType": type_of(item), "containsNull": true })
        }
        ColumnType::Struct(fields) => {
            let fields = fields.iter().map(|it| field(it.name.as_str(), &it.column_type, None));
            json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() })
        }
    }
}

/// The partition values of a file, from its path below the directory of its table.
pub(super) fn partition_values(path: &str) -> PartitionValues {
    let directories = path.rsplit_once('/').map_or("", |(directories, _)| directories);
    let pairs = directories.split('/').filter_map(|directory| directory.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), Some(unescaped(value)))).collect()
}

/// What stands behind the `=` of a directory, without its escapes. Some readers take it from the path, and undo them.
fn unescaped(value: &str) -> String {
    decoded(value).unwrap_or_else(|| value.to_owned())
}
