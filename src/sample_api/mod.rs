//! The sample API: a stand-in for the real one, for the demo, for tests and for trying definitions out.
//!
//! It has the two endpoints, the key check and the path layout that ProcurementFlow documents. Everything
//! else, field and filter names above all, is **ours and invented**; see `data/README.md`.
//!
//! | request | answer |
//! |---|---|
//! | no key, or a wrong one | 401 |
//! | the key, but another organisation | 403 |
//! | a filter that no record knows, an unreadable date | 400 |
//! | anything but the two endpoints | 404 |
//! | otherwise | 200, the matching records as they stand in the export, gzip when accepted |

mod exports;
mod filters;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_http::compression::CompressionLayer;

use exports::Export;
use filters::{FilterError, Filters};

const NOTE: &str = "this is flowlake's sample API; its fields and filters are invented";

/// The sample API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SampleApiError {
    /// It has no TLS and no real access control.
    #[error("the sample API serves loopback addresses only, and {0} is not one")]
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

/// What the sample API serves, and to whom.
#[derive(Debug)]
pub struct SampleApi {
    organisation_id: String,
    api_key: SecretString,
    purchasing: Export,
    e_sourcing: Export,
}

/// A sample API that answers requests until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningSampleApi {
    base_url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl SampleApi {
    /// Serves the sample exports for one organisation and one key.
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

    /// Listens and answers in the background.
    ///
    /// # Errors
    /// The address is not a loopback address, or is taken.
    pub async fn start(self, address: SocketAddr) -> Result<RunningSampleApi, SampleApiError> {
        if !address.ip().is_loopback() {
            return Err(SampleApiError::NotLoopback(address));
        }
        let listen = |source| SampleApiError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = oneshot::channel();
        let router = router(Arc::new(self));
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async {
                // A dropped handle stops the server as well.
                let _ = stopped.await;
            });
            if let Err(error) = served.await {
                tracing::error!(%error, "the sample API stopped");
            }
        });
        Ok(RunningSampleApi { base_url: format!("http://{address}"), stop, server })
    }
}

impl RunningSampleApi {
    /// Scheme, host and port, for `base_url` in a definition.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Answers what was asked already, then stops.
    pub async fn stop(self) {
        let Self { stop, server, .. } = self;
        drop(stop);
        if let Err(error) = server.await {
            tracing::error!(%error, "the sample API failed");
        }
    }
}

fn router(api: Arc<SampleApi>) -> Router {
    Router::new()
        .route("/api/export/all/{organisation_id}", get(purchasing))
        .route("/api/export/all/esourcing/{organisation_id}", get(e_sourcing))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing at this path", &[]) })
        .layer(CompressionLayer::new())
        .with_state(api)
}

type Parameters = Query<Vec<(String, String)>>;

async fn purchasing(
    State(api): State<Arc<SampleApi>>,
    Path(organisation_id): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    api.answer(&api.purchasing, &organisation_id, &parameters, &headers)
}

async fn e_sourcing(
    State(api): State<Arc<SampleApi>>,
    Path(organisation_id): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    api.answer(&api.e_sourcing, &organisation_id, &parameters, &headers)
}

impl SampleApi {
    fn answer(
        &self,
        export: &Export,
        organisation_id: &str,
        parameters: &[(String, String)],
        headers: &HeaderMap,
    ) -> Response {
        let key = headers.get("x-api-key").map(axum::http::HeaderValue::as_bytes);
        if key != Some(self.api_key.expose_secret().as_bytes()) {
            return refusal(
                StatusCode::UNAUTHORIZED,
                "the header x-api-key is missing or wrong",
                &[],
            );
        }
        if organisation_id != self.organisation_id {
            let message = "this key belongs to another organisation";
            return refusal(StatusCode::FORBIDDEN, message, &[]);
        }
        let body =
            Filters::parse(parameters, export.fields()).and_then(|filters| filters.apply(export));
        match body {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => refuse_filter(&error, export),
        }
    }
}

fn refuse_filter(error: &FilterError, export: &Export) -> Response {
    refusal(StatusCode::BAD_REQUEST, &error.to_string(), &filters::names(export.fields()))
}

fn refusal(status: StatusCode, message: &str, known_filters: &[String]) -> Response {
    let mut body = HashMap::from([("error", serde_json::json!(message)), ("note", NOTE.into())]);
    if !known_filters.is_empty() {
        body.insert("knownFilters", known_filters.into());
    }
    (status, axum::Json(body)).into_response()
}
