//! What the values of one column have been so far, and the column that follows from it.

use crate::definition::{Column, FieldTypes, Widening};
use crate::infer::error::SchemaError;
use crate::infer::value_type::FieldCollision;
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnStatistics, ColumnType, TableName, ValuePath,
    ValueShape,
};

/// What the values of a column have been so far.
#[derive(Clone, Default)]
pub(crate) struct ColumnShape {
    /// Of the scalars, in lists or not.
    pub(crate) statistics: ColumnStatistics,
    /// There were lists.
    pub(crate) list: bool,
    /// The whole shape, where there is more than scalars and lists of them.
    pub(crate) nested: Option<ValueShape>,
    /// The type that the column has, once it has had values. It stays as long as the values fit.
    pub(crate) known: Option<ColumnType>,
}

/// A value of this export that becomes a column.
pub(crate) struct SeenColumn {
    /// Its path from the record.
    pub(crate) path: ValuePath,
    pub(crate) shape: ColumnShape,
    /// Statistics of the scalars that are not in lists.
    pub(crate) scalars: ColumnStatistics,
}

/// Where this export has the values of a column.
pub(crate) enum ValuesFrom {
    /// At this path.
    Path(ValuePath),
    /// Nowhere; earlier exports had them at this path.
    Nowhere(Option<ValuePath>),
}

impl ColumnShape {
    /// What the values of a column have been so far, if they come from the JSON.
    pub(crate) fn of(column: &ColumnSchema) -> Option<Self> {
        let (ColumnSource::Value { statistics, nested, .. }
        | ColumnSource::Unseen { statistics, nested, .. }) = &column.source
        else {
            return None;
        };
        let list = matches!(column.column_type, ColumnType::List(_));
        let mut shape = Self { statistics: *statistics, list, nested: nested.clone(), known: None };
        // A type that was declared once holds more than the values there were.
        let is_wider = |inferred| column.column_type.is_flat() && inferred != column.column_type;
        if !shape.is_empty() && shape.inferred_type(None).is_ok_and(is_wider) {
            shape = shape.merge(&Self::of_type(&column.column_type));
        }
        // JSON is text to whom does not declare it.
        let known = match &column.column_type {
            ColumnType::Json => ColumnType::String,
            known => known.clone(),
        };
        shape.known = Some(known).filter(|_| !shape.is_empty());
        Some(shape)
    }

    /// The shape of scalars, in lists or not, that need a type.
    fn of_type(column_type: &ColumnType) -> Self {
        let statistics = ColumnStatistics::of_type(column_type);
        let list = matches!(column_type, ColumnType::List(_));
        Self { statistics, list, ..Self::default() }
    }

    /// The shape of values that stay in one column, whatever they hold.
    pub(crate) fn whole(value: &ValueShape) -> Self {
        let nested = value.needs_rows().then(|| value.clone());
        Self { statistics: value.statistics_with_items(), list: value.lists, nested, known: None }
    }

    fn is_empty(&self) -> bool {
        self.statistics.is_empty() && self.nested.is_none()
    }

    fn shape(&self) -> ValueShape {
        match &self.nested {
            Some(nested) => nested.clone(),
            None if self.list => ValueShape::of_lists(self.statistics),
            None => ValueShape { scalars: self.statistics, ..ValueShape::default() },
        }
    }

    fn merge(self, other: &Self) -> Self {
        let nested = (self.nested.is_some() || other.nested.is_some()).then(|| {
            let before = self.shape();
            let mut both = before.clone();
            both.merge_later(&other.shape());
            both.tell_keys_apart(Some(&before));
            both
        });
        Self {
            statistics: self.statistics.merge(other.statistics),
            list: self.list || other.list,
            nested,
            known: self.known,
        }
    }

    /// The same, in a column that existed before: as much of it as keeps the column in its family.
    fn merge_within_family(self, seen: &SeenColumn, may_add_fields: bool) -> Self {
        let is_flat = self.known.as_ref().is_none_or(ColumnType::is_flat);
        if self.nested.is_none() && is_flat {
            return self.merge_scalars_within_family(seen);
        }
        let before = self.shape();
        // With declared fields it is a column of objects before there were any.
        let mut widened = ValueShape { objects: before.objects || !is_flat, ..before.clone() };
        widened.widen(&seen.shape.shape(), may_add_fields);
        widened.tell_keys_apart(Some(&before));
        let widened = Self {
            statistics: widened.statistics_with_items(),
            nested: Some(widened),
            ..self.clone()
        };
        match (self.inferred_type(None), widened.inferred_type(None)) {
            (Ok(before), Ok(after)) if after.is_in_family_of(&before) => widened,
            _ => self,
        }
    }

