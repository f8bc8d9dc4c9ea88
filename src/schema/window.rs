//! A range of time.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A half-open range of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant in it.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        write!(f, "{} to {}", shown(self.start), shown(self.end))
    }
}

/// The range of time whose records a table has, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedTime {
    /// Where it begins.
    #[serde(rename = "loaded_from")]
    pub from: DateTime<Utc>,
    /// Where it ends: the next window begins here.
    pub watermark: DateTime<Utc>,
}

impl LoadedTime {
    /// The range after a window is loaded too. One that leaves a gap does not count.
    #[must_use]
    pub fn with(self, window: Window) -> Self {
        let leaves_a_gap = window.start > self.watermark || window.end < self.from;
        if leaves_a_gap {
            return self;
        }
        Self { from: self.from.min(window.start), watermark: self.watermark.max(window.end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: u32, end: u32) -> Window {
        let day = |day| format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
        Window { start: day(start), end: day(end) }
    }

    #[test]
    fn a_window_extends_what_is_loaded_unless_it_leaves_a_gap() {
        for (start, end, expected) in [
            (20, 25, (10, 25)),
            (15, 25, (10, 25)),
            (21, 25, (10, 20)),
            (5, 10, (5, 20)),
            (5, 9, (10, 20)),
            (12, 13, (10, 20)),
            (1, 30, (1, 30)),
        ] {
            let Window { start: from, end: watermark } = window(10, 20);
            let found = LoadedTime { from, watermark }.with(window(start, end));
            let Window { start: from, end: watermark } = window(expected.0, expected.1);
            assert_eq!(found, LoadedTime { from, watermark }, "{start} to {end}");
        }
    }
}
