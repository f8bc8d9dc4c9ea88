//! Assigns each row to its partition.
//!
//! [`Transform`] defines the values, [`PartitionKey`] the directories. A child row is in the partition of its record, so
//! that a record and its child rows stay together.

use std::hash::Hash;

use chrono::{DateTime, NaiveDateTime};
use polars::prelude::{DataFrame, DataType, PlIndexMap, PlIndexSet, PolarsResult, Series};

use crate::normalise::scalar_texts;
use crate::schema::{PartitionField, PartitionKey, PartitionValue, TimeRanges, Transform, Zone};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// Sorts rows into partitions, giving each partition a number.
#[derive(Debug, Default)]
pub struct Partitioner {
    keys: PlIndexSet<PartitionKey>,
}

impl Partitioner {
    /// The number of each row's partition.
    ///
    /// # Errors
    /// A column is missing or of another type, which `Schemas::resolve` rules out.
    pub fn assign(
        &mut self,
        rows: &DataFrame,
        fields: &[PartitionField],
    ) -> PolarsResult<Vec<usize>> {
        // The key so far of each row, as a position among those that there are.
        let mut keys = vec![PartitionKey::default()];
        let mut key_of_row = vec![0; rows.height()];
        for field in fields {
            let column = rows.column(field.column.as_str())?.as_materialized_series();
            let column = PartitionColumn::of(column, field.transform)?;
            let mut longer: PlIndexMap<(usize, usize), PartitionKey> = PlIndexMap::default();
            for (key, value) in key_of_row.iter_mut().zip(column.value_of_row) {
                let entry = longer.entry((*key, value));
                let position = entry.index();
                entry.or_insert_with(|| {
                    keys[*key].with(field.clone(), column.values[value].clone())
                });
                *key = position;
            }
            keys = longer.into_values().collect();
        }
        let numbers: Vec<usize> =
            keys.into_iter().map(|key| self.keys.insert_full(key).0).collect();
        Ok(key_of_row.into_iter().map(|key| numbers[key]).collect())
    }

    /// The number of a partition.
    pub fn number(&mut self, key: PartitionKey) -> usize {
        self.keys.insert_full(key).0
    }

    /// How many partitions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The key of a number that [`assign`](Self::assign) gave; the empty key for a table without partitions.
    #[must_use]
    pub fn key(&self, number: usize) -> PartitionKey {
        self.keys.get_index(number).cloned().unwrap_or_default()
    }
}

/// The partition values of a column, each once, and which of them each row has.
struct PartitionColumn {
    values: Vec<PartitionValue>,
    value_of_row: Vec<usize>,
}

impl PartitionColumn {
    fn of(column: &Series, transform: Transform) -> PolarsResult<Self> {
        let Some(ranges) = transform.time_ranges() else {
            let texts = scalar_texts(column)?;
            let texts = texts.into_iter();
            return Ok(Self::distinct(texts, |text| {
                text.map_or(PartitionValue::Null, PartitionValue::Text)
            }));
        };
        // A column without a value has no type of its own yet.
        if column.null_count() == column.len() {
            let nulls = std::iter::repeat_n((), column.len());
            return Ok(Self::distinct(nulls, |()| PartitionValue::Null));
        }
        if column.dtype() == &DataType::Date {
            let days = column.date()?.physical().iter();
            let micros = days.map(|day| i64::from(day?).checked_mul(MICROSECONDS_PER_DAY));
            return Ok(Self::of_times(micros, ranges));
        }
        let micros = column.datetime()?.physical().iter();
        Ok(match ranges.zone() {
            None => Self::of_times(micros, ranges),
            Some(zone) => Self::of_times(micros.map(|at| shown_micros(zone, at?)), ranges),
        })
    }

    /// By what the clocks show, in microseconds since 1970.
    fn of_times(shown: impl Iterator<Item = Option<i64>>, ranges: TimeRanges) -> Self {
        // Few rows have a day, or an hour, of their own: each is looked up in the calendar once.
        let unit = ranges.unit();
        let resolution = unit.resolution().num_microseconds().unwrap_or(1).max(1);
        let value = |number: Option<i64>| {
            let shown = number.and_then(|number| time_of(number.checked_mul(resolution)?));
            let start = shown.and_then(|shown| unit.start_of(shown));
            start.map_or(PartitionValue::Null, PartitionValue::TimeRange)
        };
        Self::distinct(shown.map(|shown| Some(shown?.div_euclid(resolution))), value)
    }

