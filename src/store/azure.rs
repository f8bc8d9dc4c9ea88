//! Azure Blob Storage, also with a hierarchical namespace (Data Lake Storage Gen2).
//!
//! Options have the names that `object_store` gives them and go before the environment. The first credentials found are
//! used: a token, the account key, a workload identity (`federated_token_file`), a service principal, a SAS token, the
//! Azure CLI, the managed identity.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{CopyMode, Error as StoreError, ObjectStore};

use super::kind::{MAX_ATTEMPTS, StoreKind, StoreOption, StoreOptions};

/// Azure Blob Storage.
pub(super) static AZURE: StoreKind = StoreKind {
    name: "Azure",
    schemes: &["az", "azure", "abfs", "abfss"],
    bucket: "container",
    names_accounts: true,
    section: "azure",
    description: "How an Azure container is reached. What is left out comes from `AZURE_…` variables.",
    options: &[
        StoreOption::text("account_name", "The storage account, unless the URL names it.")
            .such_as("companylake"),
        StoreOption::url(
            "endpoint",
            "The URL of the account, if it is not `https://ACCOUNT.blob.core.windows.net`.",
            "https://companylake.blob.core.chinacloudapi.cn",
        ),
        StoreOption::text("client_id", "The client of a service principal or managed identity."),
        StoreOption::text("tenant_id", "The tenant of a service principal or workload identity."),
        StoreOption::url(
            "authority_host",
            "The server that issues tokens.",
            "https://login.microsoftonline.com",
        ),
        StoreOption::text("federated_token_file", "The token file of a workload identity."),
        StoreOption::text("object_id", "The object of a managed identity."),
        StoreOption::text("msi_resource_id", "The resource of a managed identity."),
        StoreOption::flag("use_azure_cli", "Whether to take tokens from the Azure CLI."),
        StoreOption::flag("use_fabric_endpoint", "Whether the account is one of Microsoft Fabric."),
        StoreOption::flag("use_emulator", "Whether to use Azurite on this machine."),
        MAX_ATTEMPTS,
    ],
    secrets: &[
        ("access_key", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("account_key", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("master_key", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("client_secret", "AZURE_STORAGE_CLIENT_SECRET"),
        ("sas_key", "AZURE_STORAGE_SAS_TOKEN"),
        ("sas_token", "AZURE_STORAGE_SAS_TOKEN"),
        ("bearer_token", "AZURE_STORAGE_TOKEN"),
        ("token", "AZURE_STORAGE_TOKEN"),
    ],
    check: None,
    open,
    copies_in_background: true,
    copy_if_absent: Some(CopyMode::Create),
};

/// Nothing says which storage account to use.
#[derive(Debug, thiserror::Error)]
#[error(
    "no storage account is named; set `account_name` in `[destination.azure]`, or AZURE_STORAGE_ACCOUNT_NAME"
)]
struct NoAccount;

fn open(container: &str, options: &StoreOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    // The URL may name the account: `container@account.dfs.core.windows.net`.
    let url = format!("abfss://{container}/");
    let mut builder = MicrosoftAzureBuilder::from_env().with_url(url);
    for (name, value) in options.iter().filter(|(name, _)| *name != MAX_ATTEMPTS.key) {
        builder = builder.with_config(name.parse()?, value);
    }
    if let Some(endpoint) = options.get("endpoint") {
        // A path segment is added to it, and an empty one would stay.
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/').to_owned())
            .with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(retries) = options.retries() {
        builder = builder.with_retry(retries);
    }
    let is_set = |key| builder.get_config_value(&key);
    let is_emulator = is_set(AzureConfigKey::UseEmulator).is_some_and(|value| value == "true");
    if is_set(AzureConfigKey::AccountName).is_none() && !is_emulator && !container.contains('@') {
        return Err(StoreError::Generic { store: "Azure", source: NoAccount.into() });
    }
    Ok(Arc::new(builder.build()?))
}
