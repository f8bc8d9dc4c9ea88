//! From the definition as typed to the pipeline as meant. Pure; finds every problem it can.

mod checks;
mod destination;
mod relations;
pub(super) mod source;
mod tables;

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::environment::references;
use super::form::RawLimit;
use super::problem::{Exposure, Problem, Severity, suggest};
use super::raw::{Field, RawDefinition, RawLimits};
use super::{
    Environment, InvalidTemplate, LandingPolicy, Limit, Limits, Period, Pipeline, Share, Size,
    Table, Template,
};

/// The pipeline that `raw` describes; `None` when it cannot be built. Problems may be found either way.
pub(super) fn pipeline(
    raw: RawDefinition,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Pipeline> {
    let mut checker =
        Checker { environment, problems, places: HashMap::new(), key_variables: Vec::new() };
    checker.version(raw.version);
    let name = checker.required(raw.name, "name", "name = \"purchasing\"");
    let description = checker.value(raw.description, "description");
    let source = checker.source(raw.source);
    let (destination, store) = checker.destination(raw.destination);
    let keep = raw.landing.and_then(|landing| checker.value(landing.keep, "landing.keep"));
    let limits = raw.limits.map(|limits| checker.limits(limits)).unwrap_or_default();
    let defaults = raw.defaults.map(|defaults| checker.defaults(defaults)).unwrap_or_default();
    let tables: Vec<Option<Table>> = raw
        .tables
        .into_iter()
        .enumerate()
        .map(|(position, table)| checker.table(table, &format!("tables[{position}]"), &defaults))
        .collect();
    let tables: Vec<Table> = tables.into_iter().collect::<Option<_>>()?;
    let tables =
        if tables.is_empty() { checker.only_table(name.as_deref()?, &defaults) } else { tables };
    checker.relations(&tables);
    // A disposition that could not be read is none to complain about.
    if let Some(source) = source.as_ref().filter(|_| checker.problems.is_empty()) {
        checker.windows(source, &limits, &tables);
    }
    Some(Pipeline {
        name: name?,
        description,
        source: source?,
        destination: destination?,
        store,
        landing: keep.map_or_else(LandingPolicy::default, |keep| LandingPolicy { keep }),
        limits,
        tables,
    })
}

struct Checker<'a> {
    environment: &'a Environment,
    problems: &'a mut Vec<Problem>,
    /// Where each key that was looked at stands.
    places: HashMap<String, Range<usize>>,
    /// The variables that hold the API key, which no text may refer to.
    key_variables: Vec<String>,
}

