//! Manifest update: the manifest of one table after a run, and the files that are deleted with the commit.
//!
//! | disposition | data files | quarantine files | exports |
//! |---|---|---|---|
//! | `append` | kept, new ones added | kept, a new one added | added |
//! | `merge` | rewritten ones replaced | kept, a new one added; replaced if a record in them has come again | replaced |
//! | `overwrite_partitions` | those of replaced partitions replaced | full export: replaced; window: added | replaced |
//! | `replace` | those of changed partitions replaced | replaced | replaced |
//! | any, on a retry of the quarantine | as above | replaced: what still does not load is listed anew | kept |

use std::collections::HashSet;

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
}

/// What a run does to the quarantine files of a table.
#[derive(Debug)]
pub enum QuarantineUpdate {
    /// Adds a file.
    Add(QuarantineFile),
    /// Replaces all files: some of their records do not wait any more.
    Relist(Option<QuarantineFile>),
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
        new: Vec<DataFile>,
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
            unknown: self.old.map(|old| old.unknown.clone()).unwrap_or_default(),
        };
        UpdatedManifest { manifest, removed }
    }

    fn replaces_table(&self) -> bool {
        self.disposition == WriteDisposition::Replace
    }

    fn files(&self, new: Vec<DataFile>, removed: &mut Vec<String>) -> Vec<DataFile> {
        let old = self.old.map_or(&[][..], |old| &old.files).iter();
        let stays = |file: &&DataFile| !self.rewritten.contains(&file.path);
        let (kept, gone): (Vec<&DataFile>, Vec<&DataFile>) = old.partition(stays);
        removed.extend(gone.into_iter().map(|file| file.path.clone()));
        kept.into_iter().cloned().chain(new).collect()
    }

    /// The quarantine files after the run. A retry lists what still does not load in the new file, and an export that
    /// replaces the whole table makes earlier records obsolete.
    fn quarantine(
        &self,
        update: Option<QuarantineUpdate>,
        removed: &mut Vec<String>,
    ) -> Vec<QuarantineFile> {
        let old = self.old.map_or(&[][..], |old| &old.quarantine);
        let (new, is_relisted) = match update {
            None => (None, false),
            Some(QuarantineUpdate::Add(file)) => (Some(file), false),
            Some(QuarantineUpdate::Relist(file)) => (file, true),
        };
        let overwrites = self.disposition == WriteDisposition::OverwritePartitions;
        let is_obsolete = self.replaces_table() || (overwrites && self.is_full_export);
        if !is_obsolete && !is_relisted && self.loaded.is_some() {
            return old.iter().cloned().chain(new).collect();
        }
        removed.extend(old.iter().map(|file| file.path.clone()));
        new.into_iter().collect()
    }

    fn exports(&self) -> Vec<TakenExport> {
        let old = self.old.map_or(&[][..], |old| &old.exports);
        match self.loaded {
            None => old.to_vec(),
            Some(loaded) if self.disposition == WriteDisposition::Append => {
                old.iter().chain([loaded.export]).cloned().collect()
            }
            Some(loaded) => vec![loaded.export.clone()],
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

    fn file(path: &str) -> DataFile {
        let (path, blake3) = (path.to_owned(), String::new());
        let (partition, statistics) = (PartitionKey::default(), Statistics::new());
        DataFile { path, partition, rows: 1, bytes: 1, blake3, statistics }
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
        is_full_export: bool,
        is_retry: bool,
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
            loaded: (!is_retry).then_some(LoadedExport { export: &new, records: None }),
        };
        let new = QuarantineUpdate::Add(quarantined("new"));
        let updated = update.apply(vec![file("t/new")], Some(new));
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
        let (both, new): (&[&str], &[&str]) = (&["q/old", "q/new"], &["q/new"]);
        let exports: [&[&str]; 2] = [&["old", "new"], &["new"]];
        check(Append, true, false, [kept, both, exports[0], &["t/rewritten"]]);
        check(Merge, true, false, [kept, both, exports[1], &["t/rewritten"]]);
        check(OverwritePartitions, false, false, [kept, both, exports[1], &["t/rewritten"]]);
        check(OverwritePartitions, true, false, [kept, new, exports[1], &["t/rewritten", "q/old"]]);
        check(Replace, true, false, [kept, new, exports[1], &["t/rewritten", "q/old"]]);
        check(Merge, true, true, [kept, new, &["old"], &["t/rewritten", "q/old"]]);
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
            loaded: Some(LoadedExport { export: &taken, records: Some((&at, 3)) }),
        };
        let UpdatedManifest { manifest, removed } = update.apply(vec![file("t/new")], None);
        assert_eq!(removed, Vec::<String>::new());
        assert_eq!(manifest.records, Some(at));
        assert_eq!((manifest.received, manifest.rows()), (3, 1));
        assert_eq!(manifest.exports, [taken]);
    }
}
