//! Checker: collects problems while a definition as typed becomes a pipeline as meant.
//!
//! Each section has a function that takes its raw form and a checker and returns the model, if it can be built.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use super::check_values::MOST_BYTES_OF_PATTERNS;
use super::environment::{ExpansionError, references};
use super::field::{Field, List};
use super::problem::{Exposure, Problem, Severity, suggest};
use super::{Check, CheckRule, Environment, InvalidTemplate, Template};

/// What has been found so far.
pub(super) struct Checker<'a> {
    pub(super) environment: &'a Environment,
    pub(super) problems: &'a mut Vec<Problem>,
    /// The span of each key that was read.
    pub(super) places: HashMap<String, Range<usize>>,
    /// The variables that hold the API key. No text may refer to them.
    pub(super) key_variables: Vec<String>,
    /// The bytes that texts have with the values of the environment.
    expanded_bytes: usize,
    /// How many bytes the patterns that are still to come may have, compiled.
    room_for_patterns: usize,
}

/// The most bytes of all texts with the values of the environment: many short references make a long definition.
const MOST_EXPANDED_BYTES: usize = 4 << 20;

impl<'a> Checker<'a> {
    pub(super) fn new(environment: &'a Environment, problems: &'a mut Vec<Problem>) -> Self {
        let (places, key_variables) = (HashMap::new(), Vec::new());
        Self {
            environment,
            problems,
            places,
            key_variables,
            expanded_bytes: 0,
            room_for_patterns: MOST_BYTES_OF_PATTERNS,
        }
    }
}

impl Checker<'_> {
    pub(super) fn report(
        &mut self,
        span: Range<usize>,
        key: &str,
        message: impl Display,
        help: impl Display,
    ) {
        self.problems.push(Problem::at(span, key, message.to_string(), help.to_string()));
    }

    /// Reports a key that is not there.
    pub(super) fn missing(&mut self, key: &str, help: impl Into<String>) {
        self.problems.push(Problem::missing(key, help));
    }

    /// The value of an optional field.
    pub(super) fn value<T>(&mut self, field: Option<Field<T>>, key: &str) -> Option<T> {
        self.spanned(field, key).map(|(value, _)| value)
    }

    /// The value of an optional field, with its span.
    pub(super) fn spanned<T>(
        &mut self,
        field: Option<Field<T>>,
        key: &str,
    ) -> Option<(T, Range<usize>)> {
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

    /// The value of a required field.
    pub(super) fn required<T>(
        &mut self,
        field: Option<Field<T>>,
        key: &str,
        example: &str,
    ) -> Option<T> {
        if field.is_none() {
            self.missing(key, format!("add `{example}`"));
        }
        self.value(field, key)
    }

    /// The valid items of an array.
    pub(super) fn list<T>(&mut self, field: Option<Field<List<T>>>, key: &str) -> Option<Vec<T>> {
        let (List(items), span) = self.spanned(field, key)?;
        let mut valid = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Ok(item) => valid.push(item),
                Err(wrong) => self.report(span.clone(), key, wrong.message, wrong.help),
            }
        }
        Some(valid)
    }

    /// The checks of a table, with their patterns compiled.
    pub(super) fn checks(&mut self, field: Option<Field<List<Check>>>, key: &str) -> Vec<Check> {
        let checks = self.list(field, key).unwrap_or_default();
        for check in &checks {
            if let CheckRule::Matches { pattern, .. } = &check.rule
                && let Err(error) = pattern.compile(&mut self.room_for_patterns)
            {
                let help = "repeat fewer times, or name fewer characters: `\\w` has all of Unicode, `[A-Za-z0-9_]` has 63";
                self.misuse(key, error.to_string(), help);
            }
        }
        checks
    }

    /// A string with its references to the environment replaced.
    pub(super) fn text(
        &mut self,
        field: Option<Field<String>>,
        key: &str,
    ) -> Option<(String, Range<usize>)> {
        let (text, span) = self.spanned(field, key)?;
        if references(&text).any(|name| self.key_variables.iter().any(|known| known == name)) {
            let help = "leave it out: the key is sent in a header of its own, and nowhere else";
            self.report(span, key, "this would expose the API key", help);
            return None;
        }
        let room = MOST_EXPANDED_BYTES.saturating_sub(self.expanded_bytes);
        match self.environment.expand(&text, room) {
            Ok(expanded) => {
                self.expanded_bytes += expanded.len();
                Some((expanded, span))
            }
            Err(error @ ExpansionError::TooLong) => {
                self.report(span, key, error, "refer to shorter values, or to fewer");
                None
            }
            Err(error) => {
                let help = "set the variable, or give a default: `${NAME:-default}`";
                self.report(span, key, error, help);
                None
            }
        }
    }

    /// A template, with its references to the environment replaced. It is rendered when a run is planned.
    pub(super) fn template(
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
                    true => "all windows share one destination: use `run.date`, or no template"
                        .to_owned(),
                    false => error.help(),
                };
                self.report(span, key, error, help);
                None
            }
        }
    }

    /// An integer that fits 32 bits.
    pub(super) fn count(
        &mut self,
        field: Option<Field<usize>>,
        key: &str,
        least: usize,
    ) -> Option<u32> {
        let count = self.value(field, key)?;
        match u32::try_from(count) {
            Ok(number) if count >= least => Some(number),
            _ => {
                let message = format!("{count} is out of range");
                self.misuse(key, message, &format!("write an integer of at least {least}"));
                None
            }
        }
    }

    /// A string that has to parse.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        text: &str,
        span: &Range<usize>,
        key: &str,
        help: impl Display,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(span.clone(), key, error, help);
                None
            }
        }
    }

    /// One of a closed set of words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: Option<Field<String>>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (word, span) = self.spanned(field, key)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let message = format!("`{word}` is not a valid choice");
            self.report(span, key, message, suggest(&word, &names));
        }
        found
    }

    /// Reports a key that was read before. A key that is not there is shown at the name of its table.
    pub(super) fn misuse(&mut self, key: &str, message: impl Into<String>, help: &str) {
        let problem = self.problem_of(key, message, help);
        self.problems.push(problem);
    }

    pub(super) fn problem_of(&self, key: &str, message: impl Into<String>, help: &str) -> Problem {
        let table = key.split('.').next().unwrap_or(key);
        let place = self.places.get(key).or_else(|| self.places.get(&format!("{table}.name")));
        Problem {
            span: place.cloned(),
            key: key.to_owned(),
            message: message.into(),
            help: help.to_owned(),
            exposure: Exposure::Line,
            severity: Severity::Error,
        }
    }
}
