//! Forms: what a value of each key may look like, and what is said when it looks different.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;
use toml::{Table, Value};

use super::problem::suggest;

/// The value of a query parameter; what it may be is said when it is meant, not here.
#[derive(Debug, Clone)]
pub(super) struct RawFilter(pub(super) Value);

impl JsonSchema for RawFilter {
    fn schema_name() -> Cow<'static, str> {
        "Filter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = ["string", "number", "boolean"];
        json_schema!({
            "description": "One value, or a list of values. Dates are written as in TOML or as texts.",
            "anyOf": [{ "type": scalar }, { "type": "array", "items": { "type": scalar } }],
        })
    }
}

/// A place that holds the API key.
#[derive(Debug, Clone)]
pub(super) enum RawKeySource {
    Env(String),
    File { path: String, readable_by_others: bool },
    Command(Vec<String>),
}

impl JsonSchema for RawKeySource {
    fn schema_name() -> Cow<'static, str> {
        "KeySource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text =
            |description: &str| json_schema!({ "type": "string", "description": description });
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
                place("env", json!({ "env": text("An environment variable.") })),
                place("file", json!({
                    "file": text("A file whose content is the key. Only its owner may be able to read it."),
                    "readable_by_others": {
                        "type": "boolean",
                        "default": false,
                        "description": "Takes the file although others can read it, as mounted secrets often can.",
                    },
                })),
                place("command", json!({
                    "command": {
                        "type": "array",
                        "items": { "type": "string" },
                        "minItems": 1,
                        "description": "A program that prints the key, and its arguments.",
                    },
                })),
            ],
        })
    }
}

/// A date or a timestamp, as TOML has them or as a text.
#[derive(Debug, Clone)]
pub(super) struct RawInstant(pub(super) String);

impl JsonSchema for RawInstant {
    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Editors hand TOML's own dates to a schema as texts.
        json_schema!({
            "description": "A date or a timestamp, as in `2024-01-01` or `2024-01-01T06:00:00Z`.",
            "type": "string",
        })
    }
}

/// A count, or a share such as `0.1%`.
#[derive(Debug, Clone)]
pub(super) enum RawLimit {
    Count(u64),
    Share(String),
}

impl JsonSchema for RawLimit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A count, or a share such as `0.1%`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,4})?%$" },
            ],
        })
    }
}

/// A schema contract: one word for everything, or one for each kind of surprise.
#[derive(Debug, Clone, Default)]
pub(super) struct RawContract {
    pub(super) tables: Option<String>,
    pub(super) columns: Option<String>,
    pub(super) data_type: Option<String>,
}

impl JsonSchema for RawContract {
    fn schema_name() -> Cow<'static, str> {
        "Contract".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = |description: &str| {
            json_schema!({
                "description": description,
                "enum": ["evolve", "freeze", "discard_row", "discard_value"],
            })
        };
        json_schema!({
            "description": "What happens when an export holds what the schema does not, for everything or for each kind: it takes it in, the run ends, or the record or the value goes to quarantine.",
            "anyOf": [
                word("For everything."),
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "tables": word("A list that is no child table yet."),
                        "columns": word("A value that is no column yet."),
                        "data_type": word("A value of another type than its column."),
                    },
                },
            ],
        })
    }
}

/// A column: its type alone, or a section of what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct RawColumn {
    pub(super) column_type: Option<String>,
    pub(super) from: Option<String>,
    pub(super) exclude: bool,
    pub(super) formats: Vec<String>,
    pub(super) description: Option<String>,
}

impl JsonSchema for RawColumn {
    fn schema_name() -> Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let types = "bool, int64, float64, decimal(p,s), date, timestamp, string, or list<…> of one of these";
        let type_schema = json_schema!({
            "type": "string",
            "description": format!("The column's type: {types}. A record that does not fit goes to quarantine."),
            "pattern": r"^\s*(list\s*<\s*)?(bool|int64|float64|decimal\s*\(\s*[0-9]+\s*,\s*[0-9]+\s*\)|date|timestamp|string)(\s*>)?\s*$",
        });
        json_schema!({
            "description": "A column: its type alone, or a section of what is known of it.",
            "anyOf": [
                type_schema,
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "type": type_schema,
                        "from": {
                            "type": "string",
                            "description": "JSON Pointer to the value in the record, when the column's name does not say it.",
                            "examples": ["/supplier/name"],
                        },
                        "exclude": {
                            "type": "boolean",
                            "description": "Leaves the value out, with everything below it.",
                            "default": false,
                        },
                        "formats": {
                            "type": "array",
                            "items": { "type": "string" },
                            "description": "How dates or timestamps are written when not as ISO 8601 has them, in the words of strftime; the first that fits is taken.",
                            "examples": [["%d.%m.%Y"]],
                        },
                        "description": {
                            "type": "string",
                            "description": "For people; goes into the metadata of the files.",
                        },
                    },
                },
            ],
        })
    }
}

