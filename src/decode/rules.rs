//! Rules: how the values at a path are decoded, where a definition says so.
//!
//! Rules are asked once for each key of a batch. Without rules nothing is asked.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::schema::{NullValues, Step, ValuePath};

/// What becomes of the values at a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ValueForm {
    /// Columns and rows, as they are found.
    #[default]
    AsFound,
    /// One JSON text each.
    Json,
    /// Each member of an object is a row, with its key.
    Keyed,
    /// Nothing.
    LeftOut,
}

/// How the values at a path are decoded.
#[derive(Debug, Clone, Default)]
pub struct ValueRule {
    /// What becomes of them.
    pub form: ValueForm,
    /// Scalars that are read as null, here and below.
    pub null_values: Option<Arc<NullValues>>,
}

/// How the values of a record array are decoded.
pub trait ValueRules: fmt::Debug + Send + Sync {
    /// The rule of a path from the record; of the records themselves for the empty path. The first `rows` steps lead to
    /// the list, if any, whose items are rows around the value; `above` is the rule of what is around it.
    fn rule(&self, path: &[Step], rows: usize, above: &ValueRule) -> ValueRule;
}

/// How many keys the records of a batch may have, and have; those of objects are not counted, but the keys in them.
#[derive(Debug)]
pub(super) struct Width {
    most: usize,
    keys: Cell<usize>,
    is_exceeded: Rc<Cell<bool>>,
}

/// All lists of a record together have at most so many times the keys that one may have, each of their levels counted as
/// one more: a column takes some kilobytes, even of a single value.
const MOST_LISTS_OF_KEYS: usize = 16;
/// A record that alone has more cells is set apart: they take some 200 MB. One of 16 MB has fewer, unless its values have
/// only a few bytes each.
const MOST_CELLS_OF_A_RECORD: usize = 1 << 24;
pub(super) const TOO_MANY_CELLS: &str = "its lists take more than 16777216 cells, one for each key of each item, whether \
     the item has the key or not: keep such a list as one text, with `type = \"json\"` or `nested = \"json\"`";

/// Where a level or the values of a key are: what applies to the keys below.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    width: Rc<Width>,
    /// How many rows and cells of columns the batch has, at all levels.
    cells: Rc<Cell<usize>>,
    /// How many keys and levels the batch has, of all lists.
    all_keys: Rc<Cell<usize>>,
    ruled_path: Option<Rc<RuledPath>>,
}

/// A path with its rule.
#[derive(Debug)]
struct RuledPath {
    rules: Arc<dyn ValueRules>,
    path: ValuePath,
    /// How many steps lead to the innermost list.
    rows: usize,
    rule: ValueRule,
}

impl Scope {
    /// The records of a batch.
    pub(super) fn of_records(most: usize, rules: Option<&Arc<dyn ValueRules>>) -> Self {
        let ruled_path = rules.map(|rules| {
            let rule = rules.rule(&[], 0, &ValueRule::default());
            Rc::new(RuledPath { rules: rules.clone(), path: Vec::new(), rows: 0, rule })
        });
        let width = Width { most, keys: Cell::new(0), is_exceeded: Rc::default() };
        Self { width: Rc::new(width), cells: Rc::default(), all_keys: Rc::default(), ruled_path }
    }

    /// The values of one key here.
    pub(super) fn below(&self, step: impl FnOnce() -> Step) -> Self {
        let ruled_path = self.ruled_path.as_ref().map(|above| {
            let mut path = above.path.clone();
            path.push(step());
            let rule = above.rules.rule(&path, above.rows, &above.rule);
            Rc::new(RuledPath { rules: above.rules.clone(), path, rows: above.rows, rule })
        });
        Self { ruled_path, ..self.clone() }
    }

