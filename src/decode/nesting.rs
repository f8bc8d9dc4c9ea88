//! Nesting: finds the end of a JSON value by its brackets and strings alone, chunk by chunk.

use super::block::{BLOCK_BYTES, Block, parity};

/// Deeper nesting is no record of anything: the brackets are refused before they take the memory.
pub(super) const MOST_OPEN: usize = 1 << 20;

/// Counts brackets until an object or a list ends.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// The closing bracket expected for each open one.
    closers: Vec<u8>,
    in_string: bool,
    /// The last byte was a backslash that escapes the next one.
    escaped: bool,
}

/// The result of [`Nesting::advance`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// The value continues after these bytes.
    Within,
    /// The value ended after this many bytes.
    Ended(usize),
    /// A wrong closing bracket, at this byte.
    Wrong(usize),
    /// Too many open brackets, at this byte.
    TooDeep(usize),
}

impl Nesting {
    /// Starts inside a list, after its `[`.
    pub(super) fn in_list() -> Self {
        Self { closers: vec![b']'], ..Self::default() }
    }

    /// The same place, with the list around the value: it ends where the list does.
    pub(super) fn within_list(mut self) -> Self {
        self.closers.insert(0, b']');
        self
    }

    /// Takes the next bytes of the value, which begins with a bracket or a quote.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        for (number, block) in blocks.iter().enumerate() {
            if let Some(end) = self.take(block, BLOCK_BYTES) {
                return end.after(number * BLOCK_BYTES);
            }
        }
        let mut block = [b' '; BLOCK_BYTES];
        block[..rest.len()].copy_from_slice(rest);
        let end = self.take(&block, rest.len());
        end.map_or(Advance::Within, |end| end.after(bytes.len() - rest.len()))
    }

    /// Takes the first `length` bytes of a block; the rest is padding.
    fn take(&mut self, block: &[u8; BLOCK_BYTES], length: usize) -> Option<Advance> {
        if length == 0 {
            return None;
        }
        let Block { quotes, backslashes, openers, closers } = Block::of(block);
        let (escaped, is_next_escaped) = escaped(backslashes, self.escaped);
        let quotes = quotes & !escaped;
        // From each opening quote to before its closing one.
        let strings = parity(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        if self.closers.is_empty() && (self.in_string || block[0] == b'"') {
            let closing = quotes & !strings;
            if closing != 0 {
                return Some(Advance::Ended(closing.trailing_zeros() as usize + 1));
            }
        }
        let mut brackets = (openers | closers) & !strings;
        while brackets != 0 {
            let at = brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            match block[at] {
                b'{' => self.closers.push(b'}'),
                b'[' => self.closers.push(b']'),
                closer => {
                    if self.closers.pop() != Some(closer) {
                        return Some(Advance::Wrong(at));
                    }
                    if self.closers.is_empty() {
                        return Some(Advance::Ended(at + 1));
                    }
                }
            }
            if self.closers.len() > MOST_OPEN {
                return Some(Advance::TooDeep(at));
            }
        }
        self.in_string = strings >> (length - 1) & 1 == 1;
        self.escaped =
            if length == BLOCK_BYTES { is_next_escaped } else { escaped >> length & 1 == 1 };
        None
    }
}

impl Advance {
    /// The same, for a start this many bytes earlier.
    fn after(self, bytes: usize) -> Self {
        match self {
            Self::Within => Self::Within,
            Self::Ended(used) => Self::Ended(bytes + used),
            Self::Wrong(at) => Self::Wrong(bytes + at),
            Self::TooDeep(at) => Self::TooDeep(bytes + at),
        }
    }
}

/// Which bytes are escaped by a backslash, and whether the byte after the block is. In a run of backslashes every second
/// one is escaped, so only the parity of its length matters. Adding the first bit of a run carries to the bit after it.
fn escaped(backslashes: u64, is_first_escaped: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let first = u64::from(is_first_escaped);
    let backslashes = backslashes & !first;
    if backslashes == 0 {
        return (first, false);
    }
    let after = backslashes << 1 | first;
    let odd_starts = backslashes & !EVEN & !after;
    let (even_ends, is_next_escaped) = odd_starts.overflowing_add(backslashes);
    ((EVEN ^ (even_ends << 1)) & after, is_next_escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn slowly(bytes: &[u8]) -> Advance {
        let (mut closers, mut in_string, mut escaped) = (Vec::new(), false, false);
        for (at, byte) in bytes.iter().enumerate() {
            let is_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' => escaped = !is_escaped,
                b'"' if is_escaped => {}
                b'"' => {
                    in_string = !in_string;
                    if !in_string && closers.is_empty() {
                        return Advance::Ended(at + 1);
                    }
                }
                _ if in_string => {}
                b'{' => closers.push(b'}'),
                b'[' => closers.push(b']'),
                b'}' | b']' => {
                    if closers.pop() != Some(*byte) {
                        return Advance::Wrong(at);
                    }
                    if closers.is_empty() {
                        return Advance::Ended(at + 1);
                    }
                }
                _ => {}
            }
        }
        Advance::Within
    }

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            3 => Just(b'\\'),
            2 => Just(b'"'),
            2 => proptest::sample::select(b"{[}]".as_slice()),
            3 => any::<u8>(),
        ];
        let bytes = proptest::collection::vec(byte, 0..300);
        (proptest::sample::select(b"{[\"".as_slice()), bytes)
            .prop_map(|(first, bytes)| [vec![first], bytes].concat())
    }

    proptest! {
        #[test]
        fn p6_a_value_ends_where_it_does_however_it_is_cut(bytes in any_value(), cut in 1_usize..150) {
            let expected = slowly(&bytes);
            prop_assert_eq!(Nesting::default().advance(&bytes), slowly(&bytes));
            let mut nesting = Nesting::default();
            let mut advance = Advance::Within;
            for (number, piece) in bytes.chunks(cut).enumerate() {
                advance = nesting.advance(piece).after(number * cut);
                if advance != Advance::Within {
                    break;
                }
            }
            prop_assert_eq!(advance, expected);
        }
    }
}
