//! Latest: of several records with one key in an export, the one that stays.

use std::cmp::Ordering;
use std::collections::hash_map::{Entry, HashMap};

use polars::prelude::{AnyValue, Column, PolarsResult, Series};

use super::conform::scalar_texts;
use super::frames::Normalised;
use super::schema::TableSchema;

/// Where a row of the table is: its chunk and its row there.
type Place = (usize, usize);

/// Takes the rows of all records out of `chunks` of which there is a later version: the one with the greater
/// cursor, or, where both have the same, the one that stands later in the export. A record in which the cursor is
/// null is earlier than any other. Without a cursor it is not known which is the later one, and all stay.
///
/// # Errors
/// polars refuses an operation, which would be a mistake of ours.
pub fn keep_latest(
    schema: &TableSchema,
    root: usize,
    mut chunks: Vec<&mut Normalised>,
) -> PolarsResult<()> {
    let Some(cursor) = schema.cursor.as_ref().filter(|_| !schema.primary_key.is_empty()) else {
        return Ok(());
    };
    let mut cursors = Vec::new();
    let mut latest: HashMap<Vec<String>, Place> = HashMap::new();
    let mut superseded: Vec<Vec<u32>> = vec![Vec::new(); chunks.len()];
    for (chunk, normalised) in chunks.iter().enumerate() {
        let Some(frame) = normalised.frames.iter().find(|frame| frame.table == root) else {
            cursors.push(None);
            continue;
        };
        let named = |name: &str| frame.rows.column(name).map(Column::as_materialized_series);
        cursors.push(Some(named(cursor.as_str())?.clone()));
        let keys: Vec<&Series> = schema
            .primary_key
            .iter()
            .map(|name| named(name.as_str()))
            .collect::<PolarsResult<_>>()?;
        for (row, key) in row_keys(&keys)?.into_iter().enumerate() {
            match latest.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert((chunk, row));
                }
                Entry::Occupied(mut entry) => {
                    let (earlier, now) = (*entry.get(), (chunk, row));
                    let is_older = compare(&cursors, now, earlier)? == Ordering::Less;
                    let (lost_chunk, lost_row) = if is_older { now } else { entry.insert(now) };
                    let frames = &chunks[lost_chunk].frames;
                    let lost = frames.iter().find(|frame| frame.table == root);
                    superseded[lost_chunk].extend(lost.map(|frame| frame.records[lost_row]));
                }
            }
        }
    }
    for (normalised, mut superseded) in chunks.iter_mut().zip(superseded) {
        superseded.sort_unstable();
        for frame in normalised.frames.iter_mut().filter(|_| !superseded.is_empty()) {
            frame.superseded = frame.remove(|record| superseded.binary_search(&record).is_ok())?;
        }
    }
    Ok(())
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

fn compare(cursors: &[Option<Series>], left: Place, right: Place) -> PolarsResult<Ordering> {
    let value = |(chunk, row): Place| match &cursors[chunk] {
        Some(cursor) => cursor.get(row),
        None => Ok(AnyValue::Null),
    };
    Ok(match (value(left)?, value(right)?) {
        (AnyValue::Null, AnyValue::Null) => Ordering::Equal,
        (AnyValue::Null, _) => Ordering::Less,
        (_, AnyValue::Null) => Ordering::Greater,
        (left, right) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
    })
}
