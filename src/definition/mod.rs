//! Definition: TOML text in, a validated [`Pipeline`] out, or all of its [`Problems`].
//!
//! ```text
//! text ──keys──▶ RawDefinition ──check──▶ Pipeline
//!                     │                      │
//!                     └────── problems ──────┴──▶ Problems (file, line, key, help)
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `pipeline` | the whole file |
//! | `source`, `api_key`, `filters`, `headers`, `window`, `timeouts`, `retry`, `envelope` | `[source]` |
//! | `destination`, `landing`, `retention`, `limits` | sections of these names |
//! | `defaults`, `table`, `disposition`, `column`, `date_format`, `null_value`, `check`, `contract`, `names` | `[defaults]` and `[[tables]]` |
//! | `relations`, `record_relations` and others of the kind | rules between keys, tables and sections |
//! | `field`, `checker`, `keys`, `problem`, `exposure`, `json_schema` | what all of them use |
//!
//! Each file of a section has its raw form (TOML and JSON Schema from one type), its model, and the function from one
//! to the other: a new key is a field of both.
//!
//! Nothing here uses the network, the clock or the process environment: `${NAME}` is looked up in the [`Environment`]
//! that the caller passes. Reading the file in [`Definition::load`] is the one exception.

mod ancestry;
mod api_key;
mod canonical;
mod check;
mod check_values;
mod checker;
mod column;
mod column_relations;
mod contract;
mod date_format;
mod defaults;
mod destination;
mod disposition;
mod envelope;
mod environment;
mod exposure;
mod field;
mod field_types;
mod filters;
mod headers;
mod history_relations;
mod json_schema;
mod keys;
mod landing;
mod limits;
mod names;
mod null_value;
mod partition_relations;
mod period;
mod pipeline;
mod problem;
mod record_relations;
mod relations;
mod retention;
mod retry;
mod setting;
mod slice;
mod source;
mod table;
mod template;
mod timeouts;
mod window;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::exit_code::{ExitCode, Failure};
use crate::schema::TableName;

pub use crate::store::{DestinationUrl, InvalidDestination};
pub use api_key::KeySource;
pub use check::{Check, CheckRule, OnFailure};
pub use check_values::{
    ColumnOf, InvalidColumnOf, InvalidPattern, InvalidTolerance, Pattern, Tolerance,
};
pub use column::Column;
pub use contract::{Contract, ContractMode, DataTypeMode, Discard, Widening};
pub use disposition::{Deletes, Nested, WriteDisposition};
pub use envelope::EnvelopePolicy;
pub use environment::Environment;
pub use field_types::{FieldType, FieldTypes};
pub use filters::{Filter, ListStyle};
pub use headers::Header;
pub use json_schema::json_schema;
pub use landing::LandingPolicy;
pub use limits::{DEFAULT_MAX_COLUMNS, InvalidShare, InvalidSize, Limit, Limits, Share, Size};
pub use period::{InvalidPeriod, Period};
pub use pipeline::Pipeline;
pub(crate) use problem::nearest;
pub use problem::{Exposure, Problem, Problems, Severity};
pub use retention::RetentionPolicy;
pub use retry::RetryLimits;
pub use setting::{InvalidSetting, Setting};
pub use source::{Endpoint, Resource, Source};
pub use table::{Table, definition_hash};
pub use template::{InvalidTemplate, Template, TemplateContext};
pub use timeouts::Timeouts;
pub use window::{WindowPolicy, parse_instant};

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The file cannot be read.
    #[error("could not read the definition {}: {source}", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Two pipelines write one table of a destination.
    #[error("{} and {} both write table `{table}` of {destination}", path.display(), other.display())]
    SharedTable {
        /// The second file.
        path: PathBuf,
        /// The first file.
        other: PathBuf,
        /// The destination of both.
        destination: Template,
        /// A table of both.
        table: TableName,
    },
    /// Two pipelines of a destination have one name.
    #[error("{} and {} are both called `{name}` in {destination}", path.display(), other.display())]
    SharedName {
        /// The second file.
        path: PathBuf,
        /// The first file.
        other: PathBuf,
        /// The destination of both.
        destination: Template,
        /// The name of both.
        name: String,
    },
    /// A setting of the command line does not fit.
    #[error("`--set`: {0}")]
    Setting(#[from] InvalidSetting),
    /// The file has problems.
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
            Self::SharedTable { .. } => {
                "name one of the tables otherwise, or give each pipeline a directory or prefix of its own"
            }
            Self::SharedName { .. } => {
                "name one of them otherwise: a name tells which tables and exports of a destination are whose"
            }
            Self::Setting(_) => {
                "write the key as in the definition: `source.filters.status=approved`, `tables[0].records=/x`"
            }
            // Each problem has its own help.
            Self::Invalid(_) => return None,
        };
        Some(help.to_owned())
    }
}

