//! The runner: the only module that knows every step, and the order they come in.
//!
//! ```text
//! recover ─▶ fetch ═ land ═ decode ─▶ settle schemas ─▶ normalise, partition ─▶ write ─▶ commit ─▶ report
//!            └── while it arrives ──┘                                         staged    visible
//! ```
//!
//! Until the commit nothing that a reader looks at has changed; a failure before it leaves the tables as they
//! were.

mod budget;
mod collect;
mod compaction;
mod decoder;
mod error;
mod findings;
mod guard;
mod intake;
pub mod interruption;
mod landing;
mod ledger;
mod load;
mod manifest_update;
mod merge;
mod new_exports;
mod overwrite;
mod quarantine;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

pub use error::RunError;
pub use interruption::{Interruption, Signal};

use crate::decode::{Chunk, DecodeOptions, RecordSelector};
use crate::definition::{Environment, Nested, Table, WriteDisposition, tables_hash};
use crate::landing::{ExportHash, Landed};
use crate::merge::{Merge, carry_over};
use crate::normalise::MetadataColumns;
use crate::plan::Plan;
use crate::report::{Event, ExportReport, Observer, Outcome, RunReport, TableReport};
use crate::runtime::{give_back_memory, on_cpu, parallelism};
use crate::schema::Shape;
use crate::source::api_key::ApiKey;
use crate::source::http::Fetcher;
use crate::store::Destination;
use crate::table::lock::{Lock, LockError, Owner};
use crate::table::{
    CommitError, DataFile, Intent, Publication, Snapshot, State, TakenExport, discard_staged,
};
use crate::write::{Encoder, FileLayout, StagedFile, encode, stage};
use budget::Budget;
use collect::{Content, Expectation};
use intake::{FoundRecords, Intake, Receiver, decode_again, take_in_landed};
use landing::Received;
use load::{Loaded, PartitionRows};
use manifest_update::{LoadedExport, ManifestUpdate};
use new_exports::NewExports;
use quarantine::Waiting;

/// How long a run waits between looking whether the destination is free.
const PAUSE_WHILE_HELD: Duration = Duration::from_millis(500);
/// How long a run that was told to stop tidies up.
const PATIENCE_WHEN_STOPPED: Duration = Duration::from_millis(500);

/// Carries out a plan. The report is also put in the destination, for a failed run too.
///
/// # Errors
/// The run failed; no table has changed.
pub async fn run(
    plan: &Plan,
    environment: &Environment,
    observer: Arc<dyn Observer>,
    interruption: &Interruption,
) -> Result<RunReport, RunError> {
    let keys = ApiKey::find_all(&plan.pipeline.source.api_key, environment);
    let keys = interruption.or(keys).await.map_err(RunError::Stopped)??;
    let destination = Destination::open(&plan.destination)?;
    run_into(&destination, plan, &keys, observer, interruption).await
}

/// Carries out a plan in a destination that is open already. It can be interrupted until it begins to commit.
///
/// # Errors
/// The run failed; no table has changed.
pub async fn run_into(
    destination: &Destination,
    plan: &Plan,
    keys: &[ApiKey],
    observer: Arc<dyn Observer>,
    interruption: &Interruption,
) -> Result<RunReport, RunError> {
    let run = Run { plan, destination, observer };
    carry_out(&run, interruption, async |snapshot| run.prepare(keys, snapshot).await).await
}

/// Takes the records that wait in the quarantine of a destination in again, by what the definition says now. What still
/// does not fit waits on.
///
/// # Errors
/// The run failed; no table has changed, and the records wait as before.
pub async fn retry(
    plan: Plan,
    observer: Arc<dyn Observer>,
    interruption: &Interruption,
) -> Result<RunReport, RunError> {
    let destination = Destination::open(&plan.destination)?;
    retry_in(&destination, plan, observer, interruption).await
}

