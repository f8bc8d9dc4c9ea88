//! What a source can do wrong, down to the bytes on the wire. Each case is run twice: by the binary, for its exit
//! code and all that it says, and on a paused clock, for the times at which the source is asked.

use std::fmt::Write;
use std::sync::Arc;

use flowlake::cli::error::Error;
use flowlake::definition::Environment;
use flowlake::exit_code::Failure;
use flowlake::plan::Overrides;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::support::{
    FaultServer, Finished, InProcess, KEY, Reply, Unanswered, Workplace, hostile_replies, runtime,
};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]";
const GOOD: &str = r#"[{"id":1}]"#;
const NEWER: &str = r#"[{"id":1},{"id":2}]"#;
const NEXT_KEY: &str = "pf_test_next_0123456789";

/// Where the servers of a case are.
struct Places {
    own: String,
    /// Another origin, which must not be asked for anything.
    elsewhere: String,
}

/// What the source does, and how it is asked.
struct Case {
    /// More keys of `[source]`.
    source: &'static str,
    /// More sections.
    sections: &'static str,
    /// There is a second key.
    next_key: bool,
    replies: fn(&Places) -> Vec<Reply>,
}

/// A case in which the source is asked as usual, three times at most.
fn when(replies: fn(&Places) -> Vec<Reply>) -> Case {
    Case { source: "", sections: "", next_key: false, replies }
}

impl Case {
    fn with_source(self, source: &'static str) -> Self {
        Self { source, ..self }
    }

    fn with_sections(self, sections: &'static str) -> Self {
        Self { sections, ..self }
    }

    fn with_two_keys(self) -> Self {
        Self { next_key: true, ..self }
    }

