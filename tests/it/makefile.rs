//! The targets of the Makefile, with a stand-in for cargo.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What `make` prints for a target, when what is built is in `target`.
fn make(directory: &Path, target: &str) -> String {
    let output = Command::new("make")
        .args(["--no-print-directory", target])
        .arg("CARGO=echo cargo")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", directory.join("target"))
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn f06_make_run_says_what_it_builds_before_it_does() {
    let directory = TempDir::new().unwrap();
    let printed = make(directory.path(), "run");
    let place = |text: &str| printed.find(text).unwrap_or_else(|| panic!("{text}: {printed}"));
    let said = place("Building flowlake and the libraries it uses");
    assert!(printed[said..].lines().next().unwrap().contains("5 to 20 minutes the first time"));
    // Cargo's own progress is seen: it is not told to be quiet before there is something to run.
    assert!(
        said < place("cargo build\n")
            && place("cargo build\n") < place("cargo run --quiet -- demo")
    );
    // The second time there is little to wait for.
    let built = directory.path().join("target/debug");
    std::fs::create_dir_all(&built).unwrap();
    std::fs::write(built.join("flowlake"), "").unwrap();
    let again = make(directory.path(), "run");
    assert!(!again.contains("Building"), "{again}");
    assert!(again.contains("cargo build\n"), "{again}");
}

#[test]
fn f13_make_alone_lists_every_target() {
    let directory = TempDir::new().unwrap();
    let listed = make(directory.path(), "help");
    let makefile = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile"));
    let makefile = makefile.unwrap();
    let documented = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| rest.contains("## "));
    let names: Vec<&str> =
        documented.map(|(name, _)| name).filter(|name| !name.contains(['$', '/', '\t'])).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(listed.contains(&format!("  {name} ")), "{name}: {listed}");
    }
}
