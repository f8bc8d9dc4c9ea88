//! Values that a definition has a rule for.

use std::collections::HashSet;

use super::columns::ValuesBuilder;
use super::parse::{Parsed, Parser, TWICE, Text};
use super::rules::ValueForm;

/// The members of a list have no keys.
const LIST_FOR_MEMBERS: &str =
    "a list stands where `keys` says that an object is; each of its members needs a key";

impl<const RULED: bool> Parser<'_, RULED> {
    pub(super) fn ruled(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        match (values.rule().form, self.peek()) {
            (ValueForm::LeftOut, _) => {
                let before = self.in_texts;
                self.skipped()?;
                self.scalars.left_out += self.in_texts - before;
                Ok(())
            }
            (ValueForm::Json, _) => self.json(values, row),
            (ValueForm::Keyed, b'{') => self.members(values, row),
            (ValueForm::Keyed, b'[') => {
                if self.canonical()? == "[]" {
                    values.empty_list(row);
                } else {
                    self.flaw = self.flaw.or(Some(LIST_FOR_MEMBERS));
                }
                Ok(())
            }
            (ValueForm::Keyed | ValueForm::AsFound, _) => self.found(values, row),
        }
    }

    /// Any value as one text.
    fn json(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        let first = self.peek();
        let json = self.canonical()?;
        let is_null = |values: &ValuesBuilder| match first {
            b'n' => true,
            b'{' | b'[' => false,
            b't' | b'f' => values.is_null(|null| null.has_boolean(first == b't')),
            b'"' => values.is_null(|null| {
                serde_json::from_str::<String>(&json).is_ok_and(|text| null.has_text(&text))
            }),
            _ => values.is_null(|null| null.has_number(&json)),
        };
        let is_null = is_null(values);
        if !is_null {
            values.text(row, &json);
        }
        if first != b'n' {
            self.scalars.add(is_null);
        }
        Ok(())
    }

    /// The members of an object, each a row with its key.
    fn members(&mut self, values: &mut ValuesBuilder, row: u32) -> Parsed<()> {
        self.enter()?;
        self.at += 1;
        self.skip_whitespace();
        if self.peek() == b'}' {
            self.at += 1;
            self.depth -= 1;
            values.empty_object(row);
            return Ok(());
        }
        let mut keys = HashSet::new();
        for position in 0.. {
            self.skip_whitespace();
            let key = match self.string()? {
                Text::Plain(key) => key.to_owned(),
                Text::Unescaped => self.unescaped.clone(),
            };
            self.expect(b':', "expected `:`")?;
            self.skip_whitespace();
            let is_object = self.peek() == b'{' && self.depth <= self.levels;
            let (level, member) = values.member(row, position, &key, is_object);
            level.check_cells()?;
            if is_object {
                self.object(level, member)?;
            } else {
                self.value(level.items(), member)?;
            }
            if !keys.insert(key) {
                self.flaw = self.flaw.or(Some(TWICE));
            }
            if !self.more(b'}')? {
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
