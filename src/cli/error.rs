//! The top of all errors: what a person is told, and the code a scheduler sees.

use crate::decode::SplitError;
use crate::definition::DefinitionError;
use crate::exit_code::ExitCode;
use crate::infer::SchemaError;
use crate::init::InitError;
use crate::plan::PlanError;
use crate::run::RunError;
use crate::sample_api::SampleApiError;
use crate::schema::ColumnType;
use crate::source::api_key::ApiKeyError;
use crate::source::http::FetchError;
use crate::table::lock::LockError;
use crate::table::quarantine::QuarantineError;
use crate::table::verify::VerifyError;
use crate::table::{CommitError, ReadError};
use crate::write::WriteError;

/// Anything that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A definition is missing or wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// There is no plan for a run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No definition could be proposed.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A destination cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The sample API did not start.
    #[error(transparent)]
    SampleApi(#[from] SampleApiError),
    /// The output could not be written, as when a pipe is closed.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// A result could not be written as JSON.
    #[error("the result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// The code that the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Definition(_) | Self::Plan(_) => ExitCode::Usage,
            Self::Run(error) => run_exit_code(error),
            Self::Init(_) => ExitCode::Export,
            Self::Verify(VerifyError::Lock(LockError::Held { .. })) => ExitCode::Busy,
            Self::Verify(_) => ExitCode::Destination,
            Self::SampleApi(_) | Self::Output(_) | Self::Json(_) => ExitCode::Unexpected,
        }
    }

    /// What to do next, where that can be said.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Definition(DefinitionError::Unreadable { .. }) => Some(
                "give the path of a definition, as in `flowlake run pipelines/purchasing.toml`"
                    .into(),
            ),
            Self::Definition(DefinitionError::SharedDestination { .. }) => {
                Some("give each pipeline a directory or prefix of its own".into())
            }
            // Every problem of a definition brings its own help.
            Self::Definition(DefinitionError::Invalid(_)) | Self::Output(_) | Self::Json(_) => None,
            Self::Definition(DefinitionError::Setting(_)) => {
                Some("write the key as in the definition: `source.filters.status=approved`, `tables[0].records=/x`".into())
            }
            Self::Plan(error) => Some(plan_help(error).into()),
            Self::Run(error) => run_help(error),
            Self::Verify(VerifyError::Lock(LockError::Held { .. })) => {
                Some("verify without `--repair`, or when the run has ended".into())
            }
            Self::Verify(_) => Some("check that the destination can be read".into()),
            Self::Init(_) => Some("give a whole export, as the API sent it".into()),
            Self::SampleApi(_) => Some("choose a free loopback address with `--listen`".into()),
        }
    }
}

fn plan_help(error: &PlanError) -> &'static str {
    match error {
        PlanError::Template(_) | PlanError::Destination(_) => {
            "check the templates in `[destination]` and the filters"
        }
        PlanError::NoWindow => "leave them out, or add `[source.window]` with `start`",
        PlanError::Empty { .. } => "give a `--from` that is before `--to`, and before the present",
        PlanError::BeyondCalendar => "check `start`, `lookback` and `step` of `[source.window]`",
        PlanError::TooManyPieces { .. } => "give `step` a longer period, such as `P1D` or `P1M`",
    }
}

fn fetch_exit_code(error: &FetchError) -> ExitCode {
    match error {
        FetchError::KeyRefused { .. } => ExitCode::Key,
        FetchError::Unreachable { .. }
        | FetchError::Unavailable { .. }
        | FetchError::Interrupted { .. }
        | FetchError::Corrupt { .. } => ExitCode::SourceUnavailable,
        FetchError::Rejected { status, .. } if status.is_client_error() => ExitCode::Usage,
        FetchError::Rejected { .. }
        | FetchError::LeavesOrigin { .. }
        | FetchError::TooManyRedirects { .. }
        | FetchError::NotAnExport { .. }
        | FetchError::UnknownEncoding { .. }
        | FetchError::TooLarge { .. }
        | FetchError::Bomb { .. } => ExitCode::Export,
        FetchError::Setup(_) => ExitCode::Unexpected,
    }
}

