//! Finds objects whose keys are data: `{"EUR": {…}, "SEK": {…}}`. Each of their members is to be a row.
//!
//! | an object is keyed by data when | members are objects or lists | members are scalars |
//! |---|---|---|
//! | it has at least so many keys over all records | 20 | 50 |
//! | of which one record has at most | a half | a fifth |
//! | or it has at least so many keys | 200 | 200 |
//! | and its members are alike | half of all fields are in each | of one type |

use std::collections::{BTreeMap, HashSet};

use crate::decode::{Chunk, Level, Values};
use crate::definition::Table;
use crate::infer::child_table_name;
use crate::schema::{
    ColumnName, ColumnStatistics, ColumnType, JsonPointer, Kinds, RootId, Shape, Step, TableName,
    ValueKind, ValuePath, ValueShape,
};

/// The proposed column of the keys.
const KEYS: &str = "key";
/// An object with fewer keys may be a form.
const LEAST_KEYS: usize = 20;
/// With so many keys an object is no form that somebody filled in.
const CERTAINLY_DATA: usize = 200;

/// How many objects there are at a path, and how many of them have each key.
#[derive(Default)]
struct Place {
    objects: usize,
    filled: usize,
    keys: HashSet<String>,
}

/// Child tables for the objects of a record array that are keyed by data, and for the lists around them.
pub(super) fn keyed_tables(
    root: (RootId, &Table),
    declared: &[Table],
    shape: &Shape,
    chunks: &[Chunk],
) -> Vec<Table> {
    let mut places = BTreeMap::new();
    for chunk in chunks.iter().filter(|chunk| chunk.root == root.0) {
        count(&chunk.records, &mut Vec::new(), &mut places);
    }
    let mut finder = Finder { places, declared, found: Vec::new() };
    finder.look_into(shape, &root.1.name, &mut Vec::new(), 0);
    finder.found
}

fn count(level: &Level, path: &mut ValuePath, places: &mut BTreeMap<ValuePath, Place>) {
    for (step, values) in &level.values {
        let Some(nested) = &values.nested else { continue };
        path.push(step.clone());
        let place = places.entry(path.clone()).or_default();
        place.objects += nested.level.filled_rows().iter().filter(|filled| **filled).count();
        for (step, values) in &nested.level.values {
            if let (Step::Key(key), filled @ 1..) = (step, filled_rows(values)) {
                place.filled += filled;
                place.keys.insert(key.clone());
            }
        }
        count(&nested.level, path, places);
        path.pop();
    }
}

fn filled_rows(values: &Values) -> usize {
    values.rows_by_kind().len()
}

struct Finder<'f> {
    places: BTreeMap<ValuePath, Place>,
    declared: &'f [Table],
    found: Vec<Table>,
}

impl Finder<'_> {
    /// Looks for keyed objects of a table, whose records are behind the first `start` steps of the path.
    fn look_into(&mut self, shape: &Shape, table: &TableName, path: &mut ValuePath, start: usize) {
        for (step, value) in &shape.values {
            let Some(nested) = value.nested.as_deref() else { continue };
            path.push(step.clone());
            let own = &path[start..];
            if value.kinds.has_lists() {
                let name = self.table_of(table, own);
                let before = self.found.len();
                self.look_into(nested, &name, path, path.len());
                let is_needed = self.found.len() > before && !self.is_declared(&name);
                if let (true, Some(list)) = (is_needed, child_table(name, table, &path[start..])) {
                    self.found.insert(before, list);
                }
            } else if self.places.get(path).is_some_and(|place| place.is_keyed_by_data(nested)) {
                let keyed = child_table(self.table_of(table, own), table, own);
                let keys: Option<ColumnName> = KEYS.parse().ok();
                self.found.extend(keyed.map(|keyed| Table { keys, ..keyed }));
            } else {
                self.look_into(nested, table, path, start);
            }
            path.pop();
        }
    }

    fn table_of(&self, parent: &TableName, path: &[Step]) -> TableName {
        let is_here = |table: &&Table| {
            table.parent.as_ref() == Some(parent) && table.records == pointer_of(path)
        };
        let declared = self.declared.iter().find(is_here).map(|table| table.name.clone());
        declared.unwrap_or_else(|| child_table_name(parent, path))
    }

    fn is_declared(&self, name: &TableName) -> bool {
        self.declared.iter().any(|table| table.name == *name)
    }
}

fn child_table(name: TableName, parent: &TableName, path: &[Step]) -> Option<Table> {
    let records = pointer_of(path)?;
    Some(Table { parent: Some(parent.clone()), records: Some(records), ..Table::named(name) })
}

/// The pointer of a path of keys.
pub(super) fn pointer_of(path: &[Step]) -> Option<JsonPointer> {
    let keys: Option<Vec<String>> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Item => None,
        })
        .collect();
    keys.map(JsonPointer::from_keys)
}

impl Place {
    fn is_keyed_by_data(&self, members: &Shape) -> bool {
        let members: Vec<&ValueShape> = (members.values.iter())
            .filter(|(step, value)| **step != Step::Item && !value.kinds.is_empty())
            .map(|(_, value)| value)
            .collect();
        let kinds = members.iter().fold(Kinds::default(), |kinds, value| kinds.and(value.kinds));
        let (least_keys, share) =
            if kinds == Kinds::from(ValueKind::Scalar) { (50, 5) } else { (LEAST_KEYS, 2) };
        let keys = self.keys.len();
        let is_sparse = keys >= least_keys && self.filled * share <= keys * self.objects;
        (is_sparse || keys >= CERTAINLY_DATA) && are_alike(&members, kinds)
    }
}

/// Whether the members of the members are alike: they are keyed by data, too.
fn are_keyed_themselves(members: &[&ValueShape], fields: usize) -> bool {
    let inner = members.iter().filter_map(|value| value.nested.as_ref());
    let inner: Vec<&ValueShape> = (inner.flat_map(|nested| nested.values.values()))
        .filter(|value| !value.kinds.is_empty())
        .collect();
    let kinds = inner.iter().fold(Kinds::default(), |kinds, value| kinds.and(value.kinds));
    fields >= LEAST_KEYS && are_alike(&inner, kinds)
}

/// Whether members are records of one form, or values of one type.
fn are_alike(members: &[&ValueShape], kinds: Kinds) -> bool {
    if kinds == Kinds::from(ValueKind::Scalar) {
        let merge = |all: ColumnStatistics, value: &&ValueShape| all.merge(value.scalars);
        let merged = members.iter().fold(ColumnStatistics::default(), merge);
        let is_text = |value: &&ValueShape| value.scalars.column_type() == ColumnType::String;
        return merged.column_type() != ColumnType::String || members.iter().all(is_text);
    }
    if members.iter().any(|value| value.kinds != kinds) {
        return false;
    }
    let fields_of = |value: &&ValueShape| value.nested.as_ref().map_or(0, |it| it.values.len());
    let all: HashSet<&Step> = members
        .iter()
        .filter_map(|value| value.nested.as_ref())
        .flat_map(|it| it.values.keys())
        .collect();
    let fields: usize = members.iter().map(fields_of).sum();
    2 * fields >= members.len() * all.len() || are_keyed_themselves(members, all.len())
}
