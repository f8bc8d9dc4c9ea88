//! Looks at a definition, its key, its source, and the clock beside that of the source.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use indicatif::HumanDuration;
use regex::Regex;
use url::{Host, Url};

use super::lake;
use super::look::Look;
use crate::cli::check::ask;
use crate::cli::error::Error;
use crate::definition::{
    Definition, DefinitionError, Environment, KeySource, Pipeline, Problem, Problems, Severity,
};
use crate::exit_code::{ExitCode, Failure};
use crate::plan::{Overrides, Plan, destination_at};
use crate::run::RunContext;
use crate::schema::RunId;
use crate::source::api_key::{ApiKey, ApiKeyError};
use crate::source::http::{Answered, FetchError, PROXY_VARIABLES};
use crate::source::procurementflow;
use crate::store::DestinationUrl;
use crate::table::lock::LEASE;

const DEFINITION: &str = "definition";
const KEY: &str = "key";
/// Also what tells whether a proxy is needed.
pub(super) const SOURCE: &str = "source";
/// Also what is looked at before.
pub(super) const CERTIFICATES: &str = "certificates";
const DNS: &str = "dns";
const CLOCK: &str = "clock";
/// A resolver answers soon, or not at all.
const NAME_TIMEOUT: Duration = Duration::from_secs(10);
/// More problems of one definition are for `flowlake check`.
const MOST_PROBLEMS: usize = 5;

/// What there is to know of a pipeline whose definition is right.
pub(super) async fn looks(file: &Path, definition: Definition, context: &RunContext) -> Vec<Look> {
    let Definition { pipeline, warnings } = definition;
    let mut looks = vec![Look::ok(DEFINITION, format!("pipeline `{}`", pipeline.name))];
    looks.extend(problems(&warnings));
    looks.extend(variables(file, &context.environment));
    let (keys, found) = find_keys(&pipeline, &context.environment).await;
    looks.extend(found);
    let now = context.clock.now();
    let plan = match Plan::new(pipeline, RunId::at(now), now, None, &Overrides::default()) {
        Ok(plan) => plan,
        Err(error) => {
            looks.push(Look::failed(DEFINITION, &error));
            return looks;
        }
    };
    looks.extend(look_at_source(&plan, &keys, context).await);
    looks.extend(lake::looks(&plan, context).await);
    looks
}

/// Whether a run talks TLS: a source on loopback may do without, and a directory is no server.
pub(super) fn needs_certificates(pipeline: &Pipeline, now: DateTime<Utc>) -> bool {
    let is_directory = |url: DestinationUrl| url.kind().is_none();
    pipeline.source.base_url.scheme() == "https"
        || !destination_at(pipeline, now).is_ok_and(is_directory)
}

/// What is wrong with a definition that no run can be made of.
pub(super) fn wrong(error: &Error) -> Vec<Look> {
    let mut looks = match error {
        Error::Definition(DefinitionError::Invalid(found)) => problems(found),
        other => vec![Look::failed(DEFINITION, other)],
    };
    let message = "not looked at, since the definition is wrong";
    looks.push(Look::skipped("key, source and destination", message));
    looks
}

fn problems(found: &Problems) -> Vec<Look> {
    let shown = found.list().iter().take(MOST_PROBLEMS);
    let mut looks: Vec<Look> = shown.map(|problem| look_of(found, problem)).collect();
    let more = found.list().len().saturating_sub(MOST_PROBLEMS) + found.more();
    if let Some(last) = looks.last_mut().filter(|_| more > 0) {
        last.help =
            Some(format!("there are {more} more problems: `flowlake check` tells them all"));
    }
    looks
}

fn look_of(found: &Problems, problem: &Problem) -> Look {
    let place = found.place_of(problem);
    let place = place.map_or_else(String::new, |(line, column)| format!("{line}:{column}: "));
    let message = format!("{place}`{}`: {}", problem.key, problem.message);
    match problem.severity {
        Severity::Error => Look::failed_with(DEFINITION, ExitCode::Usage, message, &problem.help),
        Severity::Warning => Look::warning(DEFINITION, message, &problem.help),
    }
}

