//! The JSON Schema of definitions, as a validator reads it.

use std::sync::LazyLock;

use flowlake::definition::{Definition, Environment, json_schema};
use jsonschema::JSONSchema;
use serde_json::Value as Json;

static SCHEMA: LazyLock<JSONSchema> =
    LazyLock::new(|| JSONSchema::compile(&json_schema()).unwrap());

/// Whether the schema accepts a definition; `None` for what is not TOML.
pub fn schema_accepts(definition: &str) -> Option<bool> {
    let table: toml::Table = definition.parse().ok()?;
    Some(SCHEMA.is_valid(&json(&toml::Value::Table(table))))
}

/// Asserts that the schema accepts a definition if flowlake does.
#[track_caller]
pub fn assert_schema_accepts_what_check_accepts(definition: &str, environment: &Environment) {
    if Definition::parse("test.toml", definition, environment).is_err() {
        return;
    }
    let table: toml::Table = definition.parse().unwrap();
    let document = json(&toml::Value::Table(table));
    if let Err(errors) = SCHEMA.validate(&document) {
        let errors: Vec<String> =
            errors.map(|error| format!("{}: {error}", error.instance_path)).collect();
        panic!("the schema refuses a valid definition:\n{}\n{definition}", errors.join("\n"));
    }
}

/// TOML as editors hand it to a schema: dates are strings.
fn json(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => {
            Json::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}
