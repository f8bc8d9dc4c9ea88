//! `[source]`: which export is requested, and how.

use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;
use toml::Value;
use url::Url;

use super::api_key::{self, KeySource};
use super::checker::Checker;
use super::envelope::{EnvelopePolicy, RawEnvelope};
use super::field::{AtLeastOne, Field, FromToml, List, TypeMismatch};
use super::filters::{self, Filter, ListStyle, RawFilters};
use super::headers::{self, Header, RawHeaders};
use super::problem::{Problem, suggest};
use super::retry::{RawRetry, RetryLimits};
use super::timeouts::{RawTimeouts, Timeouts};
use super::window::{RawWindow, WindowPolicy};

/// Which export is requested, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Which export.
    pub resource: Resource,
    /// Scheme and host. The key is sent to no other host.
    pub base_url: Url,
    /// Where the API key may be found, in the order they are tried.
    pub api_key: Vec<KeySource>,
    /// Query parameters, in the order written.
    pub filters: Vec<Filter>,
    /// How a filter with several values is sent.
    pub list_style: ListStyle,
    /// Request headers besides flowlake's own.
    pub headers: Vec<Header>,
    /// The time range that a run requests; everything when absent.
    pub window: Option<WindowPolicy>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often a request is retried.
    pub retry: RetryLimits,
    /// What of a response is not asked whether it is whole.
    pub envelope: EnvelopePolicy,
    /// The most requests in any minute.
    pub requests_per_minute: Option<NonZeroU32>,
}

/// The path that is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// One of the exports that ProcurementFlow documents.
    Export {
        /// Which.
        endpoint: Endpoint,
        /// The organisation whose data is exported.
        organisation_id: String,
    },
    /// Any other path, by its segments.
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
    /// The names that a definition may use, in the order of the variants.
    pub const NAMES: [&str; 2] = ["purchasing", "e-sourcing"];
}

impl FromToml for Endpoint {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let help = |word: &str| suggest(word, &Self::NAMES);
        match value.as_str() {
            Some("purchasing") => Ok(Self::Purchasing),
            Some("e-sourcing") => Ok(Self::ESourcing),
            Some(word) => {
                Err(TypeMismatch::new(format!("`{word}` is not a valid choice"), help(word)))
            }
            None => Err(TypeMismatch::of(value, "a string", help(""))),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": Self::NAMES })
    }
}

const DEFAULT_BASE_URL: &str = "https://go.procurementflow.com";

/// Which export is requested, and how.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Source", deny_unknown_fields, transform = require_resource)]
pub(super) struct RawSource {
    /// Which export: purchase requisitions and orders, or e-sourcing events.
    pub(super) endpoint: Option<Field<Endpoint>>,
    /// The organisation, from Company Details. `${NAME}` and `${NAME:-default}` refer to the environment.
    #[schemars(extend(
        "examples" = ["${PROCUREMENTFLOW_ORGANISATION_ID}"],
        "pattern" = r"^(?!\.{1,2}$).*\S",
    ))]
    pub(super) organisation_id: Option<Field<String>>,
    /// The whole path, instead of `endpoint` and `organisation_id`, for any other export.
    #[schemars(extend(
        "examples" = ["/api/export/all/${PROCUREMENTFLOW_ORGANISATION_ID}"],
        "pattern" = r"\$\{|^(/(?!\.{1,2}(/|$))[^/?#]+)+$",
    ))]
    pub(super) path: Option<Field<String>>,
    /// Scheme and host. The key is sent to no other host. Plain http is for loopback addresses only.
    #[schemars(extend(
        "default" = DEFAULT_BASE_URL,
        "pattern" = r"\$\{|^\s*[Hh][Tt][Tt][Pp][Ss]?:[^@?#]*$",
    ))]
    pub(super) base_url: Option<Field<String>>,
    /// Places that hold the API key, tried in order; never the key itself. By default the variables
    /// `PROCUREMENTFLOW_API_KEY` and `PROCUREMENTFLOW_API_KEY_NEXT`.
    #[schemars(extend(
        "minItems" = 1,
        "examples" = [[{ "env": "PROCUREMENTFLOW_API_KEY" }, { "file": "/run/secrets/procurementflow" }]],
    ))]
    pub(super) api_key: Option<Field<List<KeySource>>>,
    /// Query parameters, named exactly as your account documents them: strings, numbers, booleans, dates, or lists
    /// of these.
    #[serde(default)]
    pub(super) filters: RawFilters,
    /// How a list is sent: `a=1&a=2`, `a=1,2` or `a[]=1&a[]=2`.
    #[schemars(extend("default" = "repeat"))]
    pub(super) list_style: Option<Field<ListStyle>>,
    /// Request headers besides flowlake's own. Never a secret.
    #[serde(default)]
    #[schemars(transform = headers::restrict_names)]
    pub(super) headers: RawHeaders,
    /// The time range that a run requests. Without it a run requests everything.
    pub(super) window: Option<RawWindow>,
    /// How long to wait.
    pub(super) timeouts: Option<RawTimeouts>,
    /// How often a request is retried.
    pub(super) retry: Option<RawRetry>,
    /// What of a response is not asked whether the response is whole.
    pub(super) envelope: Option<RawEnvelope>,
    /// The most requests in any minute; no limit by default.
    pub(super) requests_per_minute: Option<Field<AtLeastOne>>,
}

