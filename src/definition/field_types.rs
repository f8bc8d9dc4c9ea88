//! Declared types of fields of objects that are one column (`nested = "columns"`), by path:
//!
//! ```toml
//! [tables.columns]
//! "lines.price" = "decimal(18,2)"
//! supplier.since = "date"
//! ```

use std::borrow::Cow;

use indexmap::IndexMap;
use indexmap::map::Entry;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use toml::Value;

use super::field::{FromToml, TextForm, TypeMismatch};
use crate::schema::{ColumnName, ColumnType};

/// The declared types of some fields of an object. The types of the others are inferred.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct FieldTypes(IndexMap<ColumnName, FieldType>);

/// What is declared of a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FieldType {
    /// Its type.
    Type(ColumnType),
    /// The types of fields of the object that it is, in lists or alone.
    Fields(FieldTypes),
}

impl FieldTypes {
    /// Whether no field is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is declared of a field.
    #[must_use]
    pub fn get(&self, field: &ColumnName) -> Option<&FieldType> {
        self.0.get(field)
    }

    /// The declared fields, in the order written.
    pub fn names(&self) -> impl Iterator<Item = &ColumnName> {
        self.0.keys()
    }

    /// The first declared field as a path below an object, as in `address.since`.
    #[must_use]
    pub fn first_path(&self) -> String {
        let first = self.0.first();
        first.map_or_else(String::new, |(name, declared)| match declared {
            FieldType::Type(_) => name.to_string(),
            FieldType::Fields(fields) => format!("{name}.{}", fields.first_path()),
        })
    }

    /// Adds what is declared of a field.
    pub(super) fn declare(
        &mut self,
        path: &[ColumnName],
        declared: FieldType,
    ) -> Result<(), TypeMismatch> {
        let Some((name, below)) = path.split_first() else { return Ok(()) };
        let mut declared = declared;
        if !below.is_empty() {
            let mut fields = Self::default();
            fields.declare(below, declared)?;
            declared = FieldType::Fields(fields);
        }
        let mut known = match self.0.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(declared);
                return Ok(());
            }
            Entry::Occupied(entry) => entry,
        };
        if let (FieldType::Fields(known), FieldType::Fields(more)) = (known.get_mut(), declared) {
            return known.merge(more);
        }
        let message = format!("the field `{name}` is declared twice");
        Err(TypeMismatch::new(message, "declare its type, or the types of its fields"))
    }

    pub(super) fn merge(&mut self, more: Self) -> Result<(), TypeMismatch> {
        more.0.into_iter().try_for_each(|(name, declared)| self.declare(&[name], declared))
    }

    /// The fields that a table of TOML declares.
    pub(super) fn read<'v>(
        members: impl IntoIterator<Item = (&'v String, &'v Value)>,
    ) -> Result<Self, TypeMismatch> {
        let mut fields = Self::default();
        for (path, value) in members {
            let declared = FieldType::read(value).map_err(|wrong| {
                TypeMismatch::new(format!("`{path}`: {}", wrong.message), wrong.help)
            })?;
            let names = path.split('.').map(|name| {
                let name: Result<ColumnName, _> = name.parse();
                name.map_err(|wrong| TypeMismatch::new(wrong.to_string(), ColumnName::help(path)))
            });
            fields.declare(&names.collect::<Result<Vec<_>, _>>()?, declared)?;
        }
        Ok(fields)
    }
}

impl FromToml for FieldType {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::String(_) => ColumnType::read(value).map(Self::Type),
            Value::Table(table) => match table.get("type") {
                Some(column_type) if table.len() == 1 => Self::read(column_type),
                Some(_) => {
                    let help = "write `\"lines.price\" = \"decimal(18,2)\"`, and a field called `type` in quotes: \
                                `\"lines.type\" = \"string\"`";
                    Err(TypeMismatch::new("a field of an object has only a type", help))
                }
                None => FieldTypes::read(table).map(Self::Fields),
            },
            other => {
                let help = "write `\"lines.price\" = \"decimal(18,2)\"`";
                Err(TypeMismatch::of(other, "a type", help))
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self>()
    }
}

// By name, since it holds itself.
impl JsonSchema for FieldType {
    fn schema_name() -> Cow<'static, str> {
        "FieldType".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let column_type = ColumnType::schema(generator);
        let fields = generator.subschema_for::<Self>();
        json_schema!({
            "description": "The type of a field of an object that is one column, or the types of its own fields.",
            "anyOf": [column_type, { "type": "object", "additionalProperties": fields }],
        })
    }
}
