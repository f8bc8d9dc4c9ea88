//! The sample API as a server that runs in the background.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::answer;
use super::error::SampleApiError;
use super::served::SampleApi;

/// A sample API that runs until it is stopped or dropped.
#[derive(Debug)]
#[must_use = "the sample API stops when this is dropped"]
pub struct RunningSampleApi {
    base_url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl SampleApi {
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
