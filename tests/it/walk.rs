//! The way of a newcomer through the README, command by command, against the sample API.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::{Lake, Workplace};

const README: &str = include_str!("../../README.md");

/// The blocks of code of this language below a heading of the README.
fn blocks(heading: &str, language: &str) -> Vec<String> {
    let (_, section) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(&format!("{language}\n")))
        .map(str::to_owned)
        .collect()
}

/// Stopped when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sample API, and a workplace with the variables that it prints.
fn served() -> (Server, Workplace) {
    let mut command = Workplace::empty().command(&["sample-api", "--listen", "127.0.0.1:0"]);
    let mut server = Server(command.current_dir("/").stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let exports = lines.filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let workplace = exports
        .take(3)
        .fold(Workplace::empty(), |workplace, (name, value)| workplace.with(&name, &value));
    (server, workplace)
}

#[test]
fn f08_the_commands_of_the_readme_work_against_the_sample_api() {
    let (_server, workplace) = served();
    let commands = blocks("Use it", "sh").remove(0);
    let commands = commands.lines().filter_map(|line| line.strip_prefix("flowlake "));
    let commands: Vec<Vec<&str>> =
        commands.map(|line| line.split('#').next().unwrap().split_whitespace().collect()).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in &commands {
        let finished = workplace.flowlake(command);
        assert_eq!(finished.code, 0, "{command:?}: {}", finished.stderr);
        if command[0] == "init" {
            assert!(
                finished.stderr.contains("flowlake check purchasing.toml"),
                "{}",
                finished.stderr
            );
        }
    }
    let lake = Lake::at(&workplace.path().join("lake/purchasing"));
    assert_eq!(lake.column("purchase_orders", "id").len(), 2_400);
    assert_eq!(lake.quarantine("purchase_orders").len(), 0);
}

#[test]
fn f08_the_complete_definition_of_the_readme_runs() {
    let (_server, workplace) = served();
    let definition = blocks("Use it", "toml").remove(0);
    std::fs::write(workplace.path().join("purchasing.toml"), definition).unwrap();
    for command in [&["check", "--online"][..], &["plan"], &["run"]] {
        workplace.flowlake(&[command, &["purchasing.toml"]].concat()).success();
    }
    assert!(workplace.path().join("lake/purchasing/purchase_orders").exists());
}
