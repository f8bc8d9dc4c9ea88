//! Definition: TOML text in, a validated [`Pipeline`] out, or all of its [`Problems`].
//!
//! ```text
//! text ──raw──▶ RawDefinition ──validate──▶ Pipeline
//!                    │                         │
//!                    └──────── problems ───────┴──▶ Problems (file, line, key, way out)
//! ```
//!
//! Nothing here touches the network, the clock or the process environment: `${NAME}` is looked up in the
//! [`Environment`] that the caller hands in. Reading the file is the one exception, in [`Definition::load`].

mod column_type;
mod environment;
mod form;
mod names;
mod period;
mod pointer;
mod problem;
mod raw;
mod setting;
mod source;
mod table;
mod template;
mod validate;
mod write;

use std::path::{Path, PathBuf};

pub use column_type::{ColumnType, InvalidColumnType, MAX_PRECISION};
pub use environment::Environment;
pub use names::{ColumnName, InvalidName, TableName};
pub use period::{InvalidPeriod, Period};
pub use pointer::{InvalidPointer, JsonPointer};
pub use problem::{Exposure, Problem, Problems, Severity};
pub use setting::{InvalidSetting, Setting};
pub use source::{
    Endpoint, Filter, Header, KeySource, ListStyle, Resource, RetryLimits, Source, Timeouts,
    WindowPolicy,
};
pub use table::{
    Column, Contract, Discard, Nested, PartitionField, Surprise, Table, Transform, WriteDisposition,
};
pub use template::{InvalidTemplate, Occasion, Template, Window};
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
    /// How long exports are kept as received.
    pub landing: LandingPolicy,
    /// What an export has to hold, so that the tables may be changed at all.
    pub limits: Limits,
    /// The declared tables, parents before or after their children, as written.
    pub tables: Vec<Table>,
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

impl std::str::FromStr for DestinationUrl {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/').to_owned();
            return match bucket {
                "" => Err(InvalidDestination(text.to_owned())),
                _ => Ok(Self::S3 { bucket: bucket.to_owned(), prefix }),
            };
        }
        if text.trim().is_empty() || text.contains("://") {
            return Err(InvalidDestination(text.to_owned()));
        }
        Ok(Self::Local(PathBuf::from(text)))
    }
}

/// A text is neither a directory nor the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no destination")]
pub struct InvalidDestination(String);

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

/// What an export has to hold, so that the tables may be changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The most records that may go to quarantine.
    pub max_quarantined: Option<Limit>,
    /// The fewest records of each table without a parent.
    pub min_records: Option<u64>,
    /// The most that such a table may shrink by from one export to the next.
    pub max_shrink: Option<Share>,
}

/// A bound on a number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Count(u64),
    /// Such a share of all.
    Share(Share),
}

/// A part of a whole, exact to a ten-thousandth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    millionths: u64,
}

impl Share {
    /// The largest whole number of records that is not more than this share of `whole`.
    #[must_use]
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.millionths) / 1_000_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

impl std::str::FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(invalid)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(invalid());
        }
        let ten_thousandths = format!("{whole}{fraction:0<4}").parse().map_err(|_| invalid())?;
        let share = Self { millionths: ten_thousandths };
        if share.millionths > 1_000_000 { Err(invalid()) } else { Ok(share) }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, fraction) = (self.millionths / 10_000, self.millionths % 10_000);
        let fraction = format!("{fraction:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            digits => write!(f, "{whole}.{digits}%"),
        }
    }
}

/// A text is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share between 0% and 100%")]
pub struct InvalidShare(String);

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