/// A definition that can be run.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What it means.
    pub pipeline: Pipeline,
    /// What its author may want to change.
    pub warnings: Problems,
}

/// The definitions that are meant by files and directories: of a directory, every `*.toml` in it, by name. One that has
/// none, or cannot be read, stays as it is and is no definition.
#[must_use]
pub fn files_of(paths: &[PathBuf]) -> Vec<PathBuf> {
    let expanded = paths.iter().flat_map(|path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        if files.is_empty() { vec![path.clone()] } else { files }
    });
    expanded.collect()
}

/// The most bytes of a definition. One of a hundred tables has a tenth of them.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a file, which is no pipe or device: these would be waited for, or have no end.
fn read(path: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it has more than 1 MiB"));
    }
    Ok(text)
}

/// Reads and validates the definitions of one job: each of them, or its problems.
#[must_use]
pub fn load_all(
    files: &[PathBuf],
    settings: &[Setting],
    environment: &Environment,
) -> Vec<Result<Definition, DefinitionError>> {
    let mut taken: Vec<(&PathBuf, Pipeline)> = Vec::new();
    let mut loaded = Vec::new();
    for path in files {
        let definition = Definition::load(path, settings, environment);
        let pipeline = definition.as_ref().ok().map(|it| it.pipeline.clone());
        let conflict = pipeline.iter().find_map(|pipeline| {
            taken.iter().find_map(|(other, taken)| conflict((path, pipeline), (other, taken)))
        });
        loaded.push(conflict.map_or(definition, Err));
        taken.extend(pipeline.map(|pipeline| (path, pipeline)));
    }
    loaded
}

/// Why two pipelines cannot be of one job.
fn conflict(
    (path, pipeline): (&Path, &Pipeline),
    (other, taken): (&Path, &Pipeline),
) -> Option<DefinitionError> {
    if !pipeline.shares_destination_with(taken) {
        return None;
    }
    let (path, other) = (path.to_owned(), other.to_owned());
    let destination = pipeline.destination.clone();
    if let Some(table) = pipeline.table_shared_with(taken) {
        return Some(DefinitionError::SharedTable { path, other, destination, table });
    }
    let name = pipeline.name.clone();
    (name == taken.name).then_some(DefinitionError::SharedName { path, other, destination, name })
}

impl Definition {
    /// Reads and validates the definition in a file, with `settings` applied.
    ///
    /// # Errors
    /// The file cannot be read, a setting does not fit, or the file has problems: all of them at once.
    pub fn load(
        path: &Path,
        settings: &[Setting],
        environment: &Environment,
    ) -> Result<Self, DefinitionError> {
        let text = read(path)
            .map_err(|source| DefinitionError::Unreadable { path: path.to_owned(), source })?;
        let settings: Vec<Setting> = settings.iter().map(Setting::in_working_directory).collect();
        let text = setting::apply(&text, &settings)?;
        Ok(Self::parse(&path.display().to_string(), &text, environment)?)
    }

    /// Validates the text of a definition; `file` is its name in messages.
    ///
    /// # Errors
    /// The text has problems: all of them at once.
    pub fn parse(file: &str, text: &str, environment: &Environment) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let pipeline = keys::read(text, &mut problems)
            .and_then(|raw| pipeline::check(raw, environment, &mut problems));
        let hidden = problems.into_iter().map(|problem| exposure::hide_secrets(text, problem));
        let problems = Problems::new(file, text, hidden.collect());
        match pipeline {
            Some(pipeline) if !problems.has_errors() => {
                let directory = Path::new(file).parent().unwrap_or(Path::new(""));
                Ok(Self { pipeline: pipeline.in_directory(directory), warnings: problems })
            }
            _ => Err(problems),
        }
    }
}
