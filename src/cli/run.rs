//! `flowlake run`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use serde::Serialize;

use super::planning::PlanArguments;
use super::screen;
use super::summary::{self, fail};
use crate::cli::error::Error;
use crate::definition::{self, DefinitionError, DestinationUrl, Pipeline};
use crate::exit_code::ExitCode;
use crate::plan::{Plan, destination_at};
use crate::report::{
    Event, EventKind, Log, Outcome, Progress, Reporter, RunIdentity, RunReport, Steps,
};
use crate::run::{RunContext, RunError, keep_report};
use crate::schema::RunId;
use crate::shown;

/// The options of `flowlake run`.
#[derive(Debug, Clone)]
pub(super) struct RunOptions {
    pub(super) json: bool,
    pub(super) plan: PlanArguments,
    pub(super) run_id: Option<RunId>,
    /// How many pipelines run at once.
    pub(super) parallel: NonZeroUsize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            json: false,
            plan: PlanArguments::default(),
            run_id: None,
            parallel: NonZeroUsize::MIN,
        }
    }
}

/// Runs pipelines, one after the other or a few at once. One that fails, or whose definition is wrong, does not stop the others.
pub(super) async fn run(files: &[PathBuf], options: &RunOptions, context: &RunContext) -> ExitCode {
    let files = definition::files_of(files);
    let definitions = definition::load_all(&files, &options.plan.settings, &context.environment);
    let runs = files.iter().zip(definitions).map(async |(file, definition)| {
        // What has not begun when a signal comes does not begin.
        match definition {
            _ if context.interruption.signal().is_some() => Ok(()),
            Ok(definition) => {
                summary::warn(&definition.warnings);
                run_one(definition.pipeline, options, context).await
            }
            Err(error) => Err(show_wrong_definition(file, &Error::Definition(error), options.json)),
        }
    });
    let runs: Vec<_> = runs.collect();
    let ended: Vec<_> = stream::iter(runs).buffer_unordered(options.parallel.get()).collect().await;
    if let Some(signal) = context.interruption.signal() {
        return signal.exit_code();
    }
    let failures: Vec<ExitCode> = ended.into_iter().filter_map(Result::err).collect();
    match failures.first() {
        None => ExitCode::Done,
        Some(code) if failures.len() == files.len() && failures.iter().all(|it| it == code) => {
            *code
        }
        Some(_) => ExitCode::Partial,
    }
}

/// A definition that no run can be made of, as `--json` shows it.
#[derive(Serialize)]
struct WrongDefinition<'a> {
    version: u32,
    definition: String,
    #[serde(flatten)]
    outcome: &'a Outcome,
    exit_code: u8,
}

