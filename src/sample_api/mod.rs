//! The sample API: a stand-in for the real one, for the demo, for tests and for trying definitions out.
//!
//! It has the paths and the key header of the real API. Everything else is **invented**, the names of fields and filters
//! included; see `data/README.md`.
//!
//! | request | answer |
//! |---|---|
//! | no key, or a wrong one | 401 |
//! | the key, but another organisation | 403 |
//! | an unknown filter or an invalid date | 400, with the list of filters |
//! | anything but GET on the two endpoints | 404 |
//! | otherwise | 200, the matching records, byte for byte as in `data/`; gzip if accepted |
//!
//! An error has a JSON body that says what is wrong, and that this is not the real API.

mod answer;
mod exports;
mod filters;
mod refusal;

use std::net::SocketAddr;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use exports::Export;

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

/// What the sample API serves, and to whom.
///
/// ```
/// # use flowlake::sample_api::SampleApi;
/// let api = SampleApi::new("demo", "a-key")?;
/// assert!(!format!("{api:?}").contains("a-key"));
/// # Ok::<(), flowlake::sample_api::SampleApiError>(())
/// ```
#[derive(Debug)]
pub struct SampleApi {
    organisation_id: String,
    api_key: SecretString,
    purchasing: Export,
    e_sourcing: Export,
}

/// A sample API that runs until it is stopped or dropped.
#[derive(Debug)]
#[must_use = "the sample API stops when this is dropped"]
pub struct RunningSampleApi {
    base_url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl SampleApi {
    /// Serves the exports of `data/` for this organisation and key.
    ///
    /// # Errors
    /// The exports are damaged.
    pub fn new(organisation_id: &str, api_key: &str) -> Result<Self, SampleApiError> {
        Ok(Self {
            organisation_id: organisation_id.to_owned(),
            api_key: SecretString::from(api_key),
            purchasing: Export::parse(exports::PURCHASING)?,
            e_sourcing: Export::parse(exports::E_SOURCING)?,
        })
    }

    /// Listens and serves in the background. Port 0 picks a free port.
    ///
    /// # Errors
    /// The address is not a loopback address, or is taken.
    pub async fn start(self, address: SocketAddr) -> Result<RunningSampleApi, SampleApiError> {
        if !address.ip().is_loopback() {
            return Err(SampleApiError::NotLoopback(address));
        }
        let failed = |source| SampleApiError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let base_url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(self.serve(listener, stopped));
        Ok(RunningSampleApi { base_url, stop, server })
    }

    async fn serve(self, listener: TcpListener, stopped: oneshot::Receiver<()>) {
        let stopped = async {
            // An error means that the handle was dropped, which also stops the server.
            let _ = stopped.await;
        };
        // The result is empty: axum retries what fails when it accepts a connection.
        let _ = axum::serve(listener, answer::router(self)).with_graceful_shutdown(stopped).await;
    }
}

impl RunningSampleApi {
    /// Scheme, host and port, for `base_url` in a definition.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Stops accepting requests, completes those in progress, then returns.
    pub async fn stop(self) {
        let Self { stop, server, .. } = self;
        drop(stop);
        // It fails only by a panic, which has been reported where it happened.
        let _ = server.await;
    }
}
