//! Partition transforms: from the value of a column to the value of a partition, and back to a range of time.
//!
//! | definition | column type | value | partition value | directory | range of time |
//! |---|---|---|---|---|---|
//! | `status` | any scalar but `float64` | `Sent` | `Sent` | `status_partition=Sent` | none |
//! | `year(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026` | `created_at_year=2026` | the year |
//! | `month(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026-10` | `created_at_month=2026-10` | the month |
//! | `day(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026-10-05` | `created_at_day=2026-10-05` | the day |
//! | `hour(created_at)` | timestamp | `2026-10-05T14:03:07Z` | `2026-10-05-14` | `created_at_hour=2026-10-05-14` | the hour |
//! | `month(created_at, "Europe/Copenhagen")` | timestamp | `2026-10-31T23:30:00Z` | `2026-11` | `created_at_month=2026-11` | the month in Copenhagen |
//!
//! Each unit of time is one file with one [`CalendarUnit`] and one line in the list below.

mod day;
mod field;
mod hour;
mod month;
mod time;
mod time_ranges;
mod year;

use chrono::{NaiveDateTime, TimeDelta};

pub use field::{InvalidPartitionField, PartitionField};
pub use time_ranges::TimeRanges;

use super::ColumnType;
use time::CalendarUnit;

/// Registers the units of time, each with its file's [`CalendarUnit`].
macro_rules! units {
    ($($name:ident => $unit:path,)+) => {
        /// A unit of the calendar. Its times are those that a clock shows, of UTC or of another zone.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum TimeUnit {
            $(
                #[doc = concat!("By ", stringify!($name), ", in lower case.")]
                $name,
            )+
        }

        impl TimeUnit {
            /// All units.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            fn calendar_unit(self) -> &'static CalendarUnit {
                match self {
                    $(Self::$name => &$unit,)+
                }
            }
        }
    };
}

units! {
    Year => year::YEAR,
    Month => month::MONTH,
    Day => day::DAY,
    Hour => hour::HOUR,
}

impl TimeUnit {
    /// The unit of a word: `month` in `month(created_at)`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|unit| unit.word() == word)
    }

    /// The word in front of the parenthesis, which also ends the name of the directory.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.calendar_unit().word
    }

    /// All times that begin with the same multiple of this have one partition value.
    #[must_use]
    pub fn resolution(self) -> TimeDelta {
        self.calendar_unit().resolution
    }

    /// Where the range that a time lies in starts; none beyond the calendar.
    #[must_use]
    pub fn start_of(self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        (self.calendar_unit().start_of)(shown)
    }

    /// Where the range that starts here ends; none beyond the calendar.
    #[must_use]
    pub fn end_of(self, start: NaiveDateTime) -> Option<NaiveDateTime> {
        (self.calendar_unit().end_of)(start)
    }

    /// The text of the range that starts here: `2026-10`.
    #[must_use]
    pub fn text_of(self, start: NaiveDateTime) -> String {
        self.calendar_unit().text_of(start)
    }

    /// Where the range with this text starts; the inverse of [`text_of`](Self::text_of).
    #[must_use]
    pub fn parse(self, text: &str) -> Option<NaiveDateTime> {
        self.calendar_unit().parse(text)
    }
}

/// What turns the value of a column into the value of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transform {
    /// The value itself.
    Identity,
    /// The range of time that it lies in.
    Time(TimeRanges),
}

impl Transform {
    /// By a unit of UTC.
    #[must_use]
    pub fn by(unit: TimeUnit) -> Self {
        Self::Time(TimeRanges::new(unit, None))
    }

    /// The ranges of time that its partitions are, if they are any.
    #[must_use]
    pub fn time_ranges(self) -> Option<TimeRanges> {
        match self {
            Self::Identity => None,
            Self::Time(ranges) => Some(ranges),
        }
    }

    /// Whether a column of this type can be partitioned by it.
    #[must_use]
    pub fn fits(self, column_type: &ColumnType) -> bool {
        match self {
            Self::Identity => {
                column_type.is_scalar()
                    && !matches!(column_type, ColumnType::Float64 | ColumnType::Json)
            }
            Self::Time(ranges) => ranges.fits(column_type),
        }
    }
}
