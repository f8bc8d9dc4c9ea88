//! Decodes the records of a batch into chunks.
//!
//! A column has a cell for each row of its level, whether the row has the key or not. So a few bytes of JSON can be many
//! cells; a chunk ends when it has enough of them, and a record that alone has too many is set apart.

use std::collections::BTreeMap;
use std::ops::Range;

use super::batch::RecordBatch;
use super::columns::LevelBuilder;
use super::identity::identity;
use super::parse::{Parser, TOO_DEEP};
use super::position::Position;
use super::rules::{Scope, TOO_MANY_CELLS};
use super::{Chunk, DecodeOptions, Level, ScalarCounts, Undecodable};
use crate::exit_code::{ExitCode, Failure, advice};
use crate::shown::excerpt;

/// A batch of records that have the same keys has fewer cells.
const MOST_CELLS: usize = 1 << 20;
/// So that no more than 8,192 records are in a chunk.
const CELLS_OF_A_RECORD: usize = 1 << 7;

/// A record is not valid JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {record} of the export is not valid JSON at {position}: {reason}, at `{rest}`")]
pub struct DecodeError {
    /// Its number within its table, from 0.
    pub record: u64,
    /// Where in the export.
    pub position: Position,
    /// What is wrong.
    pub reason: &'static str,
    /// The text at that position.
    pub rest: String,
}

impl Failure for DecodeError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Export
    }

    fn help(&self) -> Option<String> {
        Some(advice::ASK_AGAIN.to_owned())
    }
}

/// A batch that is decoded chunk by chunk, so that each takes little memory however the keys are spread.
#[derive(Debug)]
pub struct BatchChunks {
    batch: RecordBatch,
    extents: Vec<Extent>,
    /// How many of the records are in chunks.
    taken: usize,
    is_over: bool,
}

impl BatchChunks {
    /// The chunks of a batch: one at least.
    #[must_use]
    pub fn of(batch: RecordBatch, options: &DecodeOptions) -> Self {
        let extents = extents(&batch, options);
        Self { batch, extents, taken: 0, is_over: false }
    }

    /// Decodes the next records.
    ///
    /// # Errors
    /// A record is not valid JSON.
    pub fn next_chunk(&mut self, options: &DecodeOptions) -> Result<Chunk, DecodeError> {
        let work = BatchWork::new(&self.batch, options, MOST_CELLS)?;
        let (chunk, taken) = work.next_chunk(&self.extents[self.taken..])?;
        self.taken += taken;
        self.is_over = chunk.is_too_wide || self.taken == self.extents.len();
        Ok(chunk)
    }

    /// Whether there are no more chunks.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }
}

/// Decodes the records of a batch as one chunk, whatever it takes.
///
/// # Errors
/// A record is not valid JSON.
pub fn decode_batch(batch: &RecordBatch, options: &DecodeOptions) -> Result<Chunk, DecodeError> {
    let work = BatchWork::new(batch, options, usize::MAX)?;
    work.next_chunk(&extents(batch, options)).map(|(chunk, _)| chunk)
}

/// Where the records are that are not passed over.
fn extents(batch: &RecordBatch, options: &DecodeOptions) -> Vec<Extent> {
    let mut extents: Vec<Extent> = batch.extents().collect();
    if let Some(passed_over) = &options.passed_over {
        extents.retain(|(_, offset)| !passed_over.contains(offset));
    }
    extents
}

/// The work on one batch.
struct BatchWork<'b> {
    batch: &'b RecordBatch,
    text: &'b str,
    options: &'b DecodeOptions,
    /// A chunk ends with the record with which it has more cells.
    most_cells: usize,
}

/// The first records of some extents.
struct DecodedRecords {
    records: Level,
    /// How many extents they have.
    taken: usize,
    /// A part of the next record is among them.
    has_part_of_next: bool,
    /// The positions of those that cannot be held exactly, with the reason.
    flaws: BTreeMap<usize, &'static str>,
    scalars: ScalarCounts,
    is_too_wide: bool,
}