fn run_exit_code(error: &RunError) -> ExitCode {
    match error {
        RunError::ApiKey(_) => ExitCode::Key,
        RunError::Fetch(error) => fetch_exit_code(error),
        RunError::GaveUp { error, .. } | RunError::InPiece { error, .. } => run_exit_code(error),
        RunError::Stopped(signal) => signal.exit_code(),
        RunError::UsedRunId { .. }
        | RunError::Unordered { .. }
        | RunError::ComesAgain { .. }
        | RunError::Split(SplitError::Ambiguous { .. }) => ExitCode::Usage,
        RunError::Emptied { .. }
        | RunError::TooFew { .. }
        | RunError::Shrunk { .. }
        | RunError::OutsideWindow { .. }
        | RunError::TooManyPartitions { .. }
        | RunError::Split(_)
        | RunError::Decode(_)
        | RunError::Schema(_)
        | RunError::Read(ReadError::Conform(_))
        | RunError::BrokenCheck { .. }
        | RunError::Commit(CommitError::Name(_)) => ExitCode::Export,
        RunError::NothingFits { .. } | RunError::TooManyQuarantined { .. } => ExitCode::Partial,
        RunError::Conflict | RunError::Lock(LockError::Held { .. }) => ExitCode::Busy,
        RunError::Commit(_)
        | RunError::Lock(_)
        | RunError::Quarantine(
            QuarantineError::Destination(_)
            | QuarantineError::Missing { .. }
            | QuarantineError::Unreadable { .. },
        )
        | RunError::Destination(_)
        | RunError::Read(
            ReadError::Missing { .. } | ReadError::Unreadable { .. } | ReadError::Destination(_),
        )
        | RunError::Write(WriteError::Destination(_)) => ExitCode::Destination,
        RunError::Land(error) if !error.is_temporary() => ExitCode::Destination,
        RunError::Land(_)
        | RunError::Spill(_)
        | RunError::Quarantine(QuarantineError::Unwritable(_))
        | RunError::Write(WriteError::Encode { .. } | WriteError::Spill(_))
        | RunError::Unbalanced { .. }
        | RunError::Frame(_)
        | RunError::Report(_) => ExitCode::Unexpected,
    }
}

const TEMPORARY_DIRECTORY_HELP: &str = "make room there, or set TMPDIR to a directory with more";

fn key_help(error: &ApiKeyError) -> &'static str {
    match error {
        ApiKeyError::Missing { .. } => {
            "make a key in ProcurementFlow under Company Details → Add new API key, and set it as \
             PROCUREMENTFLOW_API_KEY in the environment of this job"
        }
        ApiKeyError::Unreadable { .. } => "let the user that runs flowlake read the file",
        ApiKeyError::Exposed { .. } => {
            "take the permission away (`chmod 600`), or write `readable_by_others = true` beside `file`"
        }
        ApiKeyError::Command { .. } => {
            "start the program by hand as the user of this job; it must print the key and ask nothing"
        }
        ApiKeyError::Malformed { .. } => "put the key there once more, on one line",
    }
}

