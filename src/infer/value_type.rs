//! The type of a column that keeps objects and lists, from the shape of its values.

use std::collections::BTreeMap;

use super::naming::column_name;
use crate::schema::{ColumnName, ColumnType, ITEM_COLUMN, Step, StructField, ValueShape};

/// The field for lists among the objects of a list.
pub(crate) const ITEMS_FIELD: &str = "items";

/// The field name of a key.
pub(crate) fn field_of(key: &str) -> ColumnName {
    column_name(&[Step::Key(key.to_owned())])
}

/// Two keys of an object have one field name.
#[derive(Debug)]
pub(crate) struct FieldCollision {
    pub(crate) field: ColumnName,
    pub(crate) first: String,
    pub(crate) second: String,
}

impl ValueShape {
    /// The type that holds every value seen here.
    pub(crate) fn column_type(&self) -> Result<ColumnType, FieldCollision> {
        let items = self.items().filter(|items| items.lists);
        let element = match items {
            _ if self.objects => ColumnType::Struct(self.fields()?),
            Some(items) => ValueShape { scalars: self.statistics_with_items(), ..items.clone() }
                .column_type()?,
            None => self.statistics_with_items().column_type(),
        };
        Ok(if self.lists { ColumnType::List(Box::new(element)) } else { element })
    }

    fn fields(&self) -> Result<Vec<StructField>, FieldCollision> {
        let mut fields: BTreeMap<ColumnName, (&str, ValueShape)> = BTreeMap::new();
        for (step, value) in self.nested.iter().flat_map(|nested| &nested.values) {
            let Step::Key(key) = step else { continue };
            let field = field_of(key);
            if let Some((first, _)) = fields.insert(field.clone(), (key, value.clone())) {
                return Err(FieldCollision { field, first: first.to_owned(), second: key.clone() });
            }
        }
        let scalars = self.statistics_with_items();
        if !scalars.is_empty() || fields.is_empty() {
            let (_, value) = fields.entry(field_of(ITEM_COLUMN)).or_default();
            value.merge(&ValueShape { scalars, ..ValueShape::default() });
        }
        if let Some(items) = self.items().filter(|items| items.lists) {
            // Before there were objects, scalars beside lists were lists of one.
            let (_, lists) = fields.entry(field_of(ITEMS_FIELD)).or_default();
            lists.merge(&ValueShape { scalars, ..items.clone() });
        }
        let typed = fields
            .into_iter()
            .map(|(name, (_, value))| Ok(StructField { name, column_type: value.column_type()? }));
        typed.collect()
    }
}
