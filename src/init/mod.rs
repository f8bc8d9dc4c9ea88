//! Proposes a first definition for an export.
//!
//! The shape of an export is not documented, so the definition is made from a real response: its arrays become tables,
//! its unique fields keys, its dates partitions, its prices decimals. Comments say what one export cannot show.

mod keyed;
mod propose;
mod render;

use std::collections::BTreeMap;
use std::io::Read;

use polars::prelude::PolarsError;

pub use propose::{Proposal, ProposedColumn, ProposedTable};
pub use render::{Heading, render};

use crate::decode::{
    Chunk, DecodeError, DecodeOptions, RecordSelector, RecordsAt, SplitError, Splitter,
    decode_batch,
};
use crate::definition::{DEFAULT_MAX_COLUMNS, Table};
use crate::exit_code::{ExitCode, Failure};
use crate::infer::{SchemaError, Schemas, observe, snake_case, too_wide, value_rules};
use crate::init::keyed::keyed_tables;
use crate::schema::{IdVec, JsonPointer, RootId, Shape, TableName};

/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// No definition can be proposed.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The response cannot be read.
    #[error("the response cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is not an export.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A record of it is not JSON.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// No schemas follow from its values.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Its rows could not be built.
    #[error("could not build rows from the response: {0}")]
    Frame(#[from] PolarsError),
}

impl Failure for InitError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Export
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Schema(error) => error.help(),
            _ => Some("give a whole export, as the API sent it".to_owned()),
        }
    }
}

/// Proposes tables for an export. `name` is for a table whose array has no key.
///
/// # Errors
/// `export` is incomplete or not an export.
pub fn propose(export: &mut (impl Read + ?Sized), name: &str) -> Result<Proposal, InitError> {
    let mut body = Vec::new();
    export.read_to_end(&mut body)?;
    let pointers = record_arrays(&body)?;
    let roots: IdVec<RootId, Table> = root_tables(&pointers, name).into();
    let mut declared: Vec<Table> = roots.values().cloned().collect();
    loop {
        let chunks = decode(&body, &pointers, (&roots, &declared))?;
        let mut shapes: IdVec<RootId, Shape> = roots.iter().map(|_| Shape::default()).collect();
        for chunk in &chunks {
            observe(&mut shapes[chunk.root], &chunk.records);
        }
        let seen: Vec<(RootId, &Table, &Shape)> =
            roots.iter().map(|(root, table)| (root, table, &shapes[root])).collect();
        let keyed = seen.iter().flat_map(|(root, table, shape)| {
            keyed_tables((*root, table), &declared, shape, &chunks)
        });
        let keyed: Vec<Table> = keyed.collect();
        if keyed.is_empty() {
            return propose_for(&seen, &declared, &pointers, &chunks);
        }
        // With the members of an object as rows, there may be such objects in them.
        declared.extend(keyed);
    }
}

fn propose_for(
    seen: &[(RootId, &Table, &Shape)],
    declared: &[Table],
    pointers: &[JsonPointer],
    chunks: &[Chunk],
) -> Result<Proposal, InitError> {
    if let Some(cut) = chunks.iter().find(|chunk| chunk.is_too_wide)
        && let Some((_, table, shape)) = seen.iter().find(|(root, _, _)| *root == cut.root)
    {
        return Err(too_wide(&table.name, shape, declared, DEFAULT_MAX_COLUMNS).into());
    }
    let nothing = BTreeMap::new();
    let schemas = Schemas::resolve(seen, declared, &nothing)?;
    schemas.check_width(seen, &nothing, DEFAULT_MAX_COLUMNS)?;
    Ok(Proposal::of(&schemas, pointers, chunks)?)
}

/// Every array of objects, or the whole export when there is none.
fn record_arrays(body: &[u8]) -> Result<Vec<JsonPointer>, SplitError> {
    match split(body, RecordSelector::TheOnlyArray { before: None }, |_| Ok(())) {
        Ok(found) => Ok(found),
        Err(InitError::Split(SplitError::Ambiguous { candidates })) => match candidates.all() {
            Some(pointers) => Ok(pointers.to_vec()),
            None => Err(SplitError::Ambiguous { candidates }),
        },
        Err(InitError::Split(SplitError::NoRecords)) => Ok(vec![JsonPointer::default()]),
        Err(InitError::Split(error)) => Err(error),
        Err(_) => Ok(Vec::new()),
    }
}

fn decode(
    body: &[u8],
    pointers: &[JsonPointer],
    (roots, declared): (&IdVec<RootId, Table>, &[Table]),
) -> Result<Vec<Chunk>, InitError> {
    let options: IdVec<RootId, DecodeOptions> = (roots.values())
        .map(|root| DecodeOptions {
            identify: true,
            rules: value_rules(root, declared, &BTreeMap::new()),
            most_keys: Some(2 * DEFAULT_MAX_COLUMNS),
            ..DecodeOptions::default()
        })
        .collect();
    let mut chunks = Vec::new();
    split(body, RecordSelector::At(pointers.to_vec()), |batch| {
        chunks.push(decode_batch(batch, &options[batch.root])?);
        Ok(())
    })?;
    Ok(chunks)
}

fn split(
    body: &[u8],
    selector: RecordSelector,
    mut each: impl FnMut(&crate::decode::RecordBatch) -> Result<(), InitError>,
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

/// A table for each array, named after the array's key.
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
