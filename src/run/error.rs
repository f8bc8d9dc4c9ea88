//! Why a run failed. Each variant knows its exit code and its help, or asks the step that failed.

use std::path::PathBuf;

use polars::prelude::PolarsError;

use crate::decode::{DecodeError, SplitError};
use crate::exit_code::{ExitCode, Failure, advice};
use crate::infer::SchemaError;
use crate::landing::{ArchiveError, LandError};
use crate::merge::MergeError;
use crate::report::TableReport;
use crate::run::guard_error::GuardError;
use crate::run::interruption::Signal;
use crate::schema::{RunId, Slice, TableFormat, TableName, Window};
use crate::source::api_key::ApiKeyError;
use crate::source::http::FetchError;
use crate::source::http::retry::{History, Retryable};
use crate::store::DestinationError;
use crate::table::lock::LockError;
use crate::table::quarantine::QuarantineError;
use crate::table::{CommitError, Disagreement, ReadError};
use crate::write::WriteError;
use crate::write::spill::SpillError;

/// A run that failed. No table has changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error of the step it is named after")]
pub enum RunError {
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{error}, {history}")]
    GaveUp { history: History, error: Box<RunError> },
    #[error("{error}, in the export of the window {window}")]
    InPiece { window: Window, error: Box<RunError> },
    #[error("the run was {0} before it committed anything")]
    Stopped(Signal),
    #[error(transparent)]
    Land(#[from] LandError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Split(#[from] SplitError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Spill(#[from] SpillError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("another run committed to this destination at the same time")]
    Conflict,
    #[error("no lake here: flowlake has committed nothing to `{url}`, and `must_exist = true`")]
    NoLake { url: String },
    #[error("`{url}` is inside another destination, {}", above.display())]
    InsideLake { url: String, above: PathBuf },
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("no export of pipeline `{pipeline}` is kept{}", .run.as_ref().map_or_else(String::new, |run| format!(" by the run `{run}`")))]
    NothingKept { pipeline: String, run: Option<RunId> },
    #[error("the run id `{run_id}` was used in this destination by another pipeline or command")]
    UsedRunId { run_id: RunId },
    #[error("`{table}` is written by pipeline `{pipeline}`")]
    OtherPipeline { table: TableName, pipeline: String },
    #[error(
        "the tables of this destination are {is} tables, and the definition says `format = \"{asked}\"`"
    )]
    OtherFormat { is: TableFormat, asked: TableFormat },
    #[error("the tables of this pipeline are the slice `{is}`, and the definition says `{asked}`")]
    OtherSlice { is: Slice, asked: Slice },
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    #[error("tables that pipelines share cannot become plain Parquet")]
    SharedTables,
    #[error("{0}")]
    Undividable(SchemaError),
    #[error("tables that pipelines share cannot get other partitions")]
    SharedPartitions,
    #[error(
        "`{table}` has rows of records that `{root}` has more than once, and nothing says which of them they belong to"
    )]
    UnclearRecord { table: TableName, root: TableName },
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error("the ledger of `{}` does not balance: {}", ledger.table, ledger.imbalance())]
    Unbalanced { ledger: Box<TableReport> },
    #[error("polars failed on the rows of the export: {0}")]
    Frame(#[from] PolarsError),
    #[error("cannot write the report as JSON: {0}")]
    Report(serde_json::Error),
}

