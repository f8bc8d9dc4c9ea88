//! `flowlake runs`

use indicatif::HumanCount;

use super::destination::DestinationArgument;
use super::listing::Listing;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::report::{Outcome, RunReport};
use crate::run::{RunContext, RunError};
use crate::schema::RunId;
use crate::shown;
use crate::store::{Destination, ListedFile};

/// Shows the last runs of a destination, the newest first.
pub(super) async fn runs(
    destination: &DestinationArgument,
    limit: usize,
    json: bool,
    context: &RunContext,
) -> ExitCode {
    match show(destination, limit, json, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn show(
    destination: &DestinationArgument,
    limit: usize,
    json: bool,
    context: &RunContext,
) -> Result<(), Error> {
    let destination = destination.open(context).await?;
    let reports = last_reports(&destination, limit).await?;
    if json {
        return reports.iter().try_for_each(screen::print_report);
    }
    if reports.is_empty() {
        screen::print("no runs yet");
    } else {
        screen::print_lines(rows(&reports).lines());
    }
    // A run that was killed inside its commit has no report. A damaged destination is for `verify` to tell of.
    if let Ok(Some(run)) = crate::table::open(&destination).unfinished_commit().await {
        screen::print(format!(
            "run {run} was killed while it committed; `flowlake recover`, or the next run, finishes that"
        ));
    }
    Ok(())
}

async fn last_reports(destination: &Destination, limit: usize) -> Result<Vec<RunReport>, Error> {
    let mut files = destination.list(&destination.own("runs")).await.map_err(RunError::from)?;
    // Other files are strangers.
    let is_report = |file: &ListedFile| {
        let name = file.path.filename().and_then(|name| name.strip_suffix(".json"));
        name.is_some_and(|name| name.parse::<RunId>().is_ok())
    };
    files.retain(is_report);
    // A scheduler's own ids need not sort by time.
    files
        .sort_by(|left, right| right.modified.cmp(&left.modified).then(right.path.cmp(&left.path)));
    let mut reports: Vec<RunReport> = Vec::new();
    for file in files.into_iter().take(limit) {
        let content = destination.get(&file.path).await.map_err(RunError::from)?;
        match content.map(|content| serde_json::from_slice(&content)) {
            Some(Ok(report)) => reports.push(report),
            Some(Err(error)) => {
                tracing::warn!(path = %file.path, %error, "cannot read a report");
            }
            None => {}
        }
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.started_at));
    Ok(reports)
}

/// The last runs, a row each.
fn rows(reports: &[RunReport]) -> Listing {
    let headings = vec![
        "started",
        "pipeline",
        "run",
        "seconds",
        "received",
        "inserted",
        "updated",
        "quarantined",
        "exit",
        "outcome",
    ];
    let mut rows = Listing::new(headings, 3..9);
    for report in reports {
        let seconds = (report.finished_at - report.started_at).as_seconds_f64();
        let sum = |of: fn(&crate::report::TableReport) -> u64| {
            HumanCount(report.tables.iter().map(of).sum()).to_string()
        };
        rows.add(vec![
            report.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            report.pipeline.clone(),
            report.run_id.to_string(),
            format!("{seconds:.1}"),
            sum(|table| table.received),
            sum(|table| table.inserted),
            sum(|table| table.updated),
            sum(|table| table.quarantined),
            report.exit_code.to_string(),
            outcome(&report.outcome),
        ]);
    }
    rows
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Committed => "committed".to_owned(),
        Outcome::NothingNew | Outcome::NothingWaiting => "nothing new".to_owned(),
        Outcome::CommittedBefore => "committed before".to_owned(),
        Outcome::Failed { error } => shown::message(&format!("failed: {}", error.message)),
    }
}
