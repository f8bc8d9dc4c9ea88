//! Latest: of several records with one key in an export, the one that stays.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use polars::prelude::{AnyValue, Column, DataFrame, PolarsResult, Series};

use super::conform::scalar_texts;
use super::schema::TableSchema;
use crate::definition::WriteDisposition;

/// The records of a table that have a later version, found as they come by in the order of the export.
///
/// That is the one with the greater cursor, or, where both have the same, the one that stands later in the export. A
/// record in which the cursor is null is earlier than any other.
#[derive(Debug, Default)]
pub struct Versions {
    latest: HashMap<Vec<String>, Version>,
    superseded: HashSet<u64>,
}

#[derive(Debug)]
struct Version {
    cursor: AnyValue<'static>,
    /// The number that its record goes by.
    record: u64,
}

impl Versions {
    /// Whether one of two records of this table can be said to be later. Without a cursor that is not known, and all
    /// stay; unless there can be only one, as in a table that is merged: then the one that stands later does.
    #[must_use]
    pub fn are_told(schema: &TableSchema) -> bool {
        let told = schema.cursor.is_some() || schema.disposition == WriteDisposition::Merge;
        told && !schema.primary_key.is_empty()
    }

    /// Takes in the next rows, whose records go by these numbers.
    ///
    /// # Errors
    /// A column is not there, which `Schemas::settle` rules out.
    pub fn observe(
        &mut self,
        schema: &TableSchema,
        rows: &DataFrame,
        records: &[u64],
    ) -> PolarsResult<()> {
        let named = |name: &str| rows.column(name).map(Column::as_materialized_series);
        let cursors = schema.cursor.as_ref().map(|cursor| named(cursor.as_str())).transpose()?;
        let keys: Vec<&Series> =
            schema.primary_key.iter().map(|name| named(name.as_str())).collect::<Result<_, _>>()?;
        for (row, (key, record)) in row_keys(&keys)?.into_iter().zip(records).enumerate() {
            let cursor = match cursors {
                Some(cursors) => cursors.get(row)?.into_static(),
                None => AnyValue::Null,
            };
            let now = Version { cursor, record: *record };
            match self.latest.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(now);
                }
                Entry::Occupied(mut entry) => {
                    let is_older = compare(&now.cursor, &entry.get().cursor) == Ordering::Less;
                    let lost = if is_older { now } else { entry.insert(now) };
                    self.superseded.insert(lost.record);
                }
            }
        }
        Ok(())
    }

    /// The records that have a later version.
    #[must_use]
    pub fn into_superseded(self) -> HashSet<u64> {
        self.superseded
    }
}

/// The key of each row.
fn row_keys(columns: &[&Series]) -> PolarsResult<Vec<Vec<String>>> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut keys = vec![Vec::with_capacity(columns.len()); rows];
    for column in columns {
        for (key, text) in keys.iter_mut().zip(scalar_texts(column)?) {
            key.push(text.unwrap_or_default());
        }
    }
    Ok(keys)
}

/// Whether a cursor is greater than another one.
#[must_use]
pub fn is_later(one: &AnyValue<'_>, other: &AnyValue<'_>) -> bool {
    compare(one, other) == Ordering::Greater
}

fn compare(left: &AnyValue<'_>, right: &AnyValue<'_>) -> Ordering {
    match (left, right) {
        (AnyValue::Null, AnyValue::Null) => Ordering::Equal,
        (AnyValue::Null, _) => Ordering::Less,
        (_, AnyValue::Null) => Ordering::Greater,
        (left, right) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
    }
}
