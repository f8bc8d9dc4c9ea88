//! `flowlake check`

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Serialize;

use super::{fail, summary};
use crate::cli::error::Error;
use crate::definition::{
    self, DefinitionError, Environment, Pipeline, Problems, Setting, Severity,
};
use crate::exit_code::ExitCode;
use crate::plan::{Overrides, Plan};
use crate::run::RunError;
use crate::schema::RunId;
use crate::source::api_key::ApiKey;
use crate::source::http::Fetcher;
use crate::store::Destination;

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

/// How to check.
pub(super) struct Options {
    pub(super) online: bool,
    pub(super) json: bool,
    pub(super) settings: Vec<Setting>,
}

/// Checks every definition; with `online` also whether source and destination can be used.
pub(super) async fn check(
    files: &[PathBuf],
    options: &Options,
    environment: &Environment,
) -> ExitCode {
    let mut worst = ExitCode::Done;
    let loaded = definition::load_all(files, &options.settings, environment);
    for (file, loaded) in files.iter().zip(loaded) {
        let code = match loaded {
            Ok(definition) => {
                let warned = show_warnings(&definition.warnings, file, options.json);
                let pipeline = definition.pipeline;
                match warned {
                    Err(error) => fail(&error),
                    Ok(()) if options.online => check_online(file, pipeline, environment).await,
                    Ok(()) => {
                        let line = format!("{}: ok, pipeline `{}`", file.display(), pipeline.name);
                        report(&line, options.json)
                    }
                }
            }
            Err(error) => show(error, file, options.json),
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
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&Error::Output(error)),
    }
}

fn show(error: DefinitionError, file: &Path, json: bool) -> ExitCode {
    let error = Error::Definition(error);
    let shown = if json { as_json(&error, file) } else { Ok(summary::error(&error, None)) };
    match shown.and_then(|text| Ok(writeln!(std::io::stdout(), "{text}")?)) {
        Ok(()) => error.exit_code(),
        Err(error) => fail(&error),
    }
}

fn show_warnings(warnings: &Problems, file: &Path, json: bool) -> Result<(), Error> {
    if warnings.is_empty() {
        return Ok(());
    }
    let text = if json {
        lines_of_json(warnings, &file.display().to_string())?
    } else {
        warnings.to_string()
    };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// A line of JSON for each problem.
fn as_json(error: &Error, file: &Path) -> Result<String, Error> {
    let file = file.display().to_string();
    if let Error::Definition(DefinitionError::Invalid(problems)) = error {
        return lines_of_json(problems, &file);
    }
    Ok(serde_json::to_string(&Located {
        file: &file,
        line: None,
        column: None,
        severity: Severity::Error,
        key: "definition",
        message: &error.to_string(),
        help: &error.help().unwrap_or_default(),
    })?)
}

fn lines_of_json(problems: &Problems, file: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    for problem in problems.list() {
        let place = problems.place_of(problem);
        lines.push(serde_json::to_string(&Located {
            file,
            severity: problem.severity,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            key: &problem.key,
            message: &problem.message,
            help: &problem.help,
        })?);
    }
    Ok(lines.join("\n"))
}

/// Asks the source with the key and tries the destination, loading nothing.
async fn check_online(file: &Path, pipeline: Pipeline, environment: &Environment) -> ExitCode {
    let name = pipeline.name.clone();
    match try_out(pipeline, environment).await {
        Ok(lines) => {
            let text = lines.map(|line| format!("{}: ok, {line}", file.display())).join("\n");
            report(&text, false)
        }
        Err(error) => show_failure(&error, &name),
    }
}

#[expect(clippy::print_stderr, reason = "the command line is where errors are shown")]
fn show_failure(error: &Error, pipeline: &str) -> ExitCode {
    eprintln!("{}", summary::error(error, Some(pipeline)));
    error.exit_code()
}

async fn try_out(pipeline: Pipeline, environment: &Environment) -> Result<[String; 2], Error> {
    let now = Utc::now();
    let plan = Plan::new(pipeline, RunId::at(now), now, None, &Overrides::default())?;
    let source = try_source(&plan, environment).await?;
    let destination = Destination::open(&plan.destination).map_err(RunError::from)?;
    destination.try_out(&plan.run_id).await.map_err(RunError::from)?;
    Ok([source, format!("the destination {} can be written", plan.destination)])
}

async fn try_source(plan: &Plan, environment: &Environment) -> Result<String, RunError> {
    let keys = ApiKey::find_all(&plan.pipeline.source.api_key, environment).await?;
    let Some(request) = plan.requests.first() else {
        return Ok("the window has not begun, so the source was not asked".to_owned());
    };
    let fetcher = Fetcher::new(&plan.pipeline.source, plan.pipeline.limits.max_bytes())?;
    let answer = fetcher.request(request, &keys).await?;
    let refused: Vec<String> = answer.refused.iter().map(ToString::to_string).collect();
    let retire = if refused.is_empty() {
        String::new()
    } else {
        format!(", which refused {}", refused.join(", "))
    };
    Ok(format!("the source takes the key from {}{retire}", answer.taken))
}
