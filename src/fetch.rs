//! Fetch: asks the source for the export and hands its bytes on. Knows HTTP and nothing of JSON.
//!
//! | answer | what we do |
//! |---|---|
//! | 200 | stream the body |
//! | 401, 403 | try the next key; with none left, [`FetchError::KeyRefused`] |
//! | 408, 425, 429, 5xx, no answer, body cut short | [`FetchError`] that [`retry`](crate::retry) tries again |
//! | other 4xx | [`FetchError::Rejected`]: the definition asks for something the source does not have |
//! | redirect within the origin | followed, five at most |
//! | redirect to another origin | [`FetchError::LeavesOrigin`]; the key is not sent there |
//! | `text/html` | [`FetchError::NotAnExport`] |

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::api_key::ApiKey;
use crate::definition::{Header, KeySource, Source};
use crate::excerpt::{EXCERPT_BYTES, excerpt};
use crate::plan::Request;

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";
const USER_AGENT: &str = concat!("flowlake/", env!("CARGO_PKG_VERSION"));
const MOST_REDIRECTS: usize = 5;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be set up, for instance for want of root certificates.
    #[error("the HTTP client cannot be set up: {}", chain(.0))]
    Setup(reqwest::Error),
    /// No connection, or no answer in time.
    #[error("no answer from {url}: {}", chain(.source))]
    Unreachable {
        /// What was asked.
        url: Url,
        /// What the client said.
        source: reqwest::Error,
    },
    /// Every key was refused.
    #[error("{url} refused the API key with {status}; tried {}", list(.tried))]
    KeyRefused {
        /// What was asked.
        url: Url,
        /// The last answer.
        status: StatusCode,
        /// Where the refused keys came from.
        tried: Vec<KeySource>,
    },
    /// The source is in trouble, or has too much to do.
    #[error("{url} answered {status}{}", quoted(.body))]
    Unavailable {
        /// What was asked.
        url: Url,
        /// The answer.
        status: StatusCode,
        /// Its first line.
        body: String,
        /// How long the source asked to wait.
        retry_after: Option<Duration>,
    },
    /// The source does not take this request.
    #[error("{url} answered {status}{}", quoted(.body))]
    Rejected {
        /// What was asked.
        url: Url,
        /// The answer.
        status: StatusCode,
        /// Its first line.
        body: String,
    },
    /// A redirect would have taken the key to another host.
    #[error("{url} redirects to another origin, where the API key must not go")]
    LeavesOrigin {
        /// What was asked.
        url: Url,
    },
    /// The answer is a web page.
    #[error("{url} answered with {content_type} and not with JSON{}", quoted(.body))]
    NotAnExport {
        /// What was asked.
        url: Url,
        /// The answer's content type.
        content_type: String,
        /// Its first line.
        body: String,
    },
    /// The connection broke in the middle of the export.
    #[error("the export from {url} broke off: {}", chain(.source))]
    Interrupted {
        /// What was asked.
        url: Url,
        /// What the client said.
        source: reqwest::Error,
    },
}

impl FetchError {
    /// The same error, without the key in what the source answered.
    fn redacted(mut self, key: &ApiKey) -> Self {
        if let Self::Unavailable { body, .. }
        | Self::Rejected { body, .. }
        | Self::NotAnExport { body, .. } = &mut self
        {
            *body = key.redact(body);
        }
        self
    }
}

/// The HTTP client: one per process.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    pace: Option<Arc<Pace>>,
    /// The position of the key that was taken last.
    taken: Arc<AtomicUsize>,
}

/// An export on its way: the first bytes have not been read yet.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    url: Url,
    refused: Vec<KeySource>,
}

impl Fetcher {
    /// Sets the client up to ask one source. The proxy comes from the environment; loopback is asked directly,
    /// since a proxy would be sent the key in the clear.
    ///
    /// # Errors
    /// The TLS set-up of this machine is not usable.
    pub fn new(source: &Source) -> Result<Self, FetchError> {
        let timeouts = &source.timeouts;
        let mut builder = Client::builder();
        if source.base_url.scheme() == "http" {
            builder = builder.no_proxy();
        }
        let client = builder
            .user_agent(USER_AGENT)
            .default_headers(headers(&source.headers))
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .timeout(timeouts.total)
            .redirect(redirect::Policy::custom(stay_within_origin))
            .build()
            .map_err(FetchError::Setup)?;
        let pace = source.requests_per_minute.map(|rate| Arc::new(Pace::new(rate.get() as usize)));
        Ok(Self { client, pace, taken: Arc::default() })
    }

