//! `[tables.columns]`: what a definition says of one column.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use toml::Value;

use super::canonical::is_default;
use super::date_format::check_format;
use super::field::{FromToml, Members, TypeMismatch};
use super::field_types::{FieldType, FieldTypes};
use crate::schema::{Ambiguous, ColumnName, ColumnType, JsonPointer, LocalTime, NullValue, Zone};

/// What a definition says of one column.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Column {
    /// The declared type; inferred from the whole export when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub column_type: Option<ColumnType>,
    /// The place of the value in the record, where the name does not say it.
    #[serde(skip_serializing_if = "is_default")]
    pub from: Option<JsonPointer>,
    /// The value is left out of the table, with everything below it.
    #[serde(skip_serializing_if = "is_default")]
    pub exclude: bool,
    /// An export need not have it.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
    /// The strftime formats of its dates or timestamps; ISO 8601 when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub formats: Vec<String>,
    /// How its timestamps without a zone are read: `timezone` and `ambiguous`. As UTC without them.
    #[serde(skip_serializing_if = "is_default")]
    pub local_time: Option<LocalTime>,
    /// Scalars that are read as null in it, instead of those of its table.
    #[serde(skip_serializing_if = "is_default")]
    pub null_values: Option<Vec<NullValue>>,
    /// For people; goes into the files' metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub description: Option<String>,
    /// The declared types of fields of its objects. It has no type itself then.
    #[serde(skip_serializing_if = "is_default")]
    pub fields: FieldTypes,
}

impl FromToml for Column {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::String(_) => {
                Ok(Self { column_type: Some(ColumnType::read(value)?), ..Self::default() })
            }
            Value::Table(table) => {
                let mut members = Members::new("a column", table);
                let mut column = Self {
                    column_type: members.take("type")?,
                    from: members.take("from")?,
                    exclude: members.take("exclude")?.unwrap_or_default(),
                    optional: members.take("optional")?.unwrap_or_default(),
                    formats: members.take_list("formats")?.unwrap_or_default(),
                    local_time: local_time(&mut members)?,
                    null_values: members.take_list("null_values")?,
                    description: members.take("description")?,
                    fields: FieldTypes::default(),
                };
                column.fields = column.read_fields(members)?;
                column.check_formats()?;
                column.check_timezone()?;
                Ok(column)
            }
            other => {
                let help = "write `\"timestamp\"` or `{ type = \"decimal(18,2)\", from = \"/totalAmount\" }`";
                Err(TypeMismatch::of(other, "a type, or a table", help))
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let mut type_schema = ColumnType::schema(generator);
        let forms = ColumnType::FORMS.join(", ");
        let description =
            format!("The column's type: {forms}. A record that does not fit is quarantined.");
        type_schema.insert("description".to_owned(), description.into());
        let members = members_schema(generator, &type_schema);
        // A field with the name of a member is written as a path, in quotes.
        let names: Vec<&String> = members.as_object().iter().flat_map(|it| it.keys()).collect();
        json_schema!({
            "description": "A column: its type alone, or a table of what is known of it.",
            "anyOf": [
                type_schema,
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": members,
                    "if": { "required": ["formats"], "properties": { "formats": { "minItems": 1 } } },
                    "then": {
                        "required": ["type"],
                        "properties": { "type": { "pattern": "date|timestamp" } },
                    },
                    "dependentRequired": { "timezone": ["type"], "ambiguous": ["timezone"] },
                    "dependentSchemas": {
                        "timezone": { "properties": { "type": { "pattern": "timestamp" } } },
                    },
                },
                {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": { "not": { "enum": names } },
                    "additionalProperties": FieldType::schema(generator),
                },
            ],
        })
    }
}

/// The keys `timezone` and `ambiguous`.
fn local_time(members: &mut Members<'_>) -> Result<Option<LocalTime>, TypeMismatch> {
    let timezone: Option<Zone> = members.take("timezone")?;
    let ambiguous: Option<Ambiguous> = members.take("ambiguous")?;
    if timezone.is_none() && ambiguous.is_some() {
        let help = "add `timezone = \"Europe/Copenhagen\"`, or remove it";
        return Err(TypeMismatch::new("`ambiguous` needs a `timezone`", help));
    }
    Ok(timezone.map(|timezone| LocalTime { timezone, ambiguous }))
}

/// Whether a type is a scalar of some kind, or holds one.
fn holds(column_type: &ColumnType, is_such: fn(&ColumnType) -> bool) -> bool {
    match column_type {
        ColumnType::List(item) => holds(item, is_such),
        ColumnType::Struct(fields) => fields.iter().any(|it| holds(&it.column_type, is_such)),
        scalar => is_such(scalar),
    }
}

