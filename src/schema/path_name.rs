//! Names in paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Every byte except ASCII letters, digits, `-`, `_` and `.`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A name, percent-encoded for use in a path. Every engine that reads Hive directories decodes it.
#[must_use]
pub fn percent_encoded(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The inverse of [`percent_encoded`]; none for bytes that are not UTF-8.
#[must_use]
pub fn percent_decoded(encoded: &str) -> Option<String> {
    Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ascii_byte_but_letters_digits_and_three_marks_is_encoded() {
        for byte in 0..128_u8 {
            let encoded = percent_encoded(&char::from(byte).to_string());
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                assert_eq!(encoded, char::from(byte).to_string());
            } else {
                assert_eq!(encoded, format!("%{byte:02X}"));
            }
        }
        assert_eq!(percent_encoded("Äpfel 日"), "%C3%84pfel%20%E6%97%A5");
    }
}
