//! Values in the names of directories, behind the `=`.
//!
//! | value | in the directory |
//! |---|---|
//! | null | `none` |
//! | the empty text | `empty` |
//! | `Ökonomie å` | `Ökonomie å` |
//! | `b%c/d` | `b%25c%2Fd` |
//! | `none`, `NULL`, `empty` | `text-none`, `text-NULL`, `text-empty` |
//! | `0012`, `0x0C`, `10:00`, `１２` | `text-0012`, `text-0x0C`, `text-10%3A00`, `text-１２` |
//! | `text-none` | `text-text-none` |
//!
//! The columns of the files have the values; a directory only has to be unique, readable and harmless. Nothing is empty
//! behind the `=`, since Hive and Spark cannot read such a table, and no engine takes the name of a text for null.
//! Engines guess types: with directories `0012` and `12`, which pyarrow takes for one integer, pandas cannot read a table,
//! and polars cannot where it takes a text for a number or a time that it then fails to read.

/// The name of null.
const NULL: &str = "none";
/// The name of the empty text.
const EMPTY: &str = "empty";
/// What stands in front of a text that readers would take for something else, or that is one behind this.
const TEXT: &str = "text-";
/// Texts that a reader could take for no value, in upper or lower case: those that engines make null, and names of ours.
const WORDS: &[&str] = &[NULL, EMPTY, "null", "nan", "\\N", "__HIVE_DEFAULT_PARTITION__"];
/// What Hive and Spark escape besides control characters, and undo.
const ESCAPED: &[u8] = b"\"#%'*/:=?\\{[]^";
const HEX_DIGITS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

/// The value in a directory; `None` is null.
pub(super) fn directory_value(value: Option<&str>) -> String {
    match value {
        None => NULL.to_owned(),
        Some("") => EMPTY.to_owned(),
        Some(text) if is_mistakable(text) => format!("{TEXT}{}", escaped(text)),
        Some(text) => escaped(text),
    }
}

/// The inverse of [`directory_value`], without which a text is no value: `Some(None)` is null.
#[allow(clippy::option_option, reason = "a value may be null, and a text may be no value")]
pub(super) fn parse_directory_value(text: &str) -> Option<Option<String>> {
    Some(match text {
        NULL => None,
        EMPTY => Some(String::new()),
        text => {
            let text = unescaped(text)?;
            let behind = text.strip_prefix(TEXT).filter(|behind| is_mistakable(behind));
            Some(behind.map(str::to_owned).unwrap_or(text))
        }
    })
}

/// Whether a text needs [`TEXT`] in front.
fn is_mistakable(text: &str) -> bool {
    let mut text = text;
    while let Some(behind) = text.strip_prefix(TEXT) {
        text = behind;
    }
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || is_integer_in_another_form(text)
        || is_time(text)
        || has_other_digits(text)
}

/// Whether it reads like an integer that is written otherwise: pyarrow takes `0012` and `0x0C` for 12.
fn is_integer_in_another_form(text: &str) -> bool {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hexadecimal {
        return !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_integer && digits.starts_with('0') && text != "0"
}

/// Whether it reads like a time of day, of which polars makes no column.
fn is_time(text: &str) -> bool {
    let is_of_a_time = |byte: u8| byte.is_ascii_digit() || byte == b':' || byte == b'.';
    text.contains(':') && text.bytes().all(is_of_a_time)
}

/// Whether it could read like a number or a date in digits that are not ASCII, which polars finds and cannot read.
fn has_other_digits(text: &str) -> bool {
    !text.is_ascii() && text.chars().all(|it| it.is_ascii() || it.is_numeric())
}

/// As Hive and Spark write it: ASCII that a path cannot have, as `%` and two digits. They undo it character by character,
/// so nothing but ASCII may be escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii_control() || ESCAPED.contains(&byte) => {
                escaped.push('%');
                escaped.push(HEX_DIGITS[usize::from(byte >> 4)]);
                escaped.push(HEX_DIGITS[usize::from(byte & 15)]);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The inverse of [`escaped`]; none for a percent sign without two digits of ASCII behind it.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut unescaped = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // Signs are digits to Rust.
        let digits = Some(digits).filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?;
        unescaped.push(char::from(byte));
        unescaped.push_str(rest);
    }
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_the_table() {
        for (value, directory) in [
            (None, "none"),
            (Some(""), "empty"),
            (Some("Ökonomie å"), "Ökonomie å"),
            (Some("b%c/d"), "b%25c%2Fd"),
            (Some("none"), "text-none"),
            (Some("NULL"), "text-NULL"),
            (Some("empty"), "text-empty"),
            (Some("text-none"), "text-text-none"),
            (Some("text-book"), "text-book"),
            (Some("__HIVE_DEFAULT_PARTITION__"), "text-__HIVE_DEFAULT_PARTITION__"),
            (Some("\\N"), "text-%5CN"),
            (Some("."), "."),
            (Some("0"), "0"),
            (Some("12"), "12"),
            (Some("-0.05"), "-0.05"),
            (Some("2026-10-05"), "2026-10-05"),
            (Some("0012"), "text-0012"),
            (Some("-0"), "text--0"),
            (Some("0x0C"), "text-0x0C"),
            (Some("10:00"), "text-10%3A00"),
            (Some("１２"), "text-１２"),
            (Some("٣.5"), "text-٣.5"),
            (Some("a\0\u{1f}\u{7f}"), "a%00%1F%7F"),
        ] {
            assert_eq!(directory_value(value), directory, "{value:?}");
            assert_eq!(parse_directory_value(directory), Some(value.map(str::to_owned)));
        }
        for text in ["%", "a%2", "%zz", "%C3%A9", "%+1"] {
            assert_eq!(parse_directory_value(text), None, "{text}");
        }
    }

    /// `ExternalCatalogUtils.charToEscape` of Spark, but for NUL, which no path can have.
    #[test]
    fn what_spark_escapes_is_escaped_and_nothing_else() {
        let escaped_by_spark = |character: char| {
            ('\u{1}'..='\u{1f}').contains(&character)
                || "\"#%'*/:=?\\\u{7f}{[]^".contains(character)
        };
        for character in '\u{1}'..='\u{2ff}' {
            let is_escaped = escaped(&character.to_string()) != character.to_string();
            assert_eq!(is_escaped, escaped_by_spark(character), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back_and_can_stand_in_a_path(
            text in proptest::option::of("\\PC{0,8}|[\\x00-\\x7f]{0,8}|(text-){0,3}(none|EMPTY|null|NaN|\\\\N|0?12|-0|0x0c|10:00|１２)|\\.{1,3}"),
        ) {
            let directory = directory_value(text.as_deref());
            prop_assert!(!directory.is_empty());
            let whole = format!("c_partition={directory}");
            let path = Path::parse(&whole).unwrap();
            prop_assert_eq!(path.as_ref(), &whole);
            prop_assert_eq!(path.parts().count(), 1);
            prop_assert_eq!(parse_directory_value(&directory), Some(text));
        }
    }
}
