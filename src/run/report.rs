//! The report of a run: made, and kept in the destination.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;

use super::{Run, RunContext, RunError};
use crate::definition::DestinationUrl;
use crate::exit_code::{ExitCode, Failure};
use crate::report::{ExportReport, NotLoadedReport, Outcome, RunReport, RunWarning, TableReport};
use crate::run::intake::Intake;
use crate::shown;
use crate::store::Destination;
use crate::table::Snapshot;

/// A run that failed before it began does not wait longer for its report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(3);

impl Run<'_> {
    pub(super) fn report(
        &self,
        outcome: Outcome,
        exports: Vec<ExportReport>,
        tables: Vec<TableReport>,
    ) -> RunReport {
        let seconds = self.events.seconds();
        RunReport { seconds, exports, tables, ..self.context.report(self.plan, outcome) }
    }

    /// The windows that no run loads by itself, as the tables were before this one.
    pub(super) fn not_loaded(&self, snapshot: &Snapshot) -> Vec<NotLoadedReport> {
        let gaps = self.plan.not_loaded(|table| snapshot.loaded(table)).into_iter();
        let gaps = gaps.map(|(table, gap)| NotLoadedReport {
            table,
            window: gap.window,
            message: gap.to_string(),
        });
        gaps.collect()
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
        self.destination.report(self.plan.run_id.as_str())
    }

    /// The report that the destination has of this run's id, unless it cannot be read.
    pub(super) async fn earlier_report(&self) -> Result<Option<RunReport>, RunError> {
        match self.destination.get(&self.report_path()).await? {
            Some(content) => match serde_json::from_slice(&content) {
                Ok(report) => Ok(Some(report)),
                Err(_) => Err(RunError::UsedRunId { run_id: self.plan.run_id.clone() }),
            },
            None => Ok(None),
        }
    }

    /// Keeps the report of a run that failed before its id was its own. Another run's report stays.
    pub(super) async fn keep_unclaimed_report(&self, error: &RunError) {
        // A destination that has just failed would fail again, after all of its retries; an id that is another's has its
        // reports.
        let is_of_another = matches!(error, RunError::UsedRunId { .. });
        if error.exit_code() != ExitCode::Destination && !is_of_another {
            let report = self.context.report(self.plan, Outcome::failed(error));
            create_report(self.destination, &report).await;
        }
    }

    /// Keeps the report of a run that is complete in any case.
    pub(super) async fn keep(&self, report: &RunReport) {
        if let Err(error) = self.put_report(report).await {
            self.events.warn(RunWarning::ReportNotWritten(error.to_string()));
        }
    }

    pub(super) async fn put_report(&self, report: &RunReport) -> Result<(), RunError> {
        let content = shown::kept_report(report).map_err(RunError::Report)?;
        self.destination.put(&self.report_path(), Bytes::from(content)).await?;
        Ok(())
    }
}

/// Keeps a report, unless there is one of this id. Where it cannot be written, the error of the run says why.
async fn create_report(destination: &Destination, report: &RunReport) {
    if let Ok(content) = shown::kept_report(report) {
        let path = destination.report(report.run_id.as_str());
        let created = destination.create(&path, Bytes::from(content));
        match tokio::time::timeout(REPORT_TIMEOUT, created).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the report of a failed run was not written"),
            Err(_) => tracing::debug!("there was no time to write the report of a failed run"),
        }
    }
}

/// Keeps the report of a run that could not be planned, if the destination is there.
pub async fn keep_report(
    url: &DestinationUrl,
    shared_as: Option<&str>,
    report: &RunReport,
    context: &RunContext,
) {
    if let Ok(Some(destination)) = context.destinations.open_existing(url, shared_as) {
        create_report(&destination, report).await;
    }
}
