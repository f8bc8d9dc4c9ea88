//! Definitions and HTTP answers: whatever they are, there is a result or an error, and its text is printable.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;

use flowlake::definition::{Definition, Environment};
use flowlake::exit_code::Failure;
use flowlake::plan::{Overrides, Plan};
use flowlake::run::{RunContext, run_into};
use flowlake::shown;
use flowlake::source::api_key::ApiKey;
use flowlake::store::Destination;
use object_store::memory::InMemory;

/// The longest that is said of any definition, in characters for each of its problems.
const MOST_SAID: usize = 20_000;

/// A definition is planned, or everything that is wrong with it is told.
///
/// # Panics
/// It does not.
pub fn definition(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let environment = Environment::default().with("HOME", "/home").with("KEY", "key");
    match Definition::parse("test.toml", text, &environment) {
        Ok(Definition { pipeline, .. }) => {
            let now = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
            let run_id = "run".parse().unwrap();
            if let Err(error) = Plan::new(pipeline, run_id, now, None, &Overrides::default()) {
                assert!(!error.to_string().is_empty());
            }
        }
        Err(problems) => {
            assert!(problems.has_errors());
            for line in problems.lines() {
                let shown = shown::line(&line);
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
                assert!(
                    shown.chars().count() <= MOST_SAID + text.len(),
                    "{} characters",
                    shown.len()
                );
            }
        }
    }
}

const PIPELINE: &str = "version = 1\nname = \"test\"\n[source]\nendpoint = \"e-sourcing\"\norganisation_id = \"o\"\n\
    base_url = \"${BASE_URL}\"\nretry = { max_attempts = 1 }\ntimeouts = { idle = \"PT1S\", total = \"PT3S\" }\n\
    [destination]\nurl = \"lake\"\n[[tables]]\nname = \"t\"\n";

/// A run ends, whatever answers it on the wire.
///
/// # Panics
/// It does not.
pub fn answer(bytes: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let bytes = bytes.to_vec();
    let server = std::thread::spawn(move || {
        // Redirects may come back.
        for _ in 0..2 {
            let Ok((mut connection, _)) = listener.accept() else { return };
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(&bytes);
            let _ = connection.shutdown(Shutdown::Write);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let environment = Environment::default()
            .with("BASE_URL", &base_url)
            .with("PROCUREMENTFLOW_API_KEY", "fuzzed_key_0123456789");
        let definition = Definition::parse("test.toml", PIPELINE, &environment).unwrap();
        let sources = &definition.pipeline.source.api_key;
        let keys = ApiKey::find_all(sources, &environment).await.unwrap();
        let (run_id, now) = ("run".parse().unwrap(), chrono::DateTime::UNIX_EPOCH);
        let plan =
            Plan::new(definition.pipeline, run_id, now, None, &Overrides::default()).unwrap();
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let context = RunContext::new(environment);
        if let Err(error) = run_into(&destination, &plan, &keys, &context).await {
            let shown = shown::message(&error.to_string());
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
            assert_ne!(error.exit_code().number(), 1, "{shown}");
        }
    });
    // Frees the server if it waits for a second request.
    let _ = std::net::TcpStream::connect(base_url.trim_start_matches("http://"));
    let _ = std::net::TcpStream::connect(base_url.trim_start_matches("http://"));
    server.join().unwrap();
}
