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
    /// How many more there are.
    more: usize,
    has_errors: bool,
}

/// So many problems are told. Whoever has more has one mistake many times, or a file that is no definition.
pub(super) const MOST_PROBLEMS: usize = 100;
/// A longer name is not like any other, and comparing takes the product of both lengths.
pub(super) const MOST_COMPARED_BYTES: usize = 64;
/// So much of the text is shown for one problem.
const MOST_SHOWN_BYTES: usize = 2000;

impl std::error::Error for Problems {}

impl Problems {
    pub(super) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        Self { file: file.to_owned(), text: text.to_owned(), list: problems, more, has_errors }
    }

    /// Whether there are no problems.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any problem stops a run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// The first problems, in the order of the text; missing keys are last.
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

    /// How many problems there are besides those of the list.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The whole report, as lines: of the definition's text only those with a problem, as they are.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut rendered: Vec<String> =
            self.list.iter().map(|problem| self.render(problem)).collect();
        if self.more > 0 {
            rendered.push(format!("{} more problems are not shown", self.more));
        }
        rendered.join("\n\n").lines().map(str::to_owned).collect()
    }

    fn render(&self, problem: &Problem) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // What breaks a line in names and values is not ours.
        let title = format!("`{}`: {}", shortened(&problem.key), problem.message);
        let title = level.primary_title(shown::message(&title));
        let help = Level::HELP.message(shown::message(&problem.help));
        let file = shown::message(&self.file);
        let shown = problem.span.as_ref().filter(|_| problem.exposure != Exposure::Nothing);
        let line = problem.span.as_ref().map(|span| line_of(&self.text, span.start));
        if let Some((lines, span)) = shown.and_then(|span| lines_at(&self.text, span)) {
            let text = match problem.exposure {
                Exposure::Key => Cow::Owned(without_value(lines, span.end)),
                _ => Cow::Borrowed(lines),
            };
            let marked = AnnotationKind::Primary.span(span);
            let snippet = Snippet::source(text).line_start(line.unwrap_or(1));
            let snippet = snippet.path(file).annotation(marked);
            return Renderer::plain().render(&[title.element(snippet).element(help)]);
        }
        let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
        let place = Level::NOTE.message(format!("in {place}"));
        Renderer::plain().render(&[title.element(place).element(help)])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.list.first() else { return f.write_str("no problems") };
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place_of(first) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": `{}`: {}", shortened(&first.key), first.message)?;
        match self.list.len() - 1 + self.more {
            0 => Ok(()),
            1 => f.write_str("; and 1 more problem"),
            more => write!(f, "; and {more} more problems"),
        }
    }
}

/// A key that leaves room for what is wrong with it.
fn shortened(key: &str) -> Cow<'_, str> {
    const CHARACTERS: usize = 400;
    match key.char_indices().nth(CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &key[..end])),
        None => Cow::Borrowed(key),
    }
}

/// The lines of a span, and the span in them; none if they are too long to be shown. Of many lines, only the first.
fn lines_at<'t>(text: &'t str, span: &Range<usize>) -> Option<(&'t str, Range<usize>)> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = |offset: usize| {
        let newline = text.get(offset..)?.find('\n');
        Some(newline.map_or(text.len(), |newline| offset + newline + 1))
    };
    let (first, last) = (line_end(span.start)?, line_end(span.end)?);
    let end = if last - start > MOST_SHOWN_BYTES { first } else { last };
    let lines = text.get(start..end).filter(|lines| lines.len() <= MOST_SHOWN_BYTES)?;
    Some((lines, span.start - start..span.end.min(end) - start))
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
    let is_short = |name: &str| name.len() <= MOST_COMPARED_BYTES;
    candidates
        .iter()
        .filter(|candidate| is_short(typed) && is_short(candidate))
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
