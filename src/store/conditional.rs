//! Conditional writes: of several writers of one file, one succeeds.
//!
//! | operation | request | local disk |
//! |---|---|---|
//! | create a file that must not exist | `If-None-Match: *`, or generation 0 | link or rename that fails if it exists |
//! | replace a file that must not have changed | `If-Match` with its `ETag`, or its generation | looks first: a file lock keeps others out |
//!
//! The lock and the commit rely on both. [`Destination::try_out`] checks that the store honours them.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::destination::Destination;
use super::error::{DestinationError, IgnoredCondition};
use super::version::ObjectVersion;

/// The outcome of creating a file.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The file was created, as this version.
    Created(ObjectVersion),
    /// There was a file already. It is unchanged.
    AlreadyExists,
}

/// The outcome of replacing a file.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplaceOutcome {
    /// The file was replaced. It is this version now.
    Replaced(ObjectVersion),
    /// Another writer changed the file first. It is as that writer left it.
    Conflict,
}

impl Destination {
    /// Creates a file unless there is one.
    ///
    /// # Errors
    /// The store fails, or has no conditional writes.
    pub async fn create(
        &self,
        path: &Path,
        content: Bytes,
    ) -> Result<CreateOutcome, DestinationError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, content.into(), options).await {
            Ok(created) => {
                self.sync_names([path]).await?;
                Ok(CreateOutcome::Created(created.into()))
            }
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                Ok(CreateOutcome::AlreadyExists)
            }
            Err(StoreError::NotSupported { .. } | StoreError::NotImplemented { .. }) => {
                Err(self.unfit(path, IgnoredCondition::NoCreate))
            }
            Err(source) => Err(self.error("create", path)(source)),
        }
    }

    /// The version of a file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn version(&self, path: &Path) -> Result<ObjectVersion, DestinationError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(ObjectVersion::from(&meta)),
            Err(StoreError::NotFound { .. }) => Ok(ObjectVersion::Absent),
            Err(source) => Err(self.error("look at", path)(source)),
        }
    }

    /// Replaces a file if it still has the version `seen`. On local disk it is compared first, so a file lock has to keep
    /// other processes out.
    ///
    /// # Errors
    /// The store fails, or has no conditional writes.
    pub async fn replace(
        &self,
        path: &Path,
        content: Bytes,
        seen: ObjectVersion,
    ) -> Result<ReplaceOutcome, DestinationError> {
        let mode = match seen {
            ObjectVersion::Absent => PutMode::Create,
            ObjectVersion::Present(UpdateVersion { e_tag: None, version: None }) => {
                return Err(self.unfit(path, IgnoredCondition::NoVersion));
            }
            ObjectVersion::Present(version) => PutMode::Update(version),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(path, content.into(), options).await {
            Ok(replaced) => {
                self.sync_names([path]).await?;
                Ok(ReplaceOutcome::Replaced(replaced.into()))
            }
            Err(
                StoreError::AlreadyExists { .. }
                | StoreError::Precondition { .. }
                | StoreError::NotFound { .. },
            ) => Ok(ReplaceOutcome::Conflict),
            Err(source) => Err(self.error("write", path)(source)),
        }
    }

    pub(super) fn unfit(&self, path: &Path, condition: IgnoredCondition) -> DestinationError {
        DestinationError::ignores_condition(path, &self.shown, condition)
    }
}
