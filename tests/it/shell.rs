//! What shells and `man` get.

use crate::support::Workplace;

#[test]
fn shells_complete_every_command() {
    let workplace = Workplace::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = workplace.flowlake(&["completions", shell]).success();
        for command in ["run", "convert", "quarantine", "verify"] {
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
    assert!(page.contains("EXTRA") && page.contains("11 another run holds"), "{page}");
    let page = workplace.flowlake(&["man", "convert"]).success();
    assert!(page.contains("flowlake\\-convert"), "{page}");
    assert!(page.contains("\\-\\-to"), "{page}");
    let refused = workplace.flowlake(&["man", "convrt"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("flowlake has no such command"), "{}", refused.stderr);
}
