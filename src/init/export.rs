//! An export in memory, and its record arrays.

use std::collections::BTreeMap;
use std::io::Read;

use super::error::InitError;
use crate::decode::{
    Chunk, DecodeOptions, RecordBatch, RecordSelector, RecordsAt, Sign, SplitError, Splitter,
    decode_batch,
};
use crate::definition::{DEFAULT_MAX_COLUMNS, Limits, Table};
use crate::infer::{observe, table_name, value_rules};
use crate::schema::{IdVec, JsonPointer, RootId, Shape, TableName};

/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A whole export.
pub(super) struct WholeExport {
    body: Vec<u8>,
    /// Where its record arrays are.
    pub(super) pointers: Vec<JsonPointer>,
    /// It has none, so that all of it is one record.
    pub(super) is_one_record: bool,
    /// What in it says that it is not whole.
    pub(super) not_whole: Vec<NotWhole>,
}

/// A member of an export that says that records are missing, so that a run would refuse it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotWhole {
    /// Its place.
    pub pointer: JsonPointer,
    /// What it says.
    pub message: String,
}

/// Its records, as some tables have them decoded.
pub(super) struct DecodedExport {
    pub(super) chunks: Vec<Chunk>,
    pub(super) shapes: IdVec<RootId, Shape>,
}

impl WholeExport {
    /// Reads an export, and finds every array of objects in it. Without any, the whole export is a record.
    pub(super) fn read(export: &mut (impl Read + ?Sized)) -> Result<Self, InitError> {
        let mut body = Vec::new();
        let arrays = record_arrays(export, &mut body)?;
        let is_one_record = arrays.is_none();
        let pointers = arrays.unwrap_or_else(|| vec![JsonPointer::default()]);
        let not_whole = signs_of_more(&body, &pointers)?;
        Ok(Self { body, pointers, is_one_record, not_whole })
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
    ) -> Result<DecodedExport, InitError> {
        let options: IdVec<RootId, DecodeOptions> = (roots.values())
            .map(|root| DecodeOptions {
                identify: true,
                rules: value_rules(root, declared, &BTreeMap::new()),
                most_keys: Some(2 * DEFAULT_MAX_COLUMNS),
                ..DecodeOptions::default()
            })
            .collect();
        let mut chunks = Vec::new();
        let splitter = splitter(RecordSelector::At(self.pointers.clone()));
        split(&self.body, splitter, |batch| {
            chunks.push(decode_batch(batch, &options[batch.root])?);
            Ok(())
        })?;
        let mut shapes: IdVec<RootId, Shape> = roots.iter().map(|_| Shape::default()).collect();
        for chunk in &chunks {
            observe(&mut shapes[chunk.root], &chunk.records);
        }
        Ok(DecodedExport { chunks, shapes })
    }
}

/// Refuses the records that a run refuses: a few bytes of gzip may be a record of gigabytes.
fn splitter(selector: RecordSelector) -> Splitter {
    Splitter::new(selector).refusing_records_above(Limits::default().max_record_size())
}

/// Reads an export, and finds every array of objects in it; none when there is no such array.
fn record_arrays(
    export: &mut (impl Read + ?Sized),
    body: &mut Vec<u8>,
) -> Result<Option<Vec<JsonPointer>>, InitError> {
    let mut splitter = splitter(RecordSelector::TheOnlyArray { before: None });
    loop {
        let start = body.len();
        if (&mut *export).take(PIECE_BYTES as u64).read_to_end(body)? == 0 {
            break;
        }
        splitter.feed(&body[start..])?;
    }
    match splitter.finish() {
        Ok((_, found)) => Ok(Some(found.records_at.values().map(RecordsAt::pointer).collect())),
        Err(SplitError::Ambiguous { candidates }) => match candidates.all() {
            Some(pointers) => Ok(Some(pointers.to_vec())),
            None => Err(SplitError::Ambiguous { candidates }.into()),
        },
        Err(SplitError::NoRecords) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All members that say that records are missing. That the source has failed is an error.
fn signs_of_more(body: &[u8], pointers: &[JsonPointer]) -> Result<Vec<NotWhole>, InitError> {
    let mut found: Vec<NotWhole> = Vec::new();
    loop {
        let known: Vec<String> = found.iter().map(|sign| sign.pointer.to_string()).collect();
        let splitter = splitter(RecordSelector::At(pointers.to_vec()));
        let judged = split(body, splitter.refusing_incomplete(&known), |_| Ok(()));
        let Err(error) = judged else { return Ok(found) };
        match &error {
            InitError::Split(SplitError::Incomplete { pointer, sign })
                if !matches!(sign, Sign::Error(_)) && !known.contains(&pointer.to_string()) =>
            {
                found.push(NotWhole { pointer: pointer.clone(), message: error.to_string() });
            }
            _ => return Err(error),
        }
    }
}

fn split(
    body: &[u8],
    mut splitter: Splitter,
    mut each: impl FnMut(&RecordBatch) -> Result<(), InitError>,
) -> Result<(), InitError> {
    for piece in body.chunks(PIECE_BYTES) {
        for batch in splitter.feed(piece)? {
            each(&batch)?;
        }
    }
    let (batches, _) = splitter.finish()?;
    batches.iter().try_for_each(each)
}

fn root_tables(pointers: &[JsonPointer], name: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for pointer in pointers {
        let keys = pointer.keys();
        let own = keys.last().map_or(name, String::as_str);
        let numbered = (tables.len() + 1..).map(|number| format!("table_{number}").parse().ok());
        let candidates = [table_name(&[own]), table_name(keys)].into_iter().chain(numbered);
        let is_free = |name: &TableName| !tables.iter().any(|table| table.name == *name);
        let free = candidates.flatten().find(is_free);
        tables.extend(free.map(Table::named));
    }
    tables
}
