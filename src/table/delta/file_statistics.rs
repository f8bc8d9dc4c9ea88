//! The statistics of a data file as Delta has them, from those of its manifest. Readers skip files by them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::schema::{ColumnType, TableSchema};
use crate::table::DataFile;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileStatistics<'a> {
    num_records: u64,
    min_values: BTreeMap<&'a str, Box<RawValue>>,
    max_values: BTreeMap<&'a str, Box<RawValue>>,
    null_count: BTreeMap<&'a str, u64>,
}

/// An end of a column's values.
#[derive(Clone, Copy)]
enum End {
    Min,
    Max,
}

/// The statistics of a file, as JSON.
pub(super) fn statistics(
    file: &DataFile,
    schema: &TableSchema,
) -> Result<String, serde_json::Error> {
    let mut statistics = FileStatistics {
        num_records: file.rows,
        min_values: BTreeMap::new(),
        max_values: BTreeMap::new(),
        null_count: BTreeMap::new(),
    };
    for column in schema.columns.iter().filter(|_| file.has_rows()) {
        let name = column.name.as_str();
        let Some(found) = file.statistics.get(name) else { continue };
        statistics.null_count.insert(name, found.nulls);
        let min = found.min.as_ref().and_then(|it| value(it, &column.column_type, End::Min));
        let max = found.max.as_ref().and_then(|it| value(it, &column.column_type, End::Max));
        if let (Some(min), Some(max)) = (min, max) {
            statistics.min_values.insert(name, min);
            statistics.max_values.insert(name, max);
        }
    }
    serde_json::to_string(&statistics)
}

/// A value as JSON. A number has the digits of its text.
fn value(text: &str, column_type: &ColumnType, end: End) -> Option<Box<RawValue>> {
    match column_type {
        ColumnType::Int64 | ColumnType::Decimal { .. } | ColumnType::Float64 => {
            RawValue::from_string(text.to_owned()).ok()
        }
        ColumnType::Timestamp => quoted(&milliseconds(text, end)?),
        ColumnType::Date | ColumnType::String | ColumnType::Json => quoted(text),
        // Readers do not skip by them.
        ColumnType::Bool | ColumnType::List(_) | ColumnType::Struct(_) => None,
    }
}

fn quoted(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(serde_json::to_string(text).ok()?).ok()
}

/// A timestamp in milliseconds, which is all that readers look at: the least one down, the greatest one up.
fn milliseconds(text: &str, end: End) -> Option<String> {
    let exact: DateTime<Utc> = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let below = exact.trunc_subsecs(3);
    let shown = match end {
        End::Max if below < exact => below.checked_add_signed(TimeDelta::milliseconds(1))?,
        End::Min | End::Max => below,
    };
    // Beyond the year 9999 there is no form that all readers know.
    let text = shown.to_rfc3339_opts(SecondsFormat::Millis, true);
    Some(text).filter(|text| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p4_statistics_have_the_digits_of_the_values_and_no_end_lies_within() {
        let decimal = ColumnType::Decimal { precision: 38, scale: 2 };
        for (text, column_type, min, max) in [
            ("-7", &ColumnType::Int64, Some("-7"), Some("-7")),
            (
                "12345678901234567890123456.10",
                &decimal,
                Some("12345678901234567890123456.10"),
                Some("12345678901234567890123456.10"),
            ),
            (
                "9.223372036854776e18",
                &ColumnType::Float64,
                Some("9.223372036854776e18"),
                Some("9.223372036854776e18"),
            ),
            ("2026-10-05", &ColumnType::Date, Some("\"2026-10-05\""), Some("\"2026-10-05\"")),
            (
                "2026-10-05T14:03:07.123456Z",
                &ColumnType::Timestamp,
                Some("\"2026-10-05T14:03:07.123Z\""),
                Some("\"2026-10-05T14:03:07.124Z\""),
            ),
            (
                "1960-10-05T14:03:07.123456Z",
                &ColumnType::Timestamp,
                Some("\"1960-10-05T14:03:07.123Z\""),
                Some("\"1960-10-05T14:03:07.124Z\""),
            ),
            (
                "2026-10-05T14:03:07Z",
                &ColumnType::Timestamp,
                Some("\"2026-10-05T14:03:07.000Z\""),
                Some("\"2026-10-05T14:03:07.000Z\""),
            ),
            (
                "9999-12-31T23:59:59.999999Z",
                &ColumnType::Timestamp,
                Some("\"9999-12-31T23:59:59.999Z\""),
                None,
            ),
            ("a\"b\nö", &ColumnType::String, Some("\"a\\\"b\\nö\""), Some("\"a\\\"b\\nö\"")),
            ("true", &ColumnType::Bool, None, None),
        ] {
            let shown = |end| value(text, column_type, end).map(|value| value.get().to_owned());
            assert_eq!(
                (shown(End::Min).as_deref(), shown(End::Max).as_deref()),
                (min, max),
                "{text}"
            );
        }
    }
}
