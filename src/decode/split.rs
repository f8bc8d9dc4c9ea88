//! The splitter: finds the records of an export while it arrives.
//!
//! It walks the envelope (objects only) byte by byte to a selected array. Inside records it only counts brackets; the
//! parser reads their content. State is kept between pieces, so chunk boundaries do not matter.

mod candidates;
mod records;

use super::array_list::SeenArrays;
use super::batch::{Found, RecordBatch};
use super::completeness::Completeness;
use super::envelope::{EnvelopeState, begins_value, is_scalar_byte, is_whitespace, key_of};
use super::lines::LineSniffer;
use super::nesting::{Advance, MOST_OPEN, Nesting};
use super::parse::MOST_DEPTH;
use super::position::Position;
use super::selector::{RecordSelector, RecordsAt};
use super::split_error::SplitError;
use crate::definition::Size;
use crate::schema::JsonPointer;
use crate::shown::excerpt;

/// The size of a batch in bytes.
const BATCH_BYTES: usize = 2 << 20;

/// Longer keys, numbers and words of the envelope are refused: they are held until they end.
const MOST_TOKEN_BYTES: usize = 1 << 20;

/// The most bytes of the keys around a value of the envelope. They are looked at for each value, and kept with each array.
const MOST_PATH_BYTES: usize = 4 << 10;

/// Finds the records of an export, piece by piece.
#[derive(Debug)]
pub struct Splitter {
    selector: RecordSelector,
    state: EnvelopeState,
    /// The current key of every open object of the envelope.
    path: Vec<String>,
    open_objects: usize,
    token: Vec<u8>,
    nesting: Nesting,
    /// The table of the current record.
    table: usize,
    /// The current record is an item of an array.
    in_array: bool,
    /// Reading an array that had no object so far.
    tentative: Option<TentativeRecords>,
    /// What the envelope says of its own completeness.
    completeness: Completeness,
    batches: Vec<RecordBatch>,
    records: Vec<u64>,
    found: Vec<bool>,
    arrays: SeenArrays,
    /// Buffers the beginning until it is known whether the export is newline-delimited.
    sniffer: Option<LineSniffer>,
    /// The export is newline-delimited, or earlier ones were.
    lines: bool,
    position: Position,
    roots: u64,
    /// The first value of the export is an object.
    root_is_object: bool,
    /// The largest record, if that is limited.
    most_record: Option<Size>,
}

