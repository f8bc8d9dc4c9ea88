//! ISO 8601 dates and timestamps, as exports write them.
//!
//! | text | parsed as |
//! |---|---|
//! | `2026-10-05` | a date |
//! | `2026-10-05T14:03:07Z`, `2026-10-05 14:03:07+02:00` | a timestamp |
//! | `2026-10-05T14:03:07.123456` | a timestamp; without a zone it is taken as UTC, or as the [`LocalTime`] of its column |
//! | `2026-10-05T14:03:07.123456789Z` | neither: a microsecond cannot hold it |
//! | `2026-02-30`, `05.10.2026` | neither |
//! | `0000-01-01`, `9999-12-31T23:59:59-12:00` | neither: years are 1 to 9999, in UTC too |

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};

use super::LocalTime;

/// `chrono` counts days from the year 1, Parquet from 1970.
const DAYS_TO_1970: i32 = 719_163;
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
/// The timestamps from 0001-01-01T00:00:00Z to the end of 9999, in microseconds since 1970. A zone can lead beyond.
const INSTANTS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Days since 1970-01-01 of `YYYY-MM-DD`.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    // Readers in Python have no year 0.
    let year = digits(&bytes[..4]).filter(|year| *year > 0)?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        digits(&bytes[5..7])?,
        digits(&bytes[8..])?,
    )?;
    Some(date.num_days_from_ce() - DAYS_TO_1970)
}

/// Microseconds since 1970-01-01T00:00:00Z of `YYYY-MM-DDTHH:MM:SS`, with up to nine fractional digits (those
/// beyond the sixth must be zero) and an optional zone; UTC without one.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let WrittenTime { shown, offset } = WrittenTime::parse(text)?;
    instant_of(shown, offset.unwrap_or(0))
}

/// The same, but without a zone it is a local time.
#[must_use]
pub fn parse_local_timestamp(text: &str, local: LocalTime) -> Option<i64> {
    match WrittenTime::parse(text)? {
        WrittenTime { shown, offset: Some(offset) } => instant_of(shown, offset),
        WrittenTime { shown, offset: None } => local_instant(shown, local),
    }
}

/// The instant at which clocks show a time. Both are in microseconds since 1970.
#[must_use]
pub fn local_instant(shown: i64, local: LocalTime) -> Option<i64> {
    let shown = DateTime::from_timestamp_micros(shown)?.naive_utc();
    let instant = local.instant_of(shown)?.timestamp_micros();
    INSTANTS.contains(&instant).then_some(instant)
}

/// The midnight of days since 1970-01-01, in microseconds.
#[must_use]
pub fn midnight(day: i32) -> Option<i64> {
    i64::from(day).checked_mul(MICROSECONDS_PER_DAY)
}

/// A time as it is written.
struct WrittenTime {
    /// In microseconds since 1970-01-01T00:00:00 on the same clock.
    shown: i64,
    /// How many seconds east of UTC the clock is, if the text says it.
    offset: Option<i64>,
}

#[inline]
fn instant_of(shown: i64, offset: i64) -> Option<i64> {
    let instant = shown.checked_sub(offset * 1_000_000)?;
    INSTANTS.contains(&instant).then_some(instant)
}

impl WrittenTime {
    // Every text of an export that may be a timestamp comes here.
    #[inline]
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() < 19
            || !matches!(bytes[10], b'T' | b't' | b' ')
            || bytes[13] != b':'
            || bytes[16] != b':'
        {
            return None;
        }
        let day = parse_date(text.get(..10)?)?;
        let (hour, minute, second) =
            (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, zone) = split_fraction(&bytes[19..])?;
        let seconds = i64::from(hour * 3600 + minute * 60 + second);
        let shown = midnight(day)?.checked_add(seconds * 1_000_000)?.checked_add(fraction)?;
        let offset = if zone.is_empty() { None } else { Some(zone_seconds(zone)?) };
        Some(Self { shown, offset })
    }
}

/// The date of days since 1970-01-01; `None` outside chrono's calendar.
#[must_use]
pub fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(DAYS_TO_1970)?)
}

/// `YYYY-MM-DD` of days since 1970-01-01; `None` outside chrono's calendar.
#[must_use]
pub fn format_date(days: i32) -> Option<String> {
    Some(date_of(days)?.format("%Y-%m-%d").to_string())
}

/// `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` of microseconds since 1970; `None` outside chrono's calendar.
#[must_use]
pub fn format_timestamp(microseconds: i64) -> Option<String> {
    let moment: NaiveDateTime = DateTime::from_timestamp_micros(microseconds)?.naive_utc();
    let form = if moment.time() == NaiveTime::MIN || microseconds % 1_000_000 == 0 {
        "%Y-%m-%dT%H:%M:%SZ"
    } else {
        "%Y-%m-%dT%H:%M:%S%.6fZ"
    };
    Some(moment.format(form).to_string())
}

/// The form of a timestamp that is written as nearly all are: `YYYY-MM-DDTHH:MM:SS`, some digits of a second, perhaps
/// `Z`. Form and instant together give the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampForm {
    /// With the point.
    fraction_bytes: u8,
    has_zone: bool,
}

