//! `flowlake doctor`: what is wrong with this machine and the pipelines on it, first, and what a support case needs.
//!
//! | file | what it looks at |
//! |---|---|
//! | `machine` | versions, environment variables, the temporary directory, limits |
//! | `network` | certificates, proxies |
//! | `pipeline` | a definition, its key, its source, the clock beside that of the source |
//! | `lake` | its destination: rights, lock, open commit, snapshot, room |
//!
//! Each look says what a run would say. Nothing is loaded, no table changes, and nothing is shown before everything was
//! looked at: then every secret that was read is known to [`shown`].

mod lake;
mod look;
mod machine;
mod network;
mod pipeline;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{self, Definition, Setting};
use crate::exit_code::ExitCode;
use crate::run::RunContext;
use crate::shown;
use look::{Look, LookState};

/// Where definitions are looked for if none is named.
const PIPELINES: &str = "pipelines";

/// The options of `flowlake doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// The definitions to look at; of a directory, every `*.toml` in it [default: `pipelines/`].
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Print it as a line of JSON.
    #[arg(long)]
    json: bool,
    /// Set a key of the definitions, as in `destination.url=lake/test`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
}

/// What the doctor has found, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Diagnosis {
    version: u32,
    exit_code: u8,
    /// Problems first, the worst before the others.
    looks: Vec<Look>,
}

/// Looks at everything that a run needs, and says first what is wrong. Exits with the code of the first look that failed.
pub(super) async fn doctor(arguments: &DoctorArguments, context: &RunContext) -> ExitCode {
    shown::remember_environment();
    let definitions = load(arguments, context);
    let mut looks = machine::looks(&context.environment).await;
    looks.extend(
        network::looks(&context.environment, need_certificates(&definitions, context)).await,
    );
    looks.extend(look_at(definitions, context).await);
    network::judge_proxies(&mut looks);
    let exit_code = looks.iter().find_map(|look| look.exit_code).unwrap_or(ExitCode::Done);
    let looks = in_order(looks);
    if arguments.json {
        let diagnosis = Diagnosis { version: 1, exit_code: exit_code.number(), looks };
        return screen::print_json(&diagnosis).map_or_else(|error| fail(&error), |()| exit_code);
    }
    show(&looks);
    exit_code
}

/// A file that was asked for, and the definition in it.
type Loaded = (PathBuf, Result<Definition, Error>);

/// The definitions that are asked for; none if none is named and `pipelines/` has none, which stays as it is.
fn load(arguments: &DoctorArguments, context: &RunContext) -> Vec<Loaded> {
    let pipelines = PathBuf::from(PIPELINES);
    let asked = match arguments.files.as_slice() {
        [] => std::slice::from_ref(&pipelines),
        files => files,
    };
    let files = definition::files_of(asked);
    if arguments.files.is_empty() && files == [pipelines] {
        return Vec::new();
    }
    let loaded = definition::load_all(&files, &arguments.settings, &context.environment);
    let loaded = loaded.into_iter().map(|loaded| loaded.map_err(Error::Definition));
    files.into_iter().zip(loaded).collect()
}

/// Whether a run needs certificates; also where nobody knows.
fn need_certificates(definitions: &[Loaded], context: &RunContext) -> bool {
    let now = context.clock.now();
    let need = |(_, loaded): &Loaded| match loaded {
        Ok(definition) => pipeline::needs_certificates(&definition.pipeline, now),
        Err(_) => true,
    };
    definitions.is_empty() || definitions.iter().any(need)
}

async fn look_at(definitions: Vec<Loaded>, context: &RunContext) -> Vec<Look> {
    if definitions.is_empty() {
        let message = format!(
            "none given, and none in `{PIPELINES}/`: name one, to look at its key, source and destination"
        );
        return vec![Look::skipped("definition", message)];
    }
    let mut looks = Vec::new();
    for (file, loaded) in definitions {
        let name = file.display().to_string();
        let found = match loaded {
            Ok(definition) => pipeline::looks(&file, definition, context).await,
            Err(error) => pipeline::wrong(&error),
        };
        looks.extend(found.into_iter().map(|look| look.about(&name)));
    }
    looks
}

/// Problems first, and what is the same of several definitions once.
fn in_order(looks: Vec<Look>) -> Vec<Look> {
    let mut merged: Vec<Look> = Vec::new();
    for look in looks {
        match merged.iter_mut().find(|other| other.says_the_same(&look)) {
            Some(other) => other.definitions.extend(look.definitions),
            None => merged.push(look),
        }
    }
    let rank = |look: &Look| if look.state.is_problem() { look.state } else { LookState::Ok };
    merged.sort_by_key(rank);
    merged
}

fn show(looks: &[Look]) {
    let (problems, facts): (Vec<&Look>, Vec<&Look>) =
        looks.iter().partition(|look| look.state.is_problem());
    if problems.is_empty() {
        screen::print("nothing wrong was found");
    }
    for problem in problems {
        screen::print_lines(problem.lines());
    }
    screen::print("");
    for fact in facts {
        screen::print_lines(fact.lines());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_first_and_once() {
        let missing = || Look::failed_with("key", ExitCode::Key, "no key", "make one");
        let looks = vec![
            Look::ok("flowlake", "1.0"),
            Look::warning("clock", "ahead", "set it").about("a.toml"),
            missing().about("a.toml"),
            Look::skipped("source", "no key").about("a.toml"),
            missing().about("b.toml"),
            Look::failed_with("key", ExitCode::Key, "another", "").about("c.toml"),
        ];
        let shown: Vec<String> = in_order(looks).iter().flat_map(Look::lines).collect();
        let expected = [
            "failed   key (a.toml, b.toml): no key",
            "  help: make one",
            "failed   key (c.toml): another",
            "  help: ",
            "warning  clock (a.toml): ahead",
            "  help: set it",
            "ok       flowlake: 1.0",
            "skipped  source (a.toml): no key",
        ];
        assert_eq!(shown, expected);
    }
}
