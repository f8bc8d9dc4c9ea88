//! Run: the only module that knows every step, and the order they come in.
//!
//! ```text
//! lock ─▶ recover ─▶ fetch ═ land ═ decode ─▶ resolve schemas ─▶ normalise ─▶ write ─▶ commit ─▶ report
//!                    └── while it arrives ──┘                                 staged   visible
//! ```
//!
//! | step | module |
//! |---|---|
//! | receive, keep and decode the export while it arrives | `intake`, `decoder`, `collect` |
//! | refuse what cannot be right | `guard` |
//! | turn records into rows | `load` |
//! | compare them with the tables | `merge` |
//! | stage files, and what their commit takes | `stage` |
//!
//! Beside a run of the source, `reload` loads what an earlier one has kept, `repartition` divides tables by other columns,
//! and `maintenance` has what is short.
//!
//! Until the commit nothing that a reader sees has changed. A run that fails before it leaves the tables as they were.

mod budget;
mod collect;
pub mod context;
mod decoder;
mod empty_tables;
mod error;
mod events;
mod findings;
mod guard;
mod guard_error;
mod history;
mod intake;
pub mod interruption;
mod ledger;
mod load;
mod load_export;
mod loaded;
mod maintenance;
mod merge;
mod new_exports;
mod prepare;
mod quarantine;
mod record_places;
mod reload;
mod repartition;
mod report;
mod set_apart;
mod shared;
mod stage;
mod waiting_size;

use std::sync::Arc;
use std::time::Duration;

pub use context::{Clock, RunContext};
pub use error::RunError;
pub use guard_error::GuardError;
pub use interruption::{Interruption, Signal};
pub use maintenance::{
    DroppedRecords, Recovery, convert, drop_quarantined, prune, recover, set_watermark,
};
pub use reload::reload;
pub use repartition::{Repartitioned, repartition};
pub use report::keep_report;

use crate::definition::Pipeline;
use crate::plan::{Plan, RecordOrigin};
use crate::report::{EventKind, Outcome, RunReport, RunWarning};
use crate::schema::TableName;
use crate::source::api_key::ApiKey;
use crate::store::Destination;
use crate::table::lock::{Lock, LockError, Owner};
use crate::table::{
    self, Agreement, Changes, CommitError, CommitOutcome, Kept, Pruned, Snapshot, TableStore,
    discard_abandoned, discard_staged,
};
use events::RunEvents;

/// How long a run waits before it tries again to lock a destination that is held.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long an interrupted run may clean up.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_millis(500);

/// Executes a plan. The destination keeps the report, also of a run that failed.
///
/// # Errors
/// The run failed; no table has changed.
pub async fn run(plan: &Plan, context: &RunContext) -> Result<RunReport, RunError> {
    let events = RunEvents::of(plan, context);
    let steps = async || {
        let destination = open(plan, context).await?;
        let run = Run::new(plan, &destination, context, &events);
        run.execute(async |snapshot| {
            let sources = &plan.pipeline.source.api_key;
            let keys = ApiKey::find_all(sources, &context.environment).await?;
            run.prepare(&keys, snapshot).await
        })
        .await
    };
    announced(plan, context, &events, steps).await
}

/// Opens the destination of a plan.
async fn open(plan: &Plan, context: &RunContext) -> Result<Destination, RunError> {
    if let Some(above) = plan.destination.lake_above() {
        return Err(RunError::InsideLake { url: plan.destination.to_string(), above });
    }
    if !plan.pipeline.must_exist {
        return Ok(context.destinations.open(&plan.destination, plan.pipeline.shared_as())?);
    }
    let shared_as = plan.pipeline.shared_as();
    let opened = context.destinations.open_lake(&plan.destination, shared_as).await?;
    opened.ok_or_else(|| RunError::NoLake { url: plan.destination.to_string() })
}

/// Executes a plan in a destination that is already open. It can be interrupted until it begins to commit.
///
/// # Errors
/// The run failed; no table has changed.
pub async fn run_into(
    destination: &Destination,
    plan: &Plan,
    keys: &[ApiKey],
    context: &RunContext,
) -> Result<RunReport, RunError> {
    let events = RunEvents::of(plan, context);
    let run = Run::new(plan, destination, context, &events);
    let steps = async || run.execute(async |snapshot| run.prepare(keys, snapshot).await).await;
    announced(plan, context, &events, steps).await
}