impl Checker<'_> {
    fn report(&mut self, span: Range<usize>, key: &str, message: impl Display, help: impl Display) {
        self.problems.push(Problem::at(span, key, message.to_string(), help.to_string()));
    }

    /// The value of a field that may be left out.
    fn value<T>(&mut self, field: Option<Field<T>>, key: &str) -> Option<T> {
        self.spanned(field, key).map(|(value, _)| value)
    }

    fn spanned<T>(&mut self, field: Option<Field<T>>, key: &str) -> Option<(T, Range<usize>)> {
        let Field { value, span } = field?;
        self.places.insert(key.to_owned(), span.clone());
        match value {
            Ok(value) => Some((value, span)),
            Err(wrong) => {
                self.report(span, key, wrong.message, wrong.help);
                None
            }
        }
    }

    fn required<T>(&mut self, field: Option<Field<T>>, key: &str, example: &str) -> Option<T> {
        if field.is_none() {
            self.problems.push(Problem::missing(key, format!("add `{example}`")));
        }
        self.value(field, key)
    }

    /// A string with its references to the environment replaced.
    fn text(&mut self, field: Option<Field<String>>, key: &str) -> Option<(String, Range<usize>)> {
        let (text, span) = self.spanned(field, key)?;
        if references(&text).any(|name| self.key_variables.iter().any(|known| known == name)) {
            let help = "leave it out: the key is sent as a header of its own, and nowhere else";
            self.report(span, key, "this would put the API key where it can be seen", help);
            return None;
        }
        match self.environment.expand(&text) {
            Ok(expanded) => Some((expanded, span)),
            Err(error) => {
                self.report(
                    span,
                    key,
                    error,
                    "set the variable, or give a default: `${NAME:-default}`",
                );
                None
            }
        }
    }

    /// A text with its references to the environment replaced, to be filled in when a run is planned.
    fn template(
        &mut self,
        field: Option<Field<String>>,
        key: &str,
        has_window: bool,
    ) -> Option<(Template, Range<usize>)> {
        let (text, span) = self.text(field, key)?;
        match Template::parse(&text, has_window) {
            Ok(template) => Some((template, span)),
            Err(error) => {
                let asks_for_window = matches!(&error, InvalidTemplate::UnknownName { name, .. } if name.starts_with("window."));
                let help = match asks_for_window && !has_window {
                    true if key.starts_with("source.") => {
                        "add a section `[source.window]` with `start`".to_owned()
                    }
                    true => {
                        "all windows go to one destination: use `run.date`, or nothing".to_owned()
                    }
                    false => error.help(),
                };
                self.report(span, key, error, help);
                None
            }
        }
    }

    fn period(&mut self, field: Option<Field<String>>, key: &str) -> Option<Period> {
        let (text, span) = self.spanned(field, key)?;
        let help =
            "write it as ISO 8601 has it: `P1M` is a month, `P2D` two days, `PT30M` half an hour";
        self.parsed(&text, &span, key, help)
    }

    /// A length of time that does not depend on the calendar, and is not nothing.
    fn duration(&mut self, field: Option<Field<String>>, key: &str) -> Option<Duration> {
        let period = self.period(field, key)?;
        let duration = period.fixed().filter(|duration| !duration.is_zero());
        if duration.is_none() {
            let message = format!("`{period}` is no time to wait");
            self.misuse(key, message, "write for example `PT30S` or `PT5M`");
        }
        duration
    }

    fn count(&mut self, field: Option<Field<usize>>, key: &str, least: usize) -> Option<u32> {
        let count = self.value(field, key)?;
        match u32::try_from(count) {
            Ok(number) if count >= least => Some(number),
            _ => {
                let message = format!("{count} is out of range");
                self.misuse(key, message, &format!("the least is {least}, the most {}", u32::MAX));
                None
            }
        }
    }

    fn limits(&mut self, raw: RawLimits) -> Limits {
        let max_shrink = self.limit(raw.max_shrink, "limits.max_shrink");
        let max_shrink = match max_shrink {
            Some(Limit::Count(_)) => {
                let message = "tables are of different sizes, so this is a share".to_owned();
                self.misuse("limits.max_shrink", message, "write for example `\"50%\"`");
                None
            }
            Some(Limit::Share(share)) => Some(share),
            None => None,
        };
        Limits {
            max_quarantined: self.limit(raw.max_quarantined, "limits.max_quarantined"),
            min_records: self.count(raw.min_records, "limits.min_records", 0).map(u64::from),
            max_shrink,
            max_size: self.size(raw.max_size, "limits.max_size"),
            max_partitions: self.count(raw.max_partitions, "limits.max_partitions", 1),
        }
    }

    fn size(&mut self, field: Option<Field<String>>, key: &str) -> Option<Size> {
        let (text, span) = self.spanned(field, key)?;
        self.parsed(&text, &span, key, "write for example `\"20GB\"`")
    }

    fn limit(&mut self, field: Option<Field<RawLimit>>, key: &str) -> Option<Limit> {
        let (limit, span) = self.spanned(field, key)?;
        match limit {
            RawLimit::Count(count) => Some(Limit::Count(count)),
            RawLimit::Share(text) => {
                let help = "write for example `\"0.1%\"`";
                Some(Limit::Share(self.parsed::<Share>(&text, &span, key, help)?))
            }
        }
    }

    /// A string that has to be of some form.
    fn parsed<T: FromStr>(
        &mut self,
        text: &str,
        span: &Range<usize>,
        key: &str,
        help: impl Display,
    ) -> Option<T>
    where
        T::Err: Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(span.clone(), key, error, help);
                None
            }
        }
    }

    /// One of a closed set of words.
    fn choice<T: Copy>(
        &mut self,
        field: Option<Field<String>>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (word, span) = self.spanned(field, key)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.report(
                span,
                key,
                format!("`{word}` is not a choice here"),
                suggest(&word, &names),
            );
        }
        found
    }

    fn version(&mut self, field: Option<Field<i64>>) {
        let span = field.as_ref().map(|field| field.span.clone());
        if let (Some(version), Some(span)) = (self.required(field, "version", "version = 1"), span)
            && version != 1
        {
            let message = format!("version {version} is not known");
            self.report(span, "version", message, "this flowlake reads `version = 1`");
        }
    }

    /// A problem of a key that was read before, or, when it is missing, of the table it is missing in.
    fn misuse(&mut self, key: &str, message: String, help: &str) {
        let problem = self.problem_of(key, message, help);
        self.problems.push(problem);
    }

    fn problem_of(&self, key: &str, message: String, help: &str) -> Problem {
        let table = key.split('.').next().unwrap_or(key);
        let place = self.places.get(key).or_else(|| self.places.get(&format!("{table}.name")));
        Problem {
            span: place.cloned(),
            key: key.to_owned(),
            message,
            help: help.to_owned(),
            exposure: Exposure::Line,
            severity: Severity::Error,
        }
    }
}
