//! Google Cloud Storage.
//!
//! Options have the names that `object_store` gives them and go before the environment. The first credentials found are
//! used: a service account, the application default credentials (a file, or those of `gcloud`), the service account of
//! the instance.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{CopyMode, Error as StoreError, ObjectStore};

use super::kind::{MAX_ATTEMPTS, StoreKind, StoreOption, StoreOptions};

/// Google Cloud Storage.
pub(super) static GCS: StoreKind = StoreKind {
    name: "Google Cloud Storage",
    schemes: &["gs"],
    bucket: "bucket",
    names_accounts: false,
    section: "gcs",
    description: "How a Google Cloud Storage bucket is reached. What is left out comes from `GOOGLE_…` variables.",
    options: &[
        StoreOption::text("service_account", "The key file of a service account.")
            .such_as("/run/secrets/gcs.json"),
        StoreOption::text(
            "application_credentials",
            "The file with application default credentials.",
        ),
        StoreOption::url(
            "base_url",
            "The server, if it is not Google's.",
            "https://storage.googleapis.com",
        ),
        MAX_ATTEMPTS,
    ],
    secrets: &[("service_account_key", "GOOGLE_SERVICE_ACCOUNT_KEY")],
    check: None,
    open,
    copies_in_background: false,
    // `object_store` 0.13 has the two modes the wrong way round for this store.
    copy_if_absent: Some(CopyMode::Overwrite),
};

fn open(bucket: &str, options: &StoreOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
    for (name, value) in options.iter().filter(|(name, _)| *name != MAX_ATTEMPTS.key) {
        builder = builder.with_config(name.parse()?, value);
    }
    if let Some(url) = options.get("base_url") {
        // A path is added to it.
        builder = builder.with_base_url(url.trim_end_matches('/'));
    }
    if let Some(retries) = options.retries() {
        builder = builder.with_retry(retries);
    }
    Ok(Arc::new(builder.build()?))
}