/// Loads the quarantined records of a destination again, by the definition as it is now. What still does not fit stays
/// in quarantine.
///
/// # Errors
/// The run failed; no table has changed, and quarantine is as before.
pub async fn retry(plan: &Plan, context: &RunContext) -> Result<RunReport, RunError> {
    let plan = plan.clone().retrying();
    let events = RunEvents::of(&plan, context);
    let steps = async || {
        let destination = open(&plan, context).await?;
        let run = Run::new(&plan, &destination, context, &events);
        run.execute(async |snapshot| run.prepare_retry(snapshot).await).await
    };
    announced(&plan, context, &events, steps).await
}

/// [`retry`] in a destination that is already open.
///
/// # Errors
/// The run failed; no table has changed, and quarantine is as before.
pub async fn retry_in(
    destination: &Destination,
    plan: Plan,
    context: &RunContext,
) -> Result<RunReport, RunError> {
    let plan = plan.retrying();
    let events = RunEvents::of(&plan, context);
    let run = Run::new(&plan, destination, context, &events);
    let steps = async || run.execute(async |snapshot| run.prepare_retry(snapshot).await).await;
    announced(&plan, context, &events, steps).await
}

/// Emits the first and the last event around the steps of a run.
async fn announced(
    plan: &Plan,
    context: &RunContext,
    events: &RunEvents,
    steps: impl AsyncFnOnce() -> Result<RunReport, RunError>,
) -> Result<RunReport, RunError> {
    events.emit(EventKind::Started);
    let result = Box::pin(steps()).await;
    match &result {
        Ok(report) => events.finished(report),
        Err(error) => {
            let report = context.report(plan, Outcome::failed(error));
            events.failed(&RunReport { seconds: events.seconds(), ..report });
        }
    }
    result
}

/// One run under way.
struct Run<'a> {
    plan: &'a Plan,
    destination: &'a Destination,
    tables: Arc<TableStore>,
    context: &'a RunContext,
    events: &'a RunEvents,
}

/// What becomes of a run's id.
enum Claim {
    /// No run of this id has committed.
    Free(Box<Snapshot>),
    CommittedBefore {
        /// Its report says so.
        has_report: bool,
    },
}

/// Everything that a run has prepared for its commit.
struct Prepared {
    snapshot: Snapshot,
    /// What to commit; none when nothing has changed.
    changes: Option<Changes>,
    report: RunReport,
}

impl<'a> Run<'a> {
    fn new(
        plan: &'a Plan,
        destination: &'a Destination,
        context: &'a RunContext,
        events: &'a RunEvents,
    ) -> Self {
        Self { plan, destination, tables: table::open(destination), context, events }
    }

    /// Locks the destination, prepares the run and commits it. It can be interrupted until it begins to commit.
    async fn execute(
        &self,
        prepare: impl AsyncFnOnce(Snapshot) -> Result<Prepared, RunError>,
    ) -> Result<RunReport, RunError> {
        let lock = match self.acquire_lock().await {
            Ok(lock) => lock,
            Err(error) => {
                self.keep_unclaimed_report(&error).await;
                return Err(error);
            }
        };
        let result = self.execute_locked(&lock, prepare).await;
        lock.release().await;
        result
    }

    /// Locks the destination, waiting for another run if the plan says so.
    async fn acquire_lock(&self) -> Result<Lock, RunError> {
        loop {
            let owner = Owner::this_process(&self.plan.run_id, &self.plan.pipeline.name);
            match Lock::acquire(self.destination, owner).await {
                Err(LockError::Held { by, .. }) if self.plan.waits => {
                    self.events.emit(EventKind::Waiting { owner: by.to_string() });
                    let pause = tokio::time::sleep(LOCK_POLL_INTERVAL);
                    self.context.interruption.or(pause).await.map_err(RunError::Stopped)?;
                }
                other => return Ok(other?),
            }
        }
    }

