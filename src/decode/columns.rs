//! Builders of columns that start with what they see and widen without loss.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Int64Type, IntoSeries, PlSmallStr,
    PrimitiveChunkedBuilder, StringChunkedBuilder,
};

use super::block::plain_run;
use super::{Level, Nested, Scalars, Step, Values};
use crate::scalar::Facts;

/// A value stands at a row that already has one: the key stands twice in one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken;

/// Builds a [`Level`].
#[derive(Default)]
pub(super) struct LevelBuilder {
    rows: u32,
    parents: Vec<u32>,
    positions: Vec<u32>,
    keys: HashMap<Box<str>, usize>,
    fields: Vec<Field>,
    items: Option<Box<ValuesBuilder>>,
}

/// What is under one key.
struct Field {
    key: Box<str>,
    /// The key as it stands in JSON, in quotes, unless it may stand there in several ways.
    quoted: Option<Box<[u8]>>,
    values: ValuesBuilder,
}

impl Field {
    fn new(key: &str) -> Self {
        let is_plain = plain_run(key.as_bytes()) == key.len();
        let quoted = is_plain.then(|| format!("\"{key}\"").into_bytes().into());
        Self { key: key.into(), quoted, values: ValuesBuilder::default() }
    }
}

impl LevelBuilder {
    /// Adds a record.
    pub(super) fn add_record(&mut self) -> u32 {
        self.rows += 1;
        self.rows - 1
    }

    fn add_row(&mut self, parent: u32, position: u32) -> u32 {
        self.parents.push(parent);
        self.positions.push(position);
        self.add_record()
    }

    /// The key of a column as it stands in JSON, if it is there and stands there in one way.
    pub(super) fn quoted(&self, field: usize) -> Option<&[u8]> {
        self.fields.get(field)?.quoted.as_deref()
    }

    /// The position of a key's column.
    pub(super) fn field(&mut self, key: &str) -> usize {
        if let Some(position) = self.keys.get(key) {
            return *position;
        }
        self.keys.insert(key.into(), self.fields.len());
        self.fields.push(Field::new(key));
        self.fields.len() - 1
    }

    pub(super) fn values(&mut self, field: usize) -> &mut ValuesBuilder {
        &mut self.fields[field].values
    }

    /// The items of lists that are not objects.
    pub(super) fn items(&mut self) -> &mut ValuesBuilder {
        self.items.get_or_insert_default()
    }

    pub(super) fn finish(self) -> Level {
        let rows = self.rows as usize;
        let mut values: BTreeMap<Step, Values> = self
            .fields
            .into_iter()
            .map(|Field { key, values, .. }| (Step::Key(key.into()), values.finish(rows)))
            .collect();
        if let Some(items) = self.items {
            values.insert(Step::Item, items.finish(rows));
        }
        Level { rows, parents: self.parents, positions: self.positions, values }
    }
}

/// Builds the [`Values`] of one key.
#[derive(Default)]
pub(super) struct ValuesBuilder {
    /// The first row without a value yet.
    next_row: u32,
    scalars: ScalarBuilder,
    empty_lists: Vec<u32>,
    nested: Option<Box<NestedBuilder>>,
}

/// Builds [`Nested`].
#[derive(Default)]
pub(super) struct NestedBuilder {
    lists: bool,
    objects: Vec<u32>,
    level: LevelBuilder,
}

impl ValuesBuilder {
    /// Claims a row for the one value it can have under this key.
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

    /// Adds an object that stands alone; returns its level and row.
    pub(super) fn object(&mut self, row: u32) -> (&mut LevelBuilder, u32) {
        let nested = self.nested.get_or_insert_default();
        let row = nested.level.add_row(row, 0);
        nested.objects.push(row);
        (&mut nested.level, row)
    }

    /// Adds an item of a list; returns its level and row.
    pub(super) fn item(
        &mut self,
        row: u32,
        position: u32,
        is_object: bool,
    ) -> (&mut LevelBuilder, u32) {
        let nested = self.nested.get_or_insert_default();
        nested.lists = true;
        let row = nested.level.add_row(row, position);
        if is_object {
            nested.objects.push(row);
        }
        (&mut nested.level, row)
    }

    fn finish(self, rows: usize) -> Values {
        Values {
            scalars: self.scalars.finish(rows),
            empty_lists: self.empty_lists,
            nested: self.nested.map(|nested| {
                Box::new(Nested {
                    lists: nested.lists,
                    objects: nested.objects,
                    level: nested.level.finish(),
                })
            }),
        }
    }
}

/// Builds a column of scalars.
///
/// It is as narrow as what it has seen: the first value of another kind turns it to text, with every earlier
/// value written as it stood in the JSON.
#[derive(Default)]
struct ScalarBuilder {
    column: Column,
    len: usize,
    facts: Facts,
    largest_integer: Option<u64>,
}

