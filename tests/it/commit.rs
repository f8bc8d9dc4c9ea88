//! Commits under failures, sleeping runs and concurrent runs. The behaviour of every store at every call is in
//! `conformance`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::DateTime;
use flowlake::plan::Overrides;
use flowlake::run::RunError;
use flowlake::schema::{TableFormat, TableName};
use flowlake::store::Destination;
use flowlake::table::verify::{FindingKind, VerifyDepth};
use flowlake::table::{self, Changes, CommitOutcome, Manifest};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};

use crate::support::{
    Failure, HookedStore, InProcess, Source, Workplace, in_each_format, in_slice_of_test, runtime,
};

const OLD: &str = r#"[{"id":1,"at":"2026-01-05","lines":[{"n":1}]},{"id":2,"at":"2026-02-05"}]"#;
const NEW: &str =
    r#"[{"id":3,"at":"2026-02-07","lines":[{"n":2},{"n":3}]},{"id":4,"at":"2026-03-07"}]"#;
const LATER: &str =
    r#"[{"id":5,"at":"2026-01-07"},{"id":6,"at":"2026-03-07"},{"id":7,"at":"2026-03-08"}]"#;

struct Bench {
    source: Source,
    pipeline: InProcess,
}

impl Bench {
    fn with(disposition: &str) -> Self {
        let source = Source::serving(OLD);
        let workplace = Workplace::empty();
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\npartition_by = [\"month(at)\"]"
        ));
        let pipeline = runtime().block_on(InProcess::asking(source.base_url(), &workplace));
        Self { source, pipeline }
    }

    async fn run(&self, store: Arc<dyn ObjectStore>, run_id: &str) -> Result<(), RunError> {
        self.pipeline.run(store, run_id, &Overrides::default()).await.map(|_| ())
    }
}

/// A run that changes nothing.
fn nothing(run_id: &str) -> Changes {
    Changes::nothing(run_id.parse().unwrap(), DateTime::UNIX_EPOCH)
}

/// The number of rows in each table, after checking that the files of the manifests are all the data files there are.
async fn settled_rows(store: &Arc<InMemory>) -> Vec<u64> {
    let destination = in_slice_of_test(Destination::of_store(store.clone(), "memory"));
    // A run whose store failed cannot release its lock, like a process that died.
    destination.delete(&destination.own("lock.json")).await.unwrap();
    let snapshot = table::open(&destination).recover().await.unwrap();
    let live: BTreeSet<String> = snapshot
        .manifests
        .values()
        .flat_map(|manifest| manifest.files.iter().map(|file| file.path.clone()))
        .collect();
    if snapshot.format() == Some(TableFormat::Delta) {
        // Replaced files stay, and the logs say what is live.
        let verified = table::open(&destination).verify(VerifyDepth::Contents).await.unwrap();
        let mut findings = verified.findings;
        findings.retain(|it| it.kind.is_damage() || it.kind == FindingKind::Orphan);
        assert_eq!(findings, []);
    } else {
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        let data = listed.iter().filter(|meta| !meta.location.as_ref().starts_with("_flowlake/"));
        assert_eq!(data.map(|meta| meta.location.to_string()).collect::<BTreeSet<_>>(), live);
    }
    for manifest in snapshot.manifests.values() {
        for file in &manifest.files {
            let content =
                store.get(&Path::parse(&file.path).unwrap()).await.unwrap().bytes().await.unwrap();
            assert_eq!(blake3::hash(&content).to_hex().to_string(), file.blake3);
        }
    }
    let rows = |table: &str| {
        let table: TableName = table.parse().unwrap();
        snapshot.manifests.get(&table).map_or(0, Manifest::rows)
    };
    vec![rows("t"), rows("t__lines")]
}

#[test]
fn p2_a_retry_loads_quarantined_records_exactly_once_whatever_fails() {
    in_each_format(a_retry_loads_quarantined_records_exactly_once_whatever_fails);
}