    /// The steps under the lock.
    async fn execute_locked(
        &self,
        lock: &Lock,
        prepare: impl AsyncFnOnce(Snapshot) -> Result<Prepared, RunError>,
    ) -> Result<RunReport, RunError> {
        if let Some(mode) = self.plan.pipeline.raw_mode {
            self.destination.set_raw_mode(mode);
        }
        // A signal takes effect after the claim: recovery finishes an open commit as a whole, and nothing is cleaned up
        // under an id that may be another run's.
        let snapshot = match self.claim().await {
            Ok(Claim::Free(snapshot)) => *snapshot,
            Ok(Claim::CommittedBefore { has_report }) => {
                let report = self.report(Outcome::CommittedBefore, Vec::new(), Vec::new());
                if !has_report {
                    self.keep(&report).await;
                }
                return Ok(report);
            }
            Err(error) => {
                self.keep_unclaimed_report(&error).await;
                return Err(error);
            }
        };
        // What killed runs have staged may be what fills the disk.
        if lock.ends_with_process()
            && let Err(error) = discard_abandoned(self.destination).await
        {
            self.events.warn(RunWarning::StagedFilesLeft(error.to_string()));
        }
        let kept = Kept::beside(&snapshot, &self.plan.pipeline);
        let mut result = match self.context.interruption.or(prepare(snapshot)).await {
            Ok(Ok(_)) if lock.is_lost() => Err(RunError::Conflict),
            Ok(Ok(prepared)) => self.commit(prepared).await,
            Ok(Err(error)) => Err(error),
            Err(signal) => Err(RunError::Stopped(signal)),
        };
        // What is loaded again is not deleted by the same command.
        let is_reload = self.plan.origin == RecordOrigin::Landing;
        if !is_reload && !matches!(result, Err(RunError::Stopped(_))) {
            let pruned = self.prune(&kept).await;
            if let Ok(report) = &mut result {
                report.pruned = Pruned { replaced: report.pruned.replaced, ..pruned };
            }
        }
        match &result {
            Ok(report) => self.keep(report).await,
            Err(error @ RunError::Stopped(_)) => {
                // What is being written comes first. It ends by itself, unless the disk hangs.
                let has_settled = self.destination.settle().await;
                let cleaned_up = tokio::time::timeout(CLEAN_UP_TIMEOUT, self.clean_up_after(error));
                if !has_settled || cleaned_up.await.is_err() {
                    self.events.warn(RunWarning::NoTimeToCleanUp);
                }
            }
            Err(error) => self.clean_up_after(error).await,
        }
        result
    }

    /// Recovers the destination. A run that committed nothing may be repeated under its id; one that committed is not
    /// run again, so that a scheduler may always repeat a command.
    async fn claim(&self) -> Result<Claim, RunError> {
        let has_report = self.has_committed_report().await?;
        let mut snapshot = self.tables.recover().await?;
        // A run that failed leaves its report, and no lake.
        if self.plan.pipeline.needs_lake() && snapshot.is_of_no_commit() {
            return Err(RunError::NoLake { url: self.plan.destination.to_string() });
        }
        // A run that was killed after its commit has no report, and is known to the snapshot.
        if has_report || self.has_committed(&snapshot)? {
            return Ok(Claim::CommittedBefore { has_report });
        }
        refuse_other_format(&self.plan.pipeline, &snapshot)?;
        let roots = self.plan.pipeline.root_tables().map(|table| &table.name);
        self.refuse_tables_of_others(&snapshot, roots)?;
        self.take_slice(&mut snapshot).await?;
        Ok(Claim::Free(Box::new(snapshot)))
    }

    /// Takes the slice of the pipeline, where it shares its tables.
    async fn take_slice(&self, snapshot: &mut Snapshot) -> Result<(), RunError> {
        let Pipeline { slice: Some(slice), name, .. } = &self.plan.pipeline else { return Ok(()) };
        snapshot.agreement = Agreement::of(self.destination).await?;
        refuse_other_slice(&self.plan.pipeline, snapshot)?;
        if let Some(agreement) = snapshot.agreement.take() {
            snapshot.agreement = Some(agreement.with_slice(self.destination, slice, name).await?);
        }
        Ok(())
    }

