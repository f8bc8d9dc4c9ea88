//! Log: the events of a run as log lines, on any terminal or none.

use super::{Event, EventKind, Reporter};

/// Logs warnings at level `warn`, and begin and end of a run at level `info`.
#[derive(Debug, Clone, Copy)]
pub struct Log;

impl Reporter for Log {
    fn event(&self, event: &Event) {
        let Event { run_id, pipeline, table, kind, .. } = event;
        match (kind, table) {
            (EventKind::Warning(warning), Some(table)) => {
                tracing::warn!(pipeline, run = %run_id, %table, "{warning}");
            }
            (EventKind::Warning(warning), None) => {
                tracing::warn!(pipeline, run = %run_id, "{warning}");
            }
            (EventKind::Started, _) => tracing::info!(pipeline, run = %run_id, "run started"),
            (EventKind::Finished(_), _) => tracing::info!(pipeline, run = %run_id, "run finished"),
            // The command line tells why.
            (EventKind::Failed(_), _) => tracing::info!(pipeline, run = %run_id, "run failed"),
            _ => {}
        }
    }
}
