//! Date formats: refuses those that cannot tell a whole date, or a time of day to the hour.
//!
//! | a date needs one of | a time of day needs one of |
//! |---|---|
//! | year, month and day | hour of 24 |
//! | year and day of the year | hour of 12, with `%p` |
//! | year, week and day of the week, or the same of ISO | |
//! | seconds since 1970 | |

use std::collections::HashSet;

use chrono::format::{Fixed, Item, Numeric, StrftimeItems};

use super::field::TypeMismatch;

/// A part of a date or time that a format tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Year,
    Month,
    Day,
    DayOfYear,
    IsoYear,
    IsoWeek,
    /// A week of the calendar year, from its first Sunday or Monday.
    YearWeek,
    Weekday,
    Epoch,
    Hour,
    Hour12,
    HalfDay,
    /// Minutes, seconds or fractions of one.
    Finer,
}

/// Refuses a strftime format that does not tell a whole date and, if it tells a time of day, its hour.
pub(super) fn check_format(format: &str) -> Result<(), TypeMismatch> {
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) || !items.iter().any(is_specifier) {
        let message = format!("`{format}` is not a date format");
        return Err(TypeMismatch::new(message, "write it for strftime, like `%d.%m.%Y`"));
    }
    if items.contains(&Item::Fixed(Fixed::TimezoneName)) {
        let message = format!("`{format}` has `%Z`: names of time zones are not read");
        return Err(TypeMismatch::new(message, "use `%z` for an offset, like `+0200`"));
    }
    let parts: HashSet<Part> = items.iter().flat_map(parts_of).copied().collect();
    match missing(&parts) {
        None => Ok(()),
        Some(Missing { what, help }) => {
            Err(TypeMismatch::new(format!("`{format}` does not tell {what}"), help))
        }
    }
}

fn is_specifier(item: &Item<'_>) -> bool {
    matches!(item, Item::Numeric(..) | Item::Fixed(_))
}

/// What a format lacks, and what to write.
struct Missing {
    what: &'static str,
    help: &'static str,
}

fn missing(parts: &HashSet<Part>) -> Option<Missing> {
    let has = |part| parts.contains(&part);
    if has(Part::Epoch) {
        return None;
    }
    missing_of_date(&has).or_else(|| {
        let (hour, half) = (has(Part::Hour12), has(Part::HalfDay));
        if has(Part::Hour) || (hour && half) {
            None
        } else if hour {
            let (what, help) = ("before noon from after noon", "add `%p`, or write `%H`");
            Some(Missing { what, help })
        } else if half || has(Part::Finer) {
            Some(Missing { what: "the hour", help: "add `%H`, or `%I` and `%p`" })
        } else {
            None
        }
    })
}

fn missing_of_date(has: &impl Fn(Part) -> bool) -> Option<Missing> {
    let (year, month, day) = (has(Part::Year), has(Part::Month), has(Part::Day));
    let is_week = has(Part::IsoYear) && has(Part::IsoWeek) && has(Part::Weekday);
    let in_year =
        (month && day) || has(Part::DayOfYear) || (has(Part::YearWeek) && has(Part::Weekday));
    if is_week || (year && in_year) {
        return None;
    }
    let (what, help) = match (year, month, day) {
        _ if has(Part::IsoYear) || has(Part::IsoWeek) => {
            ("the whole date", "a week needs `%G`, `%V` and `%u`")
        }
        (false, false, false) => ("the date", "add for example `%Y-%m-%d`"),
        (false, ..) => ("the year", "add `%Y`"),
        (true, false, _) => ("the month", "add `%m`"),
        (true, true, _) => ("the day", "add `%d`"),
    };
    Some(Missing { what, help })
}

fn parts_of(item: &Item<'_>) -> &'static [Part] {
    match item {
        Item::Numeric(numeric, _) => match numeric {
            Numeric::Year | Numeric::YearMod100 => &[Part::Year],
            Numeric::IsoYear | Numeric::IsoYearMod100 => &[Part::IsoYear],
            Numeric::Month => &[Part::Month],
            Numeric::Day => &[Part::Day],
            Numeric::Ordinal => &[Part::DayOfYear],
            Numeric::IsoWeek => &[Part::IsoWeek],
            Numeric::WeekFromSun | Numeric::WeekFromMon => &[Part::YearWeek],
            Numeric::NumDaysFromSun | Numeric::WeekdayFromMon => &[Part::Weekday],
            Numeric::Hour => &[Part::Hour],
            Numeric::Hour12 => &[Part::Hour12],
            Numeric::Minute | Numeric::Second | Numeric::Nanosecond => &[Part::Finer],
            Numeric::Timestamp => &[Part::Epoch],
            _ => &[],
        },
        Item::Fixed(fixed) => match fixed {
            Fixed::ShortMonthName | Fixed::LongMonthName => &[Part::Month],
            Fixed::ShortWeekdayName | Fixed::LongWeekdayName => &[Part::Weekday],
            Fixed::LowerAmPm | Fixed::UpperAmPm => &[Part::HalfDay],
            Fixed::Nanosecond | Fixed::Nanosecond3 | Fixed::Nanosecond6 | Fixed::Nanosecond9 => {
                &[Part::Finer]
            }
            Fixed::RFC2822 | Fixed::RFC3339 => &[Part::Year, Part::Month, Part::Day, Part::Hour],
            _ => &[],
        },
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_tells_a_whole_date_and_the_hour() {
        for format in [
            "%Y-%m-%d",
            "%d.%m.%y",
            "%e %b %Y",
            "%Y-%j",
            "%G-W%V-%u",
            "%Y %U %w",
            "%s",
            "%s.%f",
            "%D",
            "%F %T",
            "%c",
            "%+",
            "%Y-%m-%d %H",
            "%Y-%m-%d %k:%M",
            "%Y-%m-%d %I:%M %p",
            "%Y-%m-%d %r",
            "%Y-%m-%d %R%z",
        ] {
            assert!(check_format(format).is_ok(), "{format}");
        }
        for (format, message) in [
            ("%Q", "is not a date format"),
            ("no", "is not a date format"),
            ("%Y-%m-%d %Z", "names of time zones"),
            ("%H:%M", "the date"),
            ("%d.%m.", "the year"),
            ("%Y", "the month"),
            ("%Y-%m", "the day"),
            ("%C-%m-%d", "the year"),
            ("%Y W%V", "the whole date"),
            ("%G-%m-%d", "the whole date"),
            ("%Y-%m-%d %I:%M", "before noon"),
            ("%Y-%m-%d %M", "the hour"),
            ("%Y-%m-%d %p", "the hour"),
            ("%Y-%m-%d %.3f", "the hour"),
        ] {
            let said = check_format(format).unwrap_err().message;
            assert!(said.contains(message), "{format}: {said}");
        }
    }
}