fn run_help(error: &RunError) -> Option<String> {
    let help = match error {
        RunError::ApiKey(error) => key_help(error),
        RunError::Fetch(error) => return fetch_help(error).map(str::to_owned),
        RunError::GaveUp { error, .. } | RunError::InPiece { error, .. } => return run_help(error),
        RunError::Stopped(_) => "the tables are as they were; run it again",
        RunError::Split(error) => return Some(split_help(error)),
        RunError::Decode(_) => {
            "the tables are as they were; ask the source for the export once more"
        }
        RunError::Schema(error) => return Some(schema_help(error)),
        RunError::Read(ReadError::Conform(_)) => {
            "declare a type that holds the values there are, or load into a new destination"
        }
        RunError::UsedRunId { .. } => "give each run an id of its own, or leave `--run-id` out",
        RunError::Emptied { .. } => {
            "the table is as it was; if it is to be empty, run once with `--allow-shrink`"
        }
        RunError::TooFew { .. } | RunError::Shrunk { .. } => {
            "the tables are as they were; if the export is right, run once with `--allow-shrink`"
        }
        RunError::Unordered { .. } => {
            "run the pipeline again: a new export has them as they are now; or declare the `cursor`"
        }
        RunError::ComesAgain { .. } => {
            "run the pipeline over these partitions, as with `--from` and `--to`, by the mended definition"
        }
        RunError::OutsideWindow { .. } => {
            "the tables are as they were; let the filters ask for records by the column that the table is \
             partitioned by, or write `write_disposition = \"merge\"`"
        }
        RunError::TooManyPartitions { .. } => {
            "the tables are as they were; partition by `year()` or `month()` or by a column with fewer values, \
             or raise the limit"
        }
        RunError::BrokenCheck { .. } => {
            "the tables are as they were; look at the source, or let the check `quarantine` or `warn`"
        }
        RunError::TooManyQuarantined { .. } => {
            "the tables are as they were; mend the declared types or keys, or raise the limit"
        }
        RunError::NothingFits { .. } => {
            "the table is as it was; compare the export with `primary_key` and the declared types"
        }
        RunError::Land(error) if error.is_temporary() => TEMPORARY_DIRECTORY_HELP,
        RunError::Spill(_) | RunError::Write(WriteError::Spill(_)) => TEMPORARY_DIRECTORY_HELP,
        RunError::Lock(LockError::Held { .. }) => {
            "let it finish, or wait for it with `--wait`; if it cannot be any more, `flowlake unlock --force` frees the destination"
        }
        RunError::Conflict => "the other run is complete; this one can be run again",
        RunError::Commit(CommitError::Name(_)) => {
            "partition by a column with short values or by a date, or give the table a shorter name; \
             the tables are as they were"
        }
        RunError::Commit(CommitError::Destination(_)) => {
            "check that the destination exists, has room, and lets this user write; \
             if the commit had begun, the next run finishes it"
        }
        RunError::Destination(error) | RunError::Read(ReadError::Destination(error))
            if error.is_unfit() =>
        {
            "two runs at once could both commit there; keep the tables on local disk, or in a store with conditional \
             writes (`If-None-Match`)"
        }
        RunError::Destination(_)
        | RunError::Read(ReadError::Destination(_))
        | RunError::Land(_)
        | RunError::Lock(_)
        | RunError::Quarantine(QuarantineError::Destination(_))
        | RunError::Write(WriteError::Destination(_)) => {
            "check that the destination exists, has room, and lets this user write; \
             the tables are as they were, and the next run cleans up"
        }
        RunError::Commit(CommitError::Lost { .. } | CommitError::Unreadable { .. })
        | RunError::Quarantine(
            QuarantineError::Missing { .. } | QuarantineError::Unreadable { .. },
        )
        | RunError::Read(ReadError::Missing { .. } | ReadError::Unreadable { .. }) => {
            "somebody changed files of this destination by hand; restore them from a backup"
        }
        RunError::Commit(CommitError::Unwritable(_))
        | RunError::Quarantine(QuarantineError::Unwritable(_))
        | RunError::Write(WriteError::Encode { .. })
        | RunError::Unbalanced { .. }
        | RunError::Frame(_)
        | RunError::Report(_) => {
            "nothing was committed; this is a mistake in flowlake, please report it"
        }
    };
    Some(help.to_owned())
}

fn fetch_help(error: &FetchError) -> Option<&'static str> {
    match error {
        FetchError::Unreachable { .. } => {
            Some("check the network and `base_url`; the tables are as they were, retry later")
        }
        FetchError::KeyRefused { .. } => Some(
            "the key was deleted, or belongs to another organisation: make a new one under Company Details → \
             Add new API key, and check `organisation_id`",
        ),
        FetchError::Unavailable { .. }
        | FetchError::Interrupted { .. }
        | FetchError::Corrupt { .. } => Some("the tables are as they were; retry later"),
        FetchError::Rejected { status, .. } if status.is_client_error() => Some(
            "check `endpoint`, `organisation_id` and the names of the filters in the definition",
        ),
        FetchError::LeavesOrigin { .. } => {
            Some("set `base_url` to the host that answers, if it is one you trust with the key")
        }
        FetchError::NotAnExport { content_type, .. }
            if content_type.to_ascii_lowercase().starts_with("text/html") =>
        {
            Some(
                "this is a web page, of a proxy or a login: check `base_url`; the tables are as they were",
            )
        }
        FetchError::NotAnExport { .. } | FetchError::UnknownEncoding { .. } => Some(
            "check `base_url`, `endpoint` and what stands between here and the source; \
             the tables are as they were",
        ),
        FetchError::TooLarge { .. } => Some(
            "the tables are as they were; if the export is right, raise `max_size` in `[limits]`, \
             or ask for less with filters or a window",
        ),
        FetchError::Rejected { .. }
        | FetchError::TooManyRedirects { .. }
        | FetchError::Bomb { .. } => {
            Some("check what answers at `base_url`; the tables are as they were")
        }
        FetchError::Setup(_) => None,
    }
}

