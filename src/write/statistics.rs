//! File statistics: minimum, maximum and null count of the columns that readers filter by.
//!
//! The manifest keeps them, so readers can skip files. Parquet has them for all columns; the manifest has those of keys,
//! cursor, sort order and partitions, so that it stays small with thousands of files.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataFrame, PlSmallStr, PolarsResult, Series};
use serde::{Deserialize, Serialize};

use crate::normalise::scalar_texts;
use crate::schema::{ColumnSource, SmallMap, TableSchema};

/// With this many partial minima and maxima, they are reduced.
const MOST_ENDS: usize = 64;
/// Longer texts are left out.
const MOST_BYTES: usize = 64;

/// The statistics of a file, by column name.
pub type Statistics = SmallMap<MinMax>;

/// Minimum, maximum and null count of a column, as texts that read back as the same values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinMax {
    /// The minimum, unless all values are null or it is a long text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The maximum, unless all values are null or it is a long text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// How many values are null.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nulls: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Collects the statistics of the rows of a file.
#[derive(Debug, Default)]
pub struct StatisticsCollector {
    columns: BTreeMap<String, ColumnEnds>,
}

#[derive(Debug)]
struct ColumnEnds {
    /// The minimum and maximum of each observed part.
    ends: Series,
    nulls: u64,
}

/// The columns of a table's files that have statistics.
#[must_use]
pub fn columns(schema: &TableSchema) -> BTreeSet<String> {
    let partitions = schema.partition_by.iter().map(|field| field.column.clone());
    let found_by = schema.row_key().into_iter().chain(schema.cursor.clone());
    // Of a history, so that readers of one instant skip files, and versions never begin before those that they follow.
    let validity = [ColumnSource::ValidFrom, ColumnSource::ValidTo];
    let validity = validity.iter().filter_map(|source| schema.own_column(source).cloned());
    let found_by: BTreeSet<String> = found_by
        .chain(schema.sort_by.iter().cloned())
        .chain(partitions)
        .chain(validity)
        .map(|name| name.to_string())
        .collect();
    let in_files = schema.columns.iter().filter(|column| column.column_type.is_scalar());
    in_files.map(|column| column.name.to_string()).filter(|name| found_by.contains(name)).collect()
}

impl StatisticsCollector {
    /// Adds rows.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn observe(&mut self, rows: &DataFrame, columns: &BTreeSet<String>) -> PolarsResult<()> {
        for name in columns {
            let column = rows.column(name)?.as_materialized_series();
            let ends = min_max(column)?;
            self.add(name, &ends, column.null_count() as u64)?;
        }
        Ok(())
    }

    /// Adds what another collector has.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn merge(&mut self, other: &Self) -> PolarsResult<()> {
        for (name, ColumnEnds { ends, nulls }) in &other.columns {
            self.add(name, ends, *nulls)?;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, ends: &Series, nulls: u64) -> PolarsResult<()> {
        match self.columns.get_mut(name) {
            None => {
                self.columns.insert(name.to_owned(), ColumnEnds { ends: ends.clone(), nulls });
            }
            Some(seen) => {
                seen.ends.append(ends)?;
                seen.nulls += nulls;
                if seen.ends.len() >= MOST_ENDS {
                    seen.ends = min_max(&seen.ends)?;
                }
            }
        }
        Ok(())
    }

    /// The statistics of all rows.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn finish(self) -> PolarsResult<Statistics> {
        let of_columns = self.columns.into_iter().map(|(name, ColumnEnds { ends, nulls })| {
            let texts = scalar_texts(&min_max(&ends)?)?;
            let short = |text: &Option<String>| text.clone().filter(|it| it.len() <= MOST_BYTES);
            let (min, max) = (short(&texts[0]), short(&texts[1]));
            Ok((name, MinMax { min, max, nulls }))
        });
        of_columns.collect()
    }
}

/// The minimum and the maximum.
fn min_max(values: &Series) -> PolarsResult<Series> {
    let mut min_max = values.min_reduce()?.into_series(PlSmallStr::EMPTY);
    min_max.append(&values.max_reduce()?.into_series(PlSmallStr::EMPTY))?;
    Ok(min_max)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType, IntoColumn, NamedFrom};

    use super::*;

    #[test]
    fn p4_the_ends_of_a_column_are_exact_and_of_all_parts() {
        let part = |values: &[Option<i64>], texts: &[&str]| {
            let numbers = Series::new("n".into(), values);
            let decimals = numbers.cast(&DataType::Decimal(38, 2)).unwrap().with_name("d".into());
            let texts = Series::new("t".into(), texts);
            let columns = [numbers, decimals, texts].map(IntoColumn::into_column);
            DataFrame::new(values.len(), columns.to_vec()).unwrap()
        };
        let columns = ["n", "d", "t"].map(str::to_owned).into();
        let mut collector = StatisticsCollector::default();
        let long = "x".repeat(MOST_BYTES + 1);
        collector.observe(&part(&[Some(5), None], &["b", &long]), &columns).unwrap();
        collector.observe(&part(&[None, Some(-7)], &["B", "ä"]), &columns).unwrap();
        let found = collector.finish().unwrap();
        let of = |name: &str| found.get(name).unwrap();
        let ends = |name: &str| (of(name).min.as_deref(), of(name).max.as_deref());
        assert_eq!(ends("n"), (Some("-7"), Some("5")));
        assert_eq!(ends("d"), (Some("-7.00"), Some("5.00")));
        assert_eq!(ends("t"), (Some("B"), Some("ä")));
        assert_eq!(of("n").nulls, 2);
    }
}