/// Items of an array that are records only if an object follows: an array of scalars has none.
#[derive(Debug)]
struct TentativeRecords {
    /// What the batch had before them.
    bytes: usize,
    records: usize,
    /// The records of the export are looked for here.
    is_wanted: bool,
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
            sniffer: selector.can_be_lines().then(LineSniffer::default),
            selector: if lines { RecordSelector::all_values() } else { selector },
            lines,
            state: EnvelopeState::Root,
            path: Vec::new(),
            open_objects: 0,
            token: Vec::new(),
            nesting: Nesting::default(),
            table: 0,
            in_array: false,
            tentative: None,
            completeness: Completeness::default(),
            batches: (0..tables).map(|table| RecordBatch::empty(table, 0)).collect(),
            records: vec![0; tables],
            found: vec![false; tables],
            arrays: SeenArrays::default(),
            position: Position::START,
            roots: 0,
            root_is_object: false,
            most_record: None,
        }
    }

    /// Refuses an export with a record larger than this, before more of the record is held.
    #[must_use]
    pub fn refusing_records_above(self, most: Size) -> Self {
        Self { most_record: Some(most), ..self }
    }

    /// Refuses an export whose envelope says that it is not whole, except by the keys or JSON Pointers to ignore.
    #[must_use]
    pub fn refusing_incomplete(mut self, ignored: &[String]) -> Self {
        self.completeness = Completeness::judged(ignored);
        self
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
                    self.selector = RecordSelector::all_values();
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
        if self.state == EnvelopeState::InScalar && self.open_objects == 0 {
            self.end_scalar()?;
        }
        if self.state == EnvelopeState::InScalarRecord && !self.in_array {
            self.end_record(&mut batches);
        }
        if self.position.byte == 0 || (self.state == EnvelopeState::Root && self.roots == 0) {
            return Err(SplitError::Empty);
        }
        if self.state != EnvelopeState::Root {
            return Err(SplitError::Truncated { bytes: self.position.byte });
        }
        self.forget_empty_objects();
        let are_one_object = (0..self.records.len()).map(|table| self.is_one_object(table));
        let are_one_object: Vec<bool> = are_one_object.collect();
        let completeness = std::mem::take(&mut self.completeness);
        let records_at = match self.found() {
            Ok(records_at) => records_at,
            // That there are no records is said best by the source itself.
            Err(error) => return Err(completeness.into_error().unwrap_or(error)),
        };
        completeness.check(&records_at, &self.records)?;
        batches.extend(self.batches.into_iter().filter(|batch| !batch.is_empty()));
        let is_open_ended = self.root_is_object && self.selector.selects_every_value();
        let (records_at, records) = (records_at.into(), self.records.into());
        let are_one_object = are_one_object.into();
        Ok((batches, Found { records_at, records, are_one_object, is_open_ended }))
    }

    fn found(&mut self) -> Result<Vec<RecordsAt>, SplitError> {
        match &self.selector {
            RecordSelector::TheOnlyArray { before: Some(before) } => {
                let pointer = before.pointer();
                if self.arrays.is_where_before {
                    return Ok(vec![before.clone()]);
                }
                let candidates = std::mem::take(&mut self.arrays.with_objects);
                Err(SplitError::NotFound { pointer, candidates })
            }
            RecordSelector::TheOnlyArray { before: None } => {
                let mut candidates = std::mem::take(&mut self.arrays.with_objects);
                if candidates.is_empty() {
                    candidates = std::mem::take(&mut self.arrays.empty);
                }
                match candidates.only() {
                    Some(only) => Ok(vec![RecordsAt::Place(only.clone())]),
                    None if candidates.is_empty() => Err(SplitError::NoRecords),
                    None => Err(SplitError::Ambiguous { candidates }),
                }
            }
            RecordSelector::At(pointers) => match self.found.iter().position(|found| !found) {
                None if self.lines => Ok(vec![RecordsAt::Lines]),
                None => Ok(pointers.iter().cloned().map(RecordsAt::Place).collect()),
                Some(missing) => Err(SplitError::NotFound {
                    pointer: pointers[missing].clone(),
                    candidates: std::mem::take(&mut self.arrays.with_objects),
                }),
            },
        }
    }

    /// Walks over bytes of the export.
    fn walk(&mut self, piece: &[u8], full: &mut Vec<RecordBatch>) -> Result<(), SplitError> {
        let mut at = 0;
        self.check_encoding(piece)?;
        while at < piece.len() {
            let rest = &piece[at..];
            let used = match self.state {
                EnvelopeState::InRecord => self.in_record(rest, full)?,
                EnvelopeState::InScalarRecord => self.in_scalar_record(rest, full)?,
                EnvelopeState::Skipping => self.skip(rest)?,
                EnvelopeState::InKey { escaped } => self.in_key(rest, escaped)?,
                EnvelopeState::InScalar if is_scalar_byte(rest[0]) => {
                    self.hold_token("number or word", rest[0])?;
                    1
                }
                EnvelopeState::InScalar => {
                    self.end_scalar()?;
                    0
                }
                state if is_whitespace(rest[0]) && state != EnvelopeState::InByteOrderMark => 1,
                _ => self.step(rest)?,
            };
            at += used;
            self.position = self.position.after(&rest[..used]);
            if self.completeness.is_reading() {
                let is_over = self.state == EnvelopeState::CommaOrEnd;
                self.completeness.take(&rest[..used], is_over.then_some(self.open_objects));
            }
        }
        Ok(())
    }

    /// Names the encodings that JSON is sometimes sent in by mistake, by the first two bytes of the export.
    fn check_encoding(&self, piece: &[u8]) -> Result<(), SplitError> {
        match (self.position.byte, piece) {
            (0, [0x1E, ..]) => Err(SplitError::TextSequence),
            (0, [0 | 0xFE | 0xFF, ..] | [b'{' | b'[' | b' ' | b'\r' | b'\n' | b'\t', 0, ..]) => {
                Err(SplitError::WideText)
            }
            (1, [0, ..]) if self.state != EnvelopeState::InByteOrderMark => {
                Err(SplitError::WideText)
            }
            _ => Ok(()),
        }
    }

    /// Takes one byte of structure. Returns the bytes consumed; 0 to read the byte again.
    fn step(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let byte = rest[0];
        match (self.state, byte) {
            (EnvelopeState::Root, 0xEF) if self.position.byte == 0 => {
                self.state = EnvelopeState::InByteOrderMark;
            }
            (EnvelopeState::InByteOrderMark, 0xBB) if self.position.byte == 1 => {}
            (EnvelopeState::InByteOrderMark, 0xBF) if self.position.byte == 2 => {
                self.state = EnvelopeState::Root;
            }
            (EnvelopeState::InByteOrderMark, _) => {
                return Err(SplitError::NotJson { beginning: excerpt(rest) });
            }
            (EnvelopeState::Root, b'{' | b'[') => {
                if self.roots > 0 && !self.selector.selects_every_value() {
                    return Err(SplitError::SecondValue { position: self.position });
                }
                self.roots += 1;
                if self.roots == 1 {
                    self.root_is_object = byte == b'{';
                } else if byte == b'[' && self.is_line_of_objects() {
                    self.begin_record(byte, false);
                    return Ok(0);
                }
                return self.begin_value(byte);
            }
            (EnvelopeState::Root, b'n') if self.roots == 0 => {
                // `null` in place of a list of records is an empty one.
                self.roots = 1;
                self.note_empty();
                return self.begin_value(byte);
            }
            (EnvelopeState::Root, _) if self.roots == 0 => {
                return Err(SplitError::NotJson { beginning: excerpt(rest) });
            }
            (EnvelopeState::Root, _) if self.is_line_of_objects() && begins_value(byte) => {
                self.begin_record(byte, false);
                return Ok(0);
            }
            (EnvelopeState::Root, _) => return Err(self.malformed(rest, "the end of the export")),
            (EnvelopeState::KeyOrEnd | EnvelopeState::CommaOrEnd, b'}') => self.close_object(),
            (EnvelopeState::KeyOrEnd | EnvelopeState::Key, b'"') => {
                self.token.clear();
                self.state = EnvelopeState::InKey { escaped: false };
            }
            (EnvelopeState::Colon, b':') => self.state = EnvelopeState::Value,
            (EnvelopeState::Value, _) => return self.begin_value(byte),
            (EnvelopeState::CommaOrEnd, b',') => self.state = EnvelopeState::Key,
            (EnvelopeState::Candidate, _) => return self.judge_candidate(rest),
            (EnvelopeState::RecordOrEnd | EnvelopeState::RecordCommaOrEnd, b']') => {
                self.forget_tentative();
                self.end_value();
            }
            (EnvelopeState::RecordOrEnd | EnvelopeState::Record, _) if begins_value(byte) => {
                self.begin_item(byte);
                return Ok(0);
            }
            (EnvelopeState::RecordCommaOrEnd, b',') => self.state = EnvelopeState::Record,
            (state, _) => return Err(self.malformed(rest, state.expectation())),
        }
        Ok(1)
    }

    fn twice(&self) -> SplitError {
        SplitError::Twice { pointer: JsonPointer::from_keys(self.path.clone()) }
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
        match table {
            None => self.completeness.begin(&self.path, self.open_objects),
            // The root is the only place that several values may have, one after the other.
            Some(table) if self.found[table] && !self.path.is_empty() => return Err(self.twice()),
            Some(_) => {}
        }
        match (table, byte) {
            (Some(table), b'{') => {
                self.completeness.single(table);
                self.table = table;
                self.found[table] = true;
                self.begin_record(byte, false);
                return Ok(0);
            }
            (Some(table), b'[') => {
                self.table = table;
                self.found[table] = true;
                self.state = EnvelopeState::RecordOrEnd;
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
            (None, b'{') if self.open_objects == MOST_DEPTH => {
                return Err(SplitError::TooDeep { position: self.position, most: MOST_DEPTH });
            }
            (None, b'{') => {
                self.open_objects += 1;
                self.state = EnvelopeState::KeyOrEnd;
            }
            (None, b'[') => self.state = EnvelopeState::Candidate,
            (None, b'"') => {
                self.nesting = Nesting::default();
                self.state = EnvelopeState::Skipping;
                return Ok(0);
            }
            (None, _) => {
                self.begin_scalar();
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Whether each further value of the export is a record.
    fn is_line_of_objects(&self) -> bool {
        self.lines && self.root_is_object
    }

    /// Adds a byte to the key, number or word of the envelope.
    fn hold_token(&mut self, what: &'static str, byte: u8) -> Result<(), SplitError> {
        if self.token.len() == MOST_TOKEN_BYTES {
            let most = Size::from_bytes(MOST_TOKEN_BYTES as u64);
            return Err(SplitError::TokenTooLong { what, position: self.position, most });
        }
        self.token.push(byte);
        Ok(())
    }

    fn skip(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        match self.nesting.advance(rest) {
            Advance::Within => Ok(rest.len()),
            Advance::Ended(used) => {
                self.end_value();
                Ok(used)
            }
            Advance::Wrong(at) => Err(self.wrong_bracket(rest, at)),
            Advance::TooDeep(at) => Err(self.too_deep(rest, at)),
        }
    }

    fn too_deep(&self, rest: &[u8], at: usize) -> SplitError {
        SplitError::TooDeep { position: self.position.after(&rest[..at]), most: MOST_OPEN }
    }

    fn wrong_bracket(&self, rest: &[u8], at: usize) -> SplitError {
        SplitError::Malformed {
            position: self.position.after(&rest[..at]),
            expected: "the closing bracket",
            rest: excerpt(&rest[at..]),
        }
    }

    fn in_key(&mut self, rest: &[u8], escaped: bool) -> Result<usize, SplitError> {
        let byte = rest[0];
        match byte {
            _ if escaped => self.state = EnvelopeState::InKey { escaped: false },
            b'\\' => self.state = EnvelopeState::InKey { escaped: true },
            b'"' => {
                let quoted = [b"\"", self.token.as_slice(), b"\""].concat();
                let key = key_of(&quoted)
                    .ok_or_else(|| self.malformed(rest, "the end of a valid key"))?;
                self.path.truncate(self.open_objects - 1);
                self.path.push(key);
                self.check_path()?;
                self.state = EnvelopeState::Colon;
                return Ok(1);
            }
            _ => {}
        }
        self.hold_token("key", byte)?;
        Ok(1)
    }

    /// Refuses keys that together are longer than those of any envelope.
    fn check_path(&self) -> Result<(), SplitError> {
        if self.path.iter().map(String::len).sum::<usize>() <= MOST_PATH_BYTES {
            return Ok(());
        }
        let most = Size::from_bytes(MOST_PATH_BYTES as u64);
        Err(SplitError::TokenTooLong { what: "path of keys", position: self.position, most })
    }

    fn begin_scalar(&mut self) {
        self.token.clear();
        self.state = EnvelopeState::InScalar;
    }

    fn end_scalar(&mut self) -> Result<(), SplitError> {
        if serde_json::from_slice::<serde::de::IgnoredAny>(&self.token).is_err() {
            if self.open_objects == 0 {
                return Err(SplitError::NotJson { beginning: excerpt(&self.token) });
            }
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
        self.state =
            if self.open_objects == 0 { EnvelopeState::Root } else { EnvelopeState::CommaOrEnd };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::PositionId;

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
        assert_eq!(found_in(" null\n").unwrap(), Vec::<String>::new());
        let root = split_in(at(&[""]), &[b"nu", b"ll"]).unwrap();
        assert_eq!((root.0.len(), root.1.records), (0, vec![0].into()));
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
        assert_eq!(error("not found"), "the export is not JSON: it begins with `not`");
        assert_eq!(error("<html>\n<body>"), "the export is not JSON: it begins with `<html>`");
        assert_eq!(error("[{\"a\":1},"), "the export is truncated after 9 bytes");
        assert_eq!(error("{\"a\":[{}]"), "the export is truncated after 9 bytes");
        assert_eq!(error("{\"error\":\"no\"}"), "the export has no array of objects");
        assert!(error("[\n{\"a\":\n1]}]").contains("at byte 9, line 3:"));
        assert!(error("[{\"a\":1]}]").contains("at byte 7:"), "{}", error("[{\"a\":1]}]"));
        assert_eq!(error("nul"), "the export is not JSON: it begins with `nul`");
        assert!(error("null {}").contains("a second JSON value"), "{}", error("null {}"));
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
    fn what_is_no_object_among_records_is_a_record_of_its_own() {
        let texts = |json: &str| found_in(json).unwrap().join(" ");
        assert_eq!(
            texts(r#"[{"a":1},null,-1.5e3,"x]",[{}],{}]"#),
            r#"{"a":1} null -1.5e3 "x]" [{}] {}"#
        );
        assert_eq!(texts(r#"[null,[1],{"a":1}]"#), r#"null [1] {"a":1}"#);
        assert_eq!(texts(r#"{"tags":["x",1],"a":[5,{}],"b":[[1]]}"#), "5 {}");
        assert_eq!(texts("{\"a\":1}\nnull\n[{}]\n\"x\"\n5"), r#"{"a":1} null [{}] "x" 5"#);
        let two = found_in(r#"{"a":[{}],"b":[null,{}]}"#).unwrap_err();
        assert!(matches!(two, SplitError::Ambiguous { .. }), "{two}");
        let none = found_in(r#"{"a":[1,"x"]}"#).unwrap_err();
        assert!(matches!(none, SplitError::NoRecords), "{none}");
        let before = Some(RecordsAt::Place("/a".parse().unwrap()));
        let (batches, _) =
            split_in(RecordSelector::TheOnlyArray { before }, &[br#"{"a":[1,2]}"#]).unwrap();
        assert_eq!(batches, [(0, vec!["1".to_owned(), "2".to_owned()])]);
    }

    #[test]
    fn p9_other_encodings_are_named() {
        let error = |bytes: &[u8]| split_in(at(&[""]), &[bytes]).unwrap_err();
        for bytes in [b"[\0{\0}\0]\0".as_slice(), b"\0[\0{", b"\xFF\xFE[\0", b"\xFE\xFF\0["] {
            assert_eq!(error(bytes), SplitError::WideText);
            let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(split_in(at(&[""]), &pieces), Err(SplitError::WideText));
        }
        assert_eq!(error(b"\x1E{}\n"), SplitError::TextSequence);
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

    /// Feeds a piece again and again after a beginning, until it is refused.
    fn refused(selector: RecordSelector, beginning: &str, piece: &str) -> SplitError {
        let mut splitter =
            Splitter::new(selector).refusing_records_above(Size::from_bytes(2 << 20));
        splitter.feed(beginning.as_bytes()).unwrap();
        for _ in 0..100 {
            if let Err(error) = splitter.feed(piece.as_bytes()) {
                return error;
            }
        }
        panic!("{beginning} is not refused");
    }

    #[test]
    fn m2_a_record_is_refused_while_it_arrives() {
        let piece = "1".repeat(1 << 19);
        for beginning in
            ["[{},{\"a\":\"", "[{},\"", "[{},{\"a\":", "[{},", "{\"t\":1,\"r\":{\"a\":"]
        {
            let selector = if beginning.starts_with('{') { at(&["/r"]) } else { at(&[""]) };
            let error = refused(selector, beginning, &piece);
            let begins = beginning.find(",{\"a").or(beginning.find("},")).map_or(0, |at| at + 1);
            let SplitError::RecordTooLarge { position, most } = &error else { panic!("{error}") };
            assert_eq!(most.bytes(), 2 << 20);
            assert!(position.byte >= begins as u64, "{beginning}: {position}");
        }
    }

    #[test]
    fn m2_nothing_of_an_envelope_is_held_without_bound() {
        let piece = "1".repeat(1 << 19);
        for beginning in ["{\"r\":[{}],\"", "{\"r\":[{}],\"a\":"] {
            let error = refused(at(&["/r"]), beginning, &piece);
            assert!(matches!(error, SplitError::TokenTooLong { .. }), "{error}");
        }
        // Texts are skipped, also one that begins an array that may have been the records.
        let mut splitter = Splitter::new(RecordSelector::TheOnlyArray { before: None });
        splitter.feed(b"{\"x\":[\"").unwrap();
        for _ in 0..80 {
            splitter.feed(piece.as_bytes()).unwrap();
            assert!(splitter.batches[0].bytes.len() <= 17 << 20);
        }
        splitter.feed(b"\\\"]\",[2]],\"r\":[{\"a\":1}]}").unwrap();
        let (batches, found) = splitter.finish().unwrap();
        assert_eq!(texts(&batches[0]), [r#"{"a":1}"#]);
        assert_eq!((batches.len(), found.records), (1, vec![1].into()));
    }

    #[test]
    fn m5_the_keys_around_a_value_have_a_bound_together() {
        let keys = |bytes: usize| format!("{{\"{}\":{{\"b\":[{{}}]}}}}", "k".repeat(bytes));
        assert!(found_in(&keys(MOST_PATH_BYTES - 1)).is_ok());
        let error = found_in(&keys(MOST_PATH_BYTES)).unwrap_err();
        let SplitError::TokenTooLong { position, .. } = &error else { panic!("{error}") };
        assert_eq!(position.byte, MOST_PATH_BYTES as u64 + 7);
        // In a record, keys may be longer.
        assert!(found_in(&format!("[{}]", keys(MOST_PATH_BYTES))).is_ok());
    }

    #[test]
    fn m3_an_envelope_nests_as_deep_as_records() {
        let nested =
            |levels: usize| format!("{}[{{}}]{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(found_in(&nested(128)).is_ok());
        let error = found_in(&nested(129)).unwrap_err();
        assert!(matches!(error, SplitError::TooDeep { most: 128, .. }), "{error}");
        let error = found_in(&format!("{{\"r\":[{{}}],\"a\":{}", "[".repeat(2_000_000)));
        assert!(matches!(error, Err(SplitError::TooDeep { most: MOST_OPEN, .. })), "{error:?}");
    }

    #[test]
    fn m5_of_many_arrays_a_few_are_kept() {
        let arrays: Vec<String> = (0..5_000).map(|array| format!("\"a{array}\":[{{}}]")).collect();
        let json = format!("{{{}}}", arrays.join(","));
        let error = found_in(&json).unwrap_err();
        let SplitError::Ambiguous { candidates } = &error else { panic!("{error}") };
        assert!(candidates.all().is_none());
        assert!(error.to_string().ends_with("`/a3`, `/a4`, 4995 more"), "{error}");
        let wanted = RecordSelector::TheOnlyArray {
            before: Some(RecordsAt::Place("/a4999".parse().unwrap())),
        };
        assert_eq!(split_in(wanted, &[json.as_bytes()]).unwrap().1.records, [1]);
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
