//! `flowlake recover`

use super::destination::DestinationArgument;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::{Recovery, RunContext};

/// Ends the commit of an interrupted run, without a new export.
pub(super) async fn recover(argument: &DestinationArgument, context: &RunContext) -> ExitCode {
    match recovered(argument, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn recovered(argument: &DestinationArgument, context: &RunContext) -> Result<(), Error> {
    let destination = argument.open(context).await?;
    let shown = argument.shown();
    let text = match crate::run::recover(&destination, context.clock.now()).await? {
        Recovery::NothingToDo => format!("{shown}: no commit is open"),
        Recovery::Finished(run) => format!("{shown}: finished the commit of run {run}"),
        Recovery::Voided(run) => format!(
            "{shown}: the commit of run {run} cannot be finished, since staged files are gone; \
             no table has changed, and the next run loads its records again"
        ),
    };
    screen::print(text);
    Ok(())
}
