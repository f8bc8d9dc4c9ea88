//! The top-level error: anything that ends a command. Exit code and help come from the error inside.

use crate::definition::DefinitionError;
use crate::exit_code::{ExitCode, Failure};
use crate::init::InitError;
use crate::plan::PlanError;
use crate::run::RunError;
use crate::sample_api::SampleApiError;
use crate::table::verify::VerifyError;

/// Anything that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A definition is missing or wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A run cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No definition could be proposed.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A destination cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Nothing of flowlake's is at a destination.
    #[error("no lake here: `{url}` has no files of flowlake")]
    NoLake {
        /// The destination.
        url: String,
    },
    /// A destination alone does not say what its tables are to become.
    #[error("`{destination}` is no definition, which would say what to convert its tables to")]
    NoDefinition {
        /// As the user typed it.
        destination: String,
    },
    /// The sample API did not start.
    #[error(transparent)]
    SampleApi(#[from] SampleApiError),
    /// The output could not be written, as when a pipe is closed.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    /// No threads could be started.
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
    /// A result could not be written as JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// The error that knows its exit code and its help.
    fn failure(&self) -> Option<&dyn Failure> {
        match self {
            Self::Definition(error) => Some(error),
            Self::Plan(error) => Some(error),
            Self::Run(error) => Some(error),
            Self::Init(error) => Some(error),
            Self::Verify(error) => Some(error),
            Self::SampleApi(error) => Some(error),
            Self::NoLake { .. }
            | Self::NoDefinition { .. }
            | Self::Output(_)
            | Self::Threads(_)
            | Self::Json(_) => None,
        }
    }
}

impl Failure for Error {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoLake { .. } => ExitCode::Destination,
            Self::NoDefinition { .. } => ExitCode::Usage,
            other => other.failure().map_or(ExitCode::Unexpected, Failure::exit_code),
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoLake { .. } => {
                "check the path, and that its disk is mounted; `flowlake run` begins a lake"
            }
            Self::NoDefinition { .. } => {
                "give the definition, or a format with `--to delta` or `--to parquet`"
            }
            Self::Threads(_) => {
                "raise the limits of processes and memory of this user (`ulimit -u`, `ulimit -v`)"
            }
            other => return other.failure().and_then(Failure::help),
        };
        Some(help.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::help::EXIT_CODES;
    use crate::decode::{ArrayList, SplitError};
    use crate::run::{GuardError, Signal};
    use crate::source::api_key::ApiKeyError;
    use crate::source::http::FetchError;
    use crate::table::ReadError;

    fn run(error: impl Into<RunError>) -> Error {
        Error::Run(error.into())
    }

    fn unavailable() -> RunError {
        let url = "https://example.com".parse().unwrap();
        let status = reqwest::StatusCode::SERVICE_UNAVAILABLE;
        let (body, retry_after) = (String::new(), None);
        FetchError::Unavailable { url, status, body, retry_after }.into()
    }

    /// An error for each exit code but 0.
    fn table() -> Vec<(ExitCode, Error)> {
        let nothing_fits = GuardError::NothingFits {
            table: "t".parse().unwrap(),
            records: 1,
            reasons: String::new(),
        };
        let in_piece = RunError::InPiece {
            window: crate::schema::Window {
                start: chrono::DateTime::UNIX_EPOCH,
                end: chrono::DateTime::UNIX_EPOCH,
            },
            error: Box::new(SplitError::Empty.into()),
        };
        vec![
            (ExitCode::Unexpected, Error::Output(std::io::ErrorKind::Other.into())),
            (ExitCode::Usage, PlanError::NoWindow.into()),
            (ExitCode::Usage, run(SplitError::Ambiguous { candidates: ArrayList::default() })),
            (ExitCode::Partial, run(nothing_fits)),
            (ExitCode::SourceUnavailable, run(unavailable())),
            (ExitCode::Key, run(ApiKeyError::Missing { looked_in: Vec::new() })),
            (ExitCode::Export, run(SplitError::Empty)),
            (ExitCode::Export, run(in_piece)),
            (ExitCode::Destination, run(ReadError::Missing { path: "t/a.parquet".into() })),
            (ExitCode::Busy, run(RunError::Conflict)),
            (ExitCode::Interrupted, run(RunError::Stopped(Signal::Interrupt))),
            (ExitCode::Terminated, run(RunError::Stopped(Signal::Terminate))),
        ]
    }

    #[test]
    fn each_exit_code_has_an_error_that_leads_to_it() {
        for (code, error) in table() {
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.help().is_some() || matches!(error, Error::Output(_)), "{error}");
        }
        for code in ExitCode::ALL {
            let is_reached = table().iter().any(|(reached, _)| *reached == code);
            assert!(is_reached || code == ExitCode::Done, "{code:?}");
            assert!(EXIT_CODES.contains(&code.number().to_string()), "{code:?} is in the help");
        }
    }
}
