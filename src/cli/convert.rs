//! `flowlake convert`

use super::destination::DestinationArgument;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::RunContext;
use crate::schema::TableFormat;

/// A format by its word in a definition.
pub(super) fn format_of(word: &str) -> Result<TableFormat, String> {
    let found = TableFormat::WORDS.into_iter().find(|(of, _)| *of == word);
    found.map(|(_, format)| format).ok_or_else(|| {
        let words = TableFormat::WORDS.map(|(word, _)| format!("`{word}`"));
        format!("write {}", words.join(" or "))
    })
}

/// Gives the tables of a destination another format, without the source.
pub(super) async fn convert(
    argument: &DestinationArgument,
    to: TableFormat,
    context: &RunContext,
) -> ExitCode {
    match converted(argument, to, context).await {
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
        None => format!("{shown}: there are no tables but {to} tables"),
        Some(tables) => format!(
            "{shown}: {tables} tables are {to} tables now; write `format = \"{to}\"` into `[destination]` of the definition"
        ),
    };
    screen::print(text);
    Ok(())
}
