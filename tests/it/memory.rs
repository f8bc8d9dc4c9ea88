//! How much memory a run takes, and that it changes nothing but that.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowlake::plan::Overrides;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{InProcess, KEY, Source, Workplace, runtime};

const BLOCK_BYTES: usize = 1 << 20;
const MOST_MEGABYTES: u64 = 100;

/// Serves an export of so many megabytes, all but one record of which nobody wants.
async fn serve(listener: TcpListener, megabytes: usize) {
    // Digits that do not compress away, so that the landing is large as well.
    let mut random = fastrand::Rng::with_seed(1);
    let mut block: Vec<u8> = (0..BLOCK_BYTES).map(|_| random.digit(10) as u8).collect();
    for at in (0..BLOCK_BYTES).step_by(8) {
        block[at] = b',';
        block[at + 1] = b'1';
    }
    while let Ok((mut socket, _)) = listener.accept().await {
        let _ = socket.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        let begin = format!("{head}{{\"noise\":[1");
        let _ = socket.write_all(begin.as_bytes()).await;
        for _ in 0..megabytes {
            let _ = socket.write_all(&block).await;
        }
        let _ = socket.write_all(b"],\"t\":[{\"id\":1}]}").await;
    }
}

#[test]
fn p7_a_gigabyte_is_landed_in_little_memory() {
    let megabytes = 1024;
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(serve(listener, megabytes));
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &base_url)
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    workplace.define("[[tables]]\nname = \"t\"\nrecords = \"/t\"\nprimary_key = [\"id\"]");
    let (run, most) = workplace.measured(&["run", "test.toml"]);
    run.success();
    assert_eq!(workplace.lake().rows("t").height(), 1);
    let landing = workplace.path().join("lake/_flowlake/landing");
    let landed =
        std::fs::read_dir(landing).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert!(landed.sum::<u64>() > 300 << 20, "the landing is small");
    eprintln!("{megabytes} MB were landed in {most} MB");
    assert!(most > 0 && most < MOST_MEGABYTES, "{most} MB");
}

/// The files of tables and of quarantine after loading an export within so much memory.
fn loaded(tables: &str, json: &str, memory: Option<u64>) -> BTreeMap<String, String> {
    let runtime = runtime();
    let source = Source::serving(json);
    let workplace = Workplace::empty();
    workplace.define(tables);
    let store = Arc::new(InMemory::new());
    runtime.block_on(async {
        let pipeline = InProcess::asking(source.base_url(), &workplace).await;
        let overrides = Overrides { memory, ..Overrides::default() };
        pipeline.run(store.clone(), "run", &overrides).await.unwrap();
        let mut files = BTreeMap::new();
        let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
        for object in objects {
            let path = object.location.to_string();
            if ["landing", "commits", "runs"].iter().all(|own| !path.contains(own)) {
                let content = store.get(&object.location).await.unwrap().bytes().await.unwrap();
                files.insert(path, blake3::hash(&content).to_string());
            }
        }
        files
    })
}

/// An export of several batches, whose last records are `last`.
fn large_export(record: impl Fn(usize) -> String, last: &[&str]) -> String {
    let records = (0..60_000).map(record).chain(last.iter().map(ToString::to_string));
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

fn order(id: usize) -> String {
    let lines: Vec<String> =
        (0..id % 3).map(|line| format!("{{\"n\":{line},\"price\":{}.5}}", id % 97)).collect();
    format!(
        "{{\"id\":{id},\"at\":\"2026-{:02}-03\",\"seen\":{},\"title\":\"a title that is long enough {id}\",\"note\":null,\
         \"tags\":[\"x\",\"y{}\"],\"supplier\":{{\"name\":\"Supplier {}\"}},\"lines\":[{}]}}",
        1 + id % 12,
        id / 7,
        id % 5,
        id % 31,
        lines.join(",")
    )
}

/// Loads the same within hardly any memory, a little, and more than enough.
#[track_caller]
fn assert_same_in_any_memory(tables: &str, json: &str) {
    let expected = loaded(tables, json, Some(4 << 30));
    assert!(expected.len() > 2, "{expected:?}");
    for memory in [1, 20 << 20] {
        assert_eq!(loaded(tables, json, Some(memory)), expected, "{memory}");
    }
}

const PARTITIONED: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\"]";

#[test]
fn p7_memory_changes_nothing_in_the_files() {
    assert_same_in_any_memory(PARTITIONED, &large_export(order, &[]));
    let sorted = format!("{PARTITIONED}\nsort_by = [\"seen\", \"id\"]");
    assert_same_in_any_memory(&sorted, &large_export(order, &[]));
}

#[test]
fn p6_what_comes_late_in_an_export_decides_however_little_memory_there_is() {
    for last in [
        // a column that nobody has seen, a wider type, a list where there was none, a table of its own
        r#"{"id":-1,"at":"2026-01-01","late":"x"}"#,
        r#"{"id":-1,"at":"2026-01-01","seen":1.5}"#,
        r#"{"id":-1,"at":"2026-01-01","title":["a","b"]}"#,
        r#"{"id":-1,"at":"2026-01-01","note":[{"a":1}]}"#,
        r#"{"id":-1,"at":"2026-01-01","lines":[{"price":"much"}]}"#,
    ] {
        assert_same_in_any_memory(PARTITIONED, &large_export(order, &[last]));
    }
}

#[test]
fn p1_quarantine_versions_and_ids_are_the_same_in_any_memory() {
    let mistyped = r#"{"id":"x","at":"2026-01-01","lines":[{"n":1}]}"#;
    let twice = r#"{"id":7,"id":8,"at":"2026-01-01"}"#;
    let newer = r#"{"id":3,"at":"2026-05-05","seen":900000,"lines":[{"n":77}]}"#;
    let older = r#"{"id":50000,"at":"2026-05-05","seen":1,"lines":[{"n":78}]}"#;
    let typed = format!("{PARTITIONED}\ncursor = \"seen\"\n[tables.columns]\nid = \"int64\"");
    assert_same_in_any_memory(&typed, &large_export(order, &[mistyped, twice, newer, older]));
    let keyless = "[[tables]]\nname = \"t\"\npartition_by = [\"month(at)\"]";
    assert_same_in_any_memory(keyless, &large_export(order, &[&order(5), &order(5)]));
}
