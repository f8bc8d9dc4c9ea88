//! The source as a definition describes it: where the export is, and how to ask for it.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use super::{Period, Template};

/// The export API, as one pipeline asks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Which export.
    pub resource: Resource,
    /// Scheme and host; the only host that is ever sent the key.
    pub base_url: Url,
    /// Where the API key may be found, tried in order.
    pub api_key: Vec<KeySource>,
    /// Query parameters, in the order they were written.
    pub filters: Vec<Filter>,
    /// How a filter with several values is sent.
    pub list_style: ListStyle,
    /// Request headers besides our own.
    pub headers: Vec<Header>,
    /// The part of the data that a run asks for; everything when absent.
    pub window: Option<WindowPolicy>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often to ask again.
    pub retry: RetryLimits,
    /// The most requests in any minute.
    pub requests_per_minute: Option<NonZeroU32>,
}

/// What is asked for at the source's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// One of the exports that ProcurementFlow documents.
    Export {
        /// Which.
        endpoint: Endpoint,
        /// The organisation whose data is exported.
        organisation_id: String,
    },
    /// Any other, by the segments of its path.
    Path(Vec<String>),
}

/// The exports that ProcurementFlow documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Purchase requisitions and purchase orders.
    Purchasing,
    /// E-sourcing events.
    ESourcing,
}

impl Endpoint {
    /// The names a definition may use.
    pub const NAMES: [&str; 2] = ["purchasing", "e-sourcing"];
}

/// A place that may hold the API key. The key itself is never part of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file whose content is the key.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether it may be read by other users too, as secrets that are mounted into containers often can.
        readable_by_others: bool,
    },
    /// A program that prints the key, with its arguments.
    Command(Vec<String>),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            // What it is started with may be telling.
            Self::Command(_) => f.write_str("the command of `api_key`"),
        }
    }
}

/// A query parameter and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The parameter's name, exactly as the account documents it.
    pub name: String,
    /// One value, or several for a list.
    pub values: Vec<Template>,
}

/// How a filter with several values becomes query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListStyle {
    /// `status=a&status=b`
    #[default]
    Repeat,
    /// `status=a,b`
    Comma,
    /// `status[]=a&status[]=b`
    Brackets,
}

impl ListStyle {
    /// The words a definition may use.
    pub const WORDS: [(&str, Self); 3] =
        [("repeat", Self::Repeat), ("comma", Self::Comma), ("brackets", Self::Brackets)];
}

/// A request header. Its value came from the environment perhaps, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a pipeline moves through time: each run asks for what is new since the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPolicy {
    /// Where the first run begins.
    pub start: DateTime<Utc>,
    /// How much before the watermark a run begins.
    pub lookback: Period,
    /// The length of the pieces a longer window is asked for in.
    pub step: Option<Period>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte of an answer.
    pub idle: Duration,
    /// For one whole answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_mins(5),
            total: Duration::from_hours(2),
        }
    }
}

/// How often to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// The most requests for one response, the first one included; at least 1.
    pub max_attempts: u32,
    /// No request is begun later than this after the first one.
    pub elapsed: Duration,
    /// The longest wait between two requests.
    pub longest_wait: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            elapsed: Duration::from_mins(15),
            longest_wait: Duration::from_mins(5),
        }
    }
}
