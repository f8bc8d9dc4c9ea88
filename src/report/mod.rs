//! Report: what happened, for people while it happens and for machines afterwards.
//!
//! The runner emits [`Event`]s and returns a [`RunReport`]; nothing but this module and `cli` prints.

use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::infer::Change;
use crate::landing::ExportHash;
use crate::schema::{RunId, TableName, Window};
use crate::source::api_key::KeyName;

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// Another run holds the destination, and this one waits for it.
    Waiting(String),
    /// The source is asked, for the first time or once more.
    Asking {
        /// The number of the try, from 1.
        try_number: usize,
    },
    /// The source answers; so many bytes are announced.
    Receiving(Option<u64>),
    /// A key was refused before another one was taken.
    KeyRefused(KeyName),
    /// A request failed and is made again after a wait.
    Retrying {
        /// How long.
        wait: Duration,
        /// Why it failed.
        reason: String,
    },
    /// So many bytes of the export arrived.
    Received(u64),
    /// So many records were decoded.
    Decoded(u64),
    /// So many files will be written.
    Writing(u64),
    /// One of them was.
    Written,
    /// Everything is in staging, and is now published.
    Committing,
}

/// Takes events as they happen.
pub trait Observer: Send + Sync {
    /// Takes one.
    fn event(&self, event: &Event);
}

/// Takes no notice.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}

/// Shows bytes, records and files on a terminal; shows nothing where there is none.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    name: String,
    received: std::sync::atomic::AtomicU64,
    decoded: std::sync::atomic::AtomicU64,
}

impl Progress {
    /// Progress of the pipeline of this name, on stderr.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, name: name.to_owned(), received: 0.into(), decoded: 0.into() }
    }

    fn show_intake(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let (received, decoded) = (self.received.load(Relaxed), self.decoded.load(Relaxed));
        self.bar.set_message(format!(
            "{} received, {decoded} records decoded",
            indicatif::HumanBytes(received)
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event) {
        use std::sync::atomic::Ordering::Relaxed;
        match event {
            Event::Waiting(owner) => self.bar.set_message(format!("waiting for {owner}")),
            Event::Asking { try_number: 1 } => self.bar.set_message("asking the source"),
            Event::Asking { try_number } => {
                self.bar.set_message(format!("asking the source, try {try_number}"));
            }
            Event::Receiving(_) => self.bar.set_message("the source answers"),
            Event::KeyRefused(key) => {
                tracing::warn!(
                    pipeline = self.name,
                    "the source refused the key from {key}; retire it"
                );
            }
            Event::Retrying { wait, reason } => {
                let seconds = wait.as_secs_f64();
                tracing::warn!(pipeline = self.name, "{reason}; asking again in {seconds:.1} s");
            }
            Event::Received(bytes) => {
                self.received.fetch_add(*bytes, Relaxed);
                self.show_intake();
            }
            Event::Decoded(records) => {
                self.decoded.fetch_add(*records, Relaxed);
                self.show_intake();
            }
            Event::Writing(files) => {
                self.bar.set_length(*files);
                self.bar.set_position(0);
                self.bar.set_message(format!("0 of {files} files written"));
            }
            Event::Written => {
                self.bar.inc(1);
                let files = self.bar.length().unwrap_or_default();
                self.bar.set_message(format!("{} of {files} files written", self.bar.position()));
            }
            Event::Committing => self.bar.set_message("publishing"),
        }
    }
}

/// What a run did; also the file `_flowlake/runs/<run id>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The form of this report.
    pub version: u32,
    /// The run.
    pub run_id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where the tables are.
    pub destination: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the run covered; none for a full export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What was received, once it was received in full: one for each request.
    #[serde(default)]
    pub exports: Vec<ExportReport>,
    /// How many records the run took in from quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<u64>,
    /// The ledger of every table the run concerned.
    pub tables: Vec<TableReport>,
    /// What is different from the schemas that there were.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The checks that rows break.
    #[serde(default)]
    pub checks: Vec<CheckReport>,
}

/// A check that rows break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The table.
    pub table: TableName,
    /// The check, as in `range(total_amount)`.
    pub check: String,
    /// How many rows break it.
    pub rows: u64,
    /// What was done about them: `quarantine` or `warn`.
    pub on_failure: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Tables were changed.
    Committed,
    /// The export was taken before; nothing was changed.
    NothingNew,
    /// No records waited in quarantine; nothing was changed.
    NothingWaiting,
    /// Nothing was changed, because of this.
    Failed(String),
}

/// The answer to one request of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// What was asked, without the key.
    pub url: String,
    /// What it covers; none for a full export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Its size, decompressed.
    pub bytes: u64,
    /// Its content.
    pub hash: ExportHash,
}

/// One table's ledger (promise P1) and files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// The table.
    pub table: TableName,
    /// Rows that the export held for it.
    pub received: u64,
    /// Of these, rows that are new in the table.
    pub inserted: u64,
    /// Of these, rows that replaced an older version.
    pub updated: u64,
    /// Of these, rows that the table had already.
    pub unchanged: u64,
    /// Of these, older versions of another row of the export.
    pub superseded: u64,
    /// Of these, rows of records that are in quarantine.
    pub quarantined: u64,
    /// Records of the table that the export does not have any more, and that were marked or taken out. They are none
    /// of the received.
    #[serde(default)]
    pub deleted: u64,
    /// Rows of the table after the run.
    pub rows: u64,
    /// Files of the table after the run.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Partitions of the table after the run.
    pub partitions: u64,
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        write!(f, "! {} {} (broken by {rows}, {})", self.table, self.check, self.on_failure)
    }
}

impl RunReport {
    /// The form of reports that this flowlake writes.
    pub const VERSION: u32 = 1;

    /// Records that are in quarantine now, in all tables.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.tables.iter().map(|table| table.quarantined).sum()
    }
}

impl TableReport {
    /// Whether every received row is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
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
            rows: 4,
            files: 1,
            bytes: 1,
            partitions: 0,
        };
        assert!(table.balances());
        table.inserted = 3;
        assert!(!table.balances());
    }
}