/// Which variables a definition refers to. One that is needed and not set has made it invalid.
fn variables(file: &Path, environment: &Environment) -> Option<Look> {
    let text = std::fs::read_to_string(file).ok()?;
    let values: toml::Table = text.parse().ok()?;
    // `$${` is `${` itself.
    let reference = Regex::new(r"(?:^|[^$])\$\{([A-Za-z0-9_]+)(?::-[^}]*)?\}").ok()?;
    let mut names: Vec<String> = Vec::new();
    each_text(&toml::Value::Table(values), &mut |text| {
        names.extend(reference.captures_iter(text).map(|found| found[1].to_owned()));
    });
    names.sort();
    names.dedup();
    let of = |name: &String| match environment.get(name) {
        Some(_) => format!("{name} is set"),
        None => format!("{name} is not set, and has a default"),
    };
    let told: Vec<String> = names.iter().map(of).collect();
    (!told.is_empty()).then(|| Look::ok("variables", told.join(", ")))
}

fn each_text(value: &toml::Value, take: &mut impl FnMut(&str)) {
    match value {
        toml::Value::String(text) => take(text),
        toml::Value::Array(items) => items.iter().for_each(|item| each_text(item, take)),
        toml::Value::Table(table) => table.iter().for_each(|(_, item)| each_text(item, take)),
        _ => {}
    }
}

/// The keys that a run would have, and what became of each place that may hold one.
async fn find_keys(pipeline: &Pipeline, environment: &Environment) -> (Vec<ApiKey>, Vec<Look>) {
    let sources: &[KeySource] = &pipeline.source.api_key;
    let (mut keys, mut looks) = (Vec::new(), Vec::new());
    for source in sources {
        match ApiKey::find_all(std::slice::from_ref(source), environment).await {
            Ok(found) => {
                looks.extend(found.iter().map(|key| Look::ok(KEY, format!("in {}", key.name()))));
                keys.extend(found);
            }
            Err(ApiKeyError::Missing { .. }) => {
                looks.push(Look::skipped(KEY, format!("none in {source}")));
            }
            Err(error) => looks.push(Look::failed(KEY, &error)),
        }
    }
    let has_failed = looks.iter().any(|look| look.exit_code.is_some());
    if has_failed {
        // A run does not go on to the next place.
        keys.clear();
    } else if keys.is_empty() {
        looks = vec![Look::failed(KEY, &ApiKeyError::Missing { looked_in: sources.to_vec() })];
    }
    (keys, looks)
}

async fn look_at_source(plan: &Plan, keys: &[ApiKey], context: &RunContext) -> Vec<Look> {
    let url = &plan.pipeline.source.base_url;
    let mut looks: Vec<Look> = addresses(url, &context.environment).await.into_iter().collect();
    let has_no_address = looks.iter().any(|look| look.exit_code.is_some());
    let skip = |mut looks: Vec<Look>, why: &str| {
        looks.push(Look::skipped(SOURCE, format!("{url} was not asked: {why}")));
        looks
    };
    if has_no_address {
        return skip(looks, "it has no address");
    }
    if keys.is_empty() {
        return skip(looks, "there is no key");
    }
    let source = match procurementflow::source_of(&plan.pipeline, keys) {
        Ok(source) => source,
        Err(FetchError::Certificates { .. }) => return skip(looks, "no certificates can be read"),
        Err(error) => {
            // No more than that is set up.
            looks.push(Look::failed(CERTIFICATES, &error));
            return looks;
        }
    };
    let asked = ask(&source, plan).await;
    let answered = source.answered();
    looks.push(match (asked, &answered) {
        (Ok(accepted), Some(Answered { status, protocol, after, .. })) => {
            let after = after.as_secs_f64();
            Look::ok(
                SOURCE,
                format!("{accepted}; {url} answered {status} ({protocol}) in {after:.2} s"),
            )
        }
        (Ok(accepted), None) => Look::skipped(SOURCE, accepted),
        (Err(error), answered) => {
            let after =
                answered.as_ref().map(|it| format!(", after {:.2} s", it.after.as_secs_f64()));
            let message = format!("{error}{}", after.unwrap_or_default());
            let help = error.help().unwrap_or_default();
            Look::failed_with(SOURCE, error.exit_code(), message, help)
        }
    });
    looks.extend(answered.and_then(|answered| clock(&answered, context.clock.now())));
    looks
}

