//! Builds levels: one column per key, and the rows that have a value.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::{PlSmallStr, StringChunkedBuilder};

use super::block::plain_run;
use super::rules::{Scope, ValueForm, ValueRule};
use super::scalars::ScalarBuilder;
use super::{Level, NestedRows, Values};
use crate::schema::{KeyPlace, NullValues, Step};

/// The row already has a value under this key: the key is repeated in one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken;

/// What the parent and position of a row take, compared with a value.
const CELLS_OF_A_ROW: usize = 1;
/// The same for the first row of a list, or an object, with what notes that there is one.
const CELLS_OF_A_LIST: usize = 5;

/// Builds a [`Level`].
pub(super) struct LevelBuilder {
    scope: Scope,
    rows: u32,
    parents: Vec<u32>,
    positions: Vec<u32>,
    /// The key of each row, where the rows are the members of objects.
    member_keys: Option<StringChunkedBuilder>,
    keys: HashMap<Box<str>, usize>,
    fields: Vec<KeyValues>,
    /// An object had the first so many fields, in order, and nothing else.
    in_order: usize,
    /// Every field was in an object of so many keys: smaller objects tell no new places.
    least_keys: usize,
    /// How many places were compared since that was counted.
    compared: usize,
    items: Option<Box<ValuesBuilder>>,
}

/// The values of one key.
struct KeyValues {
    key: Box<str>,
    /// None if JSON can write the key in several ways.
    quoted: Option<QuotedKey>,
    values: ValuesBuilder,
    place: KeyPlace,
}

impl KeyValues {
    fn new(key: &str, scope: Scope) -> Self {
        let is_plain = plain_run(key.as_bytes()) == key.len();
        let quoted = is_plain.then(|| QuotedKey::of(key));
        let values = ValuesBuilder::new(scope);
        Self { key: key.into(), quoted, values, place: KeyPlace::default() }
    }
}

/// In an object, a key that is not the one after the key before it, by the order of the level's fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    /// How many keys of the object are before it.
    pub(super) position: usize,
    pub(super) field: usize,
}

/// A key as JSON text, with its quotes.
pub(super) struct QuotedKey {
    bytes: Box<[u8]>,
    /// Its first 16 bytes, padded with 0.
    first: u128,
    /// A mask of the bytes that are not padding.
    mask: u128,
}

impl QuotedKey {
    fn of(key: &str) -> Self {
        let bytes = format!("\"{key}\"").into_bytes();
        let (mut first, mut mask) = ([0; 16], [0; 16]);
        for ((first, mask), byte) in first.iter_mut().zip(&mut mask).zip(&bytes) {
            (*first, *mask) = (*byte, u8::MAX);
        }
        let [first, mask] = [first, mask].map(u128::from_le_bytes);
        Self { bytes: bytes.into(), first, mask }
    }

    /// Its length with quotes, if `json` begins with it. Keys are short: a call to compare slices costs more than
    /// comparing the bytes here, 2 % of a run.
    pub(super) fn length_in(&self, json: &[u8]) -> Option<usize> {
        let begins_with_it = match json.first_chunk() {
            Some(first) => {
                u128::from_le_bytes(*first) & self.mask == self.first
                    && (self.bytes.len() <= first.len() || json.starts_with(&self.bytes))
            }
            None => json.starts_with(&self.bytes),
        };
        begins_with_it.then_some(self.bytes.len())
    }
}

