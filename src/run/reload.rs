//! Reload: loads what an earlier run has received, as if the source had just sent it.

use std::sync::Arc;

use super::events::RunEvents;
use super::prepare::record_selector;
use super::{Prepared, Run, RunContext, RunError, announced, guard, open};
use crate::definition::{Deletes, Table};
use crate::landing::KeptExports;
use crate::plan::Plan;
use crate::report::{EventKind, RunReport, RunWarning};
use crate::runtime::on_cpu;
use crate::schema::{IdVec, RootId, RunId};
use crate::store::Destination;
use crate::table::Snapshot;

/// Loads what a run has received, or the last that has received something, once more: by the definition as it is now, and
/// without the source.
///
/// # Errors
/// The run failed; no table has changed.
pub async fn reload(
    plan: &Plan,
    received_by: Option<&RunId>,
    context: &RunContext,
) -> Result<RunReport, RunError> {
    let plan = plan.clone().reloading();
    let events = RunEvents::of(&plan, context);
    let steps = async || {
        let destination = open(&plan, context).await?;
        let kept = match kept_exports(&destination, &plan, received_by).await {
            Ok(kept) => kept,
            Err(error) => {
                let run = Run::new(&plan, &destination, context, &events);
                run.keep_unclaimed_report(&error).await;
                return Err(error);
            }
        };
        let plan = plan.clone().with_answered(kept.requests());
        let run = Run::new(&plan, &destination, context, &events);
        run.execute(async |snapshot| run.prepare_reload(&kept, snapshot).await).await
    };
    announced(&plan, context, &events, steps).await
}

/// The exports that a plan loads again. A run beside this one may prune them until they are opened.
async fn kept_exports(
    destination: &Destination,
    plan: &Plan,
    received_by: Option<&RunId>,
) -> Result<KeptExports, RunError> {
    let kept = KeptExports::of(destination, &plan.pipeline.name, received_by).await?;
    kept.ok_or_else(|| {
        let pipeline = plan.pipeline.name.clone();
        RunError::NothingKept { pipeline, run: received_by.cloned() }
    })
}

impl Run<'_> {
    /// Stages the files of an export that an earlier run has received.
    pub(super) async fn prepare_reload(
        &self,
        kept: &KeptExports,
        snapshot: Snapshot,
    ) -> Result<Prepared, RunError> {
        let roots: IdVec<RootId, &Table> = self.plan.pipeline.root_tables().collect();
        guard::against_overwriting_by_older(kept, &roots)?;
        for (table, gap) in self.plan.not_loaded(|table| snapshot.loaded(table)) {
            self.events.warn_of_table(&table, RunWarning::NotLoaded(gap.to_string()));
        }
        for table in roots.values().filter(|table| table.deletes != Deletes::Ignore) {
            let warning = RunWarning::DeletesNothing { window: self.plan.window };
            self.events.warn_of_table(&table.name, warning);
        }
        let expectation = Arc::new(self.expectation(&roots, &snapshot));
        let selector = record_selector(&roots, &snapshot);
        let landed = kept.land(self.destination, self.archive().spool_directory()).await?;
        let (bodies, requests) = (self.bodies(expectation.clone()), self.plan.requests.clone());
        let intake = on_cpu(move || bodies.decode_kept(landed, &requests, selector)).await?;
        self.events.emit(EventKind::Loading);
        let mut prepared = self.stage(&roots, snapshot, intake, expectation).await?;
        prepared.report.reloaded = Some(kept.run_id.clone());
        Ok(prepared)
    }
}
