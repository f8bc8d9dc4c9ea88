//! `month(created_at)`: calendar months of UTC or of a time zone, `created_at_month=2026-10`.

use chrono::{Datelike, Months, NaiveTime, TimeDelta};

use super::time::CalendarUnit;

/// Calendar months.
pub(super) const MONTH: CalendarUnit = CalendarUnit {
    word: "month",
    fits: CalendarUnit::fits_dates_and_timestamps,
    resolution: TimeDelta::days(1),
    start_of: |at| Some(at.date().with_day(1)?.and_time(NaiveTime::MIN)),
    end_of: |start| start.checked_add_months(Months::new(1)),
    format: "%Y-%m",
    completion: ("-01T00:00", "-%dT%H:%M"),
};
