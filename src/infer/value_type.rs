//! The type of a column that keeps objects and lists, from the shape of its values.
//!
//! | keys of an object | fields |
//! |---|---|
//! | `taxId` | `tax_id` |
//! | `taxId`, and later `TaxID` | `tax_id`, `tax_id__` and eight digits of the hash of `TaxID` |

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexMap;

use super::naming::column_name;
use crate::definition::{FieldType, FieldTypes};
use crate::schema::{
    ColumnName, ColumnStatistics, ColumnType, ITEM_COLUMN, Shape, Step, StructField, ValueShape,
};

/// The field for lists among the objects of a list.
pub(crate) const ITEMS_FIELD: &str = "items";

/// Between a field name that several keys have, and the hash of the key. A name made from a key has no `__`.
const MARK: &str = "__";

/// The field name of a key.
pub(crate) fn field_of(key: &str) -> ColumnName {
    column_name(&[Step::Key(key.to_owned())])
}

/// The field name of a key whose own name another key has. It depends on the key alone, so it is the same every night.
fn distinct_field_of(key: &str) -> ColumnName {
    let name = field_of(key);
    let hash = &blake3::hash(key.as_bytes()).to_hex()[..8];
    format!("{name}{MARK}{hash}").parse().unwrap_or(name)
}

/// The fields of an object, by name.
pub(crate) struct FieldIndex<'f> {
    fields: &'f [StructField],
    positions: HashMap<&'f str, usize>,
    /// The names that several keys have.
    marked: HashSet<&'f str>,
}

impl<'f> FieldIndex<'f> {
    pub(crate) fn new(fields: &'f [StructField]) -> Self {
        let names = || fields.iter().map(|field| field.name.as_str());
        Self {
            fields,
            positions: names().zip(0..).collect(),
            marked: names().filter_map(|name| Some(name.split_once(MARK)?.0)).collect(),
        }
    }

    /// The position and field of a name.
    pub(crate) fn named(&self, name: &str) -> Option<(usize, &'f StructField)> {
        let position = *self.positions.get(name)?;
        Some((position, &self.fields[position]))
    }

    /// The field that takes the values of a key. The type tells keys apart: it has a distinct name for every key but
    /// one.
    pub(crate) fn of_key(&self, key: &str) -> Option<(usize, &'f StructField)> {
        let name = field_of(key);
        let distinct = self.marked.contains(name.as_str()).then(|| distinct_field_of(key));
        let distinct = distinct.and_then(|name| self.named(name.as_str()));
        distinct.or_else(|| self.named(name.as_str()))
    }
}

/// Two keys of an object have one field name, even with the hashes of the keys.
#[derive(Debug)]
pub(crate) struct FieldCollision {
    pub(crate) field: ColumnName,
    pub(crate) first: String,
    pub(crate) second: String,
}

/// The shape of one field, and scalars that it takes besides.
type FieldShape<'s> = (Cow<'s, ValueShape>, ColumnStatistics);

impl ValueShape {
    /// The type that holds every value seen here, in which some fields have `declared` types.
    pub(crate) fn column_type(
        &self,
        declared: Option<&FieldTypes>,
    ) -> Result<ColumnType, FieldCollision> {
        self.type_with(ColumnStatistics::default(), declared)
    }

    /// The same, as if these scalars had been seen here too.
    fn type_with(
        &self,
        more: ColumnStatistics,
        declared: Option<&FieldTypes>,
    ) -> Result<ColumnType, FieldCollision> {
        let scalars = self.statistics_with_items().merge(more);
        let items = self.items().filter(|items| items.lists);
        let element = match items {
            _ if self.objects => ColumnType::Struct(self.fields(scalars, declared)?),
            Some(items) => items.type_with(scalars, declared)?,
            None if declared.is_some() => ColumnType::Struct(self.fields(scalars, declared)?),
            None => scalars.column_type(),
        };
        Ok(if self.lists { ColumnType::List(Box::new(element)) } else { element })
    }

    fn fields(
        &self,
        scalars: ColumnStatistics,
        declared: Option<&FieldTypes>,
    ) -> Result<Vec<StructField>, FieldCollision> {
        let mut fields =
            self.nested.as_deref().map(fields_of_keys).transpose()?.unwrap_or_default();
        // Declared fields are there before any record has them.
        for name in declared.iter().flat_map(|declared| declared.names()) {
            fields.entry(name.clone()).or_default();
        }
        if !scalars.is_empty() || fields.is_empty() {
            let (_, more) = fields.entry(field_of(ITEM_COLUMN)).or_default();
            *more = more.merge(scalars);
        }
        if let Some(items) = self.items().filter(|items| items.lists) {
            // Before there were objects, scalars beside lists were lists of one.
            let (lists, more) = fields.entry(field_of(ITEMS_FIELD)).or_default();
            *more = more.merge(scalars);
            if **lists == ValueShape::default() {
                *lists = Cow::Borrowed(items);
            } else {
                lists.to_mut().merge(items);
            }
        }
        let typed = fields.into_iter().map(|(name, (shape, more))| {
            let column_type = match declared.and_then(|declared| declared.get(&name)) {
                Some(FieldType::Type(declared)) => declared.clone(),
                Some(FieldType::Fields(fields)) => shape.type_with(more, Some(fields))?,
                None => shape.type_with(more, None)?,
            };
            Ok(StructField { name, column_type })
        });
        typed.collect()
    }

