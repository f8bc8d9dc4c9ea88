//! Screen: the only place that writes to stdout and stderr. Every text passes [`shown`](crate::shown).
//!
//! Text is written a line at a time, so whatever breaks a line inside of one is not ours and is written out. A reader
//! that has closed its pipe has seen enough; stderr that cannot be written changes nothing.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::error::Error;
use crate::shown;

/// Prints a line on stdout.
pub(super) fn print(text: impl Display) -> Result<(), Error> {
    write_out(&shown::line(&text.to_string()))
}

/// Prints lines on stdout.
pub(super) fn print_lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Error> {
    lines.into_iter().try_for_each(|line| print(line.as_ref()))
}

/// Prints a table, or other text of several lines that has no foreign line breaks, on stdout.
pub(super) fn print_block(text: impl Display) -> Result<(), Error> {
    print_lines(text.to_string().lines())
}

/// Prints a value as a line of JSON on stdout.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    write_out(&shown::json(value)?)
}

/// Prints a value as JSON for people on stdout.
pub(super) fn print_pretty_json(value: &impl Serialize) -> Result<(), Error> {
    write_out(&shown::pretty_json(value)?)
}

/// Tells something on stderr.
pub(super) fn tell(text: impl Display) {
    write_err(&shown::message(&text.to_string()));
}

/// Tells several lines on stderr.
pub(super) fn tell_lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) {
    lines.into_iter().for_each(|line| tell(line.as_ref()));
}

/// Whether stderr is a terminal that may have colours.
pub(super) fn has_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && io::stderr().is_terminal()
}

fn write_out(line: &str) -> Result<(), Error> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

fn write_err(line: &str) {
    // There is nowhere left to tell of it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Where log lines go: stderr, one line an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogLines {
    pub(super) has_colours: bool,
}

impl MakeWriter<'_> for LogLines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if self.has_colours {
            // The subscriber escapes what is foreign in a line; other escape sequences are its colours.
            let parts: Vec<String> = text.split('\u{1b}').map(shown::line).collect();
            write_err(&parts.join("\u{1b}"));
        } else {
            write_err(&shown::line(text));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
