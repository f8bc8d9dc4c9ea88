//! `flowlake check`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::screen;
use super::summary::{self, fail};
use crate::cli::error::Error;
use crate::definition::{self, DefinitionError, Pipeline, Problems, Setting, Severity};
use crate::exit_code::{ExitCode, Failure};
use crate::plan::{self, Overrides, Plan};
use crate::run::{RunContext, RunError};
use crate::schema::RunId;
use crate::source::api_key::ApiKey;
use crate::source::http::FetchError;
use crate::source::{ExportSource, procurementflow};

/// One problem, for editors and CI.
#[derive(Serialize)]
struct Located<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    severity: Severity,
    key: &'a str,
    message: &'a str,
    help: &'a str,
}

/// The options of `flowlake check`.
pub(super) struct CheckOptions {
    pub(super) online: bool,
    pub(super) json: bool,
    pub(super) settings: Vec<Setting>,
}

/// Checks every definition; with `online` also its source and destination.
pub(super) async fn check(
    files: &[PathBuf],
    options: &CheckOptions,
    context: &RunContext,
) -> ExitCode {
    let mut worst = ExitCode::Done;
    let files = definition::files_of(files);
    let loaded = definition::load_all(&files, &options.settings, &context.environment);
    for (file, loaded) in files.iter().zip(loaded) {
        let code = match loaded {
            Ok(definition) => {
                let warned = show_warnings(&definition.warnings, file, options.json);
                let pipeline = definition.pipeline;
                let begun = plan::refuse_future_start(&pipeline, context.clock.now());
                match (warned, begun) {
                    (Err(error), _) => fail(&error),
                    (_, Err(error)) => {
                        show(&error.into(), Some(&pipeline.name), file, options.json)
                    }
                    _ if options.online => check_online(file, pipeline, context).await,
                    _ => {
                        let line = format!("{}: ok, pipeline `{}`", file.display(), pipeline.name);
                        report(&line, options.json)
                    }
                }
            }
            Err(error) => show(&error.into(), None, file, options.json),
        };
        if worst == ExitCode::Done {
            worst = code;
        }
    }
    worst
}

fn report(line: &str, json: bool) -> ExitCode {
    // With --json only problems are printed: no lines, no problems.
    if json {
        return ExitCode::Done;
    }
    screen::print(line);
    ExitCode::Done
}

fn show(error: &Error, pipeline: Option<&str>, file: &Path, json: bool) -> ExitCode {
    if json {
        return print_json(error, file).err().map_or(error.exit_code(), |error| fail(&error));
    }
    screen::print_lines(summary::error(error, pipeline));
    error.exit_code()
}

fn show_warnings(warnings: &Problems, file: &Path, json: bool) -> Result<(), Error> {
    if json {
        return print_problems(warnings, &file.display().to_string());
    }
    screen::print_lines(warnings.lines());
    Ok(())
}

/// A line of JSON for each problem.
fn print_json(error: &Error, file: &Path) -> Result<(), Error> {
    let file = file.display().to_string();
    if let Error::Definition(DefinitionError::Invalid(problems)) = error {
        return print_problems(problems, &file);
    }
    screen::print_json(&Located {
        file: &file,
        line: None,
        column: None,
        severity: Severity::Error,
        key: "definition",
        message: &error.to_string(),
        help: &error.help().unwrap_or_default(),
    })
}

fn print_problems(problems: &Problems, file: &str) -> Result<(), Error> {
    for problem in problems.list() {
        let place = problems.place_of(problem);
        screen::print_json(&Located {
            file,
            severity: problem.severity,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            key: &problem.key,
            message: &problem.message,
            help: &problem.help,
        })?;
    }
    if problems.more() > 0 {
        screen::print_json(&Located {
            file,
            line: None,
            column: None,
            severity: Severity::Error,
            key: "definition",
            message: &format!("{} more problems are not shown", problems.more()),
            help: "correct those that are shown first",
        })?;
    }
    Ok(())
}

/// Tries the key at the source and writes to the destination. Loads nothing.
async fn check_online(file: &Path, pipeline: Pipeline, context: &RunContext) -> ExitCode {
    let name = pipeline.name.clone();
    match try_out(pipeline, context).await {
        Ok(lines) => {
            let lines = lines.map(|line| format!("{}: ok, {line}", file.display()));
            screen::print_lines(lines);
            ExitCode::Done
        }
        Err(error) => summary::fail_of(&error, Some(&name), None),
    }
}

async fn try_out(pipeline: Pipeline, context: &RunContext) -> Result<[String; 2], Error> {
    let now = context.clock.now();
    let plan = Plan::new(pipeline, RunId::at(now), now, None, &Overrides::default())?;
    let source = try_source(&plan, context).await?;
    let shared_as = plan.pipeline.shared_as();
    let opened = context.destinations.open(&plan.destination, shared_as);
    let destination = opened.map_err(RunError::from)?;
    let learnt = destination.try_out(&plan.run_id).await.map_err(RunError::from)?;
    Ok([source, format!("the destination {} can be written: {learnt}", plan.destination)])
}

async fn try_source(plan: &Plan, context: &RunContext) -> Result<String, RunError> {
    let keys = ApiKey::find_all(&plan.pipeline.source.api_key, &context.environment).await?;
    let source = procurementflow::source_of(&plan.pipeline, &keys)?;
    Ok(ask(&source, plan).await?)
}

/// Sends the first request of a plan, and says which key was accepted. Nothing of the export is read.
pub(super) async fn ask(source: &dyn ExportSource, plan: &Plan) -> Result<String, FetchError> {
    let Some(request) = plan.requests.first() else {
        return Ok("the window has not begun, so the source was not asked".to_owned());
    };
    let response = source.fetch(request).await?;
    let refused: Vec<String> = response.refused.iter().map(ToString::to_string).collect();
    let retire = if refused.is_empty() {
        String::new()
    } else {
        format!(", which refused {}", refused.join(", "))
    };
    Ok(format!("the source accepts the key from {}{retire}", response.accepted))
}
