//! Definition: TOML text in, a validated [`Pipeline`] out, or all of its problems.
//!
//! ```text
//! text ──raw──▶ RawDefinition ──validate──▶ Pipeline
//!                    │                         │
//!                    └──────── problems ───────┴──▶ InvalidDefinition (file, line, key, way out)
//! ```
//!
//! Nothing here touches the network, the clock or the process environment: `${NAME}` is looked up in the
//! [`Environment`] that the caller hands in. Reading the file is the one exception, in [`Pipeline::load`].

mod column_type;
mod environment;
mod form;
mod names;
mod pointer;
mod problem;
mod raw;
mod validate;
mod write;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use url::Url;

pub use column_type::{ColumnType, InvalidColumnType, MAX_PRECISION};
pub use environment::Environment;
pub use names::{ColumnName, InvalidName, TableName};
pub use pointer::{InvalidPointer, JsonPointer};
pub use problem::{InvalidDefinition, Problem};

/// One pipeline as its author means it: every default filled in, every name checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// What runs, reports and messages call it.
    pub name: String,
    /// For people; not interpreted.
    pub description: Option<String>,
    /// Where the export comes from.
    pub source: Source,
    /// Where the tables are kept.
    pub destination: DestinationUrl,
    /// How long exports are kept as received.
    pub landing: LandingPolicy,
    /// The declared tables, parents before or after their children, as written.
    pub tables: Vec<Table>,
}

/// The export API, as one pipeline asks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Which of the two exports.
    pub endpoint: Endpoint,
    /// The organisation whose data is exported.
    pub organisation_id: String,
    /// Scheme and host; the only host that is ever sent the key.
    pub base_url: Url,
    /// Where the API key may be found, tried in order.
    pub api_key: Vec<KeySource>,
    /// Query parameters, in the order they were written.
    pub filters: Vec<Filter>,
    /// How a filter with several values is sent.
    pub list_style: ListStyle,
}

/// The exports that ProcurementFlow documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Purchase requisitions and purchase orders.
    Purchasing,
    /// E-sourcing events.
    ESourcing,
}

impl Endpoint {
    /// The names a definition may use.
    pub const NAMES: [&str; 2] = ["purchasing", "e-sourcing"];

    /// The path segments in front of the organisation id.
    #[must_use]
    pub fn path_segments(self) -> &'static [&'static str] {
        match self {
            Self::Purchasing => &["api", "export", "all"],
            Self::ESourcing => &["api", "export", "all", "esourcing"],
        }
    }
}

/// A place that may hold the API key. The key itself is never part of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file whose content is the key.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether it may be read by other users too, as secrets that are mounted into containers often can.
        readable_by_others: bool,
    },
    /// A program that prints the key, with its arguments.
    Command(Vec<String>),
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            // Arguments may be telling; the program's name is enough to find it by.
            Self::Command(words) => {
                write!(f, "command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}

/// A query parameter and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The parameter's name, exactly as the account documents it.
    pub name: String,
    /// One value, or several for a list.
    pub values: Vec<String>,
}

/// How a filter with several values becomes query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListStyle {
    /// `status=a&status=b`
    #[default]
    Repeat,
    /// `status=a,b`
    Comma,
    /// `status[]=a&status[]=b`
    Brackets,
}

/// Where tables are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationUrl {
    /// A directory, relative to where flowlake is started or absolute.
    Local(PathBuf),
    /// `s3://bucket/prefix`; credentials and endpoint come from the usual AWS environment.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The part after the bucket, without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl std::fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// How many exports stay in the landing area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandingPolicy {
    /// Exports of the last so many runs; 0 keeps none.
    pub keep: usize,
}

impl Default for LandingPolicy {
    fn default() -> Self {
        Self { keep: 14 }
    }
}

/// One declared table or child table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The table's name, which is its directory.
    pub name: TableName,
    /// The table whose records hold this one's, for a child table.
    pub parent: Option<TableName>,
    /// Where its records are: in the export for a table, in the parent's record for a child table.
    pub records: Option<JsonPointer>,
    /// The columns that name a row; child tables carry them.
    pub primary_key: Vec<ColumnName>,
    /// What a run does with rows that are already there.
    pub write_disposition: WriteDisposition,
    /// The Hive partitions, outermost first. Empty for a child table that inherits its parent's.
    pub partition_by: Vec<PartitionField>,
    /// The order of rows within a file; export order when empty.
    pub sort_by: Vec<ColumnName>,
    /// For people; goes into the files' metadata.
    pub description: Option<String>,
    /// Columns the author says something about, in the order written.
    pub columns: IndexMap<ColumnName, Column>,
}

