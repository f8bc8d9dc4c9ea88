//! Decode: turns the bytes of an export into typed columns without loss.
//!
//! ```text
//! bytes ──Splitter──▶ RecordBatch ──BatchChunks──▶ Chunks
//!         finds the     a few MB of    parses each     each a tree of levels with
//!         records       whole records  record once     columns and their statistics
//! ```
//!
//! A [`Chunk`] keeps every value of the JSON: each column as [`Raw`] values, the nesting as row numbers. Types, names and
//! tables need the whole export; [`infer`](crate::infer) decides them.

mod array_list;
mod batch;
mod block;
mod canonical;
mod chunks;
mod columns;
mod compact;
mod completeness;
mod envelope;
mod filled;
mod identity;
mod lines;
mod nesting;
mod parse;
mod position;
mod raw;
mod ruled;
mod rules;
mod scalar_counts;
mod scalars;
mod select;
mod selector;
mod split;
mod split_error;
mod string;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{IntoSeries, StringChunked};

use crate::schema::{ColumnStatistics, KeyPlace, RootId, Step};

pub use array_list::ArrayList;
pub use batch::{Found, RecordBatch};
pub use chunks::{BatchChunks, DecodeError, decode_batch};
pub use compact::without_whitespace;
pub use position::Position;
pub use raw::{Fractions, Raw, RawTexts};
pub use rules::{ValueForm, ValueRule, ValueRules};
pub use scalar_counts::ScalarCounts;
pub use selector::{RecordSelector, RecordsAt};
pub use split::Splitter;
pub use split_error::{Sign, SplitError};

/// How the records of a table are decoded.
#[derive(Debug, Clone, Default)]
pub struct DecodeOptions {
    /// Compute a hash of each record.
    pub identify: bool,
    /// What the definition says of values; none when it says nothing.
    pub rules: Option<Arc<dyn ValueRules>>,
    /// How many levels of objects and lists are decoded; what is nested deeper is kept as JSON text. `None` is all.
    pub levels: Option<usize>,
    /// How many keys of scalars and lists are collected from records and the objects in them, and as many from the
    /// items of each list. `None` is all.
    pub most_keys: Option<usize>,
    /// The offsets in the export of records that are passed over.
    pub passed_over: Option<Arc<BTreeSet<u64>>>,
}

/// The decoded records of one batch.
#[derive(Debug)]
pub struct Chunk {
    /// The record array they belong to.
    pub root: RootId,
    /// Their values.
    pub records: Level,
    /// The byte range of each record in the export.
    pub places: Vec<Range<u64>>,
    /// A hash of each record's content, independent of key order and whitespace.
    pub identities: Vec<u128>,
    /// Records that could not be decoded, in export order.
    pub undecodable: Vec<Undecodable>,
    /// How many scalars the other records have.
    pub scalars: ScalarCounts,
    /// There were more keys than are collected. The values of the others are lost, and so are the records behind: such a
    /// chunk tells the keys and is no part of a table.
    pub is_too_wide: bool,
}

/// A record that is valid JSON but that columns cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// The byte range in the export.
    pub place: Range<u64>,
    /// Why.
    pub reason: &'static str,
}

/// Where the records of a chunk are in the export.
#[derive(Debug)]
pub struct ChunkSource {
    /// The record array they belong to.
    pub root: RootId,
    /// The byte range of each record in the export.
    pub places: Vec<Range<u64>>,
    /// Records that could not be decoded.
    pub undecodable: Vec<Undecodable>,
}

impl Chunk {
    /// The approximate size in memory, in bytes.
    #[must_use]
    pub fn estimated_bytes(&self) -> usize {
        self.records.estimated_bytes() + size_of_val(&*self.places) + size_of_val(&*self.identities)
    }

    /// Keeps what is needed after the values became rows, and frees the values.
    #[must_use]
    pub fn into_source(self) -> ChunkSource {
        ChunkSource { root: self.root, places: self.places, undecodable: self.undecodable }
    }
}

/// The rows of one level of nesting: the records, or the objects and list items of one key.
#[derive(Debug, Default)]
pub struct Level {
    /// How many.
    pub rows: usize,
    /// The parent row of each row. Empty for records.
    pub parents: Vec<u32>,
    /// The position of each row in its list; 0 for an object outside a list.
    pub positions: Vec<u32>,
    /// The key of each row, where the rows are the members of objects.
    pub keys: Option<StringChunked>,
    /// The values of the rows.
    pub values: BTreeMap<Step, Values>,
}

impl Level {
    fn estimated_bytes(&self) -> usize {
        let own = size_of_val(&*self.parents) + size_of_val(&*self.positions);
        let keys = self.keys.iter().map(|keys| keys.clone().into_series().estimated_size());
        let own = own + keys.sum::<usize>();
        own + self.values.values().map(Values::estimated_bytes).sum::<usize>()
    }
}

/// The values of one key.
#[derive(Debug, Default)]
pub struct Values {
    /// Strings, numbers and booleans: one column as long as the level, if there are any.
    pub scalars: Option<Scalars>,
    /// The rows that are `[]`, ascending.
    pub empty_lists: Vec<u32>,
    /// The rows that are `{}` outside a list, ascending.
    pub empty_objects: Vec<u32>,
    /// Objects, and the items of lists.
    pub nested: Option<Box<NestedRows>>,
    /// Where the key stands in the objects of the level.
    pub place: KeyPlace,
}

impl Values {
    fn estimated_bytes(&self) -> usize {
        let scalars = self.scalars.as_ref().map_or(0, |scalars| scalars.values.estimated_bytes());
        let nested = self.nested.as_ref();
        let nested = nested.map_or(0, |it| it.estimated_bytes());
        scalars + nested + size_of_val(&*self.empty_lists) + size_of_val(&*self.empty_objects)
    }
}

/// A column of scalars as written in the JSON.
#[derive(Debug)]
pub struct Scalars {
    /// The values.
    pub values: Raw,
    /// Their statistics.
    pub statistics: ColumnStatistics,
}

/// The objects of a key and the items of its lists, as rows of their own level.
#[derive(Debug)]
pub struct NestedRows {
    /// The parent rows whose value is a list, ascending; the others have an object.
    pub lists: Vec<u32>,
    /// The rows that are objects, ascending; the others are items of lists.
    pub objects: Vec<u32>,
    /// The rows.
    pub level: Level,
}

impl NestedRows {
    fn estimated_bytes(&self) -> usize {
        size_of_val(&*self.lists) + size_of_val(&*self.objects) + self.level.estimated_bytes()
    }
}