#[derive(Default)]
enum Column {
    #[default]
    Empty,
    Booleans(BooleanChunkedBuilder),
    Integers(PrimitiveChunkedBuilder<Int64Type>),
    Texts(StringChunkedBuilder),
}

/// For how many rows a column that begins at this one has room; it grows by doubling, and most have some hundreds.
fn room(row: usize) -> usize {
    row + 256
}

/// Appends nulls up to a row that gets a value.
macro_rules! pad {
    ($builder:expr, $len:expr, $row:expr) => {
        for _ in $len..$row {
            $builder.append_null();
        }
    };
}

impl ScalarBuilder {
    fn boolean(&mut self, row: usize, value: bool) {
        self.facts = self.facts.merge(Facts::BOOLEAN);
        match &mut self.column {
            Column::Empty => {
                self.column =
                    Column::Booleans(BooleanChunkedBuilder::new(PlSmallStr::EMPTY, room(row)));
                self.boolean(row, value);
            }
            Column::Booleans(builder) => {
                pad!(builder, self.len, row);
                builder.append_value(value);
                self.len = row + 1;
            }
            Column::Integers(_) | Column::Texts(_) => {
                self.append_text(row, if value { "true" } else { "false" });
            }
        }
    }

    fn integer(&mut self, row: usize, value: i64) {
        let magnitude = value.unsigned_abs();
        self.largest_integer =
            Some(self.largest_integer.map_or(magnitude, |old| old.max(magnitude)));
        match &mut self.column {
            Column::Empty => {
                self.column =
                    Column::Integers(PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, room(row)));
                self.integer(row, value);
            }
            Column::Integers(builder) => {
                pad!(builder, self.len, row);
                builder.append_value(value);
                self.len = row + 1;
            }
            Column::Booleans(_) | Column::Texts(_) => self.append_text(row, &value.to_string()),
        }
    }

    fn text(&mut self, row: usize, text: &str) {
        if !self.facts.are_of_any_text() {
            self.facts = self.facts.merge(Facts::of_text(text));
        }
        self.append_text(row, text);
    }

    fn number(&mut self, row: usize, text: &str) {
        self.facts = self.facts.merge(Facts::of_number(text));
        self.append_text(row, text);
    }

    fn append_text(&mut self, row: usize, text: &str) {
        if !matches!(self.column, Column::Texts(_)) {
            self.column = Column::Texts(std::mem::take(&mut self.column).into_texts());
        }
        if let Column::Texts(builder) = &mut self.column {
            pad!(builder, self.len, row);
            builder.append_value(text);
            self.len = row + 1;
        }
    }

    fn finish(mut self, rows: usize) -> Option<Scalars> {
        if let Some(magnitude) = self.largest_integer {
            self.facts = self.facts.merge(Facts::of_integers(magnitude));
        }
        let series = match self.column {
            Column::Empty => return None,
            Column::Booleans(mut builder) => {
                pad!(builder, self.len, rows);
                builder.finish().into_series()
            }
            Column::Integers(mut builder) => {
                pad!(builder, self.len, rows);
                builder.finish().into_series()
            }
            Column::Texts(mut builder) => {
                pad!(builder, self.len, rows);
                builder.finish().into_series()
            }
        };
        Some(Scalars { series, facts: self.facts })
    }
}

impl Column {
    fn into_texts(self) -> StringChunkedBuilder {
        match self {
            Self::Empty => StringChunkedBuilder::new(PlSmallStr::EMPTY, room(0)),
            Self::Texts(builder) => builder,
            Self::Booleans(builder) => {
                texts_of(builder.finish().iter().map(|value| value.map(|value| value.to_string())))
            }
            Self::Integers(builder) => {
                texts_of(builder.finish().iter().map(|value| value.map(|value| value.to_string())))
            }
        }
    }
}

fn texts_of(values: impl Iterator<Item = Option<String>>) -> StringChunkedBuilder {
    let mut texts = StringChunkedBuilder::new(PlSmallStr::EMPTY, 0);
    for value in values {
        texts.append_option(value);
    }
    texts
}

#[cfg(test)]
mod tests {
    use polars::prelude::Series;

    use super::*;

    fn shown(series: &Series) -> Vec<String> {
        series.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn p4_widening_keeps_the_text_of_every_earlier_value() {
        let mut builder = ScalarBuilder::default();
        builder.integer(1, 10);
        builder.number(2, "1.50");
        builder.boolean(4, true);
        let scalars = builder.finish(6).unwrap();
        assert_eq!(
            shown(&scalars.series),
            ["null", "\"10\"", "\"1.50\"", "null", "\"true\"", "null"]
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_noticed() {
        let mut values = ValuesBuilder::default();
        assert_eq!(values.claim(0), Ok(()));
        assert_eq!(values.claim(0), Err(Taken));
        assert_eq!(values.claim(5), Ok(()));
    }
}
