//! Record versions: of several records with one key in an export, the latest stays.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use polars::prelude::{AnyValue, Column, DataFrame, PolarsResult};

use crate::definition::WriteDisposition;
use crate::infer::ResolvedTable;
use crate::normalise::cursor_form::CursorForm;
use crate::normalise::row_hash::row_hashes;
use crate::schema::TableSchema;

/// Finds the superseded records of a table, in the order of the export.
///
/// The later version is the one with the greater cursor or, with equal cursors, the one later in the export. A null
/// cursor is earlier than any other.
#[derive(Debug, Default)]
pub struct VersionTracker {
    /// By the hash of the key.
    latest: HashMap<u128, LatestRecord>,
    superseded: HashSet<u64>,
    cursor_form: CursorForm,
}

/// The latest version of a record so far. It is small, since there is one for each key of an export: with the key as
/// texts it would take more than twice the memory.
#[derive(Debug)]
struct LatestRecord {
    cursor: Cursor,
    /// The number of its record.
    record: u64,
}

/// The value of a cursor: most are instants or numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Cursor {
    /// Earlier than any other.
    Null,
    /// An integer, a date or a timestamp, in the units of its column.
    Integer(i64),
    /// Any other value.
    Other(Box<AnyValue<'static>>),
}

impl From<AnyValue<'_>> for Cursor {
    fn from(value: AnyValue<'_>) -> Self {
        match value {
            AnyValue::Null => Self::Null,
            AnyValue::Int64(value) => Self::Integer(value),
            AnyValue::Date(days) => Self::Integer(days.into()),
            AnyValue::Datetime(instant, ..) | AnyValue::DatetimeOwned(instant, ..) => {
                Self::Integer(instant)
            }
            other => Self::Other(Box::new(other.into_static())),
        }
    }
}

impl Cursor {
    /// Compares two values of one column; values that cannot be compared are equal.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Other(left), Self::Other(right)) => {
                left.partial_cmp(right).unwrap_or(Ordering::Equal)
            }
            _ => Ordering::Equal,
        }
    }

    /// The values of a column.
    pub(crate) fn of_column(column: &Column) -> impl Iterator<Item = Self> {
        column.as_materialized_series().iter().map(Self::from)
    }
}

impl VersionTracker {
    /// Whether records of this table supersede each other: with a cursor, or in a merge, where one record of each key
    /// stays. Otherwise all records stay.
    #[must_use]
    pub fn apply_to(table: &ResolvedTable) -> bool {
        let ResolvedTable { schema, policy, .. } = table;
        let told = schema.cursor.is_some() || policy.disposition == WriteDisposition::Merge;
        told && !schema.primary_key.is_empty()
    }

    /// Adds the next rows, with the numbers of their records.
    ///
    /// # Errors
    /// A column is missing, which `Schemas::resolve` rules out.
    pub fn observe(
        &mut self,
        schema: &TableSchema,
        rows: &DataFrame,
        records: &[u64],
    ) -> PolarsResult<()> {
        let cursors: Vec<Cursor> = match &schema.cursor {
            Some(cursor) => {
                let column = rows.column(cursor.as_str())?;
                self.cursor_form.observe(column);
                Cursor::of_column(column).collect()
            }
            None => vec![Cursor::Null; rows.height()],
        };
        let keys = row_hashes(rows, &schema.primary_key)?;
        for ((key, cursor), record) in keys.into_iter().zip(cursors).zip(records) {
            let now = LatestRecord { cursor, record: *record };
            match self.latest.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(now);
                }
                Entry::Occupied(mut entry) => {
                    let is_older = now.cursor.compare(&entry.get().cursor) == Ordering::Less;
                    let lost = if is_older { now } else { entry.insert(now) };
                    self.superseded.insert(lost.record);
                }
            }
        }
        Ok(())
    }

    /// The form of the cursor's texts.
    #[must_use]
    pub fn cursor_form(&self) -> CursorForm {
        self.cursor_form
    }

    /// Whether an export has a later version of a record, as far as its order tells: of one that is not loaded, the
    /// cursor is not known.
    #[must_use]
    pub fn has_later(&self, key: u128, record: u64) -> bool {
        self.superseded.contains(&record)
            || self
                .latest
                .get(&key)
                .is_some_and(|latest| latest.cursor == Cursor::Null && latest.record > record)
    }

    /// The superseded records.
    #[must_use]
    pub fn into_superseded(self) -> HashSet<u64> {
        self.superseded
    }
}
