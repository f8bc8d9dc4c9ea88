//! Error responses.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::filters::{FilterError, known_filters};

const NOTE: &str = "This is flowlake's sample API, not ProcurementFlow's. The names of its fields and \
                    filters are invented; the real API has its own.";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum RefusedRequest {
    #[error("the header `x-api-key` is missing or wrong")]
    Key,
    #[error("this key belongs to another organisation")]
    Organisation,
    #[error(
        "not found; the sample API has only GET /api/export/all/[esourcing/]{{organisation_id}}"
    )]
    Elsewhere,
    #[error("{problem}")]
    Filter { problem: FilterError, known: Vec<String> },
    #[error("the records could not be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

impl RefusedRequest {
    /// Adds the list of filters.
    pub(super) fn filter(problem: FilterError, fields: &BTreeSet<String>) -> Self {
        Self::Filter { problem, known: known_filters(fields) }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Key => StatusCode::UNAUTHORIZED,
            Self::Organisation => StatusCode::FORBIDDEN,
            Self::Elsewhere => StatusCode::NOT_FOUND,
            Self::Filter { .. } => StatusCode::BAD_REQUEST,
            Self::Unwritable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for RefusedRequest {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.to_string(), "note": NOTE });
        if let Self::Filter { known, .. } = &self {
            body["knownFilters"] = json!(known);
        }
        (self.status(), [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}
