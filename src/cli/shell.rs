//! `flowlake completions`, `flowlake man`: what a shell and `man` know of the command line.

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
fn page(mut command: clap::Command, of: Option<&str>) -> Result<String, Error> {
    command.build();
    let found = of.and_then(|name| command.find_subcommand(name).cloned());
    let command = found.unwrap_or(command);
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
