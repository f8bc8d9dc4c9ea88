//! ManifestUpdate: the manifest that follows on a table's old one, and the files that it takes leave of.

use std::collections::HashSet;

use crate::definition::WriteDisposition;
use crate::run::intake::FoundRecords;
use crate::schema::{RunId, TableSchema};
use crate::table::quarantine::QuarantineFile;
use crate::table::{DataFile, Manifest, TakenExport};

/// What a run does to one table.
pub(super) struct ManifestUpdate<'a> {
    pub(super) run_id: &'a RunId,
    /// The table as it will be.
    pub(super) schema: &'a TableSchema,
    pub(super) disposition: WriteDisposition,
    pub(super) old: Option<&'a Manifest>,
    /// The files whose rows are in new ones, as far as they stay.
    pub(super) rewritten: &'a HashSet<String>,
    /// The export is all that there is, and not of a window.
    pub(super) is_whole: bool,
    /// The export that its rows are from; none when they waited in quarantine.
    pub(super) brought: Option<LoadedExport<'a>>,
}

/// What an export brought for a table.
pub(super) struct LoadedExport<'a> {
    pub(super) taken: &'a TakenExport,
    /// Where its records were, for a table without a parent.
    pub(super) found: Option<&'a FoundRecords>,
}

impl ManifestUpdate<'_> {
    /// The manifest with the new files, and the files that are not needed any more.
    pub(super) fn manifest(
        &self,
        new: Vec<DataFile>,
        quarantined: Option<QuarantineFile>,
    ) -> (Manifest, Vec<String>) {
        let mut replaced = Vec::new();
        let files = self.files(new, &mut replaced);
        let quarantine = self.quarantine(quarantined, &mut replaced);
        let found = self.brought.as_ref().and_then(|brought| brought.found);
        let manifest = Manifest {
            version: Manifest::VERSION,
            run_id: self.run_id.clone(),
            schema: self.schema.seen_in(self.run_id, self.old.map(|old| &old.schema)),
            records: match &self.brought {
                Some(_) => found.map(|found| found.at.clone()),
                None => self.old.and_then(|old| old.records.clone()),
            },
            received: match &self.brought {
                Some(_) => found.map_or(0, |found| found.count),
                None => self.old.map_or(0, |old| old.received),
            },
            files,
            quarantine,
            exports: self.exports(),
        };
        (manifest, replaced)
    }

    fn replaces(&self) -> bool {
        self.disposition == WriteDisposition::Replace
    }

    fn files(&self, new: Vec<DataFile>, replaced: &mut Vec<String>) -> Vec<DataFile> {
        let old = self.old.map_or(&[][..], |old| &old.files).iter();
        let stays = |file: &&DataFile| !self.replaces() && !self.rewritten.contains(&file.path);
        let (kept, gone): (Vec<&DataFile>, Vec<&DataFile>) = old.partition(stays);
        replaced.extend(gone.into_iter().map(|file| file.path.clone()));
        kept.into_iter().cloned().chain(new).collect()
    }

    /// The records that wait from now on. When the table is replaced, those of earlier exports do not any more; when
    /// they were taken in again, they have been told of anew.
    fn quarantine(
        &self,
        new: Option<QuarantineFile>,
        replaced: &mut Vec<String>,
    ) -> Vec<QuarantineFile> {
        let old = self.old.map_or(&[][..], |old| &old.quarantine);
        let overwrites = self.disposition == WriteDisposition::OverwritePartitions;
        let tells_all = self.replaces() || (overwrites && self.is_whole);
        if !tells_all && self.brought.is_some() {
            return old.iter().cloned().chain(new).collect();
        }
        replaced.extend(old.iter().map(|file| file.path.clone()));
        new.into_iter().collect()
    }

    fn exports(&self) -> Vec<TakenExport> {
        let old = self.old.map_or(&[][..], |old| &old.exports);
        match &self.brought {
            None => old.to_vec(),
            Some(brought) if self.disposition == WriteDisposition::Append => {
                old.iter().chain([brought.taken]).cloned().collect()
            }
            Some(brought) => vec![brought.taken.clone()],
        }
    }
}
