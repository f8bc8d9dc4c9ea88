//! The binary in a directory of its own, with an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use flowlake::definition::Environment;
use flowlake::schema::TableFormat;

use super::{
    Lake, Source, assert_harmless, assert_schema_accepts_what_check_accepts, format_of_test,
    is_in_slice,
};

/// The key that the sources of tests take.
pub const KEY: &str = "pf_test_0123456789_canary";

/// A temporary directory that the binary is started in.
pub struct Workplace {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// What a finished command left.
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Where it ran.
    directory: String,
}

impl Workplace {
    /// A directory and no key.
    pub fn empty() -> Self {
        Self { directory: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// A directory, and the environment in which definitions ask `source` with the right key.
    pub fn asking(source: &Source) -> Self {
        Self::empty()
            .with("PROCUREMENTFLOW_BASE_URL", source.base_url())
            .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
            .with("PROCUREMENTFLOW_API_KEY", KEY)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a definition with the usual source and destination `lake`, ending with `tables`.
    pub fn define(&self, tables: &str) -> PathBuf {
        self.define_with("", tables)
    }

    /// The same, with more keys of `[source]`.
    pub fn define_with(&self, source: &str, tables: &str) -> PathBuf {
        // A test that wants to see a failure does not want to wait for it.
        let format = match format_of_test() {
            TableFormat::Parquet => "",
            TableFormat::Delta if is_in_slice() => "format = \"delta\"\nslice = { org = \"x\" }\n",
            TableFormat::Delta => "format = \"delta\"\n",
        };
        let retry = if source.contains("retry") { "" } else { "retry = { max_attempts = 1 }\n" };
        self.write(&format!(
            "version = 1\nname = \"test\"\n\n[source]\nendpoint = \"e-sourcing\"\n\
             organisation_id = \"${{PROCUREMENTFLOW_ORGANISATION_ID}}\"\n\
             base_url = \"${{PROCUREMENTFLOW_BASE_URL}}\"\n{retry}{source}\n\n\
             [destination]\nurl = \"${{TEST_DESTINATION:-lake}}\"\n{format}\n{tables}\n"
        ))
    }

    /// Writes a definition. If it is valid, its JSON Schema accepts it.
    pub fn write(&self, definition: &str) -> PathBuf {
        let environment = self.environment.iter();
        let environment =
            environment.fold(Environment::default(), |all, (name, value)| all.with(name, value));
        assert_schema_accepts_what_check_accepts(definition, &environment);
        let file = self.path().join("test.toml");
        std::fs::write(&file, definition).unwrap();
        PathBuf::from("test.toml")
    }

    /// Runs the definition `test.toml`.
    pub fn run(&self) -> Finished {
        self.flowlake(&["run", "test.toml"])
    }

    pub fn flowlake(&self, arguments: &[&str]) -> Finished {
        let output = self.command(arguments).output().unwrap();
        let finished = Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            directory: self.path().canonicalize().unwrap().display().to_string(),
        };
        // Whatever a test is about: P8, and nothing that a terminal acts on.
        for text in [&finished.stdout, &finished.stderr] {
            assert_harmless(&format!("{arguments:?}"), text);
        }
        finished
    }

    /// Runs it by a shell that does something before, such as `ulimit -n 64`.
    pub fn limited(&self, before: &str, arguments: &str) -> std::process::Output {
        let flowlake = env!("CARGO_BIN_EXE_flowlake");
        let template = self.command(&[]);
        let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let line = format!("{before} && exec {flowlake} {arguments}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line]).current_dir(self.path()).env_clear().envs(environment);
        shell.output().unwrap()
    }

    /// The same, and the most memory that the process has had resident, in megabytes.
    pub fn measured(&self, arguments: &[&str]) -> (Finished, u64) {
        let file = |name: &str| std::fs::File::create(self.path().join(name)).unwrap();
        let mut command = self.command(arguments);
        let mut child =
            command.stdout(file("stdout.txt")).stderr(file("stderr.txt")).spawn().unwrap();
        let mut most = 0;
        let status = loop {
            most = high_water_mark(child.id()).unwrap_or_default().max(most);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |name: &str| std::fs::read_to_string(self.path().join(name)).unwrap();
        let code = status.code().unwrap_or(-1);
        let directory = self.path().canonicalize().unwrap().display().to_string();
        let (stdout, stderr) = (text("stdout.txt"), text("stderr.txt"));
        (Finished { code, stdout, stderr, directory }, most)
    }

    /// The binary with these arguments, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowlake"));
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        // A slice is found by its definition.
        let named = |argument: &&str| match *argument {
            "lake" if is_in_slice() => "test.toml".to_owned(),
            argument => argument.to_owned(),
        };
        let arguments: Vec<String> = arguments.iter().map(named).collect();
        command.args(arguments).current_dir(self.path()).env_clear().envs(environment);
        command
    }

    pub fn lake(&self) -> Lake {
        Lake::at(&self.path().join("lake"))
    }
}

/// The most memory that a process has had resident, in megabytes, as long as it runs.
fn high_water_mark(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    // Until it is the binary it has the memory of this process.
    status.lines().find(|line| *line == "Name:\tflowlake")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

impl Finished {
    /// Asserts success and returns what was printed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Code, stdout and stderr, with what differs from run to run replaced.
    pub fn redacted(&self) -> String {
        let text = format!("exit {}\n{}{}", self.code, self.stdout, self.stderr);
        let mut redacted = text.replace(&self.directory, "DIR");
        for (pattern, replacement) in [
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "RUN"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "NOW"),
            (r"in \d+\.\d s", "in TIME"),
            (r" +\d+\.\d+ [KM]iB", " SIZE"),
            // Of a file without rows.
            (r"  +\d{3} B", " SIZE"),
            (r"(/[^\s`:,]*)?/\.?tmp[^\s`:,]*", "TMP"),
        ] {
            redacted = regex::Regex::new(pattern)
                .unwrap()
                .replace_all(&redacted, replacement)
                .into_owned();
        }
        redacted
    }
}

/// The lake that a pipeline of these tables makes of an export.
pub fn loaded(json: &str, tables: &str) -> (Workplace, Lake) {
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define(tables);
    workplace.run().success();
    let lake = workplace.lake();
    (workplace, lake)
}