fn a_retry_loads_quarantined_records_exactly_once_whatever_fails() {
    const WAITING: &str = r#"[{"id":1,"at":"2026-01-05","n":1,"lines":[{"n":1}]},
        {"id":2,"at":"2026-02-05","n":"x","lines":[{"n":2},{"n":3}]},{"id":3,"at":"2026-02-06","n":"y"}]"#;
    const TABLE: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\"]\n[tables.columns]\n";
    let source = Source::serving(WAITING);
    let workplace = Workplace::empty();
    let define = |column: &str| {
        workplace.define(&format!("{TABLE}n = \"{column}\""));
        runtime().block_on(InProcess::asking(source.base_url(), &workplace))
    };
    let (strict, mended) = (define("int64"), define("string"));
    let outcomes = runtime().block_on(async {
        let mut outcomes = BTreeSet::new();
        for failure in [Failure::Before, Failure::After] {
            for fails_at in 0.. {
                let store = Arc::new(InMemory::new());
                strict.run(store.clone(), "run-1", &Overrides::default()).await.unwrap();
                assert_eq!(settled_rows(&store).await, [1, 1]);
                let failing = HookedStore::failing(store.clone(), failure, fails_at);
                let result = mended.retry(failing, "run-2").await;
                let rows = settled_rows(&store).await;
                assert!(rows == [1, 1] || rows == [3, 3], "call {fails_at} {failure:?}: {rows:?}");
                for run_id in ["run-3", "run-4"] {
                    mended.retry(store.clone(), run_id).await.unwrap();
                    assert_eq!(settled_rows(&store).await, [3, 3], "call {fails_at} {failure:?}");
                }
                let waiting = store.list(Some(&"_flowlake/quarantine".into()));
                assert_eq!(waiting.count().await, 0, "call {fails_at} {failure:?}");
                outcomes.insert(rows);
                if result.is_ok() {
                    assert!(fails_at > 20, "the store was hardly used");
                    break;
                }
            }
        }
        outcomes
    });
    assert_eq!(outcomes.len(), 2, "both the old and the new table were seen: {outcomes:?}");
}

#[test]
fn p2_a_commit_never_deletes_a_live_file() {
    in_each_format(a_commit_never_deletes_a_live_file);
}

fn a_commit_never_deletes_a_live_file() {
    let bench = Bench::with("replace");
    runtime().block_on(async {
        let store: Arc<InMemory> = Arc::new(InMemory::new());
        bench.run(store.clone(), "run-1").await.unwrap();
        let destination = in_slice_of_test(Destination::of_store(store.clone(), "memory"));
        let snapshot = table::open(&destination).recover().await.unwrap();
        let manifests: Vec<Manifest> = snapshot.manifests.values().cloned().collect();
        let live = manifests.iter().flat_map(|manifest| &manifest.files);
        let remove = live.map(|file| file.path.clone()).collect();
        let changes = Changes { remove, manifests, ..nothing("run-2") };
        let outcome = table::open(&destination).commit(snapshot, changes).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed);
        assert_eq!(settled_rows(&store).await, [2, 1]);
    });
}

#[test]
fn p2_a_commit_record_that_never_reached_the_disk_blocks_no_later_run() {
    in_each_format(a_commit_record_that_never_reached_the_disk_blocks_no_later_run);
}

