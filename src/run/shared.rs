//! Shared tables: a run agrees with the other pipelines on its columns before it writes rows.

use std::sync::Arc;

use super::{Run, RunError};
use crate::definition::Table;
use crate::landing::Landed;
use crate::run::collect::Expectation;
use crate::run::intake::Intake;
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::schema::{IdVec, RootId, TableSchema};
use crate::table::{Agreement, Joined, Snapshot};

/// An export that becomes rows, by what is known of its tables.
pub(super) struct ToLoad<'a> {
    pub(super) intake: Intake,
    pub(super) roots: &'a IdVec<RootId, &'a Table>,
    pub(super) new_exports: &'a NewExports<'a>,
    pub(super) expectation: Arc<Expectation>,
    pub(super) snapshot: Snapshot,
}

impl Run<'_> {
    /// The rows of an export, whose columns all pipelines agree on that share its tables. Where another one was faster to
    /// agree on something else, the rows are made again with that in view.
    pub(super) async fn load_agreed(
        &self,
        mut to_load: ToLoad<'_>,
        guards: impl Fn(&Loaded, &Snapshot) -> Result<(), RunError>,
    ) -> Result<(Vec<Landed>, Loaded, Snapshot), RunError> {
        loop {
            let ToLoad { intake, roots, new_exports, expectation, mut snapshot } = to_load;
            let selector = intake.selector.clone();
            let (landed, load) = self.load(intake, new_exports, expectation).await?;
            guards(&load, &snapshot)?;
            let is_agreed = self.agree(&mut snapshot, &load).await?;
            let (false, Some(selector)) = (is_agreed, selector) else {
                return Ok((landed, load, snapshot));
            };
            drop(load);
            let expectation = Arc::new(self.expectation(roots, &snapshot));
            let again = self.decode_landed(landed, selector, &expectation, Vec::new());
            to_load = ToLoad { intake: again.await?, roots, new_exports, expectation, snapshot };
        }
    }

    /// Agrees with the other pipelines on the columns of tables; returns whether they did not agree on something else
    /// meanwhile.
    async fn agree(&self, snapshot: &mut Snapshot, load: &Loaded) -> Result<bool, RunError> {
        let Snapshot { agreement: Some(agreement), manifests, .. } = snapshot else {
            return Ok(true);
        };
        let had_rows = |schema: &TableSchema| {
            manifests.get(&schema.name).is_some_and(|manifest| manifest.rows() > 0)
        };
        let all = || {
            let stored = load.schemas.stored().filter(|(table, schema)| {
                load.counts[load.schemas.rows_of(*table)].kept > 0 || had_rows(schema)
            });
            stored.map(|(_, schema)| schema)
        };
        loop {
            let Joined::Next(next) = agreement.joined(all())? else { return Ok(true) };
            if next.write(self.destination).await? {
                *agreement = *next;
                return Ok(true);
            }
            *agreement = Agreement::read(self.destination).await?;
            if agreement.joined(all()).is_err() || !agreement.names_alike(all()) {
                return Ok(false);
            }
        }
    }
}
