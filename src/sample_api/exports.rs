//! The sample exports, taken apart into records that keep every byte.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) const PURCHASING: &str = include_str!("../../data/purchasing.json");
pub(super) const E_SOURCING: &str = include_str!("../../data/e-sourcing.json");

/// An export: members of the top object, of which some are arrays of records.
#[derive(Debug)]
pub(super) struct Export {
    members: IndexMap<String, Member>,
    fields: BTreeSet<String>,
}

/// A member of the top object.
#[derive(Debug)]
pub(super) enum Member {
    Records(Vec<Record>),
    Other(Box<RawValue>),
}

/// A record as it stands in the file, and as a value to filter by.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) raw: Box<RawValue>,
    pub(super) value: IndexMap<String, Value>,
}

impl Export {
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: IndexMap<String, Box<RawValue>> = serde_json::from_str(text)?;
        let mut export = Self { members: IndexMap::new(), fields: BTreeSet::new() };
        for (name, raw) in raw {
            let member = if raw.get().starts_with('[') {
                Member::Records(parse_records(&raw)?)
            } else {
                Member::Other(raw)
            };
            export.members.insert(name, member);
        }
        export.fields = export.scalar_fields();
        Ok(export)
    }

    pub(super) fn members(&self) -> &IndexMap<String, Member> {
        &self.members
    }

    /// The names of fields that are a scalar in some record.
    pub(super) fn fields(&self) -> &BTreeSet<String> {
        &self.fields
    }

    fn scalar_fields(&self) -> BTreeSet<String> {
        let records = self.members.values().filter_map(|member| match member {
            Member::Records(records) => Some(records),
            Member::Other(_) => None,
        });
        let fields = records.flatten().flat_map(|record| &record.value);
        let scalars =
            fields.filter(|(_, value)| !value.is_object() && !value.is_array() && !value.is_null());
        scalars.map(|(name, _)| name.clone()).collect()
    }
}

fn parse_records(raw: &RawValue) -> Result<Vec<Record>, serde_json::Error> {
    let records: Vec<Box<RawValue>> = serde_json::from_str(raw.get())?;
    records
        .into_iter()
        .map(|raw| Ok(Record { value: serde_json::from_str(raw.get())?, raw }))
        .collect()
}
