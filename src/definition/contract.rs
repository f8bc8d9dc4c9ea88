//! `schema_contract`: what happens when an export holds what a table's schema does not.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::field::{FromToml, Members, TypeMismatch, written_as_word};

/// What happens when an export holds what a table's schema does not. Declared columns are always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Contract {
    /// For a new child table.
    pub tables: ContractMode,
    /// For a new column.
    pub columns: ContractMode,
    /// For a value that does not fit its column.
    pub data_type: DataTypeMode,
}

/// A schema contract mode. What is discarded goes to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContractMode {
    /// The schema evolves.
    #[default]
    Evolve,
    /// The run fails and changes nothing.
    Freeze,
    /// The record is quarantined.
    DiscardRow,
    /// The record is loaded without the value, and a copy of it is quarantined.
    DiscardValue,
}

/// A schema contract mode for a value that does not fit its column. Whatever the mode, a primary key, cursor or
/// partition column never leaves its family, and what does not fit a declared type is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataTypeMode {
    /// The column widens within its family: numbers, times. A value of another family is discarded, as by
    /// `discard_value`.
    #[default]
    Widen,
    /// The column takes a type that holds every value; of different families that is text.
    Evolve,
    /// The run fails and changes nothing.
    Freeze,
    /// The record is quarantined.
    DiscardRow,
    /// The record is loaded without the value, and a copy of it is quarantined.
    DiscardValue,
}

written_as_word!(ContractMode, DataTypeMode);

impl ContractMode {
    /// What is discarded, if anything.
    #[must_use]
    pub fn discards(self) -> Option<Discard> {
        match self {
            Self::Evolve | Self::Freeze => None,
            Self::DiscardRow => Some(Discard::Row),
            Self::DiscardValue => Some(Discard::Value),
        }
    }
}

impl From<ContractMode> for DataTypeMode {
    fn from(mode: ContractMode) -> Self {
        match mode {
            ContractMode::Evolve => Self::Evolve,
            ContractMode::Freeze => Self::Freeze,
            ContractMode::DiscardRow => Self::DiscardRow,
            ContractMode::DiscardValue => Self::DiscardValue,
        }
    }
}

/// How far the type of a column may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widening {
    /// To any type that holds every value.
    Any,
    /// Within its family.
    WithinFamily,
    /// Within its family, to a type in which every value has the text that it had.
    KeepingTexts,
    /// By fields that its objects did not have, and not otherwise.
    AddingFields,
    /// Not at all.
    Never,
}

impl DataTypeMode {
    /// How far the type of a column may change that is no key, cursor or partition. A change that `freeze` forbids is
    /// made first and refused then.
    #[must_use]
    pub fn widening(self) -> Widening {
        match self {
            Self::Evolve | Self::Freeze => Widening::Any,
            Self::Widen => Widening::WithinFamily,
            Self::DiscardRow | Self::DiscardValue => Widening::Never,
        }
    }
}

/// How much is discarded with a value that a table does not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discard {
    /// The whole record, with its child rows.
    #[default]
    Row,
    /// The value only.
    Value,
}

impl FromToml for Contract {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::String(_) => {
                let mode = ContractMode::read(value)?;
                Ok(Self { tables: mode, columns: mode, data_type: mode.into() })
            }
            Value::Table(table) => {
                let mut members = Members::new("a contract", table);
                let contract = Self {
                    tables: members.take("tables")?.unwrap_or_default(),
                    columns: members.take("columns")?.unwrap_or_default(),
                    data_type: members.take("data_type")?.unwrap_or_default(),
                };
                members.finish()?;
                Ok(contract)
            }
            other => {
                let expected = "a mode, or a table of `tables`, `columns` and `data_type`";
                let help = "write `\"freeze\"` or `{ columns = \"freeze\" }`";
                Err(TypeMismatch::of(other, expected, help))
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        fn described(mut schema: Schema, description: &str) -> Schema {
            schema.insert("description".to_owned(), description.into());
            schema
        }
        let mut mode = |description| described(ContractMode::schema(generator), description);
        let everything = mode("For everything.");
        let (tables, columns) = (mode("For a new child table."), mode("For a new column."));
        let data_type =
            described(DataTypeMode::schema(generator), "For a value that does not fit its column.");
        json_schema!({
            "description": "What happens when an export holds what the schema does not: one mode for everything, or one for each kind of change.",
            "anyOf": [
                everything,
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "tables": tables,
                        "columns": columns,
                        "data_type": data_type,
                    },
                },
            ],
        })
    }
}