    fn environment(&self, base_url: &str) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("PROCUREMENTFLOW_BASE_URL", base_url.to_owned()),
            ("PROCUREMENTFLOW_ORGANISATION_ID", "acme".to_owned()),
            ("PROCUREMENTFLOW_API_KEY", KEY.to_owned()),
        ];
        if self.next_key {
            environment.push(("PROCUREMENTFLOW_API_KEY_NEXT", NEXT_KEY.to_owned()));
        }
        environment
    }

    fn define(&self, workplace: &Workplace, longest_wait: &str) {
        let retry = if self.source.contains("retry") {
            ""
        } else {
            "retry = { max_attempts = 3, longest_wait = \"LONGEST\" }\n"
        };
        let source = format!("{retry}{}", self.source).replace("LONGEST", longest_wait);
        workplace.define_with(&source, &format!("{}\n{TABLES}", self.sections));
    }

    /// The binary, which waits only a moment before it asks again.
    fn run(&self) -> (Finished, usize) {
        self.run_with(|places| (self.replies)(places))
    }

    fn run_with(&self, replies: impl FnOnce(&Places) -> Vec<Reply>) -> (Finished, usize) {
        let runtime = runtime();
        let (good, source, elsewhere) = runtime.block_on(async {
            (FaultServer::bind().await, FaultServer::bind().await, FaultServer::bind().await)
        });
        let _guard = runtime.enter();
        let mut workplace = Workplace::empty();
        for (name, value) in self.environment(&source.base_url()) {
            workplace = workplace.with(name, &value);
        }
        self.define(&workplace, "PT0.01S");
        let asked = source.asked();
        let asked_elsewhere = elsewhere.asked();
        let places = Places { own: source.base_url(), elsewhere: elsewhere.base_url() };
        let set = format!("source.base_url=\"{}\"", good.base_url());
        good.serve(vec![Reply::json(GOOD)]);
        elsewhere.serve(vec![Reply::json(NEWER)]);
        source.serve(replies(&places));
        workplace.flowlake(&["run", "test.toml", "--set", &set]).success();
        let before = workplace.lake().snapshot();
        let finished = workplace.run();
        if finished.code != 0 {
            assert_eq!(
                workplace.lake().snapshot(),
                before,
                "P9: a bad export never replaces a good table"
            );
            assert_eq!(workplace.lake().own("staging"), Vec::<String>::new());
        }
        assert!(asked_elsewhere.lock().unwrap().is_empty(), "P8: the key went elsewhere");
        assert!(!finished.stderr.contains(NEXT_KEY), "P8: the key is shown");
        (finished, asked.lock().unwrap().len())
    }

    /// The same in this process on a paused clock: the exit code, and when the source was asked with which key.
    fn run_paused(&self) -> (i32, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (source, elsewhere) = (FaultServer::bind().await, FaultServer::bind().await);
            let mut environment = Environment::default();
            for (name, value) in self.environment(&source.base_url()) {
                environment = environment.with(name, &value);
            }
            let workplace = Workplace::empty();
            self.define(&workplace, "PT2M");
            let pipeline = InProcess::load(&workplace, &environment).await;
            let (asked, asked_elsewhere) = (source.asked(), elsewhere.asked());
            let places = Places { own: source.base_url(), elsewhere: elsewhere.base_url() };
            source.serve((self.replies)(&places));
            elsewhere.serve(vec![Reply::json(NEWER)]);
            let store = Arc::new(InMemory::new());
            fastrand::seed(7);
            let result = pipeline.run(store.clone(), "run", &Overrides::default()).await;
            if result.is_err() {
                let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
                let data =
                    objects.iter().find(|object| object.location.as_ref().contains("parquet"));
                assert_eq!(data, None, "P9: a bad export makes no table");
            }
            assert!(asked_elsewhere.lock().unwrap().is_empty(), "P8: the key went elsewhere");
            let code = result.map_or_else(|error| Error::from(error).exit_code() as i32, |_| 0);
            let asked = asked.lock().unwrap();
            let asked = asked.iter().map(|asked| {
                let key = match asked.key.as_deref() {
                    Some(KEY) => "the key",
                    Some(NEXT_KEY) => "the next key",
                    _ => "no key",
                };
                format!("at {:.1} s with {key}", asked.at.as_secs_f64())
            });
            (code, asked.collect())
        })
    }

    fn check(&self, name: &str) {
        let (finished, requests) = self.run();
        let (code, asked) = self.run_paused();
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert_eq!(requests, asked.len(), "{}", finished.stderr);
        let mut shown = String::new();
        for request in asked {
            writeln!(shown, "asked {request}").unwrap();
        }
        insta::assert_snapshot!(name, shown + &finished.redacted());
    }
}

/// A test for each case, with a snapshot of its name.
macro_rules! cases {
    ($($name:ident: $case:expr;)*) => {
        $(#[test]
        fn $name() {
            $case.check(stringify!($name));
        })*

        fn all() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), $case)),*]
        }
    };
}

/// Whatever happens then, a table changes to a new one or not at all, and what is told is harmless.
#[test]
fn h1_each_case_with_hostile_text_in_all_that_the_source_says() {
    let mut told = 0;
    for (name, case) in all() {
        let (finished, _) = case.run_with(|places| hostile_replies(|| (case.replies)(places)));
        let codes = [0, 2, 3, 4, 5, 6];
        assert!(codes.contains(&finished.code), "{name}: {}", finished.stderr);
        let shown = finished.stdout + &finished.stderr;
        told += usize::from(shown.to_lowercase().contains("injected"));
    }
    assert!(told > 15, "only {told} messages had hostile text in them");
}

fn good() -> Reply {
    Reply::json(NEWER)
}

fn busy(status: &str) -> Vec<Reply> {
    vec![Reply::status(status, "busy\n"), good()]
}

fn refused(status: &str) -> Vec<Reply> {
    vec![Reply::status(status, "no\n"), good()]
}

fn redirect(to: &str) -> Reply {
    Reply::head("302 Found", &[("location", to)]).body("")
}

fn encoded(encoding: &str, body: &[u8]) -> Reply {
    Reply::ok(&[("content-encoding", encoding)]).body(body)
}

fn without_end(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() - 6]
}

