//! Which lines of a definition may hold a secret. No message shows them.

use super::problem::{Exposure, Problem};

/// What a line has that sets a secret, or sends one.
const SECRETIVE: [&str; 7] =
    ["header", "secret", "token", "passw", "cookie", "credential", "apikey"];
/// What the beginning of a setting may have besides, where nobody can tell its keys.
const SECRETIVE_IF_UNREADABLE: [&str; 2] = ["key", "auth"];

/// A problem without what may hold a secret.
pub(super) fn hide_secrets(text: &str, mut problem: Problem) -> Problem {
    let Some(span) = &problem.span else { return problem };
    let line_start = line_start(text, span.start);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let before = text.get(line_start..span.start).unwrap_or_default();
    let is_hidden = match problem.exposure {
        Exposure::Nothing => true,
        // What is behind the key is not shown.
        Exposure::Key => has_any(before, &SECRETIVE) || before.contains(['"', '\'']),
        Exposure::Line if problem.key == "definition" => {
            let (section, setting) = around(text, line_start);
            [section, setting, line].into_iter().any(|part| {
                has_any(part, &SECRETIVE) || has_any(key_of(part), &SECRETIVE_IF_UNREADABLE)
            })
        }
        Exposure::Line if problem.key.starts_with("tables") => false,
        Exposure::Line => problem.key.starts_with("source.headers") || has_any(line, &SECRETIVE),
    };
    if is_hidden {
        problem.exposure = Exposure::Nothing;
    }
    problem
}

fn has_any(part: &str, words: &[&str]) -> bool {
    let part = part.to_ascii_lowercase();
    words.iter().any(|word| part.contains(word))
}

fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default()
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// The header of the section that a line is in, and the line that begins its setting.
fn around(text: &str, line_start: usize) -> (&str, &str) {
    let before = text.get(..line_start).unwrap_or_default();
    let section = before.lines().rfind(|line| line.trim_start().starts_with('['));
    let begins = |line: &&str| {
        line.contains('=') && line.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '"')
    };
    let line = text.get(line_start..).and_then(|rest| rest.lines().next());
    let setting = line.filter(begins).or_else(|| before.lines().rfind(begins));
    (section.unwrap_or_default(), setting.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn exposure(text: &str, marked: &str, key: &str) -> Exposure {
        let start = text.find(marked).unwrap();
        hide_secrets(text, Problem::at(start..start + 1, key, "wrong", "help")).exposure
    }

    #[test]
    fn h2_a_line_that_may_hold_a_secret_is_not_shown() {
        for (text, key) in [
            ("[source]\nheaders = { X-Team = \"HERE\" }", "source.headers.X-Team"),
            ("[source]\nheaders = { X-Team = \"HERE }", "definition"),
            ("[source.headers]\nX-Team = \"HERE", "definition"),
            ("[source.headers]\nX-Team = \"\"\"\nHERE", "definition"),
            ("api_key = [\n  { value = \"HERE }\n]", "definition"),
            ("source = { headers = { X-Team = \"a\" }, endpoint = \"HERE\" }", "source.endpoint"),
        ] {
            assert_eq!(exposure(text, "HERE", key), Exposure::Nothing, "{text}");
        }
        for (text, key) in [
            ("[source]\nendpoint = \"HERE\"", "source.endpoint"),
            ("[source.headers]\n[source]\nendpoint = \"HERE", "definition"),
            ("[[tables]]\ncolumns.token = \"HERE\"", "tables[0].columns.token"),
        ] {
            assert_eq!(exposure(text, "HERE", key), Exposure::Line, "{text}");
        }
    }
}
