//! Events: every reporter gets every event of a run, in one order.

use std::sync::{Arc, Mutex};

use flowlake::definition::Environment;
use flowlake::exit_code::ExitCode;
use flowlake::plan::Overrides;
use flowlake::report::{Event, EventKind, Outcome, Reporter, Reporters, RunWarning};
use flowlake::run::{Clock, RunContext};
use flowlake::store::Destination;
use object_store::memory::InMemory;

use crate::support::{Answer, InProcess, Source, Workplace, runtime};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]";

/// Keeps all events.
#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Reporter for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Recorder {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    fn shown(&self) -> Vec<String> {
        self.events().iter().map(|event| format!("{event:?}")).collect()
    }
}

/// Runs a pipeline with two reporters, which must get the same events.
fn events_of(source: &Source, retry: &str) -> Vec<Event> {
    let workplace = Workplace::asking(source);
    workplace.define_with(retry, TABLES);
    let (first, second) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let context = RunContext {
        reporters: Reporters::default().and(first.clone()).and(second.clone()),
        clock: Clock::fixed("2026-03-04T05:06:07Z".parse().unwrap()),
        ..RunContext::new(Environment::default())
    };
    runtime().block_on(async {
        let pipeline = InProcess::asking(source.base_url(), &workplace).await;
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let overrides = Overrides::default();
        let _ = pipeline.run_with(&destination, "run-1", &overrides, &context).await;
    });
    assert_eq!(first.shown(), second.shown());
    let events = first.events();
    for event in &events {
        assert_eq!((event.run_id.as_str(), event.pipeline.as_str()), ("run-1", "test"));
        assert_eq!(event.at, context.clock.now());
    }
    events
}

/// The names of the kinds of events, without repetitions in a row.
fn kinds(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| {
        let shown = format!("{:?}", event.kind);
        shown.split([' ', '(']).next().unwrap_or_default().to_owned()
    };
    let mut kinds: Vec<String> = events.iter().map(name).collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_run_is_told_from_its_beginning_to_its_end() {
    let events = events_of(&Source::serving("[{\"id\":1},{\"id\":2}]"), "");
    let expected = [
        "Started",
        "Requesting",
        "Receiving",
        "Received",
        "Decoded",
        "Loading",
        "Writing",
        "Written",
        "Committing",
        "Finished",
    ];
    assert_eq!(kinds(&events), expected);
    let EventKind::Finished(report) = &events.last().unwrap().kind else { panic!() };
    assert_eq!((report.outcome.clone(), report.tables[0].inserted), (Outcome::Committed, 2));
}

#[test]
fn warnings_and_the_failure_reach_every_reporter() {
    let busy = Answer::Other { status: 503, content_type: "text/plain", body: "busy" };
    let events = events_of(&Source::answering(busy), "retry = { max_attempts = 2 }");
    assert_eq!(kinds(&events), ["Started", "Requesting", "Warning", "Requesting", "Failed"]);
    let EventKind::Warning(warning) = &events[2].kind else { panic!() };
    assert!(matches!(warning, RunWarning::Retrying { .. }));
    assert!(warning.to_string().contains("answered 503 Service Unavailable: busy; asking again"));
    let EventKind::Failed(run) = &events[4].kind else { panic!() };
    assert_eq!(run.exit_code, ExitCode::SourceUnavailable.number());
    let Outcome::Failed { error } = &run.outcome else { panic!() };
    assert!(error.message.contains("busy") && error.help.is_some(), "{error:?}");
}
