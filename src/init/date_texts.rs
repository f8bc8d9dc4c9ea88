//! Dates and times that are not written as ISO 8601: the formats that read every text of a column.
//!
//! | texts | readings |
//! |---|---|
//! | `21.09.2026` | `%d.%m.%Y`: there is no 21st month |
//! | `03.04.2026` | `%d.%m.%Y` and `%m.%d.%Y` |
//! | `21.09.26`, under a name of a time | `%d.%m.%y` and `%y.%m.%d` |
//! | `20260921`, `1790000000`, under a name of a time | `%Y%m%d`, `%s` |
//! | `9/21/2026 3:05 PM` | `%m/%d/%Y %I:%M %p` |

use std::ops::RangeInclusive;

use super::names::is_time;
use crate::normalise::iso_form;
use crate::schema::{ColumnName, ColumnType, parse_date, parse_timestamp};

/// Days, as programs write them. Those with `%y` and without a separator are digits of many other things.
const DAYS: [&str; 21] = [
    "%d.%m.%Y",
    "%m.%d.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y.%m.%d",
    "%Y/%m/%d",
    "%Y-%m-%d",
    "%d %B %Y",
    "%B %d, %Y",
    "%a, %d %B %Y",
    "%d-%B-%Y",
    "%d.%m.%y",
    "%m.%d.%y",
    "%y.%m.%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d-%m-%y",
    "%Y%m%d",
];
/// Times of day behind them.
const TIMES: [&str; 12] = [
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S%.f",
    " %I:%M %p",
    " %I:%M:%S %p",
    " %H:%M %z",
    " %H:%M:%S %z",
    " %H:%M:%S%.f %z",
    ", %H:%M",
    ", %H:%M:%S",
    "T%H:%M",
];
/// Seconds since 1970.
const EPOCH: &str = "%s";
/// Years that dates of purchases are in; a number may be read as a date of any other.
const YEARS: RangeInclusive<u32> = 1900..=2200;
/// Years of seconds since 1970.
const YEARS_OF_SECONDS: RangeInclusive<u32> = 1990..=2100;
/// The year of a date that stands for no end.
const NO_END: u32 = 9999;
/// The lengths of dates and times.
const LENGTHS: RangeInclusive<usize> = 6..=40;

/// One way to read dates.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Format {
    /// Which day it makes of a text: formats with the same are one reading.
    day: &'static str,
    text: String,
    has_time: bool,
}

/// What was seen of the texts of a column that are all dates.
#[derive(Debug, Default)]
pub(super) struct DateTexts {
    /// The formats that read all texts that are not ISO 8601; none before the first of them.
    formats: Option<Vec<Format>>,
    iso_dates: bool,
    iso_timestamps: bool,
    /// The first text that is not ISO 8601.
    example: Option<String>,
}

/// How the texts of a column are read as dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateReadings {
    /// `date` or `timestamp`.
    pub(super) column_type: ColumnType,
    /// The formats, each of which reads every text; none where all are ISO 8601.
    pub(super) formats: Vec<String>,
    /// One of the texts.
    pub(super) example: String,
}

impl Format {
    fn all(name: &ColumnName) -> impl Iterator<Item = Self> {
        let is_time = is_time(name);
        let is_taken = move |day: &&str| is_time || !(day.contains("%y") || *day == "%Y%m%d");
        let of_days = DAYS.into_iter().filter(is_taken).flat_map(|day| {
            let formats = TIMES.into_iter();
            formats.map(move |time| Self {
                day,
                text: format!("{day}{time}"),
                has_time: !time.is_empty(),
            })
        });
        let seconds = Self { day: EPOCH, text: EPOCH.to_owned(), has_time: true };
        of_days.chain(is_time.then_some(seconds))
    }

    fn reads(&self, text: &str) -> bool {
        let year = iso_form(text, &self.text, &self.column_type())
            .and_then(|iso| iso.get(..4)?.parse::<u32>().ok());
        let years = if self.day == EPOCH { YEARS_OF_SECONDS } else { YEARS };
        year.is_some_and(|year| years.contains(&year) || (year == NO_END && self.day != EPOCH))
    }

    fn column_type(&self) -> ColumnType {
        if self.has_time { ColumnType::Timestamp } else { ColumnType::Date }
    }
}

