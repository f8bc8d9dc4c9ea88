//! The splitter: finds the records of an export while it arrives.
//!
//! It walks the envelope (objects only) byte by byte to a selected array. Inside records it only counts brackets; the
//! parser reads their content. State is kept between pieces, so chunk boundaries do not matter.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::lines::LineSniffer;
use super::nesting::{Advance, Nesting};
use super::position::Position;
use crate::excerpt::excerpt;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::{IdVec, InvalidPointer, JsonPointer, PositionId, RootId};

/// The size of a batch in bytes.
const BATCH_BYTES: usize = 2 << 20;

/// Which arrays of an export hold records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordSelector {
    /// The only array of objects, or the array that earlier exports had.
    TheOnlyArray {
        /// Where the records were in earlier exports.
        before: Option<RecordsAt>,
    },
    /// One array per table, in the order of the tables.
    At(Vec<JsonPointer>),
}

/// Where records were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordsAt {
    /// In an array, or in a single object.
    Place(JsonPointer),
    /// In newline-delimited objects, one record each.
    Lines,
}

impl RecordsAt {
    /// How manifests write newline-delimited records; no JSON Pointer.
    const LINES: &str = "lines";

    /// The pointer to the records; the root for newline-delimited ones.
    #[must_use]
    pub fn pointer(&self) -> JsonPointer {
        match self {
            Self::Place(pointer) => pointer.clone(),
            Self::Lines => JsonPointer::default(),
        }
    }
}

impl TryFrom<String> for RecordsAt {
    type Error = InvalidPointer;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == Self::LINES { Ok(Self::Lines) } else { text.parse().map(Self::Place) }
    }
}

impl From<RecordsAt> for String {
    fn from(at: RecordsAt) -> Self {
        match at {
            RecordsAt::Place(pointer) => pointer.into(),
            RecordsAt::Lines => RecordsAt::LINES.to_owned(),
        }
    }
}

/// Whole records of one array, as bytes.
#[derive(Debug)]
pub struct RecordBatch {
    /// The position in [`RecordSelector::At`]; 0 for the only array.
    pub root: RootId,
    /// The number of records of this table before this batch.
    pub first_record: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<Record>,
}

/// The position of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Its first byte in the batch. It ends where the next record begins.
    pub(super) start: usize,
    /// Its first byte in the export.
    pub(super) position: Position,
}

impl RecordBatch {
    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The offset of each record in the export, and its bytes.
    pub fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.extents().map(|(extent, offset)| (offset, &self.bytes[extent]))
    }

    /// The byte range of each record in the batch, and its offset in the export.
    pub(super) fn extents(&self) -> impl Iterator<Item = (Range<usize>, u64)> {
        let starts = self.records.iter().skip(1).map(|record| record.start);
        let ends = starts.chain([self.bytes.len()]);
        self.records.iter().zip(ends).map(|(record, end)| (record.start..end, record.position.byte))
    }
}

/// What a complete export has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// For each selected table, where its records are.
    pub records_at: IdVec<RootId, RecordsAt>,
    /// For each selected table, the number of records.
    pub records: IdVec<RootId, u64>,
}

/// The export is not JSON, is incomplete, or does not have the selected records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Only whitespace.
    #[error("the export is empty")]
    Empty,
    /// The first byte cannot begin JSON.
    #[error("the export is not JSON: it begins with `{beginning}`")]
    NotJson {
        /// Its first line.
        beginning: String,
    },
    /// The bytes stop before the JSON does.
    #[error("the export is truncated after {bytes} bytes")]
    Truncated {
        /// How many bytes there are.
        bytes: u64,
    },
    /// Unexpected input.
    #[error("the export is not valid JSON at {position}: expected {expected}, found `{rest}`")]
    Malformed {
        /// Where.
        position: Position,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        rest: String,
    },
    /// A second value follows the first.
    #[error("the export has a second JSON value, at {position}")]
    SecondValue {
        /// Where.
        position: Position,
    },
    /// Several arrays of objects, and the definition does not say which to load.
    #[error("the export has several arrays of objects: {}", list(.candidates))]
    Ambiguous {
        /// All of them.
        candidates: Vec<JsonPointer>,
    },
    /// No array of objects.
    #[error("the export has no array of objects")]
    NoRecords,
    /// A selected array is missing.
    #[error("the export has no records {}{}", place(.pointer), others(.candidates))]
    NotFound {
        /// The selected array.
        pointer: JsonPointer,
        /// The arrays of objects in the export.
        candidates: Vec<JsonPointer>,
    },
    /// The selected value is a scalar.
    #[error("the value {} is neither a list nor an object", place(.pointer))]
    NotRecords {
        /// The place.
        pointer: JsonPointer,
    },
}