    /// Refuses tables that another pipeline writes: it has watermarks and exports of its own.
    fn refuse_tables_of_others<'t>(
        &self,
        snapshot: &Snapshot,
        tables: impl Iterator<Item = &'t TableName>,
    ) -> Result<(), RunError> {
        if self.plan.take_over {
            return Ok(());
        }
        let other = snapshot.table_of_another(&self.plan.pipeline.name, tables);
        other.map_or(Ok(()), |(table, pipeline)| Err(RunError::OtherPipeline { table, pipeline }))
    }

    /// Whether the destination has the report of this run, and it has committed. An id belongs to one pipeline and command.
    async fn has_committed_report(&self) -> Result<bool, RunError> {
        if self.plan.id_is_new {
            return Ok(false);
        }
        let Some(earlier) = self.earlier_report().await? else { return Ok(false) };
        let has_committed =
            matches!(earlier.outcome, Outcome::Committed | Outcome::CommittedBefore);
        // The second attempt of a run that was killed after its commit does not know what the first one did.
        let is_same_command =
            earlier.outcome != Outcome::Committed || origin_of(&earlier) == self.plan.origin;
        if earlier.pipeline == self.plan.pipeline.name && is_same_command {
            Ok(has_committed)
        } else {
            Err(RunError::UsedRunId { run_id: self.plan.run_id.clone() })
        }
    }

    /// Whether a run of this id has written tables of this pipeline.
    fn has_committed(&self, snapshot: &Snapshot) -> Result<bool, RunError> {
        let writers = snapshot.pipelines_of_run(&self.plan.run_id);
        match writers.as_slice() {
            [] => Ok(false),
            writers if writers.contains(&self.plan.pipeline.name.as_str()) => Ok(true),
            _ => Err(RunError::UsedRunId { run_id: self.plan.run_id.clone() }),
        }
    }

    /// Makes the run visible.
    async fn commit(&self, prepared: Prepared) -> Result<RunReport, RunError> {
        let Prepared { snapshot, changes, mut report } = prepared;
        report.not_loaded = self.not_loaded(&snapshot);
        if let Some(changes) = changes {
            self.events.emit(EventKind::Committing);
            let changed: Vec<TableName> =
                changes.manifests.iter().map(|manifest| manifest.schema.name.clone()).collect();
            report.began_lake = snapshot.tables().next().is_none();
            let outcome = self.tables.commit(snapshot, changes).await?;
            if outcome == CommitOutcome::Conflict {
                return Err(RunError::Conflict);
            }
            report.pruned.replaced = self.keep_up_logs(&changed).await;
        }
        report.seconds = self.events.seconds();
        report.finished_at = self.context.clock.now();
        Ok(report)
    }

    /// Deletes what the definition does not keep. A run is complete without it.
    async fn prune(&self, kept: &Kept) -> Pruned {
        let run_id = Some(&self.plan.run_id);
        let pruned = kept.prune(self.destination, run_id, self.context.clock.now()).await;
        pruned.unwrap_or_else(|error| {
            self.events.warn(RunWarning::NotPruned(error.to_string()));
            Pruned::default()
        })
    }

    /// Keeps up the logs of changed tables. A run is complete without it.
    async fn keep_up_logs(&self, changed: &[TableName]) -> u64 {
        let Pipeline { format, retention, .. } = &self.plan.pipeline;
        if format.is_parquet() {
            return 0;
        }
        let kept_up =
            self.tables.keep_up_logs(changed, *retention, self.context.clock.now(), false);
        kept_up.await.unwrap_or_else(|error| {
            self.events.warn(RunWarning::NotPruned(error.to_string()));
            0
        })
    }

    /// Writes the report of a failed run, and removes its staged files.
    async fn clean_up_after(&self, error: &RunError) {
        self.keep(&self.report(Outcome::failed(error), Vec::new(), Vec::new())).await;
        if left_no_intent(error)
            && let Err(error) = discard_staged(self.destination, &self.plan.run_id).await
        {
            self.events.warn(RunWarning::StagedFilesLeft(error.to_string()));
        }
    }
}

/// Refuses tables of another format than the definition's.
pub(crate) fn refuse_other_format(
    pipeline: &Pipeline,
    snapshot: &Snapshot,
) -> Result<(), RunError> {
    let asked = pipeline.format;
    match snapshot.format().filter(|is| *is != asked) {
        Some(is) => Err(RunError::OtherFormat { is, asked }),
        None => Ok(()),
    }
}

/// Refuses another slice than the tables are of, and one that another pipeline writes.
pub(crate) fn refuse_other_slice(pipeline: &Pipeline, snapshot: &Snapshot) -> Result<(), RunError> {
    let Some(asked) = &pipeline.slice else { return Ok(()) };
    if let Some(is) = snapshot.slice().filter(|is| *is != asked) {
        return Err(RunError::OtherSlice { is: is.clone(), asked: asked.clone() });
    }
    let Some(agreement) = &snapshot.agreement else { return Ok(()) };
    Ok(agreement.refuse_other_owner(asked, &pipeline.name).map_err(CommitError::from)?)
}

/// Where the records of a reported run came from.
fn origin_of(report: &RunReport) -> RecordOrigin {
    match (report.retried, &report.reloaded) {
        (Some(_), _) => RecordOrigin::Quarantine,
        (None, Some(_)) => RecordOrigin::Landing,
        (None, None) => RecordOrigin::Source,
    }
}

/// Whether a failed run certainly left no intent. Otherwise the next run may finish its commit, from its staged files.
fn left_no_intent(error: &RunError) -> bool {
    match error {
        RunError::Commit(error) => error.left_no_intent(),
        _ => true,
    }
}
