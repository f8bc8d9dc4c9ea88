//! Partition transforms: what turns a column's value into the name of a directory.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ColumnName, ColumnType, Window};

/// One level of Hive partitioning: a column, or a date part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionField {
    /// The column that is partitioned by.
    pub column: ColumnName,
    /// What is done to its value.
    pub transform: Transform,
}

/// What turns a column's value into a partition's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The value itself.
    Identity,
    /// `2026`
    Year,
    /// `2026-10`
    Month,
    /// `2026-10-05`
    Day,
}

impl Transform {
    /// The year, month or day that an instant lies in; none for the value itself, and beyond the calendar.
    #[must_use]
    pub fn span(self, at: DateTime<Utc>) -> Option<Window> {
        let day = at.date_naive();
        let (start, end) = match self {
            Self::Identity => return None,
            Self::Year => {
                let start = day.with_ordinal(1)?;
                (start, start.checked_add_months(Months::new(12))?)
            }
            Self::Month => {
                let start = day.with_day(1)?;
                (start, start.checked_add_months(Months::new(1))?)
            }
            Self::Day => (day, day.succ_opt()?),
        };
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Some(Window { start: midnight(start), end: midnight(end) })
    }
}

impl PartitionField {
    /// Whether a column of this type can be partitioned by in this way.
    #[must_use]
    pub fn fits(&self, column_type: &ColumnType) -> bool {
        match self.transform {
            Transform::Identity => column_type.is_scalar() && *column_type != ColumnType::Float64,
            Transform::Year | Transform::Month | Transform::Day => {
                matches!(column_type, ColumnType::Date | ColumnType::Timestamp)
            }
        }
    }

    /// The name in front of `=` in the directory: `created_at_month` for `month(created_at)`.
    #[must_use]
    pub fn directory_key(&self) -> String {
        match self.transform {
            Transform::Identity => self.column.to_string(),
            Transform::Year => format!("{}_year", self.column),
            Transform::Month => format!("{}_month", self.column),
            Transform::Day => format!("{}_day", self.column),
        }
    }
}