fn show_wrong_definition(file: &Path, error: &Error, json: bool) -> ExitCode {
    if json {
        let mut outcome = Outcome::failed(error);
        if let (
            Outcome::Failed { error: reported },
            Error::Definition(DefinitionError::Invalid(problems)),
        ) = (&mut outcome, error)
        {
            // What is shown to people has the help of each problem.
            reported.help = problems.list().first().map(|first| shown::message(&first.help));
        }
        let shown = WrongDefinition {
            version: RunReport::VERSION,
            definition: file.display().to_string(),
            exit_code: outcome.exit_code().number(),
            outcome: &outcome,
        };
        if let Err(error) = screen::print_report(&shown) {
            fail(&error);
        }
    }
    fail(error)
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

/// A run that failed, and its report.
pub(super) struct FailedRun {
    pub(super) error: Error,
    report: Box<RunReport>,
}

/// Shows the result of a run. Returns the exit code when it failed.
pub(super) fn show(
    ended: Result<RunReport, FailedRun>,
    pipeline: &str,
    json: bool,
) -> Result<(), ExitCode> {
    match ended {
        Ok(report) => {
            // The run is complete, whatever becomes of its output.
            if let Err(error) = show_report(&report, json) {
                screen::warn(&format!("warning: pipeline `{pipeline}`: {error}"));
            }
            Ok(())
        }
        Err(FailedRun { error, report }) => {
            if json && let Err(error) = screen::print_report(&report) {
                screen::warn(&format!("warning: pipeline `{pipeline}`: {error}"));
            }
            Err(summary::fail_of(&error, Some(pipeline), Some(&report.run_id)))
        }
    }
}

/// Keeps the report of a run that failed.
#[derive(Default)]
pub(super) struct LastReport(Mutex<Option<Arc<RunReport>>>);

impl Reporter for LastReport {
    fn event(&self, event: &Event) {
        if let EventKind::Failed(report) = &event.kind {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        }
    }
}

impl LastReport {
    /// The failure of a run that was planned.
    pub(super) fn failed(&self, error: RunError, plan: &Plan, context: &RunContext) -> FailedRun {
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let report = report.map(|report| report.as_ref().clone());
        let report = report.unwrap_or_else(|| context.report(plan, Outcome::failed(&error)));
        FailedRun { error: error.into(), report: Box::new(report) }
    }
}

/// The same context, with progress on a terminal, warnings and steps in the log, and the report of a failure kept.
pub(super) fn with_reporters(
    context: &RunContext,
    pipeline: &str,
) -> (RunContext, Arc<LastReport>) {
    let last = Arc::new(LastReport::default());
    let reporters = context.reporters.clone().and(Arc::new(Progress::new(pipeline)));
    let reporters = reporters.and(Arc::new(Steps::default())).and(Arc::new(Log)).and(last.clone());
    (RunContext { reporters, ..context.clone() }, last)
}

/// Plans and runs one pipeline.
pub(super) async fn execute(
    pipeline: Pipeline,
    options: &RunOptions,
    context: &RunContext,
) -> Result<RunReport, FailedRun> {
    let (context, last) = with_reporters(context, &pipeline.name);
    let plan = planned(pipeline, &options.plan, options.run_id.clone(), &context).await?;
    crate::run::run(&plan, &context).await.map_err(|error| last.failed(error, &plan, &context))
}

/// The plan of a run. A run that cannot be planned has a report too.
pub(super) async fn planned(
    pipeline: Pipeline,
    arguments: &PlanArguments,
    run_id: Option<RunId>,
    context: &RunContext,
) -> Result<Plan, FailedRun> {
    let now = context.clock.now();
    let url = destination_at(&pipeline, arguments.present(context));
    let shared_as = pipeline.shared_as().map(str::to_owned);
    let run = RunIdentity {
        run_id: run_id.clone().unwrap_or_else(|| RunId::at(now)),
        pipeline: pipeline.name.clone(),
        destination: url.as_ref().map(DestinationUrl::absolute).unwrap_or_default(),
        slice: pipeline.slice.clone(),
        started_at: now,
    };
    let plan = arguments.plan(pipeline, run_id, context);
    let error = match context.interruption.or(plan).await {
        Ok(Ok(plan)) => return Ok(plan),
        Ok(Err(error)) => error,
        Err(signal) => RunError::Stopped(signal).into(),
    };
    let report = RunReport::of(run, context.clock.now(), Outcome::failed(&error));
    if let (Ok(url), false) = (url, matches!(error, Error::Run(RunError::Stopped(_)))) {
        keep_report(&url, shared_as.as_deref(), &report, context).await;
    }
    Err(FailedRun { error, report: Box::new(report) })
}

fn show_report(report: &RunReport, json: bool) -> Result<(), Error> {
    if json {
        screen::print_report(report)?;
    } else {
        screen::print_lines(summary::report(report));
    }
    if report.quarantined() > 0 {
        let (pipeline, run) = (&report.pipeline, &report.run_id);
        let rows = report.quarantined();
        // Those of a pipeline that shares its tables are found by its definition.
        let lake = if report.slice.is_some() { "DEFINITION" } else { &report.destination };
        let of = if rows == 1 { "row is" } else { "rows are" };
        tracing::warn!(pipeline, %run, "{rows} {of} in quarantine: `flowlake quarantine show {lake}` says why");
    }
    Ok(())
}
