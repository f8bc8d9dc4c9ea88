//! Checks: finds the rows of a chunk that break a check of their table.
//!
//! A check compares a row with its own record only. The exception, `unique`, is in [`uniques`](super::uniques).

use std::collections::HashSet;

use polars::prelude::{DataType, NewChunkedArray, PlSmallStr, PolarsResult, Series, StringChunked};

use super::cast::{CastRules, cast_raw};
use super::frame::{Breach, TableFrame};
use super::reason::RowOrigins;
use super::scalar_texts::scalar_texts;
use crate::decode::Raw;
use crate::definition::{CheckRule, ColumnOf, Tolerance};
use crate::infer::{RangeBound, Schemas};
use crate::schema::{ColumnName, ColumnSchema};

/// The frames of a chunk before rows are removed, and the origins of their rows.
pub(super) struct Records<'r, 'l> {
    pub(super) schemas: &'r Schemas,
    pub(super) frames: &'r [TableFrame],
    pub(super) origins: &'r RowOrigins<'l>,
}

impl Records<'_, '_> {
    /// The rows of a frame that break a check of their table other than `unique`.
    pub(super) fn breaches(&self, frame: usize) -> PolarsResult<Vec<Breach>> {
        let checks = &self.schemas.policy(self.frames[frame].table).checks;
        let mut breaches = Vec::new();
        for (position, check) in checks.iter().enumerate() {
            let broken = self.broken(frame, &check.rule)?;
            breaches.extend(broken.into_iter().map(|row| Breach { check: position, row }));
        }
        Ok(breaches)
    }

    fn broken(&self, frame: usize, rule: &CheckRule) -> PolarsResult<Vec<u32>> {
        let rows = &self.frames[frame];
        let column = |name: &ColumnName| values(rows, name);
        match rule {
            CheckRule::Unique(_) => Ok(Vec::new()),
            CheckRule::NotNull(name) => {
                let is_null = column(name)?.is_null();
                let nulls = (0..).zip(is_null.iter()).filter(|(_, null)| *null == Some(true));
                Ok(nulls.map(|(row, _)| row).collect())
            }
            CheckRule::AcceptedValues { column: name, values } => {
                let series = column(name)?;
                let accepted = as_texts_of(values, series.dtype(), self.schema_of(frame, name))?;
                texts_that(series, |text| !accepted.contains(text))
            }
            CheckRule::Matches { column: name, pattern } => {
                texts_that(column(name)?, |text| !pattern.matches(text))
            }
            CheckRule::Range { column: name, min, max } => {
                let schema = self.schema_of(frame, name);
                out_of_range(column(name)?, schema, min.as_deref(), max.as_deref())
            }
            CheckRule::References { column: name, to } => self.without_referent(frame, name, to),
            CheckRule::Sum { of, equals, tolerance } => {
                self.wrong_sums(frame, of, equals, tolerance)
            }
        }
    }

    fn schema_of(&self, frame: usize, column: &ColumnName) -> Option<&ColumnSchema> {
        self.schemas[self.frames[frame].table].column(column)
    }

    /// The frame of another table.
    fn frame_of(&self, named: &ColumnOf) -> Option<usize> {
        let is_it = |frame: &TableFrame| self.schemas[frame.table].name == named.table;
        self.frames.iter().position(is_it)
    }

    /// The rows whose value is not in the other column of the same record.
    fn without_referent(
        &self,
        frame: usize,
        column: &ColumnName,
        to: &ColumnOf,
    ) -> PolarsResult<Vec<u32>> {
        let mut there: HashSet<(u32, String)> = HashSet::new();
        if let Some(other) = self.frame_of(to) {
            let other = &self.frames[other];
            let texts = scalar_texts(values(other, &to.column)?)?;
            let texts = other.records.iter().zip(texts);
            there.extend(texts.filter_map(|(record, text)| Some((*record, text?))));
        }
        let rows = &self.frames[frame];
        let texts = scalar_texts(values(rows, column)?)?.into_iter().zip(&rows.records);
        let lost = (0..).zip(texts).filter_map(|(row, (text, record))| {
            let text = text?;
            (!there.contains(&(*record, text))).then_some(row)
        });
        Ok(lost.collect())
    }

