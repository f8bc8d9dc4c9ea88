//! Fetch: asks the source for the export and hands its bytes on. Knows HTTP and nothing of JSON.
//!
//! | answer | what we do |
//! |---|---|
//! | 200 | stream the body |
//! | 401, 403 | try the next key; with none left, [`FetchError::KeyRefused`] |
//! | 408, 425, 429, 5xx, no answer, body cut short | [`FetchError`] that is worth another try |
//! | other 4xx | [`FetchError::Rejected`]: the definition asks for something the source does not have |
//! | redirect within the origin | followed, five at most |
//! | redirect to another origin | [`FetchError::LeavesOrigin`]; the key is not sent there |
//! | `text/html` | [`FetchError::NotAnExport`] |

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use crate::api_key::ApiKey;
use crate::definition::{KeySource, Source};
use crate::excerpt::{EXCERPT_BYTES, excerpt};
use crate::plan::Request;

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";
const USER_AGENT: &str = concat!("flowlake/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest silence within an answer; an export may take its time to begin.
const READ_TIMEOUT: Duration = Duration::from_mins(5);
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

/// The HTTP client: one per process.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
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
        let mut builder = Client::builder();
        if source.base_url.scheme() == "http" {
            builder = builder.no_proxy();
        }
        let client = builder
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect::Policy::custom(stay_within_origin))
            .build()
            .map_err(FetchError::Setup)?;
        Ok(Self { client })
    }

    /// Asks for an export, with each key in turn until one is taken.
    ///
    /// # Errors
    /// See the table of this module.
    pub async fn request(&self, request: &Request, keys: &[ApiKey]) -> Result<Answer, FetchError> {
        let url = &request.url;
        let mut tried = Vec::new();
        let mut status = StatusCode::UNAUTHORIZED;
        for key in keys {
            let response = self.send(url, key).await?;
            status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return accept(response, url.clone(), tried).await;
            }
            tried.push(key.source().clone());
        }
        Err(FetchError::KeyRefused { url: url.clone(), status, tried })
    }

    async fn send(&self, url: &Url, key: &ApiKey) -> Result<Response, FetchError> {
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
        let body = first_line(response).await;
        return Err(FetchError::Unavailable { url, status, body });
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
