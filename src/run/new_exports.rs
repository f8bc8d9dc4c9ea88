//! NewExports: which tables an export is new to. The same export again changes nothing (promise P3).

use crate::definition::{Table, WriteDisposition};
use crate::schema::Window;
use crate::table::{Manifest, Snapshot, TakenExport};

/// The root tables of a run that the export is new to.
pub(super) struct NewExports<'t> {
    /// The position of each root table among the tables to be loaded; none when it has the export already.
    pub(super) positions: Vec<Option<usize>>,
    pub(super) tables: Vec<&'t Table>,
}

impl<'t> NewExports<'t> {
    /// Of an export that is all of `window`.
    pub(super) fn of_export(
        roots: &[&'t Table],
        snapshot: &Snapshot,
        taken: &TakenExport,
        window: Option<Window>,
    ) -> Self {
        let mut fresh = Self { positions: Vec::new(), tables: Vec::new() };
        for table in roots {
            let old = snapshot.manifests.get(&table.name);
            // The same records in another window say something else of the partitions in it.
            let is_about_more = window.is_some() && table.takes_window_for_all();
            if !is_about_more
                && old.is_some_and(|old| has_taken(old, table.write_disposition, taken))
            {
                fresh.positions.push(None);
            } else {
                fresh.positions.push(Some(fresh.tables.len()));
                fresh.tables.push(table);
            }
        }
        fresh
    }

    /// All of them are.
    pub(super) fn all(roots: &[&'t Table]) -> Self {
        Self { positions: (0..roots.len()).map(Some).collect(), tables: roots.to_vec() }
    }

    /// Of what there is for each root table, that of the fresh ones.
    pub(super) fn of<T: Clone>(&self, all: &[T]) -> Vec<T> {
        let all = self.positions.iter().zip(all);
        all.filter(|(position, _)| position.is_some()).map(|(_, item)| item.clone()).collect()
    }
}

/// Whether an export is in a table already. One that is appended is not appended again, whatever the
/// definition says by now; one that replaced the table replaces it again when the definition has changed.
fn has_taken(old: &Manifest, disposition: WriteDisposition, taken: &TakenExport) -> bool {
    match disposition {
        WriteDisposition::Append => old.exports.iter().any(|export| export.hash == taken.hash),
        WriteDisposition::Replace
        | WriteDisposition::Merge
        | WriteDisposition::OverwritePartitions => old.exports.last() == Some(taken),
    }
}
