//! Completeness: whether the envelope of an export says that records are missing, or that the source has failed.
//!
//! It looks at the members of objects around and beside the records, four levels deep. Records and the items of other
//! lists say nothing. Keys are compared without case and separators.
//!
//! | keys | the export is refused when the value is |
//! |---|---|
//! | `has_more`, `has_next`, `has_next_page`, `is_truncated` | `true`, 1 |
//! | `more`, `truncated`, `partial`, `incomplete` | `true` |
//! | `next`, `next_page`, `next_url`, `next_link`, `next_page_url`, `next_cursor`, `next_token`, `next_page_token`, `continuation_token`, `odata_next_link` | a text that is not empty, a number, an object with members, `true` |
//! | `total`, `total_count`, `total_records`, `total_results`, `total_elements`, `record_count`, `count` | an integer other than the number of records |
//! | `error`, `errors`, `error_message`, `exception`, `fault` | anything but null, `false`, `0`, `""`, `[]` and `{}` |
//! | `success`, `ok`, `complete` | `false` |
//! | `status` | `error`, `failed` or `failure` |

use serde_json::Value;

use super::selector::RecordsAt;
use super::split_error::{Sign, SplitError};

use crate::schema::JsonPointer;
use crate::shown::excerpt;

/// Deeper members say nothing of the whole export.
const MOST_LEVELS: usize = 4;
/// How much of a value is kept: enough for a message.
const KEPT_BYTES: usize = 256;
/// More signs, and more totals, than any envelope has.
const MOST_KEPT: usize = 1000;

/// What the envelope says, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    /// The keys and pointers to ignore; `None` to judge nothing.
    ignored: Option<Ignored>,
    reading: Option<WatchedMember>,
    signs: Vec<(JsonPointer, Sign)>,
    totals: Vec<(JsonPointer, i128)>,
    /// The tables whose records are one object, which no total counts.
    single: Vec<usize>,
}

#[derive(Debug, Default)]
struct Ignored {
    keys: Vec<String>,
    pointers: Vec<JsonPointer>,
}

/// A member that is being read.
#[derive(Debug)]
struct WatchedMember {
    pointer: JsonPointer,
    rule: MemberRule,
    /// The objects around it.
    open_objects: usize,
    text: Vec<u8>,
}

/// When a value says that the export is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberRule {
    /// When it is true.
    More,
    /// When it is true, or 1: it counts nothing.
    HasMore,
    /// When there is one.
    Next,
    Total,
    /// When there is one.
    Error,
    /// When it is false.
    Success,
    Status,
    /// Never, nor anything in it.
    Never,
}

impl MemberRule {
    /// The rule of a key in its plain form.
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "more" | "truncated" | "partial" | "incomplete" => Self::More,
            "hasmore" | "hasnext" | "hasnextpage" | "istruncated" => Self::HasMore,
            "next" | "nextpage" | "nexturl" | "nextlink" | "nextpageurl" | "nextcursor"
            | "nexttoken" | "nextpagetoken" | "continuationtoken" | "odatanextlink" => Self::Next,
            "total" | "totalcount" | "totalrecords" | "totalresults" | "totalelements"
            | "recordcount" | "count" => Self::Total,
            "error" | "errors" | "errormessage" | "exception" | "fault" => Self::Error,
            "success" | "ok" | "complete" => Self::Success,
            "status" => Self::Status,
            _ => return None,
        })
    }

    /// What a value says. One that was cut is neither empty nor a word.
    fn sign(self, text: &[u8]) -> Option<Sign> {
        let value = serde_json::from_slice(text).unwrap_or_else(|_| Value::from("..."));
        let says = match (self, &value) {
            (Self::More | Self::HasMore | Self::Next, Value::Bool(more)) => *more,
            (Self::HasMore, Value::Number(more)) => more.as_f64() == Some(1.0),
            (Self::Next, Value::Array(_)) => false,
            (Self::Next, Value::Number(_)) => true,
            (Self::Next | Self::Error, value) => !is_empty(value),
            (Self::Success, Value::Bool(success)) => !success,
            (Self::Status, Value::String(status)) => {
                matches!(plain(status).as_str(), "error" | "failed" | "failure")
            }
            _ => false,
        };
        let shown = excerpt(text);
        says.then(|| match (self, value) {
            (Self::Error, _) => Sign::Error(shown.trim_matches('"').to_owned()),
            _ => Sign::Says(shown),
        })
    }
}

