//! Definition: TOML text in, a validated [`Pipeline`] out, or all of its [`Problems`].
//!
//! ```text
//! text ──raw──▶ RawDefinition ──validate──▶ Pipeline
//!                    │                         │
//!                    └──────── problems ───────┴──▶ Problems (file, line, key, way out)
//! ```
//!
//! Nothing here touches the network, the clock or the process environment: `${NAME}` is looked up in the
//! [`Environment`] that the caller hands in. DecodeOptions the file is the one exception, in [`Definition::load`].

mod canonical;
mod check;
mod destination;
mod environment;
mod form;
mod limits;
mod period;
mod problem;
mod raw;
mod setting;
mod source;
mod table;
mod template;
mod validate;

use std::path::{Path, PathBuf};

use crate::exit_code::{ExitCode, Failure};
use crate::schema::TableName;
use crate::store::StoreOptions;

pub use crate::store::{DestinationUrl, InvalidDestination};
pub use canonical::tables_hash;
pub use check::{
    Check, CheckRule, ColumnOf, InvalidColumnOf, InvalidPattern, InvalidTolerance, OnFailure,
    Pattern, Tolerance,
};
pub use environment::Environment;
pub use limits::{InvalidShare, InvalidSize, Limit, Limits, Share, Size};
pub use period::{InvalidPeriod, Period};
pub use problem::{Exposure, Problem, Problems, Severity};
pub use setting::{InvalidSetting, Setting};
pub use source::{
    Endpoint, Filter, Header, KeySource, ListStyle, Resource, RetryLimits, Source, Timeouts,
    WindowPolicy,
};
pub use table::{
    Column, Contract, ContractMode, Deletes, Discard, Nested, Table, WriteDisposition,
};
pub use template::{InvalidTemplate, Template, TemplateContext};
pub use validate::source::parse_instant;

/// One pipeline as its author means it: every default filled in, every name checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// What runs, reports and messages call it.
    pub name: String,
    /// For people; not interpreted.
    pub description: Option<String>,
    /// Where the export comes from.
    pub source: Source,
    /// Where the tables are kept: a [`DestinationUrl`] once it is filled in.
    pub destination: Template,
    /// How its store is reached, unless it is a directory.
    pub store: StoreOptions,
    /// How long exports are kept as received.
    pub landing: LandingPolicy,
    /// What an export has to hold, so that the tables may be changed at all.
    pub limits: Limits,
    /// The declared tables, parents before or after their children, as written.
    pub tables: Vec<Table>,
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
        destination: Template,
    },
    /// A setting of the command line cannot be made.
    #[error("`--set`: {0}")]
    Setting(#[from] InvalidSetting),
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

impl Failure for DefinitionError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unreadable { .. } => {
                "give the path of a definition, as in `flowlake run pipelines/purchasing.toml`"
            }
            Self::SharedDestination { .. } => "give each pipeline a directory or prefix of its own",
            Self::Setting(_) => {
                "write the key as in the definition: `source.filters.status=approved`, `tables[0].records=/x`"
            }
            // Each problem has its own help.
            Self::Invalid(_) => return None,
        };
        Some(help.to_owned())
    }
}

/// The JSON Schema of definitions, with which editors complete and check them.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    raw::schema()
}

/// A definition that can be run.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What it means.
    pub pipeline: Pipeline,
    /// What its author might want to look at again.
    pub warnings: Problems,
}

/// Reads and validates several definitions, which are to be run by one job: each of them, or its problems.
#[must_use]
pub fn load_all(
    files: &[PathBuf],
    settings: &[Setting],
    environment: &Environment,
) -> Vec<Result<Definition, DefinitionError>> {
    let mut taken: Vec<(Template, &PathBuf)> = Vec::new();
    let mut loaded = Vec::new();
    for path in files {
        let definition = Definition::load(path, settings, environment);
        let destination = definition.as_ref().ok().map(|it| it.pipeline.destination.clone());
        let other = taken.iter().find(|(other, _)| Some(other) == destination.as_ref());
        loaded.push(match other {
            Some((destination, other)) => Err(DefinitionError::SharedDestination {
                path: path.clone(),
                other: (*other).clone(),
                destination: destination.clone(),
            }),
            None => definition,
        });
        taken.extend(destination.map(|destination| (destination, path)));
    }
    loaded
}

impl Definition {
    /// Reads and validates the definition in a file, with `settings` made in it.
    ///
    /// # Errors
    /// The file cannot be read, a setting has no place in it, or it holds at least one problem; all of them are
    /// reported at once.
    pub fn load(
        path: &Path,
        settings: &[Setting],
        environment: &Environment,
    ) -> Result<Self, DefinitionError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DefinitionError::Unreadable { path: path.to_owned(), source })?;
        let text = setting::apply(&text, settings)?;
        Ok(Self::parse(&path.display().to_string(), &text, environment)?)
    }

    /// Validates the text of a definition; `file` is what messages call it.
    ///
    /// # Errors
    /// The text holds at least one problem; all of them are reported at once.
    pub fn parse(file: &str, text: &str, environment: &Environment) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let pipeline = raw::RawDefinition::read(text, &mut problems)
            .and_then(|raw| validate::pipeline(raw, environment, &mut problems));
        let problems = Problems::new(file, text, problems);
        match pipeline {
            Some(pipeline) if !problems.has_errors() => Ok(Self { pipeline, warnings: problems }),
            _ => Err(problems),
        }
    }
}

impl Pipeline {
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
