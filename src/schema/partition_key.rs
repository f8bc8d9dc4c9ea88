//! Partition keys: one value for each partition field, and the directory that they make.
//!
//! | field | value | directory |
//! |---|---|---|
//! | `month(created_at)` | the month from 2026-10-01 | `created_at_month=2026-10` |
//! | `status` | `Sent` | `status_partition=Sent` |
//! | `status` | `å/b c` | `status_partition=å%2Fb c` |
//! | `status` | the empty text | `status_partition=empty` |
//! | any | null | `status_partition=none` |
//! | `status` | `none` | `status_partition=text-none` |
//!
//! [`PartitionKey::parse`] is the only inverse. Manifests keep a key as its directory. A record and its child rows have
//! one key, in whatever directories: [`TableSchema::directory_of`](super::TableSchema::directory_of) names those of a table.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::NaiveDateTime;
use serde::{Serialize, Serializer};

use super::directory_value::{directory_value, parse_directory_value};
use super::{PartitionField, Transform, Window};

/// The value of one partition field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartitionValue {
    /// No value, or a time beyond the calendar.
    Null,
    /// The text of the column's value.
    Text(String),
    /// The range of time that starts here, on the clocks of the field's time zone.
    TimeRange(NaiveDateTime),
}

/// The values of a partition, outermost field first. The key of a table without partitions is empty.
///
/// Keys are equal, and sorted, by their directories.
#[derive(Debug, Clone, Default)]
pub struct PartitionKey {
    levels: Arc<[(PartitionField, PartitionValue)]>,
    directory: Arc<str>,
}

/// A directory that does not belong to a table's partition fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{directory}` is not a partition by {fields}")]
pub struct InvalidPartitionKey {
    directory: String,
    fields: String,
}

impl PartitionValue {
    /// The value's name in a directory.
    fn directory_value(&self, field: &PartitionField) -> String {
        match self {
            Self::Null => directory_value(None),
            Self::Text(text) => directory_value(Some(text)),
            Self::TimeRange(start) => {
                let ranges = field.transform.time_ranges();
                directory_value(ranges.map(|ranges| ranges.unit().text_of(*start)).as_deref())
            }
        }
    }

    fn parse(text: &str, field: &PartitionField) -> Option<Self> {
        Some(match (parse_directory_value(text)?, field.transform) {
            (None, _) => Self::Null,
            (Some(text), Transform::Identity) => Self::Text(text),
            (Some(text), Transform::Time(ranges)) => Self::TimeRange(ranges.unit().parse(&text)?),
        })
    }
}

impl PartitionKey {
    /// The key with these values, outermost first.
    #[must_use]
    pub fn new(levels: Vec<(PartitionField, PartitionValue)>) -> Self {
        let names = levels.iter().map(|(field, _)| field.directory_key());
        let directory = joined(&levels, names).into();
        Self { levels: levels.into(), directory }
    }

    /// The partition of rows that have no value for any of these fields.
    #[must_use]
    pub fn of_nulls(fields: &[PartitionField]) -> Self {
        Self::new(fields.iter().map(|field| (field.clone(), PartitionValue::Null)).collect())
    }

    /// The key with one more value.
    #[must_use]
    pub fn with(&self, field: PartitionField, value: PartitionValue) -> Self {
        Self::new(self.levels.iter().cloned().chain([(field, value)]).collect())
    }

