//! A night costs what it brings (promise P12): requests and files do not depend on how many nights there were.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use flowlake::store::Destination;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::support::{HookedStore, InProcess, Source, Workplace, runtime};

const SOURCE: &str = "[source.filters]\nfrom = \"{{ window.start }}\"\n\
                      to = \"{{ window.end }}\"\n[source.window]\nstart = 2024-01-01\n";
const TABLE: &str = "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\n\
                     write_disposition = \"merge\"\npartition_by = [\"month(at)\"]\n";

struct Nights {
    source: Source,
    pipeline: InProcess,
    store: Arc<InMemory>,
    night: u32,
}

impl Nights {
    fn new() -> Self {
        let source = Source::serving(r#"{"rows":[]}"#);
        let workplace = Workplace::empty();
        workplace.define_with(SOURCE, TABLE);
        let pipeline = runtime().block_on(InProcess::asking(source.base_url(), &workplace));
        Self { source, pipeline, store: Arc::new(InMemory::new()), night: 0 }
    }

    /// Runs the next night with these records; returns the number of requests to the store.
    fn run(&mut self, rows: &str) -> usize {
        self.night += 1;
        self.source.serve(&format!(r#"{{"rows":[{rows}],"night":{}}}"#, self.night));
        let store = HookedStore::new(self.store.clone(), |_| Ok(()), |_| Ok(()));
        let start: DateTime<Utc> = "2024-01-01T03:00:00Z".parse().unwrap();
        let now = start + TimeDelta::days(self.night.into());
        runtime().block_on(self.pipeline.run_night(store.clone(), now)).unwrap();
        store.calls()
    }

    /// How many files there are, by their directory.
    fn files(&self) -> BTreeMap<String, usize> {
        let listed: Vec<Path> = runtime().block_on(async {
            self.store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap()
        });
        let mut files = BTreeMap::new();
        for path in listed {
            let parts: Vec<_> = path.parts().take(2).map(|part| part.as_ref().to_owned()).collect();
            *files.entry(parts.join("/")).or_default() += 1;
        }
        files
    }
}

#[test]
fn p12_o11_a_windowed_night_costs_the_same_after_fifty_and_after_five_hundred_others() {
    let mut nights = Nights::new();
    nights.run(r#"{"id":1,"at":"2024-01-01","v":0}"#);
    let record = |v: u32| format!(r#"{{"id":1,"at":"2024-01-01","v":{v}}}"#);
    let mut costs = Vec::new();
    // From the thirty-first on, each deletes the records of a commit.
    for others in [50, 500] {
        while nights.night < others {
            let v = nights.night;
            nights.run(&record(v));
        }
        let changed = nights.run(&record(1_000_000 + others));
        let quiet = nights.run("");
        costs.push((changed, quiet));
    }
    assert_eq!(costs[0], costs[1], "requests of a night with a change, and of one without");
    let (changed, quiet) = costs[0];
    assert!(changed <= 25 && quiet <= 20, "{costs:?}");
}

#[test]
fn o11_a_thousand_nights_leave_a_bounded_number_of_files() {
    let mut nights = Nights::new();
    for night in 0..1_000 {
        nights.run(&format!(r#"{{"id":1,"at":"2024-01-01","v":{night}}}"#));
    }
    let files = nights.files();
    let expected = [
        ("_flowlake/commits", 30..=31),
        ("_flowlake/landing", 28..=28),
        ("_flowlake/runs", 400..=401),
        ("_flowlake/snapshot.json", 1..=1),
        ("_flowlake/tables", 30..=31),
        ("t/at_month=2024-01", 1..=1),
    ];
    assert_eq!(files.len(), expected.len(), "{files:?}");
    for (directory, count) in expected {
        assert!(count.contains(&files[directory]), "{directory}: {files:?}");
    }
}

#[test]
fn o02_strangers_beside_own_files_change_nothing_whatever_they_are_called() {
    let mut nights = Nights::new();
    nights.run(r#"{"id":1,"at":"2024-01-01","v":0}"#);
    for stranger in [
        "_flowlake/snapshot.json.bak",
        "_flowlake/tables/t/000000000001.json.bak",
        "_flowlake/tables/t/.DS_Store",
        "_flowlake/commits/.nfs000123",
        "_flowlake/commits/000000000002.json.swp",
        "_flowlake/landing/desktop.ini",
        "_flowlake/tables/u.json",
    ] {
        let content = "{\"version\":9}".into();
        runtime().block_on(nights.store.put(&Path::from(stranger), content)).unwrap();
    }
    nights.run(r#"{"id":1,"at":"2024-01-01","v":1}"#);
    nights.run("");
    let destination = Destination::of_store(nights.store.clone(), "memory");
    let snapshot = runtime().block_on(flowlake::table::open(&destination).snapshot()).unwrap();
    assert_eq!(snapshot.sequence(), 3);
    assert_eq!(snapshot.manifests.len(), 1);
}
