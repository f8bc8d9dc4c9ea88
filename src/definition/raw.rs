//! The definition as typed: which keys there are and what form their values have, and nothing else.
//!
//! A wrong value does not end the reading: each leaf is a [`Field`] that keeps its own error, so that one
//! look at a file finds every mistake in it.

use std::borrow::Cow;
use std::ops::Range;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

use super::destination::{self, RawDestination};
use super::form::{
    RawCheck, RawColumn, RawContract, RawFilter, RawInstant, RawKeySource, RawLimit, TomlForm,
    TypeMismatch,
};
use super::problem::{Exposure, Problem, Severity, nearest, suggest};

/// A value, or why it has the wrong form, with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Field<T> {
    pub(super) value: Result<T, TypeMismatch>,
    pub(super) span: Range<usize>,
}

impl<'de, T: TomlForm> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<toml::Value>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { value: T::read(spanned.into_inner()), span })
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A flowlake pipeline: which export to pull, and where and how to keep it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Definition", deny_unknown_fields)]
pub(super) struct RawDefinition {
    /// The form of this file.
    #[schemars(required, extend("enum" = [1]))]
    pub(super) version: Option<Field<i64>>,
    /// What runs, reports and messages call the pipeline.
    #[schemars(required, extend("examples" = ["purchasing"]))]
    pub(super) name: Option<Field<String>>,
    /// For people.
    pub(super) description: Option<Field<String>>,
    /// Where the export comes from.
    #[schemars(required)]
    pub(super) source: Option<RawSource>,
    /// Where the tables are kept.
    #[schemars(required)]
    pub(super) destination: Option<RawDestination>,
    /// How long exports are kept as received.
    pub(super) landing: Option<RawLanding>,
    /// What an export has to hold, so that the tables may be changed at all.
    pub(super) limits: Option<RawLimits>,
    /// What is true of every table that does not say otherwise.
    pub(super) defaults: Option<RawDefaults>,
    /// The tables and child tables. Without any, the only array of the export becomes a table called like the
    /// pipeline.
    #[serde(default)]
    pub(super) tables: Vec<RawTable>,
}

/// The export API, as this pipeline asks it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Source", deny_unknown_fields)]
pub(super) struct RawSource {
    /// Which export: purchase requisitions and orders, or e-sourcing events.
    #[schemars(extend("enum" = ["purchasing", "e-sourcing"]))]
    pub(super) endpoint: Option<Field<String>>,
    /// The organisation, from Company Details. `${NAME}` and `${NAME:-default}` are the environment.
    #[schemars(extend("examples" = ["${PROCUREMENTFLOW_ORGANISATION_ID}"]))]
    pub(super) organisation_id: Option<Field<String>>,
    /// The whole path, in place of endpoint and organisation, for an export that is not one of the two.
    #[schemars(extend("examples" = ["/api/export/all/${PROCUREMENTFLOW_ORGANISATION_ID}"]))]
    pub(super) path: Option<Field<String>>,
    /// Scheme and host: the only host that is ever sent the key. Plain http is for loopback only.
    #[schemars(extend("default" = "https://go.procurementflow.com"))]
    pub(super) base_url: Option<Field<String>>,
    /// Places that hold the API key, tried in order; never the key itself. By default the variables
    /// `PROCUREMENTFLOW_API_KEY` and `PROCUREMENTFLOW_API_KEY_NEXT`.
    #[schemars(extend("examples" = [[{ "env": "PROCUREMENTFLOW_API_KEY" }, { "file": "/run/secrets/procurementflow" }]]))]
    pub(super) api_key: Option<Field<Vec<RawKeySource>>>,
    /// Query parameters, named exactly as your account documents them: texts, numbers, true or false, dates,
    /// or lists of these.
    #[serde(default)]
    pub(super) filters: IndexMap<String, Field<RawFilter>>,
    /// How a list is sent: `a=1&a=2`, `a=1,2` or `a[]=1&a[]=2`.
    #[schemars(extend("enum" = ["repeat", "comma", "brackets"], "default" = "repeat"))]
    pub(super) list_style: Option<Field<String>>,
    /// Request headers besides those that flowlake sends by itself. Never a secret.
    #[serde(default)]
    pub(super) headers: IndexMap<String, Field<String>>,
    /// The part of the data that a run asks for. Without it a run asks for everything.
    pub(super) window: Option<RawWindow>,
    /// How long to wait.
    pub(super) timeouts: Option<RawTimeouts>,
    /// How often to ask again.
    pub(super) retry: Option<RawRetry>,
    /// The most requests in any minute; as many as are needed when left out.
    #[schemars(extend("minimum" = 1))]
    pub(super) requests_per_minute: Option<Field<usize>>,
}

