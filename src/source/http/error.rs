//! Why a request brought no export.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::exit_code::{ExitCode, Failure};
use crate::shown;
use crate::source::api_key::KeyName;
use crate::source::http::encoding::Encoding;

/// A request brought no export.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be set up, for instance because there are no root certificates.
    #[error("cannot set up the HTTP client: {}", root(.0))]
    Setup(reqwest::Error),
    /// The file of certificates that the environment names is none.
    #[error("cannot read the certificates in `{}`, which `SSL_CERT_FILE` names: {source}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// No connection, or no response in time.
    #[error("no answer from {url}: {}", root(.source))]
    Unreachable {
        /// The requested URL.
        url: Url,
        /// What the client said.
        source: reqwest::Error,
    },
    /// Every key was refused.
    #[error("{url} refused the API key with {status}; tried {}", list(.tried))]
    KeyRefused {
        /// The requested URL.
        url: Url,
        /// The last status code.
        status: StatusCode,
        /// The refused keys.
        tried: Vec<KeyName>,
    },
    /// A connection was refused by this side, or by something between here and the source; a retry changes nothing.
    #[error("no answer from {url}: {}", root(.source))]
    Untrusted {
        /// The requested URL.
        url: Url,
        /// What is in the way.
        obstacle: Obstacle,
        /// What the client said.
        source: reqwest::Error,
    },
    /// A web page says that the request is forbidden: the source would have said it in JSON.
    #[error("{url} answered {status} with a web page{}", quoted(.body))]
    Blocked {
        /// The requested URL.
        url: Url,
        /// The status code.
        status: StatusCode,
        /// Its first line.
        body: String,
    },
    /// The source has failed, or is overloaded.
    #[error("{url} answered {status}{}", quoted(.body))]
    Unavailable {
        /// The requested URL.
        url: Url,
        /// The status code.
        status: StatusCode,
        /// Its first line.
        body: String,
        /// How long the source asked to wait.
        retry_after: Option<Duration>,
    },
    /// The source rejects this request.
    #[error("{url} answered {status}{}", quoted(.body))]
    Rejected {
        /// The requested URL.
        url: Url,
        /// The status code.
        status: StatusCode,
        /// Its first line.
        body: String,
    },
    /// A redirect would send the key to another origin.
    #[error("{url} redirects to another origin, {to}, which must not get the API key")]
    LeavesOrigin {
        /// The requested URL.
        url: Url,
        /// The other origin.
        to: String,
    },
    /// Too many redirects in a row.
    #[error("{url} redirects more than {most} times")]
    TooManyRedirects {
        /// The requested URL.
        url: Url,
        /// How many redirects are followed.
        most: usize,
    },
    /// The response is not JSON, but a web page for instance.
    #[error("{url} answered with {content_type} instead of JSON{}", quoted(.body))]
    NotAnExport {
        /// The requested URL.
        url: Url,
        /// Its content type.
        content_type: String,
        /// Its first line.
        body: String,
    },
    /// The response has a content encoding that was not asked for.
    #[error(
        "{url} answered with the content encoding `{encoding}`, which flowlake does not ask for"
    )]
    UnknownEncoding {
        /// The requested URL.
        url: Url,
        /// Its content encoding.
        encoding: String,
    },
    /// The connection broke in the middle of the export.
    #[error("the connection broke during the export from {url}: {}", root(.source))]
    Interrupted {
        /// The requested URL.
        url: Url,
        /// What the client said.
        source: reqwest::Error,
    },
    /// A header says that there is more than this response.
    #[error("the response from {url} says that it is not whole: its header `Link` has a next page, {}", shown::quoted(.next))]
    NextPage {
        /// The requested URL.
        url: Url,
        /// Where the next page is.
        next: String,
    },
    /// The response is newline-delimited and does not tell where it ends.
    #[error("the response from {url} has no length, and its lines cannot tell whether it is whole")]
    UnknownLength {
        /// The requested URL.
        url: Url,
    },
    /// The body is no valid compressed data, or ends too early.
    #[error("cannot decompress the export from {url} as {encoding}: {source}")]
    Corrupt {
        /// The requested URL.
        url: Url,
        /// How it is compressed.
        encoding: Encoding,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The export is larger than the definition allows.
    #[error("the export from {url} is larger than {most} bytes, the limit of `limits.max_size`")]
    TooLarge {
        /// The requested URL.
        url: Url,
        /// The most bytes, decompressed.
        most: u64,
    },
    /// It decompresses to so much that it can only be an attack.
    #[error(
        "the export from {url} is a decompression bomb: {received} bytes of {encoding} decompress to more than {decompressed}"
    )]
    Bomb {
        /// The requested URL.
        url: Url,
        /// How it is compressed.
        encoding: Encoding,
        /// Bytes so far, as they arrived.
        received: u64,
        /// Bytes so far, decompressed.
        decompressed: u64,
    },
}

/// What is between this machine and the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A certificate that nobody here vouches for.
    Certificate,
    /// A proxy that wants to know who asks.
    ProxyAuthorization,
    /// A proxy of a kind that is not supported.
    ProxyScheme,
}

