//! The JSON Schema of definitions, from the types that read them.

use schemars::SchemaGenerator;
use serde_json::Value;

use super::pipeline::RawDefinition;

/// The JSON Schema of definitions, with which editors complete and check them. It accepts every definition that
/// `check` accepts, and refuses mistakes that can be seen without the environment, other sections or other tables.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<RawDefinition>().to_value();
    remove_null(&mut schema);
    schema
}

/// TOML has no null: an optional key is left out.
fn remove_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema["type"] == "null" || schema == "null";
    match schema {
        Value::Object(members) => {
            for alternatives in ["type", "anyOf", "enum"] {
                let Some(Value::Array(items)) = members.get_mut(alternatives) else { continue };
                items.retain(|item| !is_null(item) && !item.is_null());
                if items.len() == 1 && alternatives == "type" {
                    members[alternatives] = items.remove(0);
                }
            }
            members.values_mut().for_each(remove_null);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_null),
        _ => {}
    }
}

/// A section of a definition, with the schemas of its keys.
pub(super) struct Section {
    /// Its path without positions, as in `source.window`; empty for the file.
    pub(super) path: String,
    keys: Vec<String>,
}

impl Section {
    /// Its keys.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.keys.iter().map(String::as_str).collect()
    }
}

/// All sections that have keys of their own, the file first.
pub(super) fn sections() -> Vec<Section> {
    let root = json_schema();
    let mut found = Vec::new();
    collect(&root, &root, "", &mut found);
    found
}

fn collect(root: &Value, schema: &Value, path: &str, found: &mut Vec<Section>) {
    let schema = resolved(root, schema);
    let Some(properties) = schema["properties"].as_object() else { return };
    found.push(Section { path: path.to_owned(), keys: properties.keys().cloned().collect() });
    for (key, value) in properties {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect(root, value, &path, found);
    }
}

/// The schema behind references, optional sections and arrays of sections.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let behind = schema["$ref"].as_str().and_then(|reference| root.pointer(&reference[1..]));
    let only = schema["anyOf"].as_array().and_then(|items| match items.as_slice() {
        [only] => Some(only),
        _ => None,
    });
    match behind.or(only).or(schema.get("items")) {
        Some(next) => resolved(root, next),
        None => schema,
    }
}

/// Whether a pattern of the schema matches a text, as a validator of JSON Schemas sees it.
#[cfg(test)]
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let schema = serde_json::json!({ "type": "string", "pattern": pattern });
    jsonschema::JSONSchema::compile(&schema).unwrap().is_valid(&text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_and_the_reference_are_in_step() {
        let committed: Value =
            serde_json::from_str(include_str!("../../docs/definition.schema.json")).unwrap();
        assert!(committed == json_schema(), "the committed schema is old: run `make schema`");
        let reference = include_str!("../../docs/definition.md");
        let sections = sections();
        assert!(sections.len() >= 11);
        for section in sections {
            let heading = match section.path.as_str() {
                "" => "## The file".to_owned(),
                "tables" => "## `[[tables]]`".to_owned(),
                path => format!("## `[{path}]`"),
            };
            let start = reference.find(&heading).unwrap_or_else(|| panic!("no {heading}"));
            let part = &reference[start..];
            let part = &part[..part[3..].find("\n## ").map_or(part.len(), |end| end + 3)];
            for key in section.keys() {
                assert!(part.contains(&format!("| `{key}` |")), "{heading} has no `{key}`");
            }
        }
    }
}
