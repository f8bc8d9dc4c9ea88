//! Why there is no export.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::source::api_key::{ApiKey, KeyName};
use crate::source::http::body::Encoding;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be set up, for instance for want of root certificates.
    #[error("the HTTP client cannot be set up: {}", root(.0))]
    Setup(reqwest::Error),
    /// No connection, or no answer in time.
    #[error("no answer from {url}: {}", root(.source))]
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
        /// The refused keys.
        tried: Vec<KeyName>,
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
    #[error("{url} redirects to another origin, {to}, where the API key must not go")]
    LeavesOrigin {
        /// What was asked.
        url: Url,
        /// The other origin.
        to: String,
    },
    /// One redirect leads to the next, without end.
    #[error("{url} redirects more than {most} times")]
    TooManyRedirects {
        /// What was asked.
        url: Url,
        /// How many redirects are followed.
        most: usize,
    },
    /// The answer is something else than JSON, a web page for instance.
    #[error("{url} answered with {content_type} and not with JSON{}", quoted(.body))]
    NotAnExport {
        /// What was asked.
        url: Url,
        /// The answer's content type.
        content_type: String,
        /// Its first line.
        body: String,
    },
    /// The answer is compressed in a way that was not asked for.
    #[error(
        "{url} answered with the content encoding `{encoding}`, which flowlake does not ask for"
    )]
    UnknownEncoding {
        /// What was asked.
        url: Url,
        /// The answer's content encoding.
        encoding: String,
    },
    /// The connection broke in the middle of the export.
    #[error("the export from {url} broke off: {}", root(.source))]
    Interrupted {
        /// What was asked.
        url: Url,
        /// What the client said.
        source: reqwest::Error,
    },
    /// What arrived cannot be decompressed, or is over before its compression is.
    #[error("the export from {url} cannot be decompressed as {encoding}: {source}")]
    Corrupt {
        /// What was asked.
        url: Url,
        /// How it is compressed.
        encoding: Encoding,
        /// What the decompressor said.
        source: io::Error,
    },
    /// There is more of it than the definition allows.
    #[error(
        "the export from {url} has more than {most} bytes, the most that `limits.max_size` allows"
    )]
    TooLarge {
        /// What was asked.
        url: Url,
        /// The most bytes, decompressed.
        most: u64,
    },
    /// It swells by so much that it can only be meant to do harm.
    #[error(
        "the export from {url} is a decompression bomb: {received} bytes of {encoding} became more than {decompressed}"
    )]
    Bomb {
        /// What was asked.
        url: Url,
        /// How it is compressed.
        encoding: Encoding,
        /// Bytes so far, as they arrived.
        received: u64,
        /// Bytes so far, decompressed.
        decompressed: u64,
    },
}

impl FetchError {
    /// The same error, without any of the keys in what the source answered.
    pub(super) fn redacted(mut self, keys: &[ApiKey]) -> Self {
        let (first, second) = match &mut self {
            Self::Unavailable { body, .. } | Self::Rejected { body, .. } => (Some(body), None),
            Self::NotAnExport { body, content_type, .. } => (Some(body), Some(content_type)),
            Self::UnknownEncoding { encoding, .. } => (Some(encoding), None),
            Self::LeavesOrigin { to, .. } => (Some(to), None),
            _ => (None, None),
        };
        for text in [first, second].into_iter().flatten() {
            *text = ApiKey::redact_all(keys, text);
        }
        self
    }
}

fn quoted(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

fn list(keys: &[KeyName]) -> String {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The innermost cause: the layers around it only say that something went wrong within.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
