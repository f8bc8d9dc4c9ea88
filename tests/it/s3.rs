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
        ["at_month=2026-01/status_partition=a%2Fb", "at_month=2026-02/status_partition=none"]
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
    assert_eq!(lake.partitions("events"), ["at_month=2026-03/status_partition=x"]);
    assert_eq!(lake.column("events", "id"), ["3"]);
    assert_eq!(lake.rows("events__lots").height(), 0);
    assert_eq!(lake.files("events__lots").len(), 1);
}

#[test]
fn large_files_go_up_in_parts() {
    // Random hex digits compress to half their size, and uploads in parts begin at six megabytes.
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

/// A workplace without credentials or endpoint.
fn asking(source: &Source, server: &S3Server) -> Workplace {
    Workplace::asking(source).with("TEST_DESTINATION", &server.destination())
}

#[test]
fn a_definition_may_say_all_about_a_bucket_but_the_credentials() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = asking(&source, &server)
        .with("AWS_ACCESS_KEY_ID", "test-access")
        .with("AWS_SECRET_ACCESS_KEY", "test-secret")
        .with("S3_HOST", server.endpoint());
    workplace.define(&format!(
        "[destination.s3]\nendpoint = \"${{S3_HOST}}\"\nregion = \"eu-central-1\"\npath_style = true\nmax_attempts = 3\n\
         server_side_encryption = \"aws:kms\"\nkms_key = \"a-key\"\nbucket_key = true\n{TABLES}"
    ));
    workplace.run().success();
    assert_eq!(server.lake().tables(), ["events", "events__lots"]);
    let written = server.headers("PUT");
    assert!(!written.is_empty());
    for headers in written {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-amz-server-side-encryption").as_deref(), Some("aws:kms"));
        assert_eq!(header("x-amz-server-side-encryption-aws-kms-key-id").as_deref(), Some("a-key"));
        assert_eq!(
            header("x-amz-server-side-encryption-bucket-key-enabled").as_deref(),
            Some("true")
        );
        assert!(header("authorization").unwrap().contains("/eu-central-1/s3/"));
    }
}

#[test]
fn credentials_may_be_those_of_a_profile() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let keys = "aws_access_key_id = test-access\naws_secret_access_key = test-secret\n";
    let place = format!("region = eu-west-1\nendpoint_url = {}\n", server.endpoint());
    let with_files = |named: &str, workplace: Workplace| {
        let (credentials, config) =
            (workplace.path().join("credentials"), workplace.path().join("config"));
        std::fs::write(&credentials, format!("[other]\naws_access_key_id = x\n[{named}]\n{keys}"))
            .unwrap();
        let section =
            if named == "default" { named.to_owned() } else { format!("profile {named}") };
        std::fs::write(&config, format!("[{section}]\n{place}")).unwrap();
        workplace
            .with("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())
            .with("AWS_CONFIG_FILE", config.to_str().unwrap())
    };
    let runs = |workplace: Workplace, options: &str| {
        workplace.define(&format!("{options}{TABLES}"));
        workplace.run().success();
        server.empty();
    };
    // Named by the environment, the default one, and named by the definition, which goes before the environment.
    let workplace = with_files("nightly", asking(&source, &server)).with("AWS_PROFILE", "nightly");
    runs(workplace, "");
    runs(with_files("default", asking(&source, &server)), "");
    let workplace = with_files("nightly", asking(&source, &server))
        .with("AWS_ACCESS_KEY_ID", "somebody")
        .with("AWS_SECRET_ACCESS_KEY", "else")
        .with("AWS_SESSION_TOKEN", "for now");
    runs(workplace, "[destination.s3]\nprofile = \"nightly\"\n");
    // With keys in the environment, only the definition can name a profile.
    let workplace = with_files("other way", asking(&source, &server))
        .with("AWS_PROFILE", "absent")
        .with("AWS_ENDPOINT_URL", server.endpoint())
        .with("AWS_ALLOW_HTTP", "true")
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ACCESS_KEY_ID", "test-access")
        .with("AWS_SECRET_ACCESS_KEY", "test-secret");
    runs(workplace, "");
}

#[test]
fn a_profile_that_is_of_no_use_is_an_error_with_a_way_out() {
    let source = Source::serving(EXPORT);
    let workplace = Workplace::asking(&source).with("TEST_DESTINATION", "s3://bucket/prefix");
    let config = workplace.path().join("config");
    std::fs::write(&config, "[profile sso]\nsso_session = company\nregion = eu-west-1\n").unwrap();
    let workplace = workplace.with("AWS_CONFIG_FILE", config.to_str().unwrap());
    let mut story = Vec::new();
    for profile in ["nightly", "sso"] {
        workplace.define(&format!("[destination.s3]\nprofile = \"{profile}\"\n{TABLES}"));
        let refused = workplace.run();
        assert_eq!(refused.code, 7);
        story.push(refused.redacted());
    }
    insta::assert_snapshot!(story.join("\n"));
}

#[test]
fn p10_a_store_that_ignores_conditions_is_refused() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    let check = || workplace.flowlake(&["check", "--online", "test.toml"]);
    check().success();
    server.ignore_conditions();
    let refused = check();
    assert_eq!(refused.code, 7);
    insta::assert_snapshot!(refused.redacted());
}

/// S5: a store may honour one condition and not the other.
#[test]
fn p10_a_store_that_ignores_if_match_is_refused() {
    let source = Source::serving(EXPORT);
    let server = S3Server::start();
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    server.ignore_if_match();
    let refused = workplace.flowlake(&["check", "--online", "test.toml"]);
    assert_eq!(refused.code, 7);
    insta::assert_snapshot!(refused.redacted());
}
