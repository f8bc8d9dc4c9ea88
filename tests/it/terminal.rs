//! A run whose stderr is a terminal. `script` makes the terminal; where it is missing these tests say so and are skipped.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::support::{FaultServer, Reply, Workplace, runtime};

const TABLES: &str = "[[tables]]\nname = \"t\"";
const ROWS: &str = r#"[{"id":1},{"id":2}]"#;

/// A command of flowlake on a terminal of its own.
struct Terminal {
    script: Child,
    /// What comes on the screen.
    screen: Receiver<Vec<u8>>,
    seen: String,
}

/// How long a text on the screen is waited for.
const HANG: Duration = Duration::from_mins(2);

impl Terminal {
    fn of(workplace: &Workplace, arguments: &str) -> Option<Self> {
        let template = workplace.command(&[]);
        let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command"]);
        script.arg(format!("{} {arguments}", env!("CARGO_BIN_EXE_flowlake"))).arg("/dev/null");
        script.current_dir(workplace.path()).env_clear().envs(environment).env("TERM", "xterm");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut script) = script.spawn() else {
            eprintln!("skipped: there is no `script` here");
            return None;
        };
        let mut output = script.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                let _ = sender.send(bytes[..read].to_vec());
            }
        });
        Some(Self { script, screen, seen: String::new() })
    }

    /// Reads on until this has been on the screen.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let Ok(bytes) = self.screen.recv_timeout(HANG) else {
                panic!("{text:?} is not on the screen: {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Types at the keyboard.
    fn type_in(&mut self, text: &str) {
        self.script.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// All that was on the screen, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        loop {
            match self.screen.recv_timeout(HANG) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.script.kill().unwrap();
                    panic!("it does not end: {:?}", self.seen);
                }
            }
        }
        (self.seen, self.script.wait().unwrap().code())
    }
}

/// A source that gives these replies, and a place to ask it from.
fn asking(replies: Vec<Reply>) -> (tokio::runtime::Runtime, Workplace) {
    let runtime = runtime();
    let base_url = runtime.block_on(async {
        let server = FaultServer::bind().await;
        let base_url = server.base_url();
        server.serve(replies);
        base_url
    });
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &base_url)
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", crate::support::KEY);
    workplace.define(TABLES);
    (runtime, workplace)
}

#[test]
fn progress_is_shown_while_the_source_sends_and_ctrl_c_ends_the_run() {
    let half = Reply::ok(&[]).length(ROWS.len()).send(&ROWS[..9]).stall();
    let (_runtime, workplace) = asking(vec![half]);
    let Some(mut terminal) = Terminal::of(&workplace, "run test.toml") else { return };
    terminal.wait_for("test: 9 B of 19 B received");
    terminal.type_in("\u{3}");
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(130), "{seen:?}");
    let (_, left) = seen.rsplit_once("\u{1b}[2K").unwrap();
    assert!(!left.contains("B received"), "progress stays on the screen: {seen:?}");
    assert!(workplace.lake().tables().is_empty());
}

#[test]
fn no_progress_is_shown_where_it_is_not_wanted() {
    for option in ["--quiet", "--log-format json"] {
        let slow = Reply::ok(&[]).length(ROWS.len()).send(&ROWS[..9]).wait(500).send(&ROWS[9..]);
        let (_runtime, workplace) = asking(vec![slow]);
        let Some(terminal) = Terminal::of(&workplace, &format!("run {option} test.toml")) else {
            return;
        };
        let (seen, code) = terminal.end();
        assert_eq!(code, Some(0), "{seen:?}");
        assert!(!seen.contains('\u{1b}') && !seen.contains("B received"), "{option}: {seen:?}");
    }
}
