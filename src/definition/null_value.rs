//! How a definition writes a null value: as the scalar that it is.

use schemars::{Schema, SchemaGenerator, json_schema};
use toml::Value;

use super::field::{FromToml, TypeMismatch};
use crate::schema::NullValue;

impl FromToml for NullValue {
    const LIST_EXAMPLE: &'static str = "[\"\", \"n/a\"]";

    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::String(text) => Ok(Self::Text(text.clone())),
            Value::Boolean(boolean) => Ok(Self::Boolean(*boolean)),
            Value::Integer(number) => Ok(Self::Number { number: number.to_string() }),
            Value::Float(number) if number.is_finite() => {
                Ok(Self::Number { number: number.to_string() })
            }
            Value::Datetime(time) => Ok(Self::Time { time: time.to_string() }),
            other => {
                let help = "write `\"n/a\"`, `false`, `0` or `1900-01-01`";
                Err(TypeMismatch::of(other, "a string, a number, a boolean or a date", help))
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}
