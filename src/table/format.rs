//! Formats: chooses the [`TableStore`] of a destination. The one place where a format is registered.

use std::sync::Arc;

use super::TableStore;
use super::parquet::ParquetTables;
use crate::store::Destination;

/// Opens the tables of a destination.
#[must_use]
pub fn open(destination: &Destination) -> Arc<dyn TableStore> {
    Arc::new(ParquetTables::new(destination.clone()))
}
