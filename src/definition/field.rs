//! Field: one value of a definition, or why it cannot be read, with its place in the text.
//!
//! A wrong value does not end the reading: each field keeps its own error, so that one pass finds every mistake. A
//! type says in one place, [`FromToml`], how TOML writes it and what the JSON Schema says of it:
//!
//! | in the definition | type |
//! |---|---|
//! | a string of some form | a type with [`TextForm`]: its parser, its pattern, its help |
//! | one of a few words | an enum in [`written_as_word!`](written_as_word) |
//! | an array | [`List`]: every wrong item is reported |
//! | anything else | an own implementation of [`FromToml`] |

use std::borrow::Cow;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::ops::Range;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IntoDeserializer};
use toml::{Spanned, Table, Value};

use super::problem::{nearest, suggest};

/// A value, or why it cannot be read, with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Field<T> {
    pub(super) value: Result<T, TypeMismatch>,
    pub(super) span: Range<usize>,
}

impl<'de, T: FromToml> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { value: T::read(&spanned.into_inner()), span })
    }
}

impl<T: FromToml> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeMismatch {
    pub(super) message: String,
    pub(super) help: String,
}

impl TypeMismatch {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    /// A value of another TOML type.
    pub(super) fn of(value: &Value, expected: &str, help: impl Into<String>) -> Self {
        Self::new(format!("expected {expected}, found {}", toml_type(value)), help)
    }
}

fn toml_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(number) if *number < 0 => "a negative integer",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
    }
}

/// How TOML writes a value, and what the JSON Schema says of it.
pub(super) trait FromToml: Sized {
    /// What an array of these looks like.
    const LIST_EXAMPLE: &'static str = "[\"id\"]";

    /// The value, or what is wrong with it.
    fn read(value: &Value) -> Result<Self, TypeMismatch>;

    /// The schema of the value. It accepts all that `read` accepts.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// A value that is written as a string of some form.
pub(super) trait TextForm: FromStr<Err: Display> {
    /// A regular expression that every valid string matches, with look-ahead as ECMA-262 has it.
    fn pattern() -> String;

    /// What to write instead of a wrong string.
    fn help(text: &str) -> String;
}

impl<T: TextForm> FromToml for T {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let Value::String(text) = value else {
            return Err(TypeMismatch::of(value, "a string", T::help("")));
        };
        text.parse().map_err(|error: T::Err| TypeMismatch::new(error.to_string(), T::help(text)))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": T::pattern() })
    }
}

/// Reads a unit variant of an enum by its serde name.
pub(super) fn read_word<T: DeserializeOwned + JsonSchema>(
    value: &Value,
) -> Result<T, TypeMismatch> {
    let words = words::<T>();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Value::String(word) = value else {
        return Err(TypeMismatch::of(value, "a string", suggest("", &words)));
    };
    let word: StrDeserializer<'_, serde::de::value::Error> = word.as_str().into_deserializer();
    T::deserialize(word).map_err(|_| {
        let word = value.as_str().unwrap_or_default();
        TypeMismatch::new(format!("`{word}` is not a valid choice"), suggest(word, &words))
    })
}

/// The serde names of an enum's unit variants.
fn words<T: JsonSchema>() -> Vec<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
    let plain = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let described = described.flat_map(|one| {
        let several = one["enum"].as_array().into_iter().flatten();
        several.chain(one.get("const"))
    });
    plain.chain(described).filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// Implements [`FromToml`] for enums that are written as their serde names.
macro_rules! written_as_word {
    ($($name:ty),+) => { $(
        impl $crate::definition::field::FromToml for $name {
            fn read(value: &toml::Value) -> Result<Self, $crate::definition::field::TypeMismatch> {
                $crate::definition::field::read_word(value)
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$name as schemars::JsonSchema>::json_schema(generator)
            }
        }
    )+ };
}
pub(super) use written_as_word;

/// An array. Every wrong item keeps its own error.
#[derive(Debug, Clone)]
pub(super) struct List<T>(pub(super) Vec<Result<T, TypeMismatch>>);

impl<T: FromToml> FromToml for List<T> {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::Array(items) => Ok(Self(items.iter().map(T::read).collect())),
            other => {
                let help = format!("put it in brackets, as in `{}`", T::LIST_EXAMPLE);
                Err(TypeMismatch::of(other, "an array", help))
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": T::schema(generator) })
    }
}

impl FromToml for String {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| TypeMismatch::of(value, "a string", "put it in double quotes"))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl FromToml for bool {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        let help = "write it without quotes, as in `true`";
        value.as_bool().ok_or_else(|| TypeMismatch::of(value, "a boolean", help))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// Implements [`FromToml`] for integers of a range.
macro_rules! written_as_integer {
    ($($name:ty, $least:expr, $most:expr, $expected:literal);+ $(;)?) => { $(
        impl FromToml for $name {
            fn read(value: &Value) -> Result<Self, TypeMismatch> {
                let help = "write it without quotes, as in `14`";
                let number = value.as_integer().ok_or_else(|| TypeMismatch::of(value, $expected, help))?;
                <$name>::try_from(number).map_err(|_| {
                    TypeMismatch::new(format!("{number} is out of range"), concat!("write ", $expected))
                })
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": $least, "maximum": $most })
            }
        }
    )+ };
}

/// An integer of at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtLeastOne(pub(super) NonZeroU32);

impl TryFrom<i64> for AtLeastOne {
    type Error = std::num::TryFromIntError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        Ok(Self(NonZeroU32::try_from(u32::try_from(number)?)?))
    }
}

written_as_integer! {
    i64, i64::MIN, i64::MAX, "an integer";
    usize, 0, i64::MAX, "an integer of at least 0";
    u32, 0, u32::MAX, "an integer of at least 0";
    AtLeastOne, 1, u32::MAX, "an integer of at least 1";
}

/// The keys of an inline table, taken out one by one.
pub(super) struct Members<'v> {
    /// What the table is, as in "a column has no key".
    what: &'static str,
    table: &'v Table,
    known: Vec<&'static str>,
}

impl<'v> Members<'v> {
    pub(super) fn new(what: &'static str, table: &'v Table) -> Self {
        Self { what, table, known: Vec::new() }
    }

    /// The value of a key, if the key is there.
    pub(super) fn take<T: FromToml>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, TypeMismatch> {
        self.known.push(key);
        let read = self.table.get(key).map(T::read).transpose();
        read.map_err(|error| TypeMismatch::new(format!("`{key}`: {}", error.message), error.help))
    }

    /// The items of a key, if the key is there; the first wrong one is an error.
    pub(super) fn take_list<T: FromToml>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Vec<T>>, TypeMismatch> {
        let list = self.take::<List<T>>(key)?;
        list.map(|list| list.0.into_iter().collect()).transpose()
    }

    /// The keys that nobody has asked for.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.table.iter().filter(|(key, _)| !self.known.contains(&key.as_str()))
    }

    /// Whether a key is likely meant to be one of those that were asked for.
    pub(super) fn is_near(&self, key: &str) -> bool {
        nearest(key, &self.known).is_some()
    }

    /// Refuses keys that nobody has asked for.
    pub(super) fn finish(self) -> Result<(), TypeMismatch> {
        match self.others().next() {
            None => Ok(()),
            Some((key, _)) => Err(TypeMismatch::new(
                format!("{} has no key `{key}`", self.what),
                suggest(key, &self.known),
            )),
        }
    }
}
