//! What a run is given besides its plan: who listens, who may stop it, and what time it is.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::definition::Environment;
use crate::plan::Plan;
use crate::report::{Outcome, Reporters, RunIdentity, RunReport};
use crate::run::Interruption;
use crate::store::OpenDestinations;

/// The surroundings of a run. Nothing in a run reaches for the process environment or the system clock itself.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// Where API keys and `${NAME}` are looked up.
    pub environment: Environment,
    /// Who gets the events of the run.
    pub reporters: Reporters,
    /// Whether somebody wants the run to stop.
    pub interruption: Interruption,
    /// What time it is.
    pub clock: Clock,
    /// The destinations that were opened so far.
    pub destinations: OpenDestinations,
}

impl RunContext {
    /// An environment, the system's clock, no reporters, and nobody who interrupts.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            reporters: Reporters::default(),
            interruption: Interruption::never(),
            clock: Clock::system(),
            destinations: OpenDestinations::default(),
        }
    }

    /// The report of a run that ends now, with nothing in it but the outcome.
    #[must_use]
    pub fn report(&self, plan: &Plan, outcome: Outcome) -> RunReport {
        let run = RunIdentity {
            run_id: plan.run_id.clone(),
            pipeline: plan.pipeline.name.clone(),
            destination: plan.destination.absolute(),
            slice: plan.pipeline.slice.clone(),
            started_at: plan.started_at,
        };
        RunReport { window: plan.window, ..RunReport::of(run, self.clock.now(), outcome) }
    }
}

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Utc::now))
    }

    /// A clock that stands still.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Arc::new(move || at))
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
