//! P8: the key, wherever somebody might put it, is in no output of any command.

use std::path::Path;

use crate::support::{Answer, KEY, Source, Workplace};

/// Definitions with the key where a person in a hurry might write it: `KEY` stands for it.
const PLACES: &[&str] = &[
    "api_key = \"KEY\"",
    "api_key = [\"KEY\"]",
    "api_key = KEY",
    "api_key = 'KEY\"",
    "api_key.value = \"KEY\"",
    "apikey = [{ value = \"KEY\" }]",
    "api_key = [{ env = \"KEY\" }]",
    "api_key = [{ value = \"KEY\" }]",
    "api_key = { env = \"KEY\" }",
    "api_key = [{ command = [\"printf\", \"KEY\"] }]",
    "api_key = [{ command = [\"KEY\"] }]",
    "api_key = [{ file = \"KEY\" }]",
    "api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\", key = \"KEY\" }]",
    "api_kee = \"KEY\"",
    "organisation_id = \"${PROCUREMENTFLOW_API_KEY}\"",
    "base_url = \"http://KEY@127.0.0.1:1\"",
    "base_url = \"http://127.0.0.1:1/?key=KEY\"",
    "base_url = \"${PROCUREMENTFLOW_API_KEY}\"",
    "path = \"/api/${PROCUREMENTFLOW_API_KEY}\"",
    "filters = { key = \"${PROCUREMENTFLOW_API_KEY}\" }",
    "filters = { key = [\"a\", \"${PROCUREMENTFLOW_API_KEY}\"] }",
    "headers = { X-Api-Key = \"KEY\" }",
    "headers = { Authorization = \"Bearer KEY\" }",
    "headers = { X-Team = \"KEYé\" }",
    "headers = { \"X Team\" = \"KEY\" }",
    "headers = { X-Team = [\"KEY\"] }",
    "headers = { X-Team = \"KEY\", X-Team = \"KEY\" }",
    "headers = { X-Team = \"KEY }",
    "headers = [\"KEY\"]",
    "headers.X-Team = \"\"\"\nKEY\"\"",
    "filters = { api_key = \"KEY\" }",
    "filters = { Access-Token = [\"KEY\"] }",
    "headers = { X-Other = \"${PROCUREMENTFLOW_API_KEY}\" }",
];

const COMMANDS: &[&[&str]] = &[
    &["check", "test.toml"],
    &["check", "--json", "test.toml"],
    &["check", "--online", "test.toml"],
    &["plan", "test.toml"],
    &["plan", "--json", "test.toml"],
    &["run", "test.toml"],
    &["run", "--json", "test.toml"],
    &["--log-format", "json", "run", "--json", "test.toml"],
];

fn define(workplace: &Workplace, place: &str) {
    let endpoint = "endpoint = \"e-sourcing\"\n";
    let organisation = "organisation_id = \"acme\"\n";
    let base_url = "base_url = \"${PROCUREMENTFLOW_BASE_URL}\"\n";
    let own = |key: &str, line: &'static str| if place.starts_with(key) { "" } else { line };
    workplace.write(&format!(
        "version = 1\nname = \"test\"\n[source]\nretry = {{ max_attempts = 1 }}\n{}{}{}{}\n\
         [destination]\nurl = \"lake\"\n[[tables]]\nname = \"t\"\n",
        if place.starts_with("path") { "" } else { endpoint },
        if place.starts_with("path") { "" } else { own("organisation_id", organisation) },
        own("base_url", base_url),
        // The variables that are named after it keep their names.
        place.replace("_KEY", "_\0").replace("KEY", KEY).replace("_\0", "_KEY"),
    ));
}

/// Every file below a directory, with its content.
fn files_below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

fn contains_key(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes())
}

#[test]
fn p8_the_key_is_in_no_output_of_any_command() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
    for place in [&["filters = { a = 1 }"], PLACES].concat() {
        define(&workplace, place);
        for command in COMMANDS {
            let output = workplace.command(command).output().unwrap();
            for shown in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(shown);
                let line =
                    text.lines().find(|line| line.contains(KEY)).map(|it| it.replace(KEY, "…"));
                assert!(!contains_key(shown), "{place}: {command:?}: {line:?}");
            }
        }
    }
    for (file, content) in files_below(&workplace.path().join("lake")) {
        let content = if content.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            zstd::decode_all(&*content).unwrap()
        } else {
            content
        };
        assert!(!contains_key(&content), "{file}");
        assert!(!contains_key(file.as_bytes()), "{file}");
    }
    for request in source.requests() {
        assert!(!request.contains(KEY), "{request}");
    }
}

#[test]
fn p8_a_source_that_repeats_the_key_does_not_get_it_shown() {
    for status in [200, 400, 404, 500, 503] {
        let source = Source::answering(Answer::EchoedKey { status });
        let workplace = Workplace::asking(&source).with("RUST_LOG", "trace");
        workplace.define("[[tables]]\nname = \"t\"");
        let finished = workplace.run();
        assert_ne!(finished.code, 0);
        for (file, content) in files_below(&workplace.path().join("lake/_flowlake/runs")) {
            assert!(!contains_key(&content), "{file}");
        }
    }
}
