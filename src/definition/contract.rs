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
    /// For a value that would widen its column.
    pub data_type: ContractMode,
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

written_as_word!(ContractMode);

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
                Ok(Self { tables: mode, columns: mode, data_type: mode })
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
        let mut mode = |description: &str| {
            let mut schema = ContractMode::schema(generator);
            schema.insert("description".to_owned(), description.into());
            schema
        };
        json_schema!({
            "description": "What happens when an export holds what the schema does not: one mode for everything, or one for each kind of change.",
            "anyOf": [
                mode("For everything."),
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "tables": mode("For a new child table."),
                        "columns": mode("For a new column."),
                        "data_type": mode("For a value that would widen its column."),
                    },
                },
            ],
        })
    }
}
