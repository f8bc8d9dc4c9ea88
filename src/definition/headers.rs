//! `[source.headers]`: request headers besides flowlake's own.

use std::fmt;

use indexmap::IndexMap;
use schemars::Schema;
use serde_json::json;

use super::checker::Checker;
use super::field::Field;
use super::problem::Problem;

/// A request header. Its value may come from the environment, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The headers of `[source.headers]`, as typed.
pub(super) type RawHeaders = IndexMap<String, Field<String>>;

/// Headers whose value is a secret.
const SECRET_HEADERS: [&str; 4] = ["x-api-key", "authorization", "proxy-authorization", "cookie"];
/// Headers that the HTTP client sets.
const TRANSPORT_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "range",
    "te",
    "transfer-encoding",
];

/// The valid headers among those typed.
pub(super) fn check(raw: RawHeaders, checker: &mut Checker<'_>) -> Vec<Header> {
    raw.into_iter().filter_map(|(name, field)| header(&name, field, checker)).collect()
}

fn header(name: &str, field: Field<String>, checker: &mut Checker<'_>) -> Option<Header> {
    let key = format!("source.headers.{name}");
    let span = field.span.clone();
    let lower = name.to_ascii_lowercase();
    if SECRET_HEADERS.contains(&lower.as_str()) {
        let message = "a definition never holds a secret";
        let help = "say where the API key is with `api_key`; it is sent as `x-api-key`";
        checker.problems.push(Problem::at(span, &key, message, help).hiding_the_line());
        return None;
    }
    if TRANSPORT_HEADERS.contains(&lower.as_str()) {
        checker.report(span, &key, "flowlake sets this header itself", "leave it out");
        return None;
    }
    let (value, span) = checker.text(Some(field), &key)?;
    if !is_header_name(&lower) || !is_header_value(&value) {
        let help = "names are letters, digits and `-`; values are one line of ASCII text";
        checker.report(span, &key, "not a valid HTTP header", help);
        return None;
    }
    Some(Header { name: lower, value })
}

/// Whether a text is a token of RFC 9110, as a field name has to be.
fn is_header_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Whether a text is a field value of RFC 9110 in ASCII: visible characters, spaces and tabs.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic())
}

/// Adds what names a header may have to the schema of the section.
pub(super) fn restrict_names(schema: &mut Schema) {
    let refused: Vec<String> =
        SECRET_HEADERS.iter().chain(&TRANSPORT_HEADERS).map(|name| in_any_case(name)).collect();
    let pattern = format!(r"^(?!({})$)[!#$%&'*+\-.^_`|~0-9A-Za-z]+$", refused.join("|"));
    schema.insert("propertyNames".to_owned(), json!({ "pattern": pattern }));
}

/// A pattern for a word in upper and lower case: ECMA-262 has no inline flags.
fn in_any_case(word: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphabetic() {
            format!("[{letter}{}]", letter.to_ascii_uppercase())
        } else {
            letter.to_string()
        }
    };
    word.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_and_values_are_visible() {
        for name in ["x-team", "a.b_c~", "1"] {
            assert!(is_header_name(name), "{name}");
        }
        for name in ["", "x team", "x:", "é", "x\n"] {
            assert!(!is_header_name(name), "{name:?}");
        }
        assert!(is_header_value("a b\tc") && is_header_value(""));
        assert!(!is_header_value("a\r\nb") && !is_header_value("é"));
    }

    #[test]
    fn debug_shows_no_value() {
        let header = Header { name: "x-team".to_owned(), value: "data".to_owned() };
        assert!(!format!("{header:?}").contains("data"));
    }
}
