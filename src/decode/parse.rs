//! The parser: reads each record once, from bytes directly into columns.

use super::ScalarCounts;
use super::columns::{Jump, LevelBuilder, Taken, ValuesBuilder};
use super::rules::ValueForm;

/// A record with deeper nesting is set apart, as other JSON parsers do.
pub(super) const MOST_DEPTH: usize = 128;

/// A recursive-descent parser over the text of a batch. An error describes the text at `at`.
pub(super) struct Parser<'a, const RULED: bool> {
    pub(super) text: &'a str,
    /// How many objects and lists around a value are decoded. Deeper ones stay as text.
    pub(super) levels: usize,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// The last string with escapes. Reused to avoid allocations.
    pub(super) unescaped: String,
    /// The jumps of the objects around the next value.
    jumps: Vec<Jump>,
    /// Why the record cannot be held exactly, although it is valid JSON.
    pub(super) flaw: Option<&'static str>,
    /// Counted here and not from the columns, so that the ledger notices what the columns lose.
    pub(super) scalars: ScalarCounts,
    /// The scalars in canonical texts so far.
    pub(super) in_texts: u64,
}

/// A JSON string: borrowed, or unescaped in [`Parser::unescaped`].
pub(super) enum Text<'a> {
    Plain(&'a str),
    Unescaped,
}

/// UTF-8 cannot encode it.
pub(super) const HALF: &str = "a text has half of a surrogate pair";

/// Parsers differ in which value they keep; keeping one loses the other.
pub(super) const TWICE: &str = "a key is repeated in one object";
/// Columns are made of objects.
const NO_OBJECT: &str = "a record has to be an object";
pub(super) const TOO_DEEP: &str = "it is nested more than 128 levels deep";
/// Names of columns come from keys; those of an object with the column `keys` may have any length.
const LONG_KEY: &str = "a key is longer than 65536 bytes";
const MOST_KEY_BYTES: usize = 65_536;

pub(super) type Parsed<T> = Result<T, &'static str>;

impl<'a, const RULED: bool> Parser<'a, RULED> {
    pub(super) fn new(text: &'a str, levels: usize) -> Self {
        Self {
            text,
            levels,
            at: 0,
            depth: 0,
            unescaped: String::new(),
            jumps: Vec::new(),
            flaw: None,
            scalars: ScalarCounts::default(),
            in_texts: 0,
        }
    }

    /// Reads the record that ends at this byte.
    pub(super) fn record(&mut self, records: &mut LevelBuilder, end: usize) -> Parsed<()> {
        self.depth = 0;
        self.jumps.clear();
        let row = records.add_record();
        if self.peek() == b'{' {
            return self.object(records, row);
        }
        self.flaw = Some(NO_OBJECT);
        self.skipped()?;
        if self.at == end { Ok(()) } else { Err("expected the end of the record") }
    }

