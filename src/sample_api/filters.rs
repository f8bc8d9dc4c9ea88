//! The sample API's filters: equality on a field, and `…From` / `…To` on a date.
//!
//! | parameter | keeps records whose |
//! |---|---|
//! | `status=Sent` | field `status` is `Sent` |
//! | `status=Sent&status=Closed` | field `status` is one of them |
//! | `createdFrom=2026-01-01` | field `createdAt` is at or after that instant |
//! | `createdTo=2026-02-01` | field `createdAt` is before that instant |

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::exports::{Export, Member, Record};
use crate::scalar::{parse_date, parse_timestamp};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// A filter that cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    #[error("there is no filter `{0}`")]
    Unknown(String),
    #[error("`{value}` in the filter `{name}` is neither an ISO date nor an ISO timestamp")]
    NoDate { name: String, value: String },
    #[error("the records could not be put together: {0}")]
    Body(String),
}

/// The filters of one request; a record has to pass all of them.
#[derive(Debug, Default)]
pub(super) struct Filters {
    equal: BTreeMap<String, Vec<String>>,
    from: Vec<(String, i64)>,
    to: Vec<(String, i64)>,
}

impl Filters {
    /// Reads query parameters as filters on `fields`.
    pub(super) fn parse(
        parameters: &[(String, String)],
        fields: &BTreeSet<String>,
    ) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (name, value) in parameters {
            let date_field =
                |stem: &str| Some(format!("{stem}At")).filter(|field| fields.contains(field));
            if fields.contains(name) {
                filters.equal.entry(name.clone()).or_default().push(value.clone());
            } else if let Some(field) = name.strip_suffix("From").and_then(date_field) {
                filters.from.push((field, bound(name, value)?));
            } else if let Some(field) = name.strip_suffix("To").and_then(date_field) {
                filters.to.push((field, bound(name, value)?));
            } else {
                return Err(FilterError::Unknown(name.clone()));
            }
        }
        Ok(filters)
    }

    /// The export with the records that pass, each as it stands in the file.
    pub(super) fn apply(&self, export: &Export) -> Result<Vec<u8>, FilterError> {
        let members: IndexMap<&str, _> = export
            .members()
            .iter()
            .map(|(name, member)| (name.as_str(), self.passing(member)))
            .collect();
        serde_json::to_vec(&members).map_err(|error| FilterError::Body(error.to_string()))
    }

    fn passing<'e>(&self, member: &'e Member) -> Passing<'e> {
        match member {
            Member::Other(raw) => Passing::Other(raw),
            Member::Records(records) => Passing::Records(
                records
                    .iter()
                    .filter(|record| self.passes(record))
                    .map(|record| &*record.raw)
                    .collect(),
            ),
        }
    }

    fn passes(&self, record: &Record) -> bool {
        let text = |field: &String| record.value.get(field).and_then(scalar_text);
        let instant = |field: &String| text(field).as_deref().and_then(instant);
        self.equal
            .iter()
            .all(|(field, wanted)| text(field).is_some_and(|text| wanted.contains(&text)))
            && self.from.iter().all(|(field, from)| instant(field).is_some_and(|at| at >= *from))
            && self.to.iter().all(|(field, to)| instant(field).is_some_and(|at| at < *to))
    }
}

/// A member of the answer.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Passing<'e> {
    Other(&'e serde_json::value::RawValue),
    Records(Vec<&'e serde_json::value::RawValue>),
}

/// The names of all filters that records with `fields` know.
pub(super) fn names(fields: &BTreeSet<String>) -> Vec<String> {
    let stems = fields.iter().filter_map(|field| field.strip_suffix("At"));
    let ranges = stems.flat_map(|stem| [format!("{stem}From"), format!("{stem}To")]);
    fields.iter().cloned().chain(ranges).collect()
}

fn bound(name: &str, value: &str) -> Result<i64, FilterError> {
    let error = || FilterError::NoDate { name: name.to_owned(), value: value.to_owned() };
    instant(value).ok_or_else(error)
}

fn instant(text: &str) -> Option<i64> {
    parse_timestamp(text).or_else(|| i64::from(parse_date(text)?).checked_mul(MICROSECONDS_PER_DAY))
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = r#"{"v":1.50,"records":[
        {"id":1,"status":"Sent","createdAt":"2026-01-31T23:59:59.999Z","amount":10.50},
        {"id":2,"status":"Draft","createdAt":"2026-02-01T00:00:00Z","lines":[{"x":1}]}]}"#;

    fn answer(query: &[(&str, &str)]) -> Result<String, FilterError> {
        let export = Export::parse(EXPORT).unwrap();
        let parameters: Vec<_> =
            query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let body = Filters::parse(&parameters, export.fields())?.apply(&export)?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn records_are_answered_as_they_stand() {
        let body = answer(&[("status", "Sent")]).unwrap();
        assert_eq!(
            body,
            r#"{"v":1.50,"records":[{"id":1,"status":"Sent","createdAt":"2026-01-31T23:59:59.999Z","amount":10.50}]}"#
        );
        assert!(answer(&[("status", "Sent"), ("status", "Draft")]).unwrap().contains("\"id\":2"));
    }

    #[test]
    fn ranges_are_half_open() {
        assert!(!answer(&[("createdTo", "2026-02-01")]).unwrap().contains("\"id\":2"));
        assert!(!answer(&[("createdFrom", "2026-02-01")]).unwrap().contains("\"id\":1"));
        assert!(
            answer(&[("createdFrom", "2026-02-01T02:00:00+02:00")]).unwrap().contains("\"id\":2")
        );
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        assert_eq!(answer(&[("lines", "1")]), Err(FilterError::Unknown("lines".into())));
        assert!(matches!(answer(&[("createdFrom", "soon")]), Err(FilterError::NoDate { .. })));
    }
}
