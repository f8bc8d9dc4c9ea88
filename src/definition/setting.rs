//! Settings: keys of a definition that are given on the command line, for one run.

use std::str::FromStr;

use toml_edit::{DocumentMut, Item, Value};

/// `key=value`, where the key is that of a definition: `destination.url`, `tables[0].write_disposition`.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    key: Vec<Part>,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Position(usize),
}

/// A setting that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// It has no key, or no value.
    #[error("`{0}` is not of the form `source.filters.status=approved`")]
    Malformed(String),
    /// What stands above its key holds no keys.
    #[error("there is no place for `{0}` in this definition")]
    NoPlace(String),
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
            parts.push(Part::Key(name.to_owned()));
            if let Some(position) = position {
                parts.push(Part::Position(position.parse().map_err(|_| malformed())?));
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

/// Its key: the value may be what nobody should see.
impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, part) in self.key.iter().enumerate() {
            match part {
                Part::Key(name) if position == 0 => f.write_str(name)?,
                Part::Key(name) => write!(f, ".{name}")?,
                Part::Position(position) => write!(f, "[{position}]")?,
            }
        }
        Ok(())
    }
}

/// The text of a definition with settings made in it. A text that is not TOML is left for its reader to refuse.
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

/// What stands under a part of a key, made when it is missing.
fn step<'i>(item: &'i mut Item, part: &Part) -> Option<&'i mut Item> {
    match part {
        Part::Key(name) => {
            if item.is_none() {
                *item = Item::Table(toml_edit::Table::new());
            }
            Some(item.as_table_like_mut()?.entry(name).or_insert(Item::None))
        }
        Part::Position(position) => item.get_mut(*position),
    }
}

/// The value as TOML has it; anything else is a text.
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
