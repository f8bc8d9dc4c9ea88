//! Quarantine: records that cannot be in their table, kept with their reasons and as they were received.

use bytes::Bytes;
use object_store::path::Path;
use serde::Serialize;
use serde_json::value::RawValue;

use super::RunError;
use super::load::{Loaded, Quarantined};
use crate::commit::Publication;
use crate::decode::without_whitespace;
use crate::definition::TableName;
use crate::destination::Destination;
use crate::land::{LandError, Landed};
use crate::plan::Plan;
use crate::run_id::RunId;

/// One line of `quarantine/<table>/<run id>.jsonl.zst`.
#[derive(Serialize)]
struct Line<'a> {
    run_id: &'a RunId,
    table: &'a TableName,
    /// Where the record began in the export, in bytes.
    offset: u64,
    reasons: &'a [String],
    /// The record is in its table, without the values that the reasons name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    row_kept: bool,
    #[serde(flatten)]
    record: Kept<'a>,
}

/// A record as it was received.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kept<'a> {
    /// As JSON: the digits and the order of keys as they were, without the whitespace between them.
    Record(Box<RawValue>),
    /// As text, when it is JSON that a usual parser refuses: one bad record shall not cost the reader the line.
    Raw(&'a str),
}

impl<'a> Kept<'a> {
    fn of(record: &'a str) -> Self {
        let readable = serde_json::from_str::<serde_json::Value>(record);
        match readable.and_then(|_| RawValue::from_string(without_whitespace(record))) {
            Ok(record) => Self::Record(record),
            Err(_) => Self::Raw(record),
        }
    }
}

/// Stages the quarantined records of a run, one file a table.
pub(super) async fn stage(
    destination: &Destination,
    plan: &Plan,
    load: &Loaded,
    landed: &[Landed],
) -> Result<Vec<Publication>, RunError> {
    let mut publications = Vec::new();
    for (position, schema) in load.schemas.tables.iter().enumerate() {
        let mut records: Vec<&Quarantined> =
            load.quarantined.iter().filter(|record| record.table == position).collect();
        records.sort_by_key(|record| (record.piece, record.place.start));
        if records.is_empty() {
            continue;
        }
        let content = encode(&records, &schema.name, &plan.run_id, landed)?;
        let file = format!("{}.jsonl.zst", plan.run_id);
        let target: Path = Destination::own("quarantine").join(schema.name.as_str()).join(file);
        let staged = Destination::staged(&plan.run_id, &target);
        publications.push(Publication::new(&staged, &target, content.len() as u64));
        destination.put(&staged, Bytes::from(content)).await?;
    }
    Ok(publications)
}

fn encode(
    records: &[&Quarantined],
    table: &TableName,
    run_id: &RunId,
    landed: &[Landed],
) -> Result<Vec<u8>, RunError> {
    let mut lines = Vec::new();
    for (record, raw) in records.iter().zip(raw_records(records, landed)?) {
        let raw = String::from_utf8_lossy(&raw);
        let (offset, reasons) = (record.place.start, record.reasons.as_slice());
        let (row_kept, kept) = (record.row_kept, Kept::of(&raw));
        let line = Line { run_id, table, offset, reasons, row_kept, record: kept };
        serde_json::to_writer(&mut lines, &line).map_err(RunError::Report)?;
        lines.push(b'\n');
    }
    Ok(zstd::encode_all(lines.as_slice(), 0).map_err(LandError::from)?)
}

/// The records as they were received, in the order of the export.
fn raw_records(records: &[&Quarantined], landed: &[Landed]) -> Result<Vec<Vec<u8>>, RunError> {
    let mut raw = Vec::with_capacity(records.len());
    for (piece, landed) in landed.iter().enumerate() {
        let here = records.iter().filter(|record| record.piece == piece);
        let places: Vec<_> = here.map(|record| record.place.clone()).collect();
        if !places.is_empty() {
            raw.extend(landed.read_ranges(&places)?);
        }
    }
    Ok(raw)
}
