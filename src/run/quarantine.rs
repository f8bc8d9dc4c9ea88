//! Quarantine in a run: stages the quarantine files of a run, and turns quarantined records into an export for a retry.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::decode::RecordSelector;
use crate::definition::Table;
use crate::landing::{Landed, Landing};
use crate::plan::Plan;
use crate::run::RunError;
use crate::run::loaded::{Loaded, Quarantined};
use crate::schema::{JsonPointer, RunId, TableName};
use crate::store::Destination;
use crate::table::quarantine::{QuarantineFile, QuarantineLine, encode, read};
use crate::table::{Publication, Snapshot, quarantine_file};

/// The quarantined records of a destination as an export: an object with a list for each table.
pub(super) struct QuarantinedRecords {
    /// The tables that have quarantined records, in the order of the definition.
    pub(super) tables: Vec<Table>,
    pub(super) export: Landed,
    pub(super) selector: RecordSelector,
    /// The offset of each record in this export, with the run that received it and its offset there.
    origins: Vec<(u64, (RunId, u64))>,
    /// Records that are in their tables without some of their values. A retry does not load them.
    partially_loaded: Vec<QuarantineLine>,
}

impl QuarantinedRecords {
    /// Collects the records that are in no table; `None` if there are none.
    pub(super) async fn collect(
        destination: &Destination,
        roots: &[&Table],
        snapshot: &Snapshot,
    ) -> Result<Option<Self>, RunError> {
        let (mut tables, mut pointers) = (Vec::new(), Vec::new());
        let (mut origins, mut partially_loaded) = (Vec::new(), Vec::new());
        let mut body = ExportBody::begin()?;
        for table in roots {
            let files = snapshot.manifests.get(&table.name).map(|manifest| &manifest.quarantine);
            let files = files.into_iter().flatten();
            if files.clone().all(|file| file.records == 0) {
                continue;
            }
            let key = tables.len().to_string();
            body.begin_list(&key)?;
            for file in files {
                for line in read(destination, file).await? {
                    if line.row_kept {
                        partially_loaded.push(line);
                    } else {
                        let start = body.record(line.received())?;
                        origins.push((start, (line.run_id, line.offset)));
                    }
                }
            }
            body.end_list()?;
            tables.push((*table).clone());
            pointers.push(JsonPointer::from_keys(vec![key]));
        }
        let (export, selector) = (body.end()?, RecordSelector::At(pointers));
        let records = Self { tables, export, selector, origins, partially_loaded };
        Ok((!records.origins.is_empty()).then_some(records))
    }

    /// The run that received the record at this offset, and its offset in that run's export.
    fn origin_of(&self, start: u64) -> Option<(RunId, u64)> {
        let position = self.origins.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(self.origins[position].1.clone())
    }

    /// Takes the lines of a table's partially loaded records.
    fn take_partially_loaded(&mut self, table: &TableName) -> Vec<QuarantineLine> {
        self.partially_loaded.extract_if(.., |line| line.table == *table).collect()
    }
}

/// Writes a JSON object of lists, record by record.
struct ExportBody {
    landing: Landing,
    position: u64,
    /// The text between the last value and the next one.
    separator: &'static str,
}

impl ExportBody {
    fn begin() -> Result<Self, RunError> {
        let mut body =
            Self { landing: Landing::create(std::env::temp_dir())?, position: 0, separator: "" };
        body.write("{")?;
        Ok(body)
    }

    fn write(&mut self, text: &str) -> Result<(), RunError> {
        self.landing.write(text.as_bytes())?;
        self.position += text.len() as u64;
        Ok(())
    }

    fn begin_list(&mut self, key: &str) -> Result<(), RunError> {
        let separator = self.separator;
        self.write(&format!("{separator}\"{key}\":["))?;
        self.separator = "";
        Ok(())
    }

    /// Writes a record; returns its offset.
    fn record(&mut self, json: &str) -> Result<u64, RunError> {
        self.write(self.separator)?;
        let start = self.position;
        self.write(json)?;
        self.separator = ",";
        Ok(start)
    }

    fn end_list(&mut self) -> Result<(), RunError> {
        self.separator = ",";
        self.write("]")
    }

    fn end(mut self) -> Result<Landed, RunError> {
        self.write("}")?;
        Ok(self.landing.finish()?)
    }
}

/// The staged quarantine files of a run.
#[derive(Default)]
pub(super) struct StagedQuarantine {
    pub(super) publications: Vec<Publication>,
    /// The file of each table that has one.
    pub(super) files: BTreeMap<TableName, QuarantineFile>,
}

/// Stages one quarantine file for each table with quarantined records. Records of a retry keep their origin.
pub(super) async fn stage(
    destination: &Destination,
    plan: &Plan,
    load: &Loaded,
    landed: &[Landed],
    mut retried: Option<QuarantinedRecords>,
) -> Result<StagedQuarantine, RunError> {
    let mut staged = StagedQuarantine::default();
    for (table, schema) in load.schemas.iter() {
        let mut records: Vec<&Quarantined> =
            load.quarantined.iter().filter(|record| record.table == table).collect();
        records.sort_by_key(|record| (record.piece, record.place.start));
        let kept = retried.as_mut().map(|retried| retried.take_partially_loaded(&schema.name));
        let mut lines = kept.unwrap_or_default();
        for (record, received) in records.iter().zip(raw_records(&records, landed)?) {
            let offset = record.place.start;
            let origin = retried.as_ref().and_then(|retried| retried.origin_of(offset));
            lines.push(QuarantineLine::new(
                origin.unwrap_or_else(|| (plan.run_id.clone(), offset)),
                schema.name.clone(),
                &record.reasons,
                record.row_kept,
                &String::from_utf8_lossy(&received),
            ));
        }
        if !lines.is_empty() {
            staged.put(destination, &plan.run_id, &schema.name, &lines).await?;
        }
    }
    Ok(staged)
}

impl StagedQuarantine {
    /// Stages the quarantine file of one table.
    async fn put(
        &mut self,
        destination: &Destination,
        run_id: &RunId,
        table: &TableName,
        lines: &[QuarantineLine],
    ) -> Result<(), RunError> {
        let content = encode(lines)?;
        let target = quarantine_file(table, run_id);
        let staged = Destination::staged(run_id, &target);
        self.publications.push(Publication::new(&staged, &target, content.len() as u64));
        destination.put(&staged, Bytes::from(content)).await?;
        let partially_loaded = lines.iter().filter(|line| line.row_kept).count() as u64;
        let file = QuarantineFile {
            path: target.to_string(),
            run_id: run_id.clone(),
            records: lines.len() as u64 - partially_loaded,
            partially_loaded,
        };
        self.files.insert(table.clone(), file);
        Ok(())
    }
}

/// The raw JSON of the records, in the order of the export.
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
