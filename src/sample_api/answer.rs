//! Routes of the sample API: key, organisation, then the records.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::ExposeSecret;
use tower_http::compression::CompressionLayer;

use super::exports::Export;
use super::filters::Filters;
use super::refusal::RefusedRequest;
use super::served::SampleApi;
use crate::source::procurementflow::KEY_HEADER;

type Api = State<Arc<SampleApi>>;
type Organisation = Result<Path<String>, PathRejection>;
type Parameters = Query<Vec<(String, String)>>;

pub(super) fn router(api: SampleApi) -> Router {
    Router::new()
        .route("/api/export/all/{organisation_id}", get(purchasing))
        .route("/api/export/all/esourcing/{organisation_id}", get(e_sourcing))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(CompressionLayer::new())
        .with_state(Arc::new(api))
}

async fn purchasing(
    State(api): Api,
    organisation: Organisation,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Response, RefusedRequest> {
    api.admit(organisation, &headers)?;
    records(&api.purchasing, &parameters)
}

async fn e_sourcing(
    State(api): Api,
    organisation: Organisation,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Response, RefusedRequest> {
    api.admit(organisation, &headers)?;
    records(&api.e_sourcing, &parameters)
}

async fn nothing_here() -> RefusedRequest {
    RefusedRequest::Elsewhere
}

impl SampleApi {
    /// The key is checked first, so that nobody without one learns which organisations exist.
    fn admit(&self, organisation: Organisation, headers: &HeaderMap) -> Result<(), RefusedRequest> {
        let key = headers.get(KEY_HEADER).map(HeaderValue::as_bytes);
        if key != Some(self.api_key.expose_secret().as_bytes()) {
            return Err(RefusedRequest::Key);
        }
        if organisation.is_ok_and(|Path(id)| id == self.organisation_id) {
            Ok(())
        } else {
            Err(RefusedRequest::Organisation)
        }
    }
}

fn records(export: &Export, parameters: &[(String, String)]) -> Result<Response, RefusedRequest> {
    let filters = Filters::parse(parameters, export.fields())
        .map_err(|problem| RefusedRequest::filter(problem, export.fields()))?;
    let body = serde_json::to_vec(&export.only(|record| filters.pass(record)))?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
