//! Screen: the only place that writes to stdout and stderr. Every text passes [`shown`].
//!
//! Text is written a line at a time, so whatever breaks a line inside of one is not ours and is written out. A reader
//! that has closed its pipe has seen enough; stderr that cannot be written changes nothing.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::error::Error;
use crate::report::between_progress;
use crate::shown;

/// Prints a line on stdout.
pub(super) fn print(text: impl Display) {
    write_out(&shown::line(&text.to_string()));
}

/// Prints lines on stdout.
pub(super) fn print_lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) {
    lines.into_iter().for_each(|line| print(line.as_ref()));
}

/// Prints a table, or other text of several lines that has no foreign line breaks, on stdout.
pub(super) fn print_block(text: impl Display) {
    print_lines(text.to_string().lines());
}

/// Prints text of flowlake alone on stdout, as it is.
pub(super) fn print_own(text: &str) {
    write_out(text.trim_end_matches('\n'));
}

/// Prints a value as a line of JSON on stdout.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    write_out(&shown::json(value)?);
    Ok(())
}

/// Prints a report as a line of JSON on stdout.
pub(super) fn print_report(report: &impl Serialize) -> Result<(), Error> {
    write_out(&shown::report(report)?);
    Ok(())
}

/// Prints a value as JSON for people on stdout.
pub(super) fn print_pretty_json(value: &impl Serialize) -> Result<(), Error> {
    write_out(&shown::pretty_json(value)?);
    Ok(())
}

/// Whether stderr has JSON, one object a line.
static TELLS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on stderr has JSON, one object a line.
pub(super) fn tell_json() {
    TELLS_JSON.store(true, Ordering::Relaxed);
}

/// Whether only errors and warnings are told.
static TELLS_ONLY_WARNINGS: AtomicBool = AtomicBool::new(false);

/// From now on only errors and warnings are told on stderr.
pub(super) fn tell_only_warnings() {
    TELLS_ONLY_WARNINGS.store(true, Ordering::Relaxed);
}

/// What is told on stderr besides the log, as the log would have it.
#[derive(Serialize)]
struct Told<'t, F> {
    timestamp: String,
    level: &'static str,
    fields: Fields<'t, F>,
}

#[derive(Serialize)]
struct Fields<'t, F> {
    message: &'t str,
    #[serde(flatten)]
    more: F,
}

/// Tells something on stderr, in lines for people; in a log of JSON as one object with more fields.
pub(super) fn tell(level: Level, lines: &[impl AsRef<str>], more: impl Serialize) {
    if level > Level::WARN && TELLS_ONLY_WARNINGS.load(Ordering::Relaxed) {
        return;
    }
    let lines = lines.iter().map(|line| shown::message(line.as_ref()));
    if !TELLS_JSON.load(Ordering::Relaxed) {
        lines.for_each(|line| write_err(&line));
        return;
    }
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let message = lines.collect::<Vec<_>>().join("\n");
    let fields = Fields { message: &message, more };
    if let Ok(line) = shown::json(&Told { timestamp, level: level.as_str(), fields }) {
        write_err(&line);
    }
}

/// Warns of something on stderr.
pub(super) fn warn(text: &str) {
    tell(Level::WARN, &[text], ());
}

/// Whether stderr is a terminal that may have colours.
pub(super) fn has_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && io::stderr().is_terminal()
}

/// The width of the terminal that stdout is, in characters.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// Whether something could not be written to stdout.
static HAS_LOST_OUTPUT: AtomicBool = AtomicBool::new(false);

/// Whether somebody who waits for the output has not got all of it.
pub(super) fn has_lost_output() -> bool {
    HAS_LOST_OUTPUT.load(Ordering::Relaxed)
}

fn write_out(line: &str) {
    match writeln!(io::stdout(), "{line}") {
        Err(error)
            if error.kind() != ErrorKind::BrokenPipe
                && !HAS_LOST_OUTPUT.swap(true, Ordering::Relaxed) =>
        {
            warn(&format!("warning: cannot write the output: {error}"));
        }
        _ => {}
    }
}

fn write_err(line: &str) {
    // There is nowhere left to tell of it. While a bug is told, progress may be what has the bug.
    let write = || drop(writeln!(io::stderr(), "{line}"));
    if std::thread::panicking() || TELLS_A_BUG.load(Ordering::Relaxed) {
        write();
    } else {
        between_progress(write);
    }
}

/// Whether a panic is being told.
static TELLS_A_BUG: AtomicBool = AtomicBool::new(false);

/// Tells a bug on stderr, whatever the state of this process is.
pub(super) fn tell_bug(lines: &[impl AsRef<str>]) {
    TELLS_A_BUG.store(true, Ordering::Relaxed);
    tell(Level::ERROR, lines, ());
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
        if TELLS_JSON.load(Ordering::Relaxed) {
            write_err(&shown::log_json(text));
        } else if self.has_colours {
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
