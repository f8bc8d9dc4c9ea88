//! Dates in declared formats: rewrites them as ISO 8601.
//!
//! | format | text | rewritten |
//! |---|---|---|
//! | `%d.%m.%Y` | `05.10.2026` | `2026-10-05`, as a timestamp `2026-10-05T00:00:00` |
//! | `%Y-%m-%d %H` | `2026-10-05 14` | `2026-10-05T14:00:00`; no date, since the hour would be lost |
//! | `%d/%m/%Y %H:%M %z` | `05/10/2026 14:03 +0200` | `2026-10-05T12:03:00Z` |
//! | `%s` | `1791072000` | `2026-10-04T00:00:00Z` |
//! | `%I:%M`, without `%p` | `02:03` | nothing: the half of the day is missing |

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{NaiveTime, TimeDelta};
use polars::prelude::{NewChunkedArray, PlSmallStr, StringChunked};

use crate::decode::Raw;
use crate::schema::{ColumnType, format_timestamp};

/// The texts of a column, with those in one of `formats` rewritten; the first format that fits is taken. Other texts stay,
/// and are ISO 8601 or do not fit the column. `None` when there is nothing to rewrite.
pub(super) fn in_iso_form(raw: &Raw, to: &ColumnType, formats: &[String]) -> Option<Raw> {
    let rewrite = rewrite_for(to)?;
    if formats.is_empty() || matches!(raw, Raw::Booleans(_)) {
        return None;
    }
    let formats: Vec<Vec<Item<'_>>> =
        formats.iter().map(|format| StrftimeItems::new(format).collect()).collect();
    let texts = raw.texts();
    let rewritten = texts.iter().map(|text| {
        let text = text?;
        let iso = formats.iter().find_map(|format| rewrite(&fields_of(text, format)?));
        Some(iso.unwrap_or_else(|| text.to_owned()))
    });
    Some(Raw::strings(StringChunked::from_iter_options(PlSmallStr::EMPTY, rewritten)))
}

/// What a text in a format becomes in a column of this type, as ISO 8601. `None` if it is not written in it.
pub(crate) fn iso_form(text: &str, format: &str, to: &ColumnType) -> Option<String> {
    let format: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    rewrite_for(to)?(&fields_of(text, &format)?)
}

/// Writes fields as ISO 8601, for a column of dates or timestamps.
fn rewrite_for(to: &ColumnType) -> Option<fn(&Parsed) -> Option<String>> {
    match to {
        ColumnType::Date => Some(date),
        ColumnType::Timestamp => Some(timestamp),
        _ => None,
    }
}

/// What a text says in a format, if it is written in it.
fn fields_of(text: &str, format: &[Item<'_>]) -> Option<Parsed> {
    let mut fields = Parsed::new();
    parse(&mut fields, text, format.iter()).ok()?;
    Some(fields)
}

/// A date. A time of day other than midnight does not fit, since it would be lost.
fn date(fields: &Parsed) -> Option<String> {
    let date = fields.to_naive_date().ok()?;
    let is_midnight = time_of_day(fields) == Some(NaiveTime::MIN);
    is_midnight.then(|| date.format("%Y-%m-%d").to_string())
}

/// A timestamp, without a zone if the text has none. Without a time of day it is midnight.
fn timestamp(fields: &Parsed) -> Option<String> {
    let (shown, offset) = if fields.timestamp().is_some() {
        (fields.to_datetime().ok()?.naive_utc(), Some(0))
    } else {
        (fields.to_naive_date().ok()?.and_time(time_of_day(fields)?), fields.offset())
    };
    let moment = shown.and_utc() - TimeDelta::seconds(i64::from(offset.unwrap_or(0)));
    // A fraction of a microsecond stays as it is, and does not fit.
    if !moment.timestamp_subsec_nanos().is_multiple_of(1000) {
        return None;
    }
    let mut text = format_timestamp(moment.timestamp_micros())?;
    if offset.is_none() {
        text.truncate(text.trim_end_matches('Z').len());
    }
    Some(text)
}

/// The time of day: midnight if the text has none, full hours if it has no minutes. `None` if it is incomplete.
fn time_of_day(fields: &Parsed) -> Option<NaiveTime> {
    let hour = (fields.hour_div_12(), fields.hour_mod_12());
    let mut fields = fields.clone();
    match (hour, fields.minute()) {
        ((None, None), None) if fields.second().is_none() && fields.nanosecond().is_none() => {
            return Some(NaiveTime::MIN);
        }
        ((Some(_), Some(_)), None) => {
            fields.set_minute(0).ok()?;
        }
        _ => {}
    }
    fields.to_naive_time().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str, format: &str) -> Option<Parsed> {
        fields_of(text, &StrftimeItems::new(format).collect::<Vec<_>>())
    }

    #[test]
    fn dates_are_read_in_their_declared_form() {
        for (text, format, expected) in [
            ("05.10.2026", "%d.%m.%Y", Some("2026-10-05")),
            ("5.1.26", "%d.%m.%y", Some("2026-01-05")),
            ("20261005", "%Y%m%d", Some("2026-10-05")),
            ("05.10.2026 00:00", "%d.%m.%Y %H:%M", Some("2026-10-05")),
            ("05.10.2026 14:03", "%d.%m.%Y %H:%M", None),
            ("05.10.2026 14", "%d.%m.%Y %H", None),
            ("31.02.2026", "%d.%m.%Y", None),
            ("05.10.2026 ", "%d.%m.%Y", None),
        ] {
            assert_eq!(fields(text, format).as_ref().and_then(date).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn timestamps_are_read_in_their_declared_form() {
        for (text, format, expected) in [
            ("05.10.2026 14:03", "%d.%m.%Y %H:%M", Some("2026-10-05T14:03:00")),
            ("05.10.2026", "%d.%m.%Y", Some("2026-10-05T00:00:00")),
            ("05/10/2026 14:03 +0200", "%d/%m/%Y %H:%M %z", Some("2026-10-05T12:03:00Z")),
            ("1791072000", "%s", Some("2026-10-04T00:00:00Z")),
            ("2026-10-05 14", "%Y-%m-%d %H", Some("2026-10-05T14:00:00")),
            ("2026-10-05 02 PM", "%Y-%m-%d %I %p", Some("2026-10-05T14:00:00")),
            ("2026-10-05 14 +0200", "%Y-%m-%d %H %z", Some("2026-10-05T12:00:00Z")),
            ("2026-10-05 02:03", "%Y-%m-%d %I:%M", None),
            ("2026-10-05 :03", "%Y-%m-%d :%M", None),
            ("05.10.2026 14:03:07.1234567", "%d.%m.%Y %H:%M:%S%.f", None),
        ] {
            assert_eq!(
                fields(text, format).as_ref().and_then(timestamp).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