/// A check: the word of its rule with the column that it is about, and what else the rule takes.
#[derive(Debug, Clone, Default)]
pub(super) struct RawCheck {
    /// The words of rules in it, each with its columns. There is to be one.
    pub(super) rules: Vec<(&'static str, Vec<String>)>,
    pub(super) values: Option<Vec<String>>,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    pub(super) pattern: Option<String>,
    pub(super) to: Option<String>,
    pub(super) equals: Option<String>,
    pub(super) tolerance: Option<String>,
    pub(super) on_failure: Option<String>,
}

impl JsonSchema for RawCheck {
    fn schema_name() -> Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let on_failure = json!({
            "description": "What is done about a row that breaks it: its record goes to quarantine, it is loaded and counted, or the run ends.",
            "enum": ["quarantine", "warn", "fail"],
            "default": "quarantine",
        });
        let text = |description: &str| json!({ "type": "string", "description": description });
        let scalar = |description: &str| json!({ "type": ["string", "number", "boolean"], "description": description });
        let check = |rule: &str,
                     schema: serde_json::Value,
                     more: &[(&str, serde_json::Value)],
                     required: &[&str]| {
            let mut properties = serde_json::Map::new();
            properties.insert(rule.to_owned(), schema);
            properties.extend(more.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())));
            properties.insert("on_failure".to_owned(), on_failure.clone());
            let required: Vec<&str> = std::iter::once(&rule).chain(required).copied().collect();
            json_schema!({
                "type": "object",
                "additionalProperties": false,
                "required": required,
                "properties": properties,
            })
        };
        let column = || text("The column.");
        let values = json!({
            "type": "array",
            "items": { "type": ["string", "number", "boolean"] },
            "description": "The values there may be.",
        });
        let columns = json!({
            "description": "The column, or the columns that are unique together.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
        });
        json_schema!({
            "description": "What the rows of a table have to be like.",
            "anyOf": [
                check("not_null", column(), &[], &[]),
                check("unique", columns, &[], &[]),
                check("accepted_values", column(), &[("values", values)], &["values"]),
                check("range", column(), &[("min", scalar("The least value.")), ("max", scalar("The greatest value."))], &[]),
                check("matches", column(), &[("pattern", text("A regular expression for the whole value."))], &["pattern"]),
                check("references", column(), &[("to", text("A column of another table of the same record, as in `lots.id`."))], &["to"]),
                check(
                    "sum",
                    text("The column of a child table that is added up, as in `lines.amount`."),
                    &[
                        ("equals", text("The column that the sum has to be equal to.")),
                        ("tolerance", scalar("By how much the two may differ; not at all by default.")),
                    ],
                    &["equals"],
                ),
            ],
        })
    }
}

/// A value that does not look as its key wants it.
#[derive(Debug, Clone)]
pub(super) struct TypeMismatch {
    pub(super) message: String,
    pub(super) help: String,
}

/// The form of a value, read from TOML.
pub(super) trait TomlForm: Sized {
    /// What it has to be, as in "this has to be a text".
    const NAME: &'static str;
    /// What to write instead.
    const HELP: &'static str;

    /// The value, if it has this form.
    fn accept(value: &Value) -> Option<Self>;

