//! Finds the fields of nested columns whose values do not fit their declared types, for the reasons of quarantine.
//! Only columns with such values are looked at again.

use polars::prelude::PolarsResult;

use super::cast::CastRules;
use super::nested::declared_column;
use super::reason::{Place, PlaceStep};
use crate::decode::Values;
use crate::definition::{FieldType, FieldTypes};
use crate::infer::FieldIndex;
use crate::schema::{ColumnName, ColumnType, Step, StructField};

/// A value that does not fit the declared type of its field.
pub(super) struct UnfitField {
    /// The row of the column.
    pub(super) row: u32,
    /// Where the value is below the column's.
    pub(super) place: Place,
    /// The path of the field below the column.
    pub(super) field: Vec<ColumnName>,
    pub(super) expected: ColumnType,
}

impl UnfitField {
    fn within(mut self, step: PlaceStep) -> Self {
        self.place.insert(0, step);
        self
    }

    fn of(mut self, field: &ColumnName) -> Self {
        self.field.insert(0, field.clone());
        self
    }
}

/// The values below a column of a nested type that do not fit the declared types of its fields.
pub(super) fn unfit_fields(
    values: &Values,
    column_type: &ColumnType,
    declared: &FieldTypes,
) -> PolarsResult<Vec<UnfitField>> {
    let Some(nested) = values.nested.as_deref() else { return Ok(Vec::new()) };
    let level = &nested.level;
    let index = FieldIndex::new(fields_of(column_type));
    let mut found = Vec::new();
    for (step, below) in &level.values {
        let of_rows: Vec<UnfitField> = match step {
            Step::Key(key) => {
                let Some((_, field)) = index.of_key(key) else { continue };
                let Some(declared) = declared.get(&field.name) else { continue };
                let unfit = match declared {
                    FieldType::Type(expected) => unfit_values(below, level.rows, expected)?,
                    FieldType::Fields(fields) => unfit_fields(below, &field.column_type, fields)?,
                };
                let step = || PlaceStep::Key(key.clone());
                unfit.into_iter().map(|unfit| unfit.within(step()).of(&field.name)).collect()
            }
            Step::Item => unfit_fields(below, column_type, declared)?,
        };
        found.extend(of_rows.into_iter().map(|unfit| {
            let row = unfit.row as usize;
            let (parent, position) = (level.parents[row], level.positions[row]);
            let unfit = if nested.is_list(parent) {
                unfit.within(PlaceStep::Item(position))
            } else {
                unfit
            };
            UnfitField { row: parent, ..unfit }
        }));
    }
    Ok(found)
}

fn unfit_values(
    values: &Values,
    rows: usize,
    expected: &ColumnType,
) -> PolarsResult<Vec<UnfitField>> {
    let rules = CastRules::declared();
    let unfit = declared_column(values, rows, expected, rules)?.unfit.into_iter();
    let unfit = unfit.map(|row| UnfitField {
        row,
        place: Place::new(),
        field: Vec::new(),
        expected: expected.clone(),
    });
    Ok(unfit.collect())
}

/// The fields of the objects in a type, however deep in lists they are.
fn fields_of(column_type: &ColumnType) -> &[StructField] {
    match column_type {
        ColumnType::List(items) => fields_of(items),
        ColumnType::Struct(fields) => fields,
        _ => &[],
    }
}
