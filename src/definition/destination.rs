//! `[destination]`: the URL, the format, and a section of options for each kind of store.
//!
//! The kinds and their options come from the registry of stores, and so do the known keys and the JSON Schema.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json, json};
use toml::{Spanned, Value};
use url::Url;

use super::Template;
use super::checker::Checker;
use super::field::{Field, FromToml};
use super::problem::Problem;
use super::slice::RawSlice;
use crate::schema::{Slice, TableFormat};
use crate::store::{
    DestinationUrl, InvalidDestination, OptionType, RawMode, STORE_KINDS, StoreKind, StoreOption,
    StoreOptions, url_forms,
};

/// `[destination]` as typed.
#[derive(Debug, Default)]
pub(super) struct RawDestination {
    pub(super) url: Option<Field<String>>,
    pub(super) format: Option<Field<String>>,
    pub(super) slice: Option<Field<RawSlice>>,
    pub(super) must_exist: Option<Field<bool>>,
    pub(super) raw_mode: Option<Field<String>>,
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
                "slice" => raw.slice = Some(map.next_value()?),
                "must_exist" => raw.must_exist = Some(map.next_value()?),
                "raw_mode" => raw.raw_mode = Some(map.next_value()?),
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
            "pattern": url_pattern(),
            "type": "string",
        }));
        properties.insert(
            "format".to_owned(),
            json!({
                "description": "How readers find the files of a table: in its directory, or by a Delta log.",
                "default": "parquet",
                "enum": TableFormat::WORDS.map(|(word, _)| word),
                "type": "string",
            }),
        );
        let mut slice = RawSlice::schema(generator);
        let description = "The part of the tables that this pipeline writes, where several share them: a column, and its value in all of its rows.";
        slice.insert("description".to_owned(), description.into());
        slice.insert("examples".to_owned(), json!([{ "organisation_id": "acme" }]));
        properties.insert("slice".to_owned(), slice.into());
        properties.insert("must_exist".to_owned(), json!({
            "description": "Refuse to begin a lake here: without its files, its disk is not mounted or the URL is wrong.",
            "default": false,
            "type": "boolean",
        }));
        properties.insert("raw_mode".to_owned(), json!({
            "description": "Who may read kept exports and quarantine on local disk: the mode of their files, in octal.",
            "default": "0600",
            "pattern": r"\$\{|^0?6[0246][04]$",
            "type": "string",
        }));
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

/// A reference, a template, the URL of a store, or a directory.
fn url_pattern() -> String {
    let schemes = STORE_KINDS.iter().flat_map(|kind| kind.schemes).copied();
    let schemes: Vec<&str> = schemes.collect();
    format!(r"\$\{{|\{{\{{|^({})://[^/]|^(?!.*://).*\S", schemes.join("|"))
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

const URL_KEY: &str = "destination.url";

/// `[destination]` as it is used.
pub(super) struct CheckedDestination {
    pub(super) url: Option<Template>,
    pub(super) format: TableFormat,
    pub(super) slice: Option<Slice>,
    pub(super) must_exist: bool,
    pub(super) raw_mode: Option<RawMode>,
    pub(super) options: StoreOptions,
}

impl Checker<'_> {
    pub(super) fn destination(&mut self, raw: Option<RawDestination>) -> CheckedDestination {
        let raw = raw.unwrap_or_default();
        let format = self.choice(raw.format, "destination.format", &TableFormat::WORDS);
        let format = format.unwrap_or_default();
        let slice = self.slice(raw.slice, format);
        let must_exist = self.value(raw.must_exist, "destination.must_exist").unwrap_or_default();
        let url = self.destination_url(raw.url);
        let is_local = url.as_ref().is_none_or(|(_, url)| url.kind().is_none());
        let raw_mode = self.raw_mode(raw.raw_mode, is_local);
        let mut options = StoreOptions::default();
        for section in raw.stores {
            let kind = section.kind;
            let section_options = self.store_options(section);
            match &url {
                Some((_, url)) if url.kind() != Some(kind) => self.misplaced(kind),
                _ => options = section_options,
            }
        }
        let url = url.map(|(template, _)| template);
        CheckedDestination { url, format, slice, must_exist, raw_mode, options }
    }

    fn raw_mode(&mut self, field: Option<Field<String>>, is_local: bool) -> Option<RawMode> {
        const KEY: &str = "destination.raw_mode";
        let (text, span) = self.text(field, KEY)?;
        if !is_local {
            let help = "leave it out, and say in the bucket who may read `_flowlake`";
            self.report(span, KEY, "a bucket has no file modes", help);
            return None;
        }
        match text.parse() {
            Ok(mode) => Some(mode),
            Err(error) => {
                let help = "write `\"0600\"`, `\"0640\"` for a group, or `\"0644\"` for all";
                self.report(span, KEY, error, help);
                None
            }
        }
    }

    /// A section of options for another kind of store than the URL's.
    fn misplaced(&mut self, kind: &StoreKind) {
        let message = format!("the destination is not in {}", kind.name);
        let (form, section) = (kind.url_form(), kind.section);
        let help = format!("write `{form}`, or leave `[destination.{section}]` out");
        self.misuse(URL_KEY, message, &help);
    }

    fn destination_url(
        &mut self,
        field: Option<Field<String>>,
    ) -> Option<(Template, DestinationUrl)> {
        let help = || format!("write a directory, as in `lake/purchasing`, or {}", url_forms());
        if field.is_none() {
            self.problems.push(Problem::missing(URL_KEY, help()));
        }
        let (template, span) = self.template(field, URL_KEY, false)?;
        match template.to_string().parse() {
            Ok(url) => Some((template, url)),
            Err(InvalidDestination::Unknown(_)) => {
                // What cannot be read may hold a password.
                let problem = Problem::at(span, URL_KEY, "not a destination", help());
                let has_user = template.to_string().contains('@');
                self.problems.push(if has_user { problem.hiding_the_line() } else { problem });
                None
            }
            Err(error @ InvalidDestination::HasCredentials) => {
                let problem = Problem::at(span, URL_KEY, error.to_string(), help());
                self.problems.push(problem.hiding_the_line());
                None
            }
            Err(error) => {
                self.report(span, URL_KEY, error, help());
                None
            }
        }
    }

    fn store_options(&mut self, section: RawStoreSection) -> StoreOptions {
        let mut options = StoreOptions::default();
        for (option, value) in section.options {
            let key = format!("destination.{}.{}", section.kind.section, option.key);
            if let Some(value) = self.store_option(option, value, &key) {
                options.set(option, value);
            }
        }
        if let Some(conflict) = section.kind.check.and_then(|check| check(&options)) {
            let key = format!("destination.{}.{}", section.kind.section, conflict.key);
            self.misuse(&key, conflict.message.to_owned(), conflict.help);
        }
        options
    }

    fn store_option(
        &mut self,
        option: &StoreOption,
        value: Spanned<Value>,
        key: &str,
    ) -> Option<String> {
        match option.value {
            OptionType::Text => self.text(Some(field(value)), key).map(|(text, _)| text),
            OptionType::Url => self.store_url(option, Some(field(value)), key),
            OptionType::Flag => Some(self.value::<bool>(Some(field(value)), key)?.to_string()),
            OptionType::Count(_) => Some(self.count(Some(field(value)), key, 1)?.to_string()),
            OptionType::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
                self.choice(Some(field(value)), key, &words).map(str::to_owned)
            }
        }
    }

    fn store_url(
        &mut self,
        option: &StoreOption,
        field: Option<Field<String>>,
        key: &str,
    ) -> Option<String> {
        let (text, span) = self.text(field, key)?;
        let url = text.parse::<Url>().ok().filter(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.username().is_empty()
                && url.password().is_none()
        });
        if url.is_none() {
            let example = option.example.unwrap_or_default();
            let help = format!("write it like `{example}`, without credentials");
            // The text may hold a password.
            let problem = Problem::at(span, key, "not an http or https URL", help);
            self.problems.push(problem.hiding_the_line());
        }
        url.map(String::from)
    }
}

