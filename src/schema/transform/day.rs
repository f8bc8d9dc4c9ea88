//! `day(created_at)`: calendar days of UTC or of a time zone, `created_at_day=2026-10-05`.

use chrono::{NaiveTime, TimeDelta};

use super::time::CalendarUnit;

/// Calendar days.
pub(super) const DAY: CalendarUnit = CalendarUnit {
    word: "day",
    fits: CalendarUnit::fits_dates_and_timestamps,
    resolution: TimeDelta::days(1),
    start_of: |at| Some(at.date().and_time(NaiveTime::MIN)),
    end_of: |start| start.checked_add_signed(TimeDelta::days(1)),
    format: "%Y-%m-%d",
    completion: ("T00:00", "T%H:%M"),
};
