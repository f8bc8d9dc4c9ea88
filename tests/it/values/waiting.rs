//! What is in quarantine.

use super::json::Json;

/// A line of a quarantine file.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub run_id: String,
    pub record: Json,
    pub row_kept: bool,
    pub pointers: Vec<String>,
    has_more_reasons: bool,
    pub shown: String,
}

impl Waiting {
    pub fn of(line: &str) -> Self {
        let json = Json::parse(line);
        let raw = json.get("raw").and_then(Json::text).map(Json::parse);
        let reasons = json.get("reasons").map(Json::items).unwrap_or_default();
        let pointer = |reason: &Json| Some(reason.get("pointer")?.text()?.to_owned());
        Self {
            run_id: json.get("run_id").and_then(Json::text).unwrap_or_default().to_owned(),
            record: raw.or_else(|| json.get("record").cloned()).unwrap(),
            row_kept: json.get("row_kept") == Some(&Json::Bool(true)),
            pointers: reasons.iter().map(|reason| pointer(reason).unwrap_or_default()).collect(),
            has_more_reasons: json.get("more_reasons").is_some(),
            shown: line.to_owned(),
        }
    }

    /// Whether a reason is about this scalar.
    pub fn explains(&self, pointer: &str) -> bool {
        self.has_more_reasons || self.pointers.iter().any(|reason| leads_to(reason, pointer))
    }
}

/// Whether one pointer is that of another, or of what holds it. An object that stands where others have lists is `/0`.
fn leads_to(reason: &str, pointer: &str) -> bool {
    let mut rest = pointer.split('/').peekable();
    reason.split('/').all(|token| rest.next_if_eq(&token).is_some() || token == "0")
}
