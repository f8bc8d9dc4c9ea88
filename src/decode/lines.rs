//! Detects newline-delimited JSON, in which each value is a record, and the first one an object.
//!
//! Only the second value tells, so the bytes of the first are buffered.

use super::envelope::begins_value;
use super::nesting::{Advance, Nesting};

/// A longer first object is taken for an envelope, not for a record.
pub(super) const LONGEST_RECORD_BYTES: usize = 16 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads the beginning of an export until its format is known. Chunk boundaries do not matter.
#[derive(Debug, Default)]
pub(super) struct LineSniffer {
    held: Vec<u8>,
    /// How many of the held bytes were read.
    at: usize,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    /// Only a byte order mark and whitespace so far.
    #[default]
    Before,
    /// In the first object, which begins at `start`.
    InFirst { start: usize, nesting: Nesting },
    /// After the first object.
    Behind { newline: bool, whitespace: usize },
}

impl LineSniffer {
    /// Takes the next piece. Returns whether the export is newline-delimited; `None` while unknown.
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
                    if self.at > LONGEST_RECORD_BYTES || *self.held.get(self.at)? != b'{' {
                        return Some(false);
                    }
                    self.stage = Stage::InFirst { start: self.at, nesting: Nesting::default() };
                }
                Stage::InFirst { start, nesting } => {
                    let advance = nesting.advance(&self.held[self.at..]);
                    self.at = match advance {
                        Advance::Within => self.held.len(),
                        Advance::Ended(used) => self.at + used,
                        Advance::Wrong(_) | Advance::TooDeep(_) => return Some(false),
                    };
                    let bytes = self.at - *start;
                    match advance {
                        Advance::Ended(_) if bytes <= LONGEST_RECORD_BYTES => {
                            self.stage = Stage::Behind { newline: false, whitespace: 0 };
                        }
                        Advance::Within if bytes < LONGEST_RECORD_BYTES => return None,
                        _ => return Some(false),
                    }
                }
                Stage::Behind { newline, whitespace: before } => {
                    let after = &self.held[self.at..];
                    let between = whitespace(after);
                    *newline |= after[..between].contains(&b'\n');
                    self.at += between;
                    *before += between;
                    if *before > LONGEST_RECORD_BYTES {
                        return Some(false);
                    }
                    return Some(begins_value(*self.held.get(self.at)?) && *newline);
                }
            }
        }
    }

    /// The buffered bytes.
    pub(super) fn into_held(self) -> Vec<u8> {
        self.held
    }
}

/// The number of leading whitespace bytes.
fn whitespace(bytes: &[u8]) -> usize {
    let is_whitespace = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    bytes.iter().take_while(is_whitespace).count()
}
