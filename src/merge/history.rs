//! History: finds the versions of rows that a merge replaces or deletes.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::changes::EndedRows;
use super::rows::are_current;
use super::{MergeError, RowIds};
use crate::infer::Schemas;
use crate::normalise::row_hashes;
use crate::runtime::{on_cpu, parallelism};
use crate::schema::{ColumnSource, HistoryId, StoredTable, TableId};
use crate::table::{DataFile, TableStore};

/// The paths of those files of a history that have versions that end. Of each file only the keys are read.
///
/// # Errors
/// A data file cannot be read.
pub async fn files_with_ended_versions(
    store: &TableStore,
    schemas: &Arc<Schemas>,
    history: HistoryId,
    files: Vec<&DataFile>,
    ended: &EndedRows,
) -> Result<HashSet<String>, MergeError> {
    let history = StoredTable::History(history);
    let table = schemas.rows_of(history);
    let hashes: Vec<_> =
        files.iter().map(|file| current_rows(store, schemas, history, file)).collect();
    let mut hashes = stream::iter(hashes).buffered(parallelism());
    let mut found = HashSet::new();
    for file in &files {
        let rows = hashes.try_next().await?.unwrap_or_default();
        let ends =
            |row: &u128| has(&ended.outdated, table, *row) || has(&ended.deleted, table, *row);
        if rows.iter().any(ends) {
            found.insert(file.path.clone());
        }
    }
    Ok(found)
}

fn has(rows: &RowIds, table: TableId, row: u128) -> bool {
    rows.contains(&(table, row))
}

/// The keys of the current versions in a file.
async fn current_rows(
    store: &TableStore,
    schemas: &Arc<Schemas>,
    history: StoredTable,
    file: &DataFile,
) -> Result<Vec<u128>, MergeError> {
    let (content, schemas) = (store.read(file).await?, schemas.clone());
    let hash = move || {
        let schema = schemas.stored_schema(history);
        let key = schema.row_key();
        let read = key.iter().chain(schema.own_column(&ColumnSource::ValidTo));
        let rows = content.rows(schema, Some(read.map(ToString::to_string).collect()))?;
        let current = rows.filter(&are_current(&rows, schema)?)?;
        Ok(row_hashes(&current, &key)?)
    };
    on_cpu(hash).await
}
