//! Scan: where a run of plain bytes in a string ends, eight bytes at a time.
//!
//! Strings of exports are short: most end within the first two words, sooner than a call into a vectorised search
//! returns.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many bytes stand before the first `"` or `\`; all of them when there is none.
pub(super) fn before_quote_or_escape(bytes: &[u8]) -> usize {
    before(bytes, |word| equal_to(word, b'"') | equal_to(word, b'\\'))
}

/// How many bytes stand before the first `"`, `\` or control character; all of them when there is none.
pub(super) fn before_quote_escape_or_control(bytes: &[u8]) -> usize {
    before(bytes, |word| equal_to(word, b'"') | equal_to(word, b'\\') | below_space(word))
}

/// How many bytes stand before the first that `marks` gives its high bit; it may mark bytes behind that one wrongly.
fn before(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return number * 8 + first_byte(marked);
        }
    }
    let mut last = [b'a'; 8];
    last[..rest.len()].copy_from_slice(rest);
    let marked = marks(u64::from_le_bytes(last));
    bytes.len() - rest.len() + if marked == 0 { rest.len() } else { first_byte(marked) }
}

/// The high bit of every byte that is `byte`, up to the first one that is.
fn equal_to(word: u64, byte: u8) -> u64 {
    let differences = word ^ (ONES * u64::from(byte));
    differences.wrapping_sub(ONES) & !differences & HIGH_BITS
}

/// The high bit of every byte that is less than a space, up to the first one that is.
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * u64::from(b' ')) & !word & HIGH_BITS
}

fn first_byte(marked: u64) -> usize {
    marked.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_ends_where_it_ends_byte_by_byte(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), 0x1F_u8..0x24, Just(b'\\'), Just(0x7F), Just(0x80), Just(0xA2)],
                0..40,
            ),
        ) {
            let position = |ends: fn(u8) -> bool| {
                bytes.iter().position(|byte| ends(*byte)).unwrap_or(bytes.len())
            };
            prop_assert_eq!(
                before_quote_or_escape(&bytes),
                position(|byte| matches!(byte, b'"' | b'\\'))
            );
            prop_assert_eq!(
                before_quote_escape_or_control(&bytes),
                position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
            );
        }
    }
}
