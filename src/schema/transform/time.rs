//! What a unit of the calendar consists of.

use chrono::{NaiveDateTime, TimeDelta};

use crate::schema::ColumnType;

/// A unit that divides time into ranges, each of which has a text. Times are those that a clock shows.
pub(super) struct CalendarUnit {
    /// The word of definitions, which also ends the name of the directory.
    pub(super) word: &'static str,
    /// Whether a column of a type can be partitioned by it.
    pub(super) fits: fn(&ColumnType) -> bool,
    /// No range is shorter than this, and each starts at a multiple of it.
    pub(super) resolution: TimeDelta,
    /// Where the range that a time lies in starts.
    pub(super) start_of: fn(NaiveDateTime) -> Option<NaiveDateTime>,
    /// Where the range that starts here ends.
    pub(super) end_of: fn(NaiveDateTime) -> Option<NaiveDateTime>,
    /// The text of a range, as strftime has it.
    pub(super) format: &'static str,
    /// What makes the text a whole time: its text, and its format.
    pub(super) completion: (&'static str, &'static str),
}

impl CalendarUnit {
    /// The text of the range that starts here.
    pub(super) fn text_of(&self, start: NaiveDateTime) -> String {
        start.format(self.format).to_string()
    }

    /// Where the range with this text starts; none for a text that no range has.
    pub(super) fn parse(&self, text: &str) -> Option<NaiveDateTime> {
        let (rest, format_of_rest) = self.completion;
        let (text_of_start, format) =
            (format!("{text}{rest}"), format!("{}{format_of_rest}", self.format));
        let start = NaiveDateTime::parse_from_str(&text_of_start, &format).ok()?;
        // Other spellings of the same range are not its text.
        (self.text_of(start) == text).then_some(start)
    }

    /// Dates and timestamps lie in ranges of whole days.
    pub(super) fn fits_dates_and_timestamps(column_type: &ColumnType) -> bool {
        matches!(column_type, ColumnType::Date | ColumnType::Timestamp)
    }
}
