//! `[source]` and its sections.

use std::ops::Range;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use indexmap::IndexMap;
use toml::Value;
use url::Url;

use super::Checker;
use crate::definition::form::{RawFilter, RawInstant, RawKeySource};
use crate::definition::problem::Problem;
use crate::definition::raw::{Field, RawRetry, RawSource, RawTimeouts, RawWindow};
use crate::definition::{
    Endpoint, Filter, Header, KeySource, ListStyle, Period, Resource, RetryLimits, Source,
    Template, Timeouts, WindowPolicy,
};

const DEFAULT_BASE_URL: &str = "https://go.procurementflow.com";
const DEFAULT_KEY_VARIABLES: [&str; 2] =
    ["PROCUREMENTFLOW_API_KEY", "PROCUREMENTFLOW_API_KEY_NEXT"];

/// Headers whose value is a secret.
const SECRET_HEADERS: [&str; 4] = ["x-api-key", "authorization", "proxy-authorization", "cookie"];
/// Headers that say how bytes travel, which is for the client to decide.
const TRANSPORT_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "range",
    "te",
    "transfer-encoding",
];

impl Checker<'_> {
    pub(super) fn source(&mut self, raw: Option<RawSource>) -> Option<Source> {
        let Some(raw) = raw else {
            self.problems
                .push(Problem::missing("source", "add a section `[source]` with `endpoint`"));
            return None;
        };
        let api_key = self.key_sources(raw.api_key);
        let resource = self.resource(raw.endpoint, raw.organisation_id, raw.path);
        let base_url = self.base_url(raw.base_url);
        let has_window = raw.window.is_some();
        let window = raw.window.map(|window| self.window(window));
        let filters = raw.filters.into_iter();
        let filters =
            filters.filter_map(|(name, field)| self.filter(name, field, has_window)).collect();
        let list_style = self.choice(raw.list_style, "source.list_style", &ListStyle::WORDS);
        let headers = self.headers(raw.headers);
        let timeouts = raw.timeouts.map(|timeouts| self.timeouts(timeouts)).unwrap_or_default();
        let retry = raw.retry.map(|retry| self.retry(retry)).unwrap_or_default();
        let rate = self.count(raw.requests_per_minute, "source.requests_per_minute", 1);
        Some(Source {
            resource: resource?,
            base_url: base_url?,
            api_key,
            filters,
            list_style: list_style.unwrap_or_default(),
            headers,
            window: window.map_or(Some(None), |window| window.map(Some))?,
            timeouts,
            retry,
            requests_per_minute: rate.and_then(std::num::NonZeroU32::new),
        })
    }

    /// Either a known export of an organisation, or a path.
    fn resource(
        &mut self,
        endpoint: Option<Field<String>>,
        organisation_id: Option<Field<String>>,
        path: Option<Field<String>>,
    ) -> Option<Resource> {
        if path.is_some() {
            let resource = self.path(path);
            if endpoint.is_some() || organisation_id.is_some() {
                let message = "`path` is the whole path, with nothing to add".to_owned();
                let help = "leave it out, or `endpoint` and `organisation_id`";
                self.misuse("source.path", message, help);
            }
            return resource;
        }
        if endpoint.is_none() {
            let help = "add `endpoint = \"purchasing\"` or `endpoint = \"e-sourcing\"`";
            self.problems.push(Problem::missing("source.endpoint", help));
        }
        let endpoints: [(&str, Endpoint); 2] =
            [(Endpoint::NAMES[0], Endpoint::Purchasing), (Endpoint::NAMES[1], Endpoint::ESourcing)];
        let endpoint = self.choice(endpoint, "source.endpoint", &endpoints);
        let organisation_id = self.organisation_id(organisation_id);
        Some(Resource::Export { endpoint: endpoint?, organisation_id: organisation_id? })
    }

    fn path(&mut self, field: Option<Field<String>>) -> Option<Resource> {
        const KEY: &str = "source.path";
        const HELP: &str = "write it like `/api/export/all/${PROCUREMENTFLOW_ORGANISATION_ID}`";
        let (text, span) = self.text(field, KEY)?;
        let Some(segments) = text.strip_prefix('/') else {
            self.report(span, KEY, "a path begins with `/`", HELP);
            return None;
        };
        if text.contains(['?', '#']) {
            let message = "there is more here than a path";
            self.report(span, KEY, message, "query parameters go to `[source.filters]`");
            return None;
        }
        if segments.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            self.report(span, KEY, "a segment of the path is empty, `.` or `..`", HELP);
            return None;
        }
        Some(Resource::Path(segments.split('/').map(str::to_owned).collect()))
    }

    fn organisation_id(&mut self, field: Option<Field<String>>) -> Option<String> {
        const KEY: &str = "source.organisation_id";
        if field.is_none() {
            let help = "add `organisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"`";
            self.problems.push(Problem::missing(KEY, help));
        }
        let (id, span) = self.text(field, KEY)?;
        if id.trim().is_empty() || matches!(id.as_str(), "." | "..") {
            self.report(span, KEY, "this is no organisation id", "it stands in Company Details");
            return None;
        }
        Some(id)
    }

    fn base_url(&mut self, field: Option<Field<String>>) -> Option<Url> {
        const KEY: &str = "source.base_url";
        const HELP: &str = "write scheme and host only, as in `https://go.procurementflow.com`";
        if field.is_none() {
            return Url::parse(DEFAULT_BASE_URL).ok();
        }
        let (text, span) = self.text(field, KEY)?;
        let Ok(url) = Url::parse(&text) else {
            // It may hold a password all the same.
            self.problems.push(Problem::at(span, KEY, "this is not a URL", HELP).hiding_the_line());
            return None;
        };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            let problem = Problem::at(span, KEY, "there is more here than scheme and host", HELP);
            self.problems.push(problem.hiding_the_line());
            return None;
        }
        if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
            return Some(url);
        }
        let message =
            "the API key would travel in the clear: plain http is for loopback addresses only";
        self.report(span, KEY, message, "use https");
        None
    }

    fn key_sources(&mut self, field: Option<Field<Vec<RawKeySource>>>) -> Vec<KeySource> {
        const KEY: &str = "source.api_key";
        let defaults =
            || DEFAULT_KEY_VARIABLES.map(|name| KeySource::Env(name.to_owned())).to_vec();
        self.key_variables = DEFAULT_KEY_VARIABLES.map(str::to_owned).to_vec();
        let Some(Field { value, span }) = field else { return defaults() };
        let sources = match value {
            Ok(sources) if !sources.is_empty() => sources,
            _ => {
                // A value of another form may well be the key itself, so neither it nor the reason is shown.
                let message = "a definition says where the key is and never what it is";
                let help = "write `api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\" }]`, \
                            or `{ file = \"/run/secrets/procurementflow\" }`, or `{ command = [\"pass\", \"show\", \"procurementflow\"] }`";
                self.problems.push(Problem::at(span, KEY, message, help).hiding_the_line());
                return defaults();
            }
        };
        if sources.iter().any(may_be_the_key) {
            let message = "this is the name of no variable and the path of no file";
            let help = "write a variable's name in capitals, and a file with its directory: `/run/secrets/procurementflow`";
            self.problems.push(Problem::at(span, KEY, message, help).hiding_the_line());
            return defaults();
        }
        sources
            .into_iter()
            .map(|source| match source {
                RawKeySource::Env(name) => {
                    self.key_variables.push(name.clone());
                    KeySource::Env(name)
                }
                RawKeySource::File { path, readable_by_others } => {
                    KeySource::File { path: PathBuf::from(path), readable_by_others }
                }
                RawKeySource::Command(words) => KeySource::Command(words),
            })
            .collect()
    }

    fn filter(
        &mut self,
        name: String,
        field: Field<RawFilter>,
        has_window: bool,
    ) -> Option<Filter> {
        let key = format!("source.filters.{name}");
        let (RawFilter(value), span) = self.spanned(Some(field), &key)?;
        let items = match value {
            Value::Array(items) => items,
            single => vec![single],
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.filter_value(item, &span, &key, has_window)?);
        }
        Some(Filter { name, values })
    }

    fn filter_value(
        &mut self,
        value: Value,
        span: &Range<usize>,
        key: &str,
        has_window: bool,
    ) -> Option<Template> {
        match value {
            Value::String(text) => {
                let field = Field { value: Ok(text), span: span.clone() };
                self.template(Some(field), key, has_window).map(|(template, _)| template)
            }
            Value::Integer(number) => Some(Template::literal(&number.to_string())),
            Value::Float(number) => Some(Template::literal(&number.to_string())),
            Value::Boolean(flag) => Some(Template::literal(&flag.to_string())),
            Value::Datetime(moment) => Some(Template::literal(&moment.to_string())),
            Value::Array(_) | Value::Table(_) => {
                let message =
                    "a filter is a text, a number, true or false, a date, or a list of these";
                self.report(
                    span.clone(),
                    key,
                    message,
                    "write for example `status = [\"approved\", \"sent\"]`",
                );
                None
            }
        }
    }

    fn headers(&mut self, raw: IndexMap<String, Field<String>>) -> Vec<Header> {
        raw.into_iter().filter_map(|(name, field)| self.header(&name, field)).collect()
    }

    fn header(&mut self, name: &str, field: Field<String>) -> Option<Header> {
        let key = format!("source.headers.{name}");
        let span = field.span.clone();
        let lower = name.to_ascii_lowercase();
        if SECRET_HEADERS.contains(&lower.as_str()) {
            let message = "a definition holds no secret";
            let help = "say where the API key is with `api_key`; it is sent as `x-api-key`";
            self.problems.push(Problem::at(span, &key, message, help).hiding_the_line());
            return None;
        }
        if TRANSPORT_HEADERS.contains(&lower.as_str()) {
            let message = "this header says how bytes travel, which is not for a definition to say";
            self.report(span, &key, message, "leave it out");
            return None;
        }
        let (value, span) = self.text(Some(field), &key)?;
        if !is_header_name(&lower) || !is_header_value(&value) {
            let help = "names are letters, digits and `-`; values are one line of ASCII text";
            self.report(span, &key, "this cannot be sent as a header", help);
            return None;
        }
        Some(Header { name: lower, value })
    }

    fn window(&mut self, raw: RawWindow) -> Option<WindowPolicy> {
        const START: &str = "source.window.start";
        if raw.start.is_none() {
            self.problems.push(Problem::missing(START, "add `start = 2024-01-01`"));
        }
        let start = self.instant(raw.start, START);
        let lookback = self.period(raw.lookback, "source.window.lookback");
        let step = self.period(raw.step, "source.window.step");
        if step.is_some_and(Period::is_zero) {
            let message = "pieces of no length do not come to an end".to_owned();
            self.misuse("source.window.step", message, "write for example `P1M`");
        }
        Some(WindowPolicy { start: start?, lookback: lookback.unwrap_or(Period::days(0)), step })
    }

    fn instant(&mut self, field: Option<Field<RawInstant>>, key: &str) -> Option<DateTime<Utc>> {
        let (RawInstant(text), span) = self.spanned(field, key)?;
        let instant = parse_instant(&text);
        if instant.is_none() {
            let help = "write `2024-01-01` or `2024-01-01T06:00:00Z`";
            self.report(span, key, format!("`{text}` is no date"), help);
        }
        instant
    }

    fn timeouts(&mut self, raw: RawTimeouts) -> Timeouts {
        let default = Timeouts::default();
        let mut duration = |field, key| self.duration(field, key);
        Timeouts {
            connect: duration(raw.connect, "source.timeouts.connect").unwrap_or(default.connect),
            idle: duration(raw.idle, "source.timeouts.idle").unwrap_or(default.idle),
            total: duration(raw.total, "source.timeouts.total").unwrap_or(default.total),
        }
    }

    fn retry(&mut self, raw: RawRetry) -> RetryLimits {
        let default = RetryLimits::default();
        let max_attempts = self.count(raw.max_attempts, "source.retry.max_attempts", 1);
        let elapsed = self.duration(raw.elapsed, "source.retry.elapsed");
        let longest_wait = self.duration(raw.longest_wait, "source.retry.longest_wait");
        RetryLimits {
            max_attempts: max_attempts.unwrap_or(default.max_attempts),
            elapsed: elapsed.unwrap_or(default.elapsed),
            longest_wait: longest_wait.unwrap_or(default.longest_wait),
        }
    }
}

/// Whether what should say where the key is may be the key itself. Messages show names and paths, so that they have
/// to look like it.
fn may_be_the_key(source: &RawKeySource) -> bool {
    match source {
        RawKeySource::Env(name) => {
            let is_name =
                |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            name.is_empty() || !name.bytes().all(is_name)
        }
        RawKeySource::File { path, .. } => !path.contains('/'),
        RawKeySource::Command(_) => false,
    }
}

/// A date, a timestamp, or a timestamp without a zone, which is UTC.
#[must_use]
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let date = |text: &str| text.parse::<NaiveDate>().ok();
    let local = |text: &str| text.replacen(' ', "T", 1).parse::<NaiveDateTime>().ok();
    text.parse::<DateTime<Utc>>()
        .ok()
        .or_else(|| local(text).map(|moment| moment.and_utc()))
        .or_else(|| date(text).map(|date| date.and_time(NaiveTime::MIN).and_utc()))
}

/// Whether a text is a token of RFC 9110, which a field name has to be.
fn is_header_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Whether a text is a field value of RFC 9110 in ASCII: visible characters, spaces and tabs.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