impl LevelBuilder {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            rows: 0,
            parents: Vec::new(),
            positions: Vec::new(),
            member_keys: None,
            keys: HashMap::new(),
            fields: Vec::new(),
            in_order: 0,
            least_keys: 0,
            compared: 0,
            items: None,
        }
    }

    /// Adds a record.
    pub(super) fn add_record(&mut self) -> u32 {
        self.scope.add_cells(1 + self.fields.len());
        self.rows += 1;
        self.rows - 1
    }

    fn add_row(&mut self, parent: u32, position: u32) -> u32 {
        self.scope.add_cells(if position == 0 { CELLS_OF_A_LIST } else { CELLS_OF_A_ROW });
        self.parents.push(parent);
        self.positions.push(position);
        self.add_record()
    }

    /// Whether the records have no more cells than one may have.
    pub(super) fn check_cells(&self) -> Result<(), &'static str> {
        self.scope.check_cells()
    }

    /// The quoted key of a column, if JSON can write it in only one way.
    pub(super) fn quoted(&self, field: usize) -> Option<&QuotedKey> {
        self.fields.get(field)?.quoted.as_ref()
    }

    /// The position of a key's column; none when there is no room for one more.
    pub(super) fn field(&mut self, key: &str) -> Option<usize> {
        if let Some(position) = self.keys.get(key) {
            return Some(*position);
        }
        let scope = self.scope.below(|| Step::Key(key.to_owned()));
        if scope.rule().form != ValueForm::LeftOut && !self.scope.takes_key() {
            return None;
        }
        self.scope.add_cells(self.rows as usize);
        self.keys.insert(key.into(), self.fields.len());
        self.fields.push(KeyValues::new(key, scope));
        self.least_keys = 0;
        Some(self.fields.len() - 1)
    }

    /// Notes the keys of an object: `keys` of them, the fields of the level in order but for `jumps`.
    pub(super) fn note_keys(&mut self, keys: usize, jumps: &[Jump]) {
        if keys >= self.least_keys && (!jumps.is_empty() || keys > self.in_order) {
            self.note_other_keys(keys, jumps);
        }
    }

    #[cold]
    fn note_other_keys(&mut self, keys: usize, jumps: &[Jump]) {
        if jumps.is_empty() {
            self.in_order = keys;
        }
        let mut jumps = jumps.iter().peekable();
        let mut field = 0;
        for position in 0..keys {
            if let Some(jump) = jumps.next_if(|jump| jump.position == position) {
                field = jump.field;
            }
            if let Some(values) = self.fields.get_mut(field) {
                values.place = values.place.merge(KeyPlace::new(keys, position));
            }
            field += 1;
        }
        // Counting looks at all fields, so it waits until as many were compared.
        self.compared += keys;
        if self.compared >= self.fields.len() {
            self.compared = 0;
            let keys = self.fields.iter().map(|values| values.place.keys());
            self.least_keys = keys.min().unwrap_or_default();
        }
    }

    pub(super) fn values(&mut self, field: usize) -> &mut ValuesBuilder {
        &mut self.fields[field].values
    }

    /// The items of lists that are not objects.
    pub(super) fn items(&mut self) -> &mut ValuesBuilder {
        let scope = &self.scope;
        self.items.get_or_insert_with(|| Box::new(ValuesBuilder::new(scope.below(|| Step::Item))))
    }

    pub(super) fn finish(self) -> Level {
        let rows = self.rows as usize;
        // A key that is left out stays without values: it tells that there was something to leave out.
        let fields = self.fields.into_iter();
        let mut values: BTreeMap<Step, Values> = fields
            .map(|KeyValues { key, values, place, .. }| {
                (Step::Key(key.into()), Values { place, ..values.finish(rows) })
            })
            .collect();
        if let Some(items) = self.items {
            values.insert(Step::Item, items.finish(rows));
        }
        Level {
            rows,
            parents: self.parents,
            positions: self.positions,
            keys: self.member_keys.map(StringChunkedBuilder::finish),
            values,
        }
    }
}

/// Builds the [`Values`] of one key.
pub(super) struct ValuesBuilder {
    scope: Scope,
    rule: ValueRule,
    /// The first row without a value yet.
    next_row: u32,
    scalars: ScalarBuilder,
    empty_lists: Vec<u32>,
    empty_objects: Vec<u32>,
    nested: Option<Box<NestedBuilder>>,
}

/// Builds [`NestedRows`].
pub(super) struct NestedBuilder {
    lists: Vec<u32>,
    objects: Vec<u32>,
    level: LevelBuilder,
}

