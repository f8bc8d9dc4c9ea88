//! A kind of store: its URLs, the options a definition may set, and how it is opened.
//!
//! One value of [`StoreKind`] holds everything the crate knows of a kind. The definition validates the options by it, the
//! JSON Schema describes them by it, and [`Destination`](super::Destination) opens the store by it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::{CopyMode, Error as StoreError, ObjectStore, RetryConfig};

/// A kind of object store.
pub struct StoreKind {
    /// The name in messages: `S3`.
    pub name: &'static str,
    /// The URL schemes; the first one is the usual one.
    pub schemes: &'static [&'static str],
    /// What its buckets are called: `bucket` or `container`.
    pub bucket: &'static str,
    /// Whether a URL may name an account behind an `@`.
    pub names_accounts: bool,
    /// The section of options: `s3` for `[destination.s3]`.
    pub section: &'static str,
    /// What the section is for; goes into the JSON Schema.
    pub description: &'static str,
    /// The options of the section.
    pub options: &'static [StoreOption],
    /// Keys that would hold a secret, each with the environment variable that holds it instead.
    pub secrets: &'static [(&'static str, &'static str)],
    /// Finds options that do not go together, if there can be any.
    pub check: Option<fn(&StoreOptions) -> Option<OptionConflict>>,
    /// Opens a bucket.
    pub open: OpenStore,
    /// Whether a copy may still be running when the store has answered.
    pub copies_in_background: bool,
    /// How to ask for a copy only if there is no target; `None` if the store does not have that, or not everywhere.
    pub copy_if_absent: Option<CopyMode>,
}

/// Opens a bucket, named as in the URL.
pub type OpenStore = fn(&str, &StoreOptions) -> Result<Arc<dyn ObjectStore>, StoreError>;

impl StoreKind {
    /// How a URL of this kind is written, as an example.
    #[must_use]
    pub fn url_form(&self) -> String {
        let scheme = self.schemes.first().copied().unwrap_or_default();
        format!("{scheme}://{}/prefix", self.bucket)
    }

    /// The option of this name.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&'static StoreOption> {
        self.options.iter().find(|option| option.key == key)
    }

    /// The environment variable to use in place of a key that would hold a secret.
    #[must_use]
    pub fn variable_for_secret(&self, key: &str) -> Option<&'static str> {
        self.secrets.iter().find(|(secret, _)| *secret == key).map(|(_, variable)| *variable)
    }
}

impl fmt::Debug for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for StoreKind {
    fn eq(&self, other: &Self) -> bool {
        self.section == other.section
    }
}

impl Eq for StoreKind {}

/// An option of a kind of store, as a definition may set it.
#[derive(Debug, Clone, Copy)]
pub struct StoreOption {
    /// The key in the section.
    pub key: &'static str,
    /// What its value may be.
    pub value: OptionType,
    /// What it does; goes into the JSON Schema.
    pub description: &'static str,
    /// An example of a value.
    pub example: Option<&'static str>,
}

/// What the value of an option may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// Any text; `${NAME}` is the environment.
    Text,
    /// An http or https URL without credentials in it.
    Url,
    /// True or false.
    Flag,
    /// A whole number of at least 1, with its default.
    Count(u32),
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl StoreOption {
    pub(super) const fn text(key: &'static str, description: &'static str) -> Self {
        Self { key, value: OptionType::Text, description, example: None }
    }

    pub(super) const fn flag(key: &'static str, description: &'static str) -> Self {
        Self { key, value: OptionType::Flag, description, example: None }
    }

    pub(super) const fn url(
        key: &'static str,
        description: &'static str,
        example: &'static str,
    ) -> Self {
        Self { key, value: OptionType::Url, description, example: Some(example) }
    }

    pub(super) const fn such_as(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }
}

/// Every kind has this option.
pub(super) const MAX_ATTEMPTS: StoreOption = StoreOption {
    key: "max_attempts",
    value: OptionType::Count(11),
    description: "The most attempts for one request, the first one included.",
    example: None,
};

/// The options that a definition sets. Everything else comes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions(BTreeMap<&'static str, String>);

impl StoreOptions {
    /// Sets an option.
    pub fn set(&mut self, option: &'static StoreOption, value: impl Into<String>) {
        self.0.insert(option.key, value.into());
    }

    /// The value of an option, if it is set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All options that are set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// How often requests are retried, if that is set.
    pub(super) fn retries(&self) -> Option<RetryConfig> {
        let attempts: usize = self.get(MAX_ATTEMPTS.key)?.parse().ok()?;
        Some(RetryConfig { max_retries: attempts.saturating_sub(1), ..RetryConfig::default() })
    }
}

impl FromIterator<(&'static str, String)> for StoreOptions {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

/// Options that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionConflict {
    /// The option to blame.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: &'static str,
    /// What to write instead.
    pub help: &'static str,
}