    pub(super) fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    pub(super) fn skip_whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    pub(super) fn expect(&mut self, byte: u8, reason: &'static str) -> Parsed<()> {
        self.skip_whitespace();
        if self.peek() != byte {
            return Err(reason);
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH { Err(TOO_DEEP) } else { Ok(()) }
    }

    /// After a value in an object or list: whether another one follows.
    pub(super) fn more(&mut self, closer: u8) -> Parsed<bool> {
        self.skip_whitespace();
        match self.peek() {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == closer => {
                self.at += 1;
                Ok(false)
            }
            _ => Err("expected `,` or the end of the object or list"),
        }
    }

    pub(super) fn object(&mut self, level: &mut LevelBuilder, row: u32) -> Parsed<()> {
        self.enter()?;
        self.expect(b'{', "expected an object")?;
        self.skip_whitespace();
        if self.peek() == b'}' {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        let (mut expected, mut keys) = (0, 0);
        let jumps = self.jumps.len();
        loop {
            self.skip_whitespace();
            let field = self.field(level, expected)?;
            self.expect(b':', "expected `:`")?;
            match field {
                Some(field) => {
                    if field != expected {
                        self.jumps.push(Jump { position: keys, field });
                    }
                    expected = field + 1;
                    keys += 1;
                    let values = level.values(field);
                    if values.claim(row) == Err(Taken) {
                        self.flaw = self.flaw.or(Some(TWICE));
                        self.skipped()?;
                    } else {
                        self.value(values, row)?;
                    }
                }
                None => self.skipped()?,
            }
            if !self.more(b'}')? {
                level.note_keys(keys, &self.jumps[jumps..]);
                self.jumps.truncate(jumps);
                self.depth -= 1;
                return Ok(());
            }
        }
    }

    /// Moves behind an object without keys, if one is here.
    fn skips_empty_object(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        self.skip_whitespace();
        let is_empty = self.peek() == b'}' && self.depth < MOST_DEPTH;
        self.at = if is_empty { self.at + 1 } else { start };
        is_empty
    }

    /// Reads a key and returns its column. It is first compared with the key at this position in the previous record,
    /// which it nearly always equals.
    fn field(&mut self, level: &mut LevelBuilder, expected: usize) -> Parsed<Option<usize>> {
        let rest = &self.text.as_bytes()[self.at..];
        if let Some(length) = level.quoted(expected).and_then(|quoted| quoted.length_in(rest)) {
            self.at += length;
            return Ok(Some(expected));
        }
        let key = match self.string()? {
            Text::Plain(key) => key,
            Text::Unescaped => &self.unescaped,
        };
        if key.len() > MOST_KEY_BYTES {
            self.flaw = self.flaw.or(Some(LONG_KEY));
            return Ok(None);
        }
        Ok(level.field(key))
    }

    /// Stores a text, unless it is read as null; whether it is.
    fn text(values: &mut ValuesBuilder, row: u32, text: &str) -> bool {
        let is_null = RULED && values.is_null(|null| null.has_text(text));
        if !is_null {
            values.text(row, text);
        }
        is_null
    }

    fn boolean(&mut self, values: &mut ValuesBuilder, row: u32, value: bool) -> Parsed<()> {
        self.word(if value { "true" } else { "false" })?;
        let is_null = RULED && values.is_null(|null| null.has_boolean(value));
        if !is_null {
            values.boolean(row, value);
        }
        self.scalars.add(is_null);
        Ok(())
    }

    pub(super) fn value(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        self.skip_whitespace();
        if RULED && values.rule().form != ValueForm::AsFound {
            return self.ruled(values, row);
        }
        self.found(values, row)
    }

    /// A value as it is found.
    pub(super) fn found(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        match self.peek() {
            b'"' => {
                let is_null = match self.string()? {
                    Text::Plain(text) => Self::text(values, row, text),
                    Text::Unescaped => Self::text(values, row, &self.unescaped),
                };
                self.scalars.add(is_null);
            }
            b'{' | b'[' if self.depth > self.levels => {
                match self.canonical()?.as_str() {
                    // They say nothing, as elsewhere.
                    "[]" => values.empty_list(row),
                    "{}" => values.empty_object(row),
                    json => {
                        values.text(row, json);
                        self.scalars.values += 1;
                    }
                }
            }
            b'{' if self.skips_empty_object() => values.empty_object(row),
            b'{' => {
                let (level, row) = values.object(row);
                self.object(level, row)?;
            }
            b'[' => self.list(values, row)?,
            b'-' | b'0'..=b'9' => self.number(values, row)?,
            byte @ (b't' | b'f') => self.boolean(values, row, byte == b't')?,
            b'n' => self.word("null")?,
            _ => return Err("expected a value"),
        }
        Ok(())
    }

    fn list(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        self.enter()?;
        self.at += 1;
        self.skip_whitespace();
        if self.peek() == b']' {
            self.at += 1;
            self.depth -= 1;
            values.empty_list(row);
            return Ok(());
        }
        for position in 0.. {
            self.skip_whitespace();
            let is_object = self.peek() == b'{' && self.depth <= self.levels;
            let (level, item) = values.item(row, position, is_object);
            level.check_cells()?;
            if is_object {
                self.object(level, item)?;
            } else {
                self.value(level.items(), item)?;
            }
            if !self.more(b']')? {
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &'static str) -> Parsed<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err("expected `true`, `false` or `null`");
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a number. A 64-bit integer is stored as one; other numbers keep their text.
    fn number(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        let (text, is_integer) = self.number_text()?;
        let is_null = RULED && values.is_null(|null| null.has_number(text));
        self.scalars.add(is_null);
        if is_null {
            return Ok(());
        }
        match text.parse::<i64>() {
            // `-0` keeps its text: an integer would lose the sign.
            Ok(integer) if is_integer && text != "-0" => values.integer(row, integer),
            _ => values.number(row, text),
        }
        Ok(())
    }

    /// Reads a number by the grammar of RFC 8259: its text, and whether it has neither point nor exponent.
    pub(super) fn number_text(&mut self) -> Parsed<(&'a str, bool)> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return Err("expected a digit"),
        }
        if !matches!(self.peek(), b'.' | b'e' | b'E') {
            return Ok((&self.text[start..self.at], true));
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok((&self.text[start..self.at], false))
    }

    fn digits(&mut self) -> Parsed<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err("expected a digit") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Value;

    use super::super::position::Position;
    use super::super::{
        Chunk, DecodeError, DecodeOptions, Level, RecordSelector, Splitter, Step, Undecodable,
        Values, decode_batch,
    };
    use super::*;
    use crate::schema::JsonPointer;

    fn decode(json: &str) -> Result<Chunk, DecodeError> {
        let mut splitter = Splitter::new(RecordSelector::TheOnlyArray { before: None });
        let mut batches = splitter.feed(json.as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        decode_batch(&batches[0], &DecodeOptions { identify: true, ..DecodeOptions::default() })
    }

    fn column(level: &Level, key: &str) -> Vec<String> {
        let scalars = level.values[&Step::Key(key.to_owned())].scalars.as_ref().unwrap();
        scalars.values.typed().iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn values_keep_what_stood_in_the_json() {
        let chunk = decode(
            r#"[{"i":1,"f":1.50,"s":"a\u00e9\ud83d\ude00\n","b":true},{"i":-2,"f":1e3,"s":null}]"#,
        )
        .unwrap();
        assert_eq!(column(&chunk.records, "i"), ["1", "-2"]);
        assert_eq!(column(&chunk.records, "f"), ["\"1.50\"", "\"1e3\""]);
        assert_eq!(column(&chunk.records, "s"), ["\"aé😀\n\"", "null"]);
        assert_eq!(column(&chunk.records, "b"), ["true", "null"]);
    }

    #[test]
    fn nesting_is_kept_as_rows() {
        let chunk = decode(r#"[{"x":[{"n":1},2,{"n":3}]},{"x":[]},{"x":{"n":4}}]"#).unwrap();
        let values = &chunk.records.values[&Step::Key("x".to_owned())];
        let nested = values.nested.as_ref().unwrap();
        assert_eq!(values.empty_lists, [1]);
        assert_eq!(nested.level.parents, [0, 0, 0, 2]);
        assert_eq!(nested.level.positions, [0, 1, 2, 0]);
        assert_eq!(column(&nested.level, "n"), ["1", "null", "3", "4"]);
        assert_eq!(nested.lists, [0]);
        assert_eq!(nested.objects, [0, 2, 3]);
    }

    #[test]
    fn p9_a_record_that_is_not_json_is_refused_with_its_place() {
        let error = |json: &str| decode(json).unwrap_err();
        let refused = error(r#"[{"a":1},{"a":01}]"#);
        assert_eq!((refused.record, refused.position), (1, Position { byte: 15, line: 1 }));
        let refused = decode("[\n{\"a\":1},\n{\n\"a\":tru}]").unwrap_err();
        assert_eq!((refused.record, refused.position), (1, Position { byte: 17, line: 4 }));
        assert!(refused.to_string().contains("at byte 17, line 4: "), "{refused}");
        for (json, reason) in [
            (r#"[{"a":tru}]"#, "expected `true`, `false` or `null`"),
            (r#"[{"a":"\x"}]"#, "unknown escape sequence"),
            ("[{\"a\":\"\u{1}\"}]", "a string has a control character"),
            (r#"[{"a":1.}]"#, "expected a digit"),
            (r#"[{"a":1,"a":02}]"#, "expected `,` or the end of the object or list"),
            (r#"[{"a":"\ud800\u00"}]"#, "four hexadecimal digits were expected"),
            (r#"[{"a":[1,]}]"#, "expected a value"),
            (r#"[{"a" 1}]"#, "expected `:`"),
            ("[{a:1}]", "expected a string"),
            ("[{},nul]", "expected `true`, `false` or `null`"),
            ("[{},nullx]", "expected the end of the record"),
        ] {
            assert_eq!(error(json).reason, reason, "{json}");
        }
    }

    #[test]
    fn p1_a_record_that_columns_cannot_hold_is_set_apart() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        for (json, reason) in [
            (r#"{"a":1,"a":"x"}"#, TWICE),
            (r#"{"a":[{"b":1,"c":2,"b":{}}]}"#, TWICE),
            (r#"{"a":"\ud800"}"#, HALF),
            (r#"{"a":"\ud800\u0041"}"#, HALF),
            (r#"{"a":"\ude00\ud800"}"#, HALF),
            (r#"{"\ud800":1}"#, HALF),
            ("null", NO_OBJECT),
            ("-1.5e3", NO_OBJECT),
            (r#""x""#, NO_OBJECT),
            (r#"[{"a":1}]"#, NO_OBJECT),
            (&deep, TOO_DEEP),
        ] {
            let chunk = decode(&format!(r#"[{{"a":1}},{json},{{"a":2}}]"#)).unwrap();
            let place = 9..9 + json.len() as u64;
            assert_eq!(chunk.undecodable, [Undecodable { place: place.clone(), reason }]);
            assert_eq!(chunk.places, [1..8, place.end + 1..place.end + 8]);
            assert_eq!(chunk.identities.len(), 2);
            assert_eq!(column(&chunk.records, "a"), ["1", "2"]);
            assert_eq!(chunk.records.values.len(), 1, "{json}");
            assert!(chunk.records.values.values().all(|values| values.nested.is_none()));
        }
    }

    #[test]
    fn p1_numbers_among_records_are_set_apart_one_by_one() {
        let chunk = decode(r#"[{"a":1},1,2,{"a":2},true,3]"#).unwrap();
        let places = chunk.undecodable.iter().map(|record| record.place.clone());
        assert_eq!(places.collect::<Vec<_>>(), [9..10, 11..12, 21..25, 26..27]);
        assert_eq!(column(&chunk.records, "a"), ["1", "2"]);
    }

    /// JSON with everything that a parser may get wrong.
    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-zé\"\\\\/\n\t\u{1F600}]{0,6}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map("[a-c\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn any_record() -> impl Strategy<Value = Value> {
        proptest::collection::hash_map("[a-c]{1,2}", any_json(), 1..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    /// The non-null scalars of a level.
    fn scalars(level: &Level) -> usize {
        let count = |values: &Values| {
            let own = values.scalars.as_ref();
            let own = own.map_or(0, |it| it.values.is_not_null().sum().unwrap_or(0) as usize);
            own + values.nested.as_ref().map_or(0, |nested| scalars(&nested.level))
        };
        level.values.values().map(count).sum()
    }

    fn scalars_of(json: &Value) -> usize {
        match json {
            Value::Null => 0,
            Value::Array(items) => items.iter().map(scalars_of).sum(),
            Value::Object(members) => members.values().map(scalars_of).sum(),
            _ => 1,
        }
    }

    /// Splits and decodes an export of one list.
    fn read(json: &str) -> Option<Result<usize, DecodeError>> {
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(json.as_bytes()).ok()?;
        batches.extend(splitter.finish().ok()?.0);
        let decoded = batches.iter().map(|batch| decode_batch(batch, &DecodeOptions::default()));
        Some(decoded.map(|chunk| Ok(scalars(&chunk?.records))).sum())
    }

    proptest! {
        #[test]
        fn p1_every_scalar_is_decoded(records in proptest::collection::vec(any_record(), 1..5)) {
            let json = Value::from(records);
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                prop_assert_eq!(read(&text), Some(Ok(scalars_of(&json))));
            }
        }

        #[test]
        fn p9_what_another_parser_refuses_is_refused(
            record in any_record(),
            at in any::<proptest::sample::Index>(),
            byte in proptest::sample::select(b"{}[]\",:\\0-.eE+tnu1 a\n".to_vec()),
            cut in 0_usize..2,
        ) {
            let mut text = record.to_string().into_bytes();
            let at = at.index(text.len());
            text.splice(at..at + cut, [byte]);
            let text = String::from_utf8_lossy(&[b"[", text.as_slice(), b"]"].concat()).into_owned();
            #[expect(clippy::zero_sized_map_values, reason = "only whether it can be read counts")]
            let other = serde_json::from_str::<Vec<HashMap<String, IgnoredAny>>>(&text);
            match read(&text) {
                // The other parser may also refuse half of a surrogate pair.
                Some(Ok(_)) => prop_assert!(other.is_ok() || text.contains("\\u"), "{}", text),
                _ => prop_assert!(other.is_err(), "{}", text),
            }
        }
    }
}
