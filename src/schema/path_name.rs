//! Names in paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Every byte except ASCII letters, digits, `-`, `_` and `.`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A name, percent-encoded for use in a path. Every engine that reads Hive directories decodes it.
#[must_use]
pub fn percent_encoded(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The inverse of [`percent_encoded`]; none for a name that it does not write.
#[must_use]
pub fn percent_decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
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
