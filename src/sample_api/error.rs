//! Why the sample API cannot be started.

use std::net::SocketAddr;

/// The sample API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SampleApiError {
    /// It has no TLS, and its key is no secret, so nobody else shall reach it.
    #[error("the sample API listens on loopback addresses only, and {0} is not one")]
    NotLoopback(SocketAddr),
    /// The port is taken, most likely.
    #[error("the sample API cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The exports that flowlake carries are not readable.
    #[error("the sample exports are damaged: {0}")]
    Exports(#[from] serde_json::Error),
}
