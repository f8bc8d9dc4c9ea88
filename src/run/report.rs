//! The report of a run: made, and kept in the destination.

use bytes::Bytes;
use object_store::path::Path;

use super::{Run, RunError};
use crate::report::{ExportReport, Outcome, RunReport, TableReport};
use crate::run::intake::Intake;
use crate::shown;
use crate::store::Destination;

impl Run<'_> {
    pub(super) fn report(
        &self,
        outcome: Outcome,
        exports: Vec<ExportReport>,
        tables: Vec<TableReport>,
    ) -> RunReport {
        RunReport { exports, tables, ..self.context.report(self.plan, outcome) }
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
        let content = shown::pretty_json(report).map_err(RunError::Report)?;
        self.destination.put(&self.report_path(), Bytes::from(content)).await?;
        Ok(())
    }
}
