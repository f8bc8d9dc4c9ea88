//! Dictionary: repeated values of a column, each written once.
//!
//! It grows while rows come, so a page is encoded before the last row is known. A column without repetitions in its first
//! page has none; a column with too many values goes on without it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use indexmap::IndexSet;
use polars::prelude::{PlRandomState, PlSmallStr};
use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray, View};
use polars_arrow::types::NativeType;
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::parquet::statistics::{
    BinaryStatistics, ParquetStatistics, PrimitiveStatistics,
};
use polars_parquet::parquet::types::NativeType as Physical;

/// More values are not worth looking up.
const MOST_VALUES: usize = 1 << 12;
/// A longer text is written where it stands.
const LONGEST_TEXT: usize = 128;

type Values<T> = IndexSet<T, PlRandomState>;

/// The values of a column so far, in the order they first came.
pub(super) enum Dictionary {
    Texts(Texts),
    Int32(Values<i32>),
    Int64(Values<i64>),
}

/// The texts of a column.
#[derive(Default)]
pub(super) struct Texts {
    values: Values<PlSmallStr>,
    /// The positions of short ones, by the 16 bytes that their array has them in: twice as fast as by their text.
    short: HashMap<u128, u32, PlRandomState>,
}

/// The values of a page as positions in a dictionary, nulls left out.
pub(super) struct Keys {
    pub(super) positions: Vec<u32>,
    /// How many of the values are not the one before them again.
    pub(super) runs: usize,
    pub(super) statistics: ParquetStatistics,
}

impl Dictionary {
    /// An empty one for a column of this kind; `None` when such columns have none.
    pub(super) fn of(column: &dyn Array) -> Option<Self> {
        let column = column.as_any();
        if column.is::<Utf8ViewArray>() {
            Some(Self::Texts(Texts::default()))
        } else if column.is::<PrimitiveArray<i32>>() {
            Some(Self::Int32(Values::default()))
        } else if column.is::<PrimitiveArray<i64>>() {
            Some(Self::Int64(Values::default()))
        } else {
            None
        }
    }

    /// The values of a page, with those added that are new; `None` when the page is better written without it.
    pub(super) fn keys(&mut self, page: &dyn Array, column: &PrimitiveType) -> Option<Keys> {
        match self {
            Self::Texts(texts) => keys_of_texts(texts, page.as_any().downcast_ref()?, column),
            Self::Int32(values) => keys_of_numbers(values, page.as_any().downcast_ref()?, column),
            Self::Int64(values) => keys_of_numbers(values, page.as_any().downcast_ref()?, column),
        }
    }

    /// How many values.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn held_bytes(&self) -> usize {
        self.len()
            * match self {
                Self::Texts(_) => 64,
                Self::Int32(_) | Self::Int64(_) => 32,
            }
    }

    /// Adds values that were written [`plain`](Self::plain).
    pub(super) fn fill(&mut self, plain: &[u8]) {
        match self {
            Self::Texts(Texts { values, .. }) => {
                let mut rest = plain;
                while let Some((length, behind)) = rest.split_first_chunk() {
                    let length = u32::from_le_bytes(*length) as usize;
                    let (text, behind) = behind.split_at(length.min(behind.len()));
                    values.insert(PlSmallStr::from_str(&String::from_utf8_lossy(text)));
                    rest = behind;
                }
            }
            Self::Int32(values) => {
                values.extend(plain.as_chunks().0.iter().map(|it| i32::from_le_bytes(*it)));
            }
            Self::Int64(values) => {
                values.extend(plain.as_chunks().0.iter().map(|it| i64::from_le_bytes(*it)));
            }
        }
    }

    /// The values, as Parquet writes them plainly.
    pub(super) fn plain(&self) -> Vec<u8> {
        match self {
            Self::Texts(Texts { values, .. }) => {
                let mut bytes = Vec::new();
                for text in values {
                    // None is longer than `LONGEST_TEXT`.
                    let length = u32::try_from(text.len()).unwrap_or_default();
                    bytes.extend_from_slice(&length.to_le_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                bytes
            }
            Self::Int32(values) => values.iter().flat_map(|it| i32::to_le_bytes(*it)).collect(),
            Self::Int64(values) => values.iter().flat_map(|it| i64::to_le_bytes(*it)).collect(),
        }
    }
}

fn keys_of_texts(
    Texts { values, short }: &mut Texts,
    page: &Utf8ViewArray,
    column: &PrimitiveType,
) -> Option<Keys> {
    let mut keys = Vec::with_capacity(page.len());
    // The same text in the same place, as in a column that is the same in all rows, need not be looked up.
    let mut last = None;
    for (row, view) in page.views().iter().enumerate() {
        if page.is_null(row) {
            continue;
        }
        let (view, is_short) = (view.as_u128(), view.length <= View::MAX_INLINE_SIZE);
        let key = match last {
            Some((same, key)) if same == view => key,
            _ if is_short => match short.entry(view) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(key_of_text(values, page.value(row))?),
            },
            _ => key_of_text(values, page.value(row))?,
        };
        last = Some((view, key));
        keys.push(key);
    }
    let [min, max] = ends(values, &keys);
    let statistics = BinaryStatistics {
        primitive_type: column.clone(),
        null_count: i64::try_from(page.null_count()).ok(),
        distinct_count: None,
        max_value: max.map(|text| text.as_bytes().to_vec()),
        min_value: min.map(|text| text.as_bytes().to_vec()),
    };
    let runs = runs_of(&keys);
    Some(Keys { positions: keys, runs, statistics: statistics.serialize() })
}

fn key_of_text(values: &mut Values<PlSmallStr>, text: &str) -> Option<u32> {
    let key = values.get_index_of(text).or_else(|| {
        let is_let_in = values.len() < MOST_VALUES && text.len() <= LONGEST_TEXT;
        is_let_in.then(|| values.insert_full(PlSmallStr::from_str(text)).0)
    })?;
    u32::try_from(key).ok()
}

fn keys_of_numbers<T: NativeType + Physical + Hash + Eq + Ord>(
    values: &mut Values<T>,
    page: &PrimitiveArray<T>,
    column: &PrimitiveType,
) -> Option<Keys> {
    let mut keys = Vec::with_capacity(page.len());
    for number in page.non_null_values_iter() {
        let key = values
            .get_index_of(&number)
            .or_else(|| (values.len() < MOST_VALUES).then(|| values.insert_full(number).0))?;
        keys.push(u32::try_from(key).ok()?);
    }
    let [min, max] = ends(values, &keys);
    let statistics = PrimitiveStatistics {
        primitive_type: column.clone(),
        null_count: i64::try_from(page.null_count()).ok(),
        distinct_count: None,
        max_value: max.copied(),
        min_value: min.copied(),
    };
    let runs = runs_of(&keys);
    Some(Keys { positions: keys, runs, statistics: statistics.serialize() })
}

fn runs_of(keys: &[u32]) -> usize {
    usize::from(!keys.is_empty()) + keys.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The least and the greatest of the values that a page has.
fn ends<'v, T: Ord>(values: &'v Values<T>, keys: &[u32]) -> [Option<&'v T>; 2] {
    let mut is_there = vec![false; values.len()];
    for key in keys {
        is_there[*key as usize] = true;
    }
    let there = || values.iter().zip(&is_there).filter(|(_, is)| **is).map(|(value, _)| value);
    [there().min(), there().max()]
}
