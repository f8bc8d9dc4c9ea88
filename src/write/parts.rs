//! Divides frames into parts, such as the rows of each partition.
//!
//! `take` of polars uses threads of its own, although every thread has a share of the work already, and allocates an
//! array for each list: a column of short lists would cost as much as all the others.

use std::sync::Arc;

use polars::prelude::{
    BooleanChunked, CompatLevel, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, IntoSeries,
    NewChunkedArray, PlIndexMap, PlSmallStr, PolarsError, PolarsResult, Series, StringChunked,
    StructChunked,
};
use polars_arrow::array::{ListArray, MutableBinaryViewArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;

use crate::normalise::lists_of;
use crate::runtime::on_all_cores;

/// Up to this many parts are built at once. Each of their text columns takes at least 8 KiB.
const MOST_PARTS_AT_ONCE: usize = 128;

/// The parts that rows are divided into, in the order of their first row.
pub struct RowParts {
    /// The number of each part.
    numbers: Vec<usize>,
    /// The position of each row's part.
    of_row: Vec<u32>,
    /// The rows of each part, in their order.
    members: Vec<Vec<IdxSize>>,
}

/// The rows of one part.
pub struct RowPart {
    /// Its number.
    pub number: usize,
    rows: RowPartContent,
}

enum RowPartContent {
    Divided(DataFrame),
    Among { all: Arc<DataFrame>, members: Vec<IdxSize> },
}

impl RowPart {
    /// The rows. Their texts keep no memory of those of other parts.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn into_rows(self) -> PolarsResult<DataFrame> {
        match self.rows {
            RowPartContent::Divided(rows) => Ok(rows),
            RowPartContent::Among { all, members } => take(&all, &members),
        }
    }
}

impl RowParts {
    /// The parts of rows, given the number of each row's.
    #[must_use]
    pub fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let mut members: PlIndexMap<usize, Vec<IdxSize>> = PlIndexMap::default();
        let mut of_row = Vec::new();
        for (row, number) in (0..).zip(numbers) {
            let part = members.entry(number);
            // There are no more parts than rows, which polars counts with 32 bits.
            of_row.push(u32::try_from(part.index()).unwrap_or(u32::MAX));
            part.or_default().push(row);
        }
        let (numbers, members) = members.into_iter().unzip();
        Self { numbers, of_row, members }
    }

    /// Divides frames, whose rows follow each other and whose columns are the same.
    ///
    /// Texts are most of the work. A text column is read once, from start to end, instead of once for each part: with
    /// 24 parts that takes half the time.
    ///
    /// # Errors
    /// polars fails, which would be a bug.
    pub fn divide(self, frames: Vec<DataFrame>) -> PolarsResult<Vec<RowPart>> {
        let mut columns: Vec<Vec<Series>> = Vec::new();
        for frame in frames {
            columns.resize_with(frame.width(), Vec::new);
            for (pieces, column) in columns.iter_mut().zip(frame.into_columns()) {
                pieces.push(column.take_materialized_series());
            }
        }
        if self.numbers.len() > MOST_PARTS_AT_ONCE {
            return self.divide_later(columns);
        }
        let divided = on_all_cores(columns, |pieces| self.divide_values(pieces));
        let mut columns_of_part: Vec<Vec<_>> = vec![Vec::new(); self.numbers.len()];
        for of_column in divided {
            for (columns, values) in columns_of_part.iter_mut().zip(of_column?) {
                columns.push(values.into_column());
            }
        }
        let parts = self.numbers.into_iter().zip(&self.members).zip(columns_of_part);
        let parts = parts.map(|((number, members), columns)| {
            let rows = DataFrame::new(members.len(), columns)?;
            Ok(RowPart { number, rows: RowPartContent::Divided(rows) })
        });
        parts.collect()
    }

    /// The same, but the rows of a part are copied when they are asked for.
    fn divide_later(self, columns: Vec<Vec<Series>>) -> PolarsResult<Vec<RowPart>> {
        let columns = on_all_cores(columns, |pieces| Ok(in_one_piece(pieces)?.into_column()));
        let columns = columns.into_iter().collect::<PolarsResult<_>>()?;
        let all = Arc::new(DataFrame::new(self.of_row.len(), columns)?);
        let parts = self.numbers.into_iter().zip(self.members);
        let parts = parts.map(|(number, members)| RowPart {
            number,
            rows: RowPartContent::Among { all: all.clone(), members },
        });
        Ok(parts.collect())
    }

    fn divide_values(&self, pieces: Vec<Series>) -> PolarsResult<Vec<Series>> {
        if self.numbers.len() > 1 && pieces.iter().all(|piece| *piece.dtype() == DataType::String) {
            return self.divide_texts(&pieces);
        }
        let all = in_one_piece(pieces)?;
        if self.numbers.len() == 1 {
            return Ok(vec![all]);
        }
        self.members.iter().map(|members| take_values(&all, members)).collect()
    }

    fn divide_texts(&self, pieces: &[Series]) -> PolarsResult<Vec<Series>> {
        let room = self.members.iter().map(Vec::len);
        let mut divided: Vec<MutableBinaryViewArray<str>> =
            room.map(MutableBinaryViewArray::with_capacity).collect();
        let mut parts = self.of_row.iter();
        for piece in pieces {
            for texts in piece.str()?.downcast_iter() {
                for (text, part) in texts.iter().zip(&mut parts) {
                    divided[*part as usize].push(text);
                }
            }
        }
        let name = pieces.first().map(|piece| piece.name().clone()).unwrap_or_default();
        let divided = divided.into_iter().map(Utf8ViewArray::from);
        Ok(divided
            .map(|texts| StringChunked::with_chunk(name.clone(), texts).into_series())
            .collect())
    }
}

