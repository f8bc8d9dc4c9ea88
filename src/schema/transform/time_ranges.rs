//! Time ranges: the years, months, days or hours of a time zone, as half-open ranges of instants.
//!
//! | | range |
//! |---|---|
//! | October 2026 in Copenhagen | 2026-09-30T22:00Z to 2026-10-31T23:00Z |
//! | 2026-10-25, when summer time ends there | 25 hours |
//! | its hour `02`, which clocks show twice | two hours |
//! | the hour `02` of 2026-03-29, which they skip | none |
//!
//! Where clocks are set back across midnight, a few minutes of two days alternate, and their ranges overlap: each holds
//! every instant of its day. [`TimeRanges::whole_from`] and [`TimeRanges::whole_until`] find instants that no range is
//! on both sides of.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::TimeUnit;
use crate::schema::{ColumnType, Window, Zone};

/// Division of time by a unit on the clocks of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRanges {
    unit: TimeUnit,
    /// None for UTC.
    zone: Option<Zone>,
}

impl TimeRanges {
    /// By the clocks of a zone, or of UTC.
    #[must_use]
    pub fn new(unit: TimeUnit, zone: Option<Zone>) -> Self {
        Self { unit, zone: zone.filter(|zone| *zone != Zone::UTC) }
    }

    /// The unit of the calendar.
    #[must_use]
    pub fn unit(self) -> TimeUnit {
        self.unit
    }

    /// The zone; none for UTC.
    #[must_use]
    pub fn zone(self) -> Option<Zone> {
        self.zone
    }

    /// Whether each range starts at a midnight of UTC.
    #[must_use]
    pub fn start_with_days(self) -> bool {
        self.zone.is_none() && self.unit.resolution() >= TimeDelta::days(1)
    }

    /// Whether a column of this type has such ranges. A date is no instant, so that it has no time zone.
    #[must_use]
    pub fn fits(self, column_type: &ColumnType) -> bool {
        match self.zone {
            Some(_) => *column_type == ColumnType::Timestamp,
            None => (self.unit.calendar_unit().fits)(column_type),
        }
    }

    /// The range that an instant lies in; none beyond the calendar.
    #[must_use]
    pub fn range_of(self, at: DateTime<Utc>) -> Option<Window> {
        let shown = match self.zone {
            Some(zone) => zone.shown_at(at)?,
            None => at.naive_utc(),
        };
        self.range_from(self.unit.start_of(shown)?)
    }

    /// The instants at which the clocks show a time of the range that starts here, from the first to the last; none
    /// beyond the calendar, and if they skip all of it.
    #[must_use]
    pub fn range_from(self, start: NaiveDateTime) -> Option<Window> {
        let end = self.unit.end_of(start)?;
        let range = match self.zone {
            Some(zone) => {
                Window { start: zone.first_instant_from(start)?, end: zone.end_before(end)? }
            }
            None => Window { start: start.and_utc(), end: end.and_utc() },
        };
        (range.start < range.end).then_some(range)
    }

    /// The last instant until this one at which ranges end and start, and none goes on.
    #[must_use]
    pub fn whole_from(self, mut at: DateTime<Utc>) -> DateTime<Utc> {
        while let Some(range) = self.range_around(at) {
            at = range.start;
        }
        at
    }

    /// The first instant from this one on at which ranges end and start, and none goes on.
    #[must_use]
    pub fn whole_until(self, mut at: DateTime<Utc>) -> DateTime<Utc> {
        while let Some(range) = self.range_around(at) {
            at = range.end;
        }
        at
    }