impl Completeness {
    /// Judges the envelope, except for these keys or JSON Pointers.
    pub(super) fn judged(ignored: &[String]) -> Self {
        let (pointers, keys): (Vec<&String>, _) =
            ignored.iter().partition(|text| text.starts_with('/'));
        let ignored = Ignored {
            keys: keys.into_iter().map(|key| plain(key)).collect(),
            pointers: pointers.into_iter().filter_map(|pointer| pointer.parse().ok()).collect(),
        };
        Self { ignored: Some(ignored), ..Self::default() }
    }

    /// A value of the envelope begins.
    pub(super) fn begin(&mut self, path: &[String], open_objects: usize) {
        let (Some(ignored), Some(key)) = (&self.ignored, path.last()) else { return };
        if self.reading.is_some() || path.len() > MOST_LEVELS {
            return;
        }
        let plain = plain(key);
        let is_ignored = ignored.keys.contains(&plain)
            || ignored.pointers.iter().any(|pointer| pointer.keys() == path);
        let rule = if is_ignored { Some(MemberRule::Never) } else { MemberRule::of(&plain) };
        let Some(rule) = rule else { return };
        let pointer = JsonPointer::from_keys(path.to_vec());
        self.reading = Some(WatchedMember { pointer, rule, open_objects, text: Vec::new() });
    }

    /// The records of a table are one object.
    pub(super) fn single(&mut self, table: usize) {
        if !self.is_single(table) {
            self.single.push(table);
        }
    }

    /// Whether the records of a table are objects that are in no list.
    pub(super) fn is_single(&self, table: usize) -> bool {
        self.single.contains(&table)
    }

    /// The object of a table was empty, and is counted as a list.
    pub(super) fn not_single(&mut self, table: usize) {
        self.single.retain(|single| *single != table);
    }

    /// Whether the bytes of the export are of interest.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Takes the next bytes. A value ended with them if `ended_in` says how many objects are around it.
    pub(super) fn take(&mut self, bytes: &[u8], ended_in: Option<usize>) {
        let Some(member) = &mut self.reading else { return };
        let room = KEPT_BYTES - member.text.len();
        member.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if ended_in != Some(member.open_objects) {
            return;
        }
        let Some(WatchedMember { pointer, rule, text, .. }) = self.reading.take() else { return };
        if rule != MemberRule::Total {
            let sign = rule.sign(&text).filter(|_| self.signs.len() < MOST_KEPT);
            self.signs.extend(sign.map(|sign| (pointer, sign)));
        } else if let Some(total) = integer(&text).filter(|_| self.totals.len() < MOST_KEPT) {
            self.totals.push((pointer, total));
        }
    }

    /// The error that the envelope tells of, if it does.
    pub(super) fn into_error(self) -> Option<SplitError> {
        let mut signs = self.signs.into_iter();
        let (pointer, sign) = signs.find(|(_, sign)| matches!(sign, Sign::Error(_)))?;
        Some(SplitError::Incomplete { pointer, sign })
    }

    /// Refuses the export if its envelope says that it is not whole.
    pub(super) fn check(self, records_at: &[RecordsAt], records: &[u64]) -> Result<(), SplitError> {
        let places: Vec<JsonPointer> = records_at.iter().map(RecordsAt::pointer).collect();
        let holds_records =
            |pointer: &JsonPointer| places.iter().any(|it| it.keys().starts_with(pointer.keys()));
        let arrays = places.iter().zip(records).enumerate();
        let arrays: Vec<(&[String], u64)> = arrays
            .filter(|(table, _)| !self.is_single(*table))
            .map(|(_, (place, records))| (parent(place), *records))
            .collect();
        let mut signs = self.signs;
        signs.extend(self.totals.into_iter().filter_map(|(pointer, total)| {
            let records = other_than_total(&arrays, parent(&pointer), total)?;
            Some((pointer, Sign::Total { total, records }))
        }));
        signs.retain(|(pointer, _)| !holds_records(pointer));
        // An error says more than that there is another page.
        signs.sort_by_key(|(_, sign)| !matches!(sign, Sign::Error(_)));
        match signs.into_iter().next() {
            Some((pointer, sign)) => Err(SplitError::Incomplete { pointer, sign }),
            None => Ok(()),
        }
    }
}