impl TimestampForm {
    /// Whether it says its zone, which is UTC.
    #[must_use]
    pub fn has_zone(self) -> bool {
        self.has_zone
    }

    /// The form of a text that is a timestamp; `None` when it is written in another way.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let rest = text.as_bytes().get(19..).filter(|_| text.as_bytes()[10] == b'T')?;
        let (fraction, has_zone) = match rest {
            [fraction @ .., b'Z'] => (fraction, true),
            fraction => (fraction, false),
        };
        let is_fraction = match fraction {
            [] => true,
            [b'.', digits @ ..] => digits.len() <= 6 && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let fraction_bytes = u8::try_from(fraction.len()).ok()?;
        is_fraction.then_some(Self { fraction_bytes, has_zone })
    }

    /// The text of an instant that was written in this form, from microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn write(self, microseconds: i64) -> Option<String> {
        let moment = DateTime::from_timestamp_micros(microseconds)?.naive_utc();
        let mut text = moment.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        text.truncate("YYYY-MM-DDTHH:MM:SS".len() + usize::from(self.fraction_bytes));
        if self.has_zone {
            text.push('Z');
        }
        Some(text)
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// The microseconds of `.123…`, and what follows.
fn split_fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > 9 || fraction[..length].iter().skip(6).any(|digit| *digit != b'0') {
        return None;
    }
    let kept = length.min(6);
    let value = i64::from(digits(&fraction[..kept])?) * 10_i64.pow(6 - u32::try_from(kept).ok()?);
    Some((value, &fraction[length..]))
}

/// Seconds east of UTC of `Z`, `+02:00`, `+0200` or `+02`.
fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, offset) = match zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', offset @ ..] => (1, offset),
        [b'-', offset @ ..] => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = match offset {
        [_, _] => (digits(offset)?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_the_table() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2026-10-05"), Some(20_731));
        for text in
            ["2026-02-30", "05.10.2026", "2026-1-05", "2026-10-05Z", "0000-01-01", "２０２６-10"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_of_the_table() {
        let noon = 1_791_201_787_000_000;
        assert_eq!(parse_timestamp("2026-10-05T12:03:07Z"), Some(noon));
        assert_eq!(parse_timestamp("2026-10-05 14:03:07+02:00"), Some(noon));
        assert_eq!(parse_timestamp("2026-10-05T06:33:07-0530"), Some(noon));
        assert_eq!(parse_timestamp("2026-10-05T12:03:07.123456"), Some(noon + 123_456));
        assert_eq!(parse_timestamp("2026-10-05T12:03:07.5Z"), Some(noon + 500_000));
        assert_eq!(parse_timestamp("2026-10-05T12:03:07.123456000Z"), Some(noon + 123_456));
        for text in [
            "2026-10-05T12:03:07.123456789Z",
            "2026-10-05T12:03",
            "2026-10-05T24:00:00Z",
            "2026-10-05T12:03:07 Z",
            "2026-10-05T12:03:07.",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+01:00",
            "0000-12-31T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_without_a_zone_are_local_times() {
        let local = |zone: &str, text| {
            let local = LocalTime { timezone: zone.parse().unwrap(), ambiguous: None };
            format_timestamp(parse_local_timestamp(text, local)?)
        };
        for (zone, text, expected) in [
            ("Europe/Copenhagen", "2026-07-01T12:00:00", Some("2026-07-01T10:00:00Z")),
            ("Europe/Copenhagen", "2026-12-01 12:00:00.25", Some("2026-12-01T11:00:00.250000Z")),
            ("Europe/Copenhagen", "2026-07-01T12:00:00Z", Some("2026-07-01T12:00:00Z")),
            ("Europe/Copenhagen", "2026-10-25T02:30:00+01:00", Some("2026-10-25T01:30:00Z")),
            ("Europe/Copenhagen", "2026-10-25T02:30:00", None),
            ("Europe/Copenhagen", "2026-07-01", None),
            ("Europe/Copenhagen", "0001-01-01T00:00:00", None),
            ("America/New_York", "9999-12-31T23:59:59", None),
            ("America/New_York", "0001-01-01T00:00:00", Some("0001-01-01T04:56:02Z")),
        ] {
            assert_eq!(local(zone, text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn p4_the_text_of_a_timestamp_can_be_told(
            text in "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,8})?(Z|z|\\+02:00)?",
        ) {
            if let (Some(instant), Some(form)) = (parse_timestamp(&text), TimestampForm::of(&text)) {
                prop_assert_eq!(form.write(instant), Some(text));
            }
        }
    }

    #[test]
    fn the_form_of_nearly_all_timestamps_is_known() {
        for text in ["2026-10-05T12:03:07", "2026-10-05T12:03:07Z", "0001-01-01T00:00:00.000000"] {
            let form = TimestampForm::of(text).unwrap();
            assert_eq!(form.write(parse_timestamp(text).unwrap()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_formatted_reads_back() {
        for value in [0, -1, 1_791_201_787_000_000, 1_791_201_787_123_456] {
            assert_eq!(parse_timestamp(&format_timestamp(value).unwrap()), Some(value));
        }
        assert_eq!(parse_date(&format_date(-400_000).unwrap()), Some(-400_000));
    }
}
