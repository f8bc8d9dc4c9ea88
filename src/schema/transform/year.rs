//! `year(created_at)`: calendar years of UTC or of a time zone, `created_at_year=2026`.

use chrono::{Datelike, Months, NaiveTime, TimeDelta};

use super::time::CalendarUnit;

/// Calendar years.
pub(super) const YEAR: CalendarUnit = CalendarUnit {
    word: "year",
    fits: CalendarUnit::fits_dates_and_timestamps,
    resolution: TimeDelta::days(1),
    start_of: |at| Some(at.date().with_ordinal(1)?.and_time(NaiveTime::MIN)),
    end_of: |start| start.checked_add_months(Months::new(12)),
    format: "%Y",
    completion: ("-01-01T00:00", "-%m-%dT%H:%M"),
};
