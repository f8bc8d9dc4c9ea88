//! Settings: keys of a definition that the command line sets for one run.

use std::str::FromStr;

use toml_edit::{DocumentMut, Item, Value};

use crate::store::DestinationUrl;

/// `key=value` with a key of a definition: `destination.url`, `tables[0].write_disposition`.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    key: Vec<KeyPart>,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyPart {
    Key(String),
    Position(usize),
}

/// A setting that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// It has no key, or no value.
    #[error("`{0}` is not `key=value`, as in `source.filters.status=approved`")]
    Malformed(String),
    /// A part of its key is not a table or an array of the definition.
    #[error("the definition has no place for `{0}`")]
    NoPlace(String),
}

impl Setting {
    /// The same setting; a relative destination belongs to the working directory of the command that sets it, and not to
    /// the directory of the definition.
    pub(super) fn in_working_directory(&self) -> Self {
        let key: [KeyPart; 2] = ["destination", "url"].map(|part| KeyPart::Key(part.to_owned()));
        let typed = value(&self.value);
        match typed.as_str().unwrap_or_default().parse() {
            Ok(DestinationUrl::Local(path)) if self.key == key && path.is_relative() => {
                let absolute = std::path::absolute(&path).unwrap_or(path);
                let absolute = Value::from(absolute.display().to_string());
                Self { key: self.key.clone(), value: absolute.to_string().trim().to_owned() }
            }
            _ => self.clone(),
        }
    }
}

impl FromStr for Setting {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let malformed = || InvalidSetting::Malformed(text.to_owned());
        let (key, value) = text.split_once('=').ok_or_else(malformed)?;
        let mut parts = Vec::new();
        for part in key.trim().split('.') {
            let (name, position) = match part.split_once('[') {
                Some((name, rest)) => (name, Some(rest.strip_suffix(']').ok_or_else(malformed)?)),
                None => (part, None),
            };
            if name.is_empty() {
                return Err(malformed());
            }
            parts.push(KeyPart::Key(name.to_owned()));
            if let Some(position) = position {
                parts.push(KeyPart::Position(position.parse().map_err(|_| malformed())?));
            }
        }
        Ok(Self { key: parts, value: value.trim().to_owned() })
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Setting({self})")
    }
}

/// Shows the key only: the value may be a secret.
impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, part) in self.key.iter().enumerate() {
            match part {
                KeyPart::Key(name) if position == 0 => f.write_str(name)?,
                KeyPart::Key(name) => write!(f, ".{name}")?,
                KeyPart::Position(position) => write!(f, "[{position}]")?,
            }
        }
        Ok(())
    }
}

/// The text of a definition with settings applied. Invalid TOML is left as it is, for the parser to report.
pub(super) fn apply(text: &str, settings: &[Setting]) -> Result<String, InvalidSetting> {
    let Ok(mut document) = text.parse::<DocumentMut>() else { return Ok(text.to_owned()) };
    if settings.is_empty() {
        return Ok(text.to_owned());
    }
    for setting in settings {
        let no_place = || InvalidSetting::NoPlace(setting.to_string());
        let place =
            setting.key.iter().try_fold(document.as_item_mut(), step).ok_or_else(no_place)?;
        *place = Item::Value(value(&setting.value));
    }
    Ok(document.to_string())
}

/// The item of a part of a key, created when it is missing.
fn step<'i>(item: &'i mut Item, part: &KeyPart) -> Option<&'i mut Item> {
    match part {
        KeyPart::Key(name) => {
            if item.is_none() {
                *item = Item::Table(toml_edit::Table::new());
            }
            Some(item.as_table_like_mut()?.entry(name).or_insert(Item::None))
        }
        KeyPart::Position(position) => item.get_mut(*position),
    }
}

/// The value as TOML; anything else is a string.
fn value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, settings: &[&str]) -> Result<String, InvalidSetting> {
        let settings: Vec<Setting> = settings.iter().map(|it| it.parse().unwrap()).collect();
        apply(text, &settings)
    }

    #[test]
    fn a_setting_replaces_or_adds_a_key() {
        let text = "name = \"a\"\n[source]\nn = 1\n[[tables]]\nname = \"t\"\n";
        assert_eq!(
            set(text, &["name=b", "source.n=[1, 2]", "tables[0].records=/x", "landing.keep=0"])
                .unwrap(),
            "name = \"b\"\n[source]\nn = [1, 2]\n[[tables]]\nname = \"t\"\nrecords = \"/x\"\n\n[landing]\nkeep = 0\n"
        );
    }

    #[test]
    fn a_setting_needs_a_place() {
        let no_place = |key: &str| Err(InvalidSetting::NoPlace(key.to_owned()));
        assert_eq!(set("name = \"a\"", &["name.first=b"]), no_place("name.first"));
        assert_eq!(set("name = \"a\"", &["tables[1].name=b"]), no_place("tables[1].name"));
        for text in ["name", "=b", "a..b=c", "tables[x].name=b"] {
            assert_eq!(text.parse::<Setting>(), Err(InvalidSetting::Malformed(text.to_owned())));
        }
    }
}
