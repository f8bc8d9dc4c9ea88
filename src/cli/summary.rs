//! What people read on the terminal: errors, and the table of tables.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};

use crate::cli::error::Error;
use crate::definition::Problems;
use crate::report::{Outcome, RunReport, TableReport};

/// An error with its pipeline and its way out.
pub(super) fn error(error: &Error, pipeline: Option<&str>) -> String {
    let mut text = match (error, pipeline) {
        // The report of a definition has its own titles.
        (Error::Definition(crate::definition::DefinitionError::Invalid(report)), _) => {
            report.to_string()
        }
        (error, Some(pipeline)) => format!("error: pipeline `{pipeline}`: {error}"),
        (error, None) => format!("error: {error}"),
    };
    if let Some(help) = error.help() {
        text.push_str("\n  help: ");
        text.push_str(&help);
    }
    text
}

/// Shows what the author of a definition might want to look at again, on stderr.
#[expect(clippy::print_stderr, reason = "the command line is where problems are shown")]
pub(super) fn warn(warnings: &Problems) {
    if !warnings.is_empty() {
        eprintln!("{warnings}");
    }
}

/// A run in a few lines: how it ended, then a row for every table.
pub(super) fn report(report: &RunReport) -> String {
    let seconds = (report.finished_at - report.started_at).as_seconds_f64();
    let received = report.exports.iter().map(|export| export.bytes).sum();
    let outcome = match &report.outcome {
        Outcome::Committed => "committed".to_owned(),
        Outcome::NothingNew => "nothing new: this export is in the tables already".to_owned(),
        Outcome::NothingWaiting => "nothing new: no records wait in quarantine".to_owned(),
        Outcome::Failed(reason) => format!("failed: {reason}"),
    };
    let taken = match report.retried {
        Some(1) => "1 record from quarantine".to_owned(),
        Some(records) => format!("{records} records from quarantine"),
        None => HumanBytes(received).to_string(),
    };
    let (name, run) = (&report.pipeline, &report.run_id);
    let mut lines = vec![format!("{name}: {outcome} ({taken} in {seconds:.1} s, run {run})")];
    lines.push(tables(report).to_string());
    lines.extend(report.changes.iter().map(ToString::to_string));
    lines.extend(report.checks.iter().map(ToString::to_string));
    lines.join("\n")
}

/// A column of the table: its heading and a row's number in it.
type CountOf = (&'static str, fn(&TableReport) -> u64);

/// What may become of a row. What hardly ever happens is shown when it does.
const FATES: [CountOf; 7] = [
    ("received", |row| row.received),
    ("inserted", |row| row.inserted),
    ("updated", |row| row.updated),
    ("unchanged", |row| row.unchanged),
    ("superseded", |row| row.superseded),
    ("quarantined", |row| row.quarantined),
    ("deleted", |row| row.deleted),
];
const RARE: [&str; 3] = ["updated", "superseded", "deleted"];

fn tables(report: &RunReport) -> Table {
    let happened = |count: &fn(&TableReport) -> u64| report.tables.iter().any(|row| count(row) > 0);
    let outcomes: Vec<&CountOf> =
        FATES.iter().filter(|(name, count)| !RARE.contains(name) || happened(count)).collect();
    let mut table = Table::new();
    let headings = outcomes.iter().map(|(name, _)| *name);
    let headings = std::iter::once("table").chain(headings);
    table.load_preset(presets::NOTHING).set_header(headings.chain([
        "rows",
        "files",
        "bytes",
        "partitions",
    ]));
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
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
