//! A secret as encoders write it: in JSON, in URLs, in HTML. A server that repeats what it was asked with may use any.

use std::sync::LazyLock;

use regex::Regex;

/// Characters with names in HTML that encoders use.
const NAMED: [(char, &str); 8] = [
    ('&', "amp"),
    ('<', "lt"),
    ('>', "gt"),
    ('"', "quot"),
    ('\'', "apos"),
    ('/', "sol"),
    ('+', "plus"),
    ('=', "equals"),
];

/// An encoded character that a text ends in the middle of. One outside of ASCII has several parts.
static CUT_CHARACTER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let json = r"(?:\\+u[dD][89abAB][0-9a-fA-F]{2})?(?:\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?)?)?";
    let url = "(?:%(?:25)*[89a-fA-F][0-9a-fA-F])*(?:%(?:25)*[0-9a-fA-F]?)?";
    let html = "&(?:amp;)*#?[0-9a-zA-Z]*";
    Regex::new(&format!("(?:{html}|{url}|{json})$")).ok()
});

/// A pattern for all ways to write a secret; none if there is only one, or too many.
pub(super) fn as_written(secret: &str) -> Option<Regex> {
    let is_the_same_everywhere = |it: char| it.is_ascii_alphanumeric() || "_-.~".contains(it);
    if secret.chars().all(is_the_same_everywhere) {
        return None;
    }
    let ways = |it: char| {
        if is_the_same_everywhere(it) { regex::escape(&it.to_string()) } else { ways(it) }
    };
    let pattern: String = secret.chars().map(ways).collect();
    Regex::new(&pattern).ok()
}

/// The text without an encoded character that it ends in the middle of.
pub(super) fn without_cut_character(text: &str) -> &str {
    let cut = CUT_CHARACTER.as_ref().and_then(|cut| cut.find(text));
    cut.map_or(text, |cut| &text[..cut.start()])
}

/// A pattern for all ways to write a character.
fn ways(character: char) -> String {
    let code = u32::from(character);
    let units: Vec<String> = character
        .encode_utf16(&mut [0; 2])
        .iter()
        .map(|unit| format!(r"\\+u(?i:{unit:04x})"))
        .collect();
    let bytes: Vec<String> = character
        .encode_utf8(&mut [0; 4])
        .bytes()
        .map(|byte| format!("%(?:25)*(?i:{byte:02x})"))
        .collect();
    let mut ways = vec![
        // JSON within JSON has more backslashes.
        format!(r"\\*{}", regex::escape(&character.to_string())),
        units.concat(),
        bytes.concat(),
        format!("&(?:amp;)*#(?:0*{code}|[xX]0*(?i:{code:x}));"),
    ];
    if character.is_ascii() {
        ways.push(format!(r"\\+x(?i:{code:02x})"));
    }
    if let Some((_, name)) = NAMED.iter().find(|(named, _)| *named == character) {
        ways.push(format!("&(?:amp;)*{name};"));
    }
    match character {
        ' ' => ways.push(r"\+".to_owned()),
        '\n' => ways.push(r"\\+n".to_owned()),
        '\t' => ways.push(r"\\+t".to_owned()),
        _ => {}
    }
    format!("(?:{})", ways.join("|"))
}