impl DateTexts {
    /// Takes one more text of a column of this name; false if the texts are no dates of one format.
    pub(super) fn take(&mut self, text: &str, name: &ColumnName) -> bool {
        if parse_date(text).is_some() {
            self.iso_dates = true;
            return true;
        }
        if parse_timestamp(text).is_some() {
            self.iso_timestamps = true;
            return true;
        }
        let may_be_date =
            LENGTHS.contains(&text.len()) && text.contains(|c: char| c.is_ascii_digit());
        if !may_be_date {
            return false;
        }
        let formats = match self.formats.take() {
            None => Format::all(name).filter(|format| format.reads(text)).collect(),
            Some(mut formats) => {
                formats.retain(|format| format.reads(text));
                formats
            }
        };
        let is_read = !formats.is_empty();
        self.example.get_or_insert_with(|| text.to_owned());
        self.formats = Some(formats);
        is_read
    }

    /// How the texts are read, if there were any and all were taken.
    pub(super) fn readings(self) -> Option<DateReadings> {
        let mut readings: Vec<Format> = Vec::new();
        for format in self.formats.into_iter().flatten() {
            if !readings.iter().any(|other| other.day == format.day) {
                readings.push(format);
            }
        }
        let has_times = self.iso_timestamps || readings.iter().any(|format| format.has_time);
        if readings.is_empty() && !has_times && !self.iso_dates {
            return None;
        }
        Some(DateReadings {
            column_type: if has_times { ColumnType::Timestamp } else { ColumnType::Date },
            formats: readings.into_iter().map(|format| format.text).collect(),
            example: self.example.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The type and the formats, if all texts are dates.
    fn readings(name: &str, texts: &[&str]) -> Option<String> {
        let name = name.parse().unwrap();
        let mut dates = DateTexts::default();
        let are_dates = texts.iter().all(|text| dates.take(text, &name));
        let DateReadings { column_type, formats, .. } = are_dates.then(|| dates.readings())??;
        Some(format!("{column_type} {}", formats.join(" or ")))
    }

    #[test]
    fn f09_a_format_is_one_that_reads_every_text() {
        for (texts, expected) in [
            (&["21.09.2026", "3.4.2026"][..], Some("date %d.%m.%Y")),
            (&["09/21/2026"], Some("date %m/%d/%Y")),
            (&["03.04.2026", "05.06.2026"], Some("date %d.%m.%Y or %m.%d.%Y")),
            (&["21.09.2026", "09.21.2026"], None),
            (&["21.09.2026", "2026-09-22"], Some("date %d.%m.%Y")),
            (&["21.09.2026", "2026-09-22T10:00:00Z"], Some("timestamp %d.%m.%Y")),
            (&["2026/09/21"], Some("date %Y/%m/%d")),
            (&["21.09.2026 14:03"], Some("timestamp %d.%m.%Y %H:%M")),
            (&["21.09.2026 14:03:07"], Some("timestamp %d.%m.%Y %H:%M:%S")),
            (&["9/21/2026 3:05 PM"], Some("timestamp %m/%d/%Y %I:%M %p")),
            (&["Mon, 21 Sep 2026 10:00:00 +0200"], Some("timestamp %a, %d %B %Y %H:%M:%S %z")),
            (&["21 September 2026", "3 Oct 2026"], Some("date %d %B %Y")),
            (&["31.12.9999", "01.01.2026"], Some("date %d.%m.%Y")),
            (&["21.09.2026", "n/a"], None),
            (&["21.09.2026 14:03", "22.09.2026"], None),
            (&["31.02.2026"], None),
            (&["12.3456"], None),
            (&["192.168.10.24"], None),
            (&[], None),
        ] {
            assert_eq!(readings("x", texts).as_deref(), expected, "{texts:?}");
        }
    }

    #[test]
    fn f09_bare_digits_are_dates_only_under_a_name_of_a_time() {
        for (name, text, expected) in [
            ("issued_on", "20260921", Some("date %Y%m%d")),
            ("number", "20260921", None),
            ("created_at", "1790000000", Some("timestamp %s")),
            ("number", "1790000000", None),
            ("created_at", "79000000", None),
            ("issued_on", "25.12.26", Some("date %d.%m.%y or %y.%m.%d")),
            ("version", "25.12.26", None),
        ] {
            assert_eq!(readings(name, &[text]).as_deref(), expected, "{name} {text}");
        }
    }
}
