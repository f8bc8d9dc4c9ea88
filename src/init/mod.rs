//! Proposes a first definition for an export.
//!
//! The shape of an export is not documented, so the definition is made from a real response: its arrays become tables,
//! its unique fields keys, its dates partitions, its prices decimals. Comments say what one export cannot show.

mod error;
mod export;
mod keyed;
mod output;
mod propose;
mod render;
mod saved;

use std::collections::BTreeMap;
use std::io::Read;

pub use error::InitError;
pub use output::{DefinitionFile, OutputError};
pub use propose::{Proposal, ProposedColumn, ProposedTable};
pub use render::{Heading, render};
pub use saved::{SavedExportError, open_saved_export};

use crate::definition::{DEFAULT_MAX_COLUMNS, Table};
use crate::infer::{Schemas, too_wide};
use crate::init::export::{Decoded, WholeExport};
use crate::init::keyed::keyed_tables;
use crate::schema::{RootId, Shape};

/// Proposes tables for an export. `name` is for a table whose array has no key.
///
/// # Errors
/// `export` is incomplete or not an export.
pub fn propose(export: &mut (impl Read + ?Sized), name: &str) -> Result<Proposal, InitError> {
    let export = WholeExport::read(export)?;
    let roots = export.tables(name);
    let mut declared: Vec<Table> = roots.values().cloned().collect();
    loop {
        let decoded = export.decode(&roots, &declared)?;
        let seen: Vec<(RootId, &Table, &Shape)> =
            roots.iter().map(|(root, table)| (root, table, &decoded.shapes[root])).collect();
        let keyed = seen.iter().flat_map(|(root, table, shape)| {
            keyed_tables((*root, table), &declared, shape, &decoded.chunks)
        });
        let keyed: Vec<Table> = keyed.collect();
        if keyed.is_empty() {
            return propose_for(&seen, &declared, &export, &decoded);
        }
        // With the members of an object as rows, there may be such objects in them.
        declared.extend(keyed);
    }
}

fn propose_for(
    seen: &[(RootId, &Table, &Shape)],
    declared: &[Table],
    export: &WholeExport,
    Decoded { chunks, .. }: &Decoded,
) -> Result<Proposal, InitError> {
    if let Some(cut) = chunks.iter().find(|chunk| chunk.is_too_wide)
        && let Some((_, table, shape)) = seen.iter().find(|(root, _, _)| *root == cut.root)
    {
        return Err(too_wide(&table.name, shape, declared, DEFAULT_MAX_COLUMNS).into());
    }
    let nothing = BTreeMap::new();
    let schemas = Schemas::resolve(seen, declared, &nothing)?;
    schemas.check_width(seen, &nothing, DEFAULT_MAX_COLUMNS)?;
    Ok(Proposal::of(&schemas, &export.pointers, chunks)?)
}
