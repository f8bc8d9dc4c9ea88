//! `flowlake reload`

use std::path::PathBuf;

use clap::Args;

use super::planning::{LoadArguments, PlanArguments};
use super::run::{self, FailedRun};
use super::summary::{fail, warn};
use crate::definition::Definition;
use crate::exit_code::ExitCode;
use crate::report::RunReport;
use crate::run::RunContext;
use crate::schema::RunId;

/// The arguments of `flowlake reload`.
#[derive(Debug, Args)]
pub(super) struct ReloadArguments {
    /// The definition.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The run that received the export, instead of the last one that received any.
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Print the report as a line of JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArguments,
    /// The id of this run, instead of a new one that sorts by time.
    #[arg(long)]
    run_id: Option<RunId>,
}

/// Loads a kept export again.
pub(super) async fn reload(arguments: ReloadArguments, context: &RunContext) -> ExitCode {
    let ReloadArguments { file, run, json, load, run_id } = arguments;
    let definition = match Definition::load(&file, &load.settings, &context.environment) {
        Ok(definition) => definition,
        Err(error) => return fail(&error.into()),
    };
    warn(&definition.warnings);
    let name = definition.pipeline.name.clone();
    let arguments = PlanArguments::of_load(load);
    let reloaded = reloaded(definition, &arguments, run.as_ref(), run_id, context).await;
    run::show(reloaded, &name, json).err().unwrap_or(ExitCode::Done)
}

async fn reloaded(
    definition: Definition,
    arguments: &PlanArguments,
    received_by: Option<&RunId>,
    run_id: Option<RunId>,
    context: &RunContext,
) -> Result<RunReport, FailedRun> {
    let (context, last) = run::with_reporters(context, &definition.pipeline.name);
    let plan = run::planned(definition.pipeline, arguments, run_id, &context).await?;
    let reloaded = crate::run::reload(&plan, received_by, &context).await;
    reloaded.map_err(|error| last.failed(error, &plan, &context))
}
