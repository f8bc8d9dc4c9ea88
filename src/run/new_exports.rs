//! Tables that have not loaded this export yet. The same export again changes nothing (promise P3).

use crate::definition::{Deletes, Pipeline, Table, WriteDisposition, definition_hash};
use crate::run::intake::Intake;
use crate::schema::{IdVec, RootId, TableName, Window};
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
            decides_on_window || !old.is_some_and(|old| has_taken(old, table, taken))
        };
        let new = roots.iter().filter(is_new);
        Self { tables: new.map(|(root, table)| (root, *table)).collect() }
    }

    /// All tables load the export.
    pub(super) fn all(roots: &IdVec<RootId, &'t Table>) -> Self {
        Self { tables: roots.iter().map(|(root, table)| (root, *table)).collect() }
    }

    /// The tables that have appended this export under another definition, which is not applied to it any more.
    pub(super) fn appended_otherwise<'r>(
        &'r self,
        roots: &'r IdVec<RootId, &'t Table>,
        intake: &Intake,
        snapshot: &'r Snapshot,
        (pipeline, taken): (&'r Pipeline, &'r TakenExport),
    ) -> impl Iterator<Item = &'t TableName> + 'r {
        let found = intake.found();
        let known = roots.iter().filter(move |(root, table)| {
            let is_append = table.write_disposition == WriteDisposition::Append;
            // A run of some tables does not know what the definition says of the others.
            let is_whole = is_append && !pipeline.is_partial;
            is_whole && found[*root].count > 0 && !self.contains(*root)
        });
        let otherwise = known.filter(move |(_, table)| {
            // A run may have loaded this table alone.
            let is_of = |other: &&Table| pipeline.root_of(other).name == table.name;
            let own: Vec<Table> = pipeline.tables.iter().filter(is_of).cloned().collect();
            let definition = definition_hash(&own, &pipeline.limits);
            let alone = TakenExport { definition, ..taken.clone() };
            let is_same = |export: &TakenExport| export.is_like(taken) || export.is_like(&alone);
            let manifest = snapshot.manifests.get(&table.name);
            manifest.is_some_and(|it| !it.exports.iter().any(is_same))
        });
        otherwise.map(|(_, table)| &table.name)
    }

    /// Whether a record array is loaded.
    pub(super) fn contains(&self, root: RootId) -> bool {
        self.tables.iter().any(|(new, _)| *new == root)
    }
}

/// Whether a table has loaded an export. An export is appended once, whatever the definition says by now; a table is
/// replaced again when its definition has changed, and a merge decides on missing records once.
fn has_taken(old: &Manifest, table: &Table, taken: &TakenExport) -> bool {
    let decides_on_missing = table.deletes != Deletes::Ignore && !taken.is_partial;
    match table.write_disposition {
        WriteDisposition::Append => old.exports.iter().any(|export| export.hash == taken.hash),
        WriteDisposition::Replace
        | WriteDisposition::Merge
        | WriteDisposition::OverwritePartitions => {
            let is_same = |export: &TakenExport| {
                export.is_like(taken) && !(decides_on_missing && export.is_partial)
            };
            old.exports.last().is_some_and(is_same)
        }
    }
}
