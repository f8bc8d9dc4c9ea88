//! The report of a run: the value that `flowlake run` shows, and the file that the destination keeps.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::exit_code::{ExitCode, Failure};
use crate::infer::Change;
use crate::landing::ExportHash;
use crate::schema::{RunId, Slice, TableName, ValueCounts, Window};
use crate::shown;
use crate::table::Pruned;

/// What a run did; also the file `_flowlake/runs/<run id>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The version of this format.
    pub version: u32,
    /// The version of flowlake that ran.
    pub flowlake: String,
    /// The run.
    pub run_id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where the tables are.
    pub destination: String,
    /// The part of the tables that the pipeline writes, where others write the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The destination had no table before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub began_lake: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What the process exits with for it.
    pub exit_code: u8,
    /// How long each step took.
    pub seconds: StepSeconds,
    /// What the run covered; none for a full export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Windows that neither this run nor a later one loads by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_loaded: Vec<NotLoadedReport>,
    /// The exports, once all were received: one for each request.
    #[serde(default)]
    pub exports: Vec<ExportReport>,
    /// How many quarantined records the run loaded again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<u64>,
    /// The run whose export was loaded again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reloaded: Option<RunId>,
    /// The ledger of each table of the run.
    pub tables: Vec<TableReport>,
    /// How the schemas changed.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The checks that rows failed.
    #[serde(default)]
    pub checks: Vec<CheckReport>,
    /// Why records are in quarantine, the most frequent reasons first.
    #[serde(default)]
    pub quarantine_reasons: Vec<QuarantineReasonReport>,
    /// The old files that were deleted.
    #[serde(default, skip_serializing_if = "Pruned::is_empty")]
    pub pruned: Pruned,
}

/// Which run it is.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// Its id.
    pub run_id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where its tables are.
    pub destination: String,
    /// The part of the tables that it writes, where others write the rest.
    pub slice: Option<Slice>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// A window of a table that no run loads by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLoadedReport {
    /// The table.
    pub table: TableName,
    /// The window.
    pub window: Window,
    /// Why, with the command that loads it.
    pub message: String,
}

/// A check that rows failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The table.
    pub table: TableName,
    /// The check, as in `range(total_amount)`.
    pub check: String,
    /// How many rows failed it.
    pub rows: u64,
    /// The action: `quarantine` or `warn`.
    pub on_failure: String,
}

/// Why records are in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReasonReport {
    /// The table.
    pub table: TableName,
    /// The name of the rule that they break, as in quarantine.
    pub rule: String,
    /// What is wrong with them.
    pub reason: String,
    /// How many records this is said of.
    pub records: u64,
}

/// The steps of a run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunStep {
    /// Asking the source, keeping and decoding what it sends.
    Receive,
    /// Making rows, and comparing them with the tables.
    Load,
    /// Writing files.
    Write,
    /// Making them visible.
    Commit,
}

/// How long each step of a run took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StepSeconds {
    receive: f64,
    load: f64,
    write: f64,
    commit: f64,
}

impl StepSeconds {
    /// Adds time to a step.
    pub fn add(&mut self, step: RunStep, seconds: f64) {
        let of_step = match step {
            RunStep::Receive => &mut self.receive,
            RunStep::Load => &mut self.load,
            RunStep::Write => &mut self.write,
            RunStep::Commit => &mut self.commit,
        };
        *of_step += seconds;
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Tables were changed.
    Committed,
    /// The tables had loaded the export already; nothing was changed.
    NothingNew,
    /// Quarantine was empty; nothing was changed.
    NothingWaiting,
    /// A run of this id has committed before; nothing was changed.
    CommittedBefore,
    /// The run failed; nothing was changed.
    Failed {
        /// Why.
        error: ReportedError,
    },
}

impl Outcome {
    /// The outcome of a run that failed.
    #[must_use]
    pub fn failed(error: &(impl Failure + ?Sized)) -> Self {
        let error = ReportedError {
            kind: error.exit_code().name().to_owned(),
            message: shown::message(&error.to_string()),
            help: error.help().map(|help| shown::message(&help)),
        };
        Self::Failed { error }
    }

    /// What the process exits with for it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed { error } => {
                let named = ExitCode::ALL.into_iter().find(|code| code.name() == error.kind);
                named.unwrap_or(ExitCode::Unexpected)
            }
            _ => ExitCode::Done,
        }
    }
}

/// An error as reports have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// The name of its exit code, as in `source_unavailable`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The export of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// The URL, without the key.
    pub url: String,
    /// The window that it covers; none for a full export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Its size, decompressed.
    pub bytes: u64,
    /// The hash of its content.
    pub hash: ExportHash,
}