fn a_commit_record_that_never_reached_the_disk_blocks_no_later_run() {
    let bench = Bench::with("append");
    runtime().block_on(async {
        for lost in [&b""[..], &[0; 512]] {
            let store: Arc<InMemory> = Arc::new(InMemory::new());
            bench.source.serve(OLD);
            bench.run(store.clone(), "run-1").await.unwrap();
            let record = Path::from("_flowlake/commits/000000000002.json");
            store.put(&record, PutPayload::from(lost.to_vec())).await.unwrap();
            bench.source.serve(NEW);
            bench.run(store.clone(), "run-2").await.unwrap();
            assert_eq!(settled_rows(&store).await, [4, 3]);
            bench.source.serve(OLD);
            bench.run(store.clone(), "run-3").await.unwrap();
            assert_eq!(settled_rows(&store).await, [4, 3]);
            // The number stays taken: its owner may believe that the record exists.
            store.head(&Path::from("_flowlake/commits/000000000003.json")).await.unwrap();
        }
        // S7: what is behind the snapshot is history and stops nobody.
        let store: Arc<InMemory> = Arc::new(InMemory::new());
        for (run, export) in [("run-1", OLD), ("run-2", NEW)] {
            bench.source.serve(export);
            bench.run(store.clone(), run).await.unwrap();
        }
        store.put(&Path::from("_flowlake/commits/000000000001.json"), "".into()).await.unwrap();
        store.put(&Path::from("_flowlake/commits/000000000002.json"), "{".into()).await.unwrap();
        bench.source.serve(LATER);
        bench.run(store.clone(), "run-3").await.unwrap();
        assert_eq!(settled_rows(&store).await, [7, 3]);
    });
}

#[test]
fn p10_a_run_that_sleeps_at_any_store_call_does_not_undo_a_later_one() {
    in_each_format(a_run_that_sleeps_at_any_store_call_does_not_undo_a_later_one);
}

fn a_run_that_sleeps_at_any_store_call_does_not_undo_a_later_one() {
    let bench = Arc::new(Bench::with("replace"));
    let mut outcomes = BTreeSet::new();
    for asleep_at in 0.. {
        let store = Arc::new(InMemory::new());
        bench.source.serve(OLD);
        runtime().block_on(bench.run(store.clone(), "run-1")).unwrap();
        bench.source.serve(NEW);
        let had_intent = Arc::new(AtomicUsize::new(0));
        let meanwhile = {
            let (bench, store, had_intent) = (bench.clone(), store.clone(), had_intent.clone());
            move |call| {
                if call == asleep_at {
                    let intent = Path::from("_flowlake/commits/000000000002.json");
                    let run = async {
                        had_intent
                            .store(store.head(&intent).await.is_ok().into(), Ordering::SeqCst);
                        bench.source.serve(LATER);
                        // It slept so long that its lock has expired.
                        store.delete(&Path::from("_flowlake/lock.json")).await.unwrap();
                        bench.run(store.clone(), "run-3").await.unwrap();
                    };
                    std::thread::scope(|scope| {
                        scope.spawn(|| runtime().block_on(run));
                    });
                }
                Ok(())
            }
        };
        let sleeping = HookedStore::new(store.clone(), meanwhile, |_| Ok(()));
        let result = runtime().block_on(bench.run(sleeping.clone(), "run-2"));
        if sleeping.calls() <= asleep_at {
            assert!(asleep_at > 20, "the store was hardly used");
            break;
        }
        let rows = runtime().block_on(settled_rows(&store));
        if had_intent.load(Ordering::SeqCst) == 1 {
            assert_eq!(rows, [3, 0], "call {asleep_at}: {result:?}");
            result.unwrap();
        }
        outcomes.insert(rows);
    }
    assert!(outcomes.is_subset(&BTreeSet::from([vec![3, 0], vec![2, 2]])), "{outcomes:?}");
}

#[test]
fn p10_of_two_runs_at_once_only_one_commits() {
    in_each_format(of_two_runs_at_once_only_one_commits);
}

fn of_two_runs_at_once_only_one_commits() {
    let bench = Bench::with("append");
    runtime().block_on(async {
        let store: Arc<InMemory> = Arc::new(InMemory::new());
        let destination = in_slice_of_test(Destination::of_store(store.clone(), "memory"));
        let first = table::open(&destination).recover().await.unwrap();
        bench.run(store.clone(), "run-1").await.unwrap();
        let outcome = table::open(&destination).commit(first, nothing("run-0")).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Conflict);
        assert_eq!(settled_rows(&store).await, [2, 1]);
    });
}
