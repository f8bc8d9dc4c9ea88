//! Plain Parquet tables: a manifest names the live files of each table, and readers may glob.

mod publish;

use async_trait::async_trait;

use super::{CommitError, Intent, Manifest, Snapshot, TableStore, json, layout};
use crate::store::Destination;

/// The plain Parquet tables of a destination.
#[derive(Debug, Clone)]
pub(super) struct ParquetTables {
    destination: Destination,
}

impl ParquetTables {
    pub(super) fn new(destination: Destination) -> Self {
        Self { destination }
    }
}

#[async_trait]
impl TableStore for ParquetTables {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    async fn committed(&self) -> Result<Snapshot, CommitError> {
        let mut manifests = Vec::new();
        for listed in self.destination.list(&layout::manifests()).await? {
            manifests.extend(json::read::<Manifest>(&self.destination, &listed.path).await?);
        }
        let state = json::read(&self.destination, &layout::state()).await?;
        Ok(Snapshot::new(manifests, state))
    }

    async fn roll_forward(&self, sequence: u64, intent: &Intent) -> Result<(), CommitError> {
        publish::roll_forward(&self.destination, sequence, intent).await
    }
}
