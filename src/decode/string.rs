//! Strings of JSON.

use super::block::plain_run;
use super::parse::{HALF, Parsed, Parser, Text};

impl<'a, const RULED: bool> Parser<'a, RULED> {
    pub(super) fn string(&mut self) -> Parsed<Text<'a>> {
        if self.peek() != b'"' {
            return Err("expected a string");
        }
        self.at += 1;
        let start = self.at;
        self.plain_run()?;
        if self.peek() == b'"' {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Text::Plain(text));
        }
        self.unescaped.clear();
        self.unescaped.push_str(&self.text[start..self.at]);
        while self.peek() == b'\\' {
            let character = self.escape()?;
            self.unescaped.push(character);
            let start = self.at;
            self.plain_run()?;
            self.unescaped.push_str(&self.text[start..self.at]);
        }
        self.at += 1;
        Ok(Text::Unescaped)
    }

    /// Moves to the next `"` or `\`.
    fn plain_run(&mut self) -> Parsed<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = plain_run(rest);
        self.at += length;
        match rest.get(length) {
            Some(b'"' | b'\\') => Ok(()),
            Some(_) => Err("a string has a control character"),
            None => Err("the string does not end"),
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        self.at += 2;
        Ok(match self.text.as_bytes().get(self.at - 1).copied().unwrap_or(0) {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => {
                self.at -= 2;
                return Err("unknown escape sequence");
            }
        })
    }

    fn unicode(&mut self) -> Parsed<char> {
        let first = self.hexadecimal()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if first >= 0xDC00 || !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            return Ok(self.half());
        }
        self.at += 2;
        let second = self.hexadecimal()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Ok(self.half());
        }
        let pair = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        Ok(pair.unwrap_or_else(|| self.half()))
    }

    /// Records that half of a pair was found, and continues after it.
    fn half(&mut self) -> char {
        self.flaw = self.flaw.or(Some(HALF));
        char::REPLACEMENT_CHARACTER
    }

    fn hexadecimal(&mut self) -> Parsed<u32> {
        const REASON: &str = "four hexadecimal digits were expected";
        let digits = self.text.get(self.at..self.at + 4).ok_or(REASON)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(REASON);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| REASON)
    }
}
