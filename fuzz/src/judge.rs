//! What `serde_json` says of an export.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::levels::{Row, Value};

/// Deeper records are set apart.
const MOST_DEPTH: usize = 128;

/// What an export holds.
#[derive(Debug)]
pub enum Retryable {
    /// These records, byte for byte.
    Records(Vec<Vec<u8>>),
    /// No JSON, or no records where they should be.
    Refused,
}

/// What a record says.
#[derive(Debug)]
pub enum Judged {
    /// It is not JSON.
    Invalid,
    /// It is JSON, and no object, says something twice, has half a character, or is nested too deeply.
    Flawed,
    /// It is JSON.
    Valid(Row),
}

impl Judged {
    /// What it says, if that is clear.
    pub fn into_row(self) -> Option<Row> {
        match self {
            Self::Valid(row) => Some(row),
            Self::Invalid | Self::Flawed => None,
        }
    }
}

/// The records of an export in which every value is a record, or an array of them. `null` alone is none, nor is an object
/// without members that would be the only record.
pub fn every_value(export: &[u8]) -> Retryable {
    let export = export.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(export);
    let mut records = Vec::new();
    let mut values = serde_json::Deserializer::from_slice(export).into_iter::<&RawValue>();
    let (mut count, mut objects) = (0, 0);
    for value in &mut values {
        count += 1;
        objects += usize::from(matches!(&value, Ok(value) if value.get().starts_with('{')));
        let found = value.ok().and_then(|value| records_in(value.get(), count == 1));
        let Some(found) = found else { return Retryable::Refused };
        records.extend(found);
    }
    if objects == 1 {
        without_empty_object(&mut records);
    }
    if count == 0 { Retryable::Refused } else { Retryable::Records(records) }
}

/// An object without members in place of a list is an empty one.
fn without_empty_object(records: &mut Vec<Vec<u8>>) {
    let is_empty = |record: &[u8]| {
        serde_json::from_slice(record).is_ok_and(|Members(members)| members.is_empty())
    };
    if matches!(records.as_slice(), [only] if is_empty(only)) {
        records.clear();
    }
}

/// The records under a key of an export that is an object which has it once; `None` when `serde_json` has nothing to say.
pub fn under_key(export: &[u8], key: &str) -> Option<Retryable> {
    let export = export.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(export);
    let Members(members) = serde_json::from_slice(export).ok()?;
    let too_deep = |text: &str| depth(text) >= MOST_DEPTH;
    if members.iter().any(|(_, value)| too_deep(value.get()))
        || members.iter().any(|(key, _)| key.is_none())
    {
        return None;
    }
    let mut found = members.iter().filter(|(name, _)| name.as_deref() == Some(key));
    let only = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let mut records = records_in(only.1.get(), true);
    if let (Some(records), true) = (&mut records, only.1.get().starts_with('{')) {
        without_empty_object(records);
    }
    Some(records.map_or(Retryable::Refused, Retryable::Records))
}

fn records_in(value: &str, or_null: bool) -> Option<Vec<Vec<u8>>> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    match value.as_bytes().first()? {
        b'{' => Some(vec![bytes(value)]),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            Some(items.iter().map(|item| bytes(item.get())).collect())
        }
        b'n' if or_null => Some(Vec::new()),
        _ => None,
    }
}

/// What a record says.
pub fn record(bytes: &[u8]) -> Judged {
    let Ok(valid) = serde_json::from_slice::<&RawValue>(bytes) else { return Judged::Invalid };
    if depth(valid.get()) > MOST_DEPTH {
        return Judged::Flawed;
    }
    fields(valid.get()).map_or(Judged::Flawed, Judged::Valid)
}

/// How deep brackets are nested in valid JSON.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' if !in_string => open -= 1,
            _ => {}
        }
    }
    deepest
}

/// The members of an object in their order; a key is `None` when it has half a character.
struct Members<'a>(Vec<(Option<String>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((serde_json::from_str(key.get()).ok(), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A record says something twice or has half a character.
struct Flaw;

/// The members of an object that are not null.
fn fields(object: &str) -> Result<Row, Flaw> {
    let Members(members) = serde_json::from_str(object).map_err(|_| Flaw)?;
    let mut seen = HashSet::new();
    let mut fields = BTreeMap::new();
    for (key, member) in members {
        let key = key.ok_or(Flaw)?;
        if !seen.insert(key.clone()) {
            return Err(Flaw);
        }
        if let Some(value) = value(member.get())? {
            fields.insert(key, value);
        }
    }
    Ok(Row { fields, item: None })
}

/// What a value says: nothing for null.
fn value(json: &str) -> Result<Option<Value>, Flaw> {
    Ok(Some(match json.as_bytes()[0] {
        b'n' => return Ok(None),
        b'"' => Value::Scalar(serde_json::from_str(json).map_err(|_| Flaw)?),
        b'{' => Value::Rows(vec![fields(json)?]),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Flaw)?;
            Value::Rows(items.iter().map(|item| row(item.get())).collect::<Result<_, _>>()?)
        }
        _ => Value::Scalar(json.to_owned()),
    }))
}

fn row(item: &str) -> Result<Row, Flaw> {
    if item.starts_with('{') {
        return fields(item);
    }
    Ok(Row { fields: BTreeMap::new(), item: value(item)?.map(Box::new) })
}
