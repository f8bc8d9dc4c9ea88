//! The same pipelines on Azure and on Google Cloud Storage. S3 has tests of its own.
//!
//! Azure is Azurite (`make test-azure`), Google Cloud Storage a stand-in in this process.

use crate::support::{Azurite, GcsServer, Remote, Source, Workplace, download, remote_workplace};

const EXPORT: &str = r#"{"events":[
    {"id":1,"at":"2026-01-05T10:00:00Z","amount":10.10,"status":"a/b","lots":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-02-05T10:00:00Z","amount":0.05,"status":"1.5 <&> Ä","lots":[]}]}"#;

const TABLES: &str = "[[tables]]\nname = \"events\"\nprimary_key = [\"id\"]\npartition_by = [\"month(at)\", \"status\"]\n\
    [tables.columns]\namount = \"decimal(18,2)\"";

fn tables_are_those_on_local_disk(remote: &dyn Remote) {
    let source = Source::serving(EXPORT);
    let local = Workplace::asking(&source);
    local.define(TABLES);
    local.run().success();
    let url = remote.new_url();
    let workplace = remote_workplace(remote, &source, &url);
    workplace.define(TABLES);
    workplace.run().success();

    let (on_disk, (_directory, there)) = (local.lake(), download(remote, &url));
    assert_eq!(there.tables(), ["events", "events__lots"]);
    for table in there.tables() {
        assert_eq!(there.schema(&table), on_disk.schema(&table));
        assert_eq!(there.partitions(&table), on_disk.partitions(&table));
    }
    assert_eq!(there.column("events", "amount"), ["10.10", "0.05"]);
    assert_eq!(there.own("staging"), Vec::<String>::new());
    // P3: the same export twice changes no object.
    assert!(workplace.run().success().contains("nothing new"));
    let (_directory, again) = download(remote, &url);
    let hashes = |lake: &crate::support::Lake| lake.snapshot().into_values().collect::<Vec<_>>();
    assert_eq!(hashes(&again), hashes(&there));
    // Replacing leaves no stale object.
    source.serve(r#"{"events":[{"id":3,"at":"2026-03-05T10:00:00Z","amount":1,"status":"x"}]}"#);
    workplace.run().success();
    let (_directory, replaced) = download(remote, &url);
    assert_eq!(replaced.partitions("events"), ["at_month=2026-03/status_partition=x"]);
    assert_eq!(replaced.rows("events__lots").height(), 0);
    assert_eq!(replaced.files("events__lots").len(), 1);
    // Other commands read it.
    workplace.flowlake(&["verify", "test.toml"]).success();
    workplace.flowlake(&["check", "--online", "test.toml"]).success();
}

fn a_bucket_that_does_not_exist_is_a_failed_destination(remote: &dyn Remote, url: &str) {
    let source = Source::serving(EXPORT);
    let workplace = remote_workplace(remote, &source, url);
    workplace.define(TABLES);
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains(url), "{}", refused.stderr);
}

#[test]
fn gcs_tables_are_those_on_local_disk() {
    let server = GcsServer::start();
    tables_are_those_on_local_disk(&server);
    a_bucket_that_does_not_exist_is_a_failed_destination(&server, "gs://no-such-bucket/x");
}

#[test]
fn a_definition_may_set_gcs_options() {
    let source = Source::serving(EXPORT);
    let server = GcsServer::start();
    let workplace = Workplace::asking(&source)
        .with("TEST_DESTINATION", &server.new_url())
        .with("KEY_FILE", server.key_file().to_str().unwrap());
    workplace.define(&format!(
        "[destination.gcs]\nservice_account = \"${{KEY_FILE}}\"\nmax_attempts = 2\n{TABLES}"
    ));
    workplace.run().success();
}

/// S5: two runs at once would lose an update.
#[test]
fn p10_a_gcs_that_ignores_conditions_is_refused() {
    let source = Source::serving(EXPORT);
    let server = GcsServer::start();
    let workplace = remote_workplace(&server, &source, &server.new_url());
    workplace.define(TABLES);
    workplace.flowlake(&["check", "--online", "test.toml"]).success();
    server.ignore_conditions();
    let refused = workplace.flowlake(&["check", "--online", "test.toml"]);
    assert_eq!(refused.code, 7);
    insta::assert_snapshot!(refused.redacted());
}

#[test]
fn an_azure_url_without_an_account_says_what_to_set() {
    let source = Source::serving(EXPORT);
    let workplace = Workplace::asking(&source).with("TEST_DESTINATION", "az://lake/prefix");
    workplace.define(TABLES);
    let refused = workplace.run();
    assert_eq!(refused.code, 7);
    insta::assert_snapshot!(refused.redacted());
}

#[test]
#[ignore = "needs Azurite: `make test-azure`"]
fn azure_tables_are_those_on_local_disk() {
    let azurite = Azurite::start();
    tables_are_those_on_local_disk(&azurite);
    a_bucket_that_does_not_exist_is_a_failed_destination(&azurite, "az://no-such-container/x");
}

#[test]
#[ignore = "needs Azurite: `make test-azure`"]
fn a_definition_may_set_azure_options() {
    let source = Source::serving(EXPORT);
    let azurite = Azurite::start();
    let url = azurite.new_url().replace("az://", "abfss://");
    let workplace = azurite.only_credentials(Workplace::asking(&source));
    let workplace = workplace.with("TEST_DESTINATION", &url);
    let endpoint = azurite.endpoint();
    workplace.define(&format!(
        "[destination.azure]\naccount_name = \"devstoreaccount1\"\nendpoint = \"{endpoint}\"\n{TABLES}"
    ));
    workplace.run().success();
}