impl<'b> BatchWork<'b> {
    fn new(
        batch: &'b RecordBatch,
        options: &'b DecodeOptions,
        most_cells: usize,
    ) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(&batch.bytes)
            .map_err(|error| at(batch, error.valid_up_to(), "not UTF-8"))?;
        Ok(Self { batch, text, options, most_cells })
    }

    /// A chunk of the first records of these extents, and how many they are.
    fn next_chunk(&self, extents: &[Extent]) -> Result<(Chunk, usize), DecodeError> {
        let mut decoded = self.decode_records(extents)?;
        let taken = decoded.taken;
        let flaws = std::mem::take(&mut decoded.flaws);
        let mut extents = extents[..taken].to_vec();
        let undecodable = flaws.iter().map(|(position, reason)| {
            let (extent, offset) = &extents[*position];
            Undecodable { place: place(extent, *offset), reason }
        });
        let undecodable: Vec<_> = undecodable.collect();
        if !decoded.is_too_wide && (decoded.has_part_of_next || !flaws.is_empty()) {
            // Their values are already in the columns and would influence types, so decode without them.
            let mut positions = 0..;
            extents.retain(|_| positions.next().is_some_and(|it| !flaws.contains_key(&it)));
            decoded = self.decode_records(&extents)?;
        }
        let DecodedRecords { records, scalars, is_too_wide, .. } = decoded;
        if is_too_wide {
            extents.clear();
        }
        let chunk = Chunk {
            root: self.batch.root,
            records,
            places: extents.iter().map(|(extent, offset)| place(extent, *offset)).collect(),
            identities: self.identities(&extents)?,
            undecodable: if is_too_wide { Vec::new() } else { undecodable },
            scalars,
            is_too_wide,
        };
        Ok((chunk, taken))
    }

    fn identities(&self, extents: &[Extent]) -> Result<Vec<u128>, DecodeError> {
        if !self.options.identify {
            return Ok(Vec::new());
        }
        let hashes = extents.iter().map(|(extent, _)| {
            identity(&self.text[extent.clone()])
                .map_err(|_| at(self.batch, extent.start, "the record cannot be hashed"))
        });
        hashes.collect()
    }

    fn decode_records(&self, extents: &[Extent]) -> Result<DecodedRecords, DecodeError> {
        match self.options.rules {
            Some(_) => self.decode_by_rules::<true>(extents),
            None => self.decode_by_rules::<false>(extents),
        }
    }

    /// The same; without rules no value is asked for its rule.
    fn decode_by_rules<const RULED: bool>(
        &self,
        extents: &[Extent],
    ) -> Result<DecodedRecords, DecodeError> {
        let Self { batch, text, options, most_cells } = *self;
        let most_keys = options.most_keys.unwrap_or(usize::MAX);
        let scope = Scope::of_records(most_keys, options.rules.as_ref());
        let mut records = LevelBuilder::new(scope.clone());
        let mut flaws = BTreeMap::new();
        let mut parser = Parser::<RULED>::new(text, options.levels.unwrap_or(usize::MAX));
        let (mut taken, mut has_part_of_next) = (0, false);
        for (extent, _) in extents {
            // Nothing stands between two records of a batch: of `1` and `2` the first would be read as 12.
            parser.text = &text[..extent.end];
            parser.at = extent.start;
            let read = parser.record(&mut records, extent.end);
            let mut flaw = parser.flaw.take();
            match read {
                Err(TOO_MANY_CELLS) if scope.is_exceeded() => break,
                Err(TOO_MANY_CELLS) if taken > 0 => {
                    // Alone it may have fewer: there are keys of other records in its rows.
                    has_part_of_next = true;
                    break;
                }
                // The record is read no further here, so its syntax is checked by a parser that does not recurse.
                Err(reason @ (TOO_DEEP | TOO_MANY_CELLS)) if is_json(&text[extent.clone()]) => {
                    flaw = Some(reason);
                }
                read => read.map_err(|reason| at(batch, parser.at, reason))?,
            }
            flaws.extend(flaw.map(|flaw| (taken, flaw)));
            taken += 1;
            // Records with too many keys are refused; more of them would only make the columns longer.
            if scope.is_exceeded() || scope.cells() > most_cells || taken >= self.most_records() {
                break;
            }
        }
        let is_too_wide = scope.is_exceeded();
        let (records, scalars) = (records.finish(), parser.scalars);
        Ok(DecodedRecords { records, taken, has_part_of_next, flaws, scalars, is_too_wide })
    }

    /// A table may have many more columns than the records of a chunk have keys.
    fn most_records(&self) -> usize {
        self.most_cells.div_ceil(CELLS_OF_A_RECORD)
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The byte range of a record in its batch, and its offset in the export.
type Extent = (Range<usize>, u64);

fn place(extent: &Range<usize>, offset: u64) -> Range<u64> {
    offset..offset + extent.len() as u64
}

fn at(batch: &RecordBatch, position: usize, reason: &'static str) -> DecodeError {
    let index = batch.records.partition_point(|record| record.start <= position).saturating_sub(1);
    let record = batch.records[index];
    DecodeError {
        record: batch.first_record + index as u64,
        position: record.position.after(&batch.bytes[record.start..position]),
        reason,
        rest: excerpt(&batch.bytes[position..]),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::decode::{RecordSelector, Splitter};
    use crate::schema::JsonPointer;

    fn batches(json: &str) -> Vec<RecordBatch> {
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(json.as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        batches
    }

    fn chunks(json: &str) -> Vec<Chunk> {
        let (options, mut chunks) = (DecodeOptions::default(), Vec::new());
        for batch in batches(json) {
            let mut batch = BatchChunks::of(batch, &options);
            while !batch.is_over() {
                chunks.push(batch.next_chunk(&options).unwrap());
            }
        }
        chunks
    }

    #[test]
    fn m1_chunks_are_small_however_the_keys_are_spread() {
        let mut json = String::from("[");
        for id in 0..20_000 {
            let comma = if id == 0 { "" } else { "," };
            write!(json, "{comma}{{\"id\":{id},\"l\":[{{\"k{}\":1}}]}}", id % 500).unwrap();
        }
        let chunks = chunks(&(json + "]"));
        let records: usize = chunks.iter().map(|chunk| chunk.places.len()).sum();
        assert_eq!(records, 20_000);
        assert!(chunks.iter().all(|chunk| chunk.records.rows == chunk.places.len()));
        let most = chunks.iter().map(Chunk::estimated_bytes).max().unwrap();
        assert!(most < 16 << 20, "{most} bytes");
        let mut places = chunks.iter().flat_map(|chunk| &chunk.places).map(|place| place.start);
        assert!(places.by_ref().is_sorted());
    }

    #[test]
    fn m1_a_record_whose_items_have_too_many_keys_is_set_apart_alone() {
        let mut items = String::new();
        for item in 0..20_000 {
            let comma = if item == 0 { "" } else { "," };
            write!(items, "{comma}{{\"k{}\":1}}", item % 1_000).unwrap();
        }
        let wide = format!("{{\"l\":[{items}]}}");
        let json = format!("[{{\"a\":1}},{{\"a\":2}},{wide},{{\"a\":3}}]");
        let chunks = chunks(&json);
        let undecodable: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.undecodable).collect();
        assert_eq!(undecodable.len(), 1);
        assert_eq!(undecodable[0].reason, TOO_MANY_CELLS);
        assert_eq!(undecodable[0].place.end - undecodable[0].place.start, wide.len() as u64);
        assert_eq!(chunks.iter().map(|chunk| chunk.places.len()).sum::<usize>(), 3);
        assert_eq!(chunks.iter().map(|chunk| chunk.scalars.values).sum::<u64>(), 3);
        let nested = |chunk: &Chunk| chunk.records.values.values().any(|it| it.nested.is_some());
        assert!(!chunks.iter().any(nested), "nothing is left of it");
    }

    #[test]
    fn m1_lists_by_name_are_no_wider_together_than_a_few() {
        // 200 lists of 200 lists each, and of 50 lists around each other.
        let names = |count: usize, value: &str| {
            let members: Vec<String> =
                (0..count).map(|name| format!("\"k{name}\":{value}")).collect();
            format!("[{{{}}}]", members.join(","))
        };
        let around = format!("{}1{}", "[".repeat(50), "]".repeat(50));
        for json in [names(200, &names(200, "[{\"x\":1}]")), names(200, &around)] {
            let options = DecodeOptions { most_keys: Some(300), ..DecodeOptions::default() };
            let chunk = decode_batch(&batches(&json)[0], &options).unwrap();
            assert!(chunk.is_too_wide);
            let columns = columns(&chunk.records);
            assert!(columns < 10_000, "{columns}");
        }
    }

    /// How many keys and levels there are.
    fn columns(level: &Level) -> usize {
        let below = level.values.values().filter_map(|values| values.nested.as_ref());
        level.values.len() + below.map(|nested| 1 + columns(&nested.level)).sum::<usize>()
    }

    #[test]
    fn m2_a_record_with_a_very_long_key_is_set_apart() {
        let json = format!("[{{\"a\":1}},{{\"{}\":{{\"b\":2}}}}]", "k".repeat(70_000));
        let chunks = chunks(&json);
        assert_eq!(chunks[0].undecodable.len(), 1);
        assert_eq!(chunks[0].places.len(), 1);
        assert_eq!(chunks[0].records.values.len(), 1);
    }
}
