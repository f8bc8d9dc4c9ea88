//! `Link` headers (RFC 8288): whether one leads to the next page of what was asked for.

use reqwest::header::{HeaderMap, LINK};

/// The target of the first link with the relation `next`.
pub(super) fn next_page(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    texts.collect::<Vec<_>>().iter().find_map(|text| next_of(text))
}

/// The same of one header, which may have several links.
fn next_of(mut text: &str) -> Option<String> {
    while let Some((_, rest)) = text.split_once('<') {
        let (target, rest) = rest.split_once('>')?;
        let end = end_of_parameters(rest);
        if rest[..end].split(';').any(is_next) {
            return Some(target.trim().to_owned());
        }
        text = &rest[end..];
    }
    None
}

/// Where the parameters of a link end: at a comma that is in no quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut in_quotes = false;
    let end = text.bytes().position(|byte| {
        in_quotes ^= byte == b'"';
        byte == b',' && !in_quotes
    });
    end.unwrap_or(text.len())
}

/// Whether a parameter says that the relation, or one of several, is `next`.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|it| it.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_a_link_to_the_next_page_is_found_among_others() {
        for (text, next) in [
            ("<https://a.example/x?page=2>; rel=\"next\"", Some("https://a.example/x?page=2")),
            ("</x?a=1,2>; REL=Next", Some("/x?a=1,2")),
            ("</1>; rel=prev, </3>; title=\"a, b\"; rel=\"last next\"", Some("/3")),
            ("</1>; rel=\"prev\", </9>; rel=\"last\"", None),
            ("</1>; title=\"rel=next\"", None),
            ("</next>", None),
            ("rel=next", None),
            ("<", None),
        ] {
            assert_eq!(next_of(text).as_deref(), next, "{text}");
        }
    }
}
