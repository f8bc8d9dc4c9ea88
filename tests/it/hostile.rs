//! Text of others: whatever a source, a definition, a file or a store says, only printable characters and our own line
//! breaks come out, and no secret.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{
    Answer, FaultServer, Finished, HOSTILE, KEY, Reply, Source, Workplace, assert_harmless,
    escaped, hostile_replies, runtime,
};

/// What a command showed, which has to be harmless and to speak of the hostile text.
#[track_caller]
fn expect(finished: &Finished, what: &str, code: i32) {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, code, "{what}: {all}");
    assert_harmless(what, &all);
    assert!(
        all.to_lowercase().contains("injected"),
        "{what}: nothing hostile was to be shown: {all}"
    );
}

fn each_log_format(workplace: &Workplace, command: &[&str], code: i32) {
    for format in ["text", "json"] {
        let arguments = [command, &["--log-format", format]].concat();
        expect(&workplace.flowlake(&arguments), &format!("{arguments:?}"), code);
    }
}

/// Every file of flowlake's own that people or programs read as text.
fn assert_reports_are_harmless(workplace: &Workplace) {
    for directory in ["runs", "landing"] {
        let directory = workplace.path().join("lake/_flowlake").join(directory);
        let Ok(files) = std::fs::read_dir(&directory) else { continue };
        for file in
            files.map(|it| it.unwrap().path()).filter(|it| it.extension() == Some("json".as_ref()))
        {
            assert_harmless(&file.display().to_string(), &std::fs::read_to_string(&file).unwrap());
        }
    }
}

