//! HTTP: sends requests and hands on the bytes of their bodies. Knows nothing of JSON or of the API behind it.
//!
//! | response | what we do |
//! |---|---|
//! | 200 | stream the body, decompressed |
//! | 401, 403 | try the next key; with none left, [`FetchError::KeyRefused`] |
//! | 408, 425, 429, 5xx, no response, body cut short | a [`FetchError`] that [`retry`] calls retryable |
//! | other 4xx | [`FetchError::Rejected`]: the definition asks for something the source does not have |
//! | redirect within the origin | followed, five at most |
//! | redirect to another origin | [`FetchError::LeavesOrigin`]; the key is not sent there |
//! | `text/html` and anything else that is not JSON | [`FetchError::NotAnExport`] |

mod answered;
mod body;
mod encoding;
mod error;
mod link;
mod rate_limit;
mod redirect;
mod response;
pub mod retry;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::definition::{Header, Source};
use crate::shown::{self, KindOfSecret};
use crate::source::api_key::ApiKey;
use crate::source::{ExportSource, Request, SourceResponse};
use rate_limit::RateLimiter;

pub use answered::Answered;
pub use encoding::Encoding;
pub use error::FetchError;

const USER_AGENT: &str = concat!("flowlake/", env!("CARGO_PKG_VERSION"));

/// An [`ExportSource`] over HTTP.
#[derive(Debug, Clone)]
pub struct HttpSource {
    client: Client,
    rate_limiter: Option<Arc<RateLimiter>>,
    key_header: &'static str,
    /// The keys, in the order of the definition.
    keys: Vec<ApiKey>,
    /// The position of the key that was accepted last.
    accepted: Arc<AtomicUsize>,
    /// The most bytes that an export may have, decompressed.
    max_bytes: u64,
    /// What the last response said of itself, whatever became of it.
    answered: Arc<Mutex<Option<Answered>>>,
}

impl HttpSource {
    /// Sets up the client for one source. Exports may have `max_bytes`, and the key goes in `key_header`.
    ///
    /// The proxy comes from the environment. Loopback is reached without it, because a proxy would see the key in plain
    /// text.
    ///
    /// # Errors
    /// The TLS set-up of this machine is not usable.
    pub fn new(
        source: &Source,
        max_bytes: u64,
        key_header: &'static str,
        keys: Vec<ApiKey>,
    ) -> Result<Self, FetchError> {
        let timeouts = &source.timeouts;
        let mut builder = Client::builder();
        if source.base_url.scheme() == "http" {
            // Redirects stay within the origin and no proxy is asked, so nothing leads to TLS. To read the certificates of
            // a system is a fifth of what a small run takes.
            builder = builder.no_proxy().tls_certs_only([]);
        } else {
            shown::remember_proxies();
            look_at_certificates()?;
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
        let (accepted, answered) = (Arc::default(), Arc::default());
        Ok(Self { client, rate_limiter, key_header, keys, accepted, max_bytes, answered })
    }

    /// What the last response said of itself, also one that was no export; none if nothing answered yet.
    #[must_use]
    pub fn answered(&self) -> Option<Answered> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request with each key in turn until one is accepted. The next request begins with that key: one that was
    /// refused is not sent again, and one that is replaced during a run does not end the run.
    async fn fetch_with_keys(&self, request: &Request) -> Result<SourceResponse, FetchError> {
        let (url, keys) = (&request.url, &self.keys);
        let (mut refused, mut blocked) = (Vec::new(), Vec::new());
        let mut status = StatusCode::UNAUTHORIZED;
        let first = self.accepted.load(Ordering::Relaxed);
        for position in (first..keys.len()).chain(0..first.min(keys.len())) {
            let key = &keys[position];
            let response = self.send(url, key).await?;
            status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.accepted.store(position, Ordering::Relaxed);
                let accepted = key.name();
                return response::accept(response, url, accepted, refused, self.max_bytes).await;
            }
            if status == StatusCode::FORBIDDEN && response::is_web_page(&response) {
                blocked.push(response::blocked(response, url).await);
            }
            refused.push(key.name());
        }
        // A gateway may answer a wrong key with a page; a firewall answers every key so.
        if blocked.len() == refused.len()
            && let Some(error) = blocked.pop()
        {
            return Err(error);
        }
        Err(FetchError::KeyRefused { url: url.clone(), status, tried: refused })
    }

