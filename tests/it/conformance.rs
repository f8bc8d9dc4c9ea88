//! The conformance suite of stores: what flowlake relies on, and whether tables stay whole when a store fails. It runs on memory, local disk, an S3 server and a
//! stand-in for Google Cloud Storage in this process, moto's S3 server (`make test-s3`) and Azurite (`make test-azure`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use flowlake::normalise::scalar_texts;
use flowlake::plan::Overrides;
use flowlake::report::Outcome;
use flowlake::store::Destination;
use flowlake::table;
use flowlake::table::verify::VerifyDepth;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use polars::prelude::{ParquetReader, SerReader};
use tempfile::TempDir;

use crate::promises::keeps_promises;
use crate::support::{
    Azurite, Failure, GcsServer, HookedStore, InProcess, Moto, Remote, S3Server, Source, Workplace,
    in_each_format, in_slice_of_test, is_long, runtime,
};

/// Makes empty destinations in one kind of store.
struct Stores<'a> {
    make: Box<dyn Fn(usize) -> Destination + 'a>,
    made: AtomicUsize,
    /// Whether one of several concurrent creates of a file succeeds. Some servers made for tests check first and write
    /// later, so several may.
    is_atomic: bool,
    /// Waits for requests whose client has gone.
    settle: Box<dyn Fn() + 'a>,
}

impl<'a> Stores<'a> {
    fn of(make: impl Fn(usize) -> Destination + 'a) -> Self {
        let (make, settle) = (Box::new(make), Box::new(|| ()));
        Self { make, made: AtomicUsize::new(0), is_atomic: true, settle }
    }

    fn settled_by(self, settle: impl Fn() + 'a) -> Self {
        Self { settle: Box::new(settle), ..self }
    }

    fn memory() -> Self {
        Self::of(|_| in_slice_of_test(Destination::of_store(Arc::new(InMemory::new()), "memory")))
    }

    fn local_disk(directory: &'a TempDir) -> Self {
        Self::of(|number| {
            let directory = directory.path().join(number.to_string());
            in_slice_of_test(
                Destination::open(&directory.to_str().unwrap().parse().unwrap()).unwrap(),
            )
        })
    }

    /// A prefix of a bucket that is emptied each time: some servers scan the whole bucket to list a part of it.
    fn bucket(bucket: &'a Arc<dyn ObjectStore>, empty: impl Fn() + 'a) -> Self {
        let made = Self::of(move |_| {
            empty();
            let store = PrefixStore::new(bucket.clone(), "some prefix");
            in_slice_of_test(Destination::of_store(Arc::new(store), "bucket"))
        });
        Self { is_atomic: false, ..made }
    }

    /// A prefix of a bucket, opened as the binary opens it.
    fn remote(remote: &'a dyn Remote) -> Self {
        Self::of(|_| remote.open(&remote.new_url()))
    }

    fn next(&self) -> Destination {
        (self.make)(self.made.fetch_add(1, Ordering::SeqCst))
    }
}

/// One record moves to another partition and gains a line, one changes, one stays, one is new, one has a wrong type.
const OLD: &str = r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]},{"id":2,"at":"2026-02-05","v":1},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1},{"n":2}]}]"#;
const NEW: &str = r#"[{"id":1,"at":"2026-02-05","v":1,"lines":[{"n":1},{"n":9}]},{"id":2,"at":"2026-02-05","v":2},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1},{"n":2}]},{"id":4,"at":"2026-05-05","v":1,"w":true},
    {"id":5,"at":"2026-05-06","v":"x"}]"#;

/// The process dies before a call takes effect, or after.
const DEATHS: [Failure; 2] = [Failure::Before, Failure::After];

const DISPOSITIONS: [&str; 4] = ["replace", "append", "merge", "overwrite_partitions"];