impl NestedBuilder {
    fn new(scope: Scope) -> Box<Self> {
        scope.counts();
        Box::new(Self { lists: Vec::new(), objects: Vec::new(), level: LevelBuilder::new(scope) })
    }
}

impl ValuesBuilder {
    fn new(scope: Scope) -> Self {
        Self {
            rule: scope.rule(),
            scope,
            next_row: 0,
            scalars: ScalarBuilder::default(),
            empty_lists: Vec::new(),
            empty_objects: Vec::new(),
            nested: None,
        }
    }

    /// Whether a scalar here means that there is none.
    pub(super) fn is_null(&self, is: impl FnOnce(&NullValues) -> bool) -> bool {
        self.rule.null_values.as_deref().is_some_and(is)
    }

    pub(super) fn rule(&self) -> &ValueRule {
        &self.rule
    }

    /// Claims the row for a value of this key.
    pub(super) fn claim(&mut self, row: u32) -> Result<(), Taken> {
        if row < self.next_row {
            return Err(Taken);
        }
        self.next_row = row + 1;
        Ok(())
    }

    pub(super) fn boolean(&mut self, row: u32, value: bool) {
        self.scalars.boolean(row as usize, value);
    }

    pub(super) fn integer(&mut self, row: u32, value: i64) {
        self.scalars.integer(row as usize, value);
    }

    pub(super) fn number(&mut self, row: u32, text: &str) {
        self.scalars.number(row as usize, text);
    }

    pub(super) fn text(&mut self, row: u32, text: &str) {
        self.scalars.text(row as usize, text);
    }

    pub(super) fn empty_list(&mut self, row: u32) {
        self.empty_lists.push(row);
    }

    /// Adds an object without keys outside a list.
    pub(super) fn empty_object(&mut self, row: u32) {
        self.empty_objects.push(row);
    }

    /// Adds an object outside a list. Returns its level and row.
    pub(super) fn object(&mut self, row: u32) -> (&mut LevelBuilder, u32) {
        let scope = &self.scope;
        let nested = self.nested.get_or_insert_with(|| {
            // Its own keys are columns in its place.
            scope.gives_back_key();
            NestedBuilder::new(scope.clone())
        });
        let row = nested.level.add_row(row, 0);
        nested.objects.push(row);
        (&mut nested.level, row)
    }

    /// Adds an item of a list. Returns its level and row.
    pub(super) fn item(
        &mut self,
        row: u32,
        position: u32,
        is_object: bool,
    ) -> (&mut LevelBuilder, u32) {
        let scope = &self.scope;
        let nested = self.nested.get_or_insert_with(|| NestedBuilder::new(scope.of_lists()));
        if position == 0 {
            nested.lists.push(row);
        }
        let row = nested.level.add_row(row, position);
        if is_object {
            nested.objects.push(row);
        }
        (&mut nested.level, row)
    }

    /// Adds a member of an object that is like a list, with its key. Returns its level and row.
    pub(super) fn member(
        &mut self,
        row: u32,
        position: u32,
        key: &str,
        is_object: bool,
    ) -> (&mut LevelBuilder, u32) {
        let (level, row) = self.item(row, position, is_object);
        let keys = level
            .member_keys
            .get_or_insert_with(|| StringChunkedBuilder::new(PlSmallStr::EMPTY, 0));
        keys.append_value(key);
        (level, row)
    }

    fn finish(self, rows: usize) -> Values {
        Values {
            scalars: self.scalars.finish(rows),
            empty_lists: self.empty_lists,
            empty_objects: self.empty_objects,
            nested: self.nested.map(|nested| {
                Box::new(NestedRows {
                    lists: nested.lists,
                    objects: nested.objects,
                    level: nested.level.finish(),
                })
            }),
            place: KeyPlace::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_noticed() {
        let mut values = ValuesBuilder::new(Scope::of_records(usize::MAX, None));
        assert_eq!(values.claim(0), Ok(()));
        assert_eq!(values.claim(0), Err(Taken));
        assert_eq!(values.claim(5), Ok(()));
    }
}