impl Failure for SplitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Ambiguous { .. } => ExitCode::Usage,
            Self::Empty
            | Self::NotJson { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::SecondValue { .. }
            | Self::NoRecords
            | Self::NotFound { .. }
            | Self::NotRecords { .. } => ExitCode::Export,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Ambiguous { candidates } => {
                let lines: Vec<String> =
                    candidates.iter().map(|it| format!("records = \"{it}\"")).collect();
                let lines = lines.join(" or ");
                return Some(format!("say which in `[[tables]]`, one table each: {lines}"));
            }
            Self::NoRecords => {
                "to load the whole export as one record, write `records = \"\"` in `[[tables]]`"
            }
            Self::NotFound { .. } | Self::NotRecords { .. } => {
                "correct `records` in `[[tables]]`; the tables are as they were"
            }
            Self::NotJson { .. } => {
                "check `base_url` and what answers there; the tables are as they were"
            }
            Self::SecondValue { .. } => {
                "the tables are as they were; if each value is a record, write `records = \"\"` in `[[tables]]`, \
                 otherwise ask the source for the export again"
            }
            Self::Empty | Self::Truncated { .. } | Self::Malformed { .. } => advice::ASK_AGAIN,
        };
        Some(help.to_owned())
    }
}

fn place(pointer: &JsonPointer) -> String {
    if pointer.keys().is_empty() { "at its root".to_owned() } else { format!("at `{pointer}`") }
}

fn list(pointers: &[JsonPointer]) -> String {
    let quoted: Vec<String> = pointers.iter().map(|pointer| format!("`{pointer}`")).collect();
    quoted.join(", ")
}

fn others(candidates: &[JsonPointer]) -> String {
    if candidates.is_empty() {
        String::new()
    } else {
        format!("; its arrays of objects are {}", list(candidates))
    }
}

/// The position in the envelope: what the next byte may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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
    /// After a record.
    RecordCommaOrEnd,
}

/// Finds the records of an export, piece by piece.
#[derive(Debug)]
pub struct Splitter {
    selector: RecordSelector,
    state: State,
    /// The current key of every open object of the envelope.
    path: Vec<String>,
    open_objects: usize,
    token: Vec<u8>,
    nesting: Nesting,
    /// The table of the current record.
    table: usize,
    /// The current record is an item of an array.
    in_array: bool,
    batches: Vec<RecordBatch>,
    records: Vec<u64>,
    found: Vec<bool>,
    candidates: Vec<JsonPointer>,
    empty_arrays: Vec<JsonPointer>,
    /// Buffers the beginning until it is known whether the export is newline-delimited.
    sniffer: Option<LineSniffer>,
    /// The export is newline-delimited, or earlier ones were.
    lines: bool,
    position: Position,
    roots: u64,
}

