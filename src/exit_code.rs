//! Exit codes, and the [`Failure`] trait: each error says itself which code it ends with and what to do next.
//!
//! The advice stands beside the error enum it belongs to. [`cli`](crate::cli) only delegates.

/// The codes that flowlake exits with. They are part of the interface and keep their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, including nothing new.
    Done = 0,
    /// An error that should not happen: page someone.
    Unexpected = 1,
    /// The command line or a definition is wrong: fix it.
    Usage = 2,
    /// One pipeline of several failed, or too few records fit: look.
    Partial = 3,
    /// The source does not answer: retry later.
    SourceUnavailable = 4,
    /// The key is missing or refused: rotate the key.
    Key = 5,
    /// The export is not what it should be: look at the source.
    Export = 6,
    /// The destination failed: fix storage.
    Destination = 7,
    /// Another run holds the destination: skip.
    Busy = 11,
    /// Interrupted by the terminal.
    Interrupted = 130,
    /// Terminated by the system.
    Terminated = 143,
}

impl ExitCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Partial,
        Self::SourceUnavailable,
        Self::Key,
        Self::Export,
        Self::Destination,
        Self::Busy,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Partial => "partial",
            Self::SourceUnavailable => "source_unavailable",
            Self::Key => "key",
            Self::Export => "export",
            Self::Destination => "destination",
            Self::Busy => "busy",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The number that the process exits with.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// An error that can end a command.
///
/// Implement it beside the error enum, by an exhaustive match, so that a new variant does not compile without a code and
/// an answer to "what now?".
pub trait Failure: std::error::Error {
    /// The code that the process exits with.
    fn exit_code(&self) -> ExitCode;

    /// What to do next, where that can be said.
    fn help(&self) -> Option<String>;
}

/// Advice that several errors share.
pub mod advice {
    /// For an error that only a bug can cause.
    pub const REPORT_A_BUG: &str =
        "nothing was committed; this is a bug in flowlake, please report it";
    /// For a full or read-only temporary directory.
    pub const TEMPORARY_DIRECTORY: &str = "make room there, or set TMPDIR to a directory with more";
    /// For files of the destination that are missing or damaged.
    pub const CHANGED_BY_HAND: &str =
        "files of this destination were changed from outside; restore them from a backup";
    /// For a table that lacks files.
    pub const LOST_FILES: &str = "files of this destination were changed from outside: `flowlake verify` lists them; \
                                  restore them from a backup, load a table that is replaced with `flowlake run --again`, \
                                  or go on without them by `flowlake verify --rebuild --yes`";
    /// For a quarantine file that is gone or damaged.
    pub const LOST_QUARANTINE: &str = "restore the file from a backup, or give up the records of its table with \
                                       `flowlake quarantine drop` and `--table`";
    /// For a file or directory that this user may not read or write.
    pub const OTHER_USER: &str = "this user may not do that there: use the user that runs the pipelines; who else may read \
                                  its tables is decided by its umask, and for kept exports and quarantine by `raw_mode`";
    /// For a destination that fails before the commit.
    pub const CHECK_DESTINATION: &str = "check that the destination exists, has room, and lets this user write; \
                                         the tables are as they were, and the next run cleans up";
    /// For an export that is incomplete or damaged.
    pub const ASK_AGAIN: &str = "the tables are as they were; ask the source for the export again";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in the first column of the table under `heading`.
    fn documented(text: &str, heading: &str) -> Vec<u8> {
        let (_, section) = text.split_once(heading).unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with('|'));
        let rows = rows.take_while(|line| line.starts_with('|'));
        let codes = rows.filter_map(|row| row.split('|').nth(1));
        codes.flat_map(|cell| cell.split(',')).filter_map(|it| it.trim().parse().ok()).collect()
    }

    #[test]
    fn the_docs_say_every_code() {
        let running = include_str!("../docs/running.md");
        assert_eq!(documented(running, "## Exit codes"), ExitCode::ALL.map(ExitCode::number));
    }
}
