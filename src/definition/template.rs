//! Templates: strings that are rendered when a run is planned, such as the bounds of its window.
//!
//! | written | becomes |
//! |---|---|
//! | `{{ window.start }}`, `{{ window.end }}` | `2026-10-01T00:00:00Z` |
//! | `{{ run.date }}` | `2026-10-05` |
//! | `{{ window.start \| date }}` | `2026-10-01` |
//! | `{{ run.date \| datetime }}` | `2026-10-05T00:00:00Z` |
//! | `{{ window.end \| epoch }}` | `1791072000`, seconds |
//! | `{{ window.end \| epoch_ms }}` | `1791072000000`, milliseconds |
//! | `{{ window.start \| strftime("%d.%m.%Y") }}` | `01.10.2026` |
//!
//! Names are checked when a template is parsed, so a wrong name is found by `check` and not by a nightly run. All
//! instants are UTC.

use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock};

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use minijinja::value::Object;
use minijinja::{ErrorKind, UndefinedBehavior, Value, context};
use regex::Regex;

use crate::schema::Window;

const WINDOW_NAMES: [&str; 2] = ["window.start", "window.end"];
const RUN_NAMES: [&str; 1] = ["run.date"];
const FILTERS: [&str; 5] = ["date", "datetime", "epoch", "epoch_ms", "strftime"];

/// The longest template, in bytes.
const MOST_BYTES: usize = 10_000;

/// The inside of `{{ … }}` with its end: a name, and up to four filters of which each may have a text.
static NAME_WITH_FILTERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let argument = r#"\(\s*(?:"[^"]*"|'[^']*')?\s*\)"#;
    Regex::new(&format!(
        r"^-?\s*[a-z_]+(?:\.[a-z_]+){{0,4}}\s*(?:\|\s*[a-z_]+\s*(?:{argument})?\s*){{0,4}}-?\}}\}}"
    ))
    .ok()
});

/// A string with `{{ … }}`, rendered when a run is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// The values that a template is rendered with.
#[derive(Debug, Clone, Copy)]
pub struct TemplateContext {
    /// The present of the run.
    pub now: DateTime<Utc>,
    /// The time range of one request; none for a full export.
    pub window: Option<Window>,
}

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// Its syntax is wrong.
    #[error("`{{{{ … }}}}` is not a name with filters")]
    Malformed,
    /// It uses a name that is unknown here.
    #[error("unknown name `{name}`")]
    UnknownName {
        /// The unknown name.
        name: String,
        /// The known names.
        known: Vec<&'static str>,
    },
    /// It uses a filter that does not exist.
    #[error("unknown filter")]
    UnknownFilter,
    /// The format given to `strftime` is invalid.
    #[error("`strftime` needs a valid format")]
    InvalidFormat,
}

impl InvalidTemplate {
    /// What to write instead.
    pub(super) fn help(&self) -> String {
        match self {
            Self::Malformed => {
                "write for example `{{ run.date | strftime(\"%Y-%m-%d\") }}`".to_owned()
            }
            Self::UnknownName { name, known } => super::problem::suggest(name, known),
            Self::UnknownFilter => format!("the filters are {}", FILTERS.join(", ")),
            Self::InvalidFormat => "write for example `strftime(\"%d.%m.%Y\")`".to_owned(),
        }
    }
}