    /// Marks keys whose field name another key of the object has. The key that has had the name `before` keeps it,
    /// else the first.
    pub(crate) fn tell_keys_apart(&mut self, before: Option<&ValueShape>) {
        let Some(nested) = &mut self.nested else { return };
        let before = before.and_then(|before| before.nested.as_deref());
        let mut owners: BTreeMap<ColumnName, Step> = BTreeMap::new();
        for (step, value) in before.iter().flat_map(|before| &before.values) {
            if let (Step::Key(key), false) = (step, value.distinct) {
                owners.entry(field_of(key)).or_insert_with(|| step.clone());
            }
        }
        for (step, value) in &mut nested.values {
            if let (Step::Key(key), false) = (step, value.distinct) {
                let owner = owners.entry(field_of(key)).or_insert_with(|| step.clone());
                value.distinct = owner != step;
            }
            value.tell_keys_apart(before.and_then(|before| before.values.get(step)));
        }
        if self.objects {
            self.tell_keys_apart_in_items(before);
        }
    }

    /// The same for a key `items` of the objects and the lists in the list, which are one field.
    fn tell_keys_apart_in_items(&mut self, before: Option<&Shape>) {
        let is_field = |step: &Step, value: &Self| {
            matches!(step, Step::Key(key) if field_of(key).as_str() == ITEMS_FIELD)
                && !value.distinct
        };
        let Some(nested) = &mut self.nested else { return };
        let key = nested.values.iter().find(|(step, value)| is_field(step, value));
        let (Some(key), true) =
            (key.map(|(step, _)| step.clone()), nested.values.contains_key(&Step::Item))
        else {
            return;
        };
        let both = |shape: &Shape| {
            let mut both = Self::default();
            [&key, &Step::Item]
                .into_iter()
                .filter_map(|step| shape.values.get(step))
                .for_each(|value| both.merge(value));
            both
        };
        let mut told = both(nested);
        told.tell_keys_apart(before.map(both).as_ref());
        for step in [&key, &Step::Item] {
            if let Some(value) = nested.values.get_mut(step) {
                value.take_distinct(&told);
            }
        }
    }

    fn take_distinct(&mut self, told: &Self) {
        let (Some(nested), Some(told)) = (&mut self.nested, &told.nested) else { return };
        for (step, value) in &mut nested.values {
            if let Some(told) = told.values.get(step) {
                value.distinct = told.distinct;
                value.take_distinct(told);
            }
        }
    }
}

/// The fields of an object, in the order of the source.
fn fields_of_keys(level: &Shape) -> Result<IndexMap<ColumnName, FieldShape<'_>>, FieldCollision> {
    let mut fields = IndexMap::new();
    let mut keys: BTreeMap<ColumnName, &str> = BTreeMap::new();
    for (step, value) in level.in_source_order() {
        let Step::Key(key) = step else { continue };
        let field = if value.distinct { distinct_field_of(key) } else { field_of(key) };
        if let Some(first) = keys.insert(field.clone(), key) {
            return Err(FieldCollision { field, first: first.to_owned(), second: key.clone() });
        }
        fields.insert(field, (Cow::Borrowed(value), ColumnStatistics::default()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(keys: &[&str]) -> ValueShape {
        let values = keys.iter().map(|key| {
            let scalars = ColumnStatistics::of_integers(1);
            (Step::Key((*key).to_owned()), ValueShape { scalars, ..ValueShape::default() })
        });
        let nested = Shape { values: values.collect() };
        ValueShape { objects: true, nested: Some(Box::new(nested)), ..ValueShape::default() }
    }

    fn fields(shape: &ValueShape) -> Vec<StructField> {
        match shape.column_type(None).unwrap() {
            ColumnType::Struct(fields) => fields,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_key_that_came_first_keeps_its_name() {
        let mut before = object(&["taxId"]);
        before.tell_keys_apart(None);
        let mut after = before.clone();
        after.merge(&object(&["TaxID", "tax_id"]));
        after.tell_keys_apart(Some(&before));
        let fields = fields(&after);
        let index = FieldIndex::new(&fields);
        let name = |key| index.of_key(key).unwrap().1.name.to_string();
        assert_eq!(name("taxId"), "tax_id");
        assert_eq!(name("TaxID"), distinct_field_of("TaxID").to_string());
        assert_eq!(name("tax_id"), distinct_field_of("tax_id").to_string());
        assert_eq!(fields.len(), 3);
    }

    #[test]
    fn names_are_the_same_whatever_keys_come_later() {
        let mut first = object(&["taxId", "TaxID"]);
        first.tell_keys_apart(None);
        let mut second = first.clone();
        second.merge(&object(&["taxId"]));
        second.tell_keys_apart(Some(&first));
        assert_eq!(fields(&second), fields(&first));
    }
}