    fn merge_scalars_within_family(self, seen: &SeenColumn) -> Self {
        let family = self.scalar_type();
        let new = if self.list { seen.shape.statistics } else { seen.scalars };
        let statistics = self.statistics.merge(new.within(&family));
        if statistics.column_type().is_in_family_of(&family) {
            Self { statistics, ..self }
        } else {
            self
        }
    }

    /// The type of the scalars, in lists or not.
    fn scalar_type(&self) -> ColumnType {
        match self.known.as_ref().and_then(ColumnType::scalars) {
            Some(known) if self.statistics.fit(known) => known.clone(),
            _ => self.statistics.column_type(),
        }
    }

    /// The type of these values, in which some fields have declared types.
    fn inferred_type(&self, declared: Option<&FieldTypes>) -> Result<ColumnType, FieldCollision> {
        if declared.is_some() {
            return self.shape().column_type(declared);
        }
        match &self.nested {
            Some(nested) => nested.column_type(None),
            None if self.list => Ok(ColumnType::List(Box::new(self.scalar_type()))),
            None => Ok(self.scalar_type()),
        }
    }

    /// The part of the shape that a declared type holds. Other values are discarded, so they have no say once the type
    /// is not declared any more.
    fn within_declared(self, declared: &ColumnType) -> Self {
        match declared.scalars() {
            Some(scalars) => {
                Self { statistics: self.statistics.within(scalars), nested: None, ..self }
            }
            None => self,
        }
    }

    fn column_type(
        &self,
        declared: Option<&Column>,
        before: Option<&ColumnType>,
    ) -> Result<ColumnType, FieldCollision> {
        if let Some(declared) = declared.and_then(|column| column.column_type.as_ref()) {
            return Ok(declared.clone());
        }
        let fields = declared.map(|column| &column.fields);
        let inferred = self.inferred_type(fields.filter(|fields| !fields.is_empty()))?;
        Ok(match before {
            Some(before) => inferred.in_order_of(before),
            None => inferred,
        })
    }

    /// The column that these values make. The fields that its objects had `before` stay in their order.
    pub(crate) fn column(
        mut self,
        table: &TableName,
        name: &ColumnName,
        source: ValuesFrom,
        declared: Option<&Column>,
        before: Option<&ColumnType>,
    ) -> Result<ColumnSchema, SchemaError> {
        if let Some(nested) = &mut self.nested {
            nested.tell_keys_apart(None);
        }
        let column_type = self.column_type(declared, before).map_err(|collision| {
            let FieldCollision { field, first, second } = collision;
            let (table, column) = (table.clone(), name.clone());
            SchemaError::FieldCollision { table, column, field, first, second }
        })?;
        if let Some(declared) = declared.and_then(|column| column.column_type.as_ref()) {
            self = self.within_declared(declared);
        }
        let Self { statistics, nested, .. } = self;
        Ok(ColumnSchema {
            name: name.clone(),
            column_type,
            source: match source {
                ValuesFrom::Path(path) => ColumnSource::Value { path, statistics, nested },
                ValuesFrom::Nowhere(path) => ColumnSource::Unseen { path, statistics, nested },
            },
            formats: declared.map(|column| column.formats.clone()).unwrap_or_default(),
            local_time: declared.and_then(|column| column.local_time),
            was: None,
            description: declared.and_then(|column| column.description.clone()),
            seen: None,
        })
    }
}

impl SeenColumn {
    /// The same, in a column that has held values before. What does not fit the column then is discarded.
    pub(crate) fn after(
        self,
        before: ColumnShape,
        widening: Widening,
        may_add_fields: bool,
    ) -> Self {
        let shape = match widening {
            _ if before.is_empty() => before.merge(&self.shape),
            Widening::Any => before.merge(&self.shape),
            Widening::WithinFamily => before.merge_within_family(&self, may_add_fields),
            Widening::KeepingTexts => {
                let widened = before.clone().merge_within_family(&self, may_add_fields);
                let keeps = widened.scalar_type().keeps_texts_of(&before.scalar_type());
                if keeps { widened } else { before }
            }
            Widening::AddingFields => {
                let widened = before.clone().merge_within_family(&self, may_add_fields);
                match (before.inferred_type(None), widened.inferred_type(None)) {
                    (Ok(old), Ok(new)) if new.only_adds_fields_to(&old) => widened,
                    _ => before,
                }
            }
            Widening::Never => before,
        };
        Self { shape, ..self }
    }
}
