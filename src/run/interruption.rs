//! Interruption: somebody wants this process to stop.
//!
//! A run looks for it between recovery, which finishes the commit of an earlier run, and its own commit. Both take a
//! moment and are not split, so that a run has committed nothing or all. A second signal ends the process at once, and
//! the next run finishes what it had begun.

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
    /// The code that the process ends with.
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

/// Tells whether a signal has come, and when one does.
#[derive(Debug, Clone)]
pub struct Interruption(watch::Receiver<Option<Signal>>);

impl Interruption {
    /// Nobody will stop this.
    #[must_use]
    pub fn never() -> Self {
        Self(watch::channel(None).1)
    }

    /// Listens to the signals of this process from now on. Where that is not possible, signals end the process as
    /// they do by default.
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

    /// The signal that has come.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// What `work` results in, or the signal that came before that.
    ///
    /// # Errors
    /// A signal came.
    pub fn or<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Signal>> {
        // A whole run is a large value to pass around.
        let work = Box::pin(work);
        async {
            tokio::select! {
                biased;
                signal = self.came() => Err(signal),
                result = work => Ok(result),
            }
        }
    }

    async fn came(&self) -> Signal {
        let mut signals = self.0.clone();
        let came = signals.wait_for(Option::is_some).await.map(|signal| *signal);
        match came {
            Ok(Some(signal)) => signal,
            // Nobody is left who could send one.
            _ => std::future::pending().await,
        }
    }
}
