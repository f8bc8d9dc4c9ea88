//! Fetch: asks the source for the export and hands its bytes on. Knows HTTP and nothing of JSON.
//!
//! | answer | what we do |
//! |---|---|
//! | 200 | stream the body, decompressed |
//! | 401, 403 | try the next key; with none left, [`FetchError::KeyRefused`] |
//! | 408, 425, 429, 5xx, no answer, body cut short | [`FetchError`] that [`retry`](crate::source::http::retry) tries again |
//! | other 4xx | [`FetchError::Rejected`]: the definition asks for something the source does not have |
//! | redirect within the origin | followed, five at most |
//! | redirect to another origin | [`FetchError::LeavesOrigin`]; the key is not sent there |
//! | `text/html` and whatever else is no JSON | [`FetchError::NotAnExport`] |

mod body;
mod error;
mod rate_limit;
mod redirect;
mod response;
pub mod retry;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::definition::{Header, Source};
use crate::plan::Request;
use crate::source::api_key::ApiKey;
use rate_limit::RateLimiter;

pub use body::Encoding;
pub use error::FetchError;
pub use response::{Answer, ResponseMetadata};

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";
const USER_AGENT: &str = concat!("flowlake/", env!("CARGO_PKG_VERSION"));

/// The HTTP client: one per process.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    rate_limiter: Option<Arc<RateLimiter>>,
    /// The position of the key that was taken last.
    taken: Arc<AtomicUsize>,
    /// The most bytes that an export may have, decompressed.
    most_bytes: u64,
}

impl Fetcher {
    /// Sets the client up to ask one source for exports of at most `most_bytes`. The proxy comes from the
    /// environment; loopback is asked directly, since a proxy would be sent the key in the clear.
    ///
    /// # Errors
    /// The TLS set-up of this machine is not usable.
    pub fn new(source: &Source, most_bytes: u64) -> Result<Self, FetchError> {
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
            .redirect(redirect::policy())
            .build()
            .map_err(FetchError::Setup)?;
        let rate_limiter =
            source.requests_per_minute.map(|rate| Arc::new(RateLimiter::new(rate.get() as usize)));
        Ok(Self { client, rate_limiter, taken: Arc::default(), most_bytes })
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
            let response = self.send(url, key).await.map_err(|error| error.redacted(keys))?;
            status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.taken.store(position, Ordering::Relaxed);
                let answer =
                    Answer::accept(response, url, key.name(), tried, self.most_bytes).await;
                return answer
                    .map(|answer| answer.redacted(keys))
                    .map_err(|error| error.redacted(keys));
            }
            tried.push(key.name());
        }
        Err(FetchError::KeyRefused { url: url.clone(), status, tried })
    }

    async fn send(&self, url: &Url, key: &ApiKey) -> Result<Response, FetchError> {
        if let Some(rate_limiter) = &self.rate_limiter {
            rate_limiter.keep().await;
        }
        let mut request = self
            .client
            .get(url.clone())
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, Encoding::ASKED_FOR);
        if let Ok(mut value) = HeaderValue::from_str(key.expose()) {
            value.set_sensitive(true);
            request = request.header(KEY_HEADER, value);
        }
        tracing::debug!(%url, key = %key.name(), "requesting the export");
        request.send().await.map_err(|error| redirect::failure(error, url))
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
