//! Tables that have not loaded this export yet. The same export again changes nothing (promise P3).

use crate::definition::{Table, WriteDisposition};
use crate::schema::{IdVec, RootId, Window};
use crate::table::{Manifest, Snapshot, TakenExport};

/// The root tables of a run that have not loaded its export yet.
pub(super) struct NewExports<'t> {
    /// These tables, each with the record array that it is loaded from.
    pub(super) tables: Vec<(RootId, &'t Table)>,
}

impl<'t> NewExports<'t> {
    /// Compares an export of `window` with what the tables have loaded.
    pub(super) fn of_export(
        roots: &IdVec<RootId, &'t Table>,
        snapshot: &Snapshot,
        taken: &TakenExport,
        window: Option<Window>,
    ) -> Self {
        let is_new = |(_, table): &(RootId, &&Table)| {
            // The same records of another window decide on other partitions.
            let decides_on_window = window.is_some() && table.takes_window_for_all();
            let old = snapshot.manifests.get(&table.name);
            decides_on_window
                || !old.is_some_and(|old| has_taken(old, table.write_disposition, taken))
        };
        let new = roots.iter().filter(is_new);
        Self { tables: new.map(|(root, table)| (root, *table)).collect() }
    }

    /// All tables load the export.
    pub(super) fn all(roots: &IdVec<RootId, &'t Table>) -> Self {
        Self { tables: roots.iter().map(|(root, table)| (root, *table)).collect() }
    }

    /// Whether a record array is loaded.
    pub(super) fn contains(&self, root: RootId) -> bool {
        self.tables.iter().any(|(new, _)| *new == root)
    }
}

/// Whether a table has loaded an export. An export is appended once, whatever the definition says by now; a table is
/// replaced again when its definition has changed.
fn has_taken(old: &Manifest, disposition: WriteDisposition, taken: &TakenExport) -> bool {
    match disposition {
        WriteDisposition::Append => old.exports.iter().any(|export| export.hash == taken.hash),
        WriteDisposition::Replace
        | WriteDisposition::Merge
        | WriteDisposition::OverwritePartitions => old.exports.last() == Some(taken),
    }
}