/// Those that a slower store is tried with. Memory is tried with all of them, and `make test-long` tries all with all.
fn of_slower_stores<'d>(dispositions: &[&'d str]) -> Vec<&'d str> {
    let is_tried = |it: &&&str| is_long() || ["replace", "merge"].contains(*it);
    dispositions.iter().filter(is_tried).copied().collect()
}

/// The rows of every table, by the files that its manifest names, and what is in quarantine.
type Content = BTreeMap<String, Vec<String>>;

/// A pipeline, and the content of its destination after each of two exports.
struct Pipeline {
    runs: InProcess,
    /// The objects of a destination after the first export.
    before: Vec<(Path, Bytes)>,
    old: Content,
    new: Content,
    _source: Source,
}

impl Pipeline {
    fn with(disposition: &str) -> Self {
        let source = Source::serving(OLD);
        let workplace = Workplace::empty();
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\n\
             partition_by = [\"month(at)\"]\n[tables.columns]\nv = \"int64\""
        ));
        runtime().block_on(async {
            let pipeline = InProcess::asking(source.base_url(), &workplace).await;
            let store = Arc::new(InMemory::new());
            let destination = in_slice_of_test(Destination::of_store(store.clone(), "memory"));
            pipeline.run_in(&destination, "run-1", &Overrides::default()).await.unwrap();
            let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
            let mut before = Vec::new();
            for meta in listed {
                let content = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
                before.push((meta.location, content));
            }
            let old = content(&destination).await;
            source.serve(NEW);
            pipeline.run_in(&destination, "run-2", &Overrides::default()).await.unwrap();
            let new = content(&destination).await;
            assert_ne!(old, new);
            Self { runs: pipeline, before, old, new, _source: source }
        })
    }

    /// A destination as it is after the first export.
    async fn seeded(&self, stores: &Stores<'_>) -> Destination {
        let destination = stores.next();
        for (path, content) in &self.before {
            destination.put(path, content.clone()).await.unwrap();
        }
        destination
    }

    /// Loads the second export, failing at each call in turn. The tables must be as before or as after.
    async fn is_whole_or_not_there(&self, stores: &Stores<'_>, failures: &[Failure]) {
        let mut outcomes = BTreeSet::new();
        for &failure in failures {
            for at in 0.. {
                let what = format!("call {at} {failure:?}");
                let destination = self.seeded(stores).await;
                let mut calls = None;
                let failing = destination.clone().wrapped(|store| {
                    let store = HookedStore::failing(store, failure, at);
                    calls = Some(store.clone());
                    store
                });
                let result = self.runs.run_in(&failing, "run-2", &Overrides::default()).await;
                drop(failing);
                (stores.settle)();
                if failure == Failure::Delay {
                    assert!(result.is_ok(), "{what}: {result:?}");
                }
                // A run that lost its store cannot release the lock, and this process lives on.
                destination.delete(&destination.own("lock.json")).await.unwrap();
                let repaired =
                    table::open(&destination).repair(VerifyDepth::Contents).await.unwrap();
                assert_eq!(repaired.findings, [], "{what}");
                let found = content(&destination).await;
                assert!(found == self.old || found == self.new, "{what}: {found:?}");
                assert!(result.is_err() || found == self.new, "{what}: {found:?}");
                outcomes.insert(found == self.new);
                // A scheduler retries with the same run id. A run that committed is not run again.
                let again = self.runs.run_in(&destination, "run-2", &Overrides::default()).await;
                let is_used =
                    matches!(&again, Ok(report) if report.outcome == Outcome::CommittedBefore);
                if DEATHS.contains(&failure) {
                    assert_eq!(is_used, found == self.new, "{what}: {again:?}");
                }
                if is_used {
                    let overrides = Overrides::default();
                    self.runs.run_in(&destination, "run-3", &overrides).await.unwrap();
                }
                assert_eq!(content(&destination).await, self.new, "{what}");
                let verified =
                    table::open(&destination).verify(VerifyDepth::Contents).await.unwrap();
                assert_eq!(verified.findings, [], "{what}");
                if calls.unwrap().calls() <= at {
                    assert!(at > 25, "the store was hardly used");
                    break;
                }
            }
        }
        assert!(outcomes.contains(&true), "{outcomes:?}");
    }
}

