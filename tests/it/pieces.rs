//! The pieces of a long window: in whatever order they arrive and whatever goes wrong on the way, the tables are the
//! same.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use flowlake::plan::Overrides;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use crate::support::{
    Asked, FaultServer, InProcess, KEY, Reply, Unanswered, Workplace, runtime, wait_until,
};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\
                      partition_by = [\"month(at)\"]";

/// The records of the months from `from` to before `to`, of some with lines.
fn export(from: u32, to: u32) -> String {
    let records = (from..to).flat_map(|month| (0..200 + month).map(move |number| (month, number)));
    let records = records.map(|(month, number)| {
        let lines: Vec<_> = (0..number % 4).map(|line| json!({ "n": line, "price": 1.25 })).collect();
        json!({ "id": month * 1000 + number, "at": format!("2025-{month:02}-{:02}", 1 + number % 28),
                "title": format!("order {number}"), "lines": lines })
    });
    json!(records.collect::<Vec<_>>()).to_string()
}

fn month(asked: &Asked, parameter: &str) -> u32 {
    let (_, rest) = asked.path.split_once(&format!("{parameter}=")).unwrap();
    let (year, month) = (&rest[..4], &rest[5..7]);
    month.parse::<u32>().unwrap() + if year == "2026" { 12 } else { 0 }
}

fn right(asked: &Asked) -> String {
    export(month(asked, "from"), month(asked, "to"))
}

/// Every file of the tables, by its path.
async fn files(store: &InMemory) -> BTreeMap<String, String> {
    let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut files = BTreeMap::new();
    for object in objects.iter().filter(|object| object.location.as_ref().ends_with(".parquet")) {
        let content = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        files.insert(object.location.to_string(), blake3::hash(&content).to_string());
    }
    files
}

/// Loads a year from what `reply` makes of each request, on a clock that does not wait.
fn load(
    step: &str,
    jobs: usize,
    memory: Option<u64>,
    reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (BTreeMap<String, String>, usize) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let server = FaultServer::bind().await;
        let workplace = Workplace::empty();
        let window = format!(
            "retry = {{ max_attempts = 9 }}\n[source.filters]\nfrom = \"{{{{ window.start | date }}}}\"\n\
             to = \"{{{{ window.end | date }}}}\"\n[source.window]\nstart = 2025-01-01\n{step}"
        );
        workplace.define_with(&window, TABLES);
        let pipeline = InProcess::asking(&server.base_url(), &workplace).await;
        let asked = server.asked();
        server.serve_by(reply);
        let overrides = Overrides {
            as_of: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            jobs: NonZeroUsize::new(jobs),
            memory,
            ..Overrides::default()
        };
        let store = Arc::new(InMemory::new());
        pipeline.run(store.clone(), "run", &overrides).await.unwrap();
        let asked = asked.lock().unwrap().len();
        (files(&store).await, asked)
    })
}

#[test]
fn p6_pieces_that_fail_and_overtake_each_other_make_the_same_files() {
    let (at_once, requests) = load("", 1, None, |asked| Reply::json(&right(asked)));
    assert_eq!((requests, at_once.len()), (1, 24), "a file for each month of both tables");
    let (in_turn, requests) = load("step = \"P1M\"", 1, None, |asked| Reply::json(&right(asked)));
    assert_eq!(requests, 12);
    assert_eq!(in_turn, at_once);
    for seed in 0..4 {
        let random = Mutex::new((fastrand::Rng::with_seed(seed), HashMap::new()));
        // Every other time there is no memory to hold a piece until the last one has come.
        let memory = (seed % 2 == 1).then_some(1);
        let (jittered, requests) = load("step = \"P1M\"", 5, memory, move |asked| {
            let mut random = random.lock().unwrap();
            let (rng, tries) = &mut *random;
            let tries = tries.entry(asked.path.clone()).or_insert(0);
            *tries += 1;
            let delay = rng.u64(0..5000);
            let body = right(asked);
            match rng.u8(0..6) {
                0 if *tries < 4 => Reply::none().wait(delay).reset(),
                1 if *tries < 4 => Reply::none().wait(delay).send("HTTP/1.1 503 No\r\n\r\n"),
                2 if *tries < 4 => Reply::ok(&[]).length(body.len()).send(&body[..body.len() / 2]),
                3 if *tries < 4 => Reply::ok(&[]).until_closed().wait(delay).send(&body[..90]),
                _ => {
                    let (first, second) = body.split_at(body.len() / 3);
                    let head = Reply::ok(&[]).wait(delay).length(body.len());
                    head.send(first).wait(delay / 7).send(second)
                }
            }
        });
        assert!(requests > 12, "nothing went wrong");
        assert_eq!(jittered, at_once, "seed {seed}");
    }
}

/// The source takes the old key, goes away in the middle of a run, and comes back with the new key only.
#[test]
fn a_source_that_restarts_with_only_the_new_key_ends_the_run_well() {
    const NEW_KEY: &str = "pf_new";
    let taking = |key: &'static str| {
        move |asked: &Asked| match asked.key.as_deref() {
            Some(sent) if sent == key => Reply::json(&right(asked)),
            _ => Reply::status("401 Unauthorized", "no"),
        }
    };
    let runtime = runtime();
    let (workplace, address, asked, old) = runtime.block_on(async {
        let server = FaultServer::bind().await;
        let (base_url, asked) = (server.base_url(), server.asked());
        let address = base_url.trim_start_matches("http://").parse().unwrap();
        let old = server.serve_by(taking(KEY));
        let workplace = Workplace::empty();
        workplace.define_with(
            "retry = { max_attempts = 200, longest_wait = \"PT0.1S\" }\n[source.filters]\n\
             from = \"{{ window.start | date }}\"\nto = \"{{ window.end | date }}\"\n\
             [source.window]\nstart = 2025-01-01\nstep = \"P1M\"",
            TABLES,
        );
        let workplace = workplace
            .with("PROCUREMENTFLOW_BASE_URL", &base_url)
            .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
            .with("PROCUREMENTFLOW_API_KEY", KEY)
            .with("PROCUREMENTFLOW_API_KEY_NEXT", NEW_KEY);
        (workplace, address, asked, old)
    });
    let (log, file) = (workplace.path().join("log.txt"), workplace.path().join("log.txt"));
    let told = || std::fs::read_to_string(&log).unwrap();
    let mut run = workplace.command(&["run", "test.toml", "--as-of", "2026-01-01", "--jobs", "2"]);
    let mut run = run.stderr(std::fs::File::create(file).unwrap()).spawn().unwrap();
    wait_until("three pieces were not asked for", || asked.lock().unwrap().len() >= 3);
    old.abort();
    let _guard = runtime.enter();
    let _ = runtime.block_on(old);
    let restarting = Unanswered::of(address);
    wait_until("nobody was refused", || told().contains("Connection refused"));
    FaultServer::at(restarting).serve_by(taking(NEW_KEY));
    assert!(run.wait().unwrap().success(), "{}", told());
    assert!(told().contains("retire it"), "{}", told());
    assert_eq!(workplace.lake().partitions("t").len(), 12);
}
