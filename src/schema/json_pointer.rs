//! JSON Pointer (RFC 6901), through objects only.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A path of object keys, written `/supplier/name`; the empty pointer is the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPointer(Vec<String>);

/// A text that is not a JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a JSON Pointer: it is empty, or begins with `/`, as in `/purchaseOrders`")]
pub struct InvalidPointer(String);

impl JsonPointer {
    /// The pointer of these keys.
    #[must_use]
    pub fn from_keys(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// The place in a sentence about the whole value: `` at `/orders` ``.
    #[must_use]
    pub fn place_in_export(&self) -> String {
        if self.0.is_empty() { "at its root".to_owned() } else { format!("at `{self}`") }
    }

    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }
}

/// Pointers are looked up by the keys of a place, without a copy of them.
impl Borrow<[String]> for JsonPointer {
    fn borrow(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.0 {
            write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl FromStr for JsonPointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or_else(|| InvalidPointer(text.to_owned()))?;
        Ok(Self(rest.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = InvalidPointer;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JsonPointer> for String {
    fn from(pointer: JsonPointer) -> Self {
        pointer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_slashes_and_tildes_survive() {
        let pointer = JsonPointer::from_keys(vec!["a/b".into(), "~c".into(), String::new()]);
        assert_eq!(pointer.to_string(), "/a~1b/~0c/");
        assert_eq!(pointer.to_string().parse::<JsonPointer>().unwrap(), pointer);
    }
}