/// The addresses of the source's name. A proxy may know one that this machine does not.
async fn addresses(url: &Url, environment: &Environment) -> Option<Look> {
    let Host::Domain(name) = url.host()? else { return None };
    let place = (name, url.port_or_known_default()?);
    let found = tokio::time::timeout(NAME_TIMEOUT, tokio::net::lookup_host(place)).await;
    let error = match found {
        Ok(Ok(addresses)) => {
            let mut addresses: Vec<String> = addresses.map(|it| it.ip().to_string()).collect();
            addresses.dedup();
            return Some(Look::ok(DNS, format!("{name} is {}", addresses.join(", "))));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", NAME_TIMEOUT.as_secs()),
    };
    let message = format!("no address of {name}: {error}");
    Some(if PROXY_VARIABLES.iter().any(|proxy| environment.get(proxy).is_some()) {
        Look::skipped(DNS, message)
    } else {
        let help = "check the name in `base_url`, and how this machine asks for names (/etc/resolv.conf); where only a \
                    proxy leads out, set `HTTPS_PROXY`";
        Look::failed_with(DNS, ExitCode::SourceUnavailable, message, help)
    })
}

/// This machine's clock beside that of the source.
fn clock(answered: &Answered, now: DateTime<Utc>) -> Option<Look> {
    let theirs = DateTime::<Utc>::from(answered.date?);
    let ahead = now - theirs;
    let apart = ahead.abs().to_std().unwrap_or(Duration::MAX);
    let at = theirs.to_rfc3339_opts(SecondsFormat::Secs, true);
    if ahead.abs() < LEASE {
        return Some(Look::ok(
            CLOCK,
            format!("{} s from that of the source, {at}", apart.as_secs()),
        ));
    }
    let side = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    Some(Look::warning(
        CLOCK,
        format!("this machine is {} {side} the source, where it is {at}", HumanDuration(apart)),
        "set the clock (`timedatectl set-ntp true`): windows, leases and the signatures of requests to stores go by it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::look::LookState;

    fn clock_at(seconds_ahead: i64) -> Look {
        let theirs = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(1);
        let answered = Answered {
            status: 200,
            protocol: String::new(),
            content_type: None,
            date: Some(theirs.into()),
            after: Duration::ZERO,
        };
        clock(&answered, theirs + TimeDelta::seconds(seconds_ahead)).unwrap()
    }

    #[test]
    fn a_clock_may_differ_by_less_than_a_lease() {
        assert_eq!(clock_at(-179).state, LookState::Ok);
        assert_eq!(clock_at(179).message, "179 s from that of the source, 1970-01-02T00:00:00Z");
        assert!(clock_at(180).message.starts_with("this machine is 3 minutes ahead of the source"));
        assert!(clock_at(-7200).message.starts_with("this machine is 2 hours behind the source"));
    }

    #[test]
    fn variables_are_those_of_values_and_not_of_comments() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.toml");
        std::fs::write(&file, "# ${COMMENT}\na = \"${ONE}/${TWO:-x}\"\nb = [\"$${THREE}\"]")
            .unwrap();
        let told = variables(&file, &Environment::default().with("ONE", "1")).unwrap();
        assert_eq!(told.message, "ONE is set, TWO is not set, and has a default");
    }
}
