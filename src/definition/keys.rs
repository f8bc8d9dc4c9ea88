//! Reading the text: what is not TOML, what is not a key, and which key was meant.
//!
//! The known keys are the properties of the JSON Schema, which comes from the raw types.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::destination::variable_for_secret;
use super::json_schema::{Section, sections};
use super::pipeline::RawDefinition;
use super::problem::{
    Exposure, MOST_COMPARED_BYTES, MOST_PROBLEMS, Problem, Severity, nearest, suggest,
};

/// Reads the text of a definition. Values of the wrong type are kept in their fields.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<RawDefinition> {
    let deserializer = match toml::Deserializer::parse(text) {
        Ok(deserializer) => deserializer,
        Err(error) => {
            problems.push(not_toml(&error));
            return None;
        }
    };
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()));
    // The path of an optional section has a `?` in it.
    let known = KnownKeys::of(text);
    problems.extend(unknown.iter().enumerate().map(|(position, path)| {
        known.problem_of(&path.replace(".?", ""), position < MOST_PROBLEMS)
    }));
    read.map_err(|error| problems.push(wrong_section(&error))).ok()
}

fn not_toml(error: &toml::de::Error) -> Problem {
    let message = error.message().lines().next().unwrap_or_default();
    let reason = match message {
        _ if message.starts_with("duplicate key") => "this key or section is defined twice",
        _ if message.starts_with("unclosed") => "a bracket is not closed",
        _ if message.contains("string") => "a string does not start or end as it should",
        _ => "not valid TOML",
    };
    let span = error.span().unwrap_or(0..0);
    let help = "definitions are TOML: strings in double quotes, `[section]` on its own line, each key once";
    Problem::at(span, "definition", reason, help)
}

fn wrong_section(error: &toml::de::Error) -> Problem {
    // As what TOML would need for it.
    if ["i128", "u128", "big integer"].iter().any(|it| error.message().contains(it)) {
        let help = "integers have 64 bits in TOML; a text in quotes can be any number";
        return Problem::at(
            error.span().unwrap_or(0..0),
            "definition",
            "the number is too large",
            help,
        );
    }
    Problem::at(
        error.span().unwrap_or(0..0),
        "definition",
        "expected a section",
        "write sections as `[source]`, `[destination]` and `[[tables]]`, with their keys on the lines below",
    )
}

/// The keys that are known, and where those of the text are.
struct KnownKeys<'t> {
    sections: Vec<Section>,
    document: Option<toml::Spanned<DeTable<'t>>>,
}

impl<'t> KnownKeys<'t> {
    fn of(text: &'t str) -> Self {
        Self { sections: sections(), document: DeTable::parse(text).ok() }
    }

    /// The problem of a key that is unknown. Which one was meant is looked for only if it is shown.
    fn problem_of(&self, path: &str, is_shown: bool) -> Problem {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        let section: Vec<&str> =
            section.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        let section = section.join(".");
        let (message, help) = match variable_for_secret(&section, key) {
            Some(variable) => (
                "a definition never holds a secret",
                format!("set the environment variable `{variable}` instead"),
            ),
            None if is_shown => ("unknown key", self.meant(&section, key)),
            None => ("unknown key", "leave it out".to_owned()),
        };
        Problem {
            span: self.document.as_ref().and_then(|it| find_key(it.get_ref(), path)),
            key: shown_path(path),
            message: message.to_owned(),
            help,
            exposure: Exposure::Key,
            severity: Severity::Error,
        }
    }

    /// Help for an unknown key: which one was meant, in its section or another one.
    fn meant(&self, section: &str, key: &str) -> String {
        let known = self.sections.iter().find(|known| known.path == section);
        let known = known.map_or_else(Vec::new, Section::keys);
        let is_near = nearest(key, &known).is_some() || key.len() > MOST_COMPARED_BYTES;
        let help = if is_near { None } else { elsewhere(key, &self.sections) };
        help.unwrap_or_else(|| suggest(key, &known))
    }
}

/// The section that a key was most likely meant for.
fn elsewhere(key: &str, sections: &[Section]) -> Option<String> {
    let candidates =
        sections.iter().flat_map(|section| section.keys().into_iter().map(move |it| (section, it)));
    let is_near = |candidate: &str| strsim::normalized_damerau_levenshtein(key, candidate) > 0.8;
    // A key of several sections most likely belongs to the source: the others are options of stores.
    let near = candidates.into_iter().filter(|(_, it)| is_near(it));
    let (section, candidate) =
        near.min_by_key(|(section, it)| (*it != key, !section.path.starts_with("source")))?;
    let place = match section.path.as_str() {
        "" => "above all sections".to_owned(),
        "tables" => "in `[[tables]]`".to_owned(),
        path => format!("in `[{path}]`"),
    };
    Some(format!("did you mean `{candidate}`, which belongs {place}?"))
}

/// `tables[0].name` for `tables.0.name`.
fn shown_path(path: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for part in path.split('.') {
        match shown.last_mut() {
            Some(list) if part.parse::<usize>().is_ok() => *list = format!("{list}[{part}]"),
            _ => shown.push(part.to_owned()),
        }
    }
    shown.join(".")
}

/// The span of the key at a dotted `path`.
fn find_key(document: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut parts = path.split('.').peekable();
    let mut table = document;
    loop {
        let (key, value) = table.get_key_value(parts.next()?)?;
        if parts.peek().is_none() {
            return Some(key.span());
        }
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            DeValue::Array(items) => {
                match items.get(parts.next()?.parse::<usize>().ok()?)?.get_ref() {
                    DeValue::Table(inner) => inner,
                    _ => return None,
                }
            }
            _ => return None,
        };
    }
}
