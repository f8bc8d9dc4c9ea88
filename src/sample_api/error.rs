//! Why the sample API cannot be started.

use std::net::SocketAddr;

use crate::exit_code::{ExitCode, Failure, advice};

/// The sample API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SampleApiError {
    /// It has no TLS and its key is not secret, so it is not reachable from outside.
    #[error("the sample API listens on loopback addresses only, and {0} is not one")]
    NotLoopback(SocketAddr),
    /// Most likely the port is in use.
    #[error("the sample API cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The embedded exports are damaged.
    #[error("the sample exports are damaged: {0}")]
    Exports(#[from] serde_json::Error),
}

impl Failure for SampleApiError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotLoopback(_) | Self::Listen { .. } => ExitCode::Usage,
            Self::Exports(_) => ExitCode::Unexpected,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotLoopback(_) => "write `--listen 127.0.0.1:8080`, or another port",
            Self::Listen { .. } => {
                "choose another port, as with `--listen 127.0.0.1:8081`; `--listen 127.0.0.1:0` takes a free one"
            }
            Self::Exports(_) => advice::REPORT_A_BUG,
        };
        Some(help.to_owned())
    }
}
