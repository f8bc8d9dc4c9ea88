//! Progress: bytes, records and files on a terminal.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{
    HumanBytes, HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget,
    ProgressStyle,
};

use super::{Event, EventKind, Reporter};
use crate::shown;

/// All progress on the terminal of this process.
static ON_TERMINAL: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// From now on no progress is shown.
pub fn hide_progress() {
    ON_TERMINAL.set_draw_target(ProgressDrawTarget::hidden());
}

/// Writes to stderr while no progress is shown, so that neither crosses the other.
pub fn between_progress<T>(write: impl FnOnce() -> T) -> T {
    if ON_TERMINAL.is_hidden() { write() } else { ON_TERMINAL.suspend(write) }
}

/// Shows how far a run is, on stderr. Shows nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// The size that the source announced; 0 if it did not.
    announced: AtomicU64,
    received: AtomicU64,
    decoded: AtomicU64,
}

impl Progress {
    /// The progress of the pipeline of this name.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        let bar = ON_TERMINAL.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_prefix(shown::message(pipeline));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, announced: 0.into(), received: 0.into(), decoded: 0.into() }
    }

    fn show_intake(&self) {
        let received = self.received.load(Ordering::Relaxed);
        let announced = self.announced.load(Ordering::Relaxed);
        let mut parts = vec![match announced {
            0 => format!("{} received", HumanBytes(received)),
            all => format!("{} of {} received", HumanBytes(received), HumanBytes(all)),
        }];
        // Whole seconds, and none before the rate means something.
        if let Some(rate) = received.checked_div(self.bar.elapsed().as_secs()) {
            parts.push(format!("{}/s", HumanBytes(rate)));
            let left = announced.saturating_sub(received).checked_div(rate).unwrap_or_default();
            if left > 0 {
                parts.push(format!("{} left", HumanDuration(Duration::from_secs(left))));
            }
        }
        let decoded = self.decoded.load(Ordering::Relaxed);
        if decoded > 0 {
            parts.push(format!("{} records", HumanCount(decoded)));
        }
        self.bar.set_message(parts.join(", "));
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
                self.bar.set_message(shown::message(&format!("waiting for {owner}")));
            }
            EventKind::Requesting { attempt: 1 } => self.bar.set_message("asking the source"),
            EventKind::Requesting { attempt } => {
                self.bar.set_message(format!("asking the source, attempt {attempt}"));
            }
            EventKind::Receiving { announced } => {
                self.announced.fetch_add(announced.unwrap_or_default(), Ordering::Relaxed);
                self.bar.set_message("the source answers");
            }
            EventKind::Received(bytes) => {
                self.received.fetch_add(*bytes, Ordering::Relaxed);
                self.show_intake();
            }
            EventKind::Decoded(records) => {
                self.decoded.fetch_add(*records, Ordering::Relaxed);
                self.show_intake();
            }
            EventKind::Loading => self.bar.set_message("making rows"),
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
