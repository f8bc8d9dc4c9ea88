//! Progress: bytes, records and files on a terminal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::{Event, EventKind, Reporter};
use crate::shown;

/// Shows how far a run is, on stderr. Shows nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    received: AtomicU64,
    decoded: AtomicU64,
}

impl Progress {
    /// The progress of the pipeline of this name.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_prefix(shown::message(pipeline));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, received: 0.into(), decoded: 0.into() }
    }

    fn show_intake(&self) {
        let received = HumanBytes(self.received.load(Ordering::Relaxed));
        let decoded = self.decoded.load(Ordering::Relaxed);
        self.bar.set_message(format!("{received} received, {decoded} records decoded"));
    }

    fn show_files(&self) {
        let files = self.bar.length().unwrap_or_default();
        self.bar.set_message(format!("{} of {files} files written", self.bar.position()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Reporter for Progress {
    fn event(&self, event: &Event) {
        match &event.kind {
            EventKind::Waiting { owner } => {
                self.bar.set_message(shown::message(&format!("waiting for {owner}")))
            }
            EventKind::Requesting { attempt: 1 } => self.bar.set_message("asking the source"),
            EventKind::Requesting { attempt } => {
                self.bar.set_message(format!("asking the source, attempt {attempt}"));
            }
            EventKind::Receiving { .. } => self.bar.set_message("the source answers"),
            EventKind::Received(bytes) => {
                self.received.fetch_add(*bytes, Ordering::Relaxed);
                self.show_intake();
            }
            EventKind::Decoded(records) => {
                self.decoded.fetch_add(*records, Ordering::Relaxed);
                self.show_intake();
            }
            EventKind::Writing(files) => {
                self.bar.set_length(*files);
                self.bar.set_position(0);
                self.show_files();
            }
            EventKind::Written => {
                self.bar.inc(1);
                self.show_files();
            }
            EventKind::Committing => self.bar.set_message("committing"),
            EventKind::Started
            | EventKind::Warning(_)
            | EventKind::Finished(_)
            | EventKind::Failed(_) => {}
        }
    }
}
