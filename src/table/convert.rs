//! Conversion: all tables of a destination from one format to the other, in one commit. The data files stay where they are.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use object_store::path::Path;

use super::aside::move_aside;
use super::delta::LogState;
use super::{Changes, CommitError, DataFile, Manifest, Snapshot, TableStore, layout};
use crate::schema::{RunId, TableFormat};
use crate::store::ListedFile;

impl TableStore {
    /// What a conversion changes. Towards plain Parquet, whose readers take every file in a directory for rows, the logs
    /// go, and with them the files that were replaced; a file that nobody knows is moved aside.
    ///
    /// # Errors
    /// A table has lost files, or the destination fails.
    pub async fn conversion(
        &self,
        snapshot: &Snapshot,
        to: TableFormat,
        now: DateTime<Utc>,
    ) -> Result<Changes, CommitError> {
        let run_id = RunId::at(now);
        let mut remove = Vec::new();
        for (table, manifest) in &snapshot.manifests {
            let listed = self.destination().list(&layout::table_directory(table)).await?;
            let there: HashMap<&str, u64> =
                listed.iter().map(|file| (file.path.as_ref(), file.bytes)).collect();
            let is_lost = |file: &&DataFile| there.get(file.path.as_str()) != Some(&file.bytes);
            let lost: Vec<&DataFile> = manifest.data_files().filter(is_lost).collect();
            if let Some(first) = lost.first() {
                let (table, files, first) = (table.clone(), lost.len(), first.path.clone());
                return Err(CommitError::LostFiles { table, files, first });
            }
            if to == TableFormat::Parquet {
                remove.extend(self.only_of_log(manifest, listed, &run_id).await?);
            }
        }
        let manifests = snapshot.manifests.values().cloned().collect();
        Ok(Changes { remove, manifests, format: Some(to), ..Changes::nothing(run_id, now) })
    }

    /// The files of a table that only its log needs.
    async fn only_of_log(
        &self,
        manifest: &Manifest,
        listed: Vec<ListedFile>,
        run_id: &RunId,
    ) -> Result<Vec<String>, CommitError> {
        let table = &manifest.schema.name;
        let live: HashSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        // A damaged log is one reason to convert.
        let log = LogState::read(self.destination(), table).await.ok().flatten();
        let replaced: HashSet<String> =
            log.map(|log| log.removed_files(table)).unwrap_or_default().into_iter().collect();
        let (mut remove, mut unknown) = (Vec::new(), Vec::<Path>::new());
        for file in listed {
            let path = file.path.to_string();
            if layout::is_of_log(&path, table) || replaced.contains(&path) {
                remove.push(path);
            } else if layout::is_data_file(&file.path) && !live.contains(path.as_str()) {
                unknown.push(file.path);
            }
        }
        move_aside(self.destination(), &unknown, run_id).await?;
        Ok(remove)
    }
}
