//! The whole definition: its sections, and what they make together.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use toml::Value;

use super::api_key::KeySource;
use super::checker::Checker;
use super::defaults::{RawDefaults, TableDefaults};
use super::destination::RawDestination;
use super::field::{Field, FromToml, TypeMismatch};
use super::landing::{LandingPolicy, RawLanding};
use super::limits::{Limits, RawLimits};
use super::problem::Problem;
use super::retention::{RawRetention, RetentionPolicy};
use super::source::{RawSource, Source};
use super::table::{RawTable, Table};
use super::{Environment, Template};
use crate::schema::{Slice, TableFormat, TableName};
use crate::store::{RawMode, StoreOptions};

/// One pipeline as its author means it: every default filled in, every name checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Its name in runs, reports and messages.
    pub name: String,
    /// For people; not interpreted.
    pub description: Option<String>,
    /// Which export is requested, and how.
    pub source: Source,
    /// Where the tables are kept: a [`DestinationUrl`](crate::store::DestinationUrl) once it is rendered.
    pub destination: Template,
    /// The directory of the definition, to which a relative destination belongs.
    pub directory: PathBuf,
    /// The format of its tables.
    pub format: TableFormat,
    /// The part of its tables that it writes, where others write the rest.
    pub slice: Option<Slice>,
    /// A run does not begin a lake there.
    pub must_exist: bool,
    /// Who may read raw data on local disk; left out, those who may already.
    pub raw_mode: Option<RawMode>,
    /// How its store is reached, unless it is a directory.
    pub store: StoreOptions,
    /// How many exports are kept as received.
    pub landing: LandingPolicy,
    /// How much of flowlake's own files is kept.
    pub retention: RetentionPolicy,
    /// Bounds that an export has to meet before any table changes.
    pub limits: Limits,
    /// The declared tables, in the order written.
    pub tables: Vec<Table>,
    /// The definition declares more tables than these.
    pub is_partial: bool,
}

impl Pipeline {
    pub(super) fn shares_destination_with(&self, other: &Self) -> bool {
        self.destination == other.destination && self.directory == other.directory
    }

    /// A table that another pipeline of the same destination writes too.
    pub(super) fn table_shared_with(&self, other: &Self) -> Option<TableName> {
        // Two slices of a table are written by two pipelines.
        let are_slices = match (&self.slice, &other.slice) {
            (Some(own), Some(slice)) => own != slice,
            _ => false,
        };
        if are_slices {
            return None;
        }
        let names = self.tables.iter().map(|table| &table.name);
        let mut shared = names.filter(|name| other.tables.iter().any(|it| it.name == **name));
        shared.next().cloned()
    }

    /// The same pipeline, whose relative paths belong to a directory.
    pub(super) fn in_directory(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        for source in &mut self.source.api_key {
            if let KeySource::File { path, .. } = source {
                *path = directory.join(&*path);
            }
        }
        self
    }

    /// Whether its first run has to find tables of its own. Where pipelines share a lake, one of them has begun it.
    #[must_use]
    pub fn needs_lake(&self) -> bool {
        self.must_exist && self.slice.is_none()
    }

    /// Its name, where it shares the destination with other pipelines.
    #[must_use]
    pub fn shared_as(&self) -> Option<&str> {
        self.slice.as_ref().map(|_| self.name.as_str())
    }

    /// The declared tables without a parent.
    pub fn root_tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|table| table.parent.is_none())
    }

    /// The root table of a declared table.
    #[must_use]
    pub fn root_of<'a>(&'a self, table: &'a Table) -> &'a Table {
        let parent = |table: &Table| {
            let name = table.parent.as_ref()?;
            self.tables.iter().find(|other| other.name == *name)
        };
        // Validation has ruled out cycles.
        std::iter::successors(Some(table), |table| parent(table)).last().unwrap_or(table)
    }

    /// The declared child tables of `parent`.
    pub fn child_tables<'a>(&'a self, parent: &'a TableName) -> impl Iterator<Item = &'a Table> {
        self.tables.iter().filter(move |table| table.parent.as_ref() == Some(parent))
    }
}

