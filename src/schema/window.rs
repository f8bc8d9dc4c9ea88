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

/// The time of the source whose records a table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedTime {
    /// Where its last range begins.
    #[serde(rename = "loaded_from")]
    pub from: DateTime<Utc>,
    /// Where its last range ends: the next window begins here.
    pub watermark: DateTime<Utc>,
    /// Earlier ranges, with a gap after each, ascending.
    #[serde(rename = "loaded_earlier", default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Window>,
}

impl LoadedTime {
    /// That of a table that has one window.
    #[must_use]
    pub fn of(window: Window) -> Self {
        Self { from: window.start, watermark: window.end, earlier: Vec::new() }
    }

    /// The same after another window is loaded too. One that would leave a gap before the next window does not count.
    #[must_use]
    pub fn with(mut self, window: Window) -> Self {
        if window.start > self.watermark {
            return self;
        }
        if window.end < self.from {
            self.earlier.push(window);
        } else {
            self.from = self.from.min(window.start);
            self.watermark = self.watermark.max(window.end);
        }
        self.joined()
    }

    /// The same after a window that leaves a gap, and from whose end on the next ones go on.
    #[must_use]
    pub fn followed_by(mut self, window: Window) -> Self {
        self.earlier.push(Window { start: self.from, end: self.watermark });
        Self { earlier: self.earlier, ..Self::of(window) }.joined()
    }

    /// The same, with the next window beginning elsewhere: later leaves a gap, earlier is loaded again.
    #[must_use]
    pub fn going_on_at(mut self, watermark: DateTime<Utc>) -> Self {
        if watermark > self.watermark {
            return self.followed_by(Window { start: watermark, end: watermark });
        }
        if watermark < self.from {
            let mut earlier = self.earlier.iter();
            let around = earlier.find(|it| it.start <= watermark && watermark <= it.end);
            self.from = around.map_or(watermark, |range| range.start);
            self.earlier.retain(|range| range.end < self.from);
        }
        Self { watermark, ..self }
    }

    /// The gaps from an instant until the last range.
    #[must_use]
    pub fn gaps_since(&self, start: DateTime<Utc>) -> Vec<Window> {
        let (mut gaps, mut covered) = (Vec::new(), start);
        let last = Window { start: self.from, end: self.watermark };
        for range in self.earlier.iter().chain([&last]) {
            if range.start > covered {
                gaps.push(Window { start: covered, end: range.start });
            }
            covered = covered.max(range.end);
        }
        gaps
    }

    /// Joins ranges that meet.
    fn joined(mut self) -> Self {
        self.earlier.sort_by_key(|range| range.start);
        let mut apart: Vec<Window> = Vec::new();
        for range in self.earlier {
            match apart.last_mut() {
                Some(before) if range.start <= before.end => before.end = before.end.max(range.end),
                _ => apart.push(range),
            }
        }
        while let Some(range) = apart.pop_if(|range| range.end >= self.from) {
            self.from = self.from.min(range.start);
        }
        Self { earlier: apart, ..self }
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
            let found = LoadedTime::of(window(10, 20)).with(window(start, end));
            let earlier = found.earlier.clone();
            let expected = LoadedTime { earlier, ..LoadedTime::of(window(expected.0, expected.1)) };
            assert_eq!(found, expected, "{start} to {end}");
        }
    }

    #[test]
    fn o06_ranges_with_gaps_between_are_known_until_the_gaps_are_loaded() {
        let first = LoadedTime::of(window(5, 10));
        let forth = first.followed_by(window(20, 25));
        assert_eq!((forth.from, forth.watermark), (window(20, 25).start, window(20, 25).end));
        assert_eq!(forth.gaps_since(window(5, 6).start), [window(10, 20)]);
        assert_eq!(forth.gaps_since(window(2, 6).start), [window(2, 5), window(10, 20)]);
        assert_eq!(forth.gaps_since(window(7, 8).start), [window(10, 20)]);
        assert_eq!(forth.gaps_since(window(15, 16).start), [window(15, 20)]);
        assert_eq!(forth.gaps_since(window(22, 23).start), []);
        let partly = forth.clone().with(window(12, 15)).with(window(1, 3));
        let gaps = [window(3, 5), window(10, 12), window(15, 20)];
        assert_eq!(partly.gaps_since(window(1, 2).start), gaps);
        let whole = partly.with(window(2, 13)).with(window(15, 20));
        assert_eq!(whole, LoadedTime::of(window(1, 25)));
        assert_eq!(forth.with(window(10, 20)), LoadedTime::of(window(5, 25)));
    }

    #[test]
    fn a_watermark_that_is_set_keeps_what_is_loaded_before_it() {
        let loaded = LoadedTime::of(window(5, 10)).followed_by(window(20, 25));
        for (day, from, earlier) in [
            (28, 28, vec![window(5, 10), window(20, 25)]),
            (25, 20, vec![window(5, 10)]),
            (22, 20, vec![window(5, 10)]),
            (15, 15, vec![window(5, 10)]),
            (8, 5, vec![]),
            (3, 3, vec![]),
        ] {
            let Window { start: from, end: watermark } = window(from, day);
            let expected = LoadedTime { from, watermark, earlier };
            assert_eq!(loaded.clone().going_on_at(watermark), expected, "day {day}");
        }
    }
}
