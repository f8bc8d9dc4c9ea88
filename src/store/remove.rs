//! Removing files: by name, never through a symbolic link, never a directory that holds something.

use futures::StreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};

use super::destination::Destination;
use super::error::DestinationError;
use super::local::local_error;
use super::own_directory::WITHOUT_LOCK;

impl Destination {
    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// The store fails, or the file is behind a symbolic link.
    pub async fn delete(&self, path: &Path) -> Result<(), DestinationError> {
        match self.store.delete(path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.error("delete", path)(source)),
        }
    }

    /// Removes files, many at once: a thousand by one request to S3. A missing file is no error. On local disk it is
    /// durable.
    ///
    /// # Errors
    /// The store fails, or a file is behind a symbolic link. Other files may have been removed.
    pub async fn delete_all(&self, paths: &[Path]) -> Result<(), DestinationError> {
        let Some(first) = paths.first() else { return Ok(()) };
        let mut failed = None;
        let mut removals =
            self.store.delete_stream(futures::stream::iter(paths.to_vec()).map(Ok).boxed());
        while let Some(removed) = removals.next().await {
            match removed {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(source) = failed {
            return Err(self.error("delete", first)(source));
        }
        let Some(local) = self.local.clone() else { return Ok(()) };
        let files: Vec<_> = paths.iter().map(|path| local.file(path)).collect();
        let synced = local.on_files(move |local| local.sync_removals(&files)).await;
        synced.map_err(|source| self.error("delete", first)(local_error(source)))
    }

    /// Removes what killed writers have left, on local disk: temporary files, and the directories of runs that had staged
    /// none yet. Only for the holder of a lock that ends with its process.
    ///
    /// # Errors
    /// A directory cannot be read, or a file cannot be removed.
    pub async fn remove_leftovers(&self) -> Result<(), DestinationError> {
        let Some(local) = self.local.clone() else { return Ok(()) };
        let own = self.own_files();
        let directory = local.file(&own);
        let removed =
            local.on_files(move |local| local.remove_temporary(&directory, &WITHOUT_LOCK));
        removed.await.map_err(|source| self.error("clean", &own)(local_error(source)))?;
        self.remove_empty_staging().await
    }

    /// Removes the directories of runs in staging that have no file any more, on local disk.
    pub(super) async fn remove_empty_staging(&self) -> Result<(), DestinationError> {
        let Some(local) = self.local.clone() else { return Ok(()) };
        let staging = self.own("staging");
        let directory = local.file(&staging);
        let removed = local.on_files(move |local| local.remove_empty_in(&directory)).await;
        removed.map_err(|source| self.error("clean", &staging)(local_error(source)))
    }

    /// Refuses files of which a directory is a symbolic link: they could be written, and never be removed.
    ///
    /// # Errors
    /// One of them is behind a symbolic link.
    pub async fn refuse_links(
        &self,
        paths: impl IntoIterator<Item = Path>,
    ) -> Result<(), DestinationError> {
        let Some(local) = self.local.clone() else { return Ok(()) };
        let paths: Vec<Path> = paths.into_iter().collect();
        let refused = local.on_files(move |local| {
            let mut refused =
                paths.into_iter().map(|path| (local.refuse_behind_link(&local.file(&path)), path));
            refused.find_map(|(found, path)| Some((path, found.err()?)))
        });
        match refused.await {
            Some((path, source)) => Err(self.error("write", &path)(local_error(source))),
            None => Ok(()),
        }
    }
}
