//! Partition: which Hive directory each row belongs to.
//!
//! | partition | value | directory |
//! |---|---|---|
//! | `month(created_at)` | `2026-10-05T14:03:07Z` | `created_at_month=2026-10` |
//! | `year(created_at)` | `2026-10-05` | `created_at_year=2026` |
//! | `day(created_at)` | `2026-10-05T14:03:07Z` | `created_at_day=2026-10-05` |
//! | `status` | `Sent` | `status=Sent` |
//! | `status` | `a/b c` | `status=a%2Fb%20c` |
//! | any | null | `status=__HIVE_DEFAULT_PARTITION__` |
//! | `status` | `__HIVE_DEFAULT_PARTITION__` | `status=%5F_HIVE_DEFAULT_PARTITION__` |
//!
//! A child row lies in the partition of its record, so that a record and its lines are always together.

use std::fmt::{self, Write};
use std::hash::Hash;

use chrono::{Datelike, NaiveDate, NaiveTime};
use indexmap::IndexSet;
use polars::prelude::{DataFrame, DataType, PlIndexMap, PlIndexSet, PolarsResult, Series};

use crate::normalise::scalar_texts;
use crate::schema::{PartitionField, Transform, Window, date_of, percent_encoded};

/// The directory name of null, as Hive has it.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// The directories of one partition, outermost first; empty for a table that is not partitioned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct PartitionKey(Vec<(String, Option<String>)>);

impl fmt::Display for PartitionKey {
    /// `created_at_month=2026-10/status=Sent`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, (key, value)) in self.0.iter().enumerate() {
            if level > 0 {
                f.write_char('/')?;
            }
            write!(f, "{key}=")?;
            match value {
                // A text that reads like null is none.
                Some(value) if value == NULL => write!(f, "%5F{}", &NULL[1..])?,
                Some(value) => f.write_str(&percent_encoded(value))?,
                None => f.write_str(NULL)?,
            }
        }
        Ok(())
    }
}

/// Sorts rows into partitions, giving each partition a number.
#[derive(Debug, Default)]
pub struct Partitioner {
    /// By their texts, so that rows of one directory never have two numbers.
    directories: IndexSet<String>,
}

impl Partitioner {
    /// The number of each row's partition.
    ///
    /// # Errors
    /// A column is not there or of another type, which `Schemas::settle` rules out.
    pub fn assign(
        &mut self,
        rows: &DataFrame,
        fields: &[PartitionField],
    ) -> PolarsResult<Vec<usize>> {
        // The directories so far of each row, as a position among those that there are.
        let mut keys = vec![PartitionKey::default()];
        let mut key_of_row = vec![0; rows.height()];
        for field in fields {
            let column = rows.column(field.column.as_str())?.as_materialized_series();
            let values = partition_values(column, field.transform)?;
            let mut longer: PlIndexMap<(usize, usize), PartitionKey> = PlIndexMap::default();
            for (key, value) in key_of_row.iter_mut().zip(values.of_row) {
                let entry = longer.entry((*key, value));
                let position = entry.index();
                entry.or_insert_with(|| {
                    let PartitionKey(mut levels) = keys[*key].clone();
                    levels.push((field.directory_key(), values.texts[value].clone()));
                    PartitionKey(levels)
                });
                *key = position;
            }
            keys = longer.into_values().collect();
        }
        let numbers: Vec<usize> =
            keys.iter().map(|key| self.directories.insert_full(key.to_string()).0).collect();
        Ok(key_of_row.into_iter().map(|key| numbers[key]).collect())
    }

    /// How many partitions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.directories.len()
    }

    /// The directories of a number that [`assign`](Self::assign) gave; none for a table that is not partitioned.
    #[must_use]
    pub fn directory(&self, number: usize) -> &str {
        self.directories.get_index(number).map_or("", String::as_str)
    }
}

/// Whether all that a partition can hold is of a window, which is of whole partitions.
#[must_use]
pub fn lies_within(partition: &str, fields: &[PartitionField], window: Window) -> bool {
    span_of(partition, fields)
        .is_some_and(|span| window.start <= span.start && span.start < window.end)
}