impl Splitter {
    /// A splitter at the beginning of an export.
    #[must_use]
    pub fn new(selector: RecordSelector) -> Self {
        let tables = match &selector {
            RecordSelector::TheOnlyArray { .. } => 1,
            RecordSelector::At(pointers) => pointers.len(),
        };
        let lines = selector == RecordSelector::TheOnlyArray { before: Some(RecordsAt::Lines) };
        Self {
            sniffer: can_be_lines(&selector).then(LineSniffer::default),
            selector: if lines { all_values() } else { selector },
            lines,
            state: State::Root,
            path: Vec::new(),
            open_objects: 0,
            token: Vec::new(),
            nesting: Nesting::default(),
            table: 0,
            in_array: false,
            batches: (0..tables).map(|table| empty_batch(table, 0)).collect(),
            records: vec![0; tables],
            found: vec![false; tables],
            candidates: Vec::new(),
            empty_arrays: Vec::new(),
            position: Position::START,
            roots: 0,
        }
    }

    /// Takes the next piece of the export. Returns the batches that are full.
    ///
    /// # Errors
    /// The export is not JSON, or does not have the selected records.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<RecordBatch>, SplitError> {
        let mut full = Vec::new();
        let Some(mut sniffer) = self.sniffer.take() else {
            self.walk(piece, &mut full)?;
            return Ok(full);
        };
        match sniffer.take(piece) {
            None => self.sniffer = Some(sniffer),
            Some(lines) => {
                if lines {
                    self.lines = true;
                    self.selector = all_values();
                }
                self.walk(&sniffer.into_held(), &mut full)?;
            }
        }
        Ok(full)
    }

    /// Ends the export. Returns the last batches and what was found.
    ///
    /// # Errors
    /// The export is truncated, or does not have the selected records.
    pub fn finish(mut self) -> Result<(Vec<RecordBatch>, Found), SplitError> {
        let mut batches = Vec::new();
        if let Some(sniffer) = self.sniffer.take() {
            self.walk(&sniffer.into_held(), &mut batches)?;
        }
        if self.state == State::InScalar && self.open_objects == 0 {
            self.end_scalar()?;
        }
        if self.position.byte == 0 || (self.state == State::Root && self.roots == 0) {
            return Err(SplitError::Empty);
        }
        if self.state != State::Root {
            return Err(SplitError::Truncated { bytes: self.position.byte });
        }
        let records_at = self.found()?;
        batches.extend(self.batches.into_iter().filter(|batch| !batch.is_empty()));
        Ok((batches, Found { records_at: records_at.into(), records: self.records.into() }))
    }

    fn found(&mut self) -> Result<Vec<RecordsAt>, SplitError> {
        match &self.selector {
            RecordSelector::TheOnlyArray { before: Some(before) } => {
                let pointer = before.pointer();
                if self.candidates.contains(&pointer) || self.empty_arrays.contains(&pointer) {
                    return Ok(vec![before.clone()]);
                }
                let candidates = std::mem::take(&mut self.candidates);
                Err(SplitError::NotFound { pointer, candidates })
            }
            RecordSelector::TheOnlyArray { before: None } => {
                let mut candidates = std::mem::take(&mut self.candidates);
                if candidates.is_empty() {
                    candidates = std::mem::take(&mut self.empty_arrays);
                }
                match candidates.len() {
                    0 => Err(SplitError::NoRecords),
                    1 => Ok(candidates.into_iter().map(RecordsAt::Place).collect()),
                    _ => Err(SplitError::Ambiguous { candidates }),
                }
            }
            RecordSelector::At(pointers) => match self.found.iter().position(|found| !found) {
                None if self.lines => Ok(vec![RecordsAt::Lines]),
                None => Ok(pointers.iter().cloned().map(RecordsAt::Place).collect()),
                Some(missing) => Err(SplitError::NotFound {
                    pointer: pointers[missing].clone(),
                    candidates: std::mem::take(&mut self.candidates),
                }),
            },
        }
    }

    /// Walks over bytes of the export.
    fn walk(&mut self, piece: &[u8], full: &mut Vec<RecordBatch>) -> Result<(), SplitError> {
        let mut at = 0;
        while at < piece.len() {
            let rest = &piece[at..];
            let used = match self.state {
                State::InRecord => self.in_record(rest, full)?,
                State::Skipping => self.skip(rest)?,
                State::InKey { escaped } => self.in_key(rest, escaped)?,
                State::InScalar if is_scalar_byte(rest[0]) => {
                    self.token.push(rest[0]);
                    1
                }
                State::InScalar => {
                    self.end_scalar()?;
                    0
                }
                state if is_whitespace(rest[0]) && state != State::InByteOrderMark => 1,
                _ => self.step(rest)?,
            };
            at += used;
            self.position = self.position.after(&rest[..used]);
        }
        Ok(())
    }

    /// Takes one byte of structure. Returns the bytes consumed; 0 to read the byte again.
    fn step(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let byte = rest[0];
        match (self.state, byte) {
            (State::Root, 0xEF) if self.position.byte == 0 => self.state = State::InByteOrderMark,
            (State::InByteOrderMark, 0xBB) if self.position.byte == 1 => {}
            (State::InByteOrderMark, 0xBF) if self.position.byte == 2 => self.state = State::Root,
            (State::InByteOrderMark, _) => {
                return Err(SplitError::NotJson { beginning: excerpt(rest) });
            }
            (State::Root, b'{' | b'[') => {
                if self.roots > 0 && !selects_every_value(&self.selector) {
                    return Err(SplitError::SecondValue { position: self.position });
                }
                self.roots += 1;
                return self.begin_value(byte);
            }
            (State::Root, _) if self.roots == 0 => {
                return Err(SplitError::NotJson { beginning: excerpt(rest) });
            }
            (State::Root, _) => return Err(self.malformed(rest, "the end of the export")),
            (State::KeyOrEnd | State::CommaOrEnd, b'}') => self.close_object(),
            (State::KeyOrEnd | State::Key, b'"') => {
                self.token.clear();
                self.state = State::InKey { escaped: false };
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::Value, _) => return self.begin_value(byte),
            (State::CommaOrEnd, b',') => self.state = State::Key,
            (State::Candidate, _) => return Ok(self.judge_candidate(byte)),
            (State::RecordOrEnd | State::RecordCommaOrEnd, b']') => self.end_value(),
            (State::RecordOrEnd | State::Record, b'{') => {
                self.begin_record(true);
                return Ok(0);
            }
            (State::RecordCommaOrEnd, b',') => self.state = State::Record,
            (state, _) => return Err(self.malformed(rest, expectation(state))),
        }
        Ok(1)
    }

    fn malformed(&self, rest: &[u8], expected: &'static str) -> SplitError {
        SplitError::Malformed { position: self.position, expected, rest: excerpt(rest) }
    }

    /// Begins a value of the envelope.
    fn begin_value(&mut self, byte: u8) -> Result<usize, SplitError> {
        let table = match &self.selector {
            RecordSelector::At(pointers) => {
                pointers.iter().position(|pointer| pointer.keys() == self.path)
            }
            RecordSelector::TheOnlyArray { .. } => None,
        };
        match (table, byte) {
            (Some(table), b'{') => {
                self.table = table;
                self.found[table] = true;
                self.begin_record(false);
                return Ok(0);
            }
            (Some(table), b'[') => {
                self.table = table;
                self.found[table] = true;
                self.state = State::RecordOrEnd;
            }
            (Some(table), b'n') => {
                self.found[table] = true;
                self.begin_scalar();
                return Ok(0);
            }
            (Some(_), _) => {
                let pointer = JsonPointer::from_keys(self.path.clone());
                return Err(SplitError::NotRecords { pointer });
            }
            (None, b'{') => {
                self.open_objects += 1;
                self.state = State::KeyOrEnd;
            }
            (None, b'[') => self.state = State::Candidate,
            (None, b'"') => {
                self.nesting = Nesting::default();
                self.state = State::Skipping;
                return Ok(0);
            }
            (None, _) => {
                self.begin_scalar();
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Decides by its first byte whether an array that is not selected by name has objects.
    fn judge_candidate(&mut self, byte: u8) -> usize {
        let pointer = JsonPointer::from_keys(self.path.clone());
        if byte == b']' {
            if !self.empty_arrays.contains(&pointer) {
                self.empty_arrays.push(pointer);
            }
            self.end_value();
            return 1;
        }
        if byte == b'{' {
            if !self.candidates.contains(&pointer) {
                self.candidates.push(pointer.clone());
            }
            let is_wanted = match &self.selector {
                RecordSelector::TheOnlyArray { before: None } => self.candidates.len() == 1,
                RecordSelector::TheOnlyArray { before: Some(before) } => {
                    before.pointer() == pointer
                }
                RecordSelector::At(_) => false,
            };
            if is_wanted {
                self.begin_record(true);
                return 0;
            }
        }
        self.nesting = Nesting::in_list();
        self.state = State::Skipping;
        0
    }

    fn begin_record(&mut self, in_array: bool) {
        let batch = &mut self.batches[self.table];
        batch.records.push(Record { start: batch.bytes.len(), position: self.position });
        self.in_array = in_array;
        self.nesting = Nesting::default();
        self.state = State::InRecord;
    }

    fn in_record(&mut self, rest: &[u8], full: &mut Vec<RecordBatch>) -> Result<usize, SplitError> {
        let (used, is_over) = match self.nesting.advance(rest) {
            Advance::Within => (rest.len(), false),
            Advance::Ended(used) => (used, true),
            Advance::Wrong(at) => return Err(self.wrong_bracket(rest, at)),
        };
        let batch = &mut self.batches[self.table];
        if batch.bytes.is_empty() && batch.first_record > 0 {
            // It becomes as large as the one before; growing would copy it several times.
            batch.bytes.reserve(BATCH_BYTES + BATCH_BYTES / 16);
        }
        batch.bytes.extend_from_slice(&rest[..used]);
        if is_over {
            self.end_record(full);
        }
        Ok(used)
    }

    fn end_record(&mut self, full: &mut Vec<RecordBatch>) {
        self.records[self.table] += 1;
        if self.batches[self.table].bytes.len() >= BATCH_BYTES {
            let next = empty_batch(self.table, self.records[self.table]);
            full.push(std::mem::replace(&mut self.batches[self.table], next));
        }
        if self.in_array {
            self.state = State::RecordCommaOrEnd;
        } else {
            self.end_value();
        }
    }

    fn skip(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        match self.nesting.advance(rest) {
            Advance::Within => Ok(rest.len()),
            Advance::Ended(used) => {
                self.end_value();
                Ok(used)
            }
            Advance::Wrong(at) => Err(self.wrong_bracket(rest, at)),
        }
    }

    fn wrong_bracket(&self, rest: &[u8], at: usize) -> SplitError {
        SplitError::Malformed {
            position: self.position.after(&rest[..at]),
            expected: "the closing bracket, at most 128 levels deep",
            rest: excerpt(&rest[at..]),
        }
    }

    fn in_key(&mut self, rest: &[u8], escaped: bool) -> Result<usize, SplitError> {
        let byte = rest[0];
        match byte {
            _ if escaped => self.state = State::InKey { escaped: false },
            b'\\' => self.state = State::InKey { escaped: true },
            b'"' => {
                let quoted = [b"\"", self.token.as_slice(), b"\""].concat();
                let key = key_of(&quoted)
                    .ok_or_else(|| self.malformed(rest, "the end of a valid key"))?;
                self.path.truncate(self.open_objects - 1);
                self.path.push(key);
                self.state = State::Colon;
                return Ok(1);
            }
            _ => {}
        }
        self.token.push(byte);
        Ok(1)
    }

    fn begin_scalar(&mut self) {
        self.token.clear();
        self.state = State::InScalar;
    }

    fn end_scalar(&mut self) -> Result<(), SplitError> {
        if serde_json::from_slice::<serde::de::IgnoredAny>(&self.token).is_err() {
            return Err(self.malformed(&self.token, "a value"));
        }
        self.end_value();
        Ok(())
    }

    fn close_object(&mut self) {
        self.open_objects -= 1;
        self.path.truncate(self.open_objects);
        self.end_value();
    }

    /// Ends a value of the envelope.
    fn end_value(&mut self) {
        self.state = if self.open_objects == 0 { State::Root } else { State::CommaOrEnd };
    }
}

fn empty_batch(table: usize, first_record: u64) -> RecordBatch {
    RecordBatch {
        root: RootId::from_index(table),
        first_record,
        bytes: Vec::new(),
        records: Vec::new(),
    }
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn is_scalar_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

fn expectation(state: State) -> &'static str {
    match state {
        State::KeyOrEnd => "a key or `}`",
        State::Key => "a key",
        State::Colon => "`:`",
        State::CommaOrEnd => "`,` or `}`",
        State::RecordOrEnd => "a record or `]`",
        State::Record => "a record (an object)",
        State::RecordCommaOrEnd => "`,` or `]`",
        _ => "a value",
    }
}

/// Whether newline-delimited objects can be the records. They cannot if earlier records were in a nested array.
fn can_be_lines(selector: &RecordSelector) -> bool {
    match selector {
        RecordSelector::TheOnlyArray { before: None } => true,
        RecordSelector::TheOnlyArray { before: Some(RecordsAt::Place(it)) } => it.keys().is_empty(),
        RecordSelector::TheOnlyArray { before: Some(RecordsAt::Lines) } | RecordSelector::At(_) => {
            false
        }
    }
}

/// Selects each value of the export as a record or an array of records.
fn all_values() -> RecordSelector {
    RecordSelector::At(vec![JsonPointer::default()])
}

/// Whether every value of the export is selected, so that a second one is not lost.
fn selects_every_value(selector: &RecordSelector) -> bool {
    match selector {
        RecordSelector::At(pointers) => pointers.iter().any(|pointer| pointer.keys().is_empty()),
        RecordSelector::TheOnlyArray { .. } => false,
    }
}

/// The text of a quoted key. Half of a surrogate pair is valid JSON but no text; such a key keeps its escapes and matches no
/// selection.
fn key_of(quoted: &[u8]) -> Option<String> {
    serde_json::from_slice(quoted).ok().or_else(|| {
        let text = std::str::from_utf8(quoted).ok()?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        Some(text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Split = Result<(Vec<(usize, Vec<String>)>, Found), SplitError>;

    fn split_in(selector: RecordSelector, pieces: &[&[u8]]) -> Split {
        let mut splitter = Splitter::new(selector);
        let mut batches = Vec::new();
        for piece in pieces {
            batches.extend(splitter.feed(piece)?);
        }
        let (last, found) = splitter.finish()?;
        batches.extend(last);
        Ok((batches.iter().map(|batch| (batch.root.index(), texts(batch))).collect(), found))
    }

    fn texts(batch: &RecordBatch) -> Vec<String> {
        let texts = batch.records().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        texts.collect()
    }

    fn found_in(json: &str) -> Result<Vec<String>, SplitError> {
        let (batches, _) =
            split_in(RecordSelector::TheOnlyArray { before: None }, &[json.as_bytes()])?;
        Ok(batches.into_iter().flat_map(|(_, texts)| texts).collect())
    }

    fn at(pointers: &[&str]) -> RecordSelector {
        RecordSelector::At(pointers.iter().map(|pointer| pointer.parse().unwrap()).collect())
    }

    #[test]
    fn records_are_found_in_every_form_of_export() {
        let two = vec![r#"{"a":[1]}"#.to_owned(), r#"{"b":"]"}"#.to_owned()];
        assert_eq!(found_in(r#"[{"a":[1]},{"b":"]"}]"#).unwrap(), two);
        assert_eq!(found_in("\u{feff} [ {\"a\":[1]} , {\"b\":\"]\"} ] \n").unwrap(), two);
        assert_eq!(
            found_in(r#"{"n":1,"x":{"list":[{"a":[1]},{"b":"]"}]},"t":["s"]}"#).unwrap(),
            two
        );
        assert_eq!(found_in("{\"a\":[1]}\n{\"b\":\"]\"}\n").unwrap(), two);
        assert_eq!(found_in("[]").unwrap(), Vec::<String>::new());
        assert_eq!(found_in(r#"{"list":[]}"#).unwrap(), Vec::<String>::new());
        let one = split_in(at(&[""]), &[br#"{"a":[{"b":1}]}"#]).unwrap();
        assert_eq!(one.0, [(0, vec![r#"{"a":[{"b":1}]}"#.to_owned()])]);
    }

    #[test]
    fn p9_what_is_not_a_whole_export_is_refused() {
        let error = |json: &str| found_in(json).unwrap_err().to_string();
        assert_eq!(error(" \n"), "the export is empty");
        assert!(found_in("\u{feff}[{}]").is_ok());
        let half_a_mark = split_in(at(&[""]), &[b"\xEF[{}]"]).unwrap_err();
        assert!(matches!(half_a_mark, SplitError::NotJson { .. }), "{half_a_mark}");
        assert_eq!(error("<html>\n<body>"), "the export is not JSON: it begins with `<html>`");
        assert_eq!(error("[{\"a\":1},"), "the export is cut off after 9 bytes");
        assert_eq!(error("{\"a\":[{}]"), "the export is cut off after 9 bytes");
        assert_eq!(error("{\"error\":\"no\"}"), "the export has no array of objects");
        assert!(error("[\n{\"a\":\n1]}]").contains("at byte 9, line 3:"));
        assert!(error("[{\"a\":1]}]").contains("at byte 7:"), "{}", error("[{\"a\":1]}]"));
        assert!(error("[{}] x").contains("the end of the export"));
        assert!(error("{\"a\":[{}],\"b\":[{}]}").contains("`/a`, `/b`"));
        assert!(error("{\"a\":tru,\"b\":[{}]}").contains("a value"));
        let missing = split_in(at(&["/c"]), &[b"{\"a\":[{}]}"]).unwrap_err().to_string();
        assert_eq!(missing, "the export has no records at `/c`; its arrays of objects are `/a`");
    }

    #[test]
    fn p9_an_array_is_looked_for_where_it_was_before() {
        let split = |json: &str| {
            let before = Some(RecordsAt::Place("/a".parse().unwrap()));
            split_in(RecordSelector::TheOnlyArray { before }, &[json.as_bytes()])
                .map(|(_, found)| found)
        };
        assert_eq!(split(r#"{"w":[{"x":1}],"a":[{"x":1},{"x":2}]}"#).unwrap().records, [2]);
        assert_eq!(split(r#"{"w":[{"x":1}],"a":[]}"#).unwrap().records, [0]);
        assert!(matches!(split(r#"{"w":[{"x":1}]}"#), Err(SplitError::NotFound { .. })));
    }

    #[test]
    fn several_arrays_go_to_their_tables() {
        let json = br#"{"a":[{"x":1}],"n":{"b":[{"y":2},{"y":3}]},"c":null}"#;
        let (batches, found) = split_in(at(&["/n/b", "/a", "/c"]), &[json]).unwrap();
        assert_eq!(batches[0], (0, vec![r#"{"y":2}"#.to_owned(), r#"{"y":3}"#.to_owned()]));
        assert_eq!(batches[1], (1, vec![r#"{"x":1}"#.to_owned()]));
        assert_eq!(found.records, [2, 1, 0]);
    }

    #[test]
    fn p6_lines_are_records_however_long_the_first_one_is_and_wherever_it_is_cut() {
        for long in [10, 3 << 20] {
            let line = format!("{{\"id\":1,\"items\":[{{\"x\":\"{}\"}}]}}", "y".repeat(long));
            for beginning in ["", "\u{feff}", " \n"] {
                let json = format!("{beginning}{line}\r\n{{\"id\":2,\"items\":[]}}\n");
                for size in [1 << 10, 1 << 16, json.len() - 8, json.len()] {
                    let pieces: Vec<&[u8]> = json.as_bytes().chunks(size).collect();
                    let (_, found) =
                        split_in(RecordSelector::TheOnlyArray { before: None }, &pieces).unwrap();
                    assert_eq!(found.records_at, [RecordsAt::Lines], "{long} {size}");
                    assert_eq!(found.records, [2]);
                }
            }
        }
    }

    #[test]
    fn p1_a_second_value_behind_an_envelope_is_refused() {
        let envelope = format!("{{\"id\":1,\"items\":[{{\"x\":\"{}\"}}]}}", "y".repeat(17 << 20));
        let json = format!("{envelope}\n{{\"id\":2,\"items\":[]}}\n");
        for size in [1 << 16, json.len()] {
            let pieces: Vec<&[u8]> = json.as_bytes().chunks(size).collect();
            let refused =
                split_in(RecordSelector::TheOnlyArray { before: None }, &pieces).unwrap_err();
            assert!(matches!(refused, SplitError::SecondValue { .. }), "{refused}");
        }
        for json in ["{\"a\":[{}]} {\"a\":[{}]}", "[{}]\n[{}]", "[{}]{}"] {
            let refused = found_in(json).unwrap_err();
            assert!(matches!(refused, SplitError::SecondValue { .. }), "{json}: {refused}");
        }
        let pages = split_in(at(&["/a"]), &[b"{\"a\":[{}]}\n{\"a\":[{}]}"]).unwrap_err();
        assert!(matches!(pages, SplitError::SecondValue { .. }), "{pages}");
    }

    #[test]
    fn one_line_is_a_record_when_there_were_lines_before() {
        let split = |before: &str, json: &str| {
            let before = Some(before.to_owned().try_into().unwrap());
            split_in(RecordSelector::TheOnlyArray { before }, &[json.as_bytes()])
                .map(|(_, found)| found)
        };
        assert_eq!(split("lines", "{\"a\":[{}]}\n").unwrap().records, [1]);
        assert_eq!(split("lines", "{\"a\":1}\n{\"a\":2}\n").unwrap().records, [2]);
        assert_eq!(split("lines", "[{},{}]").unwrap().records_at, [RecordsAt::Lines]);
        assert!(matches!(split("", "{\"error\":1}"), Err(SplitError::NotFound { .. })));
        assert_eq!(split("", "{\"a\":1}\n{\"a\":2}").unwrap().records_at, [RecordsAt::Lines]);
    }

    proptest! {
        #[test]
        fn p6_borders_of_pieces_change_no_lines(cuts in proptest::collection::vec(0_usize..40, 0..6)) {
            let json = "\u{feff} {\"k\":\"}\\\"\"} \r\n {\"r\":[{}]}\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(json.len())).collect();
            cuts.sort_unstable();
            let ends = cuts.iter().copied().chain([json.len()]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            let pieces: Vec<&[u8]> =
                starts.zip(ends).map(|(start, end)| &json.as_bytes()[start..end]).collect();
            let selector = || RecordSelector::TheOnlyArray { before: None };
            prop_assert_eq!(split_in(selector(), &pieces), split_in(selector(), &[json.as_bytes()]));
        }

        #[test]
        fn p6_borders_of_pieces_change_nothing(cuts in proptest::collection::vec(0_usize..120, 0..12)) {
            let json = "\u{feff}{\"k\\\"é\":1.5e3,\"t\":true,\"s\":\"\\\\\\\"[{\",\"r\":[{\"a\":\"}]\\\"\"},{\"b\":[[{}]]}],\"z\":[1,\"]\"]}";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(json.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts {
                pieces.push(&json.as_bytes()[start..cut]);
                start = cut;
            }
            pieces.push(&json.as_bytes()[start..]);
            let selector = || at(&["/r"]);
            prop_assert_eq!(split_in(selector(), &pieces), split_in(selector(), &[json.as_bytes()]));
        }
    }
}