/// A flowlake pipeline: which export to pull, and where and how to keep it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Definition", deny_unknown_fields)]
pub(super) struct RawDefinition {
    /// The version of the definition format.
    #[schemars(required)]
    pub(super) version: Option<Field<FormatVersion>>,
    /// The pipeline's name in runs, reports and messages.
    #[schemars(required, extend("examples" = ["purchasing"], "pattern" = r"\S"))]
    pub(super) name: Option<Field<String>>,
    /// For people.
    pub(super) description: Option<Field<String>>,
    /// Which export is requested, and how.
    #[schemars(required)]
    pub(super) source: Option<RawSource>,
    /// Where the tables are kept.
    #[schemars(required)]
    pub(super) destination: Option<RawDestination>,
    /// How many exports are kept as received.
    pub(super) landing: Option<RawLanding>,
    pub(super) retention: Option<RawRetention>,
    /// Bounds that an export has to meet before any table changes.
    pub(super) limits: Option<RawLimits>,
    /// What tables without a parent have when they do not say otherwise.
    pub(super) defaults: Option<RawDefaults>,
    /// The tables and child tables. Without any, the only array of the export becomes a table with the pipeline's
    /// name.
    #[serde(default)]
    pub(super) tables: Vec<RawTable>,
}

/// The version of the definition format. There is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormatVersion;

impl FromToml for FormatVersion {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match i64::read(value)? {
            1 => Ok(Self),
            other => Err(TypeMismatch::new(
                format!("version {other} is unknown"),
                "this flowlake reads `version = 1`",
            )),
        }
    }

    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "enum": [1] })
    }
}

/// The pipeline that `raw` describes, if it can be built. Problems may be found either way.
pub(super) fn check(
    raw: RawDefinition,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Pipeline> {
    let mut checker = Checker::new(environment, problems);
    let checker = &mut checker;
    checker.required(raw.version, "version", "version = 1");
    let name = pipeline_name(raw.name, checker);
    let description = checker.value(raw.description, "description");
    if raw.source.is_none() {
        checker.missing("source", "add a section `[source]` with `endpoint`");
    }
    let source = raw.source.and_then(|source| source.check(checker));
    let destination = checker.destination(raw.destination);
    let landing = raw.landing.map(|landing| landing.check(checker)).unwrap_or_default();
    let retention = raw.retention.map(|retention| retention.check(checker)).unwrap_or_default();
    let limits = raw.limits.map(|limits| limits.check(checker)).unwrap_or_default();
    let defaults = raw.defaults.map(|defaults| defaults.check(checker)).unwrap_or_default();
    let mut tables = tables(raw.tables, name.as_deref(), &defaults, checker)?;
    if let Some(slice) = &destination.slice {
        checker.shared(slice, name.as_deref(), &mut tables);
    }
    checker.relations(&tables);
    // Without its disposition, a table may look wrong that is not.
    if let Some(source) = source.as_ref().filter(|_| checker.problems.is_empty()) {
        checker.windows(source, &limits, &tables);
    }
    Some(Pipeline {
        name: name?,
        description,
        source: source?,
        destination: destination.url?,
        directory: PathBuf::new(),
        format: destination.format,
        slice: destination.slice,
        must_exist: destination.must_exist,
        raw_mode: destination.raw_mode,
        store: destination.options,
        landing,
        retention,
        limits,
        tables,
        is_partial: false,
    })
}

/// The name of a pipeline, which stands in every report and may be a directory.
fn pipeline_name(field: Option<Field<String>>, checker: &mut Checker<'_>) -> Option<String> {
    const MOST_BYTES: usize = 1000;
    const HELP: &str = "write it like `name = \"purchasing\"`";
    let name = checker.required(field, "name", "name = \"purchasing\"")?;
    if name.trim().is_empty() {
        checker.misuse("name", "a pipeline needs a name", HELP);
        return None;
    }
    if name.len() > MOST_BYTES {
        let message = format!("the name is too long: {} of {MOST_BYTES} bytes", name.len());
        checker.misuse("name", message, HELP);
        return None;
    }
    Some(name)
}

fn tables(
    raw: Vec<RawTable>,
    pipeline: Option<&str>,
    defaults: &TableDefaults,
    checker: &mut Checker<'_>,
) -> Option<Vec<Table>> {
    // All of them are checked before any may be missing.
    let tables: Vec<Option<Table>> = raw
        .into_iter()
        .enumerate()
        .map(|(position, table)| table.check(&format!("tables[{position}]"), defaults, checker))
        .collect();
    let tables: Vec<Table> = tables.into_iter().collect::<Option<_>>()?;
    if tables.is_empty() { Some(only_table(pipeline?, defaults, checker)) } else { Some(tables) }
}

/// The table of a definition that declares none. It has the name of the pipeline.
fn only_table(pipeline: &str, defaults: &TableDefaults, checker: &mut Checker<'_>) -> Vec<Table> {
    let name = pipeline.to_lowercase().replace(['-', ' '], "_");
    match name.parse() {
        Ok(name) => vec![Table::with_defaults(name, defaults)],
        Err(error) => {
            let help = "declare the table: `[[tables]]` with `name = \"purchase_orders\"`";
            checker.misuse("tables", format!("no table is declared, and {error}"), help);
            Vec::new()
        }
    }
}
