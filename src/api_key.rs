//! API keys: found where a definition says, held so that nothing can print them.

use secrecy::{ExposeSecret, SecretString};

use crate::definition::{Environment, KeySource};

/// One API key and where it came from.
///
/// It has no `Display`, and its `Debug` shows only the source.
#[derive(Clone)]
pub struct ApiKey {
    value: SecretString,
    source: KeySource,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey(from {})", self.source)
    }
}

/// No key could be had.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// None of the places holds a key.
    #[error("no API key was found; looked in {}", list(.looked_in))]
    Missing {
        /// Every place that was looked in, in order.
        looked_in: Vec<KeySource>,
    },
    /// A key file is there and cannot be read.
    #[error("the API key in {from} cannot be read: {source}")]
    Unreadable {
        /// The file.
        from: KeySource,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What was found cannot be a header's value.
    #[error(
        "the API key in {from} has characters that no key has, such as a line break in the middle"
    )]
    Malformed {
        /// Where it was found.
        from: KeySource,
    },
}

impl ApiKey {
    /// Every key that `sources` hold, in their order.
    ///
    /// # Errors
    /// No source holds a key, one cannot be read, or one holds what cannot be a key.
    pub fn find_all(
        sources: &[KeySource],
        environment: &Environment,
    ) -> Result<Vec<Self>, ApiKeyError> {
        let mut keys = Vec::new();
        for source in sources {
            keys.extend(Self::find(source, environment)?);
        }
        if keys.is_empty() {
            return Err(ApiKeyError::Missing { looked_in: sources.to_vec() });
        }
        Ok(keys)
    }

    fn find(source: &KeySource, environment: &Environment) -> Result<Option<Self>, ApiKeyError> {
        let found = match source {
            KeySource::Env(name) => environment.get(name).map(str::to_owned),
            KeySource::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(ApiKeyError::Unreadable { from: source.clone(), source: error });
                }
            },
        };
        let Some(text) = found else { return Ok(None) };
        let value = text.trim();
        if value.is_empty() {
            return Ok(None);
        }
        if value.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(ApiKeyError::Malformed { from: source.clone() });
        }
        Ok(Some(Self { value: SecretString::from(value), source: source.clone() }))
    }

    /// Where the key was found.
    #[must_use]
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// The key, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

fn list(sources: &[KeySource]) -> String {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_the_key_stays_secret_in_debug() {
        let environment = Environment::default().with("KEY", "pf_canary");
        let keys = ApiKey::find_all(&[KeySource::Env("KEY".into())], &environment).unwrap();
        assert_eq!(keys[0].expose(), "pf_canary");
        assert_eq!(format!("{keys:?}"), "[ApiKey(from environment variable KEY)]");
    }
}