fn members_schema(generator: &mut SchemaGenerator, type_schema: &Schema) -> serde_json::Value {
    let mut timezone_schema = Zone::schema(generator);
    let description =
        "The IANA time zone of timestamps that are written without one; UTC when absent.";
    timezone_schema.insert("description".to_owned(), description.into());
    timezone_schema.insert("examples".to_owned(), serde_json::json!(["Europe/Copenhagen"]));
    let mut ambiguous_schema = Ambiguous::schema(generator);
    let description = "Which instant a local time means that clocks show twice, when summer time ends. When absent, it does not fit.";
    ambiguous_schema.insert("description".to_owned(), description.into());
    serde_json::json!({
        "type": type_schema,
        "from": {
            "type": "string",
            "pattern": JsonPointer::schema(generator).get("pattern"),
            "description": "JSON Pointer to the value in the record, when the column's name does not say it.",
            "examples": ["/supplier/name"],
        },
        "exclude": {
            "type": "boolean",
            "description": "Leaves the value out, with everything below it.",
            "default": false,
        },
        "optional": {
            "type": "boolean",
            "description": "The first export need not have it: nothing is said of a name that nothing has.",
            "default": false,
        },
        "formats": {
            "type": "array",
            "items": { "type": "string", "pattern": "%" },
            "description": "The strftime formats of dates or timestamps that are not ISO 8601; the first that fits is used.",
            "examples": [["%d.%m.%Y"]],
        },
        "timezone": timezone_schema,
        "ambiguous": ambiguous_schema,
        "null_values": {
            "type": "array",
            "items": NullValue::schema(generator),
            "description": "Strings, numbers, booleans and dates that are read as null in this column and everything below it, instead of those of the table.",
            "examples": [[false, "-"]],
        },
        "description": {
            "type": "string",
            "description": "For people; goes into the files' metadata.",
        },
    })
}

impl Column {
    /// The fields that a column declares instead of saying something of itself. What is likely a mistyped key is none.
    fn read_fields(&self, members: Members<'_>) -> Result<FieldTypes, TypeMismatch> {
        let is_field = |key: &str, value: &Value| {
            (key.contains('.') || !members.is_near(key)) && (value.is_str() || value.is_table())
        };
        if *self == Self::default() && members.others().all(|(key, value)| is_field(key, value)) {
            return FieldTypes::read(members.others());
        }
        members.finish()?;
        Ok(FieldTypes::default())
    }

    /// Adds what is declared of the column, or of a field of its objects.
    pub(super) fn declare(
        &mut self,
        field: &[ColumnName],
        declared: Self,
    ) -> Result<(), TypeMismatch> {
        let mut fields = std::mem::take(&mut self.fields);
        if field.is_empty() {
            *self = declared;
            fields.merge(std::mem::take(&mut self.fields))?;
        } else {
            fields.declare(field, declared.into_field()?)?;
        }
        if fields.is_empty() || (self.column_type.is_none() && !self.exclude) {
            self.fields = fields;
            return Ok(());
        }
        let (message, help) = if self.exclude {
            ("fields of an excluded column are declared", "keep the column, or remove its fields")
        } else {
            (
                "both the type of the column and types of its fields are declared",
                "write all fields in the type, as in `list<struct<price: decimal(18,2)>>`, or leave the type out",
            )
        };
        Err(TypeMismatch::new(message, help))
    }

    /// What is declared of a field.
    fn into_field(self) -> Result<FieldType, TypeMismatch> {
        let Self {
            column_type,
            from: None,
            exclude: false,
            optional: false,
            formats,
            local_time: None,
            null_values: None,
            description: None,
            fields,
        } = self
        else {
            return Err(only_a_type());
        };
        match column_type {
            Some(column_type) if formats.is_empty() => Ok(FieldType::Type(column_type)),
            None if !fields.is_empty() => Ok(FieldType::Fields(fields)),
            _ => Err(only_a_type()),
        }
    }

    fn check_formats(&self) -> Result<(), TypeMismatch> {
        for format in &self.formats {
            check_format(format)?;
        }
        let is_such = |it: &ColumnType| matches!(it, ColumnType::Date | ColumnType::Timestamp);
        if self.formats.is_empty() || self.holds(is_such) {
            return Ok(());
        }
        let help = "add `type = \"date\"` or `type = \"timestamp\"`";
        Err(TypeMismatch::new("only dates and timestamps have `formats`", help))
    }

    fn check_timezone(&self) -> Result<(), TypeMismatch> {
        if self.local_time.is_none() || self.holds(|it| *it == ColumnType::Timestamp) {
            return Ok(());
        }
        let help = "add `type = \"timestamp\"`, or remove `timezone`";
        Err(TypeMismatch::new("only timestamps have a `timezone`", help))
    }

    /// Whether the declared type is a scalar of some kind, or holds one.
    fn holds(&self, is_such: fn(&ColumnType) -> bool) -> bool {
        self.column_type.as_ref().is_some_and(|column_type| holds(column_type, is_such))
    }
}

fn only_a_type() -> TypeMismatch {
    let help = "write `\"lines.price\" = \"decimal(18,2)\"`";
    TypeMismatch::new("a field of an object has only a type", help)
}