fn split_help(error: &SplitError) -> String {
    let help = match error {
        SplitError::Ambiguous { candidates } => {
            let lines: Vec<String> =
                candidates.iter().map(|c| format!("records = \"{c}\"")).collect();
            return format!("say which in `[[tables]]`, one table each: {}", lines.join(" or "));
        }
        SplitError::NoRecords => {
            "to load the whole export as one record, write `records = \"\"` in `[[tables]]`"
        }
        SplitError::NotFound { .. } | SplitError::NotRecords { .. } => {
            "correct `records` in `[[tables]]`; the tables are as they were"
        }
        SplitError::NotJson { .. } => {
            "check `base_url` and what answers there; the tables are as they were"
        }
        SplitError::SecondValue { .. } => {
            "the tables are as they were; if each value is a record, write `records = \"\"` in `[[tables]]`, \
             otherwise ask the source for the export once more"
        }
        SplitError::Empty | SplitError::Truncated { .. } | SplitError::Malformed { .. } => {
            "the tables are as they were; ask the source for the export once more"
        }
    };
    help.to_owned()
}

fn schema_help(error: &SchemaError) -> String {
    match error {
        SchemaError::Collision { second, .. } => {
            format!(
                "give one of them another name: `other_name = {{ from = \"{second}\" }}` under `[tables.columns]`"
            )
        }
        SchemaError::FieldCollision { column, .. } => {
            format!(
                "load the table with `nested = \"json\"` or `nested = \"tables\"`, or leave the column out: \
                 `{column} = {{ exclude = true }}` under `[tables.columns]`"
            )
        }
        SchemaError::Frozen { .. } => {
            "the tables are as they were; declare what is expected under `[tables.columns]`, or let it in once, \
             as with `--set tables[0].schema_contract=evolve`"
                .into()
        }
        SchemaError::TableCollision { .. } => {
            "declare one of them with a name of its own: `[[tables]]` with `parent` and `records`"
                .into()
        }
        SchemaError::MissingColumn { used_as, .. } => {
            format!(
                "correct `{used_as}`, or name the value: `name = {{ from = \"/path\" }}` under `[tables.columns]`"
            )
        }
        SchemaError::UnfitColumn { used_as, column_type: ColumnType::Struct(_), .. } => {
            format!("name a column in `{used_as}` that holds no objects")
        }
        SchemaError::UnfitPartition { column_type, .. } if !column_type.is_scalar() => {
            "partition by a column that holds neither objects nor lists".into()
        }
        SchemaError::UnfitColumn { column, used_as, .. } => {
            format!("name another column in `{used_as}`, or declare this one: `{column} = \"string\"`")
        }
        SchemaError::UnfitPartition { column, .. } => {
            format!(
                "partition by `{column}` itself or by a date, or declare it: `{column} = \"timestamp\"`"
            )
        }
        SchemaError::Uncheckable { .. } => {
            "correct the check in `[[tables]]`, or declare its columns under `[tables.columns]`".into()
        }
        SchemaError::PartitionCollision { directory_key, .. } => {
            format!(
                "give the column another name: `other_name = {{ from = \"/{directory_key}\" }}`"
            )
        }
        SchemaError::Unkept { .. } => {
            "write `deletes` and `history` as they were, or load into a new destination".into()
        }
        SchemaError::Repartitioned { .. } | SchemaError::Rekeyed { .. } => {
            "load into a new destination, or use `write_disposition = \"replace\"` once".into()
        }
    }
}
