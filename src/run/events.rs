//! Events of one run: stamped with time, run and pipeline, and handed to all reporters in one order.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::plan::Plan;
use crate::report::{
    Event, EventKind, Reporter, Reporters, RunReport, RunStep, RunWarning, StepSeconds,
};
use crate::run::context::{Clock, RunContext};
use crate::schema::{RunId, TableName};

/// Emits the events of one run. Clones share the order of events.
#[derive(Clone)]
pub(super) struct RunEvents(Arc<Emitter>);

struct Emitter {
    reporters: Reporters,
    clock: Clock,
    run_id: RunId,
    pipeline: String,
    /// Locked while an event is handed on, so that every reporter gets events one at a time and in the same order.
    progress: Mutex<StepClock>,
}

/// How far a run is, and since when.
struct StepClock {
    phase: Phase,
    step: RunStep,
    /// Since when it is in this step.
    since: DateTime<Utc>,
    seconds: StepSeconds,
}

impl StepClock {
    fn at_beginning(now: DateTime<Utc>) -> Mutex<Self> {
        let (phase, step, seconds) = (Phase::UnderWay, RunStep::Receive, StepSeconds::default());
        Mutex::new(Self { phase, step, since: now, seconds })
    }

    /// Goes on to a step; never back, since pieces of a window are received beside each other.
    fn reach(&mut self, step: RunStep, now: DateTime<Utc>) {
        let in_step = (now - self.since).as_seconds_f64().max(0.0);
        self.seconds.add(self.step, in_step);
        (self.step, self.since) = (self.step.max(step), now);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    UnderWay,
    /// The last event was emitted. Threads that still decode for a failed run emit nothing more.
    Ended,
}

impl RunEvents {
    pub(super) fn of(plan: &Plan, context: &RunContext) -> Self {
        Self(Arc::new(Emitter {
            reporters: context.reporters.clone(),
            clock: context.clock.clone(),
            run_id: plan.run_id.clone(),
            pipeline: plan.pipeline.name.clone(),
            progress: StepClock::at_beginning(context.clock.now()),
        }))
    }

    /// The same run, with nobody listening: for work that was announced before.
    pub(super) fn muted(&self) -> Self {
        Self(Arc::new(Emitter {
            reporters: Reporters::default(),
            clock: self.0.clock.clone(),
            run_id: self.0.run_id.clone(),
            pipeline: self.0.pipeline.clone(),
            progress: StepClock::at_beginning(self.0.clock.now()),
        }))
    }

    /// The events of a run that there is no plan for.
    #[cfg(test)]
    pub(super) fn of_test(reporters: Reporters) -> Self {
        Self(Arc::new(Emitter {
            reporters,
            clock: Clock::system(),
            run_id: RunId::at(chrono::DateTime::UNIX_EPOCH),
            pipeline: "test".to_owned(),
            progress: StepClock::at_beginning(DateTime::UNIX_EPOCH),
        }))
    }

    pub(super) fn emit(&self, kind: EventKind) {
        self.0.emit(None, kind, Phase::UnderWay);
    }

    pub(super) fn warn(&self, warning: RunWarning) {
        self.emit(EventKind::Warning(warning));
    }

    pub(super) fn warn_of_table(&self, table: &TableName, warning: RunWarning) {
        self.0.emit(Some(table.clone()), EventKind::Warning(warning), Phase::UnderWay);
    }

    /// The last event of a run that ended as it should.
    pub(super) fn finished(&self, report: &RunReport) {
        self.0.emit(None, EventKind::Finished(Arc::new(report.clone())), Phase::Ended);
    }

    /// The last event of a run that failed.
    pub(super) fn failed(&self, report: &RunReport) {
        self.0.emit(None, EventKind::Failed(Arc::new(report.clone())), Phase::Ended);
    }

    /// How long each step has taken until now.
    pub(super) fn seconds(&self) -> StepSeconds {
        let mut progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let step = progress.step;
        progress.reach(step, self.0.clock.now());
        progress.seconds
    }
}

impl Emitter {
    fn emit(&self, table: Option<TableName>, kind: EventKind, next: Phase) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.phase == Phase::Ended {
            return;
        }
        progress.phase = next;
        let now = self.clock.now();
        if let Some(step) = step_that_begins(&kind) {
            progress.reach(step, now);
        }
        self.reporters.event(&Event {
            at: now,
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.clone(),
            table,
            kind,
        });
    }
}

/// The step of a run that begins with an event.
fn step_that_begins(kind: &EventKind) -> Option<RunStep> {
    match kind {
        EventKind::Loading => Some(RunStep::Load),
        EventKind::Writing(_) => Some(RunStep::Write),
        EventKind::Committing => Some(RunStep::Commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Outcome, RunIdentity};
    use crate::run::RunError;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Reporter for Recorder {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(format!("{:?}", event.kind));
        }
    }

    fn events(reporters: &[Arc<Recorder>]) -> RunEvents {
        let all = reporters.iter().fold(Reporters::default(), |all, one| all.and(one.clone()));
        RunEvents::of_test(all)
    }

    fn failed_run() -> RunReport {
        let run = RunIdentity {
            run_id: "run".parse().unwrap(),
            pipeline: "test".to_owned(),
            destination: "lake".to_owned(),
            slice: None,
            started_at: DateTime::UNIX_EPOCH,
        };
        RunReport::of(run, DateTime::UNIX_EPOCH, Outcome::failed(&RunError::Conflict))
    }

    #[test]
    fn events_of_many_threads_reach_every_reporter_in_the_same_order() {
        let (first, second) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
        let events = events(&[first.clone(), second.clone()]);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let events = events.clone();
                scope.spawn(move || {
                    for number in 0..100 {
                        events.emit(EventKind::Decoded(thread * 100 + number));
                    }
                });
            }
        });
        let (first, second) = (first.0.lock().unwrap(), second.0.lock().unwrap());
        assert_eq!(first.len(), 400);
        assert_eq!(*first, *second);
    }

    #[test]
    fn nothing_follows_the_last_event() {
        let recorder = Arc::new(Recorder::default());
        let events = events(std::slice::from_ref(&recorder));
        let late = events.clone();
        events.muted().emit(EventKind::Started);
        events.emit(EventKind::Started);
        events.failed(&failed_run());
        late.emit(EventKind::Decoded(1));
        let shown = recorder.0.lock().unwrap();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[1].starts_with("Failed"), "{shown:?}");
    }

    #[test]
    fn f04_each_step_has_its_time() {
        let begin = DateTime::UNIX_EPOCH;
        let at = |seconds: i64| begin + chrono::TimeDelta::seconds(seconds);
        let progress = StepClock::at_beginning(begin);
        let mut progress = progress.lock().unwrap();
        progress.reach(RunStep::Load, at(3));
        progress.reach(RunStep::Write, at(5));
        progress.reach(RunStep::Load, at(6));
        progress.reach(RunStep::Commit, at(9));
        progress.reach(RunStep::Commit, at(10));
        let seconds = serde_json::to_value(progress.seconds).unwrap();
        let expected =
            serde_json::json!({"receive": 3.0, "load": 2.0, "write": 4.0, "commit": 1.0});
        assert_eq!(seconds, expected);
    }
}
