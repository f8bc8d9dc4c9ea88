//! `hour(created_at)`: hours of UTC or of a time zone, `created_at_hour=2026-10-05-14`.
//!
//! The text is the one of Iceberg. It sorts by time, and no reader takes it for a timestamp.

use chrono::{NaiveDateTime, TimeDelta, Timelike};

use super::time::CalendarUnit;
use crate::schema::ColumnType;

/// Hours.
pub(super) const HOUR: CalendarUnit = CalendarUnit {
    word: "hour",
    fits: |column_type| *column_type == ColumnType::Timestamp,
    resolution: TimeDelta::hours(1),
    start_of: |at: NaiveDateTime| at.date().and_hms_opt(at.hour(), 0, 0),
    end_of: |start| start.checked_add_signed(TimeDelta::hours(1)),
    format: "%Y-%m-%d-%H",
    completion: (":00", ":%M"),
};

#[cfg(test)]
mod tests {
    use crate::schema::{ColumnType, TimeUnit, Transform};

    #[test]
    fn hours_are_of_timestamps_and_sort_by_time() {
        let start = TimeUnit::Hour.parse("2026-10-05-14").unwrap();
        assert_eq!(start.to_string(), "2026-10-05 14:00:00");
        assert_eq!(TimeUnit::Hour.text_of(start), "2026-10-05-14");
        assert!(Transform::by(TimeUnit::Hour).fits(&ColumnType::Timestamp));
        assert!(!Transform::by(TimeUnit::Hour).fits(&ColumnType::Date));
        for text in ["2026-10-05-24", "2026-10-05T14", "2026-10-05-9", "2026-10-05"] {
            assert_eq!(TimeUnit::Hour.parse(text), None, "{text}");
        }
    }
}
