//! Events of a run, and the fan-out that hands each of them to every reporter.
//!
//! | order | events |
//! |---|---|
//! | first | [`EventKind::Started`] |
//! | then, any number | everything else |
//! | last, exactly one | [`EventKind::Finished`] or [`EventKind::Failed`] |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::RunReport;
use crate::schema::{ColumnName, ColumnType, RunId, TableName, Window};
use crate::source::api_key::KeyName;

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The run.
    pub run_id: RunId,
    /// The name of its pipeline.
    pub pipeline: String,
    /// The table it concerns; none when it concerns the whole run.
    pub table: Option<TableName>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// The run began.
    Started,
    /// Another run holds the destination, and this one waits for it.
    Waiting {
        /// The run that holds the lock.
        owner: String,
    },
    /// A request is sent to the source.
    Requesting {
        /// The number of the attempt, from 1.
        attempt: usize,
    },
    /// The source answered, and its body is about to arrive.
    Receiving {
        /// The announced size in bytes.
        announced: Option<u64>,
    },
    /// So many bytes of the export arrived.
    Received(u64),
    /// So many records were decoded.
    Decoded(u64),
    /// Everything was received, and becomes rows.
    Loading,
    /// So many files are about to be written.
    Writing(u64),
    /// One of them was written.
    Written,
    /// Everything is staged, and the commit begins.
    Committing,
    /// Something that somebody should know. The run goes on.
    Warning(RunWarning),
    /// The run ended, and its tables are as the report says.
    Finished(Arc<RunReport>),
    /// The run failed, and no table has changed.
    Failed(Arc<RunReport>),
}

/// Something that somebody should know about a run that goes on.
#[derive(Debug, Clone)]
pub enum RunWarning {
    /// The source refused a key and accepted another one.
    KeyRefused(KeyName),
    /// A request failed and is sent again after a wait.
    Retrying {
        /// How long the wait is.
        wait: Duration,
        /// Why it failed.
        reason: String,
    },
    /// Records of some time will not be loaded by any run.
    NotLoaded(String),
    /// The versions of a history begin at this time, since an earlier run took it for the present.
    HistoryIsAhead(DateTime<Utc>),
    /// Quarantined records have unreadable keys, so missing records are not deleted.
    DeletesSkipped,
    /// An export that is loaded again deletes no records.
    DeletesNothing {
        /// The window that it was of.
        window: Option<Window>,
    },
    /// A child table had rows, and no record has any for it now.
    ChildEmptied {
        /// How many it had.
        rows: u64,
    },
    /// The table has appended the export under another definition.
    AppendedBefore,
    /// The pipeline wrote the table, and does not name it any more while it begins another one.
    LeftBehind,
    /// The definition says something of a column that the export does not have.
    NothingCalled {
        /// The column.
        column: ColumnName,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// Values do not fit their column and are in quarantine.
    ValuesOfAnotherType {
        /// The column, or the path of a field in it.
        column: String,
        /// Its type.
        column_type: ColumnType,
        /// How many records have such values.
        records: u64,
        /// The type to declare to keep them, if there is one.
        keep_with: Option<ColumnType>,
    },
    /// The run is complete, but its report could not be written.
    ReportNotWritten(String),
    /// Old files could not be deleted.
    NotPruned(String),
    /// The staged files of a failed run could not be removed.
    StagedFilesLeft(String),
    /// An interrupted run had no time to remove its staged files.
    NoTimeToCleanUp,
}

impl fmt::Display for RunWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyRefused(key) => write!(f, "the source refused the key from {key}; retire it"),
            Self::Retrying { wait, reason } => {
                write!(f, "{reason}; asking again in {:.1} s", wait.as_secs_f64())
            }
            Self::NotLoaded(gap) => f.write_str(gap),
            Self::HistoryIsAhead(time) => {
                let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
                write!(
                    f,
                    "the clock of an earlier run was ahead: until {time} all versions of the history begin at that time"
                )
            }
            Self::DeletesSkipped => f.write_str(
                "quarantined records have keys that cannot be read; no missing record is deleted",
            ),
            Self::DeletesNothing { window } => deletes_nothing(f, *window),
            Self::ChildEmptied { rows } => {
                let of = if *rows == 1 { "row" } else { "rows" };
                write!(
                    f,
                    "no record of the export has rows for it, so the {rows} {of} it had are gone; look whether the \
                     source has renamed its list"
                )
            }
            Self::AppendedBefore => f.write_str(
                "this export was appended before, and the definition has changed since: what it says now is not applied \
                 to it; `flowlake quarantine retry` loads what waits by it, and `flowlake run --again` appends the \
                 whole export once more",
            ),
            Self::LeftBehind => f.write_str(
                "no table of the definition is called so any more: it stays as it is, and gets no rows; \
                 if it was renamed, its rows and history stay under the old name",
            ),
            Self::NothingCalled { column, nearest } => {
                write!(f, "nothing in the export is called `{column}`")?;
                match nearest {
                    Some(name) => write!(f, "; did you mean `{name}`?"),
                    None => f.write_str("; write `optional = true` beside it if that may be"),
                }
            }
            Self::ValuesOfAnotherType { column, column_type, records, keep_with } => {
                another_type(f, (column, column_type), *records, keep_with.as_ref())
            }
            Self::ReportNotWritten(error) => {
                write!(f, "could not write the report of the run: {error}")
            }
            Self::NotPruned(error) => {
                write!(f, "could not delete old files; a later run deletes them: {error}")
            }
            Self::StagedFilesLeft(error) => {
                write!(f, "could not remove staged files; a later run removes them: {error}")
            }
            Self::NoTimeToCleanUp => {
                f.write_str("no time to remove staged files; a later run removes them")
            }
        }
    }
}

fn deletes_nothing(f: &mut fmt::Formatter<'_>, window: Option<Window>) -> fmt::Result {
    f.write_str("an export that is loaded again deletes no records; ")?;
    let Some(Window { start, end }) = window else { return f.write_str("the next run does") };
    let [from, to] = [start, end].map(|it| it.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    write!(f, "a run with `--from {from} --to {to}` deletes those that the source has no more")
}

fn another_type(
    f: &mut fmt::Formatter<'_>,
    (column, column_type): (&str, &ColumnType),
    records: u64,
    keep_with: Option<&ColumnType>,
) -> fmt::Result {
    let of = if records == 1 { "record" } else { "records" };
    write!(f, "{records} {of} with a value in `{column}` that is no {column_type}: in quarantine")?;
    match keep_with {
        Some(other) => write!(
            f,
            "; to keep such values, write `{column} = \"{other}\"` under `[tables.columns]`"
        ),
        None => Ok(()),
    }
}

/// Consumes the events of runs.
pub trait Reporter: Send + Sync {
    /// Takes the next event. Events of one run come one at a time, in order.
    fn event(&self, event: &Event);
}

/// Any number of reporters. Each gets every event.
#[derive(Clone, Default)]
pub struct Reporters(Vec<Arc<dyn Reporter>>);

impl Reporters {
    /// The same reporters and one more.
    #[must_use]
    pub fn and(mut self, reporter: Arc<dyn Reporter>) -> Self {
        self.0.push(reporter);
        self
    }
}

impl Reporter for Reporters {
    fn event(&self, event: &Event) {
        for reporter in &self.0 {
            reporter.event(event);
        }
    }
}

impl fmt::Debug for Reporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reporters({})", self.0.len())
    }
}
