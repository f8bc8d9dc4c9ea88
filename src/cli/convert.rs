//! `flowlake convert`

use clap::ValueEnum;

use super::destination::DestinationArgument;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::RunContext;
use crate::schema::TableFormat;

/// A format, as the command line has it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormatArgument {
    /// Readers take every Parquet file in the directory of a table.
    Parquet,
    /// Readers take the files that the log of a table names.
    Delta,
}

impl From<FormatArgument> for TableFormat {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Parquet => Self::Parquet,
            FormatArgument::Delta => Self::Delta,
        }
    }
}

/// Gives the tables of a destination another format, without the source.
pub(super) async fn convert(
    argument: &DestinationArgument,
    to: FormatArgument,
    context: &RunContext,
) -> ExitCode {
    match converted(argument, to.into(), context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn converted(
    argument: &DestinationArgument,
    to: TableFormat,
    context: &RunContext,
) -> Result<(), Error> {
    let destination = argument.open(context).await?;
    let shown = argument.shown();
    let text = match crate::run::convert(&destination, to, context.clock.now()).await? {
        None => format!("{shown}: the tables are {to} tables already"),
        Some(tables) => format!(
            "{shown}: {tables} tables are {to} tables now; write `format = \"{to}\"` into `[destination]` of the definition"
        ),
    };
    screen::print(text);
    Ok(())
}
