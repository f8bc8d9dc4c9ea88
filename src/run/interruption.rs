//! Interruption: a signal asks this process to stop.
//!
//! A run stops anywhere between recovery and its own commit. These two are short and are not interrupted, so a run has
//! committed nothing or everything. A second signal ends the process at once; the next run then finishes an open commit.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit_code::ExitCode;

/// Which signal it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`, which a terminal sends for Ctrl-C.
    Interrupt,
    /// `SIGTERM`, which a scheduler sends.
    Terminate,
}

impl Signal {
    /// The code that the process exits with.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Interrupt => ExitCode::Interrupted,
            Self::Terminate => ExitCode::Terminated,
        }
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
        })
    }
}

/// Whether a signal has arrived, and a way to wait for one.
#[derive(Debug, Clone)]
pub struct Interruption(watch::Receiver<Option<Signal>>);

impl Interruption {
    /// No signal ever arrives.
    #[must_use]
    pub fn never() -> Self {
        Self(watch::channel(None).1)
    }

    /// Handles the signals of this process from now on. Where that is impossible, signals end the process as by default.
    #[must_use]
    pub fn of_this_process() -> Self {
        let (sender, receiver) = watch::channel(None);
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::spawn(async move {
                let mut next = async || {
                    tokio::select! {
                        _ = interrupt.recv() => Signal::Interrupt,
                        _ = terminate.recv() => Signal::Terminate,
                    }
                };
                sender.send_replace(Some(next().await));
                std::process::exit(next().await.exit_code() as i32);
            });
        }
        Self(receiver)
    }

    /// The signal that has arrived.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// The result of `work`, or the signal that arrived before it.
    ///
    /// # Errors
    /// A signal arrived.
    pub fn or<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Signal>> {
        // A whole run is a large value to pass around.
        let work = Box::pin(work);
        async {
            tokio::select! {
                biased;
                signal = self.arrived() => Err(signal),
                result = work => Ok(result),
            }
        }
    }

    async fn arrived(&self) -> Signal {
        let mut signals = self.0.clone();
        let arrived = signals.wait_for(Option::is_some).await.map(|signal| *signal);
        match arrived {
            Ok(Some(signal)) => signal,
            // Nothing is left that could send one.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_ends_work_and_is_remembered() {
        let (sender, receiver) = watch::channel(None);
        let interruption = Interruption(receiver);
        assert_eq!(interruption.or(async { 1 }).await, Ok(1));
        sender.send_replace(Some(Signal::Terminate));
        assert_eq!(interruption.or(std::future::pending::<()>()).await, Err(Signal::Terminate));
        assert_eq!(
            interruption.or(async { 1 }).await,
            Err(Signal::Terminate),
            "a signal comes first"
        );
        assert_eq!(interruption.signal().map(Signal::exit_code), Some(ExitCode::Terminated));
    }

    #[tokio::test]
    async fn work_that_nobody_can_interrupt_ends_by_itself() {
        assert_eq!(Interruption::never().or(async { 1 }).await, Ok(1));
        assert_eq!(Interruption::never().signal(), None);
    }
}