/// The same in a destination that is open already.
///
/// # Errors
/// The run failed; no table has changed, and the records wait as before.
pub async fn retry_in(
    destination: &Destination,
    plan: Plan,
    observer: Arc<dyn Observer>,
    interruption: &Interruption,
) -> Result<RunReport, RunError> {
    let plan = plan.without_requests();
    let run = Run { plan: &plan, destination, observer };
    carry_out(&run, interruption, async |snapshot| run.prepare_retry(snapshot).await).await
}

/// Prepares a run and commits it. It can be interrupted until it begins to commit.
async fn carry_out(
    run: &Run<'_>,
    interruption: &Interruption,
    prepare: impl AsyncFnOnce(Snapshot) -> Result<Prepared, RunError>,
) -> Result<RunReport, RunError> {
    let lock = hold(run, interruption).await?;
    let result = carry_out_alone(run, &lock, interruption, prepare).await;
    lock.release().await;
    result
}

/// Takes the lock of the destination, waiting for it if the run may wait.
async fn hold(run: &Run<'_>, interruption: &Interruption) -> Result<Lock, RunError> {
    let plan = run.plan;
    loop {
        let owner = Owner::this_process(&plan.run_id, &plan.pipeline.name);
        match Lock::acquire(run.destination, owner).await {
            Err(LockError::Held { owner }) if plan.waits => {
                run.observer.event(&Event::Waiting(owner.to_string()));
                let pause = tokio::time::sleep(PAUSE_WHILE_HELD);
                interruption.or(pause).await.map_err(RunError::Stopped)?;
            }
            other => return Ok(other?),
        }
    }
}

/// The same, while no other run is at work.
async fn carry_out_alone(
    run: &Run<'_>,
    lock: &Lock,
    interruption: &Interruption,
    prepare: impl AsyncFnOnce(Snapshot) -> Result<Prepared, RunError>,
) -> Result<RunReport, RunError> {
    // A signal is not looked at meanwhile: the commit of an earlier run is finished or not begun, and nothing is
    // tidied up under an id that may be that run's.
    let snapshot = run.claim().await?;
    let result = match interruption.or(prepare(snapshot)).await {
        Ok(Ok(_)) if lock.is_lost() => Err(CommitError::Conflict.into()),
        Ok(Ok(prepared)) => run.complete(prepared).await,
        Ok(Err(error)) => Err(error),
        Err(signal) => Err(RunError::Stopped(signal)),
    };
    match &result {
        Ok(report) => {
            if let Err(error) = run.put_report(report).await {
                tracing::warn!(%error, "the run is complete, and its report cannot be written");
            }
        }
        Err(error @ RunError::Stopped(_)) => {
            let left = tokio::time::timeout(PATIENCE_WHEN_STOPPED, run.leave(error)).await;
            if left.is_err() {
                tracing::warn!("the run had no time to tidy up; a later one does");
            }
        }
        Err(error) => run.leave(error).await,
    }
    result
}

/// One run under way.
struct Run<'a> {
    plan: &'a Plan,
    destination: &'a Destination,
    observer: Arc<dyn Observer>,
}

/// Everything that a run does, short of doing it.
struct Prepared {
    snapshot: Snapshot,
    /// What is to be committed, unless nothing has changed.
    intent: Option<Intent>,
    report: RunReport,
}

/// What the rows of a run come from.
enum RowSource {
    /// An export that the source sent.
    Export {
        taken: TakenExport,
        /// What was found for each root table.
        found: Vec<FoundRecords>,
    },
    /// Records that waited in quarantine.
    Quarantine(Waiting),
}

/// What a file is to hold: the rows of older files, and behind them new ones.
#[derive(Default)]
struct FileRows<'a> {
    older: Vec<&'a DataFile>,
    new: Option<PartitionRows>,
    /// New rows that are encoded already.
    encoded: Option<Encoder>,
}

/// The files that a run has in staging, and those of the tables that they take the place of.
struct Written {
    staged: Vec<(usize, StagedFile)>,
    rewritten: HashSet<String>,
}

/// What became of the rows of one partition.
struct WrittenFiles {
    table: usize,
    /// The rows that a later version put out.
    superseded: u64,
    /// The files with the others, if there are any.
    files: Vec<StagedFile>,
}

