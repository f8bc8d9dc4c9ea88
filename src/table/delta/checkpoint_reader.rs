//! Reads a checkpoint.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use super::action::Line;

/// The actions of a checkpoint.
pub(super) fn lines(content: Bytes) -> Result<Vec<Line>, String> {
    let file = SerializedFileReader::new(content).map_err(|error| error.to_string())?;
    let rows = file.get_row_iter(None).map_err(|error| error.to_string())?;
    rows.map(|row| {
        let row = row.map_err(|error| error.to_string())?;
        serde_json::from_value(group(&row)?).map_err(|error| error.to_string())
    })
    .collect()
}

/// A group as an object, without what is null.
fn group(row: &Row) -> Result<Value, String> {
    let fields = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
    let fields = fields.map(|(name, field)| Ok((name.clone(), value(field)?)));
    Ok(Value::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}

fn value(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => (*flag).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::Str(text) => text.clone().into(),
        Field::Group(row) => group(row)?,
        Field::ListInternal(list) => {
            list.elements().iter().map(value).collect::<Result<Vec<_>, _>>()?.into()
        }
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, entry)| match key {
                Field::Str(key) => Ok((key.clone(), value(entry)?)),
                other => Err(format!("a key is no text: {other}")),
            });
            Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
        }
        other => return Err(format!("no action has a value like {other}")),
    })
}
