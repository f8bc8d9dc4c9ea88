//! Proposes a first definition for an export.
//!
//! The shape of an export is not documented, so the definition is made from a real response: its arrays become tables,
//! its unique fields keys, its dates partitions, its prices decimals. What is proposed is tried with the whole export, and
//! comments say what one export cannot show.
//!
//! ```text
//! saved ─▶ export ─▶ keyed ─▶ propose ─▶ render ─▶ trial ─▶ output
//!                             reading: quoted_numbers, date_texts, names
//! ```

mod date_texts;
mod error;
mod export;
mod findings;
mod keyed;
mod names;
mod output;
mod propose;
mod quoted_numbers;
mod reading;
mod render;
mod rows;
mod saved;
mod trial;

use std::collections::BTreeMap;
use std::io::Read;

pub use error::InitError;
pub use export::NotWhole;
pub use findings::findings;
pub use output::{DefinitionFile, OutputError};
pub use propose::{Proposal, ProposedColumn, ProposedTable};
pub use reading::Reading;
pub use render::{Heading, render};
pub use saved::{SavedExportError, open_saved_export};

use crate::definition::{DEFAULT_MAX_COLUMNS, Problems, Table};
use crate::infer::{Schemas, too_wide};
use crate::init::export::{DecodedExport, WholeExport};
use crate::init::keyed::keyed_tables;
use crate::init::trial::{check, misfits};
use crate::schema::{RootId, Shape};

/// Proposes tables for an export, under a heading.
///
/// # Errors
/// `export` is incomplete or not an export.
pub fn propose(
    export: &mut (impl Read + ?Sized),
    heading: &Heading,
) -> Result<Proposal, InitError> {
    let export = WholeExport::read(export)?;
    let mut proposal = first_proposal(&export, &heading.name)?;
    loop {
        match misfits(&render(heading, &proposal), &export) {
            Ok(misfits) if misfits.is_empty() => return Ok(proposal),
            Ok(misfits) => {
                let before = proposal.clone();
                for (table, column) in &misfits {
                    proposal.withdraw(table, column);
                }
                if proposal == before {
                    return Ok(proposal);
                }
            }
            Err(error) => {
                if !proposal.simplify() {
                    return Err(error);
                }
            }
        }
    }
}

/// Looks whether a definition can have this heading, before an export is read or requested for it.
///
/// # Errors
/// The name has something that a definition does not take.
pub fn check_heading(heading: &Heading) -> Result<(), Problems> {
    check(&render(heading, &Proposal::default()))
}

/// What the values of the export suggest.
fn first_proposal(export: &WholeExport, name: &str) -> Result<Proposal, InitError> {
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
            return propose_for(&seen, &declared, export, &decoded);
        }
        // With the members of an object as rows, there may be such objects in them.
        declared.extend(keyed);
    }
}

fn propose_for(
    seen: &[(RootId, &Table, &Shape)],
    declared: &[Table],
    export: &WholeExport,
    DecodedExport { chunks, .. }: &DecodedExport,
) -> Result<Proposal, InitError> {
    if let Some(cut) = chunks.iter().find(|chunk| chunk.is_too_wide)
        && let Some((_, table, shape)) = seen.iter().find(|(root, _, _)| *root == cut.root)
    {
        return Err(too_wide(&table.name, shape, declared, DEFAULT_MAX_COLUMNS).into());
    }
    let nothing = BTreeMap::new();
    let schemas = Schemas::resolve(seen, declared, &nothing)?;
    schemas.check_width(seen, &nothing, DEFAULT_MAX_COLUMNS)?;
    Ok(Proposal::of(&schemas, export, chunks)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str =
        r#"[{"id":"a","sent":"21.09.2026","updated":"2026-09-21T10:00:00Z","total":"1.50"}]"#;

    fn heading() -> Heading {
        Heading { name: "test".to_owned(), endpoint: "purchasing".to_owned() }
    }

    /// The lines of a definition of `EXPORT` that are no comments, from its table on.
    fn lines(proposal: &Proposal) -> Vec<String> {
        let text = render(&heading(), proposal);
        let (_, table) = text.split_once("records = \"\"\n").unwrap();
        let lines = table.lines().map(|line| line.split("  #").next().unwrap_or_default().trim());
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn f09_what_does_not_fit_is_taken_back_column_by_column_and_then_all_of_it() {
        let mut proposal = propose(&mut EXPORT.as_bytes(), &heading()).unwrap();
        let (key, cursor) = ("primary_key = [\"id\"]", "cursor = \"updated\"");
        let total = "total = \"decimal(18,2)\"";
        let sent = "sent = { type = \"date\", formats = [\"%d.%m.%Y\"] }";
        let by_sent = "partition_by = [\"month(sent)\"]";
        let by_updated = "partition_by = [\"month(updated)\"]";
        let columns = "[tables.columns]";
        assert_eq!(lines(&proposal), [key, cursor, by_sent, columns, sent, total]);
        proposal.withdraw(&"test".parse().unwrap(), &"sent".parse().unwrap());
        assert_eq!(lines(&proposal), [key, cursor, by_updated, columns, total]);
        assert!(proposal.simplify());
        assert_eq!(lines(&proposal), [key, cursor, by_updated]);
        assert!(proposal.simplify());
        assert_eq!(lines(&proposal), [""; 0]);
        assert!(!proposal.simplify());
    }

    #[test]
    fn f09_the_trial_tells_the_columns_that_do_not_fit() {
        let export = WholeExport::read(&mut EXPORT.as_bytes()).unwrap();
        let columns = "[[tables]]\nname = \"test\"\n[tables.columns]\ntotal = \"decimal(18,2)\"\nsent = \"date\"\n";
        let definition = format!("{}{columns}", render(&heading(), &Proposal::default()));
        let found = misfits(&definition, &export).unwrap().into_iter();
        let found: Vec<String> = found.map(|(table, column)| format!("{table}.{column}")).collect();
        assert_eq!(found, ["test.sent"]);
    }
}
