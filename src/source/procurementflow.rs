//! ProcurementFlow: everything that is known of its export API, as data.
//!
//! | endpoint | path |
//! |---|---|
//! | `purchasing` | `/api/export/all/{organisation_id}` |
//! | `e-sourcing` | `/api/export/all/esourcing/{organisation_id}` |
//!
//! The key goes in the header [`KEY_HEADER`].

use crate::definition::{Endpoint, Pipeline, Resource};
use crate::source::api_key::ApiKey;
use crate::source::http::{FetchError, HttpSource};

/// The header that carries the key.
pub const KEY_HEADER: &str = "x-api-key";

/// The path segments before the organisation id.
const fn endpoint_path(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Purchasing => &["api", "export", "all"],
        Endpoint::ESourcing => &["api", "export", "all", "esourcing"],
    }
}

/// The segments of a resource's path, not percent-encoded.
#[must_use]
pub fn path_segments(resource: &Resource) -> Vec<&str> {
    match resource {
        Resource::Export { endpoint, organisation_id } => {
            let segments = endpoint_path(*endpoint).iter().copied();
            segments.chain([organisation_id.as_str()]).collect()
        }
        Resource::Path(segments) => segments.iter().map(String::as_str).collect(),
    }
}

/// Sets up the client for the source of a pipeline.
///
/// # Errors
/// The TLS set-up of this machine is not usable.
pub fn source_of(pipeline: &Pipeline, keys: &[ApiKey]) -> Result<HttpSource, FetchError> {
    HttpSource::new(&pipeline.source, pipeline.limits.max_bytes(), KEY_HEADER, keys.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(endpoint: Endpoint) -> String {
        let organisation_id = "acme".to_owned();
        path_segments(&Resource::Export { endpoint, organisation_id }).join("/")
    }

    #[test]
    fn each_endpoint_has_its_documented_path() {
        assert_eq!(path(Endpoint::Purchasing), "api/export/all/acme");
        assert_eq!(path(Endpoint::ESourcing), "api/export/all/esourcing/acme");
    }
}
