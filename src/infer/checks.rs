//! Refuses declared checks that do not fit the columns they name.

use crate::definition::{CheckRule, ColumnOf};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnType, LocalTime, NumberText, TableSchema, parse_date,
    parse_local_timestamp, parse_timestamp,
};

use super::error::SchemaError;
use super::resolved::{ResolvedTable, Schemas};

/// Refuses checks that name missing columns or columns of unfit types.
pub(crate) fn verify_checks(schemas: &Schemas) -> Result<(), SchemaError> {
    for (_, ResolvedTable { schema, policy, .. }) in schemas.tables() {
        // Without a record nothing tells the types.
        if schema.columns.iter().any(ColumnSchema::is_untyped) {
            continue;
        }
        for check in &policy.checks {
            verify(schemas, schema, &check.rule).map_err(|reason| SchemaError::Uncheckable {
                table: schema.name.clone(),
                rule: check.rule.to_string(),
                reason,
            })?;
        }
    }
    Ok(())
}

fn verify(schemas: &Schemas, schema: &TableSchema, rule: &CheckRule) -> Result<(), String> {
    let types = rule.columns().iter().map(|column| type_of(schema, column));
    let types: Vec<&ColumnType> = types.collect::<Result<_, _>>()?;
    let other = match rule.other() {
        Some(ColumnOf { table, column }) => {
            let other = schemas.iter().map(|(_, other)| other).find(|other| other.name == *table);
            let other = other.ok_or_else(|| format!("there is no table `{table}`"))?;
            if other.root != schema.root {
                return Err(format!("`{table}` is not part of the same record"));
            }
            if matches!(rule, CheckRule::Sum { .. }) && other.parent.as_ref() != Some(&schema.name)
            {
                return Err(format!("`{table}` is not a child table of `{}`", schema.name));
            }
            Some((column, type_of(other, column)?))
        }
        None => None,
    };
    let named = rule.columns().iter().zip(types).chain(other);
    for (column, column_type) in named {
        if !fits(rule, column_type) {
            return Err(format!("`{column}` is {column_type}"));
        }
        if let CheckRule::Range { min, max, .. } = rule {
            let local_time = schema.column(column).and_then(|column| column.local_time);
            let is_none =
                |bound: &&String| RangeBound::parse(bound, column_type, local_time).is_none();
            if let Some(bound) = min.iter().chain(max).find(is_none) {
                return Err(format!(
                    "`{bound}` cannot be compared with `{column}`, which is {column_type}"
                ));
            }
        }
    }
    Ok(())
}

fn type_of<'s>(schema: &'s TableSchema, column: &ColumnName) -> Result<&'s ColumnType, String> {
    match schema.column(column) {
        Some(column) => Ok(&column.column_type),
        None => Err(format!("`{}` has no column `{column}`", schema.name)),
    }
}

/// Whether a rule applies to values of a type.
fn fits(rule: &CheckRule, column_type: &ColumnType) -> bool {
    match rule {
        CheckRule::NotNull(_) => true,
        CheckRule::Range { .. } => {
            column_type.is_scalar()
                && !matches!(column_type, ColumnType::Bool | ColumnType::String | ColumnType::Json)
        }
        // A sum of doubles is not exact.
        CheckRule::Sum { .. } => {
            matches!(column_type, ColumnType::Int64 | ColumnType::Decimal { .. })
        }
        _ => column_type.is_scalar(),
    }
}

/// A bound of a range.
pub(crate) enum RangeBound {
    /// Of integers and decimals.
    Number(NumberText),
    /// Of doubles.
    Float(f64),
    /// Of dates and timestamps, in their units.
    Instant(i128),
}

impl RangeBound {
    /// Parses a bound of values of a type; none when it is not a value of that type. Without a zone it is read as they are.
    pub(crate) fn parse(
        text: &str,
        column_type: &ColumnType,
        local_time: Option<LocalTime>,
    ) -> Option<Self> {
        match column_type {
            ColumnType::Int64 | ColumnType::Decimal { .. } => {
                Some(Self::Number(NumberText::parse(text)?))
            }
            ColumnType::Float64 => Some(Self::Float(text.parse().ok()?)),
            ColumnType::Date => Some(Self::Instant(parse_date(text)?.into())),
            ColumnType::Timestamp => {
                let instant = match local_time {
                    Some(local) => parse_local_timestamp(text, local),
                    None => parse_timestamp(text),
                };
                Some(Self::Instant(instant?.into()))
            }
            _ => None,
        }
    }
}
