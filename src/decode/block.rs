//! Block: classifies 64 bytes of JSON at once, one bit per byte and question.

use wide::u8x16;

/// The size of a block in bytes.
pub(super) const BLOCK_BYTES: usize = 64;

/// Where a block has quotes, backslashes and brackets. The lowest bit is the first byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// `{` and `[`
    pub(super) openers: u64,
    /// `}` and `]`
    pub(super) closers: u64,
}

impl Block {
    pub(super) fn of(bytes: &[u8; BLOCK_BYTES]) -> Self {
        let (lanes, _) = bytes.as_chunks::<16>();
        let mut block = Self { quotes: 0, backslashes: 0, openers: 0, closers: 0 };
        for (lane, bytes) in lanes.iter().enumerate() {
            let bytes = u8x16::from(*bytes);
            // Sets the one bit in which brackets and braces differ.
            let folded = bytes | u8x16::splat(b'{' ^ b'[');
            let bits = |of: u8x16, byte: u8| {
                u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * lane)
            };
            block.quotes |= bits(bytes, b'"');
            block.backslashes |= bits(bytes, b'\\');
            block.openers |= bits(folded, b'{');
            block.closers |= bits(folded, b'}');
        }
        block
    }
}

/// For each bit, whether an odd number of `bits` is set up to and including it.
pub(super) fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The number of bytes before the first quote, backslash or control character.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (lanes, _) = bytes.as_chunks::<16>();
    for (lane, bytes) in lanes.iter().enumerate() {
        let bytes = u8x16::from(*bytes);
        let ends = bytes.simd_eq(u8x16::splat(b'"'))
            | bytes.simd_eq(u8x16::splat(b'\\'))
            | bytes.simd_lt(u8x16::splat(b' '));
        let ends = ends.to_bitmask();
        if ends != 0 {
            return 16 * lane + ends.trailing_zeros() as usize;
        }
    }
    let first = 16 * lanes.len();
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    bytes[first..].iter().position(is_end).map_or(bytes.len(), |at| first + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_match_the_bytes(bytes in proptest::collection::vec(prop_oneof![
            Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'['), Just(b'}'), Just(b']'), any::<u8>(),
        ], BLOCK_BYTES)) {
            let block = Block::of(bytes.as_slice().try_into().unwrap());
            let mut quotes_before = 0;
            for (at, byte) in bytes.iter().enumerate() {
                let is_set = |bits: u64| bits >> at & 1 == 1;
                prop_assert_eq!(is_set(block.quotes), *byte == b'"');
                prop_assert_eq!(is_set(block.backslashes), *byte == b'\\');
                prop_assert_eq!(is_set(block.openers), matches!(byte, b'{' | b'['));
                prop_assert_eq!(is_set(block.closers), matches!(byte, b'}' | b']'));
                quotes_before += u32::from(*byte == b'"');
                prop_assert_eq!(is_set(parity(block.quotes)), quotes_before % 2 == 1);
            }
            let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F));
            prop_assert_eq!(plain_run(&bytes), plain.unwrap_or(BLOCK_BYTES));
            prop_assert_eq!(plain_run(&bytes[..20]), plain.unwrap_or(BLOCK_BYTES).min(20));
        }
    }
}