fn in_one_piece(pieces: Vec<Series>) -> PolarsResult<Series> {
    let mut pieces = pieces.into_iter();
    let mut all = pieces.next().unwrap_or_default();
    for piece in pieces {
        all.append_owned(piece)?;
    }
    Ok(all.rechunk())
}

/// Some rows of a frame. Their texts keep no memory of others' texts.
///
/// # Errors
/// A row is missing. polars fails, which would be a bug.
pub fn take(rows: &DataFrame, members: &[IdxSize]) -> PolarsResult<DataFrame> {
    let columns = rows
        .columns()
        .iter()
        .map(|column| Ok(take_values(column.as_materialized_series(), members)?.into_column()));
    DataFrame::new(members.len(), columns.collect::<PolarsResult<_>>()?)
}

fn take_values(values: &Series, members: &[IdxSize]) -> PolarsResult<Series> {
    match values.dtype() {
        DataType::String => take_texts(values, members),
        DataType::List(_) => take_lists(values, members),
        DataType::Struct(_) => {
            let fields = values.struct_()?.fields_as_series();
            let fields: Vec<Series> = fields
                .iter()
                .map(|field| take_values(field, members))
                .collect::<PolarsResult<_>>()?;
            let there = values.is_not_null();
            let there: BooleanChunked =
                members.iter().map(|member| there.get(*member as usize)).collect();
            let name = values.name().clone();
            let objects = StructChunked::from_series(name, members.len(), fields.iter())?;
            Ok(objects.into_series().zip_with(
                &there,
                &Series::full_null(PlSmallStr::EMPTY, members.len(), values.dtype()),
            )?)
        }
        _ => values.take(&IdxCa::from_slice(PlSmallStr::EMPTY, members)),
    }
}

fn take_texts(texts: &Series, members: &[IdxSize]) -> PolarsResult<Series> {
    let name = texts.name().clone();
    let texts = texts.str()?.rechunk();
    let texts = texts.downcast_as_array();
    let mut taken = MutableBinaryViewArray::<str>::with_capacity(members.len());
    for member in members {
        taken.push(texts.get(*member as usize));
    }
    let taken: Utf8ViewArray = taken.into();
    Ok(StringChunked::with_chunk(name, taken).into_series())
}

