//! What people read on the terminal: errors, and the summary of a run.

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use tracing::Level;

use super::listing::Listing;
use super::screen;
use crate::cli::error::Error;
use crate::definition::{DefinitionError, Problems};
use crate::exit_code::{ExitCode, Failure};
use crate::report::{Outcome, RunReport, TableReport};
use crate::schema::RunId;

/// An error with its pipeline and its help, as lines.
pub(super) fn error(error: &Error, pipeline: Option<&str>) -> Vec<String> {
    let mut lines = match (error, pipeline) {
        // The report of a definition has its own titles.
        (Error::Definition(DefinitionError::Invalid(problems)), _) => problems.lines(),
        (error, Some(pipeline)) => vec![format!("error: pipeline `{pipeline}`: {error}")],
        (error, None) => vec![format!("error: {error}")],
    };
    lines.extend(error.help().map(|help| format!("  help: {help}")));
    lines
}

/// Shows the warnings about a definition on stderr.
pub(super) fn warn(warnings: &Problems) {
    if !warnings.is_empty() {
        screen::tell(Level::WARN, &warnings.lines(), ());
    }
}

/// Shows what to do next on stderr, each once.
pub(super) fn help(mut texts: Vec<&str>) {
    texts.dedup();
    for text in texts {
        screen::tell(Level::INFO, &[format!("help: {text}")], ());
    }
}

/// A run in a few lines: its outcome, then a row for each table.
pub(super) fn report(report: &RunReport) -> Vec<String> {
    let seconds = (report.finished_at - report.started_at).as_seconds_f64();
    let received = report.exports.iter().map(|export| export.bytes).sum();
    let outcome = match &report.outcome {
        Outcome::Committed => "committed".to_owned(),
        Outcome::NothingNew => format!("nothing new: {}", nothing_new(report)),
        Outcome::NothingWaiting => "nothing new: quarantine is empty".to_owned(),
        Outcome::CommittedBefore => "nothing new: a run of this id has committed before".to_owned(),
        Outcome::Failed { error } => format!("failed: {}", error.message),
    };
    let taken = match report.retried {
        Some(1) => "1 record from quarantine".to_owned(),
        Some(records) => format!("{records} records from quarantine"),
        None => HumanBytes(received).to_string(),
    };
    let (name, run) = (&report.pipeline, &report.run_id);
    // On a line of its own, so that it can be copied from a narrow terminal.
    let mut lines =
        vec![format!("{name}: {outcome} ({taken} in {seconds:.1} s)"), format!("run {run}")];
    if let Some(run) = &report.reloaded {
        lines.push(format!("loaded again: the export that run {run} received"));
    }
    if report.began_lake {
        lines.push(format!("this run began the lake {}", report.destination));
    }
    lines.extend(tables(report));
    lines.extend(report.not_loaded.iter().map(ToString::to_string));
    lines.extend(report.changes.iter().map(ToString::to_string));
    lines.extend(report.checks.iter().map(ToString::to_string));
    if !report.pruned.is_empty() {
        lines.push(format!("deleted: {}", report.pruned));
    }
    lines
}

/// Why nothing has changed.
fn nothing_new(report: &RunReport) -> &'static str {
    if report.exports.is_empty() && report.retried.is_none() {
        "there was nothing to ask for"
    } else if report.tables.iter().all(|row| row.received == 0) {
        "no records came"
    } else {
        "all records that came were known already"
    }
}

/// A column of the summary: its heading, and the number for a table.
type CountOf = (&'static str, fn(&TableReport) -> u64);

/// What may happen to rows. Rare outcomes are shown only when they occur.
const OUTCOMES: [CountOf; 7] = [
    ("received", |row| row.received),
    ("inserted", |row| row.inserted),
    ("updated", |row| row.updated),
    ("unchanged", |row| row.unchanged),
    ("superseded", |row| row.superseded),
    ("quarantined", |row| row.quarantined),
    ("deleted", |row| row.deleted),
];
const RARE: [&str; 3] = ["updated", "superseded", "deleted"];

fn tables(report: &RunReport) -> Vec<String> {
    let happened = |count: &fn(&TableReport) -> u64| report.tables.iter().any(|row| count(row) > 0);
    let outcomes: Vec<&CountOf> =
        OUTCOMES.iter().filter(|(name, count)| !RARE.contains(name) || happened(count)).collect();
    let headings = std::iter::once("table").chain(outcomes.iter().map(|(name, _)| *name));
    let headings: Vec<&str> = headings.chain(["rows", "files", "bytes", "partitions"]).collect();
    let mut rows = Listing::new(headings.clone(), 1..headings.len());
    for row in &report.tables {
        let count = |number: u64| HumanCount(number).to_string();
        let mut cells = vec![row.table.to_string()];
        cells.extend(outcomes.iter().map(|(_, of)| count(of(row))));
        cells.extend([
            count(row.rows),
            count(row.files),
            HumanBytes(row.bytes).to_string(),
            count(row.partitions),
        ]);
        rows.add(cells);
    }
    rows.lines()
}

/// Shows an error and its help on stderr.
pub(super) fn fail(error: &Error) -> ExitCode {
    fail_of(error, None, None)
}

/// The same for an error of a pipeline, or of one of its runs.
pub(super) fn fail_of(error: &Error, pipeline: Option<&str>, run: Option<&RunId>) -> ExitCode {
    let exit_code = error.exit_code();
    let fields = ErrorFields { pipeline, run, exit_code: exit_code.number() };
    screen::tell(Level::ERROR, &self::error(error, pipeline), fields);
    exit_code
}

/// What a log of JSON says of an error besides its message.
#[derive(Serialize)]
struct ErrorFields<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'e RunId>,
    exit_code: u8,
}
