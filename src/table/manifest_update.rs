//! Manifest update: the manifest of one table after a run, and the files that are deleted with the commit.
//!
//! | disposition | data files | quarantine files | exports |
//! |---|---|---|---|
//! | `append` | kept, new ones added | what waited stays | added |
//! | `merge` | rewritten ones replaced | what waited stays, unless its record has come again | replaced |
//! | `overwrite_partitions` | those of replaced partitions replaced | full export: forgotten; window: what waited stays | replaced |
//! | `replace` | those of changed partitions replaced | forgotten | replaced |
//! | any, on a retry of the quarantine | as above | what still does not load stays | kept |
//!
//! All that waits for a table is in one file. A run that changes what waits writes a new one in its place.

use std::collections::HashSet;
use std::sync::Arc;

use super::quarantine::QuarantineFile;
use super::{DataFile, Manifest, TakenExport};
use crate::decode::RecordsAt;
use crate::definition::WriteDisposition;
use crate::schema::{RunId, TableSchema};

/// What a run does to one table.
#[derive(Debug)]
pub struct ManifestUpdate<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// The table's schema after the run.
    pub schema: &'a TableSchema,
    /// How the run writes the table.
    pub disposition: WriteDisposition,
    /// The manifest before the run.
    pub old: Option<&'a Manifest>,
    /// The data files whose rows are in new files or gone.
    pub rewritten: &'a HashSet<String>,
    /// Whether the export is a full one and not one of a window.
    pub is_full_export: bool,
    /// The export that the rows come from; none on a retry of the quarantine.
    pub loaded: Option<LoadedExport<'a>>,
}

/// The export that a table has loaded.
#[derive(Debug, Clone, Copy)]
pub struct LoadedExport<'a> {
    /// Its hash, and that of the definition.
    pub export: &'a TakenExport,
    /// Where its records were and how many, for a table without a parent.
    pub records: Option<(&'a RecordsAt, u64)>,
    /// How many of its records are in no table.
    pub quarantined: u64,
}

/// What waits in quarantine for a table, after a run that changes it.
#[derive(Debug)]
pub enum QuarantineUpdate {
    /// The records of this file.
    Waiting(QuarantineFile),
    /// Nothing.
    Empty,
}

/// The result of a manifest update.
#[derive(Debug)]
pub struct UpdatedManifest {
    /// The manifest after the run.
    pub manifest: Manifest,
    /// The data and quarantine files that it does not name any more.
    pub removed: Vec<String>,
}