/// The part of the data that a run asks for: from the end of the last window to now.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Window", deny_unknown_fields)]
pub(super) struct RawWindow {
    /// Where the first run begins: a date or a timestamp, in UTC unless it says otherwise.
    #[schemars(required)]
    pub(super) start: Option<Field<RawInstant>>,
    /// Each run reads this much again, for what arrived late. An ISO 8601 duration.
    #[schemars(extend("examples" = ["P2D"], "default" = "P0D"))]
    pub(super) lookback: Option<Field<String>>,
    /// A longer window is asked for in pieces of this length. An ISO 8601 duration.
    #[schemars(extend("examples" = ["P1M"]))]
    pub(super) step: Option<Field<String>>,
}

/// How long to wait: ISO 8601 durations.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Timeouts", deny_unknown_fields)]
pub(super) struct RawTimeouts {
    /// For a connection.
    #[schemars(extend("default" = "PT15S"))]
    pub(super) connect: Option<Field<String>>,
    /// For the next byte of an answer.
    #[schemars(extend("default" = "PT5M"))]
    pub(super) idle: Option<Field<String>>,
    /// For one whole answer, to its last byte.
    #[schemars(extend("default" = "PT2H"))]
    pub(super) total: Option<Field<String>>,
}

/// How often to ask again when the source does not answer, or answers that it cannot now.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Retry", deny_unknown_fields)]
pub(super) struct RawRetry {
    /// The most requests for one response, the first one included.
    #[schemars(extend("default" = 6, "minimum" = 1))]
    pub(super) max_attempts: Option<Field<usize>>,
    /// No request is begun later than this after the first one. An ISO 8601 duration.
    #[schemars(extend("default" = "PT15M"))]
    pub(super) elapsed: Option<Field<String>>,
    /// The longest wait between two requests, also when the source asks for a longer one. An ISO 8601 duration.
    #[schemars(extend("default" = "PT5M"))]
    pub(super) longest_wait: Option<Field<String>>,
}

/// What an export has to hold, so that the tables may be changed at all.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Limits", deny_unknown_fields)]
pub(super) struct RawLimits {
    /// The most records that may go to quarantine: a count, or a share of the export. Beyond it the run
    /// changes nothing and exits 3.
    #[schemars(extend("examples" = ["0.1%"]))]
    pub(super) max_quarantined: Option<Field<RawLimit>>,
    /// The fewest records of each table without a parent. Below it the run changes nothing and exits 6.
    pub(super) min_records: Option<Field<usize>>,
    /// The most that a table may shrink by from one full export to the next. Beyond it the run changes nothing
    /// and exits 6.
    #[schemars(extend("examples" = ["50%"]))]
    pub(super) max_shrink: Option<Field<RawLimit>>,
    /// The largest answer to one request, decompressed. Beyond it the run changes nothing and exits 6.
    #[schemars(extend("default" = "64GB"))]
    pub(super) max_size: Option<Field<String>>,
    /// The most partitions that one run may write. Beyond it the run changes nothing and exits 6.
    #[schemars(extend("default" = 5000))]
    pub(super) max_partitions: Option<Field<usize>>,
}

/// What is true of every table that does not say otherwise.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Defaults", deny_unknown_fields)]
pub(super) struct RawDefaults {
    /// The `primary_key` of tables without a parent.
    pub(super) primary_key: Option<Field<Vec<String>>>,
    /// The `cursor` of tables without a parent.
    pub(super) cursor: Option<Field<String>>,
    /// The `write_disposition` of tables without a parent.
    #[schemars(extend("enum" = ["replace", "append", "merge"], "default" = "replace"))]
    pub(super) write_disposition: Option<Field<String>>,
    /// The `partition_by` of tables without a parent.
    pub(super) partition_by: Option<Field<Vec<String>>>,
    /// The `sort_by` of tables without a parent.
    pub(super) sort_by: Option<Field<Vec<String>>>,
    /// The `nested` of tables without a parent.
    #[schemars(extend("enum" = ["tables", "json"], "default" = "tables"))]
    pub(super) nested: Option<Field<String>>,
    /// The `schema_contract` of all tables.
    pub(super) schema_contract: Option<Field<RawContract>>,
    /// The `null_values` of tables without a parent.
    pub(super) null_values: Option<Field<Vec<String>>>,
}

