//! Why a run failed, with what a scheduler and a person can do about it.

use polars::prelude::PolarsError;

use crate::decode::{DecodeError, SplitError};
use crate::definition::Share;
use crate::infer::SchemaError;
use crate::landing::LandError;
use crate::merge::MergeError;
use crate::report::TableReport;
use crate::run::interruption::Signal;
use crate::schema::{RunId, TableName, Window};
use crate::source::api_key::{ApiKey, ApiKeyError};
use crate::source::http::FetchError;
use crate::source::http::retry::{History, Retryable};
use crate::store::DestinationError;
use crate::table::lock::LockError;
use crate::table::quarantine::QuarantineError;
use crate::table::{CommitError, ReadError};
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
    #[error("{error}, in the answer for {window}")]
    InPiece { window: Window, error: Box<RunError> },
    #[error("the run was {0} before it committed anything")]
    Stopped(Signal),
    #[error(transparent)]
    Land(#[from] LandError),
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
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("a run called `{run_id}` has been in this destination before")]
    UsedRunId { run_id: RunId },
    #[error("the export has no records for table `{table}`, which has {rows} rows")]
    Emptied { table: TableName, rows: u64 },
    #[error(
        "the export has {records} records for table `{table}`, fewer than the {least} of `limits.min_records`"
    )]
    TooFew { table: TableName, records: u64, least: u64 },
    #[error(
        "the export has {records} records for table `{table}`, after {before} in the last run: \
         more than `limits.max_shrink` allows, which is {most}"
    )]
    Shrunk { table: TableName, records: u64, before: u64, most: Share },
    #[error(
        "{quarantined} of {received} records would go to quarantine, more than `limits.max_quarantined` allows; \
         the first: {reasons}"
    )]
    TooManyQuarantined { quarantined: u64, received: u64, reasons: String },
    #[error(
        "{rows} rows of table `{table}` break {rule}; the first is in the record at byte {first} of the export"
    )]
    BrokenCheck { table: TableName, rule: String, rows: u64, first: u64 },
    #[error(
        "records wait for table `{table}`, which is merged and has no `cursor`: they may be older than its rows"
    )]
    Unordered { table: TableName },
    #[error(
        "records wait for table `{table}`, of which partitions are overwritten: they come again with their partitions"
    )]
    ComesAgain { table: TableName },
    #[error(
        "the export of the window from {window} has records for `{partition}` of table `{table}`, which is not in it"
    )]
    OutsideWindow { table: TableName, partition: String, window: Window },
    #[error(
        "the records of table `{table}` are of more than {most} partitions, which is what `limits.max_partitions` allows"
    )]
    TooManyPartitions { table: TableName, most: usize },
    #[error("none of the {records} records fits table `{table}`; the first: {reasons}")]
    NothingFits { table: TableName, records: u64, reasons: String },
    #[error(
        "the ledger of `{}` does not balance: received {}, inserted {}, quarantined {}",
        ledger.table, ledger.received, ledger.inserted, ledger.quarantined
    )]
    Unbalanced { ledger: Box<TableReport> },
    #[error("rows could not be arranged: {0}")]
    Frame(#[from] PolarsError),
    #[error("a report could not be written as JSON: {0}")]
    Report(serde_json::Error),
}

impl RunError {
    /// Whether asking the source again can help: JSON that is not complete may be one that was cut short on its way.
    pub(super) fn retryable(&self) -> Retryable {
        match self {
            Self::Fetch(error) => Retryable::of(error),
            Self::Split(SplitError::Truncated { .. } | SplitError::Empty) => Retryable::SOON,
            _ => Retryable::Final,
        }
    }

    /// The same error, without a key in what is shown of the export.
    pub(super) fn redacted(mut self, keys: &[ApiKey]) -> Self {
        if let Self::Split(
            SplitError::NotJson { beginning: excerpt }
            | SplitError::Malformed { rest: excerpt, .. },
        )
        | Self::Decode(DecodeError { rest: excerpt, .. }) = &mut self
        {
            *excerpt = ApiKey::redact_all(keys, excerpt);
        }
        self
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