impl ManifestUpdate<'_> {
    /// The manifest with these new files.
    #[must_use]
    pub fn apply(
        &self,
        new: Vec<Arc<DataFile>>,
        quarantined: Option<QuarantineUpdate>,
    ) -> UpdatedManifest {
        let mut removed = Vec::new();
        let files = self.files(new, &mut removed);
        let quarantine = self.quarantine(quarantined, &mut removed);
        let (records, received) = match self.loaded {
            Some(LoadedExport { records: Some((at, count)), .. }) => (Some(at.clone()), count),
            Some(LoadedExport { records: None, .. }) => (None, 0),
            None => {
                let old = self.old.map(|old| (old.records.clone(), old.received));
                old.unwrap_or_default()
            }
        };
        let manifest = Manifest {
            version: Manifest::VERSION,
            run_id: self.run_id.clone(),
            schema: self.schema.seen_in(self.run_id, self.old.map(|old| &old.schema)),
            records,
            received,
            files,
            quarantine,
            exports: self.exports(),
            is_incomplete: self.disposition != WriteDisposition::Replace
                && self.old.is_some_and(|old| old.is_incomplete),
            unknown: self.old.map(|old| old.unknown.clone()).unwrap_or_default(),
        };
        UpdatedManifest { manifest, removed }
    }

    fn files(&self, new: Vec<Arc<DataFile>>, removed: &mut Vec<String>) -> Vec<Arc<DataFile>> {
        let old = self.old.map_or(&[][..], |old| &old.files).iter();
        let stays = |file: &&Arc<DataFile>| !self.rewritten.contains(&file.path);
        let (kept, gone): (Vec<&Arc<DataFile>>, Vec<_>) = old.partition(stays);
        removed.extend(gone.into_iter().map(|file| file.path.clone()));
        kept.into_iter().cloned().chain(new).collect()
    }

    /// The quarantine file after the run. A retry lists what still does not load in a new one, and an export that replaces
    /// the whole table makes earlier records obsolete.
    fn quarantine(
        &self,
        update: Option<QuarantineUpdate>,
        removed: &mut Vec<String>,
    ) -> Vec<QuarantineFile> {
        let old = self.old.map_or(&[][..], |old| &old.quarantine);
        let is_kept = self.disposition.keeps_quarantine(self.is_full_export);
        if update.is_none() && is_kept && self.loaded.is_some() {
            return old.to_vec();
        }
        removed.extend(old.iter().map(|file| file.path.clone()));
        match update {
            Some(QuarantineUpdate::Waiting(file)) => vec![file],
            Some(QuarantineUpdate::Empty) | None => Vec::new(),
        }
    }

    fn exports(&self) -> Vec<TakenExport> {
        let old = self.old.map_or(&[][..], |old| &old.exports);
        let Some(LoadedExport { export, quarantined, .. }) = self.loaded else {
            return old.to_vec();
        };
        let export = TakenExport { quarantined, ..export.clone() };
        if self.disposition == WriteDisposition::Append {
            old.iter().cloned().chain([export]).collect()
        } else {
            vec![export]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::PartitionKey;
    use crate::write::statistics::Statistics;

    fn export(hash: &str) -> TakenExport {
        serde_json::from_value(json!({ "hash": hash, "definition": "d" })).unwrap()
    }

    fn file(path: &str) -> Arc<DataFile> {
        let (path, blake3) = (path.to_owned(), String::new());
        let (partition, statistics) = (PartitionKey::default(), Statistics::default());
        Arc::new(DataFile { path, partition, rows: 1, bytes: 1, blake3, statistics })
    }

    fn quarantined(run_id: &str) -> QuarantineFile {
        let run_id: RunId = run_id.parse().unwrap();
        QuarantineFile {
            path: format!("q/{run_id}"),
            run_id,
            bytes: 1,
            blake3: String::new(),
            records: 1,
            partially_loaded: 0,
        }
    }

    fn old() -> Manifest {
        Manifest {
            version: Manifest::VERSION,
            run_id: "old".parse().unwrap(),
            schema: schema(),
            records: Some(RecordsAt::Lines),
            received: 2,
            files: vec![file("t/kept"), file("t/rewritten")],
            quarantine: vec![quarantined("old")],
            exports: vec![export("old")],
            is_incomplete: false,
            unknown: serde_json::Map::new(),
        }
    }

    fn schema() -> TableSchema {
        serde_json::from_value(json!({ "name": "t", "root": "t", "columns": [] })).unwrap()
    }

    /// What a run does to the table: its data files, quarantine files and exports, and what it deletes.
    #[track_caller]
    fn check(
        disposition: WriteDisposition,
        (is_full_export, is_retry, changes): (bool, bool, bool),
        expected: [&[&str]; 4],
    ) {
        let (old, new) = (old(), export("new"));
        let update = ManifestUpdate {
            run_id: &"new".parse().unwrap(),
            schema: &schema(),
            disposition,
            old: Some(&old),
            rewritten: &HashSet::from(["t/rewritten".to_owned()]),
            is_full_export,
            loaded: (!is_retry).then_some(LoadedExport {
                export: &new,
                records: None,
                quarantined: 0,
            }),
        };
        let waiting = changes.then(|| QuarantineUpdate::Waiting(quarantined("new")));
        let updated = update.apply(vec![file("t/new")], waiting);
        let UpdatedManifest { manifest, removed } = updated;
        let files = manifest.files.iter().map(|file| file.path.clone()).collect();
        let quarantine = manifest.quarantine.iter().map(|file| file.path.clone()).collect();
        let exports = manifest.exports.iter().map(|export| export.hash.to_string()).collect();
        let found: [Vec<String>; 4] = [files, quarantine, exports, removed];
        let expected = expected.map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found, expected, "{disposition:?}");
        assert_eq!(manifest.run_id.as_str(), "new");
        assert_eq!(manifest.received, if is_retry { 2 } else { 0 });
    }

    #[test]
    fn dispositions_of_the_table() {
        use WriteDisposition::{Append, Merge, OverwritePartitions, Replace};
        let kept: &[&str] = &["t/kept", "t/new"];
        let (old, new): (&[&str], &[&str]) = (&["q/old"], &["q/new"]);
        let exports: [&[&str]; 2] = [&["old", "new"], &["new"]];
        let (gone, all_gone): (&[&str], &[&str]) = (&["t/rewritten"], &["t/rewritten", "q/old"]);
        let (full, window, retry) = ((true, false), (false, false), (true, true));
        for (disposition, (is_full, is_retry), exports, keeps) in [
            (Append, full, exports[0], true),
            (Merge, full, exports[1], true),
            (OverwritePartitions, window, exports[1], true),
            (OverwritePartitions, full, exports[1], false),
            (Replace, full, exports[1], false),
            (Merge, retry, &["old"], false),
        ] {
            let run = |changes| (is_full, is_retry, changes);
            check(disposition, run(true), [kept, new, exports, all_gone]);
            let (left, gone) = if keeps { (old, gone) } else { (&[][..], all_gone) };
            check(disposition, run(false), [kept, left, exports, gone]);
        }
    }

    #[test]
    fn the_first_manifest_of_a_table_has_only_what_is_new() {
        let (taken, at) = (export("new"), RecordsAt::Lines);
        let update = ManifestUpdate {
            run_id: &"new".parse().unwrap(),
            schema: &schema(),
            disposition: WriteDisposition::Append,
            old: None,
            rewritten: &HashSet::new(),
            is_full_export: true,
            loaded: Some(LoadedExport { export: &taken, records: Some((&at, 3)), quarantined: 0 }),
        };
        let UpdatedManifest { manifest, removed } = update.apply(vec![file("t/new")], None);
        assert_eq!(removed, Vec::<String>::new());
        assert_eq!(manifest.records, Some(at));
        assert_eq!((manifest.received, manifest.rows()), (3, 1));
        assert_eq!(manifest.exports, [taken]);
    }
}
