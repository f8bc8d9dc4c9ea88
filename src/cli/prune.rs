//! `flowlake prune`

use std::path::Path;

use super::destination;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::Definition;
use crate::exit_code::ExitCode;
use crate::run::RunContext;

/// Deletes the old files that the definition does not keep, as each run does.
pub(super) async fn prune(file: &Path, context: &RunContext) -> ExitCode {
    match pruned(file, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn pruned(file: &Path, context: &RunContext) -> Result<(), Error> {
    let pipeline = Definition::load(file, &[], &context.environment)?.pipeline;
    let now = context.clock.now();
    let url = crate::plan::destination_at(&pipeline, now)?;
    let destination = destination::open_lake(&url, pipeline.shared_as(), context).await?;
    let pruned = crate::run::prune(&destination, &pipeline, now).await?;
    screen::print(format!("{url}: deleted {pruned}"));
    Ok(())
}
