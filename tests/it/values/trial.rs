//! Nights of records, run in this process, and what has to hold after each: every scalar of every record is in the cell
//! of its path or in quarantine, and nothing else is in the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use flowlake::plan::Overrides;
use flowlake::report::{Outcome, RunReport};
use flowlake::run::RunError;
use flowlake::store::Destination;
use flowlake::table;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::json::{Json, Step, pointer};
use super::oracle::{Reading, Tables};
use super::same::{Closeness, instant};
use super::story::{Disposition, Story};
use super::waiting::Waiting;
use crate::support::{InProcess, Source, Workplace, runtime};

/// A record that has to be in its table.
#[derive(Debug, Clone)]
struct Loaded {
    record: Json,
    /// What says that some of its values are not.
    without: Option<Waiting>,
    /// The night that brought the first record of this key.
    first: usize,
}

/// A table as it has to be.
#[derive(Default)]
struct Expected {
    rows: BTreeMap<String, Loaded>,
    seen: BTreeMap<String, usize>,
}

/// The key of a record as text.
fn key_of(record: &Json, key: &str) -> Option<String> {
    match record.get(key)? {
        Json::Number(text) | Json::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The month of a record's `at`, as text.
fn month_of(record: &Json) -> String {
    let at = record.get("at").and_then(Json::text).and_then(instant);
    let moment = at.and_then(chrono::DateTime::from_timestamp_micros);
    moment.map_or("none".to_owned(), |moment| moment.format("%Y-%m").to_string())
}

impl Expected {
    /// What a night that was committed makes of it.
    fn take(
        &mut self,
        story: &Story,
        night: usize,
        mut waiting: Vec<Waiting>,
    ) -> Result<(), String> {
        let mut loaded = Vec::new();
        for record in story.night(night) {
            let own = waiting.iter().position(|line| line.record == *record);
            let own = own.map(|line| waiting.remove(line));
            if own.as_ref().is_some_and(|line| !line.row_kept) {
                continue;
            }
            let key = key_of(record, story.key).ok_or(format!("{record} has no key and loads"))?;
            let first = *self.seen.entry(key.clone()).or_insert(night);
            loaded.push((key, Loaded { record: record.clone(), without: own, first }));
        }
        if let Some(line) = waiting.first() {
            return Err(format!("quarantine has what was not received: {}", line.shown));
        }
        match story.disposition {
            Disposition::Append | Disposition::Merge => {}
            Disposition::Replace => self.rows.clear(),
            Disposition::OverwritePartitions => {
                let covered: BTreeSet<String> =
                    loaded.iter().map(|(_, row)| month_of(&row.record)).collect();
                self.rows.retain(|_, row| !covered.contains(&month_of(&row.record)));
            }
        }
        self.rows.extend(loaded);
        Ok(())
    }

    /// Compares it with the table.
    fn check(&self, story: &Story, night: usize, tables: &Tables) -> Result<(), String> {
        let mut keys = tables.records();
        keys.sort();
        if !keys.iter().eq(self.rows.keys()) {
            let expected: Vec<&String> = self.rows.keys().collect();
            return Err(format!("the rows are {keys:?} and not {expected:?}"));
        }
        let orphans = tables.orphans();
        if !orphans.is_empty() {
            return Err(orphans.join("\n"));
        }
        for (key, row) in &self.rows {
            let reading = |path: &[Step]| {
                let top = pointer(&path[..1]);
                let declared = story.declared.filter(|(column, _)| top[1..] == **column);
                // A row that did not change may have the text of an older type.
                let verbatim = declared.map_or(row.first == night, |(_, it)| it == "string");
                let declared = declared.is_some();
                let unquoted = declared || story.contract.is_none_or(|words| words[2] != "evolve");
                let closeness = Closeness { verbatim, declared, unquoted };
                Reading { closeness, in_text: story.nested == "json" }
            };
            let waits = |pointer: &str| row.without.iter().any(|line| line.explains(pointer));
            let difference = tables.compare(key, &row.record, reading, waits);
            if !difference.lost.is_empty() || !difference.invented.is_empty() {
                let waiting: Vec<&String> = row.without.iter().map(|line| &line.shown).collect();
                return Err(format!(
                    "is not as it was: {}: {difference:?}\n{waiting:?}\n{tables:?}",
                    row.record
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in self.iter() {
            writeln!(f, "{table:?}")?;
        }
        Ok(())
    }
}

/// The files of tables by name, and by path.
#[derive(Default)]
struct Files {
    by_table: BTreeMap<String, Vec<Bytes>>,
    by_path: BTreeMap<String, Bytes>,
}

async fn files(store: &InMemory) -> Files {
    let mut files = Files::default();
    let found: Vec<_> = store.list(None).try_collect().await.unwrap();
    for object in found {
        let path = object.location.to_string();
        if !path.starts_with("_flowlake") {
            let content = store.get(&object.location).await.unwrap().bytes().await.unwrap();
            let table = path.split('/').next().unwrap().to_owned();
            files.by_table.entry(table).or_default().push(content.clone());
            files.by_path.insert(path, content);
        }
    }
    files
}

/// What waits of the records of a night: lines of its run, and unless the export replaces the table those of earlier nights
/// that say the same of the same record.
async fn waiting(
    lake: &InMemory,
    table: &str,
    run_id: &str,
    story: &Story,
    night: usize,
) -> Vec<Waiting> {
    let directory = object_store::path::Path::from(format!("_flowlake/quarantine/{table}"));
    let files: Vec<_> = lake.list(Some(&directory)).try_collect().await.unwrap();
    let mut all = Vec::new();
    for file in files {
        let content = lake.get(&file.location).await.unwrap().bytes().await.unwrap();
        let lines = zstd::decode_all(&*content).unwrap();
        all.extend(String::from_utf8(lines).unwrap().lines().map(Waiting::of));
    }
    let (mut own, earlier): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|line: &Waiting| line.run_id == run_id);
    if matches!(story.disposition, Disposition::Merge | Disposition::Append) {
        // One line tells of a record however often it comes, unless the run has said something else of it: of one that
        // comes twice in an export the first is superseded, which is no line of the night before.
        let mut told = own.clone();
        for record in story.night(night) {
            match told.iter().position(|line| line.record == *record) {
                Some(line) => drop(told.swap_remove(line)),
                None => own.extend(earlier.iter().find(|line| line.record == *record).cloned()),
            }
        }
    }
    own
}

/// Runs stories, against one source.
pub struct Trial {
    source: Source,
    runtime: tokio::runtime::Runtime,
}

/// Stories under way: each in a table of its own, in one lake.
struct Lake<'a> {
    trial: &'a Trial,
    store: Arc<InMemory>,
    pipeline: InProcess,
    stories: &'a [Story],
    expected: Vec<Expected>,
    /// Whether some night has been committed.
    has_loaded: bool,
}

impl Trial {
    pub fn new() -> Self {
        Self { source: Source::serving("[]"), runtime: runtime() }
    }

    /// Runs the stories in one lake, each in a table of its own. The error tells what does not hold, of which night.
    pub fn run(&self, stories: &[Story]) -> Result<(), String> {
        let run = || self.runtime.block_on(self.nights(stories));
        std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        })
    }

    async fn nights(&self, stories: &[Story]) -> Result<(), String> {
        let workplace = Workplace::empty();
        let sections = stories.iter().enumerate();
        let sections: Vec<String> =
            sections.map(|(number, story)| story.definition(&format!("t{number}"))).collect();
        workplace.define(&sections.join("\n"));
        let mut lake = Lake {
            trial: self,
            store: Arc::new(InMemory::new()),
            pipeline: InProcess::asking(self.source.base_url(), &workplace).await,
            stories,
            expected: stories.iter().map(|_| Expected::default()).collect(),
            has_loaded: false,
        };
        let nights = stories.iter().map(|story| story.nights.len()).max().unwrap_or(0);
        for night in 0..nights {
            if stories.iter().any(|story| story.nights.get(night).is_some_and(Option::is_some)) {
                lake.night(night).await.map_err(|error| format!("night {night}: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Lake<'_> {
    /// Runs the export of a night.
    async fn load(&self, run_id: &str) -> Result<RunReport, RunError> {
        let overrides = Overrides { allow_shrink: true, ..Overrides::default() };
        self.pipeline.run(self.store.clone(), run_id, &overrides).await
    }

    async fn night(&mut self, night: usize) -> Result<(), String> {
        let arrays = self.stories.iter().enumerate();
        let arrays: Vec<String> = arrays
            .map(|(number, story)| {
                format!("\"t{number}\":{}", Json::List(story.night(night).to_vec()))
            })
            .collect();
        self.trial.source.serve(&format!("{{{}}}", arrays.join(",")));
        let before = if self.stories.iter().any(Story::is_frozen) {
            files(&self.store).await
        } else {
            Files::default()
        };
        let run_id = format!("night-{night}");
        match self.load(&run_id).await {
            Ok(report) => self.committed(night, &run_id, &report).await?,
            Err(error) => return self.refused(night, &error.to_string(), &before).await,
        }
        self.has_loaded = true;
        if night % 3 == 1 { self.again(night).await } else { Ok(()) }
    }

    async fn committed(
        &mut self,
        night: usize,
        run_id: &str,
        report: &RunReport,
    ) -> Result<(), String> {
        let is_new = report.outcome == Outcome::Committed;
        let files = files(&self.store).await;
        let mut all = Vec::new();
        for (number, story) in self.stories.iter().enumerate() {
            let name = format!("t{number}");
            let waiting = waiting(&self.store, &name, run_id, story, night).await;
            story.check_contract(night, &waiting).map_err(|it| format!("{name}: {it}"))?;
            check_ledger(report, &name, story.night(night).len(), &waiting)?;
            let tables = Tables::read(&files.by_table, &name, story.key)?;
            let expected = &mut self.expected[number];
            if is_new {
                expected.take(story, night, waiting).map_err(|it| format!("{name}: {it}"))?;
            }
            expected.check(story, night, &tables).map_err(|it| format!("{name}: {it}"))?;
            all.push(tables);
        }
        self.check_manifests(&all).await
    }

    /// The manifests tell the types that readers find.
    async fn check_manifests(&self, tables: &[Tables]) -> Result<(), String> {
        let destination = Destination::of_store(self.store.clone(), "memory");
        let snapshot = table::open(&destination).snapshot().await.map_err(|it| it.to_string())?;
        for read in tables.iter().flat_map(Tables::iter) {
            let name = read.name().parse().unwrap();
            let manifest = snapshot.manifests.get(&name).ok_or(format!("no manifest of {name}"))?;
            let schema = serde_json::to_value(&manifest.schema).unwrap();
            let columns = schema["columns"].as_array().unwrap().iter();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let told: Vec<(String, String)> =
                columns.map(|column| (text(&column["name"]), text(&column["type"]))).collect();
            if told != read.columns {
                return Err(format!(
                    "the manifest of {name} tells {told:?}, a reader finds {:?}",
                    read.columns
                ));
            }
            if manifest.rows() != read.rows.len() as u64 {
                return Err(format!("the manifest of {name} tells {} rows", manifest.rows()));
            }
        }
        Ok(())
    }

    /// The same export a second time changes no data file (promise P3).
    async fn again(&self, night: usize) -> Result<(), String> {
        let before = files(&self.store).await;
        let report = self.load(&format!("night-{night}-again")).await;
        report.map_err(|error| format!("the same export again: {error}"))?;
        let after = files(&self.store).await;
        let changed =
            before.by_path.iter().find(|(path, content)| after.by_path.get(*path) != Some(content));
        match changed {
            Some((path, _)) => Err(format!("the same export again changes {path}")),
            None if before.by_path.len() < after.by_path.len() => {
                Err("the same export again adds files".to_owned())
            }
            None => Ok(()),
        }
    }

    /// A run may only be refused by a contract that says so, and then changes nothing.
    async fn refused(&self, night: usize, error: &str, before: &Files) -> Result<(), String> {
        let sound = |story: &Story| {
            self.has_loaded
                && story.nights[..=night]
                    .iter()
                    .flatten()
                    .flatten()
                    .all(|record| (story.is_sound)(record))
        };
        if !self.stories.iter().any(|story| story.is_frozen() && !sound(story)) {
            return Err(error.to_owned());
        }
        if files(&self.store).await.by_path != before.by_path {
            return Err(format!("a run changes files and fails: {error}"));
        }
        Ok(())
    }
}

/// The ledger of a table balances, and tells what was received and what waits.
fn check_ledger(
    report: &RunReport,
    name: &str,
    received: usize,
    waiting: &[Waiting],
) -> Result<(), String> {
    if report.outcome != Outcome::Committed {
        return Ok(());
    }
    for table in &report.tables {
        let explained =
            table.inserted + table.updated + table.unchanged + table.superseded + table.quarantined;
        if table.received != explained {
            return Err(format!("the ledger does not balance: {table:?}"));
        }
    }
    let own = report.tables.iter().find(|table| table.table.as_str() == name);
    let left_out = waiting.iter().filter(|line| !line.row_kept).count();
    match own {
        Some(own) if own.received == received as u64 && own.quarantined == left_out as u64 => {
            Ok(())
        }
        own => Err(format!("{received} received, {left_out} wait, and the ledger has {own:?}")),
    }
}
