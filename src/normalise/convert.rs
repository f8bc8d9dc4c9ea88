//! Converts a column from one type to another. Each value stays exactly what it is, or does not fit.
//!
//! | from | to | |
//! |---|---|---|
//! | scalar | scalar | by the text of the value, see docs/types.md |
//! | list | list | item by item |
//! | object | object | field by field; a new field is null |
//! | scalar | object | its field `value` |
//! | list | object | its field `items` |
//! | scalar, object | list | a list of one |
//! | list, object | scalar | does not fit |

use polars::prelude::{
    DataType, IdxCa, IdxSize, ListChunked, NewChunkedArray, PlSmallStr, PolarsResult, Series,
    StringChunked,
};
use polars_arrow::bitmap::Bitmap;

use super::cast::{Cast, CastRules, cast_raw};
use super::lists::lists_of;
use super::nested::{ObjectBuilder, rows_of_true};
use super::scalar_texts::scalar_texts;
use crate::decode::Raw;
use crate::infer::ITEMS_FIELD;
use crate::schema::{ColumnType, ITEM_COLUMN, StructField};

/// The values of a column of type `from` in the type `to`, whose dates and times are read by these rules.
pub(super) fn convert(
    values: &Series,
    from: &ColumnType,
    to: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    if from == to {
        return Ok(Cast { series: values.clone(), unfit: Vec::new() });
    }
    match (from, to) {
        (ColumnType::List(from), ColumnType::List(to)) => {
            convert_items(values.list()?, from, to, rules)
        }
        (_, ColumnType::List(to)) => lists_of_one(values, from, to, rules),
        (_, ColumnType::Struct(fields)) => convert_to_objects(values, from, fields, rules),
        (ColumnType::List(_) | ColumnType::Struct(_), _) => {
            let mut none = Cast::nulls(values.len(), to);
            none.unfit = rows_of_true(&values.is_not_null());
            Ok(none)
        }
        (ColumnType::Int64 | ColumnType::String, _) => cast_raw(&as_decoded(values)?, to, rules),
        // A date or timestamp has been read already.
        _ => cast_raw(&as_decoded(values)?, to, CastRules { formats: &[], ..rules }),
    }
}

/// Converts the items of all lists at once.
fn convert_items(
    lists: &ListChunked,
    from: &ColumnType,
    to: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let name = lists.name().clone();
    let lists = lists.rechunk();
    let array = lists.downcast_as_array();
    let offsets = array.offsets();
    let first = *offsets.first();
    // A column that was cut out of a larger one shares its items.
    let items = lists.get_inner().slice(first, offsets.range().try_into().unwrap_or(usize::MAX));
    let converted = convert(&items, from, to, rules)?;
    let is_there = |row: usize| array.validity().is_none_or(|validity| validity.get_bit(row));
    let mut unfit_items = converted.unfit.iter().map(|item| first + i64::from(*item)).peekable();
    let mut unfit = Vec::new();
    for (row, number) in (0_usize..).zip(0_u32..).take(array.len()) {
        let (_, end) = offsets.start_end(row);
        let mut fits = true;
        while unfit_items
            .next_if(|item| usize::try_from(*item).is_ok_and(|item| item < end))
            .is_some()
        {
            fits = false;
        }
        if !fits && is_there(row) {
            unfit.push(number);
        }
    }
    let series = lists_of(name, &converted.series, offsets.lengths(), array.validity().cloned())?;
    Ok(Cast { series, unfit })
}

fn lists_of_one(
    values: &Series,
    from: &ColumnType,
    to: &ColumnType,
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let is_there = values.is_not_null();
    let rows: Vec<IdxSize> = rows_of_true(&is_there);
    let items = values.take(&IdxCa::from_slice(PlSmallStr::EMPTY, &rows))?;
    let converted = convert(&items, from, to, rules)?;
    let validity: Bitmap = is_there.iter().map(|is| is == Some(true)).collect();
    let lengths = is_there.iter().map(|is| usize::from(is == Some(true)));
    let series = lists_of(values.name().clone(), &converted.series, lengths, Some(validity))?;
    let unfit = converted.unfit.iter().map(|item| rows[*item as usize]).collect();
    Ok(Cast { series, unfit })
}

fn convert_to_objects(
    values: &Series,
    from: &ColumnType,
    fields: &[StructField],
    rules: CastRules<'_>,
) -> PolarsResult<Cast> {
    let is_there = values.is_not_null();
    let mut objects = ObjectBuilder::new(fields, is_there.clone());
    let parts: Vec<(String, &ColumnType, Series)> = match from {
        ColumnType::Struct(old) => {
            let parts = old.iter().zip(values.struct_()?.fields_as_series());
            parts.map(|(field, part)| (field.name.to_string(), &field.column_type, part)).collect()
        }
        ColumnType::List(_) => vec![(ITEMS_FIELD.to_owned(), from, values.clone())],
        _ => vec![(ITEM_COLUMN.to_owned(), from, values.clone())],
    };
    for (name, from, part) in parts {
        match objects.field(&name) {
            Some(field) => {
                let converted = convert(&part, from, &field.column_type, rules)?;
                objects.fill(&field.name, converted)?;
            }
            None => objects.refuse(rows_of_true(&(part.is_not_null() & is_there.clone()))),
        }
    }
    objects.finish()
}

