//! Prepare: everything before the commit, of an export and of a retry from quarantine.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::{Prepared, Run, RunError, findings, guard, ledger};
use crate::decode::{DecodeOptions, RecordSelector};
use crate::definition::{Nested, Pipeline, Table, WriteDisposition, definition_hash};
use crate::infer::value_rules;
use crate::landing::{Archive, ExportHash, Landed, ReceivedExport};
use crate::normalise::MetadataColumns;
use crate::plan::{Plan, RecordOrigin};
use crate::report::{EventKind, Outcome, RunWarning};
use crate::run::budget::Budget;
use crate::run::collect::Expectation;
use crate::run::intake::{BodyReader, Intake, Receiver, decode_landed};
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::run::quarantine::QuarantinedRecords;
use crate::run::shared::ToLoad;
use crate::run::stage::RowSource;
use crate::runtime::{give_back_memory, on_cpu};
use crate::schema::{IdVec, LoadedTime, MOST_LEVELS, RootId, TableName};
use crate::source::api_key::ApiKey;
use crate::source::procurementflow;
use crate::table::{Agreement, Changes, Manifest, Snapshot, TakenExport};

impl Run<'_> {
    pub(super) async fn prepare(
        &self,
        keys: &[ApiKey],
        snapshot: Snapshot,
    ) -> Result<Prepared, RunError> {
        if self.plan.window.is_some()
            && snapshot.watermark(&self.plan.pipeline) != self.plan.watermark
        {
            // Another run moved the watermark since this one was planned.
            return Err(RunError::Conflict);
        }
        for (table, gap) in self.plan.not_loaded(|table| snapshot.loaded(table)) {
            self.events.warn_of_table(&table, RunWarning::NotLoaded(gap.to_string()));
        }
        if self.plan.requests.is_empty() {
            let report = self.report(Outcome::NothingNew, Vec::new(), Vec::new());
            return Ok(Prepared { snapshot, changes: None, report });
        }
        let roots: IdVec<RootId, &Table> = self.plan.pipeline.root_tables().collect();
        let expectation = Arc::new(self.expectation(&roots, &snapshot));
        let selector = record_selector(&roots, &snapshot);
        let intake = self.receive(keys, selector, expectation.clone()).await?;
        self.events.emit(EventKind::Loading);
        let (archive, received) = (self.archive(), self.received(&intake));
        // The export is kept whatever becomes of its rows.
        let (kept, staged) =
            tokio::join!(archive.add(&received), self.stage(&roots, snapshot, intake, expectation));
        kept?;
        staged
    }

    pub(super) fn archive(&self) -> Archive<'_> {
        let keep = self.plan.pipeline.landing.keep;
        let Plan { run_id, pipeline, started_at, .. } = self.plan;
        let (destination, pipeline) = (self.destination, pipeline.name.as_str());
        Archive { destination, run_id, pipeline, started_at: *started_at, keep }
    }

    fn received(&self, intake: &Intake) -> Vec<ReceivedExport> {
        let responses = intake.response_metadata.iter().zip(&intake.landed);
        let requests = self.plan.requests.iter().zip(responses);
        let exports = requests.map(|(request, (metadata, landed))| ReceivedExport {
            url: request.url.to_string(),
            window: request.window,
            metadata: metadata.clone(),
            landed: landed.clone(),
        });
        exports.collect()
    }

    /// Stages the files of an export, unless all tables have loaded it already.
    pub(super) async fn stage(
        &self,
        roots: &IdVec<RootId, &Table>,
        snapshot: Snapshot,
        intake: Intake,
        expectation: Arc<Expectation>,
    ) -> Result<Prepared, RunError> {
        let exports = self.exports(&intake);

        let hash = ExportHash::of_all(exports.iter().map(|export| &export.hash));
        let Pipeline { tables, limits, .. } = &self.plan.pipeline;
        let definition = definition_hash(tables, limits);
        let is_partial = self.plan.window.is_some() || self.plan.origin != RecordOrigin::Source;
        let taken = TakenExport { hash, definition, quarantined: 0, is_partial };
        let new_exports = if self.plan.again {
            let all: Vec<&Table> = roots.values().copied().collect();
            NewExports::all(&all.into())
        } else {
            NewExports::of_export(roots, &snapshot, &taken, self.plan.window)
        };
        self.refuse_lost_files(roots, &new_exports, &snapshot).await?;
        let as_now = (&self.plan.pipeline, &taken);
        for table in new_exports.appended_otherwise(roots, &intake, &snapshot, as_now) {
            self.events.warn_of_table(table, RunWarning::AppendedBefore);
        }
        let ledgers = ledger::unchanged(roots, &new_exports, &intake, &snapshot, &taken);
        let taken_over = self.taken_over(roots, &new_exports, &snapshot);
        if new_exports.tables.is_empty() {
            let mut changes = self.moved_watermark(&snapshot);
            if !taken_over.is_empty() {
                let with = changes.unwrap_or_else(|| self.changes(&snapshot));
                changes = Some(Changes { manifests: taken_over, ..with });
            }
            let report = self.report(Outcome::NothingNew, exports, ledgers);
            return Ok(Prepared { snapshot, changes, report });
        }
        guard::against_shrinking(self.plan, &new_exports, &intake, &snapshot)?;
        let found = intake.found();
        let new_exports = &new_exports;
        let to_load = ToLoad { intake, roots, new_exports, expectation, snapshot };
        let loaded = self.load_agreed(to_load, |load, snapshot| {
            guard::against_losing_all(self.plan, load, snapshot)?;
            guard::against_unfit_cursor(load)?;
            guard::against_changed_columns(load)?;
            Ok(guard::against_quarantine(self.plan, load)?)
        });
        let (landed, load, snapshot) = loaded.await?;
        let row_source = RowSource::Export { taken, found };
        let mut prepared = self.stage_rows(load, snapshot, row_source, &landed).await?;
        if let Some(changes) = &mut prepared.changes {
            changes.manifests.extend(taken_over);
        }
        prepared.report.exports = exports;
        prepared.report.tables.splice(0..0, ledgers);
        Ok(prepared)
    }

    /// Stages the files of quarantined records that are loaded again.
    pub(super) async fn prepare_retry(&self, snapshot: Snapshot) -> Result<Prepared, RunError> {
        let roots: Vec<&Table> = self.plan.pipeline.root_tables().collect();
        let most = self.plan.pipeline.limits.max_waiting();
        let Some(waiting) =
            QuarantinedRecords::collect(self.destination, &roots, &snapshot, most).await?
        else {
            let report = self.report(Outcome::NothingWaiting, Vec::new(), Vec::new());
            return Ok(Prepared { snapshot, changes: None, report });
        };
        let roots: Vec<&Table> = waiting.tables.iter().collect();
        guard::against_retry_of_overwritten(&roots)?;
        let roots: IdVec<RootId, &Table> = roots.into();
        let expectation = Arc::new(self.expectation(&roots, &snapshot));
        let (export, selector) = (waiting.export.clone(), waiting.selector.clone());
        let (expected, events) = (expectation.clone(), self.events.clone());
        let options = decode_options(&expectation);
        let intake =
            on_cpu(move || decode_landed(export, selector, expected, options, events)).await?;
        let new_exports = NewExports::all(&roots);
        let (roots, new_exports) = (&roots, &new_exports);
        let to_load = ToLoad { intake, roots, new_exports, expectation, snapshot };
        let loaded =
            self.load_agreed(to_load, |load, _| Ok(guard::against_futile_retry(load)?)).await?;
        let (landed, load, snapshot) = loaded;
        let records = load.schemas.roots().map(|root| load.counts[root].received).sum();
        let row_source = RowSource::Quarantine(waiting);
        let mut prepared = self.stage_rows(load, snapshot, row_source, &landed).await?;
        prepared.report.retried = Some(records);
        Ok(prepared)
    }

    /// Stages the rows of a run, and collects all that its commit changes.
    async fn stage_rows(
        &self,
        mut load: Loaded,
        snapshot: Snapshot,
        row_source: RowSource,
        landed: &[Landed],
    ) -> Result<Prepared, RunError> {
        guard::against_broken_checks(&load)?;
        self.warn_of_skipped_deletes(&load, &snapshot);
        on_cpu(give_back_memory).await;
        let staged = self.write(&mut load, &snapshot).await?;
        let (changes, ledgers) =
            self.all_changes(&load, staged, &snapshot, row_source, landed).await?;
        ledger::check(&ledgers)?;
        for emptied in guard::against_emptied_children(self.plan, &changes.manifests, &snapshot)? {
            let warning = RunWarning::ChildEmptied { rows: emptied.rows };
            self.events.warn_of_table(emptied.table, warning);
        }
        let outcome =
            if has_changed(&load, &changes) { Outcome::Committed } else { Outcome::NothingNew };
        let mut report = self.report(outcome, Vec::new(), ledgers);
        report.changes = findings::changes(&load, &self.plan.pipeline.tables, &snapshot);
        for (table, warning) in findings::warnings(&report.changes) {
            self.events.warn_of_table(table, warning);
        }
        for table in findings::left_behind(&load, self.plan, &snapshot) {
            self.events.warn_of_table(&table, RunWarning::LeftBehind);
        }
        for (table, warning) in findings::unmatched(&load) {
            self.events.warn_of_table(table, warning);
        }
        report.checks = findings::checks(&load);
        report.quarantine_reasons = findings::quarantine_reasons(&load);
        Ok(Prepared { snapshot, changes: Some(changes), report })
    }

    /// Warns of tables whose missing records would be deleted, were it known which they are.
    fn warn_of_skipped_deletes(&self, load: &Loaded, snapshot: &Snapshot) {
        for root in load.schemas.roots() {
            let (schema, policy) = (&load.schemas[root], load.schemas.policy(root));
            let has_rows = snapshot.manifests.get(&schema.name).is_some_and(|it| it.rows() > 0);
            if has_rows
                && policy.disposition == WriteDisposition::Merge
                && policy.deletes != load.deletes(root)
            {
                self.events.warn_of_table(&schema.name, RunWarning::DeletesSkipped);
            }
        }
    }

    /// What this run changes, as far as it is known without rows.
    pub(super) fn changes(&self, snapshot: &Snapshot) -> Changes {
        Changes {
            pipeline: Some(self.plan.pipeline.name.clone()),
            loaded: self.loaded_after(snapshot),
            slice: self.plan.pipeline.slice.clone(),
            format: Some(self.plan.pipeline.format),
            ..Changes::nothing(self.plan.run_id.clone(), self.plan.started_at)
        }
    }

    /// What the tables of the pipeline have of the source's time after this run.
    fn loaded_after(&self, snapshot: &Snapshot) -> BTreeMap<TableName, Option<LoadedTime>> {
        let Some(window) = self.plan.window else { return BTreeMap::new() };
        let roots = self.plan.pipeline.root_tables();
        let after = roots.map(|Table { name, .. }| {
            let loaded = self.plan.loaded_after(snapshot.loaded(name), window);
            (name.clone(), Some(loaded))
        });
        after.collect()
    }

    /// Before "nothing new" is said of a table, its files are looked for.
    async fn refuse_lost_files(
        &self,
        roots: &IdVec<RootId, &Table>,
        new_exports: &NewExports<'_>,
        snapshot: &Snapshot,
    ) -> Result<(), RunError> {
        let unchanged = roots.iter().filter(|(root, _)| !new_exports.contains(*root));
        for (_, table) in unchanged {
            let of_root = |manifest: &&Manifest| manifest.schema.root == table.name;
            for manifest in snapshot.manifests.values().filter(of_root) {
                self.tables.refuse_lost_files(manifest).await?;
            }
        }
        Ok(())
    }

    /// The tables that another pipeline wrote and that have nothing new: they become this one's as they are.
    fn taken_over(
        &self,
        roots: &IdVec<RootId, &Table>,
        new_exports: &NewExports<'_>,
        snapshot: &Snapshot,
    ) -> Vec<Manifest> {
        let of_another = |name: &TableName| {
            snapshot.pipeline_of(name).is_some_and(|writer| *writer != self.plan.pipeline.name)
        };
        let unchanged = roots.iter().filter(|(root, _)| !new_exports.contains(*root));
        let unchanged = unchanged.filter(|(_, table)| of_another(&table.name));
        let manifests = unchanged.flat_map(|(_, table)| {
            snapshot.manifests.values().filter(|manifest| manifest.schema.root == table.name)
        });
        manifests.cloned().collect()
    }

    /// A window without changes still moves the watermark.
    fn moved_watermark(&self, snapshot: &Snapshot) -> Option<Changes> {
        let changes = self.changes(snapshot);
        let moves = changes.loaded.iter().any(|(table, it)| snapshot.loaded(table) != *it);
        moves.then_some(changes)
    }

    pub(super) fn metadata(&self) -> MetadataColumns {
        MetadataColumns::new(self.plan.run_id.clone(), self.plan.started_at)
    }

    pub(super) fn expectation(
        &self,
        roots: &IdVec<RootId, &Table>,
        snapshot: &Snapshot,
    ) -> Expectation {
        let replaced = (roots.values())
            .filter(|table| table.write_disposition == WriteDisposition::Replace)
            .map(|table| &table.name)
            .collect::<HashSet<_>>();
        let histories = snapshot.manifests.values();
        let with_rows = snapshot.manifests.values().filter(|it| it.rows() > 0);
        let with_rows = with_rows.filter(|it| replaced.contains(&it.schema.root));
        Expectation {
            roots: roots.values().copied().cloned().collect(),
            declared: self.plan.pipeline.tables.clone(),
            known: snapshot.schemas(),
            shared: snapshot.agreement.as_ref().map(Agreement::schemas),
            histories: histories.filter_map(|it| it.schema.history_of.clone()).collect(),
            with_rows: with_rows.map(|manifest| manifest.schema.name.clone()).collect(),
            metadata: self.metadata(),
            budget: Budget::new(self.plan.memory),
            whole: self.plan.requests.len() == 1,
            held_bytes: AtomicUsize::new(0),
            most_partitions: self.plan.pipeline.limits.max_partitions(),
            most_waiting: self.plan.pipeline.limits.max_waiting(),
            most_columns: self.plan.pipeline.limits.max_columns(),
        }
    }

    async fn receive(
        &self,
        keys: &[ApiKey],
        selector: RecordSelector,
        expectation: Arc<Expectation>,
    ) -> Result<Intake, RunError> {
        let source = &self.plan.pipeline.source;
        let receiver = Receiver {
            source: &procurementflow::source_of(&self.plan.pipeline, keys)?,
            retry: source.retry,
            jobs: self.plan.jobs,
            bodies: self.bodies(expectation),
            accepts_unknown_length: self.plan.pipeline.limits.accept_unknown_length(),
            spool_directory: self.archive().spool_directory(),
        };
        receiver.receive(&self.plan.requests, selector).await
    }

    /// How the bodies of an export are decoded.
    pub(super) fn bodies(&self, expectation: Arc<Expectation>) -> BodyReader {
        BodyReader {
            options: decode_options(&expectation),
            expectation,
            ignored: self.plan.pipeline.source.envelope.ignore.clone(),
            most_record: self.plan.pipeline.limits.max_record_size(),
            events: self.events.clone(),
        }
    }
}

