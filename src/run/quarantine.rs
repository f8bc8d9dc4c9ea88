//! Quarantine in a run: stages the lines of records that are left out, and brings those that wait back as an export.

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

/// The records that wait in quarantine, as an export: an object with a list for each table.
pub(super) struct Waiting {
    /// The tables that have some, in the order of the definition.
    pub(super) tables: Vec<Table>,
    pub(super) export: Landed,
    pub(super) wanted: RecordSelector,
    /// Where each record begins in this export, and the run and place that it was received in.
    origins: Vec<(u64, (RunId, u64))>,
    /// Lines of records that are in their tables already, if not with all values.
    partially_loaded: Vec<QuarantineLine>,
}

impl Waiting {
    /// Collects them; `None` when none wait.
    pub(super) async fn collect(
        destination: &Destination,
        roots: &[&Table],
        snapshot: &Snapshot,
    ) -> Result<Option<Self>, RunError> {
        let (mut tables, mut pointers) = (Vec::new(), Vec::new());
        let (mut origins, mut partially_loaded) = (Vec::new(), Vec::new());
        let mut body = Body::begin()?;
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
        let (export, wanted) = (body.end()?, RecordSelector::At(pointers));
        let waiting = Self { tables, export, wanted, origins, partially_loaded };
        Ok((!waiting.origins.is_empty()).then_some(waiting))
    }

    /// The run that received the record that begins here, and where it stood in that run's export.
    fn origin_of(&self, start: u64) -> Option<(RunId, u64)> {
        let position = self.origins.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(self.origins[position].1.clone())
    }

    /// Takes out the lines of a table that no run will take records from.
    fn curtailed_of(&mut self, table: &TableName) -> Vec<QuarantineLine> {
        self.partially_loaded.extract_if(.., |line| line.table == *table).collect()
    }
}

/// A JSON object of lists that is written record by record.
struct Body {
    landing: Landing,
    position: u64,
    /// What stands between the last value and the next.
    separator: &'static str,
}

impl Body {
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

    /// Writes a record; tells where it begins.
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

/// The lines that a run leaves in quarantine, in staging.
#[derive(Default)]
pub(super) struct StagedLines {
    pub(super) publications: Vec<Publication>,
    /// The file of each table that has some.
    pub(super) files: BTreeMap<TableName, QuarantineFile>,
}

/// Stages the lines of the records that a run leaves out, one file a table. When it took in records that were
/// `waiting`, they keep saying where they came from.
pub(super) async fn stage(
    destination: &Destination,
    plan: &Plan,
    load: &Loaded,
    landed: &[Landed],
    mut waiting: Option<Waiting>,
) -> Result<StagedLines, RunError> {
    let mut staged = StagedLines::default();
    for (position, schema) in load.schemas.iter() {
        let mut records: Vec<&Quarantined> =
            load.quarantined.iter().filter(|record| record.table == position).collect();
        records.sort_by_key(|record| (record.piece, record.place.start));
        let carried = waiting.as_mut().map(|waiting| waiting.curtailed_of(&schema.name));
        let mut lines = carried.unwrap_or_default();
        for (record, received) in records.iter().zip(raw_records(&records, landed)?) {
            let start = record.place.start;
            let origin = waiting.as_ref().and_then(|waiting| waiting.origin_of(start));
            lines.push(QuarantineLine::new(
                origin.unwrap_or_else(|| (plan.run_id.clone(), start)),
                schema.name.clone(),
                &record.reasons,
                record.row_kept,
                &String::from_utf8_lossy(&received),
            ));
        }
        if lines.is_empty() {
            continue;
        }
        let content = encode(&lines)?;
        let target = quarantine_file(&schema.name, &plan.run_id);
        let at = Destination::staged(&plan.run_id, &target);
        staged.publications.push(Publication::new(&at, &target, content.len() as u64));
        destination.put(&at, Bytes::from(content)).await?;
        let partially_loaded = lines.iter().filter(|line| line.row_kept).count() as u64;
        let file = QuarantineFile {
            path: target.to_string(),
            run_id: plan.run_id.clone(),
            records: lines.len() as u64 - partially_loaded,
            partially_loaded,
        };
        staged.files.insert(schema.name.clone(), file);
    }
    Ok(staged)
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
