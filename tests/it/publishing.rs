//! Publishing to S3: how many requests it takes, how many at once, and what becomes of a store that says what is not so.

use std::sync::Arc;

use bytes::Bytes;
use flowlake::store::{Destination, FileMove, PublishError};
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use crate::support::{S3Server, Source, Workplace, runtime};

fn open(server: &S3Server) -> Destination {
    let store = PrefixStore::new(server.bucket(), S3Server::PREFIX);
    Destination::of_store(Arc::new(store), "bucket")
}

async fn stage(destination: &Destination, files: usize) -> Vec<FileMove> {
    let mut moves = Vec::new();
    for number in 0..files {
        let target = Path::parse(format!("t/n_partition={number}/0000-run.parquet")).unwrap();
        let staged = destination.staged(&"run".parse().unwrap(), &target);
        destination.stage(&staged, Bytes::from(target.to_string())).await.unwrap();
        let bytes = target.as_ref().len() as u64;
        moves.push(FileMove::new(staged, target, bytes));
    }
    moves
}

#[test]
fn o12_two_hundred_files_are_published_many_at_once() {
    let server = S3Server::start();
    let destination = open(&server);
    runtime().block_on(async {
        let moves = stage(&destination, 200).await;
        // Were there fewer at once, they would wait until the client gives up.
        server.hold_copies_until(32);
        let before = server.requests();
        destination.publish_all(&moves).await.unwrap();
        let after = server.requests();
        let requests = |method: &str| {
            let count = |of: &std::collections::BTreeMap<String, usize>| {
                of.get(method).copied().unwrap_or_default()
            };
            count(&after) - count(&before)
        };
        // One listing, a copy and a look for each, one bulk delete.
        assert_eq!(["GET", "PUT", "HEAD", "POST", "DELETE"].map(requests), [1, 200, 200, 1, 0]);
        // Done again: nothing is left in staging, so nothing is copied.
        destination.publish_all(&moves).await.unwrap();
        let again = server.requests();
        assert_eq!(again.get("PUT"), after.get("PUT"));
        let targets: Vec<Path> = moves.into_iter().map(|file| file.target).collect();
        destination.delete_all(&targets).await.unwrap();
        let removed = server.requests();
        assert_eq!(removed.values().sum::<usize>(), again.values().sum::<usize>() + 1);
        assert!(destination.list(&"t".into()).await.unwrap().is_empty());
    });
}

/// A copy is answered with 200, and with an error in the body.
#[test]
fn o03_a_copy_that_did_not_happen_is_noticed_before_anything_is_removed() {
    let server = S3Server::start();
    let destination = open(&server);
    runtime().block_on(async {
        let moves = stage(&destination, 5).await;
        server.lie_about_copies(true);
        let refused = destination.publish_all(&moves).await.unwrap_err();
        assert!(matches!(refused, PublishError::NotMoved { found: None, .. }), "{refused}");
        assert!(refused.to_string().contains("t/n_partition="), "{refused}");
        for FileMove { staged, .. } in &moves {
            assert!(destination.size(staged).await.unwrap().is_some(), "{staged} is gone");
        }
        server.lie_about_copies(false);
        destination.publish_all(&moves).await.unwrap();
        assert_eq!(destination.list(&"t".into()).await.unwrap().len(), 5);
    });
}

#[test]
fn o03_a_run_whose_copies_did_not_happen_fails_and_the_next_one_finishes_its_commit() {
    let source = Source::serving(r#"[{"id":1,"v":"a"}]"#);
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    source.serve(r#"[{"id":1,"v":"b"}]"#);
    server.lie_about_copies(true);
    let failed = workplace.run();
    assert_eq!(failed.code, 7, "{}", failed.stderr);
    assert!(failed.stderr.contains("is not what was published"), "{}", failed.stderr);
    assert_eq!(server.lake().column("t", "v"), ["a"], "nothing was removed");
    let refused = workplace.flowlake(&["check", "--online", "test.toml"]);
    assert_eq!(refused.code, 7, "S5: {}", refused.stdout);
    server.lie_about_copies(false);
    workplace.run().success();
    assert_eq!(server.lake().column("t", "v"), ["b"]);
}
