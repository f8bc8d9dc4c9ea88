//! What the values of one column have been so far, and the column that follows from it.

use crate::definition::{Column, ContractMode, FieldTypes};
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
}

/// A value of this export that becomes a column.
pub(crate) struct SeenColumn {
    /// Its path from the record.
    pub(crate) path: ValuePath,
    pub(crate) shape: ColumnShape,
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
        Some(Self { statistics: *statistics, list, nested: nested.clone() })
    }

    /// The shape of values that stay in one column, whatever they hold.
    pub(crate) fn whole(value: &ValueShape) -> Self {
        let nested = value.needs_rows().then(|| value.clone());
        Self { statistics: value.statistics_with_items(), list: value.lists, nested }
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
        }
    }

    /// The type of these values, in which some fields have declared types.
    fn inferred_type(&self, declared: Option<&FieldTypes>) -> Result<ColumnType, FieldCollision> {
        if declared.is_some() {
            return self.shape().column_type(declared);
        }
        match (&self.nested, self.statistics.column_type()) {
            (Some(nested), _) => nested.column_type(None),
            (None, scalar) if self.list => Ok(ColumnType::List(Box::new(scalar))),
            (None, scalar) => Ok(scalar),
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
        let Self { statistics, nested, .. } = self;
        Ok(ColumnSchema {
            name: name.clone(),
            column_type,
            source: match source {
                ValuesFrom::Path(path) => ColumnSource::Value { path, statistics, nested },
                ValuesFrom::Nowhere(path) => ColumnSource::Unseen { path, statistics, nested },
            },
            formats: declared.map(|column| column.formats.clone()).unwrap_or_default(),
            description: declared.and_then(|column| column.description.clone()),
            seen: None,
        })
    }
}

impl SeenColumn {
    /// The same, in a column that has held values before. Where the contract discards what would widen the
    /// column, its shape does not change.
    pub(crate) fn after(self, before: ColumnShape, mode: ContractMode) -> Self {
        let shape = match mode.discards() {
            Some(_) if !before.is_empty() => before,
            _ => before.merge(&self.shape),
        };
        Self { path: self.path, shape }
    }
}
