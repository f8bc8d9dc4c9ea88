//! The exports of `data/`, split into records that keep every byte.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) const PURCHASING: &str = include_str!("../../data/purchasing.json");
pub(super) const E_SOURCING: &str = include_str!("../../data/e-sourcing.json");

pub(super) type Raw = &'static RawValue;

/// An export: an object in which some members are arrays of records.
#[derive(Debug)]
pub(super) struct Export {
    members: IndexMap<String, Member<SampleRecord>>,
    fields: BTreeSet<String>,
}

/// A member of the export's object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Member<R> {
    Records(Vec<R>),
    Other(Raw),
}

/// A record as written in the file, and its filterable fields.
#[derive(Debug)]
pub(super) struct SampleRecord {
    raw: Raw,
    scalars: BTreeMap<String, String>,
}

impl Export {
    pub(super) fn parse(text: &'static str) -> serde_json::Result<Self> {
        let members: IndexMap<String, Raw> = serde_json::from_str(text)?;
        let members = members
            .into_iter()
            .map(|(name, raw)| Ok((name, Member::parse(raw)?)))
            .collect::<serde_json::Result<IndexMap<_, _>>>()?;
        let records = members.values().flat_map(Member::records);
        let fields = records.flat_map(|record| record.scalars.keys().cloned()).collect();
        Ok(Self { members, fields })
    }

    /// The names of fields that are scalars in at least one record.
    pub(super) fn fields(&self) -> &BTreeSet<String> {
        &self.fields
    }

    /// The same export with only the records that `pass`.
    pub(super) fn only(&self, pass: impl Fn(&SampleRecord) -> bool) -> IndexMap<&str, Member<Raw>> {
        self.members.iter().map(|(name, member)| (name.as_str(), member.only(&pass))).collect()
    }
}

impl Member<SampleRecord> {
    fn parse(raw: Raw) -> serde_json::Result<Self> {
        if !raw.get().starts_with('[') {
            return Ok(Self::Other(raw));
        }
        let records: Vec<Raw> = serde_json::from_str(raw.get())?;
        records.into_iter().map(SampleRecord::parse).collect::<Result<_, _>>().map(Self::Records)
    }

    fn records(&self) -> &[SampleRecord] {
        match self {
            Self::Records(records) => records,
            Self::Other(_) => &[],
        }
    }

    fn only(&self, pass: impl Fn(&SampleRecord) -> bool) -> Member<Raw> {
        match self {
            Self::Records(records) => Member::Records(
                records.iter().filter(|record| pass(record)).map(|record| record.raw).collect(),
            ),
            Self::Other(raw) => Member::Other(raw),
        }
    }
}

impl SampleRecord {
    fn parse(raw: Raw) -> serde_json::Result<Self> {
        let fields: BTreeMap<String, Raw> = serde_json::from_str(raw.get())?;
        let mut scalars = BTreeMap::new();
        for (name, value) in fields {
            if let Some(text) = scalar(value)? {
                scalars.insert(name, text);
            }
        }
        Ok(Self { raw, scalars })
    }

    /// The text of a scalar field; a number keeps its digits.
    pub(super) fn scalar(&self, field: &str) -> Option<&str> {
        self.scalars.get(field).map(String::as_str)
    }
}

fn scalar(raw: Raw) -> serde_json::Result<Option<String>> {
    Ok(match serde_json::from_str(raw.get())? {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(raw.get().to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_records_keep_their_bytes_and_their_order() {
        let export = Export::parse(
            r#"{"z":1.50, "rows":[{"b" : 1.10,"a":"\u00e4"}, {"a":2}], "a":{"x":[]},"none":[]}"#,
        )
        .unwrap();
        let kept =
            |pass: fn(&SampleRecord) -> bool| serde_json::to_string(&export.only(pass)).unwrap();
        assert_eq!(
            kept(|_| true),
            r#"{"z":1.50,"rows":[{"b" : 1.10,"a":"\u00e4"},{"a":2}],"a":{"x":[]},"none":[]}"#
        );
        assert_eq!(
            kept(|record| record.scalar("a") == Some("ä")),
            r#"{"z":1.50,"rows":[{"b" : 1.10,"a":"\u00e4"}],"a":{"x":[]},"none":[]}"#
        );
    }

    #[test]
    fn fields_are_those_that_hold_a_scalar_in_some_record() {
        let export = Export::parse(
            r#"{"member":1,"rows":[{"text":"t","number":1.50,"list":[1],"object":{"inner":1}}],
                "others":[{"flag":true,"null":null,"list":"sometimes"}]}"#,
        )
        .unwrap();
        assert!(export.fields().iter().eq(["flag", "list", "number", "text"]));
        assert_eq!(export.members["rows"].records()[0].scalar("number"), Some("1.50"));
    }
}