    /// The rows whose child rows have another sum.
    fn wrong_sums(
        &self,
        frame: usize,
        of: &ColumnOf,
        equals: &ColumnName,
        tolerance: &Tolerance,
    ) -> PolarsResult<Vec<u32>> {
        let (expected, own_scale) = units(values(&self.frames[frame], equals)?)?;
        let tolerance = tolerance.number();
        let child = self.frame_of(of);
        let child_values =
            child.map(|child| values(&self.frames[child], &of.column)).transpose()?;
        let (summands, scale) = child_values.map(units).transpose()?.unwrap_or_default();
        let common = own_scale.max(scale);
        let mut sums = vec![0_i128; expected.len()];
        let parents = child.map_or(&[][..], |child| self.origins.0[child].parents.as_slice());
        for (parent, summand) in parents.iter().zip(summands) {
            let summand = in_units(summand.unwrap_or(0), scale, common);
            let sum = &mut sums[*parent as usize];
            *sum = sum.saturating_add(summand);
        }
        let allowed = tolerance.floor(common);
        let wrong = (0..).zip(expected).zip(sums).filter(|((_, expected), sum)| {
            let differs = |expected: i128| {
                let difference = in_units(expected, own_scale, common).saturating_sub(*sum);
                difference.saturating_abs() > allowed
            };
            expected.is_some_and(differs)
        });
        Ok(wrong.map(|((row, _), _)| row).collect())
    }
}

pub(super) fn values<'f>(frame: &'f TableFrame, column: &ColumnName) -> PolarsResult<&'f Series> {
    Ok(frame.rows.column(column.as_str())?.as_materialized_series())
}

/// The rows whose text fulfils a condition.
fn texts_that(series: &Series, is_such: impl Fn(&str) -> bool) -> PolarsResult<Vec<u32>> {
    let texts = (0..).zip(scalar_texts(series)?);
    let such = texts.filter(|(_, text)| text.as_deref().is_some_and(&is_such));
    Ok(such.map(|(row, _)| row).collect())
}

/// The texts that some values have in a column, without values that do not fit it.
fn as_texts_of(
    values: &[String],
    data_type: &DataType,
    column: Option<&ColumnSchema>,
) -> PolarsResult<HashSet<String>> {
    let Some(column) = column.filter(|_| *data_type != DataType::String) else {
        return Ok(values.iter().cloned().collect());
    };
    let raw = Raw::strings(StringChunked::from_slice(PlSmallStr::EMPTY, values));
    let rules = CastRules { formats: &[], ..CastRules::of(column, true) };
    let typed = cast_raw(&raw, &column.column_type, rules)?.series;
    Ok(scalar_texts(&typed)?.into_iter().flatten().collect())
}

fn out_of_range(
    series: &Series,
    column: Option<&ColumnSchema>,
    min: Option<&str>,
    max: Option<&str>,
) -> PolarsResult<Vec<u32>> {
    let bound = |text: Option<&str>| {
        let ColumnSchema { column_type, local_time, .. } = column?;
        RangeBound::parse(text?, column_type, *local_time)
    };
    let (min, max) = (bound(min), bound(max));
    if let Ok(floats) = series.f64() {
        let is_out = |value: f64| {
            matches!(min, Some(RangeBound::Float(min)) if value < min)
                || matches!(max, Some(RangeBound::Float(max)) if value > max)
        };
        let out = (0..).zip(floats.iter()).filter(|(_, value)| value.is_some_and(is_out));
        return Ok(out.map(|(row, _)| row).collect());
    }
    let (units, scale) = units(series)?;
    let least = min.map(|min| match min {
        RangeBound::Number(number) => number.ceiling(scale),
        RangeBound::Instant(instant) => instant,
        RangeBound::Float(_) => i128::MIN,
    });
    let greatest = max.map(|max| match max {
        RangeBound::Number(number) => number.floor(scale),
        RangeBound::Instant(instant) => instant,
        RangeBound::Float(_) => i128::MAX,
    });
    let is_out = |value: i128| {
        least.is_some_and(|least| value < least) || greatest.is_some_and(|most| value > most)
    };
    let out = (0..).zip(units).filter(|(_, value)| value.is_some_and(is_out));
    Ok(out.map(|(row, _)| row).collect())
}

/// The values of a column of integers, decimals, dates or timestamps in its own units, and how many digits after the
/// point a unit is.
fn units(series: &Series) -> PolarsResult<(Vec<Option<i128>>, u8)> {
    Ok(match series.dtype() {
        DataType::Decimal(_, scale) => {
            let scale = u8::try_from(*scale).unwrap_or(u8::MAX);
            (series.decimal()?.physical().iter().collect(), scale)
        }
        DataType::Date => {
            (series.date()?.physical().iter().map(|value| value.map(i128::from)).collect(), 0)
        }
        DataType::Datetime(..) => {
            (series.datetime()?.physical().iter().map(|value| value.map(i128::from)).collect(), 0)
        }
        _ => (series.i64()?.iter().map(|value| value.map(i128::from)).collect(), 0),
    })
}

/// Units of one size in smaller ones, or the end of what 128 bits hold.
fn in_units(units: i128, scale: u8, finer: u8) -> i128 {
    10_i128
        .checked_pow(u32::from(finer.saturating_sub(scale)))
        .map_or(if units < 0 { i128::MIN } else { i128::MAX }, |factor| {
            units.saturating_mul(factor)
        })
}