fn take_lists(lists: &Series, members: &[IdxSize]) -> PolarsResult<Series> {
    let name = lists.name().clone();
    let lists = lists.rechunk().to_arrow(0, CompatLevel::newest());
    let Some(lists) = lists.as_any().downcast_ref::<ListArray<i64>>() else {
        return Err(not_lists());
    };
    let starts_and_ends = lists.offsets().as_slice();
    let (mut lengths, mut items) = (Vec::with_capacity(members.len()), Vec::new());
    for member in members {
        let (start, end) =
            (starts_and_ends[*member as usize], starts_and_ends[*member as usize + 1]);
        let range = IdxSize::try_from(start).and_then(|start| Ok(start..IdxSize::try_from(end)?));
        let range = range.map_err(|_| not_lists())?;
        lengths.push(range.len());
        items.extend(range);
    }
    let of_all = Series::try_from((PlSmallStr::EMPTY, lists.values().clone()))?;
    let there = lists.validity().map(|there| {
        members.iter().map(|member| there.get_bit(*member as usize)).collect::<Bitmap>()
    });
    lists_of(name, &take_values(&of_all, &items)?, lengths.into_iter(), there)
}

fn not_lists() -> PolarsError {
    PolarsError::ComputeError("a column of lists is none".into())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ListChunked, NamedFrom};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_have_the_rows_that_polars_takes(
            most in proptest::sample::select(vec![1, 4, 2 * MOST_PARTS_AT_ONCE]),
            pieces in proptest::collection::vec(
                proptest::collection::vec((any::<usize>(), proptest::option::of("[a-z]{0,20}")), 0..120), 1..4),
        ) {
            let frames: Vec<DataFrame> = pieces.iter().map(|rows| {
                let texts: Vec<Option<&str>> = rows.iter().map(|(_, text)| text.as_deref()).collect();
                let texts = Series::new("texts".into(), texts);
                let lengths = rows.iter().map(|(_, text)| Some(text.as_ref()?.len() as u64));
                let lengths = Series::new("lengths".into(), lengths.collect::<Vec<_>>());
                let columns = vec![texts.into_column(), lengths.into_column()];
                DataFrame::new(rows.len(), columns).unwrap()
            }).collect();
            let numbers: Vec<usize> = pieces.iter().flatten().map(|(any, _)| any % most).collect();
            let mut all = frames[0].clone();
            frames[1..].iter().for_each(|frame| { all.vstack_mut(frame).unwrap(); });
            let divided = RowParts::of(numbers.iter().copied()).divide(frames).unwrap();
            let in_order = numbers.iter().copied().collect::<indexmap::IndexSet<_>>();
            prop_assert!(divided.iter().map(|part| part.number).eq(in_order));
            for part in divided {
                let number = part.number;
                let members = (0..).zip(&numbers).filter(|(_, it)| **it == number);
                let members = members.map(|(row, _)| row);
                let rows = part.into_rows().unwrap();
                let members = IdxCa::from_vec(PlSmallStr::EMPTY, members.collect());
                prop_assert!(rows.equals_missing(&all.take(&members).unwrap()));
            }
        }
    }

    #[test]
    fn rows_are_those_that_polars_takes() {
        let lists: Vec<Option<Series>> = vec![
            Some(Series::new(PlSmallStr::EMPTY, ["a text that is not short", "b"])),
            None,
            Some(Series::new_empty(PlSmallStr::EMPTY, &DataType::String)),
            Some(Series::new(PlSmallStr::EMPTY, [None, Some("c")])),
        ];
        let lists = lists.into_iter().collect::<ListChunked>().with_name("l".into());
        let numbers = Series::new("n".into(), [Some(1), Some(2), None, Some(4)]);
        let fields = [lists.clone().into_series(), numbers.clone()];
        let objects =
            StructChunked::from_series("s".into(), 4, fields.iter()).unwrap().into_series();
        let there: BooleanChunked = [true, true, false, true].into_iter().collect();
        let objects =
            objects.zip_with(&there, &Series::full_null("s".into(), 4, objects.dtype())).unwrap();
        let columns = [lists.into_series(), numbers, objects];
        let all = DataFrame::new(4, columns.map(IntoColumn::into_column).to_vec()).unwrap();
        for members in [&[][..], &[2], &[3, 1, 0], &[0, 1, 2, 3], &[0, 0, 3, 3, 2]] {
            let expected = all.take(&IdxCa::from_slice(PlSmallStr::EMPTY, members)).unwrap();
            let taken = take(&all, members).unwrap();
            assert!(taken.equals_missing(&expected), "{taken} {expected}");
        }
        let sliced = all.slice(1, 3);
        assert!(
            take(&sliced, &[2, 1])
                .unwrap()
                .equals_missing(&all.take(&IdxCa::from_slice(PlSmallStr::EMPTY, &[3, 2])).unwrap())
        );
    }
}