    /// A range that starts before an instant and ends after it. It is the one of the instant, or of the one before.
    fn range_around(self, at: DateTime<Utc>) -> Option<Window> {
        let before = at.checked_sub_signed(TimeDelta::microseconds(1));
        let near = [Some(at), before].into_iter().flatten();
        near.filter_map(|near| self.range_of(near)).find(|range| range.start < at && at < range.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(unit: TimeUnit, zone: &str, text: &str) -> Option<String> {
        let ranges = TimeRanges::new(unit, Some(zone.parse().unwrap()));
        let Window { start, end } = ranges.range_from(unit.parse(text).unwrap())?;
        Some(format!("{} {}", start.format("%FT%H:%M"), end.format("%FT%H:%M")))
    }

    #[test]
    fn ranges_of_the_table() {
        let copenhagen = |unit, text| range(unit, "Europe/Copenhagen", text);
        for (unit, text, expected) in [
            (TimeUnit::Month, "2026-10", "2026-09-30T22:00 2026-10-31T23:00"),
            (TimeUnit::Year, "2026", "2025-12-31T23:00 2026-12-31T23:00"),
            (TimeUnit::Day, "2026-10-25", "2026-10-24T22:00 2026-10-25T23:00"),
            (TimeUnit::Day, "2026-03-29", "2026-03-28T23:00 2026-03-29T22:00"),
            (TimeUnit::Hour, "2026-10-25-01", "2026-10-24T23:00 2026-10-25T00:00"),
            (TimeUnit::Hour, "2026-10-25-02", "2026-10-25T00:00 2026-10-25T02:00"),
            (TimeUnit::Hour, "2026-10-25-03", "2026-10-25T02:00 2026-10-25T03:00"),
            (TimeUnit::Hour, "2026-03-29-03", "2026-03-29T01:00 2026-03-29T02:00"),
        ] {
            assert_eq!(copenhagen(unit, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(copenhagen(TimeUnit::Hour, "2026-03-29-02"), None);
        // Summer time began at midnight, and the day at one o'clock.
        let sao_paulo = range(TimeUnit::Day, "America/Sao_Paulo", "2018-11-04");
        assert_eq!(sao_paulo.as_deref(), Some("2018-11-04T03:00 2018-11-05T02:00"));
        assert_eq!(range(TimeUnit::Day, "Pacific/Apia", "2011-12-30"), None);
    }

    #[test]
    fn days_that_alternate_are_whole_together() {
        // Clocks went from 00:01 to 23:01 of the day before.
        let ranges = TimeRanges::new(TimeUnit::Day, Some("America/St_Johns".parse().unwrap()));
        let day = |text| ranges.range_from(TimeUnit::Day.parse(text).unwrap()).unwrap();
        let (saturday, sunday) = (day("2010-11-06"), day("2010-11-07"));
        assert_eq!(saturday.end - sunday.start, TimeDelta::minutes(60));
        assert_eq!(ranges.whole_from(sunday.start), saturday.start);
        assert_eq!(ranges.whole_from(saturday.end), saturday.start);
        assert_eq!(ranges.whole_until(sunday.start), sunday.end);
        assert_eq!(ranges.whole_until(saturday.end), sunday.end);
        assert_eq!(ranges.whole_until(sunday.end), sunday.end);
    }

    #[test]
    fn utc_is_no_zone_of_its_own() {
        let utc = Some("UTC".parse().unwrap());
        assert_eq!(TimeRanges::new(TimeUnit::Day, utc), TimeRanges::new(TimeUnit::Day, None));
    }

    fn any_ranges() -> impl Strategy<Value = TimeRanges> {
        let zones: Vec<&str> = Zone::names().collect();
        let zone = proptest::sample::select(zones).prop_map(|name| name.parse().unwrap());
        (proptest::sample::select(TimeUnit::ALL), proptest::option::of(zone))
            .prop_map(|(unit, zone)| TimeRanges::new(unit, zone))
    }

    /// By quarters of an hour, in the years in which clocks are set.
    fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
        (-2_700_000_i64..5_400_000)
            .prop_map(|quarter| DateTime::from_timestamp(quarter * 900, 0).unwrap())
    }

    proptest! {
        #[test]
        fn p1_every_instant_lies_in_its_range(ranges in any_ranges(), at in any_instant()) {
            let range = ranges.range_of(at).unwrap();
            prop_assert!(range.start <= at && at < range.end, "{ranges:?} {at} {range}");
        }

        #[test]
        fn p1_a_whole_window_has_every_instant_of_its_ranges(
            ranges in any_ranges(), at in any_instant(), hours in 0_i64..100,
        ) {
            let window = Window {
                start: ranges.whole_from(at),
                end: ranges.whole_until(at + TimeDelta::hours(hours)),
            };
            prop_assert!(window.start <= at && at <= window.end);
            for quarters in -200..600 {
                let at = at + TimeDelta::minutes(quarters * 15);
                let range = ranges.range_of(at).unwrap();
                let starts_inside = window.start <= range.start && range.start < window.end;
                let lies_inside = window.start <= at && at < window.end;
                prop_assert_eq!(starts_inside, lies_inside, "{:?} {} {} {}", ranges, at, range, window);
                prop_assert!(!lies_inside || range.end <= window.end);
            }
        }
    }
}
