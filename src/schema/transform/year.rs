//! `year(created_at)`: calendar years of UTC, `created_at_year=2026`.

use chrono::{Datelike, Months, NaiveTime, TimeDelta};

use super::time::TimeTransform;

/// Calendar years.
pub(super) const YEAR: TimeTransform = TimeTransform {
    word: "year",
    fits: TimeTransform::fits_dates_and_timestamps,
    resolution: TimeDelta::days(1),
    start_of: |at| Some(at.date().with_ordinal(1)?.and_time(NaiveTime::MIN)),
    end_of: |start| start.checked_add_months(Months::new(12)),
    format: "%Y",
    completion: ("-01-01T00:00", "-%m-%dT%H:%M"),
};
