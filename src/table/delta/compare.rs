//! How the state of a log differs from what flowlake would write of its table. What readers skip files by is compared too: a
//! flipped bit there hides rows from them.

use std::collections::BTreeMap;

use super::action::{Add, Protocol};
use super::entry::add;
use super::log_state::{LogState, in_destination};
use super::position::LogPosition;
use super::table_schema::{agreement_of, meta_data, shared_meta_data};
use super::uri::encoded;
use crate::table::{Agreement, CommitError, Manifest, layout};

/// The files, or the log, of which log and manifest say different things, and what.
pub(in crate::table) fn differences(
    state: &LogState,
    manifest: &Manifest,
    position: &LogPosition,
    agreement: Option<&Agreement>,
) -> Result<Vec<(String, String)>, CommitError> {
    let (table, version) = (&manifest.schema.name, state.version);
    let log = layout::log_directory(table).to_string();
    let mut found = Vec::new();
    if state.protocol.as_ref() != Some(&Protocol::of_flowlake()) {
        found.push((log.clone(), format!("version {version} has another protocol")));
    }
    let shared = agreement.and_then(|agreement| agreement.tables.get(table));
    let agreed = agreement_of(state.meta_data.as_deref());
    let expected = match shared {
        // Other pipelines may agree on more while log and agreement are read.
        Some(shared) if agreed != Some(shared.number) => None,
        Some(shared) => Some(shared_meta_data(shared)),
        None => {
            let created = position.created_at.timestamp_millis();
            Some(meta_data(&position.id, created, &manifest.schema))
        }
    };
    let has_columns = expected.map_or(agreed >= position.agreement, |expected| {
        state.meta_data.as_deref() == Some(&expected)
    });
    if !has_columns {
        found.push((log.clone(), format!("version {version} has other columns than the table")));
    }
    let mut live: BTreeMap<&str, &Add> =
        state.live_in(manifest).map(|(path, add)| (path.as_str(), add)).collect();
    for file in &manifest.files {
        let path = layout::below_table(&file.path, table).unwrap_or(&file.path);
        match live.remove(encoded(path).as_str()) {
            None => {
                let detail = format!("the table has it, and version {version} in {log} does not");
                found.push((file.path.clone(), detail));
            }
            Some(logged) => {
                let expected = add(file, &manifest.schema, logged.modification_time)?;
                if *logged != (Add { data_change: logged.data_change, ..expected }) {
                    let detail = format!("version {version} in {log} says other things of it");
                    found.push((file.path.clone(), detail));
                }
            }
        }
    }
    found.extend(live.keys().map(|path| {
        let detail = format!("version {version} in {log} has it, and the table does not");
        (in_destination(path, table).unwrap_or_else(|| (*path).to_owned()), detail)
    }));
    Ok(found)
}