impl Obstacle {
    /// The obstacle that an error of the client tells of. Only its text does.
    pub(super) fn of(error: &reqwest::Error) -> Option<Self> {
        let cause = root(error).to_ascii_lowercase();
        if cause.contains("certificate")
            || cause.contains("unknownissuer")
            || cause.contains("causedasendentity")
        {
            Some(Self::Certificate)
        } else if cause.contains("proxy authorization required") {
            Some(Self::ProxyAuthorization)
        } else if cause.contains("unsupported scheme") {
            Some(Self::ProxyScheme)
        } else {
            None
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Certificate => {
                "if a proxy or the company's own authority signs the certificate, set `SSL_CERT_FILE` to a file with it; \
                 otherwise check `base_url`"
            }
            Self::ProxyAuthorization => PROXY_HELP,
            Self::ProxyScheme => {
                "`HTTPS_PROXY` and `ALL_PROXY` take `http://` and `https://` proxies"
            }
        }
    }
}

const PROXY_HELP: &str =
    "the proxy of `HTTPS_PROXY` asks who you are: write `user:password@` before its host";
const PROXY_AUTHENTICATION: u16 = 407;
const NETWORK_AUTHENTICATION: u16 = 511;

impl Failure for FetchError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::KeyRefused { .. } => ExitCode::Key,
            Self::Untrusted { .. } | Self::Certificates { .. } => ExitCode::Usage,
            Self::Rejected { status, .. } if status.as_u16() == PROXY_AUTHENTICATION => {
                ExitCode::Usage
            }
            Self::Unreachable { .. }
            | Self::Blocked { .. }
            | Self::Unavailable { .. }
            | Self::Interrupted { .. }
            | Self::Corrupt { .. } => ExitCode::SourceUnavailable,
            Self::Rejected { status, .. } if status.is_client_error() => ExitCode::Usage,
            Self::Rejected { .. }
            | Self::LeavesOrigin { .. }
            | Self::TooManyRedirects { .. }
            | Self::NotAnExport { .. }
            | Self::UnknownEncoding { .. }
            | Self::UnknownLength { .. }
            | Self::NextPage { .. }
            | Self::TooLarge { .. }
            | Self::Bomb { .. } => ExitCode::Export,
            Self::Setup(_) => ExitCode::Unexpected,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unreachable { .. } => {
                "check the network, `base_url`, and the proxy if `HTTPS_PROXY` names one; the tables are as they were, \
                 retry later"
            }
            Self::Untrusted { obstacle, .. } => obstacle.help(),
            Self::Certificates { .. } => {
                "give it the path of a file of certificates in PEM that this user can read, or leave the variable out: \
                 then those of the system count"
            }
            Self::Blocked { .. } => {
                "a firewall or a proxy between here and the source refused: ask who runs it to let this machine through; \
                 the tables are as they were"
            }
            Self::Rejected { status, .. } if status.as_u16() == PROXY_AUTHENTICATION => PROXY_HELP,
            Self::Unavailable { status, .. } if status.as_u16() == NETWORK_AUTHENTICATION => {
                "the network asks for a login before it lets anybody through; the tables are as they were"
            }
            Self::KeyRefused { .. } => {
                "the key was deleted, or belongs to another organisation: make a new one under Company Details → \
                 Add new API key, and check `organisation_id`"
            }
            Self::Unavailable { .. } | Self::Interrupted { .. } | Self::Corrupt { .. } => {
                "the tables are as they were; retry later"
            }
            Self::UnknownLength { .. } => {
                "the tables are as they were; set `[limits] min_records` or `max_shrink`, or `allow_unknown_length = true`"
            }
            Self::NextPage { .. } => {
                "the tables are as they were; to load such exports all the same: `[source.envelope]` with \
                 `ignore = [\"Link\"]`"
            }
            Self::Rejected { status, .. } if status.is_client_error() => {
                "check `endpoint`, `organisation_id` and the names of the filters in the definition"
            }
            Self::LeavesOrigin { .. } => {
                "set `base_url` to the host that answers, if you trust it with the key"
            }
            Self::NotAnExport { content_type, .. } if is_web_page(content_type) => {
                "this is a web page, from a proxy or a login: check `base_url`; the tables are as they were"
            }
            Self::NotAnExport { .. } | Self::UnknownEncoding { .. } => {
                "check `base_url`, `endpoint` and any proxy between here and the source; \
                 the tables are as they were"
            }
            Self::TooLarge { .. } => {
                "the tables are as they were; if the export is right, raise `max_size` in `[limits]`, \
                 or ask for less with filters or a window"
            }
            Self::Rejected { .. } | Self::TooManyRedirects { .. } | Self::Bomb { .. } => {
                "check what answers at `base_url`; the tables are as they were"
            }
            Self::Setup(_) => {
                "its certificates are those of `SSL_CERT_FILE` or `SSL_CERT_DIR`, or else of the system: install these \
                 (`ca-certificates`), or name a file of certificates in PEM"
            }
        };
        Some(help.to_owned())
    }
}

pub(super) fn is_web_page(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().starts_with("text/html")
}

fn quoted(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

fn list(keys: &[KeyName]) -> String {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The innermost cause. The layers around it add nothing.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
