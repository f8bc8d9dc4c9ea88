//! The codes that the process ends with.

/// The codes that flowlake ends with. They are part of the interface and do not change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, including nothing new.
    Done = 0,
    /// An error that should not happen: page someone.
    Unexpected = 1,
    /// The command line or a definition is wrong: fix it.
    Usage = 2,
    /// One pipeline of several failed, or no record was fit to load: look.
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

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
