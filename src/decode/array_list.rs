//! The arrays of an envelope, as far as an error needs to know them.

use std::collections::HashSet;
use std::fmt;

use crate::schema::JsonPointer;

/// So many arrays are known by their place; further ones are only counted.
const MOST_KNOWN: usize = 1_000;
/// So many a message names.
const MOST_SHOWN: usize = 5;

/// What was seen of the arrays that may be the records.
#[derive(Debug, Default)]
pub(super) struct SeenArrays {
    pub(super) with_objects: ArrayList,
    pub(super) empty: ArrayList,
    /// There is one where earlier exports had their records.
    pub(super) is_where_before: bool,
}

/// Arrays of an envelope, in the order of the export. It takes little memory, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArrayList {
    known: Vec<JsonPointer>,
    /// The same, to look them up.
    places: HashSet<JsonPointer>,
    /// How many more there are.
    more: usize,
}

impl ArrayList {
    /// Adds the array of this path; a place that is known counts once.
    pub(super) fn add(&mut self, path: &[String]) {
        if self.places.contains(path) {
            return;
        }
        if self.known.len() < MOST_KNOWN {
            let pointer = JsonPointer::from_keys(path.to_vec());
            self.places.insert(pointer.clone());
            self.known.push(pointer);
        } else {
            self.more += 1;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The place of the array, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&JsonPointer> {
        match self.known.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Their places, unless there are more than anybody would name.
    #[must_use]
    pub fn all(&self) -> Option<&[JsonPointer]> {
        (self.more == 0).then_some(&self.known)
    }

    /// The first few, separated so, and how many more there are.
    pub(super) fn shown(&self, separator: &str, show: impl Fn(&JsonPointer) -> String) -> String {
        let shown: Vec<String> = self.known.iter().take(MOST_SHOWN).map(show).collect();
        let more = self.known.len() - shown.len() + self.more;
        let shown = shown.join(separator);
        if more == 0 { shown } else { format!("{shown}{separator}{more} more") }
    }
}

impl FromIterator<JsonPointer> for ArrayList {
    fn from_iter<I: IntoIterator<Item = JsonPointer>>(pointers: I) -> Self {
        let mut list = Self::default();
        pointers.into_iter().for_each(|pointer| list.add(pointer.keys()));
        list
    }
}

impl fmt::Display for ArrayList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(", ", |pointer| match pointer.keys() {
            // The pointer to the root is empty.
            [] => "the root".to_owned(),
            _ => format!("`{pointer}`"),
        }))
    }
}
