//! What the sample API serves, and to whom.

use secrecy::SecretString;

use super::error::SampleApiError;
use super::exports::{self, Export};

/// What the sample API serves, and to whom.
///
/// ```
/// # use flowlake::sample_api::SampleApi;
/// let api = SampleApi::new("demo", "a-key")?;
/// assert!(!format!("{api:?}").contains("a-key"));
/// # Ok::<(), flowlake::sample_api::SampleApiError>(())
/// ```
#[derive(Debug)]
pub struct SampleApi {
    pub(super) organisation_id: String,
    pub(super) api_key: SecretString,
    pub(super) purchasing: Export,
    pub(super) e_sourcing: Export,
}

impl SampleApi {
    /// Serves the exports of `data/` for this organisation and key.
    ///
    /// # Errors
    /// The exports are damaged.
    pub fn new(organisation_id: &str, api_key: &str) -> Result<Self, SampleApiError> {
        Ok(Self {
            organisation_id: organisation_id.to_owned(),
            api_key: SecretString::from(api_key),
            purchasing: Export::parse(exports::PURCHASING)?,
            e_sourcing: Export::parse(exports::E_SOURCING)?,
        })
    }
}