    /// The value, or what is wrong with it.
    fn read(value: Value) -> Result<Self, TypeMismatch> {
        Self::accept(&value).ok_or_else(|| TypeMismatch {
            message: format!("this has to be {}, and it is {}", Self::NAME, name_of(&value)),
            help: Self::HELP.to_owned(),
        })
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(number) if *number < 0 => "a negative number",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

impl TomlForm for i64 {
    const NAME: &'static str = "a whole number";
    const HELP: &'static str = "write it without quotes, as in `1`";

    fn accept(value: &Value) -> Option<Self> {
        value.as_integer()
    }
}

impl TomlForm for usize {
    const NAME: &'static str = "a whole number that is not negative";
    const HELP: &'static str = "write it without quotes, as in `14`";

    fn accept(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl TomlForm for bool {
    const NAME: &'static str = "true or false";
    const HELP: &'static str = "write it without quotes, as in `true`";

    fn accept(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl TomlForm for String {
    const NAME: &'static str = "a text";
    const HELP: &'static str = "put it in double quotes";

    fn accept(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl TomlForm for Vec<String> {
    const NAME: &'static str = "a list of texts";
    const HELP: &'static str = "put it in brackets, as in `[\"id\"]`";

    fn accept(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::accept).collect()
    }
}

impl TomlForm for RawFilter {
    const NAME: &'static str = "a value, or a list of values";
    const HELP: &'static str = "write for example `[\"approved\", \"sent\"]`";

    fn accept(value: &Value) -> Option<Self> {
        Some(Self(value.clone()))
    }
}

impl TomlForm for Vec<RawKeySource> {
    const NAME: &'static str = "a list of places that hold the key";
    const HELP: &'static str = "write `[{ env = \"PROCUREMENTFLOW_API_KEY\" }]`";

    fn accept(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(key_source).collect()
    }
}

fn key_source(value: &Value) -> Option<RawKeySource> {
    let members = value.as_table()?;
    let known = |keys: &[&str]| members.keys().all(|key| keys.contains(&key.as_str()));
    if let Some(name) = members.get("env") {
        return Some(RawKeySource::Env(String::accept(name)?)).filter(|_| known(&["env"]));
    }
    if let Some(words) = members.get("command") {
        let words = Vec::<String>::accept(words)?;
        return Some(RawKeySource::Command(words)).filter(|_| known(&["command"]));
    }
    let path = String::accept(members.get("file")?)?;
    let readable_by_others =
        members.get("readable_by_others").map_or(Some(false), Value::as_bool)?;
    let source = RawKeySource::File { path, readable_by_others };
    Some(source).filter(|_| known(&["file", "readable_by_others"]))
}

impl TomlForm for RawInstant {
    const NAME: &'static str = "a date or a timestamp";
    const HELP: &'static str = "write `2024-01-01` or `2024-01-01T06:00:00Z`";

    fn accept(value: &Value) -> Option<Self> {
        match value {
            Value::Datetime(moment) => Some(Self(moment.to_string())),
            Value::String(text) => Some(Self(text.clone())),
            _ => None,
        }
    }
}

impl TomlForm for RawLimit {
    const NAME: &'static str = "a count or a share";
    const HELP: &'static str = "write `100` or `\"0.1%\"`";

    fn accept(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(count) => Some(Self::Count((*count).try_into().ok()?)),
            Value::String(share) => Some(Self::Share(share.clone())),
            _ => None,
        }
    }
}

const CONTRACT_KEYS: [&str; 3] = ["tables", "columns", "data_type"];

impl TomlForm for RawContract {
    const NAME: &'static str = "a word, or a section of `tables`, `columns` and `data_type`";
    const HELP: &'static str = "write `\"freeze\"` or `{ columns = \"freeze\" }`";

    fn accept(value: &Value) -> Option<Self> {
        let word = Some(value.as_str()?.to_owned());
        Some(Self { tables: word.clone(), columns: word.clone(), data_type: word })
    }

    fn read(value: Value) -> Result<Self, TypeMismatch> {
        let Value::Table(members) = &value else {
            return Self::accept(&value).ok_or_else(|| TypeMismatch {
                message: format!("this has to be {}, and it is {}", Self::NAME, name_of(&value)),
                help: Self::HELP.to_owned(),
            });
        };
        let mut contract = Self::default();
        for (key, value) in members {
            let place = match key.as_str() {
                "tables" => &mut contract.tables,
                "columns" => &mut contract.columns,
                "data_type" => &mut contract.data_type,
                _ => {
                    return Err(TypeMismatch {
                        message: format!("a contract has no key `{key}`"),
                        help: suggest(key, &CONTRACT_KEYS),
                    });
                }
            };
            *place = Some(member(key, value)?);
        }
        Ok(contract)
    }
}

impl TomlForm for RawColumn {
    const NAME: &'static str = "a type, or a section of what is known of the column";
    const HELP: &'static str =
        "write `\"timestamp\"` or `{ type = \"decimal(18,2)\", from = \"/totalAmount\" }`";

    fn accept(value: &Value) -> Option<Self> {
        match value {
            Value::String(column_type) => {
                Some(Self { column_type: Some(column_type.clone()), ..Self::default() })
            }
            _ => None,
        }
    }

    fn read(value: Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::Table(members) => column_of(&members),
            other => Self::accept(&other).ok_or_else(|| TypeMismatch {
                message: format!("a column is {}, and this is {}", Self::NAME, name_of(&other)),
                help: Self::HELP.to_owned(),
            }),
        }
    }
}

const COLUMN_KEYS: [&str; 5] = ["type", "from", "exclude", "formats", "description"];

fn column_of(members: &Table) -> Result<RawColumn, TypeMismatch> {
    let mut column = RawColumn::default();
    for (key, value) in members {
        match key.as_str() {
            "type" => column.column_type = Some(member(key, value)?),
            "from" => column.from = Some(member(key, value)?),
            "description" => column.description = Some(member(key, value)?),
            "exclude" => column.exclude = flag(value)?,
            "formats" => column.formats = texts(key, value)?,
            _ => {
                return Err(TypeMismatch {
                    message: format!("a column has no key `{key}`"),
                    help: suggest(key, &COLUMN_KEYS),
                });
            }
        }
    }
    Ok(column)
}

impl TomlForm for Vec<RawCheck> {
    const NAME: &'static str = "a list of checks";
    const HELP: &'static str = "write `checks = [{ not_null = \"supplier_id\" }]`";

    fn accept(_: &Value) -> Option<Self> {
        None
    }

    fn read(value: Value) -> Result<Self, TypeMismatch> {
        let wrong = |value: &Value| TypeMismatch {
            message: format!("this has to be {}, and it is {}", Self::NAME, name_of(value)),
            help: Self::HELP.to_owned(),
        };
        let Value::Array(items) = &value else { return Err(wrong(&value)) };
        items.iter().map(|item| check_of(item.as_table().ok_or_else(|| wrong(item))?)).collect()
    }
}

const CHECK_KEYS: [&str; 15] = [
    "not_null",
    "unique",
    "accepted_values",
    "range",
    "matches",
    "references",
    "sum",
    "values",
    "min",
    "max",
    "pattern",
    "to",
    "equals",
    "tolerance",
    "on_failure",
];

fn check_of(members: &Table) -> Result<RawCheck, TypeMismatch> {
    let mut check = RawCheck::default();
    for (key, value) in members {
        match key.as_str() {
            "values" => check.values = Some(scalars(key, value)?),
            "min" => check.min = Some(scalar(key, value)?),
            "max" => check.max = Some(scalar(key, value)?),
            "tolerance" => check.tolerance = Some(scalar(key, value)?),
            "pattern" => check.pattern = Some(member(key, value)?),
            "to" => check.to = Some(member(key, value)?),
            "equals" => check.equals = Some(member(key, value)?),
            "on_failure" => check.on_failure = Some(member(key, value)?),
            "unique" if value.is_array() => check.rules.push(("unique", texts(key, value)?)),
            _ => match CHECK_KEYS[..7].iter().find(|rule| **rule == key) {
                Some(rule) => check.rules.push((*rule, vec![member(key, value)?])),
                None => {
                    return Err(TypeMismatch {
                        message: format!("a check has no key `{key}`"),
                        help: suggest(key, &CHECK_KEYS),
                    });
                }
            },
        }
    }
    Ok(check)
}

/// A text, a number, true or false, or a date, as text.
fn scalar(key: &str, value: &Value) -> Result<String, TypeMismatch> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Ok(value.to_string())
        }
        Value::Array(_) | Value::Table(_) => Err(TypeMismatch {
            message: format!("`{key}` has to be one value, and it is {}", name_of(value)),
            help: "write a number, or a text in double quotes".to_owned(),
        }),
    }
}

fn scalars(key: &str, value: &Value) -> Result<Vec<String>, TypeMismatch> {
    let wrong = || TypeMismatch {
        message: format!("`{key}` has to be a list of values, and it is {}", name_of(value)),
        help: "put them in brackets, as in `[\"approved\", \"sent\"]`".to_owned(),
    };
    value.as_array().ok_or_else(wrong)?.iter().map(|item| scalar(key, item)).collect()
}

fn member(key: &str, value: &Value) -> Result<String, TypeMismatch> {
    String::accept(value).ok_or_else(|| TypeMismatch {
        message: format!("`{key}` has to be a text, and it is {}", name_of(value)),
        help: String::HELP.to_owned(),
    })
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, TypeMismatch> {
    Vec::<String>::accept(value).ok_or_else(|| TypeMismatch {
        message: format!("`{key}` has to be a list of texts, and it is {}", name_of(value)),
        help: Vec::<String>::HELP.to_owned(),
    })
}

fn flag(value: &Value) -> Result<bool, TypeMismatch> {
    value.as_bool().ok_or_else(|| TypeMismatch {
        message: format!("`exclude` has to be true or false, and it is {}", name_of(value)),
        help: "write `exclude = true`".to_owned(),
    })
}
