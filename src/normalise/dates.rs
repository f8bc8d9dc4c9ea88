//! Dates in declared formats: rewrites them as ISO 8601.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use polars::prelude::{IntoSeries, NewChunkedArray, PlSmallStr, Series, StringChunked};

use crate::decode::Raw;
use crate::schema::{ColumnType, format_timestamp};

/// The texts of a column, with those in one of `formats` rewritten; the first format that fits is taken. Other texts stay,
/// and are ISO 8601 or do not fit the column. `None` when there is nothing to rewrite.
pub(super) fn in_iso_form(raw: &Raw, to: &ColumnType, formats: &[String]) -> Option<Series> {
    let rewrite: fn(&str, &str) -> Option<String> = match to {
        ColumnType::Date => date,
        ColumnType::Timestamp => timestamp,
        _ => return None,
    };
    if formats.is_empty() || matches!(raw, Raw::Booleans(_)) {
        return None;
    }
    let texts = raw.texts();
    let rewritten = texts.iter().map(|text| {
        let text = text?;
        let iso = formats.iter().find_map(|format| rewrite(text, format));
        Some(iso.unwrap_or_else(|| text.to_owned()))
    });
    Some(StringChunked::from_iter_options(PlSmallStr::EMPTY, rewritten).into_series())
}

/// A date. A time of day other than midnight does not fit, since it would be lost.
fn date(text: &str, format: &str) -> Option<String> {
    let date = NaiveDate::parse_from_str(text, format).ok()?;
    let time = NaiveDateTime::parse_from_str(text, format).map_or(NaiveTime::MIN, |it| it.time());
    (time == NaiveTime::MIN).then(|| date.format("%Y-%m-%d").to_string())
}

/// A timestamp. Without a zone it is UTC, without a time of day it is midnight.
fn timestamp(text: &str, format: &str) -> Option<String> {
    let zoned = || DateTime::parse_from_str(text, format).ok().map(|moment| moment.to_utc());
    let local = || NaiveDateTime::parse_from_str(text, format).ok().map(|moment| moment.and_utc());
    let midnight = || {
        let date = NaiveDate::parse_from_str(text, format).ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    let moment: DateTime<Utc> = zoned().or_else(local).or_else(midnight)?;
    // A fraction of a microsecond stays as it is, and does not fit.
    let is_exact = moment.timestamp_subsec_nanos().is_multiple_of(1000);
    is_exact.then(|| format_timestamp(moment.timestamp_micros()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_their_declared_form() {
        for (text, format, expected) in [
            ("05.10.2026", "%d.%m.%Y", Some("2026-10-05")),
            ("5.1.26", "%d.%m.%y", Some("2026-01-05")),
            ("20261005", "%Y%m%d", Some("2026-10-05")),
            ("05.10.2026 00:00", "%d.%m.%Y %H:%M", Some("2026-10-05")),
            ("05.10.2026 14:03", "%d.%m.%Y %H:%M", None),
            ("31.02.2026", "%d.%m.%Y", None),
            ("05.10.2026 ", "%d.%m.%Y", None),
        ] {
            assert_eq!(date(text, format).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn timestamps_are_read_in_their_declared_form() {
        for (text, format, expected) in [
            ("05.10.2026 14:03", "%d.%m.%Y %H:%M", Some("2026-10-05T14:03:00Z")),
            ("05.10.2026", "%d.%m.%Y", Some("2026-10-05T00:00:00Z")),
            ("05/10/2026 14:03 +0200", "%d/%m/%Y %H:%M %z", Some("2026-10-05T12:03:00Z")),
            ("1791072000", "%s", Some("2026-10-04T00:00:00Z")),
            ("05.10.2026 14:03:07.1234567", "%d.%m.%Y %H:%M:%S%.f", None),
        ] {
            assert_eq!(timestamp(text, format).as_deref(), expected, "{text}");
        }
    }
}
