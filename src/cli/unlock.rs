//! `flowlake unlock`

use super::destination::DestinationArgument;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::{RunContext, RunError};
use crate::table::lock::{break_lock, holder};

/// Removes the lock of a run that is gone, or of any run with `force`. Says whose lock it was.
pub(super) async fn unlock(
    destination: &DestinationArgument,
    force: bool,
    context: &RunContext,
) -> ExitCode {
    match free(destination, force, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn free(
    argument: &DestinationArgument,
    force: bool,
    context: &RunContext,
) -> Result<(), Error> {
    let shown = argument.shown();
    let destination = argument.open(context).await?;
    let Some(holder) = holder(&destination).await.map_err(RunError::from)? else {
        screen::print(format!("{shown}: not locked"));
        return Ok(());
    };
    break_lock(&destination, holder.clone(), force).await.map_err(RunError::from)?;
    screen::print(format!("{shown}: unlocked; the lock was held by {holder}"));
    Ok(())
}
