//! Problems of a definition, with place, key and help.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::shown;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its place in the text, in bytes; `None` for a missing key.
    pub span: Option<Range<usize>>,
    /// Its key, as in `tables[0].name`.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// How much of its line may be shown.
    pub exposure: Exposure,
    /// Whether the definition can still be run.
    pub severity: Severity,
}

/// How much of a line may be shown. It may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// The whole line.
    Line,
    /// The key without its value.
    Key,
    /// Only its number.
    Nothing,
}

/// Whether a problem stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition is invalid.
    Error,
    /// The definition is valid, but rarely intended.
    Warning,
}

impl Problem {
    /// A problem at a place in the text.
    pub(super) fn at(
        span: Range<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            span: Some(span),
            key: key.into(),
            message: message.into(),
            help: help.into(),
            exposure: Exposure::Line,
            severity: Severity::Error,
        }
    }

    /// A required key that is missing.
    pub(super) fn missing(key: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            span: None,
            key: key.into(),
            message: "missing key".to_owned(),
            help: help.into(),
            exposure: Exposure::Line,
            severity: Severity::Error,
        }
    }

    /// The same problem, as a warning.
    pub(super) fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same problem, without its line.
    pub(super) fn hiding_the_line(mut self) -> Self {
        self.exposure = Exposure::Nothing;
        self
    }
}

/// All problems of a definition. Its `Display` is one line; [`lines`](Self::lines) are the whole report.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl Problems {
    pub(super) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        Self { file: file.to_owned(), text: text.to_owned(), list: problems }
    }

    /// Whether there are no problems.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any problem stops a run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All problems, in the order of the text; missing keys are last.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Line and column of a problem, from 1, if it has a place.
    #[must_use]
    pub fn place_of(&self, problem: &Problem) -> Option<(usize, usize)> {
        let start = problem.span.as_ref()?.start;
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let column = 1 + self.text[line_start..start].chars().count();
        Some((line_of(&self.text, start), column))
    }

    /// The whole report, as lines: of the definition's text only those with a problem, as they are.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let rendered: Vec<String> = self.list.iter().map(|problem| self.render(problem)).collect();
        rendered.join("\n\n").lines().map(str::to_owned).collect()
    }

    fn render(&self, problem: &Problem) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // What breaks a line in names and values is not ours.
        let title = format!("`{}`: {}", problem.key, problem.message);
        let title = level.primary_title(shown::message(&title));
        let help = Level::HELP.message(shown::message(&problem.help));
        let file = shown::message(&self.file);
        match &problem.span {
            Some(span) if problem.exposure != Exposure::Nothing => {
                let marked = AnnotationKind::Primary.span(span.clone());
                let text = match problem.exposure {
                    Exposure::Key => Cow::Owned(without_value(&self.text, span.end)),
                    _ => Cow::Borrowed(self.text.as_str()),
                };
                let snippet = Snippet::source(text).path(file).annotation(marked);
                Renderer::plain().render(&[title.element(snippet).element(help)])
            }
            span => {
                let place = match span {
                    Some(span) => format!("{file}:{}", line_of(&self.text, span.start)),
                    None => file,
                };
                let place = Level::NOTE.message(format!("in {place}"));
                Renderer::plain().render(&[title.element(place).element(help)])
            }
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.list.first() else { return f.write_str("no problems") };
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place_of(first) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": `{}`: {}", first.key, first.message)?;
        match self.list.len() - 1 {
            0 => Ok(()),
            1 => f.write_str("; and 1 more problem"),
            more => write!(f, "; and {more} more problems"),
        }
    }
}

/// The text without the value of a key that ends at `key_end`.
fn without_value(text: &str, key_end: usize) -> String {
    let (before, rest) = text.split_at(key_end);
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    match line.find('=') {
        Some(equals) => format!("{before}{} …\n{after}", &line[..=equals]),
        // A section header has no value.
        None => text.to_owned(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The candidate that `typed` most likely means.
pub(crate) fn nearest<'a>(typed: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(typed, candidate), *candidate))
        .filter(|(similarity, _)| *similarity >= 0.5)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// So many candidates are listed: each of many problems may have as many.
const MOST_LISTED: usize = 20;

/// Help that proposes the nearest candidate, or lists them.
pub(super) fn suggest(typed: &str, candidates: &[&str]) -> String {
    match nearest(typed, candidates) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if candidates.len() > MOST_LISTED => {
            let (listed, others) = candidates.split_at(MOST_LISTED);
            format!("choose one of {} and {} more", quoted_list(listed), others.len())
        }
        None => format!("choose one of {}", quoted_list(candidates)),
    }
}

fn quoted_list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