    /// Numbers the values of rows that are not alike.
    fn distinct<V: Hash + Eq>(
        of_rows: impl Iterator<Item = V>,
        value: impl Fn(V) -> PartitionValue,
    ) -> Self {
        let mut distinct = PlIndexSet::default();
        let of_row: Vec<usize> = of_rows.map(|value| distinct.insert_full(value).0).collect();
        let mut values = PlIndexSet::default();
        let numbers: Vec<usize> =
            distinct.into_iter().map(|it| values.insert_full(value(it)).0).collect();
        Self {
            values: values.into_iter().collect(),
            value_of_row: of_row.into_iter().map(|at| numbers[at]).collect(),
        }
    }
}

/// The time of microseconds since 1970; none beyond the calendar.
fn time_of(micros: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp_micros(micros)?.naive_utc())
}

/// What the clocks of a zone show at an instant. Both are in microseconds since 1970.
fn shown_micros(zone: Zone, at: i64) -> Option<i64> {
    Some(zone.shown_at(time_of(at)?.and_utc())?.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, NamedFrom, TimeUnit as Precision, TimeZone};

    use super::*;
    use crate::schema::TimeUnit;

    fn directories(column: Series, transform: Transform) -> Vec<String> {
        let field = PartitionField { column: "c".parse().unwrap(), transform };
        let rows =
            DataFrame::new(column.len(), vec![Column::from(column.with_name("c".into()))]).unwrap();
        let mut partitioner = Partitioner::default();
        let numbers = partitioner.assign(&rows, &[field]).unwrap();
        numbers.into_iter().map(|number| partitioner.key(number).to_string()).collect()
    }

    #[test]
    fn directories_of_the_table() {
        let instants = Series::new("c".into(), [Some(1_791_201_787_000_000_i64), None])
            .cast(&DataType::Datetime(Precision::Microseconds, Some(TimeZone::UTC)))
            .unwrap();
        assert_eq!(
            directories(instants.clone(), Transform::by(TimeUnit::Month)),
            ["c_month=2026-10", "c_month=none"]
        );
        assert_eq!(directories(instants.clone(), Transform::by(TimeUnit::Year))[0], "c_year=2026");
        assert_eq!(directories(instants, Transform::by(TimeUnit::Day))[0], "c_day=2026-10-05");
        let days = Series::new("c".into(), [Some(20_731_i32), Some(-1), None])
            .cast(&DataType::Date)
            .unwrap();
        assert_eq!(
            directories(days, Transform::by(TimeUnit::Month)),
            ["c_month=2026-10", "c_month=1969-12", "c_month=none"]
        );
        let texts = Series::new("c".into(), ["Sent", "a/b c", "é"]);
        assert_eq!(
            directories(texts, Transform::Identity),
            ["c_partition=Sent", "c_partition=a%2Fb c", "c_partition=é"]
        );
        let null_and_its_name = Series::new("c".into(), [None, Some("none")]);
        assert_eq!(
            directories(null_and_its_name, Transform::Identity),
            ["c_partition=none", "c_partition=text-none"]
        );
    }

    #[test]
    fn directories_of_a_time_zone() {
        let instants = Series::new("c".into(), [1_793_489_400_000_000_i64])
            .cast(&DataType::Datetime(Precision::Microseconds, Some(TimeZone::UTC)))
            .unwrap();
        let zone = "Europe/Copenhagen".parse().ok();
        for (unit, directory) in [
            (TimeUnit::Year, "c_year=2026"),
            (TimeUnit::Month, "c_month=2026-11"),
            (TimeUnit::Day, "c_day=2026-11-01"),
            (TimeUnit::Hour, "c_hour=2026-11-01-00"),
        ] {
            let by = Transform::Time(TimeRanges::new(unit, zone));
            assert_eq!(directories(instants.clone(), by), [directory]);
        }
    }

    #[test]
    fn rows_of_one_directory_have_one_number() {
        let instants = Series::new("c".into(), [0_i64, 86_400_000_000, 0])
            .cast(&DataType::Datetime(Precision::Microseconds, Some(TimeZone::UTC)))
            .unwrap();
        let rows = DataFrame::new(3, vec![Column::from(instants)]).unwrap();
        let field = |transform| PartitionField { column: "c".parse().unwrap(), transform };
        let mut partitioner = Partitioner::default();
        assert_eq!(
            partitioner.assign(&rows, &[field(Transform::by(TimeUnit::Year))]).unwrap(),
            [0, 0, 0]
        );
        assert_eq!(partitioner.count(), 1);
        let fields = [field(Transform::by(TimeUnit::Year)), field(Transform::by(TimeUnit::Day))];
        assert_eq!(partitioner.assign(&rows, &fields).unwrap(), [1, 2, 1]);
    }
}