impl Template {
    /// A string without templates.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Parses a template and renders it once. `has_window` tells whether it may use the bounds of a window.
    pub(super) fn parse(text: &str, has_window: bool) -> Result<Self, InvalidTemplate> {
        refuse_more_than_names(text)?;
        let template = Self(text.to_owned());
        let names = template.names()?;
        let known: Vec<&'static str> =
            WINDOW_NAMES.into_iter().filter(|_| has_window).chain(RUN_NAMES).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(InvalidTemplate::UnknownName { name: name.clone(), known });
        }
        let epoch = DateTime::UNIX_EPOCH;
        let window = has_window.then_some(Window { start: epoch, end: epoch });
        template.render(&TemplateContext { now: epoch, window })?;
        Ok(template)
    }

    /// Whether it depends on the window.
    #[must_use]
    pub fn uses_window(&self) -> bool {
        self.names()
            .is_ok_and(|names| names.iter().any(|name| WINDOW_NAMES.contains(&name.as_str())))
    }

    /// Whether a window that is another hour and minute of the same day gives another text.
    pub(super) fn tells_time_of_day(&self) -> bool {
        self.of_minutes(0, 0) != self.of_minutes(61, 61)
    }

    /// Whether a window that begins at another hour and minute gives another text.
    pub(super) fn tells_time_of_start(&self) -> bool {
        self.of_minutes(0, 0) != self.of_minutes(61, 0)
    }

    /// Whether a window that ends on another day gives another text, and one that ends at another hour and minute does not.
    pub(super) fn tells_only_day_of_end(&self) -> bool {
        const DAYS: i64 = 40 * 24 * 60;
        self.of_minutes(0, 0) == self.of_minutes(0, 61)
            && self.of_minutes(0, 0) != self.of_minutes(0, DAYS)
    }

    /// The text of a window with these bounds.
    fn of_minutes(&self, start: i64, end: i64) -> Result<String, InvalidTemplate> {
        let now = DateTime::UNIX_EPOCH;
        let [start, end] = [start, end].map(|minutes| now + TimeDelta::minutes(minutes));
        self.render(&TemplateContext { now, window: Some(Window { start, end }) })
    }

    /// The rendered text.
    ///
    /// # Errors
    /// The template uses the window, and there is none. Validation rules this out.
    pub fn render(&self, context: &TemplateContext) -> Result<String, InvalidTemplate> {
        let window = context.window.map(|window| {
            let (start, end) = (TemplateInstant::of(window.start), TemplateInstant::of(window.end));
            context! { start => start, end => end }
        });
        let date = TemplateInstant { moment: midnight(context.now), date_only: true };
        let run = context! { date => Value::from_object(date) };
        let values = context! { window => window, run => run };
        let environment = environment();
        let template = environment.template_from_str(&self.0).map_err(|error| invalid(&error))?;
        template.render(values).map_err(|error| invalid(&error))
    }

    fn names(&self) -> Result<Vec<String>, InvalidTemplate> {
        let environment = environment();
        let template = environment.template_from_str(&self.0).map_err(|error| invalid(&error))?;
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses everything but names with filters: statements, comments and expressions could loop, recurse or grow.
fn refuse_more_than_names(text: &str) -> Result<(), InvalidTemplate> {
    if text.len() > MOST_BYTES || ["{%", "{#"].iter().any(|begin| text.contains(begin)) {
        return Err(InvalidTemplate::Malformed);
    }
    let mut expressions = text.split("{{").skip(1);
    let is_name_with_filters = |expression: &str| {
        NAME_WITH_FILTERS.as_ref().is_some_and(|pattern| pattern.is_match(expression))
    };
    if expressions.all(is_name_with_filters) { Ok(()) } else { Err(InvalidTemplate::Malformed) }
}

fn environment() -> minijinja::Environment<'static> {
    let mut environment = minijinja::Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.add_filter("date", |value: Value| format_instant(&value, "%Y-%m-%d"));
    environment
        .add_filter("datetime", |value: Value| format_instant(&value, TemplateInstant::DATETIME));
    environment.add_filter("epoch", |value: Value| format_instant(&value, "%s"));
    environment.add_filter("epoch_ms", |value: Value| {
        Ok::<_, minijinja::Error>(instant(&value)?.moment.timestamp_millis().to_string())
    });
    environment
        .add_filter("strftime", |value: Value, format: String| format_instant(&value, &format));
    environment
}

/// An instant in a template.
#[derive(Debug)]
struct TemplateInstant {
    moment: DateTime<Utc>,
    /// Rendered without its time, unless a filter says otherwise.
    date_only: bool,
}

impl TemplateInstant {
    const DATETIME: &'static str = "%Y-%m-%dT%H:%M:%SZ";

