//! Shown: the one way out for text.
//!
//! What a source, a store, a file system or a definition said reaches terminals, logs and reports only through here: as
//! printable characters on one line, of a bounded length, without secrets.
//!
//! | file | job |
//! |---|---|
//! | `secrets` | the secrets that this process has read, and texts without them |
//! | `written` | a secret as encoders write it |
//! | `environment` | the secrets in the environment, and logins in URLs |
//! | `json` | JSON whose strings have no secrets |

mod environment;
mod json;
mod secrets;
mod written;

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::Serialize;

pub use environment::{
    remember_credentials, remember_environment, remember_login, remember_proxies,
};
use json::Author;
pub use secrets::{KindOfSecret, remember};

/// The most bytes of a foreign text that a message quotes.
pub(crate) const EXCERPT_BYTES: usize = 120;
/// The most characters of a message.
const MESSAGE_CHARACTERS: usize = 4000;

/// The first line of `bytes`, shortened.
#[must_use]
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_BYTES)]);
    let beginning = secrets::redact_cut(&beginning);
    let line = beginning.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    printable(line).into_owned()
}

/// The beginning of a text that somebody wrote, for a message about it.
#[must_use]
pub fn quoted(text: &str) -> String {
    const CHARACTERS: usize = 80;
    let shown = line(text);
    match shown.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// A text of one line, of any length.
#[must_use]
pub fn line(text: &str) -> String {
    printable(&secrets::redact(text)).into_owned()
}

/// A text of one line that is short enough for a terminal or a log.
#[must_use]
pub fn message(text: &str) -> String {
    let mut line = line(text);
    if let Some((end, _)) = line.char_indices().nth(MESSAGE_CHARACTERS) {
        let more = line[end..].chars().count();
        line.truncate(end);
        let _ = write!(line, "… ({more} more characters)");
    }
    line
}

/// A value as one line of JSON, which may have JSON of others in it.
///
/// # Errors
/// The value is no JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(json_lines(&serde_json::to_string(value)?, Author::Anybody))
}

/// A value as JSON for people to read.
///
/// # Errors
/// The value is no JSON.
pub fn pretty_json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(json_lines(&serde_json::to_string_pretty(value)?, Author::Anybody))
}

/// Text of several lines, without what a terminal would act on and without secrets.
#[must_use]
pub fn lines(text: &str) -> String {
    text.lines().map(|text| line(text) + "\n").collect()
}

/// A text as a string of TOML that is shown as it is.
#[must_use]
pub fn toml_string(text: &str) -> String {
    let mut string = String::with_capacity(text.len() + 2);
    string.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => string.extend(['\\', character]),
            // TOML has no surrogates, as JSON has. A String can always be written to.
            hidden if is_hidden(hidden) => {
                let _ = write!(string, "\\U{:08X}", u32::from(hidden));
            }
            other => string.push(other),
        }
    }
    string.push('"');
    string
}

/// A report as one line of JSON. What it names stays, so that it can be read again.
///
/// # Errors
/// The report is no JSON.
pub fn report(report: &impl Serialize) -> serde_json::Result<String> {
    Ok(json_lines(&serde_json::to_string(report)?, Author::Flowlake))
}

/// A report or origin as JSON for a file that people may read. What it names stays, so that it can be read again.
///
/// # Errors
/// The report is no JSON.
pub fn kept_report(report: &impl Serialize) -> serde_json::Result<String> {
    Ok(json_lines(&serde_json::to_string_pretty(report)?, Author::Flowlake))
}

/// A line of a log, which is one object of JSON with messages.
#[must_use]
pub fn log_json(json: &str) -> String {
    let shown = json::redact(json, Author::Anybody, |text| secrets::redact(text).into_owned());
    printable(&shown).into_owned()
}

/// Outside of strings JSON has nothing that is not printable. What looks like a signature may be a value of a record, so
/// only what is known to be a secret is taken out.
fn json_lines(json: &str, author: Author) -> String {
    let shown = json::redact(json, author, |text| secrets::redact_known(text).into_owned());
    shown.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Replaces what a terminal would not show as it is: control characters, and those that change the direction of a text
/// or have no width. They are written as in JSON.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            // A String can always be written to.
            let _ = write!(shown, "{}", Escaped(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

struct Escaped(char);

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            other => {
                let mut units = [0; 2];
                other
                    .encode_utf16(&mut units)
                    .iter()
                    .try_for_each(|unit| write!(f, "\\u{unit:04x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character of each kind that is not shown as it is.
    const HIDDEN: &str =
        "\0\u{1b}\u{7f}\u{9b}\u{ad}\u{200b}\u{200f}\u{2028}\u{202e}\u{2066}\u{feff}\u{e0041}";

    #[test]
    fn h1_what_a_terminal_would_act_on_is_written_out() {
        let shown = r"a\n\r\t\u0000\u001b\u007f\u009b\u00ad\u200b\u200f\u2028\u202e\u2066\ufeff\udb40\udc41é漢😀";
        assert_eq!(line(&format!("a\n\r\t{HIDDEN}é漢😀")), shown);
    }

    #[test]
    fn h1_json_stays_the_same_json() {
        let value = serde_json::json!({ HIDDEN: [HIDDEN, "\"\\/\n"] });
        for shown in [json(&value).unwrap(), pretty_json(&value).unwrap()] {
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
                value,
                "{shown}"
            );
            assert!(shown.chars().all(|it| it == '\n' || !is_hidden(it)), "{shown}");
        }
    }

    #[test]
    fn h1_toml_stays_the_same_toml_wherever_it_goes() {
        for text in [HIDDEN, "", "\"\\'", "\u{85}\n\r\t", "a''é漢😀"] {
            let string = toml_string(text);
            assert_eq!(lines(&string), format!("{string}\n"), "{text:?}");
            let table: toml::Table = format!("{string} = {string}").parse().unwrap();
            assert_eq!(table.get(text).and_then(toml::Value::as_str), Some(text));
        }
    }

    #[test]
    fn h2_what_only_looks_like_a_signature_stays_in_json() {
        let value = serde_json::json!({ "sig": 1_234_567_890_123_456_u64, "signature": "QUJDREVGR0hJSktMTU5PUA==" });
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json(&value).unwrap()).unwrap(),
            value
        );
    }

    #[test]
    fn h1_a_message_has_an_end() {
        let shown = message(&"é".repeat(5000));
        assert!(shown.ends_with("é… (1000 more characters)"), "{shown}");
        assert_eq!(message(&"é".repeat(4000)), "é".repeat(4000));
    }

    #[test]
    fn h2_an_excerpt_does_not_cut_a_secret_in_two() {
        remember(KindOfSecret::ApiKey, "pf_excerpt_canary_0123456789");
        for before in 100..EXCERPT_BYTES {
            let text = format!("{}pf_excerpt_canary_0123456789 and more", "x".repeat(before));
            let shown = excerpt(text.as_bytes());
            assert!(!shown.contains("pf_e"), "{shown}");
        }
    }
}
