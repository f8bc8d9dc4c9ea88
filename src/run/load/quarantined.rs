//! The records of an export that go to quarantine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use polars::prelude::{BooleanChunked, PolarsResult};

use super::{ChunkOrigin, Load};
use crate::decode::{ChunkSource, Undecodable};
use crate::definition::WriteDisposition;
use crate::merge;
use crate::normalise::{
    LeftOutRows, Normalised, Reason, Reasons, Rejection, Rule, TableFrame, key_hashes, key_texts,
};
use crate::run::RunError;
use crate::run::guard_error::GuardError;
use crate::run::loaded::Quarantined;
use crate::schema::TableId;

impl Load {
    /// The keys of the records that go to quarantine, by their numbers in the chunk, for a table that is merged: the
    /// next version of a record takes its place.
    pub(super) fn keys_of_quarantined(
        &self,
        root: TableId,
        normalised: &Normalised,
    ) -> PolarsResult<HashMap<u32, Vec<String>>> {
        let all = normalised.rejected.iter().chain(&normalised.partially_loaded);
        let records: HashSet<u32> = all.map(|rejection| rejection.record).collect();
        let mut keys = HashMap::new();
        if records.is_empty() || self.schemas.policy(root).disposition != WriteDisposition::Merge {
            return Ok(keys);
        }
        for frame in normalised.frames.iter().filter(|frame| frame.table == root) {
            let left_out = frame.left_out.as_ref().map(|it| (&it.rows, &it.records));
            for (rows, numbers) in left_out.into_iter().chain([(&frame.rows, &frame.records)]) {
                let is_one = |number: &u32| records.contains(number);
                let mask: BooleanChunked = numbers.iter().map(is_one).collect();
                let texts = key_texts(&rows.filter(&mask)?, &self.schemas[root])?;
                let numbers = numbers.iter().copied().filter(is_one);
                keys.extend(numbers.zip(texts).filter_map(|(number, key)| Some((number, key?))));
            }
        }
        Ok(keys)
    }

    /// Remembers the keys of quarantined records, so that a merge does not take them for deleted, and that their older
    /// versions do not wait beside them.
    pub(super) fn keep_left_out_keys(
        &mut self,
        root: TableId,
        frame: &TableFrame,
    ) -> PolarsResult<()> {
        if self.schemas.policy(root).disposition != WriteDisposition::Merge {
            return Ok(());
        }
        let keys = &mut self.left_out.entry(root).or_default().keys;
        if let Some(LeftOutRows { rows, .. }) = &frame.left_out {
            let schema = &self.schemas[root];
            keys.extend(merge::record_hashes(rows, schema, schema.primary_key.len())?);
        }
        Ok(())
    }

    pub(super) fn quarantine_undecodable(
        &mut self,
        piece: usize,
        table: TableId,
        source: &ChunkSource,
    ) -> Result<(), GuardError> {
        if source.undecodable.is_empty() {
            return Ok(());
        }
        self.left_out.entry(table).or_default().has_unknown = true;
        let undecodable = source.undecodable.len() as u64;
        self.counts[table].received += undecodable;
        self.counts[table].quarantined += undecodable;
        let schemas = self.schemas.clone();
        let name = &schemas[table].name;
        for Undecodable { place, reason } in &source.undecodable {
            self.waiting[table].add(name, place.end - place.start)?;
            let rule = Rule::Json(reason);
            let reason = Reason { table: name.clone(), place: Vec::new(), rule };
            let reasons = self.shared(reason.into());
            self.quarantined.push(Quarantined {
                piece,
                table,
                place: place.clone(),
                reasons,
                row_kept: false,
                key: Vec::new(),
                number: 0,
                is_superseded: false,
            });
        }
        Ok(())
    }

    /// The reasons of a record, in the memory of those of the record before it if they are the same.
    fn shared(&self, reasons: Reasons) -> Arc<Reasons> {
        let before = self.quarantined.last().map(|record| &record.reasons);
        before.filter(|before| ***before == reasons).cloned().unwrap_or_else(|| Arc::new(reasons))
    }

    pub(super) fn quarantine(
        &mut self,
        ChunkOrigin { piece, first_record, source }: ChunkOrigin<'_>,
        table: TableId,
        rejections: Vec<Rejection>,
        row_kept: bool,
        keys: &HashMap<u32, Vec<String>>,
    ) -> Result<(), RunError> {
        let schemas = self.schemas.clone();
        let root = &schemas[table].name;
        // Whatever is wrong with its key: any row may be that of a record without one.
        let hides_key = |rejection: &Rejection| !keys.contains_key(&rejection.record);
        let is_merged = self.schemas.policy(table).disposition == WriteDisposition::Merge;
        if is_merged && !row_kept && rejections.iter().any(hides_key) {
            self.left_out.entry(table).or_default().has_unknown = true;
        }
        for Rejection { record, reasons } in rejections {
            let place = source.places[record as usize].clone();
            self.waiting[table].add(root, place.end - place.start)?;
            let reasons = self.shared(reasons);
            self.quarantined.push(Quarantined {
                table,
                piece,
                place,
                key: keys.get(&record).cloned().unwrap_or_default(),
                number: first_record | u64::from(record),
                is_superseded: false,
                reasons,
                row_kept,
            });
        }
        Ok(())
    }

    /// Marks quarantined records of which the export has a later version: a retry must not put them over it.
    pub(super) fn mark_superseded(&mut self) -> PolarsResult<()> {
        for (root, versions) in &self.versions {
            let schema = &self.schemas[*root];
            let of_table =
                |record: &&mut Quarantined| record.table == *root && !record.key.is_empty();
            let mut records: Vec<_> = self.quarantined.iter_mut().filter(of_table).collect();
            let keys: Vec<&[String]> = records.iter().map(|record| &*record.key).collect();
            let keys = key_hashes(&keys, schema, &schema.primary_key)?;
            for (record, key) in records.iter_mut().zip(keys) {
                record.is_superseded =
                    key.is_some_and(|key| versions.has_later(key, record.number));
            }
        }
        Ok(())
    }
}
