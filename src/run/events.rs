//! Events of one run: stamped with time, run and pipeline, and handed to all reporters in one order.

use std::sync::{Arc, Mutex, PoisonError};

use crate::plan::Plan;
use crate::report::{Event, EventKind, FailedRun, Reporter, Reporters, RunReport, RunWarning};
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
    phase: Mutex<Phase>,
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
            phase: Mutex::new(Phase::UnderWay),
        }))
    }

    /// The same run, with nobody listening: for work that was announced before.
    pub(super) fn muted(&self) -> Self {
        Self(Arc::new(Emitter {
            reporters: Reporters::default(),
            clock: self.0.clock.clone(),
            run_id: self.0.run_id.clone(),
            pipeline: self.0.pipeline.clone(),
            phase: Mutex::new(Phase::UnderWay),
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
            phase: Mutex::new(Phase::UnderWay),
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
    pub(super) fn failed(&self, run: FailedRun) {
        self.0.emit(None, EventKind::Failed(Arc::new(run)), Phase::Ended);
    }
}

impl Emitter {
    fn emit(&self, table: Option<TableName>, kind: EventKind, next: Phase) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase == Phase::Ended {
            return;
        }
        *phase = next;
        self.reporters.event(&Event {
            at: self.clock.now(),
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.clone(),
            table,
            kind,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::report::Outcome;
    use crate::table::Pruned;

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

    fn failed_run() -> FailedRun {
        let now = chrono::DateTime::UNIX_EPOCH;
        let report = RunReport {
            version: RunReport::VERSION,
            run_id: "run".parse().unwrap(),
            pipeline: "test".to_owned(),
            destination: "lake".to_owned(),
            started_at: now,
            began_lake: false,
            finished_at: now,
            outcome: Outcome::Failed("no".to_owned()),
            window: None,
            exports: Vec::new(),
            retried: None,
            tables: Vec::new(),
            changes: Vec::new(),
            checks: Vec::new(),
            pruned: Pruned::default(),
        };
        FailedRun { report, exit_code: ExitCode::Unexpected, help: None }
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
        events.failed(failed_run());
        late.emit(EventKind::Decoded(1));
        let shown = recorder.0.lock().unwrap();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[1].starts_with("Failed"), "{shown:?}");
    }
}
