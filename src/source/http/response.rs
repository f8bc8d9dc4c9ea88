//! The response to a request: an export on its way, or an error that says what came instead.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER, TRANSFER_ENCODING,
};
use reqwest::{Response, StatusCode, Version};
use url::Url;

use crate::shown::{EXCERPT_BYTES, excerpt};
use crate::source::api_key::KeyName;
use crate::source::http::FetchError;
use crate::source::http::body::body;
use crate::source::http::encoding::Encoding;
use crate::source::http::error;
use crate::source::http::link;
use crate::source::{ResponseMetadata, SourceResponse};

/// The response headers that are kept with an export.
const KEPT_HEADERS: [&str; 10] = [
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

/// Accepts a response if it can be an export.
pub(super) async fn accept(
    response: Response,
    url: &Url,
    accepted: KeyName,
    refused: Vec<KeyName>,
    max_bytes: u64,
) -> Result<SourceResponse, FetchError> {
    let url = url.clone();
    let status = response.status();
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        let header = response.headers().get(RETRY_AFTER);
        let retry_after = header.and_then(|header| retry_after(header, SystemTime::now()));
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
    Ok(SourceResponse {
        metadata: metadata(&response),
        announced_bytes: response.content_length().filter(|_| encoding == Encoding::Identity),
        next_page: link::next_page(response.headers()),
        has_end: has_end(response.version(), response.headers(), encoding),
        refused,
        accepted,
        body: body(response, url, encoding, max_bytes).boxed(),
    })
}

/// Whether it is for people, as what firewalls and logins answer.
pub(super) fn is_web_page(response: &Response) -> bool {
    let content_type = text(response.headers(), &CONTENT_TYPE).unwrap_or_default();
    error::is_web_page(&content_type)
}

/// The error of a response that something else than the source gave.
pub(super) async fn blocked(response: Response, url: &Url) -> FetchError {
    let status = response.status();
    FetchError::Blocked { url: url.clone(), status, body: first_line(response, url).await }
}

fn metadata(response: &Response) -> ResponseMetadata {
    let header = |name: &str| Some((name.to_owned(), text_of(response.headers().get(name)?)?));
    ResponseMetadata {
        status: response.status().as_u16(),
        protocol: format!("{:?}", response.version()),
        headers: KEPT_HEADERS.into_iter().filter_map(header).collect(),
    }
}

/// Whether a connection that closes early leaves the body incomplete. HTTP/1 without a length and without chunks ends a
/// body by closing the connection, so nothing tells, unless the encoding does; HTTP/2 has a last frame.
fn has_end(version: Version, headers: &HeaderMap, encoding: Encoding) -> bool {
    // Where there is a transfer encoding, a length does not count (RFC 9112, section 6.3).
    let has_end_of_message = match headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        Some(codings) => ends_chunked(codings),
        None => headers.contains_key(CONTENT_LENGTH),
    };
    has_end_of_message || version > Version::HTTP_11 || encoding.has_one_end()
}

/// Whether the last of these transfer codings is `chunked`: only that one has a last chunk.
fn ends_chunked(codings: &HeaderValue) -> bool {
    let last = codings.to_str().ok().and_then(|codings| codings.rsplit(',').next());
    last.is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
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

/// How long `Retry-After` asks to wait: seconds, or an HTTP date.
fn retry_after(header: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = header.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    text_of(headers.get(name)?)
}

fn text_of(value: &HeaderValue) -> Option<String> {
    Some(value.to_str().ok()?.to_owned())
}

/// The first line of a body that is not an export. Reads no more of it than is shown.
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
    fn retry_after_is_seconds_or_an_http_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        let wait = |text: &str| retry_after(&HeaderValue::from_str(text).unwrap(), now);
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:29:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(wait("Wednesday, 21-Oct-15 07:29:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(wait("Wed Oct 21 07:29:00 2015"), Some(Duration::from_mins(1)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:27:00 GMT"), None);
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn p9_only_what_closes_the_message_ends_it() {
        let ends = |headers: &[(HeaderName, &'static str)], version, encoding| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name, HeaderValue::from_static(value));
            }
            has_end(version, &map, encoding)
        };
        let plain = |headers: &[_]| ends(headers, Version::HTTP_11, Encoding::Identity);
        assert!(plain(&[(CONTENT_LENGTH, "9")]));
        for chunked in ["chunked", "gzip, Chunked ", "gzip,chunked"] {
            assert!(plain(&[(TRANSFER_ENCODING, chunked)]), "{chunked}");
        }
        assert!(plain(&[(TRANSFER_ENCODING, "gzip"), (TRANSFER_ENCODING, "chunked")]));
        assert!(!plain(&[]));
        for other in ["identity", "foo", "", "chunked, identity", "chunked;x"] {
            assert!(!plain(&[(TRANSFER_ENCODING, other)]), "{other}");
            assert!(!plain(&[(CONTENT_LENGTH, "9"), (TRANSFER_ENCODING, other)]), "{other}");
        }
        assert!(!plain(&[(TRANSFER_ENCODING, "chunked"), (TRANSFER_ENCODING, "identity")]));
        assert!(ends(&[], Version::HTTP_2, Encoding::Identity));
        assert!(ends(&[], Version::HTTP_11, Encoding::Brotli));
        for several in [Encoding::Gzip, Encoding::Zstd] {
            assert!(!ends(&[], Version::HTTP_11, several), "{several}");
        }
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