#[test]
fn h1_names_and_values_of_an_export() {
    let bad = escaped();
    let source = Source::serving(&format!(
        r#"[{{"id":1,"n":1,"{bad}":1}},{{"id":2,"n":"{bad}","{bad}":"{bad}"}},{{"id":null,"n":2}}]"#
    ));
    let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
    workplace.define("[[tables]]\nname = \"t\"\nwrite_disposition = \"merge\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = \"int64\"\n");
    workplace.run().success();
    for command in [&["quarantine", "show", "lake"][..], &["quarantine", "show", "lake", "--json"]]
    {
        each_log_format(&workplace, command, 0);
    }
    // A contract that refuses the new key names it.
    source.serve(&format!(r#"[{{"id":4,"n":1,"more{bad}":1}}]"#));
    workplace.define("[[tables]]\nname = \"t\"\nwrite_disposition = \"merge\"\nprimary_key = [\"id\"]\nschema_contract = \"freeze\"\n[tables.columns]\nn = \"int64\"\n");
    each_log_format(&workplace, &["run", "test.toml"], 6);
    each_log_format(&workplace, &["run", "test.toml", "--json"], 6);
    each_log_format(&workplace, &["runs", "lake"], 0);
    each_log_format(&workplace, &["runs", "lake", "--json"], 0);
    assert_reports_are_harmless(&workplace);
}

#[test]
fn h1_keys_that_collide_and_arrays_that_could_be_meant() {
    let bad = escaped();
    let source = Source::serving(&format!(r#"{{"{bad}":[{{"id":1}}],"b{bad}":[{{"id":2}}]}}"#));
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    each_log_format(&workplace, &["run", "test.toml"], 2);
    source.serve(&format!(r#"{{"error":"{bad}"}}"#));
    each_log_format(&workplace, &["run", "test.toml"], 6);
    source.serve(&format!("[{{\"id\":1}}] {}", HOSTILE.replace(['\r', '\n'], "")));
    each_log_format(&workplace, &["run", "test.toml"], 6);
}

#[test]
fn h1_what_a_server_says() {
    const BODY: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}error: INJECTED";
    for status in [200, 400, 404, 500] {
        for content_type in ["text/plain", "text/html; INJECTED"] {
            let source = Source::answering(Answer::Other { status, content_type, body: BODY });
            let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
            workplace.define("[[tables]]\nname = \"t\"");
            for options in [&[][..], &["--json"]] {
                let finished = workplace.flowlake(&[&["run", "test.toml"], options].concat());
                assert_ne!(finished.code, 0);
                let code = finished.code;
                expect(&finished, &format!("{status} {content_type}"), code);
            }
            assert_reports_are_harmless(&workplace);
        }
    }
}

/// A store whose answers are hostile, to each kind of command.
#[test]
fn h1_what_a_store_says() {
    let runtime = runtime();
    let _guard = runtime.enter();
    let source = Source::serving(r#"[{"id":1}]"#);
    let xml = [("content-type", "application/xml")];
    let error = |code: &str| {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>told</Message></Error>")
    };
    for (status, code) in [
        ("400 Bad Request", "InvalidArgument"),
        ("403 Forbidden", "AccessDenied"),
        ("404 Not Found", "NoSuchBucket"),
        ("301 Moved Permanently", "PermanentRedirect"),
        ("200 OK", "ListBucketResult"),
    ] {
        let store = runtime.block_on(FaultServer::bind());
        let workplace = Workplace::asking(&source)
            .with("AWS_ACCESS_KEY_ID", "test-access")
            .with("AWS_SECRET_ACCESS_KEY", "test-secret")
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ENDPOINT_URL", &store.base_url())
            .with("AWS_ALLOW_HTTP", "true")
            .with("TEST_DESTINATION", "s3://bucket/lake");
        workplace.define("[[tables]]\nname = \"t\"");
        store.serve(hostile_replies(|| vec![Reply::head(status, &xml).body(error(code))]));
        for command in
            [&["run", "test.toml"][..], &["verify", "test.toml"], &["doctor", "test.toml"]]
        {
            let finished = workplace.flowlake(command);
            assert_ne!(finished.code, 0, "{status} {command:?}: {}", finished.stdout);
        }
    }
}

#[test]
fn h1_names_and_values_of_a_definition() {
    let bad = escaped();
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    let define = |text: &str| std::fs::write(workplace.path().join("test.toml"), text).unwrap();
    let head = "version = 1\nname = \"test\"\n[source]\nendpoint = \"e-sourcing\"\norganisation_id = \"o\"\n[destination]\nurl = \"lake\"\n";
    for text in [
        format!("version = 1\nname = \"{bad}\"\n"),
        format!("{head}[[tables]]\nname = \"{bad}\"\n"),
        format!("{head}\"{bad}\" = 1\n"),
        format!(
            "{head}[[tables]]\nname = \"t\"\nprimary_key = [\"{bad}\"]\npartition_by = [\"{bad}\"]\n"
        ),
        format!("{head}[[tables]]\nname = \"t\"\n[tables.columns]\n\"{bad}\" = \"{bad}\"\n"),
        format!("{head}[[tables]]\nname = \"t\"\nwrite_disposition = \"{bad}\"\n"),
        format!("{head}[limits]\nmax_size = \"{bad}\"\n"),
    ] {
        define(&text);
        for command in [
            &["check", "test.toml"][..],
            &["check", "test.toml", "--json"],
            &["run", "test.toml", "--json"],
        ] {
            each_log_format(&workplace, command, 2);
        }
    }
}

#[test]
fn h1_names_of_files() {
    let name = HOSTILE.replace(['\0', '/'], "");
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    workplace.run().success();
    std::fs::write(workplace.path().join("lake/t").join(format!("{name}.parquet")), "x").unwrap();
    let stranger =
        workplace.path().join("lake/t").join(format!("{HOSTILE}.parquet").replace(['\0', '/'], ""));
    assert!(stranger.exists());
    for options in [&["verify", "lake"][..], &["verify", "lake", "--json"]] {
        let verified = workplace.flowlake(options);
        assert_harmless("verify", &format!("{}{}", verified.stdout, verified.stderr));
    }
    each_log_format(&workplace, &["check", &name], 2);
    each_log_format(&workplace, &["runs", &name], 7);
    std::fs::write(workplace.path().join(&name), "version = 2").unwrap();
    each_log_format(&workplace, &["run", &name], 2);
}

#[test]
fn h1_what_flowlakes_own_files_say() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    workplace.flowlake(&["run", "test.toml", "--run-id", "night"]).success();
    let report = workplace.path().join("lake/_flowlake/runs/night.json");
    let text = std::fs::read_to_string(&report).unwrap();
    let failed = format!(
        "\"outcome\": \"failed\", \"error\": {{ \"kind\": \"key\", \"message\": \"{}\" }}",
        escaped()
    );
    std::fs::write(&report, text.replace("\"outcome\": \"committed\"", &failed)).unwrap();
    each_log_format(&workplace, &["runs", "lake"], 0);
    each_log_format(&workplace, &["runs", "lake", "--json"], 0);
}

#[test]
fn h2_no_secret_of_a_store_is_shown() {
    // One in 64 secrets begins like a path.
    let secrets =
        ["AKIACANARYCANARY1234", "/tore/secret/canary+0123456789", "session-canary-0123456789"];
    let encoded = secrets[1].replace('/', "&#x2F;").replace('+', "%2B");
    let in_json = secrets[1].replace('/', r"\/").replace('+', r"\u002b");
    let server = repeating(&[&secrets[..], &[&encoded, &in_json, "security-canary-01"]].concat());
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source)
        .with("RUST_LOG", "trace")
        .with("AWS_ACCESS_KEY_ID", secrets[0])
        .with("AWS_SECRET_ACCESS_KEY", secrets[1])
        .with("AWS_SESSION_TOKEN", secrets[2])
        .with("AWS_SECURITY_TOKEN", "security-canary-01")
        .with("AWS_ENDPOINT", server.base_url())
        .with("AWS_ALLOW_HTTP", "true")
        .with("AWS_REGION", "eu-central-1")
        .with("TEST_DESTINATION", "s3://bucket/lake");
    workplace.define("[[tables]]\nname = \"t\"");
    for command in [
        &["run", "test.toml"][..],
        &["run", "test.toml", "--json"],
        &["verify", "s3://bucket/lake"],
        &["check", "test.toml", "--online"],
    ] {
        let finished = workplace.flowlake(command);
        assert_eq!(finished.code, 7, "{command:?}: {}", finished.stderr);
        let all = format!("{}{}", finished.stdout, finished.stderr);
        assert!(all.contains("[a credential]"), "{command:?}: {all}");
        assert!(!all.to_lowercase().contains("canary"), "{command:?}: {all}");
        // Signatures are made for each request.
        assert!(!all.contains("Signature=0"), "{all}");
    }
}

/// A store that repeats what it should not.
fn repeating(texts: &[&str]) -> Source {
    let body = format!("<Error><Message>{}</Message></Error>", texts.join(" "));
    let body: &'static str = Box::leak(body.into_boxed_str());
    Source::answering(Answer::Other { status: 400, content_type: "application/xml", body })
}

#[track_caller]
fn shows_no_canary(workplace: &Workplace, destination: &str) {
    for command in [
        &["run", "test.toml"][..],
        &["run", "test.toml", "--json", "--log-format", "json"],
        &["plan", "test.toml"],
        &["verify", destination],
        &["check", "test.toml", "--online"],
        &["check", "test.toml", "--online", "--json"],
        &["doctor", "test.toml"],
        &["doctor", "test.toml", "--json"],
    ] {
        let finished = workplace.flowlake(command);
        assert_ne!(finished.code, 0, "{command:?}: {}", finished.stdout);
        let all = format!("{}{}", finished.stdout, finished.stderr).to_lowercase();
        assert!(!all.contains("canary"), "{command:?}: {all}");
        assert!(!all.contains("dxnlcjp"), "{command:?}: {all}");
    }
}

#[test]
fn h2_no_login_of_an_endpoint_or_proxy_is_shown() {
    const IN_BASE64: &str = "dXNlcjpjYW5hcnktd29yZA==";
    let server = repeating(&["user:canary-word", "canary-word", IN_BASE64]);
    let host = server.base_url().trim_start_matches("http://");
    let with_login = format!("http://user:canary-word@{host}");
    let source = Source::serving("[]");
    for (destination, name, value) in [
        ("s3://bucket/lake", "AWS_ENDPOINT_URL", with_login.as_str()),
        ("s3://bucket/lake", "AWS_ENDPOINT_URL", "ftp://user:canary-word@store"),
        ("s3://bucket/lake", "AWS_ENDPOINT_URL", "user:canary@word@store"),
        ("s3://bucket/lake", "HTTP_PROXY", with_login.as_str()),
        ("s3://bucket/lake", "http_proxy", with_login.as_str()),
        ("s3://bucket/lake", "ALL_PROXY", with_login.as_str()),
        ("az://container/lake", "AZURE_STORAGE_ENDPOINT", with_login.as_str()),
        ("gs://bucket/lake", "GOOGLE_BASE_URL", with_login.as_str()),
    ] {
        let is_endpoint = name.starts_with("AWS");
        let workplace = Workplace::asking(&source)
            .with("AWS_ACCESS_KEY_ID", "id-of-the-key")
            .with("AWS_SECRET_ACCESS_KEY", "secret-of-the-key")
            .with("AWS_ENDPOINT_URL", if is_endpoint { value } else { "http://store.invalid" })
            .with("AWS_ALLOW_HTTP", "true")
            .with("AWS_REGION", "eu-central-1")
            .with("AZURE_STORAGE_ACCOUNT_NAME", "account")
            .with("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0LW9mLXRoZS1rZXk=")
            .with("AZURE_ALLOW_HTTP", "true")
            .with("GOOGLE_SKIP_SIGNATURE", "true")
            .with("GOOGLE_ALLOW_HTTP", "true")
            .with("TEST_DESTINATION", destination)
            .with(name, value);
        workplace.define("[[tables]]\nname = \"t\"");
        shows_no_canary(&workplace, destination);
    }
}

#[test]
fn h2_the_key_id_of_a_profile_is_as_secret_as_that_of_the_environment() {
    let server = repeating(&["AKIACANARYCANARY1234", "profile/canary+secret"]);
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    let credentials = workplace.path().join("credentials");
    let of_profile = "[default]\naws_access_key_id = AKIACANARYCANARY1234\n\
                      aws_secret_access_key = profile/canary+secret\n";
    std::fs::write(&credentials, of_profile).unwrap();
    let workplace = workplace
        .with("AWS_SHARED_CREDENTIALS_FILE", &credentials.display().to_string())
        .with("AWS_ENDPOINT_URL", server.base_url())
        .with("AWS_ALLOW_HTTP", "true")
        .with("AWS_REGION", "eu-central-1")
        .with("TEST_DESTINATION", "s3://bucket/lake");
    workplace.define("[[tables]]\nname = \"t\"");
    shows_no_canary(&workplace, "s3://bucket/lake");
}

#[test]
fn h2_a_key_command_gets_no_other_keys() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source)
        .with("OTHER_KEY", "pf_other_canary")
        .with("VAULT_ADDR", KEY)
        .with("PATH", &std::env::var("PATH").unwrap());
    let api_key = |environment: &str| {
        format!(
            "api_key = [{{ command = [\"sh\", \"-c\", 'printenv > seen; echo \"$VAULT_ADDR\"']{environment} }}]"
        )
    };
    let table = "[[tables]]\nname = \"t\"";
    workplace.define_with(&api_key(", environment = [\"VAULT_ADDR\"]"), table);
    workplace.run().success();
    let seen = std::fs::read_to_string(workplace.path().join("seen")).unwrap();
    assert!(seen.contains("VAULT_ADDR=") && seen.contains("PATH="), "{seen}");
    assert!(!seen.contains("OTHER_KEY") && !seen.contains("PROCUREMENTFLOW"), "{seen}");
    workplace.define_with(&api_key(""), table);
    assert_eq!(workplace.run().code, 5);
}

#[test]
fn h4_a_key_file_that_is_no_file_is_not_waited_for() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define_with("api_key = [{ file = \"./key\" }]", "[[tables]]\nname = \"t\"");
    let key = workplace.path().join("key");
    let make_fifo = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&key).status();
    assert!(make_fifo.unwrap().success());
    let refused = |what: &str, words: &str| {
        let finished = workplace.run();
        assert_eq!(finished.code, 5, "{what}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{what}: {}", finished.stderr);
    };
    refused("a pipe", "it is no file");
    remove(&key);
    std::fs::create_dir(&key).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    refused("a directory", "it is no file");
    remove(&key);
    std::fs::write(&key, vec![b'k'; 100_000]).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    refused("a large file", "the API key in file ./key");
}

