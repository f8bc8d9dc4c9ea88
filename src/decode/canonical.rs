//! Canonical JSON: the text of a value that is kept as JSON.
//!
//! | JSON | text |
//! |---|---|
//! | whitespace between tokens | gone |
//! | `{"b":1,"a":2}` | `{"a":2,"b":1}`: keys in order, so that their order makes no new version of a row |
//! | `1.50`, `1E2` | the same digits |
//! | `"\u00e9\/"` | `"é/"`: only `"`, `\` and control characters are escaped |

use std::ops::Range;

use super::parse::{Parsed, Parser, TWICE, Text};

/// A member of an object in the text written so far: its key with quotes, and all of it.
struct ObjectMember {
    key: Range<usize>,
    all: Range<usize>,
}

impl<const RULED: bool> Parser<'_, RULED> {
    /// Reads a value that is not kept.
    pub(super) fn skipped(&mut self) -> Parsed<()> {
        self.canonical().map(drop)
    }

    /// Reads a value; its canonical text.
    pub(super) fn canonical(&mut self) -> Parsed<String> {
        let mut text = String::new();
        self.write_value(&mut text)?;
        Ok(text)
    }

    fn write_value(&mut self, text: &mut String) -> Parsed<()> {
        self.skip_whitespace();
        let first = self.peek();
        self.in_texts += u64::from(!matches!(first, b'{' | b'[' | b'n'));
        match first {
            b'{' => self.write_object(text)?,
            b'[' => self.write_list(text)?,
            b'"' => self.write_string(text)?,
            b'-' | b'0'..=b'9' => text.push_str(self.number_text()?.0),
            b't' => self.write_word("true", text)?,
            b'f' => self.write_word("false", text)?,
            b'n' => self.write_word("null", text)?,
            _ => return Err("expected a value"),
        }
        Ok(())
    }

    fn write_word(&mut self, word: &'static str, text: &mut String) -> Parsed<()> {
        self.word(word)?;
        text.push_str(word);
        Ok(())
    }

    fn write_string(&mut self, text: &mut String) -> Parsed<()> {
        match self.string()? {
            // What needs no escape in the source needs none here.
            Text::Plain(plain) => {
                text.push('"');
                text.push_str(plain);
                text.push('"');
            }
            Text::Unescaped => {
                text.push_str(&serde_json::Value::from(self.unescaped.as_str()).to_string());
            }
        }
        Ok(())
    }

    fn write_list(&mut self, text: &mut String) -> Parsed<()> {
        self.enter()?;
        self.at += 1;
        text.push('[');
        self.skip_whitespace();
        if self.peek() == b']' {
            self.at += 1;
        } else {
            self.write_value(text)?;
            while self.more(b']')? {
                text.push(',');
                self.write_value(text)?;
            }
        }
        text.push(']');
        self.depth -= 1;
        Ok(())
    }

    fn write_object(&mut self, text: &mut String) -> Parsed<()> {
        self.enter()?;
        self.at += 1;
        text.push('{');
        self.skip_whitespace();
        if self.peek() == b'}' {
            self.at += 1;
        } else {
            let mut members = vec![self.write_member(text)?];
            while self.more(b'}')? {
                text.push(',');
                members.push(self.write_member(text)?);
            }
            if has_key_twice(text, members) {
                self.flaw = self.flaw.or(Some(TWICE));
            }
        }
        text.push('}');
        self.depth -= 1;
        Ok(())
    }

    fn write_member(&mut self, text: &mut String) -> Parsed<ObjectMember> {
        let start = text.len();
        self.skip_whitespace();
        self.write_string(text)?;
        let key = start..text.len();
        self.expect(b':', "expected `:`")?;
        text.push(':');
        self.write_value(text)?;
        Ok(ObjectMember { key, all: start..text.len() })
    }
}

/// Sorts the members of an object, with which the text ends, by key. Returns whether a key is repeated.
fn has_key_twice(text: &mut String, mut members: Vec<ObjectMember>) -> bool {
    let is_sorted =
        members.is_sorted_by(|one, next| text[one.key.clone()] < text[next.key.clone()]);
    let Some(start) = members.first().map(|first| first.all.start).filter(|_| !is_sorted) else {
        return false;
    };
    members.sort_by(|one, other| text[one.key.clone()].cmp(&text[other.key.clone()]));
    let sorted: Vec<&str> = members.iter().map(|member| &text[member.all.clone()]).collect();
    let sorted = sorted.join(",");
    let keys: Vec<&str> = members.iter().map(|member| &text[member.key.clone()]).collect();
    let has_twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
    text.truncate(start);
    text.push_str(&sorted);
    has_twice
}
