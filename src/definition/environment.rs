//! `${NAME}` and `${NAME:-default}` in the strings of a definition; `$${` is `${` itself.

use std::collections::BTreeMap;

/// The longest text with values of the environment, in bytes: no URL, path or name is longer.
const MOST_BYTES: usize = 64 << 10;

/// The environment variables that a definition may refer to, read once.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Shows names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process, without variables that are not UTF-8.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// The same environment with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Replaces all references in `text`, which may become as long as there is `room`.
    ///
    /// # Errors
    /// A reference is not closed, has no name, or its variable is unset and has no default.
    pub(super) fn expand(&self, text: &str, room: usize) -> Result<String, ExpansionError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, reference) = (&rest[..start], &rest[start + 2..]);
            if let Some(plain) = before.strip_suffix('$') {
                expanded.push_str(plain);
                expanded.push_str("${");
                rest = reference;
                continue;
            }
            let end = reference.find('}').ok_or(ExpansionError::Unclosed)?;
            expanded.push_str(before);
            expanded.push_str(self.resolve(&reference[..end])?);
            if expanded.len() > room.min(MOST_BYTES) {
                return Err(ExpansionError::TooLong);
            }
            rest = &reference[end + 1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn resolve<'a>(&'a self, reference: &'a str) -> Result<&'a str, ExpansionError> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if name.is_empty() {
            return Err(ExpansionError::Nameless);
        }
        self.get(name).or(default).ok_or_else(|| ExpansionError::Unset(name.to_owned()))
    }
}

/// The variables that `text` refers to.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| {
        let reference = &rest[..rest.find('}')?];
        Some(reference.split_once(":-").map_or(reference, |(name, _)| name))
    })
}

/// Why a reference to the environment has no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpansionError {
    #[error("`${{` is not closed by `}}`")]
    Unclosed,
    #[error("too long with the values of the environment")]
    TooLong,
    #[error("`${{}}` has no variable name")]
    Nameless,
    #[error("the environment variable {0} is not set")]
    Unset(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::default().with("ORG", "acme").with("EMPTY", "")
    }

    #[test]
    fn references_are_replaced_and_other_text_is_kept() {
        assert_eq!(environment().expand("a/${ORG}/b$", MOST_BYTES).unwrap(), "a/acme/b$");
        assert_eq!(environment().expand("${NONE:-x}${EMPTY:-y}", MOST_BYTES).unwrap(), "xy");
        assert_eq!(environment().expand("$${ORG}$$${ORG}", MOST_BYTES).unwrap(), "${ORG}$${ORG}");
    }

    #[test]
    fn a_reference_without_a_value_is_an_error() {
        assert_eq!(
            environment().expand("${NONE}", MOST_BYTES),
            Err(ExpansionError::Unset("NONE".into()))
        );
        assert_eq!(environment().expand("${ORG", MOST_BYTES), Err(ExpansionError::Unclosed));
        assert_eq!(environment().expand("${}", MOST_BYTES), Err(ExpansionError::Nameless));
    }

    #[test]
    fn h3_a_text_with_values_has_an_end() {
        let environment = Environment::default().with("LONG", &"x".repeat(1000));
        let expand = |times: usize, room| environment.expand(&"${LONG}".repeat(times), room);
        assert_eq!(expand(65, MOST_BYTES).unwrap().len(), 65_000);
        assert_eq!(expand(100_000, usize::MAX), Err(ExpansionError::TooLong));
        assert_eq!(expand(3, 2999), Err(ExpansionError::TooLong));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", environment()), r#"{"EMPTY", "ORG"}"#);
    }
}