fn remove(path: &Path) {
    if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) }.unwrap();
}

#[test]
fn h2_secret_headers_of_a_definition_are_taken_out_of_what_is_shown() {
    const BODY: &str = "asked with token_of_the_team and 8f3a90c2d17b44e6 by procurement data";
    for status in [400, 500] {
        let answer = Answer::Other { status, content_type: "text/plain", body: BODY };
        let source = Source::answering(answer);
        let workplace = Workplace::asking(&source).with("TEAM_TOKEN", "token_of_the_team");
        workplace.define_with(
            "headers = { X-Access-Token = \"${TEAM_TOKEN}\", X-Trace = \"8f3a90c2d17b44e6\", X-Team = \"procurement data\" }",
            "[[tables]]\nname = \"t\"",
        );
        let run = workplace.flowlake(&["run", "test.toml", "--json"]);
        assert_ne!(run.code, 0);
        assert_eq!(source.header(0, "x-access-token").as_deref(), Some("token_of_the_team"));
        let report = workplace.lake().own("runs").remove(0);
        let report = workplace.lake().path().join("_flowlake/runs").join(report);
        let all =
            format!("{}{}{}", run.stdout, run.stderr, std::fs::read_to_string(report).unwrap());
        for secret in ["token_of_the_team", "8f3a90c2d17b44e6"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        // A header that only says who asks is a word like any other.
        assert!(all.contains("by procurement data"), "{all}");
    }
}

/// Every field and value of JSON, whole and in words.
fn words_of(json: &str, words: &mut BTreeSet<String>) {
    let texts = json.split('"').map(|text| text.trim_matches([' ', ',', ':', '\n']));
    for text in texts.filter(|text| text.is_ascii() && !text.contains(['\n', '\\'])) {
        words.insert(text.to_owned());
        words.extend(text.split(|it: char| !it.is_alphanumeric() && it != '_').map(str::to_owned));
        words.extend(text.split([' ', '/', '.', 'T']).map(|word| format!("{word}T")));
        words.extend(text.split("//").map(str::to_owned));
    }
    words.retain(|word| word.len() >= 6);
}

#[test]
fn h2_whatever_a_secret_is_reports_and_origins_can_be_read_again() {
    // A request has at most a hundred headers.
    const MOST_HEADERS: usize = 80;
    const TABLES: &str = "[[tables]]\nname = \"orders\"\ncolumns.n = { type = \"int64\" }";
    let source = Source::serving(r#"[{"id":"a","n":1,"lines":[{"x":1}]},{"id":"b","n":"b"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    let mut words = BTreeSet::new();
    words_of(&workplace.flowlake(&["run", "test.toml", "--json"]).success(), &mut words);
    let lake = workplace.lake();
    let own = |directory: &str, ending: &str| {
        let name = lake.own(directory).into_iter().find(|name| name.ends_with(ending)).unwrap();
        std::fs::read_to_string(lake.path().join("_flowlake").join(directory).join(name)).unwrap()
    };
    words_of(&own("runs", ".json"), &mut words);
    words_of(&own("landing", ".origin.json"), &mut words);
    words_of(&lake.manifest("orders").to_string(), &mut words);
    let words: Vec<String> = words.into_iter().filter(|word| word.len() < 1000).collect();
    assert!(words.len() > MOST_HEADERS, "{words:?}");
    for (batch, words) in words.chunks(MOST_HEADERS).enumerate() {
        let run = format!("run-of-batch-{batch}");
        let words = words.iter().chain(std::iter::once(&run)).enumerate();
        let headers = words.map(|(at, word)| format!("X-Token-{at} = '{word}'"));
        let headers = headers.collect::<Vec<_>>().join("\n");
        workplace.define_with(&format!("[source.headers]\n{headers}"), TABLES);
        for command in [
            &["plan", "--json"][..],
            &["run", "--json", "--run-id", &run, "--again", "--log-format", "json"],
            &["runs", "--json"],
            &["reload", "--json", "--run", &run],
            &["verify", "--json"],
            &["quarantine", "show", "--json"],
        ] {
            let finished = workplace.flowlake(&[command, &["test.toml"]].concat());
            let all = format!("{}{}", finished.stdout, finished.stderr);
            assert_eq!(finished.code, 0, "{command:?}: {all}");
            let is_pretty = command[0] == "plan";
            let lines = finished.stdout.lines().filter(|_| !is_pretty);
            for text in lines.chain(is_pretty.then_some(finished.stdout.as_str())) {
                let parsed = serde_json::from_str::<serde_json::Value>(text);
                assert!(parsed.is_ok(), "{command:?}: {text}");
            }
        }
        let runs = workplace.flowlake(&["runs", "lake"]).success();
        assert!(runs.contains(&run), "{runs}");
    }
}

#[test]
fn o15_a_key_command_that_is_not_there_is_told_from_a_file_that_cannot_be_read() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source).with("PATH", "/usr/bin:/bin");
    for (program, reason) in
        [("flowlake-has-no-such-program", "No such file"), ("/etc", "Permission denied")]
    {
        let command =
            format!("api_key = [{{ command = [\"{program}\", \"show\", \"canary-argument\"] }}]");
        workplace.define_with(&command, "[[tables]]\nname = \"t\"");
        let run = workplace.run();
        assert_eq!(run.code, 5, "{}", run.stderr);
        let said = format!("cannot start the command of `api_key`: {reason}");
        for words in [said.as_str(), "install it for the user of this job", "`PATH`"] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("canary-argument"), "{}", run.stderr);
    }
}
