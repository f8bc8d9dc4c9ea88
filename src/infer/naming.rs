//! Names: makes from any JSON key a name that no engine needs quotes for.
//!
//! `createdAt` becomes `created_at`. The rows of the table in docs/names.md are tests.

use crate::schema::{ColumnName, ITEM_COLUMN, ShownPath, Step, TableName};

/// The separator between the names of nested keys.
const NESTING: &str = "__";
/// Longer names are cut: names of tables and partition columns are directory names, which have at most 255 bytes.
const MOST_BYTES: usize = 200;

/// The name of a key. Naming a name gives the same name.
#[must_use]
pub fn snake_case(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    let mut name = String::with_capacity(key.len() + 4);
    for (position, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            push_separator(&mut name);
            continue;
        }
        if character.is_uppercase() && begins_word(&characters, position) {
            push_separator(&mut name);
        }
        name.extend(character.to_lowercase().filter(|c| c.is_alphanumeric() && !c.is_uppercase()));
    }
    let trimmed = name.trim_end_matches('_');
    match trimmed.chars().next() {
        None => "unnamed".to_owned(),
        Some(first) if first.is_numeric() => format!("_{trimmed}"),
        Some(_) => trimmed.to_owned(),
    }
}

/// Words separated by one underscore, without a leading one.
fn push_separator(name: &mut String) {
    if !name.is_empty() && !name.ends_with('_') {
        name.push('_');
    }
}

/// An upper-case letter begins a word after a lower-case letter or digit, and at the end of an acronym.
fn begins_word(characters: &[char], position: usize) -> bool {
    let Some(before) = position.checked_sub(1).map(|before| characters[before]) else {
        return false;
    };
    let ends_acronym = characters.get(position + 1).is_some_and(|after| after.is_lowercase());
    before.is_lowercase() || before.is_numeric() || (before.is_uppercase() && ends_acronym)
}

/// The name of the value at a path.
pub(crate) fn column_name(path: &[Step]) -> ColumnName {
    checked(&shortened(joined(path)))
}

/// The name of a value whose own name is taken. It depends on the path alone, so it is the same every night.
pub(crate) fn distinct_name(name: &ColumnName, path: &[Step]) -> ColumnName {
    checked(&format!("{name}_{}", mark_of(path)))
}

/// The same for a child table.
pub(crate) fn distinct_table_name(name: &TableName, path: &[Step]) -> TableName {
    format!("{name}_{}", mark_of(path)).parse().unwrap_or_else(|_| name.clone())
}

/// Four digits of the hash of a path.
fn mark_of(path: &[Step]) -> String {
    blake3::hash(ShownPath(path).to_string().as_bytes()).to_hex()[..4].to_owned()
}

/// The name of an undeclared child table.
pub(crate) fn child_table_name(parent: &TableName, path: &[Step]) -> TableName {
    let joined = shortened(format!("{parent}{NESTING}{}", joined(path)));
    joined.parse().unwrap_or_else(|_| parent.clone())
}

/// The name under which a child row carries a key column of its parent.
pub(crate) fn parent_key_name(parent: &TableName, column: &str) -> ColumnName {
    checked(&shortened(format!("{parent}{NESTING}{}", column.trim_start_matches('_'))))
}

fn joined(path: &[Step]) -> String {
    let names: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => snake_case(key),
            Step::Item => ITEM_COLUMN.to_owned(),
        })
        .collect();
    names.join(NESTING)
}

/// The name of a table whose records are at the end of these keys. A directory with `_` in front is nobody's data.
pub(crate) fn table_name(keys: &[impl AsRef<str>]) -> Option<TableName> {
    let names: Vec<String> = keys.iter().map(|key| snake_case(key.as_ref())).collect();
    let joined = names.join(NESTING);
    let prefix = if joined.starts_with('_') { "table" } else { "" };
    shortened(format!("{prefix}{joined}")).parse().ok()
}

/// A name that is short enough for a directory: the beginning of a longer one, and a hash of all of it.
fn shortened(name: String) -> String {
    if bytes_in_a_path(&name) <= MOST_BYTES {
        return name;
    }
    let mark = &blake3::hash(name.as_bytes()).to_hex()[..8];
    let mut beginning = String::new();
    let mut room = MOST_BYTES - mark.len() - 1;
    for character in name.chars() {
        match room.checked_sub(bytes_in_a_path(character.encode_utf8(&mut [0; 4]))) {
            Some(left) => room = left,
            None => break,
        }
        beginning.push(character);
    }
    format!("{}_{mark}", beginning.trim_end_matches('_'))
}

/// The bytes of a name in the path of flowlake's own file of a table, where what is not ASCII is percent-encoded.
fn bytes_in_a_path(name: &str) -> usize {
    name.bytes().map(|byte| if byte.is_ascii() { 1 } else { 3 }).sum()
}

/// A text made by this module as a checked name.
fn checked(text: &str) -> ColumnName {
    text.parse().unwrap_or_else(|_| ColumnName::unnamed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_different() {
        for long in ["long".repeat(80), "цена".repeat(30)] {
            let path = |last: &str| vec![Step::Key(long.clone()), Step::Key(last.to_owned())];
            let (a, b) = (column_name(&path("a")), column_name(&path("b")));
            assert_ne!(a, b);
            assert!(bytes_in_a_path(a.as_str()) <= MOST_BYTES, "{a}");
            assert_eq!(shortened(a.to_string()), a.as_str());
        }
    }

    proptest! {
        #[test]
        fn every_key_has_a_name_that_names_itself(key in "\\PC{0,12}") {
            let name = snake_case(&key);
            prop_assert!(name.parse::<ColumnName>().is_ok(), "{}", name);
            prop_assert_eq!(&snake_case(&name), &name);
        }

        #[test]
        fn every_key_has_a_name_for_a_table(keys in proptest::collection::vec("\\PC{0,90}", 1..4)) {
            let name = table_name(&keys);
            let is_valid = |name: &TableName| {
                !name.as_str().starts_with('_') && bytes_in_a_path(name.as_str()) <= MOST_BYTES
            };
            prop_assert!(name.as_ref().is_some_and(is_valid), "{:?}", name);
        }
    }
}
