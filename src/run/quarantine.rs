//! Quarantine in a run: stages the quarantine files of a run, and turns quarantined records into an export for a retry.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;

use super::{Run, RunError};
use crate::decode::RecordSelector;
use crate::definition::{Size, Table, WriteDisposition};
use crate::landing::{Landed, Landing};
use crate::normalise::{key_hashes, key_values};
use crate::run::loaded::{Loaded, Quarantined};
use crate::run::merge::KeysOfTables;
use crate::run::waiting_size::WaitingSize;
use crate::schema::{ColumnType, JsonPointer, RunId, TableId, TableName, TableSchema};
use crate::store::Destination;
use crate::table::quarantine::{QuarantineFile, QuarantineLine, encode, read};
use crate::table::{Publication, QuarantineUpdate, Snapshot, quarantine_file};

/// The quarantined records of a destination as an export: an object with a list for each table.
pub(super) struct QuarantinedRecords {
    /// The tables that have quarantined records, in the order of the definition.
    pub(super) tables: Vec<Table>,
    pub(super) export: Landed,
    pub(super) selector: RecordSelector,
    /// The offset of each record in this export, with the run that received it and its offset there.
    origins: Vec<(u64, (RunId, u64))>,
    /// Records that are in their tables without some of their values and have no key by which a retry could find their
    /// rows, and records of which there is a later version.
    not_retried: Vec<QuarantineLine>,
}