/// One table's ledger (promise P1) and files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// The table.
    pub table: TableName,
    /// Rows in the export.
    pub received: u64,
    /// Of these, rows that are new in the table.
    pub inserted: u64,
    /// Of these, rows that replaced an older version.
    pub updated: u64,
    /// Of these, rows that the table had already, unchanged.
    pub unchanged: u64,
    /// Of these, older versions of a row in the same export.
    pub superseded: u64,
    /// Of these, rows of quarantined records.
    pub quarantined: u64,
    /// Of these, records that waited in quarantine already, for the same reasons.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_already: u64,
    /// Records of the table that are missing from the export, and were marked as deleted or removed. Not part of
    /// `received`.
    #[serde(default)]
    pub deleted: u64,
    /// Loaded rows without a value in the table's `cursor`: they are older than any other. Part of other counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub without_cursor: u64,
    /// The values of the records that were received. None for a child table, whose values are counted with its root's,
    /// and for a table that had loaded the export already.
    #[serde(flatten)]
    pub values: Option<ValueCounts>,
    /// Rows of the table after the run.
    pub rows: u64,
    /// Files of the table after the run.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Partitions of the table after the run.
    pub partitions: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl std::fmt::Display for NotLoadedReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "! {} is not loaded: {}", self.table, self.message)
    }
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        write!(f, "! {} {} failed for {rows} ({})", self.table, self.check, self.on_failure)
    }
}

impl RunReport {
    /// The version of the format that this flowlake writes.
    pub const VERSION: u32 = 2;

    /// The report of a run with nothing in it but how it ended.
    #[must_use]
    pub fn of(run: RunIdentity, finished_at: DateTime<Utc>, outcome: Outcome) -> Self {
        let RunIdentity { run_id, pipeline, destination, slice, started_at } = run;
        Self {
            version: Self::VERSION,
            flowlake: env!("CARGO_PKG_VERSION").to_owned(),
            run_id,
            pipeline,
            destination,
            slice,
            began_lake: false,
            started_at,
            finished_at,
            exit_code: outcome.exit_code().number(),
            outcome,
            seconds: StepSeconds::default(),
            window: None,
            not_loaded: Vec::new(),
            exports: Vec::new(),
            retried: None,
            reloaded: None,
            tables: Vec::new(),
            changes: Vec::new(),
            checks: Vec::new(),
            quarantine_reasons: Vec::new(),
            pruned: Pruned::default(),
        }
    }

    /// Quarantined records, in all tables.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.tables.iter().map(|table| table.quarantined).sum()
    }
}

impl TableReport {
    /// Whether every received row and value is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.rows_balance() && self.values.is_none_or(|values| values.balances())
    }

    /// What does not balance, for a message.
    #[must_use]
    pub fn imbalance(&self) -> String {
        let Self { received, inserted, updated, unchanged, superseded, quarantined, .. } = self;
        match &self.values {
            Some(values) if self.rows_balance() => values.to_string(),
            _ => format!(
                "of {received} rows received, {inserted} were inserted, {updated} updated, {unchanged} unchanged, \
                 {superseded} superseded and {quarantined} quarantined"
            ),
        }
    }

    /// Whether every received row is accounted for.
    #[must_use]
    pub fn rows_balance(&self) -> bool {
        let accounted =
            [self.inserted, self.updated, self.unchanged, self.superseded, self.quarantined];
        self.received == accounted.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_a_ledger_that_misses_a_row_does_not_balance() {
        let mut table = TableReport {
            table: "t".parse().unwrap(),
            received: 5,
            inserted: 4,
            updated: 0,
            unchanged: 0,
            superseded: 0,
            quarantined: 1,
            deleted: 0,
            waiting_already: 0,
            without_cursor: 0,
            values: None,
            rows: 4,
            files: 1,
            bytes: 1,
            partitions: 0,
        };
        assert!(table.balances());
        table.inserted = 3;
        assert!(!table.balances());
    }

    #[test]
    fn a_report_of_an_earlier_release_has_no_values() {
        let row = r#"{"table":"t","received":1,"inserted":1,"updated":0,"unchanged":0,"superseded":0,"quarantined":0,"rows":1,"files":1,"bytes":9,"partitions":0}"#;
        let mut table: TableReport = serde_json::from_str(row).unwrap();
        assert_eq!(table.values, None);
        assert!(!serde_json::to_string(&table).unwrap().contains("values"));
        table.values = Some(ValueCounts { received: 3, loaded: 3, ..ValueCounts::default() });
        let written = serde_json::to_string(&table).unwrap();
        assert!(written.contains("\"values_received\":3,\"values_loaded\":3"), "{written}");
        assert_eq!(serde_json::from_str::<TableReport>(&written).unwrap(), table);
    }
}