fn field<T: FromToml>(value: Spanned<Value>) -> Field<T> {
    let span = value.span();
    Field { value: T::read(&value.into_inner()), span }
}

#[cfg(test)]
mod tests {
    use crate::definition::{Definition, Environment, Pipeline, Problems};
    use crate::store::STORE_KINDS;

    fn parse(destination: &str) -> Result<Pipeline, Problems> {
        let text = format!(
            "version = 1\nname = \"p\"\n[source]\nendpoint = \"purchasing\"\norganisation_id = \"acme\"\n\
             [destination]\n{destination}\n"
        );
        let environment = Environment::default().with("REGION", "eu-central-1");
        Definition::parse("test.toml", &text, &environment).map(|it| it.pipeline)
    }

    fn refused(destination: &str) -> String {
        parse(destination).unwrap_err().lines().join("\n")
    }

    #[test]
    fn options_of_every_type_are_kept_as_text() {
        let pipeline = parse(
            "url = \"s3://bucket\"\n[destination.s3]\nendpoint = \"http://minio:9000\"\nregion = \"${REGION}\"\n\
             path_style = false\nmax_attempts = 3\nserver_side_encryption = \"AES256\"",
        );
        let options: Vec<(&str, String)> =
            pipeline.unwrap().store.iter().map(|(key, value)| (key, value.to_owned())).collect();
        let expected = [
            ("endpoint", "http://minio:9000/"),
            ("max_attempts", "3"),
            ("path_style", "false"),
            ("region", "eu-central-1"),
            ("server_side_encryption", "AES256"),
        ];
        assert_eq!(options, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (option, expected) in [
            ("path_style = \"yes\"", "expected a boolean"),
            ("region = 5", "expected a string"),
            ("max_attempts = 0", "out of range"),
            ("server_side_encryption = \"kms\"", "choose one of"),
            ("endpoint = \"minio:9000\"", "not an http or https URL"),
            ("retries = 3", "unknown key"),
        ] {
            let shown = refused(&format!("url = \"s3://b\"\n[destination.s3]\n{option}"));
            assert!(shown.contains(expected), "{option}: {shown}");
        }
    }

    #[test]
    fn p8_no_kind_of_store_takes_a_secret() {
        for kind in STORE_KINDS {
            for (key, variable) in kind.secrets {
                let scheme = kind.schemes[0];
                let section = kind.section;
                let shown = refused(&format!(
                    "url = \"{scheme}://b\"\n[destination.{section}]\n{key} = \"hunter2\""
                ));
                assert!(shown.contains(variable), "{shown}");
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }

    #[test]
    fn options_of_another_kind_of_store_are_refused() {
        for kind in STORE_KINDS {
            let section = format!("[destination.{}]\nmax_attempts = 2", kind.section);
            for other in STORE_KINDS.iter().filter(|other| other.section != kind.section) {
                let shown = refused(&format!("url = \"{}\"\n{section}", other.url_form()));
                assert!(shown.contains("the destination is not in"), "{shown}");
            }
            refused(&format!("url = \"lake\"\n{section}"));
            assert!(parse(&format!("url = \"{}\"\n{section}", kind.url_form())).is_ok());
        }
    }
}