    fn of(moment: DateTime<Utc>) -> Value {
        Value::from_object(Self { moment, date_only: false })
    }
}

impl Object for TemplateInstant {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.date_only { "%Y-%m-%d" } else { Self::DATETIME };
        write!(f, "{}", self.moment.format(format))
    }
}

fn midnight(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment.date_naive().and_time(NaiveTime::MIN).and_utc()
}

fn instant(value: &Value) -> Result<Arc<TemplateInstant>, minijinja::Error> {
    value.downcast_object::<TemplateInstant>().ok_or_else(|| ErrorKind::InvalidOperation.into())
}

fn format_instant(value: &Value, format: &str) -> Result<String, minijinja::Error> {
    let instant = instant(value)?;
    if format.is_empty() || StrftimeItems::new(format).any(|item| item == Item::Error) {
        return Err(ErrorKind::BadSerialization.into());
    }
    let mut text = String::new();
    // Some formats can be parsed and not written.
    write!(text, "{}", instant.moment.format(format))
        .map_err(|_| minijinja::Error::from(ErrorKind::BadSerialization))?;
    Ok(text)
}

fn invalid(error: &minijinja::Error) -> InvalidTemplate {
    match error.kind() {
        ErrorKind::UnknownFilter => InvalidTemplate::UnknownFilter,
        ErrorKind::BadSerialization | ErrorKind::MissingArgument | ErrorKind::TooManyArguments => {
            InvalidTemplate::InvalidFormat
        }
        _ => InvalidTemplate::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, InvalidTemplate> {
        let now = "2026-10-05T02:00:00Z".parse().unwrap();
        let start = "2026-10-01T00:00:00Z".parse().unwrap();
        let template = Template::parse(text, true)?;
        template.render(&TemplateContext { now, window: Some(Window { start, end: now }) })
    }

    #[test]
    fn instants_are_rendered_in_every_format() {
        for (text, expected) in [
            ("plain { text } and }} more", "plain { text } and }} more"),
            ("{{ window.start }}", "2026-10-01T00:00:00Z"),
            ("<{{window.end|date}}>", "<2026-10-05>"),
            ("{{ run.date }}", "2026-10-05"),
            ("{{ run.date | datetime }}", "2026-10-05T00:00:00Z"),
            ("{{ window.end | epoch }}", "1791165600"),
            ("{{ window.end | epoch_ms }}", "1791165600000"),
            ("{{ window.start | strftime(\"%d.%m.%Y\") }}", "01.10.2026"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_date_tells_no_time_of_day() {
        for (text, tells) in [
            ("{{ window.start }}", true),
            ("{{ window.end | epoch_ms }}", true),
            ("{{ window.start | strftime(\"%d.%m.%Y %H:%M\") }}", true),
            ("{{ window.start | date }}", false),
            ("{{ window.end | strftime(\"%d.%m.%Y\") }}", false),
        ] {
            assert_eq!(Template::parse(text, true).unwrap().tells_time_of_day(), tells, "{text}");
        }
    }

    #[test]
    fn mistakes_are_found_when_a_template_is_parsed() {
        assert_eq!(rendered("{{ window.start"), Err(InvalidTemplate::Malformed));
        assert_eq!(rendered("{{ window.start | upper }}"), Err(InvalidTemplate::UnknownFilter));
        assert_eq!(rendered("{{ run.date | strftime }}"), Err(InvalidTemplate::InvalidFormat));
        assert_eq!(
            rendered("{{ run.date | strftime(\"%Q!\") }}"),
            Err(InvalidTemplate::InvalidFormat)
        );
        assert!(matches!(rendered("{{ window.begin }}"), Err(InvalidTemplate::UnknownName { .. })));
        assert!(matches!(rendered("{{ window }}"), Err(InvalidTemplate::UnknownName { .. })));
        assert!(matches!(
            Template::parse("{{ window.start }}", false),
            Err(InvalidTemplate::UnknownName { .. })
        ));
    }
}
