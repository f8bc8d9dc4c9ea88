//! Statistics: the least and the greatest value in a file of each column that rows are found by.
//!
//! They stand in the manifest, so that who looks for rows knows which files cannot have them. Parquet has them for all
//! columns; here they are of keys, cursor, order and partitions, so that a manifest of thousands of files stays small.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataFrame, PlSmallStr, PolarsResult, Series};
use serde::{Deserialize, Serialize};

use crate::normalise::scalar_texts;
use crate::schema::TableSchema;

/// More ends of parts are not kept.
const MOST_ENDS: usize = 64;
/// A longer text is left out.
const MOST_BYTES: usize = 64;

/// What a file holds in some columns, by their names.
pub type Statistics = BTreeMap<String, MinMax>;

/// The ends of a column's values, as texts that are read back as the same values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinMax {
    /// The least, unless there is none or it is a long text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest, unless there is none or it is a long text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// In how many rows there is no value.
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
    /// The ends of each part that was observed.
    ends: Series,
    nulls: u64,
}

/// The columns of a table that rows are found by, as far as they stand in its files.
#[must_use]
pub fn columns(schema: &TableSchema) -> BTreeSet<String> {
    let partitions = schema.partition_by.iter().map(|field| field.column.clone());
    let found_by = schema.row_key().into_iter().chain(schema.cursor.clone());
    let found_by: BTreeSet<String> = found_by
        .chain(schema.sort_by.iter().cloned())
        .chain(partitions)
        .map(|name| name.to_string())
        .collect();
    let in_files = schema.file_columns().filter(|column| column.column_type.is_scalar());
    in_files.map(|column| column.name.to_string()).filter(|name| found_by.contains(name)).collect()
}

impl StatisticsCollector {
    /// Takes in rows.
    ///
    /// # Errors
    /// polars refuses, which would be a mistake of ours.
    pub fn observe(&mut self, rows: &DataFrame, columns: &BTreeSet<String>) -> PolarsResult<()> {
        for name in columns {
            let column = rows.column(name)?.as_materialized_series();
            let ends = min_max(column)?;
            self.add(name, &ends, column.null_count() as u64)?;
        }
        Ok(())
    }

    /// Takes in what another one has.
    ///
    /// # Errors
    /// polars refuses, which would be a mistake of ours.
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

    /// The statistics of all that was taken in.
    ///
    /// # Errors
    /// polars refuses, which would be a mistake of ours.
    pub fn finish(self) -> PolarsResult<Statistics> {
        let mut statistics = Statistics::new();
        for (name, ColumnEnds { ends, nulls }) in self.columns {
            let texts = scalar_texts(&min_max(&ends)?)?;
            let short = |text: &Option<String>| text.clone().filter(|it| it.len() <= MOST_BYTES);
            let (min, max) = (short(&texts[0]), short(&texts[1]));
            statistics.insert(name, MinMax { min, max, nulls });
        }
        Ok(statistics)
    }
}

/// The least and the greatest value.
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
        let ends = |name: &str| (found[name].min.as_deref(), found[name].max.as_deref());
        assert_eq!(ends("n"), (Some("-7"), Some("5")));
        assert_eq!(ends("d"), (Some("-7.00"), Some("5.00")));
        assert_eq!(ends("t"), (Some("B"), Some("ä")));
        assert_eq!(found["n"].nulls, 2);
    }
}