    /// The rows of lists here. They may be a table of their own, whose keys are counted apart.
    pub(super) fn of_lists(&self) -> Self {
        let Width { most, is_exceeded, .. } = &*self.width;
        let width = Width { most: *most, keys: Cell::new(0), is_exceeded: is_exceeded.clone() };
        let ruled_path = self.ruled_path.as_ref().map(|list| {
            let (rules, path, rule) = (list.rules.clone(), list.path.clone(), list.rule.clone());
            Rc::new(RuledPath { rules, rows: path.len(), path, rule })
        });
        Self { width: Rc::new(width), ruled_path, ..self.clone() }
    }

    pub(super) fn add_cells(&self, cells: usize) {
        self.cells.set(self.cells.get() + cells);
    }

    /// How many rows and cells of columns there are.
    pub(super) fn cells(&self) -> usize {
        self.cells.get()
    }

    /// Whether they are more than one record may have, or the batch is too wide already.
    pub(super) fn check_cells(&self) -> Result<(), &'static str> {
        let is_more = self.cells() > MOST_CELLS_OF_A_RECORD || self.is_exceeded();
        if is_more { Err(TOO_MANY_CELLS) } else { Ok(()) }
    }

    /// Counts a key, or a level of objects or items; `false` when there are too many.
    pub(super) fn counts(&self) -> bool {
        let all = self.all_keys.get() + 1;
        self.all_keys.set(all);
        if all > self.width.most.saturating_mul(MOST_LISTS_OF_KEYS) {
            self.width.is_exceeded.set(true);
        }
        !self.is_exceeded()
    }

    pub(super) fn rule(&self) -> ValueRule {
        self.ruled_path.as_ref().map(|path| path.rule.clone()).unwrap_or_default()
    }

    /// Takes room for one more key; `false` when there is none.
    pub(super) fn takes_key(&self) -> bool {
        let keys = self.width.keys.get();
        if !self.counts() || keys >= self.width.most {
            self.width.is_exceeded.set(true);
            return false;
        }
        self.width.keys.set(keys + 1);
        true
    }

    /// Gives back the room of a key whose values are objects.
    pub(super) fn gives_back_key(&self) {
        self.width.keys.set(self.width.keys.get().saturating_sub(1));
    }

    /// Whether a key found no room, here or anywhere else in the batch.
    pub(super) fn is_exceeded(&self) -> bool {
        self.width.is_exceeded.get()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::decode::{Chunk, DecodeOptions, Level, RecordSelector, Splitter, decode_batch};
    use crate::schema::JsonPointer;

    fn decoded(records: &str, most_keys: usize) -> Chunk {
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(records.as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        let options = DecodeOptions { most_keys: Some(most_keys), ..DecodeOptions::default() };
        decode_batch(&batches[0], &options).unwrap()
    }

    /// How many columns are built, at every level.
    fn keys(level: &Level) -> usize {
        let below = level.values.values().filter_map(|values| values.nested.as_ref());
        level.values.len() + below.map(|nested| keys(&nested.level)).sum::<usize>()
    }

    #[test]
    fn v11_no_more_keys_are_collected_than_the_limit_however_they_are_spread() {
        let (mut one, mut spread) = (String::from("[{\"o\":{"), String::from("["));
        for key in 0..20_000 {
            let comma = if key == 0 { "" } else { "," };
            write!(one, "{comma}\"k{key}\":1").unwrap();
            write!(spread, "{comma}{{\"o\":{{\"k{key}\":{{\"n\":1}}}}}}").unwrap();
        }
        // Each leaf has an object around it here, and the objects have one.
        for (records, most) in [(one + "}}]", 2_002), (spread + "]", 4_003)] {
            let chunk = decoded(&records, 2_000);
            assert!(chunk.is_too_wide);
            assert!(keys(&chunk.records) <= most, "{}", keys(&chunk.records));
        }
    }

    #[test]
    fn v11_keys_of_lists_are_counted_apart_and_objects_are_no_columns() {
        let records = r#"[{"a":1,"b":{"c":{"d":1}},"l":[{"x":1,"y":2,"z":{"w":1}}]}]"#;
        assert!(!decoded(records, 3).is_too_wide);
        assert!(decoded(records, 2).is_too_wide);
    }
}
