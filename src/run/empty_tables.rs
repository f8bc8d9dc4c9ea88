//! A table without rows has one file with its schema, so that readers open it and see its columns. The file goes once
//! there are rows.

use super::stage::Written;
use super::{Run, RunError};
use crate::definition::WriteDisposition;
use crate::infer::ResolvedTable;
use crate::run::loaded::Loaded;
use crate::table::{DataFile, Snapshot};
use crate::write::stage_empty;

impl Run<'_> {
    /// Stages the file of each table that is left without rows, and replaces those of tables that have some now.
    pub(super) async fn settle_empty_tables(
        &self,
        load: &Loaded,
        snapshot: &Snapshot,
        written: &mut Written,
    ) -> Result<(), RunError> {
        for (table, ResolvedTable { schema, policy, .. }) in load.schemas.tables() {
            let old = snapshot.manifests.get(&schema.name);
            let files = old.map_or(&[][..], |old| &old.files);
            let is_replaced = policy.disposition == WriteDisposition::Replace;
            let stays = |file: &DataFile| !is_replaced && !written.rewritten.contains(&file.path);
            let has_rows = written.has_file_of(table)
                || files.iter().any(|file| file.has_rows() && stays(file));
            let fits = old.is_some_and(|old| schema.same_files(&old.schema));
            let is_empty = !has_rows && !schema.excluded;
            let empty = files.iter().filter(|file| !file.has_rows());
            let is_there = empty.clone().any(stays) && fits;
            if is_empty && is_there {
                continue;
            }
            written.rewritten.extend(empty.map(|file| file.path.clone()));
            if is_empty {
                let file = stage_empty(self.destination, schema, &self.plan.run_id).await?;
                written.staged.push((table, file));
            }
        }
        Ok(())
    }
}