    async fn send(&self, url: &Url, key: &ApiKey) -> Result<Response, FetchError> {
        if let Some(rate_limiter) = &self.rate_limiter {
            rate_limiter.wait().await;
        }
        let mut request = self
            .client
            .get(url.clone())
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, Encoding::ACCEPTED);
        if let Ok(mut value) = HeaderValue::from_str(key.expose()) {
            value.set_sensitive(true);
            request = request.header(self.key_header, value);
        }
        tracing::debug!(%url, key = %key.name(), "requesting the export");
        let asked = Instant::now();
        let response = request.send().await.map_err(|error| redirect::failure(error, url))?;
        let answered = Answered::of(&response, asked.elapsed());
        tracing::debug!(
            status = answered.status,
            protocol = answered.protocol,
            content_type = answered.content_type,
            bytes = response.content_length(),
            seconds = answered.after.as_secs_f64(),
            "the source answered"
        );
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
        Ok(response)
    }
}

impl ExportSource for HttpSource {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<SourceResponse, FetchError>> {
        self.fetch_with_keys(request).boxed()
    }
}

/// The variables that name the proxy to the source.
pub const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Looks at the file of certificates that the environment names. The client reads it itself, and takes one that cannot be
/// read for one without certificates: then it trusts nobody, whom it says.
///
/// # Errors
/// The file cannot be read, or has no certificate.
pub fn look_at_certificates() -> Result<(), FetchError> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from) else { return Ok(()) };
    let read = std::fs::read(&path).and_then(|content| {
        let has_any = memchr::memmem::find(&content, b"-----BEGIN ").is_some();
        if has_any { Ok(()) } else { Err(std::io::Error::other("it has no certificate in PEM")) }
    });
    read.map_err(|source| FetchError::Certificates { path, source })
}

/// Whether the value of a header looks like a secret, by its name or by itself.
fn is_secret(header: &Header) -> bool {
    const NAMES: [&str; 8] =
        ["auth", "token", "secret", "key", "pass", "session", "cookie", "signature"];
    let value = header.value.as_str();
    let has = |kind: fn(&char) -> bool| value.chars().any(|character| kind(&character));
    let is_random = value.len() >= SHORTEST_RANDOM
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && !has(|character| " /;,".contains(*character));
    let is_named = NAMES.iter().any(|name| header.name.contains(name));
    is_random || is_named && !is_ordinary(value)
}

/// A shorter text is hardly random.
const SHORTEST_RANDOM: usize = 16;

/// Whether a value is a short word, a number or a date, as in `X-Author: orders`. It would be taken out of every message
/// that has the word.
fn is_ordinary(value: &str) -> bool {
    let is_all = |kind: fn(u8) -> bool| value.bytes().all(kind);
    value.len() < SHORTEST_RANDOM
        && (is_all(|byte| byte.is_ascii_lowercase() || b"_- ".contains(&byte))
            || is_all(|byte| byte.is_ascii_digit() || b"-:. ".contains(&byte)))
}

fn headers(declared: &[Header]) -> HeaderMap {
    let pairs = declared.iter().filter_map(|header| {
        // A server may repeat what it was asked with.
        if is_secret(header) {
            shown::remember(KindOfSecret::Credential, &header.value);
        }
        let mut value = HeaderValue::from_str(&header.value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(header.name.as_bytes()).ok()?, value))
    });
    pairs.collect()
}
