//! Nesting: where a value ends, piece by piece, by its brackets and strings alone.

/// Deeper nesting is refused, as by other JSON parsers.
pub(super) const MOST_DEPTH: usize = 128;

/// Counts brackets until a value ends.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// The closing bracket that each open one waits for.
    closers: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

/// What [`Nesting::advance`] came upon.
pub(super) enum Advance {
    /// The value goes on beyond these bytes.
    Within,
    /// The value ended; so many bytes were its.
    Ended(usize),
    /// A closing bracket of the wrong kind, or too much depth, at this byte.
    Wrong(usize),
}

impl Nesting {
    /// In a list whose `[` has been taken already.
    pub(super) fn in_list() -> Self {
        Self { closers: vec![b']'], ..Self::default() }
    }

    /// Takes the next bytes of the value.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at += self.skip_string(&bytes[at..]);
                if self.in_string {
                    return Advance::Within;
                }
                if self.closers.is_empty() {
                    return Advance::Ended(at);
                }
                continue;
            }
            match bytes[at] {
                b'"' => self.in_string = true,
                b'{' => self.closers.push(b'}'),
                b'[' => self.closers.push(b']'),
                closer @ (b'}' | b']') => {
                    if self.closers.pop() != Some(closer) {
                        return Advance::Wrong(at);
                    }
                    if self.closers.is_empty() {
                        return Advance::Ended(at + 1);
                    }
                }
                _ => {}
            }
            if self.closers.len() > MOST_DEPTH {
                return Advance::Wrong(at);
            }
            at += 1;
        }
        Advance::Within
    }

    /// Skips to behind the closing quote, or to the end of `bytes`; returns how far.
    fn skip_string(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        if self.escaped && !bytes.is_empty() {
            self.escaped = false;
            at = 1;
        }
        loop {
            // Strings are short: a call into `memchr2` for each costs a seventh more than going byte by byte.
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\');
            at += bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
            match bytes.get(at) {
                None => return at,
                Some(b'"') => {
                    self.in_string = false;
                    return at + 1;
                }
                Some(_) if at + 1 == bytes.len() => {
                    self.escaped = true;
                    return at + 1;
                }
                Some(_) => at += 2,
            }
        }
    }
}