/// The range of time that a partition's directory is about, if one of its fields is a part of the calendar.
fn span_of(partition: &str, fields: &[PartitionField]) -> Option<Window> {
    let field = fields.iter().find(|field| field.transform != Transform::Identity)?;
    let key = field.directory_key();
    let value = partition.split('/').find_map(|part| part.strip_prefix(&key)?.strip_prefix('='))?;
    // A year and a month are written like the first day in them, cut short.
    let day = format!("{value}{}", &"0000-01-01"[value.len().min(10)..]);
    let day: NaiveDate = day.parse().ok()?;
    field.transform.span(day.and_time(NaiveTime::MIN).and_utc())
}

/// The values of a column, each once, and which of them each row has.
struct PartitionValues {
    texts: Vec<Option<String>>,
    of_row: Vec<usize>,
}

impl PartitionValues {
    fn of<V: Hash + Eq + Copy>(
        values: impl Iterator<Item = V>,
        text: impl Fn(V) -> Option<String>,
    ) -> Self {
        let mut distinct = PlIndexSet::default();
        let of_row = values.map(|value| distinct.insert_full(value).0).collect();
        Self { texts: distinct.into_iter().map(text).collect(), of_row }
    }
}

fn partition_values(column: &Series, transform: Transform) -> PolarsResult<PartitionValues> {
    let length = match transform {
        Transform::Identity => {
            let texts = scalar_texts(column)?;
            let values = texts.iter().map(Option::as_deref);
            return Ok(PartitionValues::of(values, |text| text.map(str::to_owned)));
        }
        Transform::Year => "2026".len(),
        Transform::Month => "2026-10".len(),
        Transform::Day => "2026-10-05".len(),
    };
    let first_day = |day: i32| {
        let day = date_of(day)?;
        match transform {
            Transform::Year => day.with_ordinal(1),
            Transform::Month => day.with_day(1),
            Transform::Day | Transform::Identity => Some(day),
        }
    };
    let name =
        |first_day: Option<NaiveDate>| Some(first_day?.to_string().chars().take(length).collect());
    if column.dtype() == &DataType::Date {
        let days = column.date()?.physical().iter();
        return Ok(PartitionValues::of(days.map(|day| first_day(day?)), name));
    }
    let day = |instant: i64| i32::try_from(instant.div_euclid(MICROSECONDS_PER_DAY)).ok();
    let instants = column.datetime()?.physical().iter();
    Ok(PartitionValues::of(instants.map(|instant| first_day(day(instant?)?)), name))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, NamedFrom, TimeUnit, TimeZone};

    use super::*;

    fn directories(column: Series, transform: Transform) -> Vec<String> {
        let field = PartitionField { column: "c".parse().unwrap(), transform };
        let rows =
            DataFrame::new(column.len(), vec![Column::from(column.with_name("c".into()))]).unwrap();
        let mut partitioner = Partitioner::default();
        let numbers = partitioner.assign(&rows, &[field]).unwrap();
        numbers.into_iter().map(|number| partitioner.directory(number).to_owned()).collect()
    }

    #[test]
    fn directories_of_the_table() {
        let instants = Series::new("c".into(), [Some(1_791_201_787_000_000_i64), None])
            .cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))
            .unwrap();
        assert_eq!(
            directories(instants.clone(), Transform::Month),
            ["c_month=2026-10", "c_month=__HIVE_DEFAULT_PARTITION__"]
        );
        assert_eq!(directories(instants.clone(), Transform::Year)[0], "c_year=2026");
        assert_eq!(directories(instants, Transform::Day)[0], "c_day=2026-10-05");
        let texts = Series::new("c".into(), ["Sent", "a/b c", "é"]);
        assert_eq!(directories(texts, Transform::Identity), ["c=Sent", "c=a%2Fb%20c", "c=%C3%A9"]);
        let null_and_its_name = Series::new("c".into(), [None, Some(NULL)]);
        assert_eq!(
            directories(null_and_its_name, Transform::Identity),
            ["c=__HIVE_DEFAULT_PARTITION__", "c=%5F_HIVE_DEFAULT_PARTITION__"]
        );
    }
}