/// The number of records, if a total beside these arrays counts neither any of them nor all.
fn other_than_total(arrays: &[(&[String], u64)], beside: &[String], total: i128) -> Option<u64> {
    let counts = |of: &dyn Fn(&[String]) -> bool| -> Vec<u64> {
        arrays.iter().filter(|(parent, _)| of(parent)).map(|(_, records)| *records).collect()
    };
    let mut counted = counts(&|parent| parent == beside);
    if counted.is_empty() {
        counted = counts(&|_| true);
    }
    let sum = counted.iter().sum::<u64>();
    let fits = counted.iter().chain([&sum]).any(|count| i128::from(*count) == total);
    (!fits && !counted.is_empty()).then_some(sum)
}

fn parent(pointer: &JsonPointer) -> &[String] {
    pointer.keys().split_last().map_or(&[], |(_, parent)| parent)
}

/// A key in lower case, without separators.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// An integer, alone or in quotes.
fn integer(text: &[u8]) -> Option<i128> {
    std::str::from_utf8(text).ok()?.trim().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{RecordSelector, Splitter};

    fn sign_in(json: &str, ignored: &[&str]) -> Option<String> {
        let ignored: Vec<String> = ignored.iter().map(ToString::to_string).collect();
        let selector = RecordSelector::At(vec!["/a".parse().unwrap(), "/b".parse().unwrap()]);
        let mut splitter = Splitter::new(selector).refusing_incomplete(&ignored);
        for byte in json.as_bytes().chunks(1) {
            splitter.feed(byte).unwrap();
        }
        splitter.finish().err().map(|error| error.to_string())
    }

    #[test]
    fn p9_an_envelope_that_says_that_it_is_not_whole_is_refused() {
        let long = format!("\"next\":{{\"x\":\"{}\"}}", "y".repeat(1000));
        for (member, sign) in [
            ("\"HasMore\": true ", Some("`/HasMore` is true")),
            ("\"has-more\":false", None),
            ("\"m\":{\"n\":{\"next\":5}}", Some("`/m/n/next` is 5")),
            ("\"m\":{\"n\":{\"o\":{\"p\":{\"next\":5}}}}", None),
            (&long, Some("`/next` is {\"x\":\"yyy")),
            ("\"next\":{}", None),
            ("\"next\":true", Some("`/next` is true")),
            ("\"next\":false", None),
            ("\"nextPageUrl\":\"/2\"", Some("`/nextPageUrl` is \"/2\"")),
            ("\"has_more\":1", Some("`/has_more` is 1")),
            ("\"has_more\":0", None),
            ("\"partial\":1", None),
            ("\"total\":1", None),
            ("\"total\":2", None),
            ("\"total\":\"3\"", None),
            ("\"total\":4", Some("`/total` is 4, and it has 3 records")),
            ("\"total\":{\"count\":4}", None),
            ("\"errors\":{\"status\":\"ok\"}", Some("in `/errors`: {\"status\":\"ok\"}")),
            (
                "\"more\":true,\"error\":\"no \\n\"",
                Some("the source reports an error in `/error`: no"),
            ),
            ("\"success\":false", Some("`/success` is false")),
            ("\"status\":\"FAILED\"", Some("`/status` is \"FAILED\"")),
            ("\"list\":[{\"hasMore\":true}]", None),
        ] {
            for json in [
                format!("{{{member},\"a\":[{{}}],\"b\":[{{}},{{\"error\":1}}]}}"),
                format!("{{\"a\":[{{}}],\"b\":[{{}},{{}}],{member} }}"),
            ] {
                match (sign_in(&json, &[]), sign) {
                    (Some(said), Some(sign)) => assert!(said.contains(sign), "{json}: {said}"),
                    (said, sign) => assert_eq!(said.as_deref(), sign, "{json}"),
                }
            }
        }
    }

    #[test]
    fn what_is_ignored_says_nothing_nor_what_is_in_it() {
        let json = "{\"error\":{\"status\":\"error\"},\"a\":[],\"b\":null}";
        for ignored in ["error", "ERROR", "/error"] {
            assert_eq!(sign_in(json, &[ignored]), None, "{ignored}");
        }
        assert!(sign_in(json, &["/a/error"]).is_some());
    }
}
