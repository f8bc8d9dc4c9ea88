//! An export in memory, and its record arrays.

use std::collections::BTreeMap;
use std::io::Read;

use super::error::InitError;
use crate::decode::{
    Chunk, DecodeOptions, RecordBatch, RecordSelector, RecordsAt, SplitError, Splitter,
    decode_batch,
};
use crate::definition::{DEFAULT_MAX_COLUMNS, Table};
use crate::infer::{observe, snake_case, value_rules};
use crate::schema::{IdVec, JsonPointer, RootId, Shape, TableName};

/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A whole export.
pub(super) struct WholeExport {
    body: Vec<u8>,
    /// Where its record arrays are.
    pub(super) pointers: Vec<JsonPointer>,
}

/// Its records, as some tables have them decoded.
pub(super) struct Decoded {
    pub(super) chunks: Vec<Chunk>,
    pub(super) shapes: IdVec<RootId, Shape>,
}

impl WholeExport {
    /// Reads an export, and finds every array of objects in it.
    pub(super) fn read(export: &mut (impl Read + ?Sized)) -> Result<Self, InitError> {
        let mut body = Vec::new();
        export.read_to_end(&mut body)?;
        let pointers = record_arrays(&body)?;
        Ok(Self { body, pointers })
    }

    /// A table for each array, named after the array's key. `name` is for an array without one.
    pub(super) fn tables(&self, name: &str) -> IdVec<RootId, Table> {
        root_tables(&self.pointers, name).into()
    }

    /// Decodes the records for these tables, one for each array. `declared` are they and their child tables.
    pub(super) fn decode(
        &self,
        roots: &IdVec<RootId, Table>,
        declared: &[Table],
    ) -> Result<Decoded, InitError> {
        let options: IdVec<RootId, DecodeOptions> = (roots.values())
            .map(|root| DecodeOptions {
                identify: true,
                rules: value_rules(root, declared, &BTreeMap::new()),
                most_keys: Some(2 * DEFAULT_MAX_COLUMNS),
                ..DecodeOptions::default()
            })
            .collect();
        let mut chunks = Vec::new();
        split(&self.body, RecordSelector::At(self.pointers.clone()), |batch| {
            chunks.push(decode_batch(batch, &options[batch.root])?);
            Ok(())
        })?;
        let mut shapes: IdVec<RootId, Shape> = roots.iter().map(|_| Shape::default()).collect();
        for chunk in &chunks {
            observe(&mut shapes[chunk.root], &chunk.records);
        }
        Ok(Decoded { chunks, shapes })
    }
}

/// Every array of objects, or the whole export when there is none.
fn record_arrays(body: &[u8]) -> Result<Vec<JsonPointer>, SplitError> {
    match split(body, RecordSelector::TheOnlyArray { before: None }, |_| Ok(())) {
        Ok(found) => Ok(found),
        Err(InitError::Split(SplitError::Ambiguous { candidates })) => Ok(candidates),
        Err(InitError::Split(SplitError::NoRecords)) => Ok(vec![JsonPointer::default()]),
        Err(InitError::Split(error)) => Err(error),
        Err(_) => Ok(Vec::new()),
    }
}

fn split(
    body: &[u8],
    selector: RecordSelector,
    mut each: impl FnMut(&RecordBatch) -> Result<(), InitError>,
) -> Result<Vec<JsonPointer>, InitError> {
    let mut splitter = Splitter::new(selector);
    for piece in body.chunks(PIECE_BYTES) {
        for batch in splitter.feed(piece)? {
            each(&batch)?;
        }
    }
    let (batches, found) = splitter.finish()?;
    for batch in &batches {
        each(batch)?;
    }
    Ok(found.records_at.values().map(RecordsAt::pointer).collect())
}

fn root_tables(pointers: &[JsonPointer], name: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for pointer in pointers {
        let own = pointer.keys().last().map_or(name, String::as_str);
        let full: Vec<String> = pointer.keys().iter().map(|key| snake_case(key)).collect();
        let candidates = [snake_case(own), full.join("__"), format!("table_{}", tables.len() + 1)];
        let free = candidates.iter().find_map(|candidate| {
            let name: TableName = candidate.parse().ok()?;
            (!tables.iter().any(|table| table.name == name)).then_some(name)
        });
        tables.extend(free.map(Table::named));
    }
    tables
}
