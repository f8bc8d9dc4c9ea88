//! Lines: whether an export is newline-delimited objects, each of which is a record.
//!
//! That is known only at the second object, when the first one has gone by: so the first one is held back.

use super::nesting::{Advance, Nesting};

/// A longer first object is not a record but the envelope of records.
const LONGEST_RECORD_BYTES: usize = 16 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Looks at the beginning of an export until it is clear what it is. Where the pieces end changes nothing.
#[derive(Debug, Default)]
pub(super) struct LineSniffer {
    held: Vec<u8>,
    /// How many of the bytes have been looked at.
    at: usize,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing but a byte order mark and whitespace yet.
    #[default]
    Before,
    /// In an object that began at `start`.
    InFirst { start: usize, nesting: Nesting },
    /// Behind it.
    Behind { newline: bool },
}

impl LineSniffer {
    /// Takes the next piece; `None` when it does not tell either.
    pub(super) fn take(&mut self, piece: &[u8]) -> Option<bool> {
        self.held.extend_from_slice(piece);
        loop {
            match &mut self.stage {
                Stage::Before => {
                    if self.at == 0 && self.held.len() < BYTE_ORDER_MARK.len() {
                        return None;
                    }
                    if self.at == 0 && self.held.starts_with(BYTE_ORDER_MARK) {
                        self.at = BYTE_ORDER_MARK.len();
                    }
                    self.at += whitespace(&self.held[self.at..]);
                    if *self.held.get(self.at)? != b'{' {
                        return Some(false);
                    }
                    self.stage = Stage::InFirst { start: self.at, nesting: Nesting::default() };
                }
                Stage::InFirst { start, nesting } => {
                    let advance = nesting.advance(&self.held[self.at..]);
                    self.at = match advance {
                        Advance::Within => self.held.len(),
                        Advance::Ended(used) => self.at + used,
                        Advance::Wrong(_) => return Some(false),
                    };
                    let bytes = self.at - *start;
                    match advance {
                        Advance::Ended(_) if bytes <= LONGEST_RECORD_BYTES => {
                            self.stage = Stage::Behind { newline: false };
                        }
                        Advance::Within if bytes < LONGEST_RECORD_BYTES => return None,
                        _ => return Some(false),
                    }
                }
                Stage::Behind { newline } => {
                    let behind = &self.held[self.at..];
                    let between = whitespace(behind);
                    *newline |= behind[..between].contains(&b'\n');
                    self.at += between;
                    return Some(*self.held.get(self.at)? == b'{' && *newline);
                }
            }
        }
    }

    /// The bytes that were held back.
    pub(super) fn into_held(self) -> Vec<u8> {
        self.held
    }
}

/// How many bytes of whitespace there are.
fn whitespace(bytes: &[u8]) -> usize {
    let is_whitespace = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    bytes.iter().take_while(is_whitespace).count()
}
