//! Schema: what a table is, as its manifest keeps it. Column types, paths into records, partition transforms, and the
//! exact scalars that types are inferred from.
//!
//! Everything here is a value: nothing reads, writes or decides.

mod column_statistics;
mod column_type;
mod decimal;
mod directory_value;
mod ids;
mod json_pointer;
mod key_place;
mod kinds;
mod name;
mod null_values;
mod partition_key;
mod reserved;
mod run_id;
mod shape;
mod slice;
mod small_map;
mod table;
mod table_format;
mod temporal;
mod transform;
mod value_counts;
mod value_path;
mod window;
mod zone;

pub use column_statistics::{ColumnStatistics, NumberStatistics};
pub use column_type::{ColumnType, InvalidColumnType, MAX_PRECISION, MOST_LEVELS, StructField};
pub use decimal::{Fraction, NumberText, parse_decimal, parse_exact_float, parse_float};
pub use ids::{HistoryId, IdVec, PositionId, RootId, StoredTable, TableId};
pub use json_pointer::{InvalidPointer, JsonPointer};
pub use key_place::KeyPlace;
pub use kinds::{Kinds, ValueKind};
pub use name::{ColumnName, InvalidName, TableName};
pub use null_values::{NullValue, NullValues};
pub use partition_key::{InvalidPartitionKey, PartitionKey, PartitionValue};
pub use reserved::{
    DELETED_AT_COLUMN, HISTORY_SUFFIX, IDENTITY_COLUMN, INDEX_COLUMN, ITEM_COLUMN,
    LOADED_AT_COLUMN, RUN_ID_COLUMN, VALID_FROM_COLUMN, VALID_TO_COLUMN,
};
pub use run_id::{InvalidRunId, RunId};
pub use shape::{Shape, ValueShape};
pub use slice::Slice;
pub use small_map::SmallMap;
pub use table::{ColumnSchema, ColumnSource, SeenIn, TableSchema};
pub use table_format::TableFormat;
pub use temporal::{
    TimestampForm, date_of, format_date, format_timestamp, local_instant, midnight, parse_date,
    parse_local_timestamp, parse_timestamp,
};
pub use transform::{InvalidPartitionField, PartitionField, TimeRanges, TimeUnit, Transform};
pub use value_counts::ValueCounts;
pub use value_path::{ShownPath, Step, ValuePath};
pub use window::{LoadedTime, Window};
pub use zone::{Ambiguous, InvalidAmbiguous, InvalidZone, LocalTime, Zone};
