//! The envelope of an export: the JSON around the arrays of records.

/// The position in the envelope: what the next byte may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EnvelopeState {
    /// Before a value of the whole export.
    Root,
    /// After the first byte of a byte order mark.
    InByteOrderMark,
    /// After `{`.
    KeyOrEnd,
    /// After `,` in an object.
    Key,
    /// In a key.
    InKey { escaped: bool },
    /// After a key.
    Colon,
    /// After `:`.
    Value,
    /// After a value in an object.
    CommaOrEnd,
    /// In a number or a word.
    InScalar,
    /// In a value without records.
    Skipping,
    /// After the `[` of an array that is not selected by name.
    Candidate,
    /// After the `[` of records.
    RecordOrEnd,
    /// After `,` between records.
    Record,
    /// In a record.
    InRecord,
    /// In a record that is a number or a word.
    InScalarRecord,
    /// After a record.
    RecordCommaOrEnd,
}

impl EnvelopeState {
    /// What the next byte has to begin.
    pub(super) fn expectation(self) -> &'static str {
        match self {
            Self::KeyOrEnd => "a key or `}`",
            Self::Key => "a key",
            Self::Colon => "`:`",
            Self::CommaOrEnd => "`,` or `}`",
            Self::RecordOrEnd => "a record or `]`",
            Self::Record => "a record",
            Self::RecordCommaOrEnd => "`,` or `]`",
            _ => "a value",
        }
    }
}

/// Whether a byte stands between the tokens of JSON.
pub(super) fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Whether a byte can be part of a number, `true`, `false` or `null`.
pub(super) fn is_scalar_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// Whether a byte can begin a JSON value.
pub(super) fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// The text of a quoted key. Half of a surrogate pair is valid JSON but no text; such a key keeps its escapes and matches no
/// selection.
pub(super) fn key_of(quoted: &[u8]) -> Option<String> {
    serde_json::from_slice(quoted).ok().or_else(|| {
        let text = std::str::from_utf8(quoted).ok()?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        Some(text.to_owned())
    })
}
