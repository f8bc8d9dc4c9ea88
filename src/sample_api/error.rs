//! Why the sample API cannot be started.

use std::net::SocketAddr;

use crate::exit_code::{ExitCode, Failure};

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
        ExitCode::Unexpected
    }

    fn help(&self) -> Option<String> {
        Some("choose a free loopback address with `--listen`".to_owned())
    }
}
