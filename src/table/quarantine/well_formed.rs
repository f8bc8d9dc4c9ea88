//! Whether common JSON parsers accept a text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads any value, and keeps nothing of it: a record of many small values would take many times its size.
struct Dropped;

/// Whether `serde_json` reads the text as a value: its numbers are finite, its texts Unicode, and it is not too deep.
pub(super) fn is_well_formed(json: &str) -> bool {
    serde_json::from_str::<Dropped>(json).is_ok()
}

impl<'de> Deserialize<'de> for Dropped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Dropped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_accepts_what_a_value_can_be_read_from() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let texts = [
            "null",
            " [1, 2.5, -3, true, \"\\u00e9\", {\"a\":null}] ",
            "{}",
            "1e999",
            "-0",
            "\"\\ud800\"",
            "18446744073709551616",
            "[1,]",
            "",
            "{\"a\":1,\"a\":2}",
            "{1:2}",
            "nul",
            "1 2",
            "\"\u{1}\"",
        ];
        let deep = [deep(100), deep(127), deep(128), deep(100_000)];
        for text in texts.iter().copied().chain(deep.iter().map(String::as_str)) {
            let expected = serde_json::from_str::<Value>(text).is_ok();
            assert_eq!(is_well_formed(text), expected, "{text:.20}");
        }
    }
}