impl Table {
    /// A table of which nothing but the name is declared.
    #[must_use]
    pub fn named(name: TableName) -> Self {
        Self {
            name,
            parent: None,
            records: None,
            primary_key: Vec::new(),
            write_disposition: WriteDisposition::default(),
            partition_by: Vec::new(),
            sort_by: Vec::new(),
            description: None,
            columns: IndexMap::new(),
        }
    }
}

/// What a run does with the rows a table already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteDisposition {
    /// The table becomes what the export holds.
    #[default]
    Replace,
    /// The export's rows are added; an export that was taken before is not added again.
    Append,
}

impl std::fmt::Display for WriteDisposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Replace => "replace",
            Self::Append => "append",
        })
    }
}

/// What the author says of one column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Column {
    /// The declared type; inferred from the whole export when absent.
    pub column_type: Option<ColumnType>,
    /// Where the value stands in the record, when the name alone does not say.
    pub from: Option<JsonPointer>,
    /// Left out of the table, together with everything below it.
    pub exclude: bool,
    /// For people; goes into the files' metadata.
    pub description: Option<String>,
}

/// One level of Hive partitioning: a column, or a date part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionField {
    /// The column that is partitioned by.
    pub column: ColumnName,
    /// What is done to its value.
    pub transform: Transform,
}

/// What turns a column's value into a partition's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The value itself.
    Identity,
    /// `2026`
    Year,
    /// `2026-10`
    Month,
    /// `2026-10-05`
    Day,
}

impl PartitionField {
    /// The name in front of `=` in the directory: `created_at_month` for `month(created_at)`.
    #[must_use]
    pub fn directory_key(&self) -> String {
        match self.transform {
            Transform::Identity => self.column.to_string(),
            Transform::Year => format!("{}_year", self.column),
            Transform::Month => format!("{}_month", self.column),
            Transform::Day => format!("{}_day", self.column),
        }
    }
}

/// Why a definition could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The file is not there or not readable.
    #[error("the definition {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Two pipelines would keep their state in one place.
    #[error("{} and {} have the same destination, {destination}", path.display(), other.display())]
    SharedDestination {
        /// The second file.
        path: PathBuf,
        /// The first file.
        other: PathBuf,
        /// The destination of both.
        destination: DestinationUrl,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidDefinition),
}

/// The JSON Schema of definitions, with which editors complete and check them.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    raw::schema()
}

/// Reads and validates several definitions, which are to be run by one job: each of them, or its problems.
#[must_use]
pub fn load_all(
    files: &[PathBuf],
    environment: &Environment,
) -> Vec<Result<Pipeline, DefinitionError>> {
    let mut taken: Vec<(DestinationUrl, &PathBuf)> = Vec::new();
    let mut loaded = Vec::new();
    for path in files {
        let pipeline = Pipeline::load(path, environment);
        let destination = pipeline.as_ref().ok().map(|pipeline| pipeline.destination.clone());
        let other = taken.iter().find(|(other, _)| Some(other) == destination.as_ref());
        loaded.push(match other {
            Some((destination, other)) => Err(DefinitionError::SharedDestination {
                path: path.clone(),
                other: (*other).clone(),
                destination: destination.clone(),
            }),
            None => pipeline,
        });
        taken.extend(destination.map(|destination| (destination, path)));
    }
    loaded
}

impl Pipeline {
    /// Reads and validates the definition in a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds at least one problem; all of them are reported at once.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, DefinitionError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DefinitionError::Unreadable { path: path.to_owned(), source })?;
        Ok(Self::parse(&path.display().to_string(), &text, environment)?)
    }

    /// Validates the text of a definition; `file` is what messages call it.
    ///
    /// # Errors
    /// The text holds at least one problem; all of them are reported at once.
    pub fn parse(
        file: &str,
        text: &str,
        environment: &Environment,
    ) -> Result<Self, InvalidDefinition> {
        let mut problems = Vec::new();
        let pipeline = raw::RawDefinition::read(text, &mut problems)
            .and_then(|raw| validate::pipeline(raw, environment, &mut problems));
        match pipeline {
            Some(pipeline) if problems.is_empty() => Ok(pipeline),
            _ => Err(InvalidDefinition::new(file, text, problems)),
        }
    }

    /// The text of a definition that means this pipeline, with every default written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }

    /// The declared tables without a parent.
    pub fn root_tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|table| table.parent.is_none())
    }

    /// The table without a parent that a declared table hangs from.
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
