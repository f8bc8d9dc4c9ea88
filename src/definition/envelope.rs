//! `[source.envelope]`: what of a response is not asked whether the response is whole.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Value;

use super::checker::Checker;
use super::field::{Field, FromToml, List, TypeMismatch};

/// What of a response is not asked whether the response is whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopePolicy {
    /// Keys, and JSON Pointers, which begin with `/`.
    pub ignore: Vec<String>,
}

/// What of a response is not asked whether the response is whole.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Envelope", deny_unknown_fields)]
pub(super) struct RawEnvelope {
    /// Members that may say that there is more, or that the source has failed: keys, or JSON Pointers that begin
    /// with `/`.
    #[schemars(extend("examples" = [["hasMore", "/links/next"]]))]
    pub(super) ignore: Option<Field<List<MemberName>>>,
}

/// A key, or a JSON Pointer.
#[derive(Debug)]
pub(super) struct MemberName(String);

impl FromToml for MemberName {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        const HELP: &str =
            "write a key, as in `\"hasMore\"`, or a JSON Pointer, as in `\"/links/next\"`";
        match value.as_str() {
            Some("") => Err(TypeMismatch::new("an empty name", HELP)),
            Some(name) => Ok(Self(name.to_owned())),
            None => Err(TypeMismatch::of(value, "a string", HELP)),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

impl RawEnvelope {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> EnvelopePolicy {
        let ignore = checker.list(self.ignore, "source.envelope.ignore").unwrap_or_default();
        EnvelopePolicy { ignore: ignore.into_iter().map(|MemberName(name)| name).collect() }
    }
}
