//! `flowlake convert`

use super::destination::{DestinationArgument, open_lake_of};
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::{self, Repartitioned, RunContext};
use crate::schema::TableFormat;

/// A format by its word in a definition.
pub(super) fn format_of(word: &str) -> Result<TableFormat, String> {
    let found = TableFormat::WORDS.into_iter().find(|(of, _)| *of == word);
    found.map(|(_, format)| format).ok_or_else(|| {
        let words = TableFormat::WORDS.map(|(word, _)| format!("`{word}`"));
        format!("write {}", words.join(" or "))
    })
}

/// Gives the tables of a destination another format, or those of a definition the partitions that it says.
pub(super) async fn convert(
    argument: &DestinationArgument,
    to: Option<TableFormat>,
    context: &RunContext,
) -> ExitCode {
    let converted = async {
        match to {
            Some(to) => convert_to(argument, to, context).await,
            None => repartition(argument, context).await,
        }
    };
    match converted.await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn convert_to(
    argument: &DestinationArgument,
    to: TableFormat,
    context: &RunContext,
) -> Result<(), Error> {
    let destination = argument.open(context).await?;
    let shown = argument.shown();
    let text = match run::convert(&destination, to, context.clock.now()).await? {
        None => format!("{shown}: there are no tables but {to} tables"),
        Some(tables) => format!(
            "{shown}: {tables} tables are {to} tables now; write `format = \"{to}\"` into `[destination]` of the definition"
        ),
    };
    screen::print(text);
    Ok(())
}

async fn repartition(argument: &DestinationArgument, context: &RunContext) -> Result<(), Error> {
    let shown = argument.shown();
    let Some(pipeline) = argument.pipeline(context)? else {
        return Err(Error::NoDefinition { destination: shown.to_owned() });
    };
    let destination = open_lake_of(&pipeline, context).await?;
    let now = context.clock.now();
    let divided = run::repartition(&destination, &pipeline, &context.interruption, now).await?;
    for Repartitioned { table, files_before, files } in &divided {
        screen::print(format!(
            "{shown}: table `{table}` is divided anew (files: {files_before} before, {files} now)"
        ));
    }
    if divided.is_empty() {
        screen::print(format!("{shown}: all tables have the partitions of the definition"));
    }
    Ok(())
}
