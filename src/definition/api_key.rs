//! `source.api_key`: where the API key is. The key itself is never part of a definition.

use std::fmt;
use std::path::PathBuf;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;
use toml::Value;

use super::checker::Checker;
use super::field::{Field, FromToml, List, Members, TypeMismatch};
use super::problem::Problem;

/// A place that may hold the API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file whose content is the key.
    File {
        /// The file.
        path: PathBuf,
        /// Whether the file is accepted when other users can read it, as mounted secrets often can be.
        readable_by_others: bool,
    },
    /// A program that prints the key.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// The environment variables that it gets besides those that say who and where it is.
        environment: Vec<String>,
    },
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            // Its arguments may hold a secret.
            Self::Command { .. } => f.write_str("the command of `api_key`"),
        }
    }
}

const DEFAULT_VARIABLES: [&str; 2] = ["PROCUREMENTFLOW_API_KEY", "PROCUREMENTFLOW_API_KEY_NEXT"];

/// The variables that are read when a definition does not say where the key is.
fn default_sources() -> Vec<KeySource> {
    DEFAULT_VARIABLES.map(|name| KeySource::Env(name.to_owned())).to_vec()
}

impl FromToml for KeySource {
    const LIST_EXAMPLE: &'static str = "[{ env = \"PROCUREMENTFLOW_API_KEY\" }]";

    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        const HELP: &str = "write `{ env = \"PROCUREMENTFLOW_API_KEY\" }`";
        let mismatch = || TypeMismatch::new("not a place that holds the key", HELP);
        let table = value.as_table().ok_or_else(mismatch)?;
        let mut members = Members::new("a key source", table);
        let source = if let Some(name) = members.take("env")? {
            Self::Env(name)
        } else if let Some(words) = members.take_list("command")? {
            let environment = members.take_list("environment")?.unwrap_or_default();
            Self::Command { words, environment }
        } else {
            let path: String = members.take("file")?.ok_or_else(mismatch)?;
            let readable_by_others = members.take("readable_by_others")?.unwrap_or_default();
            Self::File { path: PathBuf::from(path), readable_by_others }
        };
        members.finish()?;
        Ok(source)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let place = |key: &str, properties: serde_json::Value| {
            json_schema!({
                "type": "object",
                "additionalProperties": false,
                "required": [key],
                "properties": properties,
            })
        };
        json_schema!({
            "description": "A place that holds the API key; never the key itself.",
            "anyOf": [
                place("env", json!({ "env": {
                    "type": "string",
                    "pattern": "^[A-Z0-9_]+$",
                    "description": "An environment variable.",
                } })),
                place("file", json!({
                    "file": {
                        "type": "string",
                        "pattern": "/",
                        "description": "A file whose content is the key, with its directory. Only its owner may be able to read it.",
                    },
                    "readable_by_others": {
                        "type": "boolean",
                        "default": false,
                        "description": "Accepts the file although others can read it, as mounted secrets often can be.",
                    },
                })),
                place("command", json!({
                    "command": {
                        "type": "array",
                        "items": { "type": "string" },
                        "description": "A program that prints the key, and its arguments.",
                    },
                    "environment": {
                        "type": "array",
                        "items": { "type": "string", "pattern": "^[A-Za-z0-9_]+$" },
                        "default": [],
                        "description": "The environment variables that the program needs, as `VAULT_ADDR`.",
                    },
                })),
            ],
        })
    }
}

/// The places of the key. A wrong value may be the key itself: neither it nor the reason is shown.
pub(super) fn check(
    field: Option<Field<List<KeySource>>>,
    checker: &mut Checker<'_>,
) -> Vec<KeySource> {
    const KEY: &str = "source.api_key";
    checker.key_variables = DEFAULT_VARIABLES.map(str::to_owned).to_vec();
    let Some(Field { value, span }) = field else { return default_sources() };
    let sources: Result<Vec<KeySource>, TypeMismatch> =
        value.and_then(|List(sources)| sources.into_iter().collect());
    let Some(sources) = sources.ok().filter(|sources| !sources.is_empty()) else {
        let message = "a definition says where the key is, never what it is";
        let help = "write `api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\" }]`, \
                    or `{ file = \"/run/secrets/procurementflow\" }`, or `{ command = [\"pass\", \"show\", \"procurementflow\"] }`";
        checker.problems.push(Problem::at(span, KEY, message, help).hiding_the_line());
        return default_sources();
    };
    if sources.iter().any(may_be_the_key) {
        let message = "not the name of a variable or the path of a file";
        let help = "write a variable's name in capitals, and a file with its directory: `/run/secrets/procurementflow`";
        checker.problems.push(Problem::at(span, KEY, message, help).hiding_the_line());
        return default_sources();
    }
    checker.key_variables.extend(sources.iter().filter_map(|source| match source {
        KeySource::Env(name) => Some(name.clone()),
        KeySource::File { .. } | KeySource::Command { .. } => None,
    }));
    sources
}

/// Whether the key itself may stand where its place should be. Messages show names and paths, so these have to look
/// like names and paths.
fn may_be_the_key(source: &KeySource) -> bool {
    match source {
        KeySource::Env(name) => !is_variable(name),
        KeySource::File { path, .. } => !path.to_string_lossy().contains('/'),
        KeySource::Command { environment, .. } => {
            !environment.iter().all(|name| is_variable(&name.to_ascii_uppercase()))
        }
    }
}

fn is_variable(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<KeySource, TypeMismatch> {
        let table: toml::Table = format!("key = {toml}").parse().unwrap();
        KeySource::read(&table["key"])
    }

    #[test]
    fn each_place_has_its_own_key() {
        assert_eq!(read("{ env = \"A\" }"), Ok(KeySource::Env("A".to_owned())));
        let command = vec!["pass".to_owned(), "show".to_owned()];
        let source = KeySource::Command { words: command.clone(), environment: Vec::new() };
        assert_eq!(read("{ command = [\"pass\", \"show\"] }"), Ok(source));
        let environment = vec!["VAULT_ADDR".to_owned()];
        let source = KeySource::Command { words: command, environment };
        let text = "{ command = [\"pass\", \"show\"], environment = [\"VAULT_ADDR\"] }";
        assert_eq!(read(text), Ok(source));
        let file = KeySource::File { path: "/a".into(), readable_by_others: true };
        assert_eq!(read("{ file = \"/a\", readable_by_others = true }"), Ok(file));
        for wrong in
            ["\"pf_key\"", "{}", "{ key = \"a\" }", "{ env = \"A\", file = \"/a\" }", "{ env = 1 }"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
