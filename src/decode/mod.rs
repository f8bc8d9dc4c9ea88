//! Decode: the bytes of an export into typed columns, losing nothing.
//!
//! ```text
//! bytes ──Splitter──▶ RecordBatch ──decode_batch──▶ Chunk
//!         finds the     a few MB of    parses each      a tree of levels with
//!         records       whole records  record once      polars columns and their facts
//! ```
//!
//! A [`Chunk`] keeps what stood in the JSON, each column as [`Raw`] values, and the nesting as row numbers. Deciding
//! types, names and tables needs the whole export and is the work of [`normalise`](crate::normalise).

mod batch;
mod block;
mod columns;
mod compact;
mod envelope;
mod identity;
mod lines;
mod nesting;
mod parse;
mod position;
mod raw;
mod scalars;
mod selector;
mod split;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::schema::{ColumnStatistics, RootId, Step};

pub use batch::{Found, RecordBatch};
pub use compact::without_whitespace;
pub use parse::{DecodeError, decode_batch};
pub use position::Position;
pub use raw::{Fractions, Raw};
pub use selector::{RecordSelector, RecordsAt};
pub use split::{SplitError, Splitter};

/// How the records of a table are read.
#[derive(Debug, Clone, Default)]
pub struct DecodeOptions {
    /// Each record gets a hash of its content.
    pub identify: bool,
    /// Texts that mean that there is no value.
    pub null_values: Vec<String>,
    /// Objects and lists in records become texts of JSON.
    pub nested_as_json: bool,
}

/// The decoded records of one batch.
#[derive(Debug)]
pub struct Chunk {
    /// The record array they stood in.
    pub root: RootId,
    /// Their values.
    pub records: Level,
    /// Where each stood in the export, in bytes.
    pub places: Vec<Range<u64>>,
    /// A hash of each record's content, independent of key order and whitespace.
    pub identities: Vec<u128>,
    /// The records of the batch that are none of `records`, in the order of the export.
    pub undecodable: Vec<Undecodable>,
}

/// A record that is valid JSON and that columns cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stood in the export, in bytes.
    pub place: Range<u64>,
    /// Why.
    pub reason: &'static str,
}

/// Where the records of a chunk came from.
#[derive(Debug)]
pub struct ChunkSource {
    /// The record array they stood in.
    pub root: RootId,
    /// Where each stood in the export, in bytes.
    pub places: Vec<Range<u64>>,
    /// The records that have no values.
    pub undecodable: Vec<Undecodable>,
}

impl Chunk {
    /// About how much memory it takes.
    #[must_use]
    pub fn estimated_bytes(&self) -> usize {
        self.records.estimated_bytes() + size_of_val(&*self.places) + size_of_val(&*self.identities)
    }

    /// What is needed of a chunk once its values are rows; the values are freed.
    #[must_use]
    pub fn into_source(self) -> ChunkSource {
        ChunkSource { root: self.root, places: self.places, undecodable: self.undecodable }
    }
}

/// Rows that were met at one level of nesting: the records, or the objects and list items under one key.
#[derive(Debug, Default)]
pub struct Level {
    /// How many.
    pub rows: usize,
    /// For each row, the row of the level above that holds it; empty for records.
    pub parents: Vec<u32>,
    /// For each row, its position in the list that holds it (0 for an object that stands alone).
    pub positions: Vec<u32>,
    /// What the rows hold.
    pub values: BTreeMap<Step, Values>,
}

impl Level {
    fn estimated_bytes(&self) -> usize {
        let own = size_of_val(&*self.parents) + size_of_val(&*self.positions);
        own + self.values.values().map(Values::estimated_bytes).sum::<usize>()
    }
}

/// The values met under one key.
#[derive(Debug, Default)]
pub struct Values {
    /// Strings, numbers, `true` and `false`: one column as long as the level, when there were any.
    pub scalars: Option<Scalars>,
    /// Rows that hold `[]`, ascending.
    pub empty_lists: Vec<u32>,
    /// Objects, and the items of lists.
    pub nested: Option<Box<NestedRows>>,
}

impl Values {
    fn estimated_bytes(&self) -> usize {
        let scalars = self.scalars.as_ref().map_or(0, |scalars| scalars.values.estimated_bytes());
        let nested = self.nested.as_ref();
        let nested = nested.map_or(0, |it| size_of_val(&*it.objects) + it.level.estimated_bytes());
        scalars + nested + size_of_val(&*self.empty_lists)
    }
}

/// A column as it stood in the JSON.
#[derive(Debug)]
pub struct Scalars {
    /// The values.
    pub values: Raw,
    /// What is known of them.
    pub statistics: ColumnStatistics,
}

/// Objects under a key, and the items of lists under it, as rows of a level of their own.
#[derive(Debug)]
pub struct NestedRows {
    /// Some of the rows are items of lists.
    pub lists: bool,
    /// The rows that are objects, ascending; the others are items of lists.
    pub objects: Vec<u32>,
    /// The rows.
    pub level: Level,
}
