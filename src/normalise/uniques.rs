//! The `unique` check, which compares a row with all earlier rows of the export.

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};

use polars::prelude::PolarsResult;

use super::checks::values;
use super::frame::{Breach, Normalised, TableFrame, count};
use super::reason::{Place, Reason, Reasons, Rule};
use super::row_hash::row_hashes;
use super::versions::VersionTracker;
use crate::definition::{Check, CheckRule, OnFailure};
use crate::infer::{ResolvedTable, Schemas};
use crate::schema::{ColumnName, TableId, TableSchema};

impl Normalised {
    /// Rejects records that repeat the values of a `unique` check.
    ///
    /// # Errors
    /// A column is missing, which `Schemas::resolve` rules out.
    pub fn reject_repeated(&mut self, schemas: &Schemas, seen: &mut Uniques) -> PolarsResult<()> {
        let mut reasons: BTreeMap<u32, Reasons> = BTreeMap::new();
        for frame in &self.frames {
            let ResolvedTable { schema, policy, .. } = schemas.table(frame.table);
            let has_versions = VersionTracker::apply_to(schemas.root_of(frame.table));
            for breach in seen.observe(schema, &policy.checks, frame, has_versions)? {
                let record = frame.records[breach.row as usize];
                count(&mut self.broken, frame.table, breach, record);
                let check = &policy.checks[breach.check];
                if check.on_failure == OnFailure::Quarantine {
                    let (table, rule) = (schema.name.clone(), Rule::Check(check.rule.clone()));
                    // No place: the record is valid by itself.
                    let reason = Reason { table, place: Place::new(), rule };
                    reasons.entry(record).or_default().add(reason);
                }
            }
        }
        self.leave_out(reasons)
    }
}

/// The values of unique columns so far.
#[derive(Debug, Default)]
pub struct Uniques {
    /// By table and check: the hash of each row's values, with that of its key.
    seen: HashMap<(TableId, usize), HashMap<u128, u128>>,
}

impl Uniques {
    /// Adds the next rows of a table; returns those that repeat the values of an earlier row. Where records have
    /// versions, the versions of one record may repeat them.
    pub(super) fn observe(
        &mut self,
        schema: &TableSchema,
        checks: &[Check],
        frame: &TableFrame,
        has_versions: bool,
    ) -> PolarsResult<Vec<Breach>> {
        let mut breaches = Vec::new();
        for (position, check) in checks.iter().enumerate() {
            let CheckRule::Unique(columns) = &check.rule else { continue };
            let seen = self.seen.entry((frame.table, position)).or_default();
            let keys = if has_versions {
                value_hashes(frame, &schema.row_key())?
            } else {
                vec![None; frame.rows.height()]
            };
            for ((row, hash), key) in (0..).zip(value_hashes(frame, columns)?).zip(keys) {
                let Some(hash) = hash else { continue };
                let is_repeated = match seen.entry(hash) {
                    Entry::Vacant(entry) => {
                        entry.insert(key.unwrap_or_default());
                        false
                    }
                    Entry::Occupied(entry) => key != Some(*entry.get()),
                };
                if is_repeated {
                    breaches.push(Breach { check: position, row });
                }
            }
        }
        Ok(breaches)
    }
}

/// The hash of each row's values in some columns; none when one of them is null.
fn value_hashes(frame: &TableFrame, columns: &[ColumnName]) -> PolarsResult<Vec<Option<u128>>> {
    let mut hashes: Vec<Option<u128>> =
        row_hashes(&frame.rows, columns)?.into_iter().map(Some).collect();
    for column in columns {
        let is_null = values(frame, column)?.is_null();
        for (hash, _) in
            hashes.iter_mut().zip(is_null.iter()).filter(|(_, null)| *null == Some(true))
        {
            *hash = None;
        }
    }
    Ok(hashes)
}