impl Failure for RunError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::ApiKey(error) => error.exit_code(),
            Self::Fetch(error) => error.exit_code(),
            Self::GaveUp { error, .. } | Self::InPiece { error, .. } => error.exit_code(),
            Self::Stopped(signal) => signal.exit_code(),
            Self::Land(error) => error.exit_code(),
            Self::Archive(error) => error.exit_code(),
            Self::Split(error) => error.exit_code(),
            Self::Decode(error) => error.exit_code(),
            Self::Schema(error) => error.exit_code(),
            Self::Read(error) => error.exit_code(),
            Self::Spill(error) => error.exit_code(),
            Self::Write(error) => error.exit_code(),
            Self::Commit(error) => error.exit_code(),
            Self::Quarantine(error) => error.exit_code(),
            Self::Destination(error) => error.exit_code(),
            Self::Lock(error) => error.exit_code(),
            Self::Guard(error) => error.exit_code(),
            Self::NothingKept { .. }
            | Self::UsedRunId { .. }
            | Self::OtherPipeline { .. }
            | Self::OtherFormat { .. }
            | Self::OtherSlice { .. }
            | Self::SharedTables
            | Self::Undividable(_)
            | Self::SharedPartitions
            | Self::InsideLake { .. }
            | Self::UnclearRecord { .. } => ExitCode::Usage,
            Self::Disagreement(_) => ExitCode::Export,
            Self::Conflict => ExitCode::Busy,
            Self::NoLake { .. } => ExitCode::Destination,
            Self::Unbalanced { .. } | Self::Frame(_) | Self::Report(_) => ExitCode::Unexpected,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::ApiKey(error) => error.help(),
            Self::Fetch(error) => error.help(),
            Self::GaveUp { error, .. } | Self::InPiece { error, .. } => error.help(),
            Self::Land(error) => error.help(),
            Self::Archive(error) => error.help(),
            Self::Split(error) => error.help(),
            Self::Decode(error) => error.help(),
            Self::Undividable(SchemaError::PartitionCollision { directory_key, .. }) => {
                Some(rename_before_dividing(directory_key))
            }
            Self::Schema(error) | Self::Undividable(error) => error.help(),
            Self::Read(error) => error.help(),
            Self::Spill(error) => error.help(),
            Self::Write(error) => error.help(),
            Self::Commit(error) => error.help(),
            Self::Quarantine(error) => error.help(),
            Self::Destination(error) => error.help(),
            Self::Lock(error) => error.help(),
            Self::Guard(error) => error.help(),
            Self::Stopped(_) => Some("the tables are as they were; run it again".into()),
            Self::NothingKept { .. } => Some(
                "`[landing] keep` says of how many runs exports are kept; `flowlake run` asks the source".into(),
            ),
            Self::UsedRunId { .. } => Some(USED_RUN_ID_HELP.into()),
            Self::OtherPipeline { .. } => Some(
                "two pipelines cannot write one table: give this one another destination or table; \
                 if it replaces that pipeline, run it once with `--take-over`"
                    .into(),
            ),
            Self::OtherFormat { asked, .. } => Some(format!(
                "convert them once with `flowlake convert DEFINITION --to {asked}`, or write the format that they have; \
                 the tables are as they were"
            )),
            Self::OtherSlice { .. } => Some(
                "give `destination.slice` the value that it had, or the pipeline another name; \
                 the tables are as they were"
                    .into(),
            ),
            Self::Disagreement(_) => Some(
                "the pipelines of a shared table agree on it: write what it has in `[[tables]]`; \
                 the tables are as they were"
                    .into(),
            ),
            Self::SharedTables => Some(
                "give each pipeline a destination of its own, and load the source again".into(),
            ),
            Self::SharedPartitions | Self::UnclearRecord { .. } => Some(
                "write the `partition_by` that was there, or load into a new destination".into(),
            ),
            Self::Conflict => Some("the other run is complete; run this one again".into()),
            Self::InsideLake { .. } => Some(INSIDE_LAKE_HELP.into()),
            Self::NoLake { .. } => Some(NO_LAKE_HELP.into()),
            Self::Unbalanced { .. } | Self::Frame(_) | Self::Report(_) => {
                Some(advice::REPORT_A_BUG.into())
            }
        }
    }
}

const NO_LAKE_HELP: &str = "check `destination.url`, and that its disk is mounted; \
     `--set destination.must_exist=false` begins a lake";
const INSIDE_LAKE_HELP: &str = "give each destination a directory of its own: readers of the outer one would take files of \
     this one for its own";
const USED_RUN_ID_HELP: &str = "give each run an id of its own, or leave `--run-id` out";

/// What to do about a column that has the name of a directory.
fn rename_before_dividing(name: &str) -> String {
    format!(
        "without the new `partition_by`, leave the column out for one run: `{name} = {{ exclude = true }}`; \
         then give it another name, `other_name = {{ from = \"/{name}\" }}`, and convert"
    )
}

impl RunError {
    /// Whether asking the source again can help: incomplete JSON may have been cut off on its way.
    pub(super) fn retryable(&self) -> Retryable {
        match self {
            Self::Fetch(error) => Retryable::of(error),
            Self::Split(SplitError::Truncated { .. } | SplitError::Empty) => Retryable::SOON,
            _ => Retryable::Final,
        }
    }
}

impl From<MergeError> for RunError {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Read(error) => Self::Read(error),
            MergeError::Spill(error) => Self::Spill(error),
            MergeError::Frame(error) => Self::Frame(error),
        }
    }
}