/// How long exports are kept as received.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Landing", deny_unknown_fields)]
pub(super) struct RawLanding {
    /// The exports of the last so many runs; 0 keeps none.
    #[schemars(extend("default" = 14))]
    pub(super) keep: Option<Field<usize>>,
}

/// A table, or a child table: the list inside each record of its parent.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Table", deny_unknown_fields)]
pub(super) struct RawTable {
    /// The table's name, which is its directory.
    #[schemars(required, extend("examples" = ["purchase_orders"]))]
    pub(super) name: Option<Field<String>>,
    /// For people; goes into the metadata of the files.
    pub(super) description: Option<Field<String>>,
    /// For a child table, the table whose records hold it.
    #[schemars(extend("examples" = ["purchase_orders"]))]
    pub(super) parent: Option<Field<String>>,
    /// JSON Pointer (RFC 6901) to the array: in the export, or for a child table in the parent's record. Left
    /// out, the only array of the export is taken; the empty pointer is the whole export.
    #[schemars(extend("examples" = ["/purchaseOrders"]))]
    pub(super) records: Option<Field<String>>,
    /// The columns that name a row; child tables carry them. Without it a row gets `_flowlake_id`, a hash of
    /// its record.
    #[schemars(extend("examples" = [["id"]]))]
    pub(super) primary_key: Option<Field<Vec<String>>>,
    /// The column that tells which of several records with the same key in one export is the latest. That one is
    /// loaded; without a cursor all are.
    #[schemars(extend("examples" = ["updated_at"]))]
    pub(super) cursor: Option<Field<String>>,
    /// What a run does with the rows that are there: `replace` them with the export's, `append` to them, or `merge`:
    /// replace those whose `primary_key` the export has, and add the others.
    #[schemars(extend("enum" = ["replace", "append", "merge"], "default" = "replace"))]
    pub(super) write_disposition: Option<Field<String>>,
    /// What a merge does with records that a full export does not have any more.
    #[schemars(extend("enum" = ["ignore", "mark", "remove"], "default" = "ignore"))]
    pub(super) deletes: Option<Field<String>>,
    /// Whether a merge keeps the rows that others take the place of: each with `_flowlake_valid_from` and
    /// `_flowlake_valid_to`.
    #[schemars(extend("default" = false))]
    pub(super) history: Option<Field<bool>>,
    /// Hive partitions, outermost first: a column, or `year()`, `month()` or `day()` of one. Child tables lie
    /// in the partitions of their records.
    #[schemars(extend("examples" = [["month(created_at)"]]))]
    pub(super) partition_by: Option<Field<Vec<String>>>,
    /// The order of rows within a file; without it, the order of the export.
    #[schemars(extend("examples" = [["created_at", "id"]]))]
    pub(super) sort_by: Option<Field<Vec<String>>>,
    /// What becomes of the objects and lists in the records: columns and child tables, or texts of JSON.
    #[schemars(extend("enum" = ["tables", "json"], "default" = "tables"))]
    pub(super) nested: Option<Field<String>>,
    /// What happens when an export holds what the table's schema does not: new child tables, new columns, values
    /// of another type. A child table has its parent's unless it says otherwise.
    #[schemars(extend("examples" = ["freeze", { "columns": "freeze" }]))]
    pub(super) schema_contract: Option<Field<RawContract>>,
    /// Texts that mean that there is no value, in the records and all that is in them.
    #[schemars(extend("examples" = [["", "n/a"]]))]
    pub(super) null_values: Option<Field<Vec<String>>>,
    /// What the rows have to be like, besides their types.
    #[schemars(extend("examples" = [[{ "not_null": "supplier_id" }, { "range": "total_amount", "min": 0, "on_failure": "warn" }]]))]
    pub(super) checks: Option<Field<Vec<RawCheck>>>,
    /// What is known of columns, by their names in the table. Columns that are not named here are there all
    /// the same.
    #[serde(default)]
    pub(super) columns: IndexMap<String, Field<RawColumn>>,
}