/// The rows by the manifests, whose row counts must be right.
async fn content(destination: &Destination) -> Content {
    let snapshot = table::open(destination).snapshot().await.unwrap();
    let mut content = Content::new();
    for (table, manifest) in &snapshot.manifests {
        let mut rows = Vec::new();
        for file in &manifest.files {
            let bytes = destination.get(&Path::parse(&file.path).unwrap()).await.unwrap().unwrap();
            let frame = ParquetReader::new(Cursor::new(bytes)).finish().unwrap();
            let columns = frame.columns().iter().filter(|it| !it.name().starts_with("_flowlake_"));
            let columns: Vec<_> = columns
                .map(|column| scalar_texts(column.as_materialized_series()).unwrap())
                .collect();
            rows.extend((0..frame.height()).map(|row| {
                let values = columns.iter().map(|column| column[row].clone().unwrap_or_default());
                format!("{} {}", file.partition, values.collect::<Vec<_>>().join(" "))
            }));
        }
        assert_eq!(rows.len() as u64, manifest.rows(), "the ledger of {table}");
        rows.sort();
        let waiting: u64 = manifest.quarantine.iter().map(|file| file.records).sum();
        rows.push(format!("{waiting} in quarantine"));
        content.insert(table.to_string(), rows);
    }
    content
}

fn conforms(stores: &Stores<'_>, dispositions: &[&str], failures: &[Failure]) {
    runtime().block_on(keeps_promises(&stores.next(), stores.is_atomic));
    in_each_format(|| {
        for disposition in dispositions {
            let pipeline = Pipeline::with(disposition);
            runtime().block_on(pipeline.is_whole_or_not_there(stores, failures));
        }
    });
}

#[test]
fn p2_memory_conforms_at_every_call() {
    conforms(&Stores::memory(), &DISPOSITIONS, &Failure::ALL);
}

#[test]
fn p2_local_disk_conforms_at_every_call() {
    let directory = TempDir::new().unwrap();
    conforms(&Stores::local_disk(&directory), &of_slower_stores(&DISPOSITIONS), &DEATHS);
}

fn an_s3_server_conforms(dispositions: &[&str]) {
    let server = S3Server::start();
    let bucket = server.bucket();
    let stores = Stores::bucket(&bucket, || server.empty()).settled_by(|| server.settle());
    conforms(&stores, &of_slower_stores(dispositions), &DEATHS);
}

// Two tests, since together they take a minute.
#[test]
fn p2_an_s3_server_conforms_at_every_call() {
    an_s3_server_conforms(&DISPOSITIONS[..2]);
}

#[test]
fn p2_an_s3_server_conforms_at_every_call_of_what_compares() {
    an_s3_server_conforms(&DISPOSITIONS[2..]);
}

#[test]
#[ignore = "needs moto: `make test-s3`"]
fn p2_moto_conforms_at_every_call() {
    let moto = Moto::start();
    let bucket = moto.bucket();
    let stores = Stores::bucket(&bucket, || moto.empty());
    conforms(&stores, &DISPOSITIONS, &DEATHS);
}

#[test]
fn a_gcs_server_keeps_promises() {
    let server = GcsServer::start();
    conforms(&Stores::remote(&server), &[], &[]);
}

#[test]
#[ignore = "takes a minute: `make test-gcs`"]
fn p2_a_gcs_server_conforms_at_every_call() {
    let server = GcsServer::start();
    conforms(&Stores::remote(&server), &DISPOSITIONS, &DEATHS);
}

#[test]
#[ignore = "needs Azurite: `make test-azure`"]
fn p2_azure_conforms_at_every_call() {
    let azurite = Azurite::start();
    conforms(&Stores::remote(&azurite), &DISPOSITIONS, &DEATHS);
}
