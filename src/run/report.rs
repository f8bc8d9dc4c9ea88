//! The report of a run: made, and kept in the destination.

use bytes::Bytes;
use object_store::path::Path;

use super::{Run, RunContext, RunError};
use crate::plan::Plan;
use crate::report::{ExportReport, Outcome, RunReport, TableReport};
use crate::run::intake::Intake;
use crate::store::Destination;

/// The report of a run that ends now, with nothing in it but the outcome.
pub(super) fn of(plan: &Plan, context: &RunContext, outcome: Outcome) -> RunReport {
    RunReport {
        version: RunReport::VERSION,
        run_id: plan.run_id.clone(),
        pipeline: plan.pipeline.name.clone(),
        destination: plan.destination.to_string(),
        started_at: plan.started_at,
        finished_at: context.clock.now(),
        outcome,
        window: plan.window,
        exports: Vec::new(),
        retried: None,
        tables: Vec::new(),
        changes: Vec::new(),
        checks: Vec::new(),
    }
}

impl Run<'_> {
    pub(super) fn report(
        &self,
        outcome: Outcome,
        exports: Vec<ExportReport>,
        tables: Vec<TableReport>,
    ) -> RunReport {
        RunReport { exports, tables, ..of(self.plan, self.context, outcome) }
    }

    pub(super) fn exports(&self, intake: &Intake) -> Vec<ExportReport> {
        let requests = self.plan.requests.iter().zip(&intake.landed);
        let exports = requests.map(|(request, landed)| ExportReport {
            url: request.url.to_string(),
            window: request.window,
            bytes: landed.bytes,
            hash: landed.hash.clone(),
        });
        exports.collect()
    }

    pub(super) fn report_path(&self) -> Path {
        Destination::report(self.plan.run_id.as_str())
    }

    pub(super) async fn put_report(&self, report: &RunReport) -> Result<(), RunError> {
        let content = serde_json::to_vec_pretty(report).map_err(RunError::Report)?;
        Ok(self.destination.put(&self.report_path(), Bytes::from(content)).await?)
    }
}
