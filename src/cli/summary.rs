//! What people read on the terminal: errors, and the table of tables.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};

use crate::definition::Problems;
use crate::error::Error;
use crate::report::{Outcome, RunReport};

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
        Outcome::Failed(reason) => format!("failed: {reason}"),
    };
    format!(
        "{}: {outcome} ({} in {seconds:.1} s, run {})\n{}",
        report.pipeline,
        HumanBytes(received),
        report.run_id,
        tables(report)
    )
}

fn tables(report: &RunReport) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "table",
        "received",
        "inserted",
        "unchanged",
        "quarantined",
        "rows",
        "files",
        "bytes",
        "partitions",
    ]);
    for row in &report.tables {
        let count = |number: u64| HumanCount(number).to_string();
        table.add_row([
            row.table.to_string(),
            count(row.received),
            count(row.inserted),
            count(row.unchanged),
            count(row.quarantined),
            count(row.rows),
            count(row.files),
            HumanBytes(row.bytes).to_string(),
            count(row.partitions),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
