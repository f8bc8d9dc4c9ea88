//! The same pipelines on a real S3 server.

use rand::{Rng, SeedableRng};

use crate::support::{S3Server, Source, Workplace};

const EXPORT: &str = r#"{"events":[
    {"id":1,"at":"2026-01-05T10:00:00Z","amount":10.10,"status":"a/b","lots":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-02-05T10:00:00Z","amount":0.05,"status":null,"lots":[]}]}"#;

const TABLES: &str = "[[tables]]\nname = \"events\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\", \"status\"]\n\
    [tables.columns]\namount = \"decimal(18,2)\"";

#[test]
fn tables_on_s3_are_those_on_local_disk() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let local = Workplace::asking(&source);
    local.define(TABLES);
    local.run().success();
    let remote = server.environment(Workplace::asking(&source));
    remote.define(TABLES);
    remote.run().success();

    let (on_disk, on_s3) = (local.lake(), server.lake());
    assert_eq!(on_s3.tables(), ["events", "events__lots"]);
    assert_eq!(
        on_s3.partitions("events"),
        ["at_month=2026-01/status=a%2Fb", "at_month=2026-02/status=__HIVE_DEFAULT_PARTITION__"]
    );
    for table in on_s3.tables() {
        assert_eq!(on_s3.schema(&table), on_disk.schema(&table));
        assert_eq!(on_s3.partitions(&table), on_disk.partitions(&table));
    }
    assert_eq!(on_s3.column("events", "amount"), ["10.10", "0.05"]);
    assert_eq!(on_s3.own("staging"), Vec::<String>::new());
}

#[test]
fn p3_the_same_export_twice_changes_no_object() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    workplace.run().success();
    let before = server.lake().snapshot();
    assert!(workplace.run().success().contains("nothing new"));
    assert_eq!(server.lake().snapshot(), before);
}

#[test]
fn replacing_on_s3_leaves_no_stale_object() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    workplace.run().success();
    source.serve(r#"{"events":[{"id":3,"at":"2026-03-05T10:00:00Z","amount":1,"status":"x"}]}"#);
    workplace.run().success();
    let lake = server.lake();
    assert_eq!(lake.partitions("events"), ["at_month=2026-03/status=x"]);
    assert_eq!(lake.column("events", "id"), ["3"]);
    assert_eq!(lake.files("events__lots").len(), 0);
}

#[test]
fn large_files_go_up_in_parts() {
    // Random digits do not compress below half their size, and parts begin at ten megabytes.
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let texts = (0..26).map(|id| {
        let text: String = (0..1 << 20)
            .map(|_| char::from(b"0123456789abcdef"[random.random_range(0..16)]))
            .collect();
        format!("{{\"id\":{id},\"text\":\"{text}\"}}")
    });
    let source = Source::serving(&format!("[{}]", texts.collect::<Vec<_>>().join(",")));
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    let lake = server.lake();
    assert!(std::fs::metadata(&lake.files("t")[0]).unwrap().len() > 11_000_000);
    assert_eq!(lake.rows("t").height(), 26);
}

#[test]
fn a_bucket_that_is_not_there_is_a_failed_destination() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = server
        .environment(Workplace::asking(&source))
        .with("TEST_DESTINATION", "s3://no-such-bucket/x");
    workplace.define(TABLES);
    assert_eq!(workplace.run().code, 7);
}