impl Run<'_> {
    /// Finishes what an earlier run left, and makes sure that no run was called like this one.
    async fn claim(&self) -> Result<Snapshot, RunError> {
        self.refuse_used_id().await?;
        let snapshot = Snapshot::recover(self.destination, self.plan.started_at).await?;
        if snapshot.has_run(&self.plan.run_id) {
            return Err(RunError::UsedRunId { run_id: self.plan.run_id.clone() });
        }
        Ok(snapshot)
    }

    async fn prepare(&self, keys: &[ApiKey], snapshot: Snapshot) -> Result<Prepared, RunError> {
        if self.plan.window.is_some() && snapshot.watermark() != self.plan.watermark {
            // Another run has moved it since this one was planned.
            return Err(CommitError::Conflict.into());
        }
        if self.plan.requests.is_empty() {
            let report = self.report(Outcome::NothingNew, Vec::new(), Vec::new());
            return Ok(Prepared { snapshot, intent: None, report });
        }
        let roots: Vec<&Table> = self.plan.pipeline.root_tables().collect();
        let expectation = Arc::new(self.expectation(&roots, &snapshot));
        let wanted = wanted(&roots, &snapshot);
        let intake = self.receive(keys, wanted, expectation.clone()).await?;
        let landing = Received::of(&intake);
        // The export is kept whatever becomes of its rows.
        let (kept, staged) = tokio::join!(
            landing.keep(self.destination, self.plan),
            self.stage(&roots, snapshot, intake, expectation)
        );
        kept?;
        staged
    }

    /// Puts the files that an export makes in staging, unless they are in the tables already.
    async fn stage(
        &self,
        roots: &[&Table],
        snapshot: Snapshot,
        intake: Intake,
        expectation: Arc<Expectation>,
    ) -> Result<Prepared, RunError> {
        let exports = self.exports(&intake);

        let hash = ExportHash::of_all(exports.iter().map(|export| &export.hash));
        let taken = TakenExport { hash, definition: tables_hash(&self.plan.pipeline.tables) };
        let fresh = NewExports::of_export(roots, &snapshot, &taken, self.plan.window);
        let ledgers = ledger::unchanged(roots, &fresh, &intake, &snapshot);
        if fresh.tables.is_empty() {
            let intent = self.moved_watermark(&snapshot);
            let report = self.report(Outcome::NothingNew, exports, ledgers);
            return Ok(Prepared { snapshot, intent, report });
        }
        guard::against_shrinking(self.plan, &fresh, &intake, &snapshot)?;
        let found = fresh.of(&intake.found());
        let (landed, load) = self.load(intake, &fresh, expectation).await?;
        guard::against_losing_all(&load)?;
        guard::against_quarantine(self.plan, &load)?;
        let row_source = RowSource::Export { taken, found };
        let mut prepared = self.stage_rows(load, snapshot, row_source, &landed).await?;
        prepared.report.exports = exports;
        prepared.report.tables.splice(0..0, ledgers);
        Ok(prepared)
    }

    /// Puts the files that the records in quarantine make in staging.
    async fn prepare_retry(&self, snapshot: Snapshot) -> Result<Prepared, RunError> {
        let roots: Vec<&Table> = self.plan.pipeline.root_tables().collect();
        let Some(waiting) = Waiting::collect(self.destination, &roots, &snapshot).await? else {
            let report = self.report(Outcome::NothingWaiting, Vec::new(), Vec::new());
            return Ok(Prepared { snapshot, intent: None, report });
        };
        let roots: Vec<&Table> = waiting.tables.iter().collect();
        guard::against_unordered(&roots)?;
        guard::against_overwritten(&roots)?;
        let expectation = Arc::new(self.expectation(&roots, &snapshot));
        let (export, wanted) = (waiting.export.clone(), waiting.wanted.clone());
        let (expected, observer) = (expectation.clone(), self.observer.clone());
        let reading = reading(&expectation.roots);
        let intake =
            on_cpu(move || take_in_landed(export, wanted, expected, reading, observer)).await?;
        let fresh = NewExports::all(&roots);
        let (landed, load) = self.load(intake, &fresh, expectation).await?;
        guard::against_retrying_in_vain(&load)?;
        let records = load.schemas.roots.iter().map(|root| load.counts[*root].received).sum();
        let row_source = RowSource::Quarantine(waiting);
        let mut prepared = self.stage_rows(load, snapshot, row_source, &landed).await?;
        prepared.report.retried = Some(records);
        Ok(prepared)
    }

    /// Puts the rows of a run in staging, and with them all that its commit takes.
    async fn stage_rows(
        &self,
        mut load: Loaded,
        snapshot: Snapshot,
        row_source: RowSource,
        landed: &[Landed],
    ) -> Result<Prepared, RunError> {
        guard::against_broken_checks(&load)?;
        on_cpu(give_back_memory).await;
        let staged = self.write(&mut load, &snapshot).await?;
        let (intent, ledgers) = self.intent(&load, staged, &snapshot, row_source, landed).await?;
        ledger::check(&ledgers)?;
        let outcome =
            if has_changed(&load, &intent) { Outcome::Committed } else { Outcome::NothingNew };
        let mut report = self.report(outcome, Vec::new(), ledgers);
        report.changes = findings::changes(&load, &self.plan.pipeline.tables, &snapshot);
        report.checks = findings::checks(&load);
        Ok(Prepared { snapshot, intent: Some(intent), report })
    }

    /// Makes it visible.
    async fn complete(&self, prepared: Prepared) -> Result<RunReport, RunError> {
        let Prepared { snapshot, intent, mut report } = prepared;
        if let Some(intent) = intent {
            self.observer.event(&Event::Committing);
            snapshot.commit(self.destination, intent).await?;
        }
        report.finished_at = Utc::now();
        Ok(report)
    }

    /// After a failure: leaves a report, and removes what will not be needed.
    async fn leave(&self, error: &RunError) {
        let report = self.report(Outcome::Failed(error.to_string()), Vec::new(), Vec::new());
        if let Err(error) = self.put_report(&report).await {
            tracing::warn!(%error, "the report of the failed run cannot be written");
        }
        if nothing_was_promised(error) {
            self.clean_up().await;
        }
    }

    fn exports(&self, intake: &Intake) -> Vec<ExportReport> {
        let requests = self.plan.requests.iter().zip(&intake.landed);
        let exports = requests.map(|(request, landed)| ExportReport {
            url: request.url.to_string(),
            window: request.window,
            bytes: landed.bytes,
            hash: landed.hash.clone(),
        });
        exports.collect()
    }

    fn state(&self) -> State {
        State {
            last_run: self.plan.run_id.clone(),
            committed_at: self.plan.started_at,
            watermark: self.plan.watermark_after(),
        }
    }

    /// A window in which nothing happened is behind us all the same.
    fn moved_watermark(&self, snapshot: &Snapshot) -> Option<Intent> {
        let state = self.state();
        let run_id = self.plan.run_id.clone();
        let (publish, remove, manifests) = (Vec::new(), Vec::new(), Vec::new());
        (state.watermark != snapshot.watermark()).then_some(Intent {
            run_id,
            publish,
            remove,
            manifests,
            state,
        })
    }

    /// A run that has a report has ended; one that was killed after its commit is known to the snapshot.
    async fn refuse_used_id(&self) -> Result<(), RunError> {
        match self.destination.size(&self.report_path()).await? {
            Some(_) => Err(RunError::UsedRunId { run_id: self.plan.run_id.clone() }),
            None => Ok(()),
        }
    }

    fn metadata(&self) -> MetadataColumns {
        MetadataColumns::new(self.plan.run_id.clone(), self.plan.started_at)
    }

    fn expectation(&self, roots: &[&Table], snapshot: &Snapshot) -> Expectation {
        Expectation {
            roots: roots.iter().copied().cloned().collect(),
            declared: self.plan.pipeline.tables.clone(),
            known: snapshot.schemas(),
            metadata: self.metadata(),
            budget: Budget::new(self.plan.memory),
            whole: self.plan.requests.len() == 1,
            held_bytes: AtomicUsize::new(0),
            most_partitions: self.plan.pipeline.limits.max_partitions(),
        }
    }

    async fn receive(
        &self,
        keys: &[ApiKey],
        wanted: RecordSelector,
        expectation: Arc<Expectation>,
    ) -> Result<Intake, RunError> {
        let source = &self.plan.pipeline.source;
        let intake = Receiver {
            fetcher: Fetcher::new(source, self.plan.pipeline.limits.max_bytes())?,
            keys,
            retry: source.retry,
            jobs: self.plan.jobs,
            reading: reading(&expectation.roots),
            expectation,
            landing_directory: landing::directory(self.destination, self.plan),
            observer: self.observer.clone(),
        };
        intake.receive(&self.plan.requests, wanted).await
    }

    /// Settles the schemas, and makes the rows of every partition of every table unless there are right ones already.
    async fn load(
        &self,
        intake: Intake,
        fresh: &NewExports<'_>,
        expectation: Arc<Expectation>,
    ) -> Result<(Vec<Landed>, Loaded), RunError> {
        let shapes = fresh.of(&intake.shapes);
        let seen: Vec<(&Table, &Shape)> = fresh.tables.iter().copied().zip(&shapes).collect();
        let schemas = expectation.resolve(&seen)?;
        let positions = fresh.positions.clone();
        let reading = reading(&expectation.roots);
        on_cpu(move || {
            let Intake { landed, wanted, mut contents, .. } = intake;
            if let [Content::Rows(load)] = contents.as_slice()
                && load.fits(&schemas)
                && let Some(Content::Rows(load)) = contents.pop()
            {
                return Ok((landed, load.finish(schemas)?));
            }
            let mut load = expectation.load(schemas.clone())?;
            for (piece, content) in contents.into_iter().enumerate() {
                let mut take = |chunks| load.take(piece, of_fresh(chunks, &positions));
                match (content, &wanted) {
                    (Content::Chunks(chunks), _) => take(chunks)?,
                    (_, Some(wanted)) => {
                        decode_again(&landed[piece], wanted.clone(), reading.clone(), take)?;
                    }
                    (_, None) => {}
                }
            }
            Ok((landed, load.finish(schemas)?))
        })
        .await
    }

    /// Puts the rows of every partition in staging, and with them the older rows that have to be rewritten.
    async fn write(&self, load: &mut Loaded, snapshot: &Snapshot) -> Result<Written, RunError> {
        let merged = merge::decide(self.destination, load, snapshot, self.plan).await?;
        let overwritten = overwrite::decide(self.destination, load, snapshot, self.plan).await?;
        let mut files: BTreeMap<(usize, String), FileRows<'_>> = BTreeMap::new();
        for (key, rows) in std::mem::take(&mut load.rows) {
            if let Some(same) = overwritten.spared.get(&key) {
                load.counts[key.0].spare(rows.count(), *same);
            } else if !merged.spares(&key) {
                files.entry(key).or_default().new = Some(rows.without(&merged.unchanged));
            }
        }
        for (key, rows) in std::mem::take(&mut load.encoded) {
            files.entry(key).or_default().encoded = Some(rows);
        }
        let mut rewritten = overwritten.gone.clone();
        for (table, schema) in load.schemas.tables.iter().enumerate() {
            let old = snapshot.manifests.get(&schema.name);
            let Some(old) = old.filter(|_| schema.disposition != WriteDisposition::Replace) else {
                continue;
            };
            let gets_rows = |partition: &str| files.contains_key(&(table, partition.to_owned()));
            let small = compaction::files_to_compact(&old.files, gets_rows);
            let is_rewritten = |file: &&DataFile| {
                let changes = !schema.same_files(&old.schema)
                    || merged.touched.contains(&file.path)
                    || small.contains(file.path.as_str());
                changes && !overwritten.gone.contains(&file.path)
            };
            for file in old.files.iter().filter(is_rewritten) {
                files.entry((table, file.partition.clone())).or_default().older.push(file);
                rewritten.insert(file.path.clone());
            }
        }
        self.observer.event(&Event::Writing(files.len() as u64));
        let files: Vec<_> = files
            .into_iter()
            .map(|((table, partition), rows)| {
                self.write_partition(load, table, partition, rows, &merged.ending)
            })
            .collect();
        // Some are encoded while others wait for the disk.
        let mut written = stream::iter(files).buffered(parallelism() + 2);
        let mut staged = Vec::new();
        let mut superseded = Vec::new();
        while let Some(WrittenFiles { table, superseded: rows, files }) = written.try_next().await?
        {
            superseded.push((table, rows));
            staged.extend(files.into_iter().map(|file| (table, file)));
        }
        drop(written);
        for (table, rows) in superseded {
            if !merged.outcomes.contains_key(&table) {
                load.counts[table].superseded += rows;
                load.counts[table].kept -= rows;
            }
        }
        for (table, outcomes) in merged.outcomes {
            load.counts[table].divide(outcomes);
        }
        for (table, records) in merged.deleted {
            load.counts[table].deleted = records;
        }
        Ok(Written { staged, rewritten })
    }

    /// Puts the rows of one partition in staging, behind those of older files.
    async fn write_partition(
        &self,
        load: &Loaded,
        table: usize,
        partition: String,
        FileRows { older, new, encoded }: FileRows<'_>,
        ending: &Merge,
    ) -> Result<WrittenFiles, RunError> {
        let (schema, metadata) = (&load.schemas.tables[table], self.metadata());
        let all = older.iter().map(|file| file.rows).sum::<u64>()
            + new.as_ref().map_or(0, PartitionRows::count)
            + encoded.as_ref().map_or(0, Encoder::rows);
        let mut first = Vec::new();
        for file in older {
            let rows = load::read_conformed(self.destination, file, schema).await?;
            first.push(Ok(carry_over(rows, table, schema, ending, &metadata)?));
        }
        let mut encoders = Vec::new();
        if !first.is_empty() || new.is_some() {
            let rows = first.into_iter().chain(new.into_iter().flat_map(PartitionRows::read));
            let (schemas, spill) = (load.schemas.clone(), load.spill.clone());
            let encoder = on_cpu(move || {
                let schema = &schemas.tables[table];
                encode(rows, schema, Arc::new(FileLayout::of(schema)?), &spill)
            });
            encoders.push(encoder.await?);
        }
        encoders.extend(encoded);
        let files = stage(self.destination, schema, &self.plan.run_id, partition, encoders).await?;
        self.observer.event(&Event::Written);
        let superseded = all - files.iter().map(|file| file.rows).sum::<u64>();
        Ok(WrittenFiles { table, superseded, files })
    }

    async fn intent(
        &self,
        load: &Loaded,
        Written { staged, rewritten }: Written,
        snapshot: &Snapshot,
        row_source: RowSource,
        landed: &[Landed],
    ) -> Result<(Intent, Vec<TableReport>), RunError> {
        let mut publish: Vec<Publication> =
            staged.iter().map(|(_, file)| Publication::from(file)).collect();
        let (brought, waiting) = match row_source {
            RowSource::Export { taken, found } => (Some((taken, found)), None),
            RowSource::Quarantine(waiting) => (None, Some(waiting)),
        };
        let mut lines =
            quarantine::stage(self.destination, self.plan, load, landed, waiting).await?;
        publish.append(&mut lines.publications);
        let mut files: Vec<Vec<DataFile>> = vec![Vec::new(); load.schemas.tables.len()];
        for (table, file) in staged {
            files[table].push(file.into());
        }
        let (mut remove, mut manifests, mut ledgers) = (Vec::new(), Vec::new(), Vec::new());
        for (table, schema) in load.schemas.tables.iter().enumerate() {
            let root = load.schemas.roots.iter().position(|root| *root == table);
            let brought = brought
                .as_ref()
                .map(|(taken, found)| LoadedExport { taken, found: root.map(|root| &found[root]) });
            let update = ManifestUpdate {
                run_id: &self.plan.run_id,
                schema,
                old: snapshot.manifests.get(&schema.name),
                rewritten: &rewritten,
                is_whole: self.plan.window.is_none(),
                brought,
            };
            let quarantine = lines.files.remove(&schema.name);
            let (manifest, replaced) =
                update.manifest(std::mem::take(&mut files[table]), quarantine);
            remove.extend(replaced);
            ledgers.push(ledger::of(load, table, &manifest));
            manifests.push(manifest);
        }
        let state = self.state();
        let run_id = self.plan.run_id.clone();
        Ok((Intent { run_id, publish, remove, manifests, state }, ledgers))
    }

    fn report(
        &self,
        outcome: Outcome,
        exports: Vec<ExportReport>,
        tables: Vec<TableReport>,
    ) -> RunReport {
        RunReport {
            version: RunReport::VERSION,
            run_id: self.plan.run_id.clone(),
            pipeline: self.plan.pipeline.name.clone(),
            destination: self.plan.destination.to_string(),
            started_at: self.plan.started_at,
            finished_at: Utc::now(),
            outcome,
            window: self.plan.window,
            exports,
            retried: None,
            tables,
            changes: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn report_path(&self) -> Path {
        Destination::report(self.plan.run_id.as_str())
    }

    async fn put_report(&self, report: &RunReport) -> Result<(), RunError> {
        let content = serde_json::to_vec_pretty(report).map_err(RunError::Report)?;
        Ok(self.destination.put(&self.report_path(), Bytes::from(content)).await?)
    }

    /// After a failure: what was staged will not be needed. A failure to remove it is only worth a line,
    /// since the next runs sweep it.
    async fn clean_up(&self) {
        if let Err(error) = discard_staged(self.destination, &self.plan.run_id).await {
            tracing::warn!(%error, "staged files are left for a later run to remove");
        }
    }
}

/// Whether a run changes what readers see. One that brings what the tables have already does not; how far it came, and
/// which export it was, is noted all the same.
fn has_changed(load: &Loaded, intent: &Intent) -> bool {
    let mut roots = load.schemas.roots.iter().map(|root| &load.schemas.tables[*root]);
    let compares = roots.all(|root| {
        matches!(root.disposition, WriteDisposition::Merge | WriteDisposition::OverwritePartitions)
    });
    !(compares && intent.publish.is_empty() && intent.remove.is_empty())
}

/// Whether a failed run has certainly left no intent. Otherwise its staged files may be all there is of a
/// commit that the next run finishes.
fn nothing_was_promised(error: &RunError) -> bool {
    match error {
        RunError::Commit(error) => {
            matches!(error, CommitError::Conflict | CommitError::Name(_))
        }
        _ => true,
    }
}

/// How the records of each of the tables are read.
fn reading(roots: &[Table]) -> Arc<[DecodeOptions]> {
    let reading = roots.iter().map(|table| DecodeOptions {
        identify: table.primary_key.is_empty(),
        null_values: table.null_values.clone(),
        nested_as_json: table.nested == Nested::Json,
    });
    reading.collect()
}

/// The chunks of tables that the export is new to, with their positions among these.
fn of_fresh(chunks: Vec<Chunk>, positions: &[Option<usize>]) -> Vec<Chunk> {
    let fresh = chunks.into_iter().filter_map(|chunk| {
        positions[chunk.table].map(|position| Chunk { table: position, ..chunk })
    });
    fresh.collect()
}

/// Which arrays of the export hold records: as declared, or the only one there is.
fn wanted(roots: &[&Table], snapshot: &Snapshot) -> RecordSelector {
    match roots {
        [Table { records: None, name, .. }] => RecordSelector::TheOnlyArray {
            before: snapshot.manifests.get(name).and_then(|manifest| manifest.records.clone()),
        },
        // A definition with several tables says where the records of each are.
        roots => {
            RecordSelector::At(roots.iter().filter_map(|table| table.records.clone()).collect())
        }
    }
}
