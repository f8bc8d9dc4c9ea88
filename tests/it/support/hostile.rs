//! Text of somebody who wants to write on the terminal, or into the logs, of others.

use super::command::KEY;

/// Escape sequences, a C1 and a bidi character, NUL, and a line that should not begin.
pub const HOSTILE: &str =
    "INJECTED\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{feff}\u{0}\r\nerror: INJECTED";

/// The same as the content of a string in JSON or TOML.
pub fn escaped() -> String {
    let escape = |character: char| match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        other if other.is_control() || !other.is_ascii() => format!("\\u{:04x}", u32::from(other)),
        other => other.to_string(),
    };
    HOSTILE.chars().map(escape).collect()
}

/// Asserts that a text has nothing that a terminal acts on, and no line that others began.
#[track_caller]
pub fn assert_harmless(what: &str, text: &str) {
    let is_harmless = |it: char| {
        it == '\n'
            || !(it.is_control()
                || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    };
    let found: Vec<char> = text.chars().filter(|it| !is_harmless(*it)).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    assert!(
        !text.lines().any(|line| line.trim_start().starts_with("error: INJECTED")),
        "{what}: {text}"
    );
    assert!(!text.contains(KEY), "{what}: {text}");
}
