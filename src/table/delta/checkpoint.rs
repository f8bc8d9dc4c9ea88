//! A checkpoint: the state of a log as one Parquet file, so that a reader does not read the log from its beginning.
//!
//! One row is one action. Its columns are written one after the other, each with its definition levels: how many of the
//! groups around a value are there.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::action::{Add, MetaData, Protocol, Remove, Txn};
use super::log_state::LogState;

/// The columns, in the order in which they are written.
const SCHEMA: &str = "
message checkpoint {
  optional group txn {
    required binary appId (STRING); required int64 version; optional int64 lastUpdated;
  }
  optional group add {
    required binary path (STRING);
    required group partitionValues (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    required int64 size; required int64 modificationTime; required boolean dataChange;
    optional binary stats (STRING);
  }
  optional group remove {
    required binary path (STRING); optional int64 deletionTimestamp; required boolean dataChange;
  }
  optional group metaData {
    required binary id (STRING); optional binary name (STRING); optional binary description (STRING);
    required group format {
      required binary provider (STRING);
      required group options (MAP) {
        repeated group key_value { required binary key (STRING); optional binary value (STRING); }
      }
    }
    required binary schemaString (STRING);
    required group partitionColumns (LIST) {
      repeated group list { required binary element (STRING); }
    }
    required group configuration (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    optional int64 createdTime;
  }
  optional group protocol {
    required int32 minReaderVersion; required int32 minWriterVersion;
    optional group writerFeatures (LIST) { repeated group list { required binary element (STRING); } }
  }
}";

/// How many rows a row group has.
const ROWS: usize = 16_384;

/// One action.
#[derive(Clone, Copy)]
enum Row<'s> {
    Protocol(&'s Protocol),
    MetaData(&'s MetaData),
    Txn(&'s Txn),
    Remove(&'s Remove),
    Add(&'s Add),
}

/// What a row has in a column.
enum Cell<T> {
    /// Nothing; so many of the groups around it are there.
    Null(i16),
    /// A value, at the column's greatest level.
    Value(T, i16),
    /// The values of a list or map, each with its level.
    Many(Vec<(Option<T>, i16)>),
}

/// The checkpoint of a state, and how many actions it has.
pub(super) fn encode(state: &LogState) -> Result<(Bytes, u64)> {
    let rows: Vec<Row<'_>> = state
        .protocol
        .iter()
        .map(Row::Protocol)
        .chain(state.meta_data.iter().map(|it| Row::MetaData(it)))
        .chain(state.txns.values().map(Row::Txn))
        .chain(state.removed.values().map(Row::Remove))
        .chain(state.live.values().map(Row::Add))
        .collect();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for rows in rows.chunks(ROWS) {
        let mut group = file.next_row_group()?;
        let mut columns = Columns { group: &mut group, rows };
        columns.txn()?;
        columns.add()?;
        columns.remove()?;
        columns.meta_data()?;
        columns.protocol()?;
        group.close()?;
    }
    Ok((file.into_inner()?.into(), rows.len() as u64))
}

/// The columns of a row group that are still to be written.
struct Columns<'r, 'g, 's> {
    group: &'r mut SerializedRowGroupWriter<'g, Vec<u8>>,
    rows: &'r [Row<'s>],
}

impl<'s> Columns<'_, '_, 's> {
    fn txn(&mut self) -> Result<()> {
        let of = |row: Row<'s>| if let Row::Txn(txn) = row { Some(txn) } else { None };
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.app_id, 1)))?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| Cell::Value(it.version, 1))
        })?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| optional(it.last_updated))
        })
    }

    fn add(&mut self) -> Result<()> {
        let of = |row: Row<'s>| if let Row::Add(add) = row { Some(add) } else { None };
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.path, 1)))?;
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| {
                many(it.partition_values.keys().map(|key| Some(key.as_str())), 1, 0)
            })
        })?;
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| {
                many(it.partition_values.values().map(Option::as_deref), 1, 1)
            })
        })?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| Cell::Value(it.size, 1))
        })?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| Cell::Value(it.modification_time, 1))
        })?;
        // What a checkpoint has is no change of data.
        self.column::<BoolType>(|row| of(row).map_or(Cell::Null(0), |_| Cell::Value(false, 1)))?;
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| optional(it.stats.as_deref())))
    }

    fn remove(&mut self) -> Result<()> {
        let of = |row: Row<'s>| if let Row::Remove(remove) = row { Some(remove) } else { None };
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.path, 1)))?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| optional(it.deletion_timestamp))
        })?;
        self.column::<BoolType>(|row| of(row).map_or(Cell::Null(0), |_| Cell::Value(false, 1)))
    }

    fn meta_data(&mut self) -> Result<()> {
        let of = |row: Row<'s>| if let Row::MetaData(data) = row { Some(data) } else { None };
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.id, 1)))?;
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| optional(it.name.as_deref())))?;
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| optional(it.description.as_deref())))?;
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.format.provider, 1)))?;
        self.map(|row| of(row).map(|it| &it.format.options))?;
        self.texts(|row| of(row).map_or(Cell::Null(0), |it| Cell::Value(&it.schema_string, 1)))?;
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| {
                many(it.partition_columns.iter().map(|name| Some(name.as_str())), 1, 0)
            })
        })?;
        self.map(|row| of(row).map(|it| &it.configuration))?;
        self.column::<Int64Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| optional(it.created_time))
        })
    }

    fn protocol(&mut self) -> Result<()> {
        let of = |row: Row<'s>| if let Row::Protocol(it) = row { Some(it) } else { None };
        self.column::<Int32Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| Cell::Value(it.min_reader_version, 1))
        })?;
        self.column::<Int32Type>(|row| {
            of(row).map_or(Cell::Null(0), |it| Cell::Value(it.min_writer_version, 1))
        })?;
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| match &it.writer_features {
                None => Cell::Null(1),
                Some(names) => many(names.iter().map(|name| Some(name.as_str())), 2, 0),
            })
        })
    }

    /// The two columns of a map whose values are never null.
    fn map(
        &mut self,
        of: impl Fn(Row<'s>) -> Option<&'s std::collections::BTreeMap<String, String>>,
    ) -> Result<()> {
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| many(it.keys().map(|key| Some(key.as_str())), 1, 0))
        })?;
        self.texts(|row| {
            of(row).map_or(Cell::Null(0), |it| {
                many(it.values().map(|value| Some(value.as_str())), 1, 1)
            })
        })
    }

    fn texts(&mut self, cell: impl Fn(Row<'s>) -> Cell<&'s str>) -> Result<()> {
        self.column::<ByteArrayType>(|row| match cell(row) {
            Cell::Null(level) => Cell::Null(level),
            Cell::Value(text, level) => Cell::Value(ByteArray::from(text), level),
            Cell::Many(items) => {
                let items = items.into_iter();
                Cell::Many(items.map(|(text, level)| (text.map(ByteArray::from), level)).collect())
            }
        })
    }

    /// Writes the next column.
    fn column<D: DataType>(&mut self, cell: impl Fn(Row<'s>) -> Cell<D::T>) -> Result<()> {
        let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
        let mut put = |value: Option<D::T>, level, repeated| {
            values.extend(value);
            definition.push(level);
            repetition.push(repeated);
        };
        for row in self.rows {
            match cell(*row) {
                Cell::Null(level) => put(None, level, 0),
                Cell::Value(value, level) => put(Some(value), level, 0),
                Cell::Many(items) => {
                    for (number, (value, level)) in items.into_iter().enumerate() {
                        put(value, level, i16::from(number > 0));
                    }
                }
            }
        }
        let Some(mut column) = self.group.next_column()? else { return Ok(()) };
        column.typed::<D>().write_batch(&values, Some(&definition), Some(&repetition))?;
        column.close()
    }
}

/// A value directly in a group that is there.
fn optional<T>(value: Option<T>) -> Cell<T> {
    value.map_or(Cell::Null(1), |value| Cell::Value(value, 2))
}

/// The items of a list or map at the level `around`; values that may be null are `deeper` by one.
fn many<'t>(
    items: impl Iterator<Item = Option<&'t str>>,
    around: i16,
    deeper: i16,
) -> Cell<&'t str> {
    let items: Vec<_> =
        items.map(|item| (item, around + 1 + if item.is_some() { deeper } else { 0 })).collect();
    if items.is_empty() { Cell::Null(around) } else { Cell::Many(items) }
}