    /// Asks for an export, with each key in turn until one is taken. The next request begins with that one, so that
    /// a key which was refused is not sent again, and one that is replaced during a run does not end it.
    ///
    /// # Errors
    /// See the table of this module.
    pub async fn request(&self, request: &Request, keys: &[ApiKey]) -> Result<Answer, FetchError> {
        let url = &request.url;
        let mut tried = Vec::new();
        let mut status = StatusCode::UNAUTHORIZED;
        let first = self.taken.load(Ordering::Relaxed);
        for position in (first..keys.len()).chain(0..first.min(keys.len())) {
            let key = &keys[position];
            let response = self.send(url, key).await?;
            status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.taken.store(position, Ordering::Relaxed);
                let accepted = accept(response, url.clone(), tried).await;
                return accepted.map_err(|error| error.redacted(key));
            }
            tried.push(key.source().clone());
        }
        Err(FetchError::KeyRefused { url: url.clone(), status, tried })
    }

    async fn send(&self, url: &Url, key: &ApiKey) -> Result<Response, FetchError> {
        if let Some(pace) = &self.pace {
            pace.keep().await;
        }
        let mut request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        if let Ok(mut value) = HeaderValue::from_str(key.expose()) {
            value.set_sensitive(true);
            request = request.header(KEY_HEADER, value);
        }
        tracing::debug!(%url, key = %key.source(), "requesting the export");
        request.send().await.map_err(|error| match error {
            error if error.is_redirect() => FetchError::LeavesOrigin { url: url.clone() },
            source => FetchError::Unreachable { url: url.clone(), source: source.without_url() },
        })
    }
}

fn headers(declared: &[Header]) -> HeaderMap {
    let pairs = declared.iter().filter_map(|header| {
        let mut value = HeaderValue::from_str(&header.value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(header.name.as_bytes()).ok()?, value))
    });
    pairs.collect()
}

/// Keeps requests at a rate: so many in any minute.
#[derive(Debug)]
struct Pace {
    requests_per_minute: usize,
    /// When the last so many requests were let go.
    recent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    fn new(requests_per_minute: usize) -> Self {
        Self { requests_per_minute, recent: Mutex::default() }
    }

    /// Returns when the next request may go.
    async fn keep(&self) {
        let mut recent = self.recent.lock().await;
        let slot = next_slot(&mut recent, self.requests_per_minute, Instant::now());
        tokio::time::sleep_until(slot).await;
    }
}

/// When a request that is ready at `now` may go, which is noted in `recent`.
fn next_slot(recent: &mut VecDeque<Instant>, requests_per_minute: usize, now: Instant) -> Instant {
    let mut slot = now;
    if recent.len() >= requests_per_minute
        && let Some(oldest) = recent.pop_front()
    {
        slot = slot.max(oldest + Duration::from_mins(1));
    }
    recent.push_back(slot);
    slot
}

impl Answer {
    /// The size the source announced, in bytes on the wire.
    #[must_use]
    pub fn announced_bytes(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Where the keys came from that were refused before one was taken.
    #[must_use]
    pub fn refused_keys(&self) -> &[KeySource] {
        &self.refused
    }

    /// The body, decompressed, as it arrives.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
        let url = self.url;
        self.response
            .bytes_stream()
            .map_err(move |source| FetchError::Interrupted {
                url: url.clone(),
                source: source.without_url(),
            })
            .boxed()
    }
}

fn stay_within_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let stays =
        attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if stays && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.error("the redirect leaves the origin, or there are too many of them")
    }
}

async fn accept(
    response: Response,
    url: Url,
    refused: Vec<KeySource>,
) -> Result<Answer, FetchError> {
    let status = response.status();
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(wait_asked_for);
        let body = first_line(response).await;
        return Err(FetchError::Unavailable { url, status, body, retry_after });
    }
    if status != StatusCode::OK {
        let body = first_line(response).await;
        return Err(FetchError::Rejected { url, status, body });
    }
    match content_type(&response) {
        Some(content_type) if content_type.starts_with("text/html") => {
            let body = first_line(response).await;
            Err(FetchError::NotAnExport { url, content_type, body })
        }
        _ => Ok(Answer { response, url, refused }),
    }
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

fn content_type(response: &Response) -> Option<String> {
    Some(response.headers().get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase())
}

/// The beginning of a body that is not going to be loaded; only as much of it is read as is shown.
async fn first_line(mut response: Response) -> String {
    let mut beginning = Vec::new();
    while beginning.len() < EXCERPT_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => beginning.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    excerpt(&beginning)
}

fn quoted(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

fn list(sources: &[KeySource]) -> String {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// An error with its causes, since the outermost rarely says what went wrong.
fn chain(error: &reqwest::Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_at_their_rate() {
        let mut recent = VecDeque::new();
        let began = Instant::now();
        let gone = [0, 0, 0, 61, 61].map(|ready| {
            let ready = began + Duration::from_secs(ready);
            (next_slot(&mut recent, 2, ready) - began).as_secs()
        });
        assert_eq!(gone, [0, 0, 60, 61, 120]);
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_as_a_date() {
        let wait = |text: &str| wait_asked_for(&HeaderValue::from_str(text).unwrap());
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(wait("soon"), None);
    }
}