/// Whether a run changes what readers see. A run that brings only unchanged rows does not; its commit only moves the
/// watermark and remembers the export.
fn has_changed(load: &Loaded, changes: &Changes) -> bool {
    let mut roots = load.schemas.roots().map(|root| load.schemas.policy(root));
    let compares = roots.all(|root| root.disposition != WriteDisposition::Append);
    !(compares && changes.publish.is_empty() && changes.remove.is_empty())
}

/// How the records of each root table are decoded.
pub(super) fn decode_options(expectation: &Expectation) -> Arc<IdVec<RootId, DecodeOptions>> {
    let Expectation { roots, declared, known, .. } = expectation;
    let options = roots.values().map(|table| DecodeOptions {
        identify: table.primary_key.is_empty(),
        rules: value_rules(table, declared, known),
        most_keys: Some(expectation.most_keys(table)),
        passed_over: None,
        levels: match table.nested {
            Nested::Json => Some(0),
            Nested::Columns => Some(MOST_LEVELS),
            Nested::Tables => None,
        },
    });
    Arc::new(options.collect())
}

/// Which arrays of the export hold records: as declared, or the only one.
pub(super) fn record_selector(
    roots: &IdVec<RootId, &Table>,
    snapshot: &Snapshot,
) -> RecordSelector {
    let roots: Vec<&Table> = roots.values().copied().collect();
    match roots.as_slice() {
        [Table { records: None, name, .. }] => RecordSelector::TheOnlyArray {
            before: snapshot.manifests.get(name).and_then(|manifest| manifest.records.clone()),
        },
        // A definition with several tables says where the records of each are.
        roots => {
            RecordSelector::At(roots.iter().filter_map(|table| table.records.clone()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::decode::Level;
    use crate::definition::{Definition, Environment};
    use crate::landing::Landing;
    use crate::plan::{Overrides, Plan};
    use crate::report::RunReport;
    use crate::run::RunContext;
    use crate::run::collect::Content;
    use crate::run::events::RunEvents;
    use crate::schema::{RunId, Step};
    use crate::store::Destination;

    fn table(name: &str, records: Option<&str>) -> Table {
        let records = records.map(|pointer| pointer.parse().unwrap());
        Table { records, ..Table::named(name.parse().unwrap()) }
    }

    #[test]
    fn records_are_where_the_definition_says_or_in_the_only_array() {
        let nothing = Snapshot::default();
        let only = table("t", None);
        let found = record_selector(&vec![&only].into(), &nothing);
        assert_eq!(found, RecordSelector::TheOnlyArray { before: None });
        let (orders, events) = (table("orders", Some("/orders")), table("events", Some("/e")));
        let declared = record_selector(&vec![&orders, &events].into(), &nothing);
        let expected = ["/orders", "/e"].map(|pointer| pointer.parse().unwrap()).to_vec();
        assert_eq!(declared, RecordSelector::At(expected));
    }

    /// Loads an export into nothing, while `lose` takes values out of its decoded records.
    async fn loaded_with_loss(
        json: &str,
        lose: fn(&mut Level),
    ) -> (Destination, Result<RunReport, RunError>) {
        let text = "version = 1\nname = \"test\"\n[source]\nendpoint = \"e-sourcing\"\norganisation_id = \"o\"\n\
                    [destination]\nurl = \"lake\"\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n";
        let environment = Environment::default();
        let pipeline = Definition::parse("test.toml", text, &environment).unwrap().pipeline;
        let now = chrono::DateTime::UNIX_EPOCH;
        let plan = Plan::new(pipeline, RunId::at(now), now, None, &Overrides::default()).unwrap();
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let context = RunContext::new(environment);
        let events = RunEvents::of_test(context.reporters.clone());
        let run = Run::new(&plan, &destination, &context, &events);
        let mut landing = Landing::create(std::env::temp_dir()).unwrap();
        landing.write(json.as_bytes()).unwrap();
        let landed = landing.finish().unwrap();
        let steps = async |snapshot: Snapshot| {
            let roots: IdVec<RootId, &Table> = plan.pipeline.root_tables().collect();
            let expectation = Arc::new(run.expectation(&roots, &snapshot));
            let (selector, options) =
                (record_selector(&roots, &snapshot), decode_options(&expectation));
            let mut intake =
                decode_landed(landed, selector, expectation.clone(), options, events.clone())?;
            for content in &mut intake.contents {
                let Content::Chunks(chunks) = content else { panic!("it fits in memory") };
                for chunk in chunks {
                    lose(&mut chunk.records);
                }
            }
            run.stage(&roots, snapshot, intake, expectation).await
        };
        let result = run.execute(steps).await;
        (destination, result)
    }

    fn values<'l>(level: &'l mut Level, key: &str) -> &'l mut crate::decode::Values {
        level.values.get_mut(&Step::Key(key.to_owned())).unwrap()
    }

    /// Takes values out of records, and how many of seven are left.
    type Loss = (fn(&mut Level), u64);

    #[tokio::test]
    async fn p1_a_run_that_loses_a_value_commits_nothing() {
        let losses: [Loss; 4] = [
            (|_| {}, 7),
            (|records| values(records, "a").scalars = None, 6),
            (|records| values(records, "tags").nested = None, 5),
            (
                |records| {
                    let lines = values(records, "lines").nested.as_mut().unwrap();
                    values(&mut lines.level, "n").scalars = None;
                },
                5,
            ),
        ];
        let json = r#"[{"id":1,"a":"x","tags":["p","q"],"lines":[{"n":1},{"n":2}]},{"id":2,"a":null,"lines":[{}]}]"#;
        for (lose, loaded) in losses {
            let (destination, result) = loaded_with_loss(json, lose).await;
            let tables = destination.list(&"t".into()).await.unwrap();
            let open = crate::table::open(&destination);
            let snapshot = open.snapshot().await.unwrap();
            if loaded == 7 {
                let counts = result.unwrap().tables[0].values.unwrap();
                assert_eq!((counts.received, counts.loaded), (7, 7));
                assert!(!tables.is_empty() && !snapshot.manifests.is_empty());
                continue;
            }
            let refused = result.unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "the ledger of `t` does not balance: of 7 values received, {loaded} are in columns, \
                     0 excluded and 0 in quarantine"
                )
            );
            assert!(tables.is_empty() && snapshot.manifests.is_empty(), "{loaded}");
        }
    }
}
