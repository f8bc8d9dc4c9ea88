//! Steps: what a run asks for, and how long each of its steps takes, as log lines for who asks for more.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::{Event, EventKind, Reporter};

/// Logs each step of a run at level `debug`.
#[derive(Debug, Default)]
pub struct Steps(Mutex<StepsSoFar>);

/// How far a run is.
#[derive(Debug, Default)]
struct StepsSoFar {
    /// When the present step began.
    since: Option<DateTime<Utc>>,
    bytes: u64,
    records: u64,
    files: u64,
    commits: bool,
}

impl StepsSoFar {
    /// How long the step took that ends now, in seconds.
    fn end_at(&mut self, now: DateTime<Utc>) -> f64 {
        let since = self.since.replace(now).unwrap_or(now);
        (now - since).as_seconds_f64().max(0.0)
    }
}

impl Reporter for Steps {
    fn event(&self, event: &Event) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Event { at, run_id: run, pipeline, kind, .. } = event;
        match kind {
            EventKind::Started => steps.since = Some(*at),
            EventKind::Waiting { owner } => {
                tracing::debug!(pipeline, %run, owner, "waiting for another run");
            }
            EventKind::Requesting { attempt } => {
                tracing::debug!(pipeline, %run, attempt, "asking the source");
            }
            EventKind::Receiving { announced } => {
                tracing::debug!(pipeline, %run, announced, "receiving the export");
            }
            EventKind::Received(bytes) => steps.bytes += bytes,
            EventKind::Decoded(records) => steps.records += records,
            EventKind::Loading => {
                let (seconds, bytes, records) = (steps.end_at(*at), steps.bytes, steps.records);
                tracing::debug!(pipeline, %run, seconds, bytes, records, "received the export");
            }
            EventKind::Writing(files) => {
                steps.files = *files;
                let seconds = steps.end_at(*at);
                tracing::debug!(pipeline, %run, seconds, "made rows");
            }
            EventKind::Committing => {
                steps.commits = true;
                let (seconds, files) = (steps.end_at(*at), steps.files);
                tracing::debug!(pipeline, %run, seconds, files, "wrote files");
            }
            EventKind::Finished(_) if steps.commits => {
                let seconds = steps.end_at(*at);
                tracing::debug!(pipeline, %run, seconds, "committed");
            }
            EventKind::Finished(_) | EventKind::Failed(_) => {
                let seconds = steps.end_at(*at);
                tracing::debug!(pipeline, %run, seconds, "ended in this step");
            }
            EventKind::Written | EventKind::Warning(_) => {}
        }
    }
}