    /// The key of a directory of a table that is partitioned by these fields.
    ///
    /// # Errors
    /// The directory belongs to other fields.
    pub fn parse(directory: &str, fields: &[PartitionField]) -> Result<Self, InvalidPartitionKey> {
        let invalid = || InvalidPartitionKey {
            directory: directory.to_owned(),
            fields: format!(
                "[{}]",
                fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        let parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
        if parts.len() != fields.len() {
            return Err(invalid());
        }
        let levels = parts.into_iter().zip(fields).map(|(part, field)| {
            let value = part.strip_prefix(&field.directory_key())?.strip_prefix('=')?;
            Some((field.clone(), PartitionValue::parse(value, field)?))
        });
        levels.collect::<Option<Vec<_>>>().map(Self::new).ok_or_else(invalid)
    }

    /// The values, outermost first.
    pub fn values(&self) -> impl Iterator<Item = &PartitionValue> {
        self.levels.iter().map(|(_, value)| value)
    }

    /// The directories of the partition, relative to those of the table; empty for the empty key.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The same, with other names in front of each `=`, outermost first.
    pub(super) fn directory_named(&self, names: impl Iterator<Item = String>) -> String {
        joined(&self.levels, names)
    }

    /// Whether the table is not partitioned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The range of time that the rows are from, by the outermost field that is a transform of time.
    #[must_use]
    pub fn time_range(&self) -> Option<Window> {
        let mut levels = self.levels.iter();
        let (ranges, value) =
            levels.find_map(|(field, value)| Some((field.transform.time_ranges()?, value)))?;
        match value {
            PartitionValue::TimeRange(start) => ranges.range_from(*start),
            PartitionValue::Null | PartitionValue::Text(_) => None,
        }
    }

    /// Whether all rows of the partition are from a window, which is made of whole partitions: its start and end are
    /// those of [`TimeRanges::whole_from`](super::TimeRanges::whole_from) and
    /// [`TimeRanges::whole_until`](super::TimeRanges::whole_until), or it ends now.
    #[must_use]
    pub fn lies_within(&self, window: Window) -> bool {
        let range = self.time_range();
        range.is_some_and(|range| window.start <= range.start && range.start < window.end)
    }
}

fn joined(
    levels: &[(PartitionField, PartitionValue)],
    names: impl Iterator<Item = String>,
) -> String {
    let parts = levels.iter().zip(names);
    let parts =
        parts.map(|((field, value), name)| format!("{name}={}", value.directory_value(field)));
    parts.collect::<Vec<_>>().join("/")
}

impl fmt::Display for PartitionKey {
    /// `created_at_month=2026-10/status_partition=Sent`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.directory)
    }
}

impl Serialize for PartitionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.directory)
    }
}

impl PartialEq for PartitionKey {
    fn eq(&self, other: &Self) -> bool {
        self.directory == other.directory
    }
}

impl Eq for PartitionKey {}

impl PartialOrd for PartitionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PartitionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.directory.cmp(&other.directory)
    }
}