/// Every key that a section may hold, by the section's path with list positions taken out.
const KEYS: [(&str, &[&str]); 9] = [
    (
        "",
        &[
            "version",
            "name",
            "description",
            "source",
            "destination",
            "landing",
            "limits",
            "defaults",
            "tables",
        ],
    ),
    (
        "source",
        &[
            "endpoint",
            "organisation_id",
            "path",
            "base_url",
            "api_key",
            "filters",
            "list_style",
            "headers",
            "window",
            "timeouts",
            "retry",
            "requests_per_minute",
        ],
    ),
    ("source.window", &["start", "lookback", "step"]),
    ("source.timeouts", &["connect", "idle", "total"]),
    ("source.retry", &["max_attempts", "elapsed", "longest_wait"]),
    ("landing", &["keep"]),
    ("limits", &["max_quarantined", "min_records", "max_shrink", "max_size", "max_partitions"]),
    (
        "defaults",
        &[
            "primary_key",
            "cursor",
            "write_disposition",
            "partition_by",
            "sort_by",
            "nested",
            "schema_contract",
            "null_values",
        ],
    ),
    (
        "tables",
        &[
            "name",
            "description",
            "parent",
            "records",
            "primary_key",
            "cursor",
            "write_disposition",
            "deletes",
            "history",
            "partition_by",
            "sort_by",
            "nested",
            "schema_contract",
            "null_values",
            "checks",
            "columns",
        ],
    ),
];

/// The keys of every section: those above, and those of the destination, which the kinds of store define.
fn sections() -> Vec<(String, Vec<&'static str>)> {
    let own = KEYS.iter().map(|(section, keys)| ((*section).to_owned(), keys.to_vec()));
    own.chain(destination::known_keys()).collect()
}

impl RawDefinition {
    /// Reads the text, noting what is not TOML, what is not a key of ours and what has the wrong form.
    pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let deserializer = match toml::Deserializer::parse(text) {
            Ok(deserializer) => deserializer,
            Err(error) => {
                problems.push(not_toml(text, &error));
                return None;
            }
        };
        let mut unknown = Vec::new();
        let read = serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()));
        // The path of an optional section has a `?` in it.
        problems.extend(unknown.iter().map(|path| unknown_key(text, &path.replace(".?", ""))));
        read.map_err(|error| problems.push(wrong_section(&error))).ok()
    }
}

fn not_toml(text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message().lines().next().unwrap_or_default();
    let reason = match message {
        _ if message.starts_with("duplicate key") => "this stands here for the second time",
        _ if message.starts_with("unclosed") => "something that was opened is not closed",
        _ if message.contains("string") => "a text does not begin or end as it has to",
        _ => "this is not TOML",
    };
    let span = error.span().unwrap_or(0..0);
    let help = "definitions are TOML: texts stand in double quotes, `[section]` on a line of its own, each key once";
    let problem = Problem::at(span.clone(), "definition", reason, help);
    if may_hold_a_secret(text, span.start) { problem.hiding_the_line() } else { problem }
}

/// Whether the line around an offset sets something that sounds like a secret.
fn may_hold_a_secret(text: &str, offset: usize) -> bool {
    let start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().to_ascii_lowercase();
    ["key", "secret", "token", "passw", "auth"].iter().any(|word| key.contains(word))
}

fn wrong_section(error: &toml::de::Error) -> Problem {
    Problem::at(
        error.span().unwrap_or(0..0),
        "definition",
        "a section was expected here",
        "sections are written as `[source]`, `[destination]` and `[[tables]]`, with their keys on the lines below",
    )
}

fn unknown_key(text: &str, path: &str) -> Problem {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let section: Vec<&str> =
        section.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
    let section = section.join(".");
    let known = sections().into_iter().find(|(name, _)| *name == section);
    let known = known.map_or_else(Vec::new, |(_, keys)| keys);
    if let Some(variable) = destination::variable_for_secret(&section, key) {
        return Problem {
            span: find_key(text, path),
            key: shown_path(path),
            message: "a definition never holds a secret".to_owned(),
            help: format!("set the environment variable `{variable}` instead"),
            exposure: Exposure::Key,
            severity: Severity::Error,
        };
    }
    Problem {
        span: find_key(text, path),
        key: shown_path(path),
        message: "there is no such key".to_owned(),
        help: nearest(key, &known)
            .is_none()
            .then(|| elsewhere(key))
            .flatten()
            .unwrap_or_else(|| suggest(key, &known)),
        exposure: Exposure::Key,
        severity: Severity::Error,
    }
}