fn gzip(json: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, json.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn brotli(json: &str) -> Vec<u8> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut json.as_bytes(), &mut compressed, &parameters).unwrap();
    compressed
}

fn zstd(json: &str) -> Vec<u8> {
    zstd::encode_all(json.as_bytes(), 3).unwrap()
}

const SHORT: &str =
    "timeouts = { idle = \"PT1S\" }\nretry = { max_attempts = 2, longest_wait = \"LONGEST\" }";

cases! {
    // Connections
    connection_closed_without_an_answer: when(|_| vec![Reply::none()]);
    connection_reset: when(|_| vec![Reply::none().reset()]);
    connection_reset_once: when(|_| vec![Reply::none().reset(), good()]);
    connection_reset_in_the_body: when(|_| vec![Reply::ok(&[]).length(90).send(&NEWER[..9]).wait(50).reset(), good()]);
    connection_that_does_not_speak_http: when(|_| vec![Reply::none().send("220 mail ready\r\n")]);
    connection_closed_in_the_head: when(|_| vec![Reply::none().send("HTTP/1.1 200 OK\r\ncontent-")]);
    timeout_before_the_answer: when(|_| vec![Reply::none().stall()]).with_source(SHORT);
    timeout_in_the_body: when(|_| vec![Reply::ok(&[]).length(90).send(&NEWER[..9]).stall()]).with_source(SHORT);
    timeout_of_the_whole: when(|_| {
        let drip = |reply: Reply, byte| reply.send([byte]).wait(300);
        vec![NEWER.bytes().fold(Reply::ok(&[]).length(NEWER.len()), drip)]
    }).with_source("timeouts = { total = \"PT1S\" }\nretry = { max_attempts = 2, longest_wait = \"LONGEST\" }");
    slow_and_complete: when(|_| {
        let drip = |reply: Reply, byte| reply.send([byte]).wait(200);
        vec![NEWER.bytes().fold(Reply::ok(&[]).length(NEWER.len()), drip)]
    }).with_source("timeouts = { idle = \"PT3S\" }\nretry = { max_attempts = 2, longest_wait = \"LONGEST\" }");

    // Answers that say "not now"
    status_408: when(|_| busy("408 Request Timeout"));
    status_425: when(|_| busy("425 Too Early"));
    status_429: when(|_| busy("429 Too Many Requests"));
    status_500: when(|_| busy("500 Internal Server Error"));
    status_502: when(|_| busy("502 Bad Gateway"));
    status_503: when(|_| busy("503 Service Unavailable"));
    status_507: when(|_| busy("507 Insufficient Storage"));
    status_504: when(|_| busy("504 Gateway Timeout"));
    busy_for_ever: when(|_| vec![Reply::status("503 Service Unavailable", "maintenance\n")]);
    busy_in_gzip: when(|_| {
        let head = Reply::head("503 Service Unavailable", &[("content-encoding", "gzip")]);
        vec![head.body(gzip("maintenance until five\n"))]
    });
    retry_after_seconds: when(|_| {
        vec![Reply::head("429 Too Many Requests", &[("retry-after", "30")]).body(""), good()]
    });
    retry_after_a_date_up_to_the_limit: when(|_| {
        let never = [("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT")];
        vec![Reply::head("503 Service Unavailable", &never).body(""), good()]
    });
    retry_until_the_time_is_up: when(|_| {
        vec![Reply::head("503 Service Unavailable", &[("retry-after", "3")]).body("")]
    }).with_source("retry = { max_attempts = 9, elapsed = \"PT5S\" }");
    one_thing_after_the_other: when(|_| vec![
        Reply::none().reset(),
        Reply::status("500 Internal Server Error", "oops\n"),
        Reply::ok(&[]).length(90).send(&NEWER[..9]),
    ]);

    // Answers that do not change
    status_204: when(|_| refused("204 No Content"));
    status_206: when(|_| refused("206 Partial Content"));
    status_400: when(|_| refused("400 Bad Request"));
    status_404: when(|_| refused("404 Not Found"));
    status_410: when(|_| refused("410 Gone"));
    status_422: when(|_| refused("422 Unprocessable Content"));

    // Bodies that are not complete
    shorter_than_its_length: when(|_| vec![Reply::ok(&[]).length(90).send(NEWER)]);
    longer_than_its_length: when(|_| vec![Reply::ok(&[]).length(12).send(NEWER)]);
    chunked: when(|_| vec![Reply::ok(&[]).chunked().chunk(&NEWER[..4]).wait(20).chunk(&NEWER[4..]).chunk("")]);
    chunked_without_its_last_chunk: when(|_| vec![Reply::ok(&[]).chunked().chunk(NEWER)]);
    chunked_with_a_wrong_size: when(|_| vec![Reply::ok(&[]).chunked().send("zz\r\n[]\r\n0\r\n\r\n")]);
    cut_where_nothing_tells_but_the_json: when(|_| vec![Reply::ok(&[]).until_closed().send(&NEWER[..12])]);
    cut_once: when(|_| vec![Reply::ok(&[]).until_closed().send(&NEWER[..12]), good()]);
    empty: when(|_| vec![Reply::json("")]);
    empty_once: when(|_| vec![Reply::json(" \n"), good()]);

    // Compression
    in_gzip: when(|_| vec![encoded("gzip", &gzip(NEWER))]);
    in_two_gzip_members: when(|_| vec![encoded("gzip", &[gzip(&NEWER[..9]), gzip(&NEWER[9..])].concat())]);
    in_brotli: when(|_| vec![encoded("br", &brotli(NEWER))]);
    in_zstd: when(|_| vec![encoded("zstd", &zstd(NEWER))]);
    gzip_cut_short: when(|_| vec![encoded("gzip", without_end(&gzip(NEWER)))]);
    brotli_cut_short: when(|_| vec![encoded("br", without_end(&brotli(NEWER)))]);
    zstd_cut_short: when(|_| vec![encoded("zstd", without_end(&zstd(NEWER)))]);
    gzip_cut_on_the_way: when(|_| vec![
        Reply::ok(&[("content-encoding", "gzip")]).length(90).send(without_end(&gzip(NEWER))), good(),
    ]);
    gzip_with_a_wrong_checksum: when(|_| {
        let mut body = gzip(NEWER);
        let at = body.len() - 6;
        body[at] ^= 1;
        vec![encoded("gzip", &body)]
    });
    garbage_called_gzip: when(|_| vec![encoded("gzip", NEWER.as_bytes())]);
    garbage_called_zstd: when(|_| vec![encoded("zstd", NEWER.as_bytes())]);
    zstd_with_a_window_that_nobody_should_need: when(|_| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        std::io::Write::write_all(&mut encoder, NEWER.as_bytes()).unwrap();
        vec![encoded("zstd", &encoder.finish().unwrap())]
    });
    encoding_that_was_not_asked_for: when(|_| vec![encoded("deflate", NEWER.as_bytes())]);
    decompression_bomb: when(|_| vec![encoded("zstd", &zstd(&" ".repeat(64 << 20)))]);
    larger_than_allowed: when(|_| vec![encoded("gzip", &gzip(&format!("{}{NEWER}", " ".repeat(5000))))])
        .with_sections("[limits]\nmax_size = \"5kB\"");

    // Redirects
    p8_redirect_elsewhere: when(|to| vec![redirect(&format!("{}/x", to.elsewhere))]);
    p8_redirect_elsewhere_without_scheme: when(|to| vec![redirect(&to.elsewhere.replace("http:", ""))]);
    p8_redirect_elsewhere_by_a_detour: when(|to| vec![redirect("/detour"), redirect(&to.elsewhere)]);
    p8_redirect_to_another_scheme: when(|to| vec![redirect(&to.own.replace("http:", "https:"))]);
    p8_redirect_by_308: when(|to| {
        vec![Reply::head("308 Permanent Redirect", &[("location", &to.elsewhere)]).body("")]
    });
    redirect_loop: when(|_| vec![redirect("/again")]);
    redirect_within_the_origin: when(|to| vec![redirect("/x"), redirect(&format!("{}/y", to.own)), good()]);
    redirect_to_a_login_page: when(|_| {
        let page = Reply::head("200 OK", &[("content-type", "text/html")]);
        vec![redirect("/login"), page.body("<!doctype html>\n<title>Sign in</title>")]
    });
    redirect_to_nowhere: when(|_| vec![Reply::head("302 Found", &[]).body("")]);

    // What is no export
    html: when(|_| vec![Reply::head("200 OK", &[("content-type", "text/html")]).body("<h1>Down for maintenance</h1>")]);
    html_called_json: when(|_| vec![Reply::json("<html><title>Sign in</title></html>")]);
    csv: when(|_| vec![Reply::head("200 OK", &[("content-type", "text/csv")]).body("id,total\n1,2.50\n")]);
    json_without_a_content_type: when(|_| vec![Reply::head("200 OK", &[]).body(NEWER)]);
    error_object: when(|_| vec![Reply::json(r#"{"error":"try later"}"#)]);
    a_text_of_json: when(|_| vec![Reply::json(r#""try later""#)]);
    utf_16: when(|_| {
        let body: Vec<u8> = NEWER.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![Reply::ok(&[]).body([&[0xFF, 0xFE], body.as_slice()].concat())]
    });
    not_utf_8: when(|_| vec![Reply::ok(&[]).body(b"[{\"id\":1},{\"id\":2,\"name\":\"Caf\xE9\"}]")]);
    byte_order_mark: when(|_| vec![Reply::json(&format!("\u{feff}{NEWER}"))]);

    // Keys
    key_refused: when(|_| vec![Reply::status("401 Unauthorized", "who are you?\n")]);
    both_keys_refused: when(|_| vec![Reply::status("403 Forbidden", "no\n")]).with_two_keys();
    old_key_refused: when(|_| vec![Reply::status("401 Unauthorized", ""), good()]).with_two_keys();
    p8_key_repeated_in_the_content_type: when(|_| {
        let content_type = format!("text/x-{KEY}");
        vec![Reply::head("200 OK", &[("content-type", &content_type)]).body("no")]
    });
    key_refused_after_trouble: when(|_| vec![
        Reply::status("502 Bad Gateway", ""), Reply::status("401 Unauthorized", ""), good(),
    ]).with_two_keys();
}

#[test]
fn p8_a_key_that_is_repeated_in_a_header_is_not_kept_with_the_export() {
    let runtime = runtime();
    let source = runtime.block_on(FaultServer::bind());
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &source.base_url())
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    workplace.define(TABLES);
    let _guard = runtime.enter();
    source.serve(vec![Reply::ok(&[("etag", KEY), ("server", "sample")]).body(GOOD)]);
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    let origin = workplace.lake().json("_flowlake/landing/first.origin.json");
    assert_eq!(origin["headers"]["etag"], "[the API key]");
    assert_eq!(origin["headers"]["server"], "sample");
}

#[test]
fn nobody_listens() {
    let runtime = runtime();
    let closed = runtime.block_on(async { Unanswered::any() });
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &closed.base_url())
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    workplace.define_with("retry = { max_attempts = 2, longest_wait = \"PT0.01S\" }", TABLES);
    insta::assert_snapshot!(workplace.run().redacted());
}

/// Every answer that the table of the policy names is one of the cases above.
#[test]
fn every_answer_of_the_policy_of_retries_is_tested() {
    let policy = include_str!("../../src/source/http/retry.rs");
    let rows: String = policy.lines().filter(|line| line.starts_with("//! |")).collect();
    let named: Vec<&str> =
        regex::Regex::new(r"\b\d{3}\b").unwrap().find_iter(&rows).map(|it| it.as_str()).collect();
    assert!(named.len() > 10, "{named:?}");
    let cases = include_str!("faults.rs");
    for status in named {
        assert!(cases.contains(&format!("(\"{status} ")), "no case answers {status}");
    }
}