impl Hash for PartitionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.directory.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;
    use crate::schema::{TimeRanges, TimeUnit};

    fn field(transform: Transform) -> PartitionField {
        PartitionField { column: "c".parse().unwrap(), transform }
    }

    /// Every transform, by UTC and by a time zone.
    fn transforms() -> impl Iterator<Item = Transform> {
        let zones = [None, Some("Europe/Copenhagen".parse().unwrap())];
        let units = TimeUnit::ALL.iter();
        let by = units.flat_map(move |unit| zones.map(|zone| TimeRanges::new(*unit, zone)));
        std::iter::once(Transform::Identity).chain(by.map(Transform::Time))
    }

    /// Instants of all years that chrono has, most of them of years with four digits.
    fn any_instant() -> impl Strategy<Value = NaiveDateTime> {
        let seconds = prop_oneof![
            4 => -62_135_596_800_i64..253_402_300_800,
            1 => -8_000_000_000_000_i64..8_000_000_000_000,
        ];
        seconds.prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap().naive_utc())
    }

    proptest! {
        #[test]
        fn every_transform_of_time_reads_back_what_it_writes(at in any_instant()) {
            for unit in TimeUnit::ALL {
                let start = unit.start_of(at).unwrap();
                let text = unit.text_of(start);
                prop_assert_eq!(unit.parse(&text), Some(start), "{:?} {}", unit, text);
                let end = unit.end_of(start).unwrap();
                prop_assert!(start <= at && at < end, "{:?} {}", unit, text);
                prop_assert_eq!(unit.start_of(end), Some(end));
                prop_assert!(end - start >= unit.resolution());
                prop_assert_eq!(start.and_utc().timestamp_micros()
                    .rem_euclid(unit.resolution().num_microseconds().unwrap()), 0);
            }
        }

        #[test]
        fn texts_of_four_digit_years_sort_by_time(
            seconds in proptest::array::uniform2(-62_135_596_800_i64..253_402_300_800),
        ) {
            let [first, second] = seconds.map(|it| DateTime::from_timestamp(it, 0).unwrap().naive_utc());
            for unit in TimeUnit::ALL {
                let start = |at| unit.start_of(at).unwrap();
                let text = |at| unit.text_of(start(at));
                prop_assert_eq!(text(first).cmp(&text(second)), start(first).cmp(&start(second)));
            }
        }

        #[test]
        fn every_key_reads_back_from_its_directory(
            text in proptest::option::of("\\PC{0,12}|[\\x00-\\x7f]{0,4}|(text-)?(none|empty|null|__HIVE_DEFAULT_PARTITION__)"),
            at in proptest::option::of(any_instant()),
        ) {
            let text = text.map_or(PartitionValue::Null, PartitionValue::Text);
            for transform in transforms() {
                let start = |at| transform.time_ranges()?.unit().start_of(at);
                let value = match transform {
                    Transform::Identity => text.clone(),
                    Transform::Time(_) => at.and_then(start).map_or(PartitionValue::Null, PartitionValue::TimeRange),
                };
                let fields = [field(transform), PartitionField { column: "d".parse().unwrap(), ..field(Transform::Identity) }];
                let key = PartitionKey::default()
                    .with(fields[0].clone(), value)
                    .with(fields[1].clone(), text.clone());
                prop_assert_eq!(key.directory().matches('/').count(), 1);
                prop_assert!(!key.directory().ends_with('=') && !key.directory().contains("=/"));
                let parsed = PartitionKey::parse(key.directory(), &fields).unwrap();
                prop_assert_eq!(&parsed.levels, &key.levels);
                prop_assert_eq!(parsed.to_string(), key.to_string());
            }
        }
    }

    #[test]
    fn every_partition_field_reads_back_as_it_is_written() {
        for transform in transforms() {
            let field = field(transform);
            assert_eq!(field.to_string().parse::<PartitionField>().unwrap(), field);
        }
        for text in [
            "",
            "week(c)",
            "month(c",
            "month()",
            "C",
            "month(c))",
            "month(c, )",
            "month(c, UTC)",
            "c, \"UTC\"",
        ] {
            assert!(text.parse::<PartitionField>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_page_of_definitions_names_every_transform() {
        let page = include_str!("../../docs/definition.md");
        let mut rows = page.lines().filter(|line| line.starts_with("| `partition_by` |"));
        let names_all = |row: &str| {
            TimeUnit::ALL.iter().all(|unit| row.contains(&format!("`{}()`", unit.word())))
        };
        assert!(rows.any(names_all));
    }

    #[test]
    fn directories_of_the_table() {
        let month = TimeUnit::Month.parse("2026-10").unwrap();
        for (transform, value, directory) in [
            (Transform::by(TimeUnit::Month), PartitionValue::TimeRange(month), "c_month=2026-10"),
            (Transform::Identity, PartitionValue::Text("Sent".into()), "c_partition=Sent"),
            (Transform::Identity, PartitionValue::Text("å/b c".into()), "c_partition=å%2Fb c"),
            (Transform::Identity, PartitionValue::Text(String::new()), "c_partition=empty"),
            (Transform::Identity, PartitionValue::Null, "c_partition=none"),
            (Transform::by(TimeUnit::Day), PartitionValue::Null, "c_day=none"),
            (Transform::Identity, PartitionValue::Text("none".into()), "c_partition=text-none"),
        ] {
            let key = PartitionKey::new(vec![(field(transform), value)]);
            assert_eq!(key.directory(), directory);
            assert_eq!(PartitionKey::parse(directory, &[field(transform)]).unwrap(), key);
        }
    }

    #[test]
    fn other_directories_are_refused() {
        let fields = [field(Transform::by(TimeUnit::Month))];
        for directory in ["", "c=2026-10", "c_month=2026-10/d=1", "c_month", "c_month=October"] {
            assert!(PartitionKey::parse(directory, &fields).is_err(), "{directory}");
        }
        assert!(PartitionKey::parse("", &[]).unwrap().is_empty());
    }

    #[test]
    fn the_outermost_time_decides_on_the_range() {
        let fields = [
            field(Transform::Identity),
            field(Transform::by(TimeUnit::Month)),
            field(Transform::by(TimeUnit::Day)),
        ];
        let key =
            PartitionKey::parse("c_partition=x/c_month=2026-10/c_day=2026-10-05", &fields).unwrap();
        let range = key.time_range().unwrap();
        assert_eq!(range.end - range.start, TimeDelta::days(31));
        let null = "c_partition=x/c_month=none/c_day=2026-10-05";
        assert_eq!(PartitionKey::parse(null, &fields).unwrap().time_range(), None);
        assert!(key.lies_within(range));
        assert!(!key.lies_within(Window { start: range.end, ..range }));
    }
}
