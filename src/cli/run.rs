//! `flowlake run`

use std::path::PathBuf;
use std::sync::Arc;

use super::planning::PlanArguments;
use super::screen;
use super::summary::{self, fail};
use crate::cli::error::Error;
use crate::definition::{self, Pipeline, Setting};
use crate::exit_code::ExitCode;
use crate::report::{Log, Progress, RunReport};
use crate::run::{RunContext, RunError};
use crate::schema::RunId;

/// The options of `flowlake run`.
#[derive(Debug, Clone, Default)]
pub(super) struct RunOptions {
    pub(super) json: bool,
    pub(super) plan: PlanArguments,
    pub(super) run_id: Option<RunId>,
}

/// Runs each pipeline in turn. One that fails does not stop the others.
pub(super) async fn run(files: &[PathBuf], options: &RunOptions, context: &RunContext) -> ExitCode {
    let pipelines = match load_all(files, &options.plan.settings, context) {
        Ok(pipelines) => pipelines,
        Err(code) => return code,
    };
    let mut failures = Vec::new();
    let count = pipelines.len();
    for pipeline in pipelines {
        if let Err(code) = run_one(pipeline, options, context).await {
            failures.push(code);
        }
        if let Some(signal) = context.interruption.signal() {
            return signal.exit_code();
        }
    }
    match failures.first() {
        None => ExitCode::Done,
        Some(code) if count == 1 => *code,
        Some(_) => ExitCode::Partial,
    }
}

/// Loads every definition, or shows the problems of all of them.
fn load_all(
    files: &[PathBuf],
    settings: &[Setting],
    context: &RunContext,
) -> Result<Vec<Pipeline>, ExitCode> {
    let mut pipelines = Vec::new();
    let mut failed = None;
    for loaded in definition::load_all(files, settings, &context.environment) {
        match loaded {
            Ok(definition) => {
                summary::warn(&definition.warnings);
                pipelines.push(definition.pipeline);
            }
            Err(error) => failed = Some(fail(&Error::Definition(error))),
        }
    }
    failed.map_or(Ok(pipelines), Err)
}

async fn run_one(
    pipeline: Pipeline,
    options: &RunOptions,
    context: &RunContext,
) -> Result<(), ExitCode> {
    let name = pipeline.name.clone();
    let ended = execute(pipeline, options, context).await;
    show(ended, &name, options.json)
}

/// Shows the result of a run. Returns the exit code when it failed.
pub(super) fn show(
    ended: Result<RunReport, Error>,
    pipeline: &str,
    json: bool,
) -> Result<(), ExitCode> {
    match ended {
        Ok(report) => show_report(&report, json).map_err(|error| fail(&error)),
        Err(error) => Err(summary::fail_of(&error, Some(pipeline))),
    }
}

/// The same context, with progress on a terminal and warnings in the log.
pub(super) fn with_reporters(context: &RunContext, pipeline: &str) -> RunContext {
    let reporters = context.reporters.clone();
    let reporters = reporters.and(Arc::new(Progress::new(pipeline))).and(Arc::new(Log));
    RunContext { reporters, ..context.clone() }
}

/// Plans and runs one pipeline.
pub(super) async fn execute(
    pipeline: Pipeline,
    options: &RunOptions,
    context: &RunContext,
) -> Result<RunReport, Error> {
    let context = with_reporters(context, &pipeline.name);
    let plan = options.plan.plan(pipeline, options.run_id.clone(), &context);
    let plan = context.interruption.or(plan).await.map_err(RunError::Stopped)??;
    Ok(crate::run::run(&plan, &context).await?)
}

/// The run is complete, whatever becomes of its output.
fn show_report(report: &RunReport, json: bool) -> Result<(), Error> {
    if json {
        screen::print_json(report)?;
    } else {
        screen::print_lines(summary::report(report))?;
    }
    if report.quarantined() > 0 {
        let place = format!("{}/_flowlake/quarantine", report.destination);
        tracing::warn!(
            pipeline = report.pipeline,
            rows = report.quarantined(),
            place,
            "rows are in quarantine"
        );
    }
    Ok(())
}
