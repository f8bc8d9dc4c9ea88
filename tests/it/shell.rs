//! What shells and `man` get.

use crate::support::Workplace;

#[test]
fn shells_complete_every_command() {
    let workplace = Workplace::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = workplace.flowlake(&["completions", shell]).success();
        for command in ["run", "convert", "doctor", "quarantine", "verify"] {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    let script = workplace.flowlake(&["completions", "bash"]).success();
    std::fs::write(workplace.path().join("completions"), script).unwrap();
    // What bash offers after `flowlake ver`.
    let asked = "source ./completions; COMP_WORDS=(flowlake ver); COMP_CWORD=1; \
        _flowlake flowlake ver flowlake; echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash");
    let offered = bash.args(["-c", asked]).current_dir(workplace.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&offered.stdout), "verify\n");
}

#[test]
fn every_command_has_a_manual_page() {
    let workplace = Workplace::empty();
    let page = workplace.flowlake(&["man"]).success();
    assert!(page.contains(".TH flowlake 1"), "{page}");
    assert!(page.contains(".SH EXAMPLES\n") && page.contains(".SH EXIT STATUS\n"), "{page}");
    assert!(page.contains("11        another run holds"), "{page}");
    assert!(page.contains("flowlake\\-doctor(1)") && !page.contains("\\-help(1)"), "{page}");
    // What a page refers to has a page.
    let page = workplace.flowlake(&["man", "quarantine-retry"]).success();
    assert!(page.contains("flowlake\\-quarantine\\-retry"), "{page}");
    let page = workplace.flowlake(&["man", "quarantine"]).success();
    assert!(page.contains("\\-retry(1)") && !page.contains("\\-help(1)"), "{page}");
    let page = workplace.flowlake(&["man", "doctor"]).success();
    assert!(page.contains("flowlake\\-doctor") && page.contains("\\-\\-quiet"), "{page}");
    let page = workplace.flowlake(&["man", "convert"]).success();
    assert!(page.contains("flowlake\\-convert"), "{page}");
    assert!(page.contains("\\-\\-to"), "{page}");
    let refused = workplace.flowlake(&["man", "convrt"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("flowlake has no such command"), "{}", refused.stderr);
}

#[test]
fn help_has_the_commands_in_groups_and_fits_the_terminal() {
    for (columns, longest) in [("60", 60), ("120", 120)] {
        let workplace = Workplace::empty().with("COLUMNS", columns);
        let help = workplace.flowlake(&["--help"]).success();
        for line in help.lines() {
            assert!(line.chars().count() <= longest, "{columns}: {line}");
        }
        for words in
            ["\nSetup:\n", "\nLoad:\n  run ", "\nLook:\n  doctor ", "\nOptions:\n", "\nExamples:\n"]
        {
            assert!(help.contains(words), "{words:?}: {help}");
        }
        assert!(!help.contains("Commands:") && !help.contains("Other:"), "{help}");
        assert_eq!(help, workplace.flowlake(&["help"]).success());
        let missing = workplace.flowlake(&[]);
        assert_eq!((missing.code, missing.stderr), (2, help));
    }
    let workplace = Workplace::empty();
    let help = workplace.flowlake(&["run", "--help"]).success();
    assert!(help.contains("Examples:\n  flowlake run "), "{help}");
    let mistyped = workplace.flowlake(&["dcotor"]);
    assert_eq!(mistyped.code, 2);
    assert!(
        mistyped.stderr.contains("a similar subcommand exists: 'doctor'"),
        "{}",
        mistyped.stderr
    );
}

#[test]
fn the_examples_of_the_help_are_command_lines() {
    let workplace = Workplace::empty().with("COLUMNS", "200");
    let page = workplace.flowlake(&["--help"]).success();
    let commands = page.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let mut examples = Vec::new();
    for command in commands.filter(|word| word.starts_with(|it: char| it.is_ascii_lowercase())) {
        let help = workplace.flowlake(&[command, "--help"]).stdout;
        examples.extend(
            help.lines().filter_map(|line| Some(line.strip_prefix("  flowlake ")?.to_owned())),
        );
    }
    assert!(examples.len() > 15, "{examples:?}");
    for example in examples {
        let words: Vec<&str> =
            example.split_whitespace().take_while(|word| !word.starts_with('>')).collect();
        // With `--help` nothing is done, and an option or a word that is not known is refused before.
        let told = workplace.flowlake(&[&words[..], &["--no-such-option"]].concat());
        assert!(told.stderr.contains("'--no-such-option'"), "{example}: {}", told.stderr);
    }
}