impl QuarantinedRecords {
    /// Collects the records that are in no table, and those of merged tables that lack values there; `None` if there are
    /// none.
    pub(super) async fn collect(
        destination: &Destination,
        roots: &[&Table],
        snapshot: &Snapshot,
        most: Size,
    ) -> Result<Option<Self>, RunError> {
        let (mut tables, mut pointers) = (Vec::new(), Vec::new());
        let (mut origins, mut not_retried) = (Vec::new(), Vec::new());
        let mut body = ExportBody::begin()?;
        for table in roots {
            let files = snapshot.manifests.get(&table.name).map(|manifest| &manifest.quarantine);
            let files = files.into_iter().flatten();
            let is_merged = table.write_disposition == WriteDisposition::Merge;
            if files.clone().all(|file| file.records == 0 && !is_merged) {
                continue;
            }
            let key = tables.len().to_string();
            body.begin_list(&key)?;
            let mut size = WaitingSize::up_to(most);
            for file in files {
                for line in read(destination, file).await? {
                    let line = line?;
                    size.add(&table.name, line.received().len() as u64)?;
                    if line.superseded || (line.row_kept && !is_merged) {
                        not_retried.push(line);
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
        let records = Self { tables, export, selector, origins, not_retried };
        Ok((!records.origins.is_empty()).then_some(records))
    }

    /// The run that received the record at this offset, and its offset in that run's export.
    fn origin_of(&self, start: u64) -> Option<(RunId, u64)> {
        let position = self.origins.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(self.origins[position].1.clone())
    }

    /// Takes the lines of a table's records that are not retried.
    fn take_not_retried(&mut self, table: &TableName) -> Vec<QuarantineLine> {
        self.not_retried.extract_if(.., |line| line.table == *table).collect()
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
    /// For each table whose quarantine changes, how.
    pub(super) updates: BTreeMap<TableName, QuarantineUpdate>,
    /// How many records of the run each table has waiting already, for the same reasons.
    pub(super) waiting_already: BTreeMap<TableName, u64>,
}

impl Run<'_> {
    /// Stages one quarantine file for each table whose quarantine changes. Records of a retry keep their origin. A record
    /// waits once: in a table that is merged its next version takes the place of the one that waits, and in any other the
    /// same record is told only once.
    pub(super) async fn stage_quarantine(
        &self,
        load: &Loaded,
        landed: &[Landed],
        mut retried: Option<QuarantinedRecords>,
        snapshot: &Snapshot,
        export_keys: &KeysOfTables,
    ) -> Result<StagedQuarantine, RunError> {
        let mut staged = StagedQuarantine::default();
        for (table, schema) in load.schemas.iter() {
            let new = self.new_lines(load, table, landed, retried.as_mut())?;
            let disposition = load.schemas.policy(table).disposition;
            let export = export_keys.get(&table);
            let looks_back = retried.is_none()
                && disposition.keeps_quarantine(self.plan.window.is_none())
                && (export.is_some() || !new.is_empty());
            let lines = if looks_back {
                // Those of this run are within the limit as well. Which of them take the place of others is known below.
                let within = self.up_to_the_limit(&schema.name);
                let older = waiting_lines(self.destination, snapshot, &schema.name, within).await?;
                let keys = WaitingKeys { schema, types: load.quarantined_key_types(table) };
                let waiting =
                    WaitingLines::beside(
                        older,
                        new,
                        &keys,
                        export.is_some(),
                        |key| match export {
                            Some(export) if key.is_some_and(|key| export.are_loaded(key)) => {
                                Since::CameAgain
                            }
                            Some(export) if export.lack(key) => Since::Deleted,
                            _ => Since::Nothing,
                        },
                    )?;
                waiting.lines.iter().try_for_each(self.up_to_the_limit(&schema.name))?;
                waiting
            } else {
                WaitingLines { changed: !new.is_empty(), lines: new, known: 0 }
            };
            staged.waiting_already.insert(schema.name.clone(), lines.known);
            if lines.changed {
                let run_id = &self.plan.run_id;
                let file = staged.put(self.destination, run_id, &schema.name, &lines.lines).await?;
                let update = file.map_or(QuarantineUpdate::Empty, QuarantineUpdate::Waiting);
                staged.updates.insert(schema.name.clone(), update);
            }
        }
        Ok(staged)
    }

    /// Adds up records that wait for a table, and refuses more than may wait.
    fn up_to_the_limit(
        &self,
        table: &TableName,
    ) -> impl FnMut(&QuarantineLine) -> Result<(), RunError> + use<'_> {
        let mut size = WaitingSize::up_to(self.plan.pipeline.limits.max_waiting());
        let table = table.clone();
        move |line| Ok(size.add(&table, line.received().len() as u64)?)
    }

    /// The lines of the records of this run that go to the quarantine of a table.
    fn new_lines(
        &self,
        load: &Loaded,
        table: TableId,
        landed: &[Landed],
        mut retried: Option<&mut QuarantinedRecords>,
    ) -> Result<Vec<QuarantineLine>, RunError> {
        let name = &load.schemas[table].name;
        let mut records: Vec<&Quarantined> =
            load.quarantined.iter().filter(|record| record.table == table).collect();
        records.sort_by_key(|record| (record.piece, record.place.start));
        let kept = retried.as_mut().map(|retried| retried.take_not_retried(name));
        let mut lines = kept.unwrap_or_default();
        for (piece, landed) in landed.iter().enumerate() {
            let here: Vec<&Quarantined> =
                records.iter().filter(|record| record.piece == piece).copied().collect();
            let places: Vec<_> = here.iter().map(|record| record.place.clone()).collect();
            if places.is_empty() {
                continue;
            }
            for (record, received) in here.into_iter().zip(landed.read_ranges(&places)?) {
                let offset = record.place.start;
                let origin = retried.as_ref().and_then(|retried| retried.origin_of(offset));
                lines.push(QuarantineLine::new(
                    origin.unwrap_or_else(|| (self.plan.run_id.clone(), offset)),
                    name.clone(),
                    &record.reasons,
                    (record.row_kept, record.is_superseded),
                    record.key.clone(),
                    &String::from_utf8_lossy(&received?),
                ));
            }
        }
        Ok(lines)
    }
}

/// The records that wait for a table, each once it is accepted.
pub(super) async fn waiting_lines(
    destination: &Destination,
    snapshot: &Snapshot,
    table: &TableName,
    mut accept: impl FnMut(&QuarantineLine) -> Result<(), RunError>,
) -> Result<Vec<QuarantineLine>, RunError> {
    let files = snapshot.manifests.get(table).map_or(&[][..], |manifest| &manifest.quarantine);
    let mut lines = Vec::new();
    for file in files {
        for line in read(destination, file).await? {
            let line = line?;
            accept(&line)?;
            lines.push(line);
        }
    }
    Ok(lines)
}

/// What an export says of a record that waits from an earlier run.
enum Since {
    Nothing,
    /// It has another version of the record, loaded or in quarantine.
    CameAgain,
    /// It does not have the record any more, and the table follows deletes.
    Deleted,
}

/// The records that wait for a table after a run.
struct WaitingLines {
    lines: Vec<QuarantineLine>,
    /// They are not those that waited before it.
    changed: bool,
    /// How many records of the run are not told again.
    known: u64,
}

impl WaitingLines {
    /// Those of earlier runs and those of this one. A record that has come again does not wait in its older version,
    /// unless its new line says the same. One that is deleted stays to be looked at, and a retry does not bring it back.
    fn beside(
        older: Vec<QuarantineLine>,
        new: Vec<QuarantineLine>,
        keys: &WaitingKeys<'_>,
        is_merged: bool,
        since: impl Fn(Option<u128>) -> Since,
    ) -> Result<Self, RunError> {
        let hashes = keys.hashes_of(&older)?;
        let (mut lines, mut changed) = (Vec::new(), false);
        let of_this_run = LinesByRecord::of(&new);
        let new_keys: HashSet<Vec<String>> =
            new.iter().filter_map(|line| keys.values_of(line)).collect();
        for (mut line, hash) in older.into_iter().zip(hashes) {
            let since = match keys.values_of(&line) {
                _ if of_this_run.tell_of(&line) => Since::Nothing,
                None if of_this_run.have(&line) => Since::CameAgain,
                None => Since::Nothing,
                // Since the line was written the table has ceased to be merged.
                Some(_) if !is_merged && of_this_run.have(&line) => Since::CameAgain,
                Some(key) if new_keys.contains(&key) => Since::CameAgain,
                Some(_) => since(hash),
            };
            match since {
                Since::CameAgain => {
                    changed = true;
                    continue;
                }
                Since::Deleted if !line.superseded => {
                    changed = true;
                    line.superseded = true;
                }
                Since::Deleted | Since::Nothing => {}
            }
            lines.push(line);
        }
        let known = LinesByRecord::of(&lines);
        let (told, unknown): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|line| known.tell_of(line));
        let known = told.iter().filter(|line| !line.row_kept).count() as u64;
        changed |= !unknown.is_empty();
        lines.extend(unknown);
        Ok(Self { lines, changed, known })
    }
}

/// How the keys of waiting records are compared. They are texts that were read with the types of their night.
struct WaitingKeys<'s> {
    /// With rows of the table: by its types.
    schema: &'s TableSchema,
    /// With each other: as values of these types, since the table may have no type for its key, or a narrower one.
    types: Vec<ColumnType>,
}

impl WaitingKeys<'_> {
    /// The keys that rows would have; none where a row cannot have the key.
    fn hashes_of(&self, lines: &[QuarantineLine]) -> Result<Vec<Option<u128>>, RunError> {
        let keys: Vec<&[String]> = lines.iter().map(|line| &*line.key).collect();
        let hashed = self.schema.record_key(self.schema.primary_key.len());
        Ok(key_hashes(&keys, self.schema, &hashed)?)
    }

