//! The path from a record to a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::JsonPointer;

/// One step on the path from a record to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An item of a list that is not an object.
    Item,
}

/// The path from a record to a value, through objects; lists have levels of their own.
pub type ValuePath = Vec<Step>;

/// How a path is shown: as a JSON Pointer, with `-` for the items of a list.
pub struct ShownPath<'a>(pub &'a [Step]);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                Step::Key(key) => {
                    fmt::Display::fmt(&JsonPointer::from_keys(vec![key.clone()]), f)?;
                }
                Step::Item => f.write_str("/-")?,
            }
        }
        Ok(())
    }
}
