//! The answer to a request: an export on its way, or an error that says what came instead.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::excerpt::{EXCERPT_BYTES, excerpt};
use crate::source::api_key::{ApiKey, KeyName};
use crate::source::http::FetchError;
use crate::source::http::body::{Encoding, body};

/// The headers that tell something of where an export came from and how.
const TELLING_HEADERS: [&str; 10] = [
    "age",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "server",
    "via",
    "x-request-id",
];

/// An export on its way: the first bytes have not been read yet.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    url: Url,
    encoding: Encoding,
    /// The most bytes that its body may have.
    most: u64,
    /// What is kept with the export.
    pub response_metadata: ResponseMetadata,
    /// The keys that were refused before one was taken.
    pub refused: Vec<KeyName>,
    /// The key that was taken.
    pub taken: KeyName,
}

/// What an answer said before its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMetadata {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// The headers that tell where the export came from and how.
    pub headers: BTreeMap<String, String>,
}

impl ResponseMetadata {
    fn of(response: &Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some((name.to_owned(), value.to_owned()))
        };
        Self {
            status: response.status().as_u16(),
            protocol: format!("{:?}", response.version()),
            headers: TELLING_HEADERS.into_iter().filter_map(header).collect(),
        }
    }
}

impl Answer {
    /// Takes a response that no key was refused in, if it can be an export.
    pub(super) async fn accept(
        response: Response,
        url: &Url,
        taken: KeyName,
        refused: Vec<KeyName>,
        most: u64,
    ) -> Result<Self, FetchError> {
        let url = url.clone();
        let status = response.status();
        if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
            let retry_after = response.headers().get(RETRY_AFTER).and_then(wait_asked_for);
            let body = first_line(response, &url).await;
            return Err(FetchError::Unavailable { url, status, body, retry_after });
        }
        if status != StatusCode::OK {
            let body = first_line(response, &url).await;
            return Err(FetchError::Rejected { url, status, body });
        }
        let content_type = text(response.headers(), &CONTENT_TYPE);
        if !content_type.as_deref().is_none_or(may_be_json) {
            let body = first_line(response, &url).await;
            let content_type = content_type.unwrap_or_default();
            return Err(FetchError::NotAnExport { url, content_type, body });
        }
        let encoding = text(response.headers(), &CONTENT_ENCODING).unwrap_or_default();
        let Some(encoding) = Encoding::of_name(&encoding) else {
            return Err(FetchError::UnknownEncoding { url, encoding });
        };
        let response_metadata = ResponseMetadata::of(&response);
        Ok(Self { response, url, encoding, most, response_metadata, refused, taken })
    }

    /// The same answer, without any of the keys in what is kept of it.
    pub(super) fn redacted(mut self, keys: &[ApiKey]) -> Self {
        for value in self.response_metadata.headers.values_mut() {
            *value = ApiKey::redact_all(keys, value);
        }
        self
    }

    /// The size the source announced, in bytes on the wire.
    #[must_use]
    pub fn announced_bytes(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The body, decompressed, as it arrives.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
        body(self.response, self.url, self.encoding, self.most)
    }
}

/// Whether JSON is ever sent under this content type: sources that do not know better call it text or bytes.
fn may_be_json(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let known = ["", "text/plain", "text/json", "application/octet-stream", "binary/octet-stream"];
    let (_, subtype) = essence.split_once('/').unwrap_or_default();
    let of_json = ["json", "jsonl", "ndjson", "jsonlines"];
    known.contains(&essence)
        || of_json.contains(&subtype.rsplit(['+', '-']).next().unwrap_or_default())
}

/// Seconds, or an HTTP date.
fn wait_asked_for(header: &HeaderValue) -> Option<Duration> {
    let text = header.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    (until.to_utc() - Utc::now()).to_std().ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The beginning of a body that is not going to be loaded; only as much of it is read as is shown.
async fn first_line(response: Response, url: &Url) -> String {
    let encoding = text(response.headers(), &CONTENT_ENCODING).unwrap_or_default();
    let encoding = Encoding::of_name(&encoding).unwrap_or(Encoding::Identity);
    let mut pieces = body(response, url.clone(), encoding, u64::MAX);
    let mut beginning = Vec::new();
    while beginning.len() < EXCERPT_BYTES
        && let Some(Ok(piece)) = pieces.next().await
    {
        beginning.extend_from_slice(&piece);
    }
    excerpt(&beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_as_a_date() {
        let wait = |text: &str| wait_asked_for(&HeaderValue::from_str(text).unwrap());
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn p9_only_what_may_be_json_is_read() {
        for json in [
            "Application/JSON; charset=utf-8",
            "application/problem+json",
            "application/x-ndjson",
            "application/jsonl",
            "text/plain",
            "text/json",
            "application/octet-stream",
            "",
        ] {
            assert!(may_be_json(json), "{json}");
        }
        for other in ["text/html", "text/csv", "application/xml", "image/png", "application/pdf"] {
            assert!(!may_be_json(other), "{other}");
        }
    }
}
