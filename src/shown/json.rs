//! Secrets taken out of the strings of JSON.
//!
//! What is left is JSON, whatever the secrets are: numbers and the names of flowlake's own fields stay. Strings are
//! looked at as what they say and not as they are written.

use std::borrow::Cow;

/// The fields of reports and origins that name things, and the URL of an export. They are read again, and a header with
/// the same value, such as the id of the run, is no reason to lose them.
const IDENTIFIERS: [&str; 22] = [
    "after",
    "before",
    "blake3",
    "change",
    "column",
    "column_type",
    "end",
    "finished_at",
    "flowlake",
    "hash",
    "kind",
    "on_failure",
    "outcome",
    "pipeline",
    "received_at",
    "reloaded",
    "rule",
    "run_id",
    "start",
    "started_at",
    "table",
    "value",
];
const URL: &str = "url";

/// Whose JSON it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// It may have records or messages of others in it.
    Anybody,
    /// It is a report or an origin, with texts of others only in fields that are not for machines.
    Flowlake,
}

/// JSON without what `redact_text` takes out of its strings.
pub(super) fn redact(json: &str, author: Author, redact_text: impl Fn(&str) -> String) -> String {
    let mut shown = String::with_capacity(json.len());
    let (mut rest, mut field) = (json, "");
    while let Some(begin) = rest.find('"') {
        shown.push_str(&between(&rest[..begin], author, &redact_text));
        let text = string_at(&rest[begin..]);
        rest = &rest[begin + text.len()..];
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let is_field = rest.trim_start().starts_with(':');
        if is_field {
            field = inner;
        }
        let stays = if is_field {
            is_own(inner)
        } else {
            author == Author::Flowlake && IDENTIFIERS.contains(&field)
        };
        if stays {
            shown.push_str(text);
        } else if !is_field && author == Author::Flowlake && field == URL {
            shown.push_str(&redacted(text, |url| redact_url(url, &redact_text)));
        } else {
            shown.push_str(&redacted(text, &redact_text));
        }
    }
    shown.push_str(&between(rest, author, &redact_text));
    shown
}

/// What is between strings. A number of others that is a secret as a whole becomes a string; so many digits no number of
/// flowlake's own has.
fn between(json: &str, author: Author, redact_text: impl Fn(&str) -> String) -> Cow<'_, str> {
    const LEAST_DIGITS: usize = 16;
    let is_delimiter = |it: char| it.is_ascii_whitespace() || "{}[]:,".contains(it);
    let secret = |number: &str| {
        let is_long = author == Author::Anybody && number.len() >= LEAST_DIGITS;
        let shown = is_long.then(|| redact_text(number))?;
        (shown.starts_with('[') && shown.ends_with(']')).then(|| format!("\"{shown}\""))
    };
    if !json.split(is_delimiter).any(|number| secret(number).is_some()) {
        return Cow::Borrowed(json);
    }
    let parts = json.split_inclusive(is_delimiter).map(|part| {
        let number = part.trim_end_matches(is_delimiter);
        let shown = secret(number).unwrap_or_else(|| number.to_owned());
        shown + &part[number.len()..]
    });
    Cow::Owned(parts.collect())
}

/// The string that a text begins with, with its quotes.
fn string_at(text: &str) -> &str {
    let mut is_escaped = false;
    for (position, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return &text[..=position],
            _ => {}
        }
    }
    text
}

/// Whether a field may be one of flowlake's, whose names are words. Whatever else a name is, it may be a secret.
fn is_own(field: &str) -> bool {
    field == "blake3" || field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// A string of JSON without secrets; as it is written if it has none.
fn redacted(text: &str, redact_text: impl Fn(&str) -> String) -> Cow<'_, str> {
    // Records may have strings that are no Unicode.
    let Ok(says) = serde_json::from_str::<String>(text) else {
        let shown = redact_text(text);
        return if shown == text {
            Cow::Borrowed(text)
        } else {
            Cow::Borrowed(r#""[a credential]""#)
        };
    };
    let shown = redact_text(&says);
    match serde_json::to_string(&shown) {
        Ok(written) if shown != says => Cow::Owned(written),
        _ => Cow::Borrowed(text),
    }
}

/// A URL without secrets behind its host, so that it stays one.
fn redact_url(url: &str, redact_text: impl Fn(&str) -> String) -> String {
    let host = url.find("://").map_or(0, |colon| colon + "://".len());
    let path = url[host..].find(['/', '?', '#']).map_or(url.len(), |path| host + path);
    format!("{}{}", &url[..path], redact_text(&url[path..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(secret: &str, json: &str, author: Author) -> String {
        redact(json, author, |text| text.replace(secret, "[gone]"))
    }

    #[test]
    fn h2_only_strings_lose_secrets() {
        let json =
            r#"{ "received": 123456, "text": "received 123456", "a\"b": ["\u0031\n23456"] }"#;
        for author in [Author::Anybody, Author::Flowlake] {
            assert_eq!(
                without("received", json, author),
                r#"{ "received": 123456, "text": "[gone] 123456", "a\"b": ["\u0031\n23456"] }"#
            );
        }
        assert_eq!(without("1\n23456", json, Author::Anybody).matches("[gone]").count(), 1);
        // A field of others may be a secret.
        assert_eq!(without("a\"b", json, Author::Anybody).matches("[gone]").count(), 1);
        // What follows a backslash is half of a character.
        assert_eq!(without("nnnn", r#"["\nnnnn"]"#, Author::Anybody), r#"["\n[gone]"]"#);
        assert_eq!(without("nope", r#"["\ud800 nope"]"#, Author::Anybody), r#"["[a credential]"]"#);
    }

    #[test]
    fn p8_a_key_that_a_record_has_as_a_number_is_not_shown() {
        let json = r#"{"a":[1234567890123456, -1.5],"b":12345678901234567}"#;
        assert_eq!(
            without("1234567890123456", json, Author::Anybody),
            r#"{"a":["[gone]", -1.5],"b":12345678901234567}"#
        );
        assert_eq!(without("1234567890123456", json, Author::Flowlake), json);
    }

    #[test]
    fn h2_what_reports_are_read_back_by_stays() {
        let json = r#"{"table":"orders","message":"orders","url":"http://orders:80/orders"}"#;
        assert_eq!(
            without("orders", json, Author::Flowlake),
            r#"{"table":"orders","message":"[gone]","url":"http://orders:80/[gone]"}"#
        );
        assert!(!without("orders", json, Author::Anybody).contains("orders"));
    }
}