#[cfg(test)]
mod tests {
    use super::super::action::{FileFormat, Line};
    use super::super::checkpoint_reader::lines;
    use super::*;

    fn state() -> LogState {
        let options = [("a".to_owned(), "ö".to_owned())];
        let add = |path: &str, values: &[(&str, Option<&str>)], stats: Option<&str>| Add {
            path: path.to_owned(),
            partition_values: values
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
                .collect(),
            size: 7,
            modification_time: 8,
            data_change: false,
            stats: stats.map(str::to_owned),
        };
        let live = [
            add("f", &[], None),
            add("g", &[("a", None), ("b", Some("")), ("c", Some("Ü"))], Some("{\"numRecords\":1}")),
        ];
        let remove = Remove {
            path: "h".to_owned(),
            deletion_timestamp: Some(9),
            data_change: false,
            extended_file_metadata: None,
            partition_values: None,
            size: None,
        };
        LogState {
            protocol: Some(Protocol::of_flowlake()),
            meta_data: Some(Box::new(MetaData {
                id: "id".to_owned(),
                name: None,
                description: Some("d".to_owned()),
                format: FileFormat {
                    provider: "parquet".to_owned(),
                    options: options.clone().into(),
                },
                schema_string: "{}".to_owned(),
                partition_columns: vec!["a".to_owned(), "b".to_owned()],
                configuration: [].into(),
                created_time: Some(1),
            })),
            txns: [("t", Some(2)), ("u", None)]
                .map(|(id, last_updated)| Txn { app_id: id.to_owned(), version: 3, last_updated })
                .map(|txn| (txn.app_id.clone(), txn))
                .into(),
            live: live.map(|add| (add.path.clone(), add)).into(),
            removed: [(remove.path.clone(), remove)].into(),
            ..LogState::default()
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_the_state_that_it_is_of() {
        let state = state();
        let (content, size) = encode(&state).unwrap();
        assert_eq!(size, 7);
        let read: Vec<Line> = lines(content).unwrap();
        assert_eq!(read.len(), 7);
        assert_eq!(read[0].protocol, state.protocol);
        assert_eq!(read[1].meta_data, state.meta_data);
        let txns: Vec<_> = read.iter().filter_map(|line| line.txn.clone()).collect();
        assert_eq!(txns, state.txns.into_values().collect::<Vec<_>>());
        let removed: Vec<_> = read.iter().filter_map(|line| line.remove.clone()).collect();
        assert_eq!(removed, state.removed.into_values().collect::<Vec<_>>());
        let live: Vec<_> = read.iter().filter_map(|line| line.add.clone()).collect();
        assert_eq!(live, state.live.into_values().collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_checkpoint_is_an_error_and_no_panic() {
        let (content, _) = encode(&state()).unwrap();
        for length in 0..content.len() {
            assert!(lines(content.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
