//! The paths of data files in a log: relative to the table, percent-encoded as in a URI.
//!
//! A directory `c_partition=a%2Fb c` has a percent sign in its name, so its path is `c_partition=a%252Fb%20c`.

use std::fmt::Write;

/// What stands for itself.
const PLAIN: &[u8] = b"-._~/=";

/// The path of a file as a log has it.
pub(super) fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// The inverse of [`encoded`], for whatever stands in a log; none for what is no UTF-8.
pub(super) fn decoded(uri: &str) -> Option<String> {
    let mut path = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|it| it.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.filter(|_| *first == b'%').and_then(|it| std::str::from_utf8(it).ok());
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            path.push(byte);
            rest = &behind[2..];
        } else {
            path.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_encoded_once_more_than_its_directory() {
        for (path, uri) in [
            ("0000-r.parquet", "0000-r.parquet"),
            ("at_month=2026-10/0000-r.parquet", "at_month=2026-10/0000-r.parquet"),
            ("c_partition=a%2Fb c/f", "c_partition=a%252Fb%20c/f"),
            ("c_partition=Ö+#?/f", "c_partition=%C3%96%2B%23%3F/f"),
        ] {
            assert_eq!(encoded(path), uri);
            assert_eq!(decoded(uri).as_deref(), Some(path));
        }
        assert_eq!(decoded("100%/%zz").as_deref(), Some("100%/%zz"));
        assert_eq!(decoded("%ff"), None);
    }

    proptest! {
        #[test]
        fn every_path_reads_back(path in ".{0,40}") {
            prop_assert_eq!(decoded(&encoded(&path)), Some(path));
        }
    }
}
