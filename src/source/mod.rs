//! Source: requests in, bodies out.
//!
//! | module | its one job |
//! |---|---|
//! | [`procurementflow`] | the two endpoints and the key header: all that is known of the API, as data |
//! | [`http`] | an [`ExportSource`] over HTTP: client, body, retry, rate limit, redirects |
//! | [`api_key`] | keys: found, and tried in order |

pub mod api_key;
pub mod http;
pub mod procurementflow;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::schema::Window;
use api_key::KeyName;
use http::FetchError;

/// A GET request for one export. It holds no secret: the source adds the key when it sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The URL, without the key.
    pub url: Url,
    /// The window that it covers; none for a full export.
    pub window: Option<Window>,
}

/// Where exports come from.
pub trait ExportSource: Send + Sync {
    /// Sends a request. The body is read by the caller, as it arrives.
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<SourceResponse, FetchError>>;
}

/// The response to a request. The first bytes of its body have not been read yet.
pub struct SourceResponse {
    /// What is kept with the export.
    pub metadata: ResponseMetadata,
    /// The size of the body, if the source announced it: of a compressed one it does not.
    pub announced_bytes: Option<u64>,
    /// The response tells where its body ends: by a length, a last chunk, or what compresses it.
    pub has_end: bool,
    /// Where a header says that the next page is.
    pub next_page: Option<String>,
    /// The keys that the source refused before it accepted one.
    pub refused: Vec<KeyName>,
    /// The key that it accepted.
    pub accepted: KeyName,
    /// The body, decompressed, as it arrives.
    pub body: BoxStream<'static, Result<Bytes, FetchError>>,
}

/// What a response said before its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMetadata {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// The headers that tell where the export came from and how.
    pub headers: BTreeMap<String, String>,
}
