//! `flowlake check`

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Serialize;

use super::{fail, summary};
use crate::api_key::ApiKey;
use crate::definition::{self, DefinitionError, Environment, Pipeline};
use crate::destination::Destination;
use crate::error::{Error, ExitCode};
use crate::fetch::Fetcher;
use crate::plan::Plan;
use crate::run_id::RunId;
use crate::runner::RunError;

/// One problem, for editors and CI.
#[derive(Serialize)]
struct Located<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    key: &'a str,
    message: &'a str,
    help: &'a str,
}

/// Checks every definition; with `online` also whether source and destination can be used.
pub(super) async fn check(
    files: &[PathBuf],
    online: bool,
    json: bool,
    environment: &Environment,
) -> ExitCode {
    let mut worst = ExitCode::Done;
    for (file, loaded) in files.iter().zip(definition::load_all(files, environment)) {
        let code = match loaded {
            Ok(pipeline) if online => check_online(file, pipeline, environment).await,
            Ok(pipeline) => {
                report(&format!("{}: ok, pipeline `{}`", file.display(), pipeline.name), json)
            }
            Err(error) => show(error, file, json),
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

/// A line of JSON for each problem.
fn as_json(error: &Error, file: &Path) -> Result<String, Error> {
    let file = file.display().to_string();
    let Error::Definition(DefinitionError::Invalid(invalid)) = error else {
        return Ok(serde_json::to_string(&Located {
            file: &file,
            line: None,
            column: None,
            key: "definition",
            message: &error.to_string(),
            help: &error.help().unwrap_or_default(),
        })?);
    };
    let mut lines = Vec::new();
    for problem in invalid.problems() {
        let place = invalid.place_of(problem);
        lines.push(serde_json::to_string(&Located {
            file: &file,
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
        Err(error) => {
            let error = Error::Run(error);
            show_failure(&error, &name)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line is where errors are shown")]
fn show_failure(error: &Error, pipeline: &str) -> ExitCode {
    eprintln!("{}", summary::error(error, Some(pipeline)));
    error.exit_code()
}

async fn try_out(pipeline: Pipeline, environment: &Environment) -> Result<[String; 2], RunError> {
    let now = Utc::now();
    let plan = Plan::new(pipeline, RunId::at(now), now);
    let keys = ApiKey::find_all(&plan.pipeline.source.api_key, environment).await?;
    let answer = Fetcher::new(&plan.pipeline.source)?.request(&plan.request, &keys).await?;
    let refused = answer.refused_keys().len();
    let source = keys.get(refused).map_or_else(String::new, |key| key.source().to_string());
    let refused: Vec<String> = answer.refused_keys().iter().map(ToString::to_string).collect();
    let retire = if refused.is_empty() {
        String::new()
    } else {
        format!(", which refused {}", refused.join(", "))
    };
    Destination::open(&plan.pipeline.destination)?.try_out(&plan.run_id).await?;
    Ok([
        format!("the source takes the key from {source}{retire}"),
        format!("the destination {} can be written", plan.pipeline.destination),
    ])
}