/// The section that a key was most likely meant for.
fn elsewhere(key: &str) -> Option<String> {
    let (section, candidate) = sections()
        .into_iter()
        .flat_map(|(section, keys)| keys.into_iter().map(move |key| (section.clone(), key)))
        .find(|(_, candidate)| strsim::normalized_damerau_levenshtein(key, candidate) > 0.8)?;
    let place = match section.as_str() {
        "" => "above all sections".to_owned(),
        "tables" => "in `[[tables]]`".to_owned(),
        _ => format!("in `[{section}]`"),
    };
    Some(format!("did you mean `{candidate}`, which stands {place}?"))
}

/// `tables[0].name` for `tables.0.name`.
fn shown_path(path: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for part in path.split('.') {
        match shown.last_mut() {
            Some(list) if part.parse::<usize>().is_ok() => *list = format!("{list}[{part}]"),
            _ => shown.push(part.to_owned()),
        }
    }
    shown.join(".")
}

/// Where the key at a dotted `path` stands in the text.
fn find_key(text: &str, path: &str) -> Option<Range<usize>> {
    use toml::de::{DeTable, DeValue};
    let document = DeTable::parse(text).ok()?;
    let mut parts = path.split('.').peekable();
    let mut table = document.get_ref();
    loop {
        let (key, value) = table.get_key_value(parts.next()?)?;
        if parts.peek().is_none() {
            return Some(key.span());
        }
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            DeValue::Array(items) => {
                match items.get(parts.next()?.parse::<usize>().ok()?)?.get_ref() {
                    DeValue::Table(inner) => inner,
                    _ => return None,
                }
            }
            _ => return None,
        };
    }
}

/// The JSON Schema of definitions, for editors.
pub(super) fn schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<RawDefinition>().to_value();
    remove_null(&mut schema);
    schema
}

/// TOML has no null: a key that may be left out is left out.
fn remove_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema["type"] == "null" || schema == "null";
    match schema {
        Value::Object(members) => {
            for alternatives in ["type", "anyOf"] {
                let Some(Value::Array(items)) = members.get_mut(alternatives) else { continue };
                items.retain(|item| !is_null(item));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema of a section: in its place, or where it is referred to.
    fn section<'s>(schema: &'s Value, name: &str) -> &'s Value {
        let name = name.rsplit('.').next().unwrap();
        let in_place = &schema["properties"][name];
        match name {
            "" => schema,
            "tables" => &schema["$defs"]["Table"],
            _ if in_place["properties"].is_object() => in_place,
            _ => &schema["$defs"][format!("{}{}", name[..1].to_uppercase(), &name[1..])],
        }
    }

    #[test]
    fn the_known_keys_are_those_of_the_schema() {
        let schema = schema();
        for (name, mut known) in sections() {
            known.sort_unstable();
            let described: Vec<&String> =
                section(&schema, &name)["properties"].as_object().unwrap().keys().collect();
            assert_eq!(described, known, "{name}");
        }
    }

    #[test]
    fn the_committed_schema_and_the_reference_are_in_step() {
        let committed: Value =
            serde_json::from_str(include_str!("../../docs/definition.schema.json")).unwrap();
        assert!(committed == schema(), "the committed schema is old: run `make schema`");
        let reference = include_str!("../../docs/definition.md");
        for (name, known) in sections() {
            let heading =
                if name.is_empty() { "## The file".to_owned() } else { format!("## `[{name}]`") };
            let heading = heading.replace("[tables]", "[[tables]]");
            let start = reference.find(&heading).unwrap_or_else(|| panic!("no {heading}"));
            let part = &reference[start..];
            let part = &part[..part[3..].find("\n## ").map_or(part.len(), |end| end + 3)];
            for key in known {
                assert!(
                    part.contains(&format!("| `{key}` |")),
                    "{heading} does not tell of `{key}`"
                );
            }
        }
    }
}
