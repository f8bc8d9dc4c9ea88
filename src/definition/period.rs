//! ISO 8601 durations: `P1M`, `P2D`, `PT30M`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Months, TimeDelta, Utc};

use super::field::TextForm;

/// An ISO 8601 duration. A month is as long as the calendar month it is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    months: u32,
    milliseconds: u64,
}

/// A text that is not an ISO 8601 duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ISO 8601 duration")]
pub struct InvalidPeriod(String);

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Period {
    /// This many days of 24 hours.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self { months: 0, milliseconds: days as u64 * DAY }
    }

    /// This many minutes.
    #[must_use]
    pub const fn minutes(minutes: u32) -> Self {
        Self { months: 0, milliseconds: minutes as u64 * MINUTE }
    }

    /// Whether its length is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.months == 0 && self.milliseconds == 0
    }

    /// Its length, if that does not depend on the calendar.
    #[must_use]
    pub fn fixed(self) -> Option<Duration> {
        (self.months == 0).then(|| Duration::from_millis(self.milliseconds))
    }

    /// The instant that is `count` of these after another; the 31st becomes the last day of a shorter month.
    /// `None` beyond the calendar.
    #[must_use]
    pub fn times_after(self, count: u32, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let months = Months::new(self.months.checked_mul(count)?);
        let milliseconds = self.milliseconds.checked_mul(count.into())?;
        let rest = TimeDelta::try_milliseconds(i64::try_from(milliseconds).ok()?)?;
        instant.checked_add_months(months)?.checked_add_signed(rest)
    }

    /// The instant that is this long before another; `None` beyond the calendar.
    #[must_use]
    pub fn before(self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let rest = TimeDelta::try_milliseconds(i64::try_from(self.milliseconds).ok()?)?;
        instant.checked_sub_months(Months::new(self.months))?.checked_sub_signed(rest)
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let parsed = iso8601::duration(text).ok().and_then(Self::of_parts);
        // The parser stops where it understands no more.
        parsed.filter(|_| is_whole(text)).ok_or_else(|| InvalidPeriod(text.to_owned()))
    }
}

impl Period {
    fn of_parts(parts: iso8601::Duration) -> Option<Self> {
        match parts {
            iso8601::Duration::Weeks(weeks) => Some(Self::days(weeks.checked_mul(7)?)),
            iso8601::Duration::YMDHMS { year, month, day, hour, minute, second, millisecond } => {
                let units = [(day, DAY), (hour, HOUR), (minute, MINUTE), (second, SECOND)];
                let sum: u64 = units.iter().map(|(count, unit)| u64::from(*count) * unit).sum();
                Some(Self {
                    months: year.checked_mul(12)?.checked_add(month)?,
                    milliseconds: sum + u64::from(millisecond),
                })
            }
        }
    }
}

/// Whether a text is designators with a number before each, in the order of the standard, and nothing else.
fn is_whole(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let ends_well = |part: &str| part.ends_with(|last: char| last.is_ascii_alphabetic());
    (days.is_empty() || ends_well(days))
        && time.is_none_or(ends_well)
        && !rest.is_empty()
        && are_in_order(days, "YMWD")
        && are_in_order(time.unwrap_or_default(), "HMS")
}

fn are_in_order(part: &str, designators: &str) -> bool {
    let mut designators = designators.chars();
    let mut letters = part.chars().filter(|c| !c.is_ascii_digit() && *c != '.');
    letters.all(|letter| designators.any(|known| known == letter))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        if self.months > 0 {
            write!(f, "{}M", self.months)?;
        }
        let (days, time) = (self.milliseconds / DAY, self.milliseconds % DAY);
        if days > 0 || (self.months == 0 && time == 0) {
            write!(f, "{days}D")?;
        }
        if time == 0 {
            return Ok(());
        }
        f.write_str("T")?;
        for (unit, designator) in [(HOUR, 'H'), (MINUTE, 'M')] {
            let count = time % (unit * if unit == HOUR { 24 } else { 60 }) / unit;
            if count > 0 {
                write!(f, "{count}{designator}")?;
            }
        }
        match (time % MINUTE / SECOND, time % SECOND) {
            (0, 0) => Ok(()),
            (seconds, 0) => write!(f, "{seconds}S"),
            (seconds, rest) => write!(f, "{seconds}.{rest:03}S"),
        }
    }
}

const HELP: &str =
    "write an ISO 8601 duration: `P1M` is a month, `P2D` two days, `PT30M` half an hour";

/// Weeks, or days and a time. The parser takes a unit without a number as zero.
const TIME: &str = r"([0-9.,]*W)?([0-9.,]*D)?(T(?=.)([0-9.,]*H)?([0-9.,]*M)?([0-9.,]*S)?)?";

impl TextForm for Period {
    fn pattern() -> String {
        format!("^P(?=.)([0-9.,]*Y)?([0-9.,]*M)?{TIME}$")
    }

    fn help(_: &str) -> String {
        HELP.to_owned()
    }
}

/// A time to wait: a positive duration that does not depend on the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let period: Period = text.parse().map_err(|error: InvalidPeriod| error.to_string())?;
        let fixed = period.fixed().filter(|duration| !duration.is_zero());
        fixed.map(Self).ok_or_else(|| format!("`{text}` is not a fixed, positive duration"))
    }
}

impl TextForm for Wait {
    fn pattern() -> String {
        format!("^P(?=.*[1-9])([0.,]*Y)?([0.,]*M)?{TIME}$")
    }

    fn help(_: &str) -> String {
        "write for example `PT30S` or `PT5M`".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json_schema::matches;
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_as_long_as_the_calendar_says() {
        let month: Period = "P1M".parse().unwrap();
        let start = instant("2026-01-31T00:00:00Z");
        assert_eq!(month.times_after(1, start), Some(instant("2026-02-28T00:00:00Z")));
        assert_eq!(month.times_after(2, start), Some(instant("2026-03-31T00:00:00Z")));
        assert_eq!(month.fixed(), None);
        assert_eq!(
            "P2D".parse::<Period>().unwrap().before(start),
            Some(instant("2026-01-29T00:00:00Z"))
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "P", "PT", "1M", "P1", "P1M2", "P1X", "P-1D", "P1D1M", "P1DT", "1 day", "P1M x"]
        {
            assert_eq!(text.parse::<Period>(), Err(InvalidPeriod(text.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_patterns_take_what_the_parsers_take(text in "P?[0-9YMWDTHS.,]{0,8}") {
            let pattern = Period::pattern();
            prop_assert!(text.parse::<Period>().is_err() || matches(&pattern, &text), "{text}");
            prop_assert!(text.parse::<Wait>().is_err() || matches(&Wait::pattern(), &text), "{text}");
        }

        #[test]
        fn every_period_survives_writing(months in 0_u32..1000, milliseconds in 0..1_000_000 * DAY) {
            let period = Period { months, milliseconds };
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }
    }
}