/// A typed scalar column as the decoder would return it.
fn as_decoded(typed: &Series) -> PolarsResult<Raw> {
    Ok(match typed.dtype() {
        DataType::Boolean => Raw::Booleans(typed.bool()?.clone()),
        DataType::Int64 => Raw::Integers(typed.i64()?.clone()),
        DataType::String => Raw::strings(typed.str()?.clone()),
        _ => {
            let texts = scalar_texts(typed)?;
            Raw::strings(StringChunked::from_slice_options(PlSmallStr::EMPTY, &texts))
        }
    })
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoSeries, StructChunked};
    use proptest::prelude::*;

    use super::super::nested::column;
    use super::*;
    use crate::decode::{DecodeOptions, RecordSelector, Splitter, decode_batch};
    use crate::normalise::cast::cast;
    use crate::schema::{JsonPointer, Step};

    const PAGE: &str = include_str!("../../docs/types.md");

    /// A column of one JSON value.
    fn typed(json: &str, column_type: &ColumnType) -> Series {
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(format!("[{{\"v\":{json}}}]").as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        let chunk = decode_batch(&batches[0], &DecodeOptions::default()).unwrap();
        let values = &chunk.records.values[&Step::Key("v".to_owned())];
        let cast = column(values, 1, column_type, CastRules::declared()).unwrap();
        assert!(cast.unfit.is_empty(), "{json} is no {column_type}");
        cast.series
    }

    /// The rows of a table of docs/types.md, their cells without backticks.
    fn table(heading: &str) -> Vec<Vec<String>> {
        let (_, section) = PAGE.split_once(heading).unwrap();
        let lines = section.lines().skip_while(|line| !line.starts_with('|'));
        let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        });
        rows.collect()
    }

    /// Converts one value; `–` is "does not fit".
    #[track_caller]
    fn check(from: &str, json: &str, to: &str, expected: &str) {
        let (old, new): (ColumnType, ColumnType) = (from.parse().unwrap(), to.parse().unwrap());
        let converted = convert(&typed(json, &old), &old, &new, CastRules::declared()).unwrap();
        let context = format!("{json} of {from} as {to}");
        if expected == "–" {
            assert_eq!(converted.unfit, [0], "{context}: {}", converted.series);
        } else {
            assert!(converted.unfit.is_empty(), "{context} does not fit");
            let expected = typed(expected, &new);
            assert!(converted.series.equals_missing(&expected), "{context}: {}", converted.series);
            assert_eq!(converted.series.dtype(), expected.dtype(), "{context}");
        }
    }

    #[test]
    fn every_pair_of_scalar_types_converts_as_documented() {
        let rows = table("## When a column takes another type");
        let types = &rows[0][2..];
        assert_eq!(types.len(), SCALARS.len());
        for row in &rows[2..] {
            for (to, expected) in types.iter().zip(&row[2..]) {
                check(&row[0], &row[1], to, expected);
            }
        }
        for scalar in types {
            assert!(rows[2..].iter().any(|row| row[0] == *scalar), "no row for {scalar}");
        }
    }

    #[test]
    fn every_pair_of_shapes_converts_as_documented() {
        let rows = table("Lists and objects:");
        assert!(rows.len() > 10);
        for row in &rows[2..] {
            check(&row[1], &row[2], &row[3], &row[4]);
        }
    }

    /// Each scalar type, with values of it as text.
    const SCALARS: [(&str, &[&str]); 7] = [
        ("bool", &["true", "false"]),
        ("int64", &["5", "-9223372036854775808", "9007199254740993", "0"]),
        ("float64", &["5", "10.1", "1e300", "-0.25"]),
        ("decimal(18,2)", &["10.10", "5.00", "-0.05", "9007199254740993.25"]),
        ("date", &["2026-10-05", "0001-01-01"]),
        ("timestamp", &["2026-10-05T14:03:07Z", "2026-10-05T00:00:00.5Z"]),
        ("string", &["x", "5", "2026-10-05", "true", "10.10", ""]),
    ];

    /// What stands around a scalar.
    #[derive(Debug, Clone, Copy)]
    enum Around {
        /// Lists of this many items at most, some of them null.
        Lists(usize),
        /// Objects, every so many of them null.
        Objects(usize),
    }

    impl Around {
        /// For each row, the rows of the scalars in it; `None` is null.
        fn rows(self, scalars: usize) -> Vec<Option<Vec<usize>>> {
            let mut items = 0..scalars;
            let mut rows = Vec::new();
            while !items.is_empty() {
                rows.push(match self {
                    Self::Lists(most) if rows.len() % 4 == 3 && most > 1 => None,
                    Self::Lists(most) => {
                        Some(items.by_ref().take(rows.len() % (most + 1)).collect())
                    }
                    Self::Objects(every) if rows.len() % every == every - 1 => {
                        items.next();
                        None
                    }
                    Self::Objects(_) => Some(items.by_ref().take(1).collect()),
                });
            }
            rows
        }

        fn around_type(self, inner: ColumnType) -> ColumnType {
            match self {
                Self::Lists(_) => ColumnType::List(Box::new(inner)),
                Self::Objects(_) => ColumnType::Struct(vec![StructField {
                    name: "a".parse().unwrap(),
                    column_type: inner,
                }]),
            }
        }

        fn around(self, inner: &Series) -> Series {
            let rows = self.rows(inner.len());
            let there: Bitmap = rows.iter().map(Option::is_some).collect();
            match self {
                Self::Lists(_) => {
                    let lengths = rows.iter().map(|items| items.as_ref().map_or(0, Vec::len));
                    lists_of(PlSmallStr::EMPTY, inner, lengths, Some(there)).unwrap()
                }
                Self::Objects(_) => {
                    let position = |row: &Option<Vec<usize>>| {
                        row.as_ref().map(|items| u32::try_from(items[0]).unwrap())
                    };
                    let positions: Vec<Option<IdxSize>> = rows.iter().map(position).collect();
                    let positions = IdxCa::from_slice_options(PlSmallStr::EMPTY, &positions);
                    let field = inner.take(&positions).unwrap().with_name("a".into());
                    let objects =
                        StructChunked::from_series(PlSmallStr::EMPTY, rows.len(), [field].iter());
                    objects.unwrap().with_outer_validity(Some(there)).into_series()
                }
            }
        }

        /// The rows that hold one of these items.
        fn unfit(self, items: &[u32], scalars: usize) -> Vec<u32> {
            let holds = |row: &Option<Vec<usize>>| {
                row.iter().flatten().any(|item| items.contains(&u32::try_from(*item).unwrap()))
            };
            (0..)
                .zip(self.rows(scalars))
                .filter(|(_, row)| holds(row))
                .map(|(row, _)| row)
                .collect()
        }
    }

    fn any_around() -> impl Strategy<Value = Around> {
        prop_oneof![(1_usize..4).prop_map(Around::Lists), (2_usize..5).prop_map(Around::Objects)]
    }

    proptest! {
        #[test]
        fn p5_scalars_convert_alike_in_every_shape(
            from in 0..SCALARS.len(),
            to in 0..SCALARS.len(),
            picks in proptest::collection::vec(proptest::option::of(any::<proptest::sample::Index>()), 0..12),
            shape in proptest::collection::vec(any_around(), 1..4),
            cut in any::<proptest::sample::Index>(),
        ) {
            let (old, texts) = SCALARS[from];
            let (mut old, mut new): (ColumnType, ColumnType) = (old.parse().unwrap(), SCALARS[to].0.parse().unwrap());
            let picked: Vec<Option<&str>> = picks.iter().map(|pick| pick.map(|pick| *pick.get(texts))).collect();
            let texts = StringChunked::from_slice_options(PlSmallStr::EMPTY, &picked).into_series();
            let mut values = cast(&texts, &old).unwrap().series;
            let Cast { series: mut expected, mut unfit } = convert(&values, &old, &new, CastRules::declared()).unwrap();
            for around in shape {
                unfit = around.unfit(&unfit, values.len());
                (values, expected) = (around.around(&values), around.around(&expected));
                (old, new) = (around.around_type(old), around.around_type(new));
            }
            let converted = convert(&values, &old, &new, CastRules::declared()).unwrap();
            prop_assert!(converted.series.equals_missing(&expected), "{} is not {}", converted.series, expected);
            prop_assert_eq!(converted.series.dtype(), expected.dtype());
            prop_assert_eq!(&converted.unfit, &unfit);
            // A part of the column gives that part.
            let first = cut.index(values.len() + 1);
            let part = convert(&values.slice(i64::try_from(first).unwrap(), values.len() - first), &old, &new, CastRules::declared()).unwrap();
            prop_assert!(part.series.equals_missing(&expected.slice(i64::try_from(first).unwrap(), values.len() - first)));
            prop_assert_eq!(part.unfit.len(), unfit.iter().filter(|row| **row as usize >= first).count());
        }
    }
}
