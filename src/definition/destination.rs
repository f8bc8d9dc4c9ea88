//! `[destination]` as typed: the URL, the format, and a section of options for each kind of store.
//!
//! The kinds and their options come from the registry of stores, and so do the known keys and the JSON Schema.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json, json};
use toml::{Spanned, Value};

use super::raw::Field;
use crate::store::{OptionType, STORE_KINDS, StoreKind, StoreOption};

/// `[destination]` as typed.
#[derive(Debug, Default)]
pub(super) struct RawDestination {
    pub(super) url: Option<Field<String>>,
    pub(super) format: Option<Field<String>>,
    pub(super) stores: Vec<RawStoreSection>,
}

/// `[destination.s3]` and the like as typed.
#[derive(Debug)]
pub(super) struct RawStoreSection {
    pub(super) kind: &'static StoreKind,
    pub(super) options: Vec<(&'static StoreOption, Spanned<Value>)>,
}

fn kind_of_section(section: &str) -> Option<&'static StoreKind> {
    STORE_KINDS.into_iter().find(|kind| kind.section == section)
}

/// The keys of `[destination]` and of the sections in it.
pub(super) fn known_keys() -> Vec<(String, Vec<&'static str>)> {
    let sections = STORE_KINDS.iter().map(|kind| kind.section);
    let mut keys =
        vec![("destination".to_owned(), ["url", "format"].into_iter().chain(sections).collect())];
    keys.extend(STORE_KINDS.iter().map(|kind| {
        let options = kind.options.iter().map(|option| option.key);
        (format!("destination.{}", kind.section), options.collect())
    }));
    keys
}

/// The environment variable that takes the place of a key that would hold a secret, such as
/// `destination.s3.secret_access_key`.
pub(super) fn variable_for_secret(section: &str, key: &str) -> Option<&'static str> {
    kind_of_section(section.strip_prefix("destination.")?)?.variable_for_secret(key)
}

impl<'de> Deserialize<'de> for RawDestination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DestinationVisitor)
    }
}

struct DestinationVisitor;

impl<'de> Visitor<'de> for DestinationVisitor {
    type Value = RawDestination;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the section `[destination]`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawDestination, A::Error> {
        let mut raw = RawDestination::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "url" => raw.url = Some(map.next_value()?),
                "format" => raw.format = Some(map.next_value()?),
                section => match kind_of_section(section) {
                    Some(kind) => raw.stores.push(map.next_value_seed(StoreSectionSeed(kind))?),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        Ok(raw)
    }
}

struct StoreSectionSeed(&'static StoreKind);

impl<'de> DeserializeSeed<'de> for StoreSectionSeed {
    type Value = RawStoreSection;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<RawStoreSection, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StoreSectionSeed {
    type Value = RawStoreSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the section `[destination.{}]`", self.0.section)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawStoreSection, A::Error> {
        let mut options = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match self.0.option(&key) {
                Some(option) => options.push((option, map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(RawStoreSection { kind: self.0, options })
    }
}

impl JsonSchema for RawDestination {
    fn schema_name() -> Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms = STORE_KINDS.iter().map(|kind| kind.url_form());
        let examples: Vec<String> =
            std::iter::once("lake/purchasing".to_owned()).chain(forms).collect();
        let mut properties = Map::new();
        properties.insert("url".to_owned(), json!({
            "description": "A directory, or a prefix of a bucket. Credentials come from the environment.",
            "examples": examples,
            "type": "string",
        }));
        properties.insert(
            "format".to_owned(),
            json!({
                "description": "The format of the files.",
                "default": "parquet",
                "enum": ["parquet"],
                "type": "string",
            }),
        );
        for kind in STORE_KINDS {
            let name = definition_name(kind);
            properties
                .insert(kind.section.to_owned(), json!({ "$ref": format!("#/$defs/{name}") }));
            generator.definitions_mut().insert(name, section_schema(kind));
        }
        json_schema!({
            "description": "Where the tables are kept.",
            "type": "object",
            "additionalProperties": false,
            "required": ["url"],
            "properties": properties,
        })
    }
}

/// `S3` for `s3`.
fn definition_name(kind: &StoreKind) -> String {
    let (first, rest) = kind.section.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn section_schema(kind: &StoreKind) -> Json {
    let properties: Map<String, Json> =
        kind.options.iter().map(|option| (option.key.to_owned(), option_schema(option))).collect();
    json!({
        "description": kind.description,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn option_schema(option: &StoreOption) -> Json {
    let mut schema = match option.value {
        OptionType::Text | OptionType::Url => json!({ "type": "string" }),
        OptionType::Flag => json!({ "type": "boolean" }),
        OptionType::Count(default) => json!({
            "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": default,
        }),
        OptionType::Choice(words) => json!({ "type": "string", "enum": words }),
    };
    schema["description"] = option.description.into();
    if let Some(example) = option.example {
        schema["examples"] = json!([example]);
    }
    schema
}
