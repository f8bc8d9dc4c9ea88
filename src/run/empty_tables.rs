//! A table without rows has one file with its schema, so that readers open it and see its columns. The file goes once
//! there are rows.

use futures::{StreamExt, TryStreamExt, stream};

use super::stage::Written;
use super::{Run, RunError};
use crate::run::loaded::Loaded;
use crate::runtime::parallelism;
use crate::schema::{StoredTable, TableSchema};
use crate::table::{DataFile, Manifest, Snapshot};
use crate::write::stage_empty;

impl Run<'_> {
    /// Stages the file of each table that is left without rows, and replaces those of tables that have some now.
    pub(super) async fn settle_empty_tables(
        &self,
        load: &Loaded,
        snapshot: &Snapshot,
        written: &mut Written,
    ) -> Result<(), RunError> {
        // A shared table has a log, which tells its columns, as soon as any pipeline has rows.
        if self.plan.pipeline.slice.is_some() {
            return Ok(());
        }
        let mut empty = Vec::new();
        for (table, schema) in load.schemas.stored() {
            let old = snapshot.manifests.get(&schema.name);
            let fate = EmptyFile::of(table, schema, old, written);
            if fate != EmptyFile::Stays {
                let files = old.into_iter().flat_map(|old| &old.files);
                let without_rows = files.filter(|file| !file.has_rows());
                written.rewritten.extend(without_rows.map(|file| file.path.clone()));
            }
            if fate == EmptyFile::IsNew {
                empty.push(table);
            }
        }
        let staging = empty.into_iter().map(|table| async move {
            let schema = load.schemas.stored_schema(table);
            let file = stage_empty(self.destination, schema, &self.plan.run_id).await;
            Ok::<_, RunError>((table, file?))
        });
        let staging: Vec<_> = staging.collect();
        let staged: Vec<_> =
            stream::iter(staging).buffered(parallelism() + 2).try_collect().await?;
        written.staged.extend(staged);
        Ok(())
    }
}

/// What becomes of the file without rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmptyFile {
    /// The table has rows, or the definition excludes it.
    Goes,
    /// It has the columns that the table has.
    Stays,
    /// There is none that could stay.
    IsNew,
}

impl EmptyFile {
    fn of(
        table: StoredTable,
        schema: &TableSchema,
        old: Option<&Manifest>,
        written: &Written,
    ) -> Self {
        let stays = |file: &&DataFile| !written.rewritten.contains(&file.path);
        let left = || old.into_iter().flat_map(Manifest::data_files).filter(stays);
        if schema.excluded || written.has_file_of(table) || left().any(DataFile::has_rows) {
            return Self::Goes;
        }
        let fits = old.is_some_and(|old| schema.lays_out_files_like(&old.schema));
        if fits && left().next().is_some() { Self::Stays } else { Self::IsNew }
    }
}
