//! `flowlake completions`, `flowlake man`: what a shell and `man` know of the command line.

use std::fmt::Write;

use clap::builder::Resettable;
use clap_complete::Shell;
use clap_mangen::Man;

use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::exit_code::ExitCode;

const NAME: &str = env!("CARGO_PKG_NAME");

/// Prints the script with which a shell completes the command line.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    screen::print_own(&String::from_utf8_lossy(&script));
    ExitCode::Done
}

/// Prints the manual page of flowlake, or of one of its commands.
pub(super) fn manual(command: clap::Command, of: Option<&str>) -> ExitCode {
    match page(command, of) {
        Ok(page) => {
            screen::print_own(&page);
            ExitCode::Done
        }
        Err(error) => fail(&error),
    }
}

/// The page of a command; of flowlake itself without a name, or with one that no command has.
fn page(command: clap::Command, of: Option<&str>) -> Result<String, Error> {
    let mut command = without_help_commands(command);
    command.build();
    let found = of.and_then(|name| command_of_page(&command, name)).cloned();
    let command = found.unwrap_or(command);
    let sections = command.get_after_help().map(|text| sections(&text.to_string()));
    let mut page = Vec::new();
    let man = Man::new(command.after_help(Resettable::Reset));
    man.source(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    // The version comes last.
    let end = page.find(".SH VERSION").unwrap_or(page.len());
    page.insert_str(end, &sections.unwrap_or_default());
    Ok(page)
}

/// The command with a page: `run`, or `quarantine-list`.
pub(super) fn command_of_page<'c>(
    command: &'c clap::Command,
    name: &str,
) -> Option<&'c clap::Command> {
    command.get_subcommands().find_map(|it| match name.strip_prefix(it.get_name())? {
        "" => Some(it),
        rest => command_of_page(it, rest.strip_prefix('-')?),
    })
}

/// The command line without `help`, which has no page.
fn without_help_commands(command: clap::Command) -> clap::Command {
    let command = command.disable_help_subcommand(true);
    command.mut_subcommands(without_help_commands)
}

/// What stands below the options of a command, as sections of a page: `Examples:` and what is indented below it.
fn sections(text: &str) -> String {
    let mut page = String::new();
    for part in text.split("\n\n") {
        let (title, lines) = match part.split_once(":\n") {
            Some(("Exit codes", lines)) => ("EXIT STATUS", lines),
            Some((_, lines)) => ("EXAMPLES", lines),
            None => ("NOTES", part),
        };
        let _ = writeln!(page, ".SH {title}\n.nf");
        for line in lines.lines() {
            // What stands for itself in a terminal is escaped in a page.
            let _ = writeln!(page, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"));
        }
        page.push_str(".fi\n");
    }
    page
}
