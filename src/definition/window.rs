//! `[source.window]`: the time range that a run requests.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Value;

use super::checker::Checker;
use super::field::{Field, FromToml, TypeMismatch};
use super::{Period, Table, WriteDisposition};

/// How the window of each run follows from the watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPolicy {
    /// The start of the first run's window.
    pub start: DateTime<Utc>,
    /// How far before the watermark a window starts; by default [`lookback_of`](Self::lookback_of) decides.
    pub lookback: Option<Period>,
    /// The length of the pieces that a longer window is split into.
    pub step: Option<Period>,
}

impl WindowPolicy {
    /// How far before the watermark a window of these tables starts. A merge takes records twice without harm, so that its
    /// windows overlap by more than the clocks of source and machine differ.
    #[must_use]
    pub fn lookback_of<'t>(&self, mut roots: impl Iterator<Item = &'t Table>) -> Period {
        let is_merged = |table: &Table| table.write_disposition == WriteDisposition::Merge;
        let by_default = || if roots.all(is_merged) { Period::minutes(5) } else { Period::days(0) };
        self.lookback.unwrap_or_else(by_default)
    }
}

/// The time range that a run requests: from the watermark to now.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Window", deny_unknown_fields)]
pub(super) struct RawWindow {
    /// The start of the first run's window: a date or a timestamp, in UTC unless it says otherwise.
    #[schemars(required)]
    pub(super) start: Option<Field<WrittenInstant>>,
    /// How far before the watermark each window starts, for late records. An ISO 8601 duration; five minutes where all
    /// tables are merged, else none.
    #[schemars(extend("examples" = ["P2D"]))]
    pub(super) lookback: Option<Field<Period>>,
    /// A longer window is split into pieces of this length. An ISO 8601 duration.
    #[schemars(extend("examples" = ["P1M"], "not" = { "pattern": "^[^1-9]*$" }))]
    pub(super) step: Option<Field<Period>>,
}

/// A date or a timestamp: TOML's own, or a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenInstant(DateTime<Utc>);

impl FromToml for WrittenInstant {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        const HELP: &str = "write `2024-01-01` or `2024-01-01T06:00:00Z`";
        let text = match value {
            Value::Datetime(moment) => moment.to_string(),
            Value::String(text) => text.clone(),
            other => return Err(TypeMismatch::of(other, "a date or a timestamp", HELP)),
        };
        let instant = parse_instant(&text).map(Self);
        instant.ok_or_else(|| TypeMismatch::new(format!("`{text}` is not a date"), HELP))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        // Editors show TOML's own dates to a schema as strings.
        json_schema!({
            "description": "A date or a timestamp, such as `2024-01-01` or `2024-01-01T06:00:00Z`.",
            "type": "string",
            "pattern": r"^\s*[+-]?[0-9]",
        })
    }
}

impl RawWindow {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> Option<WindowPolicy> {
        let start = checker.required(self.start, "source.window.start", "start = 2024-01-01");
        let lookback = checker.value(self.lookback, "source.window.lookback");
        let step = checker.value(self.step, "source.window.step");
        if step.is_some_and(Period::is_zero) {
            checker.misuse(
                "source.window.step",
                "a step has to be positive",
                "write for example `P1M`",
            );
        }
        let WrittenInstant(start) = start?;
        Some(WindowPolicy { start, lookback, step })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_without_a_zone_is_utc() {
        let midnight = parse_instant("2024-01-01T00:00:00Z");
        assert!(midnight.is_some());
        for text in [
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00:00",
            "2024-01-01T02:00:00+02:00",
        ] {
            assert_eq!(parse_instant(text), midnight, "{text}");
        }
        assert_eq!(parse_instant("last year"), None);
    }
}
