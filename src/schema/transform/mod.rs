//! Partition transforms: from the value of a column to the value of a partition, and back to a range of time.
//!
//! | definition | column type | value | partition value | directory | range of time |
//! |---|---|---|---|---|---|
//! | `status` | any scalar but `float64` | `Sent` | `Sent` | `status=Sent` | none |
//! | `year(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026` | `created_at_year=2026` | the year |
//! | `month(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026-10` | `created_at_month=2026-10` | the month |
//! | `day(created_at)` | date, timestamp | `2026-10-05T14:03:07Z` | `2026-10-05` | `created_at_day=2026-10-05` | the day |
//! | `hour(created_at)` | timestamp | `2026-10-05T14:03:07Z` | `2026-10-05-14` | `created_at_hour=2026-10-05-14` | the hour |
//!
//! Each transform of time is one file with one [`TimeTransform`] and one line in the list below.

mod day;
mod field;
mod hour;
mod month;
mod time;
mod year;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use field::{InvalidPartitionField, PartitionField};

use super::{ColumnType, Window};
use time::TimeTransform;

/// Registers the transforms of time, each with its file's [`TimeTransform`].
macro_rules! transforms {
    ($($name:ident => $transform:path,)+) => {
        /// What turns the value of a column into the value of a partition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Transform {
            /// The value itself.
            Identity,
            $(
                #[doc = concat!("By ", stringify!($name), ", in lower case.")]
                $name,
            )+
        }

        impl Transform {
            /// All transforms.
            pub const ALL: &[Self] = &[Self::Identity, $(Self::$name),+];

            fn of_time(self) -> Option<&'static TimeTransform> {
                match self {
                    Self::Identity => None,
                    $(Self::$name => Some(&$transform),)+
                }
            }
        }
    };
}

transforms! {
    Year => year::YEAR,
    Month => month::MONTH,
    Day => day::DAY,
    Hour => hour::HOUR,
}

impl Transform {
    /// The transforms that a definition names by a word.
    pub fn named() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.iter().filter_map(|transform| Some((transform.word()?, *transform)))
    }

    /// The word in front of the parenthesis: `month` in `month(created_at)`; none for the value itself.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        Some(self.of_time()?.word)
    }

    /// Whether its partitions are ranges of time.
    #[must_use]
    pub fn is_of_time(self) -> bool {
        self.of_time().is_some()
    }

    /// Whether a column of this type can be partitioned by it.
    #[must_use]
    pub fn fits(self, column_type: &ColumnType) -> bool {
        match self.of_time() {
            None => {
                column_type.is_scalar()
                    && !matches!(column_type, ColumnType::Float64 | ColumnType::Json)
            }
            Some(of_time) => (of_time.fits)(column_type),
        }
    }

    /// All instants that begin with the same multiple of this have one partition value; zero for the value itself.
    #[must_use]
    pub fn resolution(self) -> TimeDelta {
        self.of_time().map_or(TimeDelta::zero(), |of_time| of_time.resolution)
    }

    /// Where the range of time that an instant lies in starts; none beyond the calendar.
    #[must_use]
    pub fn start_of(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        (self.of_time()?.start_of)(at)
    }

    /// The range of time that an instant lies in; none beyond the calendar, and for the value itself.
    #[must_use]
    pub fn range_of(self, at: DateTime<Utc>) -> Option<Window> {
        self.range_from(self.start_of(at.naive_utc())?)
    }

    /// The range of time that starts here.
    #[must_use]
    pub fn range_from(self, start: NaiveDateTime) -> Option<Window> {
        let end = (self.of_time()?.end_of)(start)?;
        Some(Window { start: start.and_utc(), end: end.and_utc() })
    }

    /// The text of the range of time that starts here: `2026-10`.
    #[must_use]
    pub fn text_of(self, start: NaiveDateTime) -> String {
        self.of_time().map(|of_time| of_time.text_of(start)).unwrap_or_default()
    }

    /// Where the range of time with this text starts; the inverse of [`text_of`](Self::text_of).
    #[must_use]
    pub fn parse(self, text: &str) -> Option<NaiveDateTime> {
        self.of_time()?.parse(text)
    }
}