    /// The key of a record; none of a record without, or where the table has none any more.
    fn values_of(&self, line: &QuarantineLine) -> Option<Vec<String>> {
        let has_key = !line.key.is_empty() && !self.schema.primary_key.is_empty();
        has_key.then(|| key_values(&line.key, &self.types))
    }
}

/// Lines by the text of their records: a table may have many.
struct LinesByRecord<'l>(HashMap<&'l str, Vec<&'l QuarantineLine>>);

impl<'l> LinesByRecord<'l> {
    fn of(lines: &'l [QuarantineLine]) -> Self {
        let mut by_record: HashMap<&str, Vec<&QuarantineLine>> = HashMap::new();
        for line in lines {
            by_record.entry(line.received()).or_default().push(line);
        }
        Self(by_record)
    }

    /// Whether there is a line of the same record.
    fn have(&self, line: &QuarantineLine) -> bool {
        self.0.contains_key(line.received())
    }

    /// Whether a line says the same.
    fn tell_of(&self, line: &QuarantineLine) -> bool {
        let same = self.0.get(line.received());
        same.is_some_and(|lines| lines.iter().any(|it| it.says_the_same(line)))
    }
}

impl StagedQuarantine {
    /// Stages the quarantine file of one table; none without lines.
    pub(super) async fn put(
        &mut self,
        destination: &Destination,
        run_id: &RunId,
        table: &TableName,
        lines: &[QuarantineLine],
    ) -> Result<Option<QuarantineFile>, RunError> {
        if lines.is_empty() {
            return Ok(None);
        }
        let content = encode(lines)?;
        let target = quarantine_file(destination, table, run_id);
        let staged = destination.staged(run_id, &target);
        self.publications.push(Publication::new(&staged, &target, content.len() as u64));
        let (bytes, blake3) = (content.len() as u64, blake3::hash(&content).to_hex().to_string());
        destination.stage(&staged, Bytes::from(content)).await?;
        let partially_loaded = lines.iter().filter(|line| line.row_kept).count() as u64;
        Ok(Some(QuarantineFile {
            path: target.to_string(),
            run_id: run_id.clone(),
            bytes,
            blake3,
            records: lines.len() as u64 - partially_loaded,
            partially_loaded,
        }))
    }
}