/// Either a documented export of an organisation, or a path.
fn require_resource(schema: &mut Schema) {
    let no_export = json!({ "endpoint": false, "organisation_id": false });
    schema.insert(
        "anyOf".to_owned(),
        json!([
            { "required": ["endpoint", "organisation_id"], "properties": { "path": false } },
            { "required": ["path"], "properties": no_export },
        ]),
    );
}

impl RawSource {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> Option<Source> {
        let api_key = api_key::check(self.api_key, checker);
        let resource = resource(self.endpoint, self.organisation_id, self.path, checker);
        let base_url = base_url(self.base_url, checker);
        let has_window = self.window.is_some();
        let window = self.window.map(|window| window.check(checker));
        let filters = filters::check(self.filters, has_window, checker);
        let list_style = checker.value(self.list_style, "source.list_style");
        let headers = headers::check(self.headers, checker);
        let timeouts = self.timeouts.map(|timeouts| timeouts.check(checker));
        let retry = self.retry.map(|retry| retry.check(checker));
        let envelope = self.envelope.map(|envelope| envelope.check(checker));
        let rate = checker.value(self.requests_per_minute, "source.requests_per_minute");
        Some(Source {
            resource: resource?,
            base_url: base_url?,
            api_key,
            filters,
            list_style: list_style.unwrap_or_default(),
            headers,
            window: window.map_or(Some(None), |window| window.map(Some))?,
            timeouts: timeouts.unwrap_or_default(),
            retry: retry.unwrap_or_default(),
            envelope: envelope.unwrap_or_default(),
            requests_per_minute: rate.map(|AtLeastOne(rate)| rate),
        })
    }
}

fn resource(
    endpoint: Option<Field<Endpoint>>,
    organisation_id: Option<Field<String>>,
    path: Option<Field<String>>,
    checker: &mut Checker<'_>,
) -> Option<Resource> {
    if path.is_some() {
        let resource = self::path(path, checker);
        if endpoint.is_some() || organisation_id.is_some() {
            let help = "leave it out, or leave out `endpoint` and `organisation_id`";
            checker.misuse("source.path", "`path` is the whole path already", help);
        }
        return resource;
    }
    let help = "add `endpoint = \"purchasing\"` or `endpoint = \"e-sourcing\"`";
    if endpoint.is_none() {
        checker.missing("source.endpoint", help);
    }
    let endpoint = checker.value(endpoint, "source.endpoint");
    let organisation_id = self::organisation_id(organisation_id, checker);
    Some(Resource::Export { endpoint: endpoint?, organisation_id: organisation_id? })
}

fn path(field: Option<Field<String>>, checker: &mut Checker<'_>) -> Option<Resource> {
    const KEY: &str = "source.path";
    const HELP: &str = "write it like `/api/export/all/${PROCUREMENTFLOW_ORGANISATION_ID}`";
    let (text, span) = checker.text(field, KEY)?;
    let Some(segments) = text.strip_prefix('/') else {
        checker.report(span, KEY, "a path starts with `/`", HELP);
        return None;
    };
    if text.contains(['?', '#']) {
        let help = "query parameters go to `[source.filters]`";
        checker.report(span, KEY, "more than a path", help);
        return None;
    }
    if text.contains(char::is_control) {
        checker.report(span, KEY, "a path has a tab, a line break or the like", HELP);
        return None;
    }
    if segments.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        checker.report(span, KEY, "a segment of the path is empty, `.` or `..`", HELP);
        return None;
    }
    Some(Resource::Path(segments.split('/').map(str::to_owned).collect()))
}

fn organisation_id(field: Option<Field<String>>, checker: &mut Checker<'_>) -> Option<String> {
    const KEY: &str = "source.organisation_id";
    if field.is_none() {
        checker.missing(KEY, "add `organisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"`");
    }
    let (id, span) = checker.text(field, KEY)?;
    // A URL loses tabs and line breaks, and what is left may be `..`.
    let is_harmless = !id.contains(char::is_control) && !matches!(id.as_str(), "." | "..");
    if id.trim().is_empty() || !is_harmless {
        checker.report(span, KEY, "not an organisation id", "copy it from Company Details");
        return None;
    }
    Some(id)
}

fn base_url(field: Option<Field<String>>, checker: &mut Checker<'_>) -> Option<Url> {
    const KEY: &str = "source.base_url";
    const HELP: &str = "write scheme and host only, as in `https://go.procurementflow.com`";
    if field.is_none() {
        return Url::parse(DEFAULT_BASE_URL).ok();
    }
    let (text, span) = checker.text(field, KEY)?;
    let Ok(url) = Url::parse(&text) else {
        // It may hold a password.
        checker.problems.push(Problem::at(span, KEY, "not a URL", HELP).hiding_the_line());
        return None;
    };
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        let problem = Problem::at(span, KEY, "more than scheme and host", HELP);
        checker.problems.push(problem.hiding_the_line());
        return None;
    }
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        return Some(url);
    }
    let message = "plain http would expose the API key: it is for loopback addresses only";
    checker.report(span, KEY, message, "use https");
    None
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
