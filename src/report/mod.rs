//! Report: what happened in a run, for people while it happens and for machines afterwards.
//!
//! ```text
//! run ──Event──▶ Reporters ──▶ Progress   bytes, records and files on a terminal
//!                          ├─▶ Log        warnings as log lines
//!                          ├─▶ Steps      each step with its time, for who asks for more
//!                          └─▶ any other  [`Reporter`]
//! ```
//!
//! The runner emits [`Event`]s and returns a [`RunReport`]. Only this module and [`cli`](crate::cli) print.

mod event;
mod log;
mod model;
mod progress;
mod steps;

pub use event::{Event, EventKind, Reporter, Reporters, RunWarning};
pub use log::Log;
pub use model::{
    CheckReport, ExportReport, NotLoadedReport, Outcome, QuarantineReasonReport, ReportedError,
    RunIdentity, RunReport, RunStep, StepSeconds, TableReport,
};
pub use progress::{Progress, between_progress, hide_progress};
pub use steps::Steps;
