//! The sample API's filters: equality, and time ranges.
//!
//! | parameters | selected records |
//! |---|---|
//! | `status=Sent` | the field `status` is `Sent` |
//! | `status=Sent&status=Closed` | the field `status` is one of them |
//! | `createdFrom=2026-01-01` | the field `createdAt` is that moment or later |
//! | `createdTo=2026-02-01T12:00:00Z` | the field `createdAt` is earlier than that moment |
//!
//! All filters must match. A missing or null field matches no filter. Numbers are compared as written (`1.50` is not
//! `1.5`). A date means midnight UTC.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::exports::SampleRecord;

/// A query parameter that is not a filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    #[error("unknown filter `{0}`")]
    Unknown(String),
    #[error("`{value}` in the filter `{name}` is neither an ISO date nor an ISO timestamp")]
    Unreadable { name: String, value: String },
}

/// The filters of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filters {
    equal: BTreeMap<String, Vec<String>>,
    from: Vec<Bound>,
    to: Vec<Bound>,
}

#[derive(Debug, PartialEq, Eq)]
struct Bound {
    field: String,
    moment: DateTime<Utc>,
}

impl Filters {
    /// Reads query parameters as filters on `fields`; a field wins over a range of the same name.
    pub(super) fn parse(
        parameters: &[(String, String)],
        fields: &BTreeSet<String>,
    ) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (name, value) in parameters {
            if fields.contains(name) {
                filters.equal.entry(name.clone()).or_default().push(value.clone());
            } else if let Some(field) = moment_field(name, "From", fields) {
                filters.from.push(Bound::parse(field, name, value)?);
            } else if let Some(field) = moment_field(name, "To", fields) {
                filters.to.push(Bound::parse(field, name, value)?);
            } else {
                return Err(FilterError::Unknown(name.clone()));
            }
        }
        Ok(filters)
    }

    /// Whether a record matches all filters.
    pub(super) fn pass(&self, record: &SampleRecord) -> bool {
        let moment = |bound: &Bound| record.scalar(&bound.field).and_then(moment);
        let is_one_of = |field: &str, wanted: &[String]| {
            record.scalar(field).is_some_and(|text| wanted.iter().any(|wanted| wanted == text))
        };
        self.equal.iter().all(|(field, wanted)| is_one_of(field, wanted))
            && self.from.iter().all(|from| moment(from).is_some_and(|at| at >= from.moment))
            && self.to.iter().all(|to| moment(to).is_some_and(|at| at < to.moment))
    }
}

impl Bound {
    fn parse(field: String, name: &str, value: &str) -> Result<Self, FilterError> {
        let unreadable =
            || FilterError::Unreadable { name: name.to_owned(), value: value.to_owned() };
        moment(value).map(|moment| Self { field, moment }).ok_or_else(unreadable)
    }
}

/// The names of all filters on records with these fields.
pub(super) fn known_filters(fields: &BTreeSet<String>) -> Vec<String> {
    let stems = fields.iter().filter_map(|field| field.strip_suffix("At"));
    let ranges = stems.flat_map(|stem| [format!("{stem}From"), format!("{stem}To")]);
    fields.iter().cloned().chain(ranges).collect()
}

/// `createdAt` for `createdFrom`, if records have such a field.
fn moment_field(name: &str, suffix: &str, fields: &BTreeSet<String>) -> Option<String> {
    let field = format!("{}At", name.strip_suffix(suffix)?);
    fields.contains(&field).then_some(field)
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = || DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    let without_offset = || text.parse::<NaiveDateTime>().ok().map(|moment| moment.and_utc());
    let date =
        || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    with_offset().or_else(without_offset).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::super::exports::Export;
    use super::*;

    const EXPORT: &str = r#"{"orders":[
        {"id":1,"status":"Sent","createdAt":"2026-01-31T23:59:59.999Z","amount":10.50},
        {"id":2,"status":"Draft","createdAt":"2026-02-01T00:00:00.000Z","lines":[{"sku":"x"}]},
        {"id":3,"status":"Closed","createdAt":null},
        {"id":4,"status":null,"createdAt":"2026-02-01T01:30:00+02:00","paid":true}],
        "others":[{"id":5}]}"#;

    /// The ids of the records that pass.
    fn ids(query: &[(&str, &str)]) -> Result<Vec<u64>, FilterError> {
        let export = Export::parse(EXPORT).unwrap();
        let parameters: Vec<_> =
            query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let filters = Filters::parse(&parameters, export.fields())?;
        let kept = serde_json::to_value(export.only(|record| filters.pass(record))).unwrap();
        let arrays = kept.as_object().unwrap().values();
        let records = arrays.flat_map(|array| array.as_array().unwrap());
        Ok(records.map(|record| record["id"].as_u64().unwrap()).collect())
    }

    #[test]
    fn no_filter_keeps_every_record() {
        assert_eq!(ids(&[]), Ok(vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn equality_compares_the_text_of_a_scalar() {
        assert_eq!(ids(&[("status", "Sent")]), Ok(vec![1]));
        assert_eq!(ids(&[("status", "sent")]), Ok(vec![]));
        assert_eq!(ids(&[("id", "5")]), Ok(vec![5]));
        assert_eq!(ids(&[("paid", "true")]), Ok(vec![4]));
        assert_eq!(ids(&[("amount", "10.50")]), Ok(vec![1]));
        assert_eq!(ids(&[("amount", "10.5")]), Ok(vec![]));
    }

    #[test]
    fn a_repeated_parameter_means_any_of_them() {
        assert_eq!(ids(&[("status", "Sent"), ("status", "Draft")]), Ok(vec![1, 2]));
    }

    #[test]
    fn different_parameters_must_all_hold() {
        assert_eq!(ids(&[("status", "Sent"), ("id", "2")]), Ok(vec![]));
        assert_eq!(ids(&[("status", "Draft"), ("createdFrom", "2026-01-01")]), Ok(vec![2]));
    }

    #[test]
    fn ranges_are_half_open() {
        assert_eq!(ids(&[("createdTo", "2026-02-01")]), Ok(vec![1, 4]));
        assert_eq!(ids(&[("createdFrom", "2026-02-01")]), Ok(vec![2]));
        assert_eq!(
            ids(&[("createdFrom", "2026-01-31T23:59:59.999Z"), ("createdTo", "2026-02-01")]),
            Ok(vec![1])
        );
    }

    #[test]
    fn moments_are_compared_and_not_their_texts() {
        let first_of_february = ["2026-02-01", "2026-02-01T00:00:00", "2026-02-01T02:00:00+02:00"];
        for text in first_of_february {
            assert_eq!(ids(&[("createdFrom", text)]), Ok(vec![2]), "{text}");
        }
    }

    #[test]
    fn what_no_record_knows_is_refused() {
        for name in ["colour", "lines", "sku", "createdSince", "idFrom", "From", ""] {
            assert_eq!(ids(&[(name, "1")]), Err(FilterError::Unknown(name.into())));
        }
    }

    #[test]
    fn an_unreadable_date_is_refused() {
        for value in ["soon", "", "2026-02-30", "1769904000"] {
            let error = ids(&[("createdFrom", value)]).unwrap_err();
            assert!(matches!(error, FilterError::Unreadable { .. }), "{value}");
        }
    }

    #[test]
    fn the_known_filters_are_fields_and_ranges() {
        let export = Export::parse(EXPORT).unwrap();
        let known = known_filters(export.fields());
        assert_eq!(
            known,
            ["amount", "createdAt", "id", "paid", "status", "createdFrom", "createdTo"]
        );
    }
}
