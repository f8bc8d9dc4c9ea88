//! A destination: reading, writing, listing, moving and removing its files.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{CopyMode, Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::error::DestinationError;
use super::kind::StoreKind;
use super::local::{LocalDisk, LocalRoot, SyncCounts, link_nameless, local_error};
use super::own_directory::OWN_DIRECTORY;
use super::raw_mode::RawMode;
use super::upload::{SINGLE_PUT_BYTES, put_stream};
use super::url::{BucketUrl, DestinationUrl};
use super::version::ObjectVersion;

/// How long files that are being written are waited for.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A file of the destination.
#[derive(Debug, Clone)]
pub struct ListedFile {
    /// Its path.
    pub path: Path,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// An open destination.
#[derive(Debug, Clone)]
pub struct Destination {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The directory, on local disk.
    pub(super) local: Option<LocalRoot>,
    /// Whether files may be linked into the directory, without the store.
    can_link: bool,
    /// Whether a copy may still be running when the store has answered.
    pub(super) copies_in_background: bool,
    /// How to ask for a copy only if there is no target, where the store has that.
    pub(super) copy_if_absent: Option<CopyMode>,
    /// How many bytes the store puts in front of a path.
    pub(super) prefix_bytes: usize,
    pub(super) shown: String,
    /// The pipeline whose files these are, where several share the destination.
    pub(super) pipeline: Option<Arc<str>>,
    /// A file was read here, so the bucket is there.
    is_known: Arc<AtomicBool>,
}

impl Destination {
    /// Opens a destination. A missing directory is created.
    ///
    /// # Errors
    /// The directory cannot be created, or the settings of the store are incomplete.
    pub fn open(url: &DestinationUrl) -> Result<Self, DestinationError> {
        let opened = match url {
            DestinationUrl::Local(directory) => Self::open_directory(directory, url),
            DestinationUrl::Bucket(bucket) => Self::open_bucket(bucket, url),
        };
        opened.map_err(|source| DestinationError {
            action: "open",
            path: None,
            destination: url.to_string(),
            source,
        })
    }

    fn open_directory(
        directory: &std::path::Path,
        url: &DestinationUrl,
    ) -> Result<Self, StoreError> {
        let local = LocalRoot::open(directory).map_err(local_error)?;
        let prefix_bytes = local.prefix_bytes();
        let store = Arc::new(LocalDisk::of(local.clone()));
        let opened = Self::of_store(store, &url.to_string());
        Ok(Self { local: Some(local), can_link: true, prefix_bytes, ..opened })
    }

    fn open_bucket(bucket: &BucketUrl, url: &DestinationUrl) -> Result<Self, StoreError> {
        crate::shown::remember_credentials();
        let mut store = (bucket.kind.open)(&bucket.bucket, &bucket.options)?;
        let prefix_bytes = Path::from(bucket.prefix.as_str()).as_ref().len() + 1;
        if !bucket.prefix.is_empty() {
            store = Arc::new(PrefixStore::new(store, bucket.prefix.as_str()));
        }
        let StoreKind { copies_in_background, copy_if_absent, .. } = *bucket.kind;
        let opened = Self::of_store(store, &url.to_string());
        Ok(Self { copies_in_background, copy_if_absent, prefix_bytes, ..opened })
    }

    /// A destination in any store, for tests.
    #[must_use]
    pub fn of_store(store: Arc<dyn ObjectStore>, shown: &str) -> Self {
        Self {
            store,
            local: None,
            can_link: false,
            copies_in_background: false,
            copy_if_absent: None,
            prefix_bytes: 0,
            shown: shown.to_owned(),
            pipeline: None,
            is_known: Arc::default(),
        }
    }

    /// The same destination for one of the pipelines that share it: each has files of its own beside the tables.
    #[must_use]
    pub fn shared_by(self, pipeline: &str) -> Self {
        Self { pipeline: Some(pipeline.into()), ..self }
    }

    /// Whether several pipelines share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.pipeline.is_some()
    }

    /// Who may read raw data on local disk, from now on.
    pub fn set_raw_mode(&self, mode: RawMode) {
        if let Some(local) = &self.local {
            local.set_raw_mode(&self.own_files(), mode);
        }
    }

    /// The parts of flowlake's own directory with raw data that this user may not read. They are not listed.
    #[must_use]
    pub fn closed_areas(&self) -> Vec<&'static str> {
        let areas = self.local.as_ref().map(|local| local.closed_areas(&self.own_files()));
        areas.unwrap_or_default()
    }

    /// The mode of a file on local disk that only those who read raw data may open.
    #[must_use]
    pub fn raw_mode(&self) -> RawMode {
        let mode = self.local.as_ref().map(|local| local.raw_mode(&self.own_files()));
        mode.unwrap_or_default()
    }

    /// Refuses a bucket that is not there. Some stores create a missing one on a write; none of them lists one.
    ///
    /// # Errors
    /// The store fails, or has no such bucket.
    pub async fn refuse_missing_bucket(&self) -> Result<(), DestinationError> {
        if !self.is_known.load(Ordering::Relaxed) {
            self.list(&self.own_files().join("none")).await?;
        }
        Ok(())
    }

    /// The same destination with its store wrapped in another one that sees every write, for tests.
    #[must_use]
    pub fn wrapped(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { store: wrap(self.store), can_link: false, ..self }
    }

    /// Whether the destination is on local disk.
    pub(super) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    pub(super) fn error(
        &self,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(StoreError) -> DestinationError {
        let (path, destination) = (Some(path.clone()), self.shown.clone());
        move |source| DestinationError { action, path, destination, source }
    }

    /// The content of a file; `None` when there is no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn get(&self, path: &Path) -> Result<Option<Bytes>, DestinationError> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(content) => Ok(Some(content)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("read", path)(source)),
        }
    }

    /// The content of a file, a part at a time; `None` when there is no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn get_stream(
        &self,
        path: &Path,
    ) -> Result<Option<BoxStream<'_, Result<Bytes, DestinationError>>>, DestinationError> {
        let path = path.clone();
        match self.store.get(&path).await {
            Ok(found) => {
                let parts = found.into_stream();
                Ok(Some(parts.map_err(move |source| self.error("read", &path)(source)).boxed()))
            }
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("read", &path)(source)),
        }
    }

    /// The content of a file and its version, by one request; `None` when there is no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn get_versioned(
        &self,
        path: &Path,
    ) -> Result<Option<(Bytes, ObjectVersion)>, DestinationError> {
        let read = async {
            let found = self.store.get(path).await?;
            let version = ObjectVersion::from(&found.meta);
            Ok((found.bytes().await?, version))
        };
        match read.await {
            Ok(found) => {
                self.is_known.store(true, Ordering::Relaxed);
                Ok(Some(found))
            }
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("read", path)(source)),
        }
    }

    /// The path of a file in the file system, on local disk.
    #[must_use]
    pub fn local_file(&self, path: &Path) -> Option<PathBuf> {
        Some(self.local.as_ref()?.file(path))
    }

    /// Opens a file on local disk; `None` in an object store.
    #[must_use]
    pub fn open_local(&self, path: &Path) -> Option<Result<File, DestinationError>> {
        let opened = File::open(self.local_file(path)?);
        Some(opened.map_err(|error| {
            let source = StoreError::Generic { store: "local disk", source: Box::new(error) };
            self.error("read", path)(source)
        }))
    }

    /// When a file was last written, by the store's clock; `None` when there is no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn modified(&self, path: &Path) -> Result<Option<DateTime<Utc>>, DestinationError> {
        Ok(self.metadata(path).await?.map(|meta| meta.last_modified))
    }

    /// The size of a file; `None` when there is no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn size(&self, path: &Path) -> Result<Option<u64>, DestinationError> {
        Ok(self.metadata(path).await?.map(|meta| meta.size))
    }

    pub(super) async fn metadata(
        &self,
        path: &Path,
    ) -> Result<Option<ObjectMeta>, DestinationError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("look at", path)(source)),
        }
    }

    /// Writes a file, replacing the one that is there, and gives back its version. Readers see the old content or the new
    /// one. On local disk, content and name are on disk.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put(
        &self,
        path: &Path,
        content: Bytes,
    ) -> Result<ObjectVersion, DestinationError> {
        let version = self.stage(path, content).await?;
        self.sync_names([path]).await?;
        Ok(version)
    }

    /// Writes what a reader gives, of any length, with little of it in memory; else like [`put`](Self::put).
    ///
    /// # Errors
    /// The store or the reader fails.
    pub async fn put_stream(
        &self,
        path: &Path,
        content: impl Read + Send + 'static,
    ) -> Result<ObjectVersion, DestinationError> {
        let version = self.stage_stream(path, content).await?;
        self.sync_names([path]).await?;
        Ok(version)
    }

    /// Writes a file like [`put`](Self::put). On local disk its content is on disk; its name may not be, until
    /// [`sync_names`](Self::sync_names) is called for it and others.
    ///
    /// # Errors
    /// The store fails.
    pub async fn stage(
        &self,
        path: &Path,
        content: Bytes,
    ) -> Result<ObjectVersion, DestinationError> {
        if content.len() > SINGLE_PUT_BYTES && !self.is_local() {
            return self.stage_stream(path, Cursor::new(content)).await;
        }
        let written = self.store.put(path, content.into()).await;
        Ok(written.map_err(self.error("write", path))?.into())
    }

    /// Writes what a reader gives, of any length, with little of it in memory; else like [`stage`](Self::stage).
    ///
    /// # Errors
    /// The store or the reader fails.
    pub async fn stage_stream(
        &self,
        path: &Path,
        content: impl Read + Send + 'static,
    ) -> Result<ObjectVersion, DestinationError> {
        let written = put_stream(self.store.as_ref(), path, content).await;
        Ok(written.map_err(self.error("write", path))?.into())
    }

    /// Gives a file without a name its name in the destination, which saves a copy. Returns whether that was possible:
    /// only on local disk, for a file on the same file system that was created without a name.
    ///
    /// # Errors
    /// The file, or its name, cannot be synced.
    pub async fn adopt(&self, file: Arc<File>, path: &Path) -> Result<bool, DestinationError> {
        let Some(local) = self.local.clone().filter(|_| self.can_link) else {
            return Ok(false);
        };
        // A disk reports a failed write once, so a failed sync must not be followed by a copy.
        let target = local.file(path);
        let linked = local.on_files(move |local| {
            local.refuse_behind_link(&target)?;
            local.protect(&file, &target)?;
            local.sync_file(&file)?;
            let made = target.parent().map_or(Ok(()), |directory| local.make_directory(directory));
            Ok(made.is_ok() && link_nameless(&file, &target))
        });
        let linked = linked.await;
        let linked = linked.map_err(|source| self.error("sync", path)(local_error(source)))?;
        if linked {
            self.sync_names([path]).await?;
        }
        Ok(linked)
    }

    /// The files under a directory, by path.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list(&self, directory: &Path) -> Result<Vec<ListedFile>, DestinationError> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(directory)).try_collect().await;
        Ok(by_path(listed.map_err(self.error("list", directory))?))
    }

    /// The files under a directory whose paths come after one, by path.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_after(
        &self,
        directory: &Path,
        after: &Path,
    ) -> Result<Vec<ListedFile>, DestinationError> {
        let listed = self.store.list_with_offset(Some(directory), after).try_collect().await;
        Ok(by_path(listed.map_err(self.error("list", directory))?))
    }

    /// Whether there is any file of flowlake's own.
    ///
    /// # Errors
    /// The store fails.
    pub(super) async fn has_own_files(&self) -> Result<bool, DestinationError> {
        // Of a lake that pipelines share, any of them has begun it.
        let own = Path::from(OWN_DIRECTORY);
        let looked = self.local_file(&own).map(std::fs::read_dir);
        if let Some(Err(error)) = looked
            && error.kind() == std::io::ErrorKind::PermissionDenied
        {
            return Err(self.directory_error("list", error));
        }
        let first = self.store.list(Some(&own)).try_next().await;
        Ok(first.map_err(self.error("list", &own))?.is_some())
    }

    /// The temporary files of writers that were killed, on local disk. The store does not list them.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub async fn temporary_files(&self) -> Result<Vec<PathBuf>, DestinationError> {
        let Some(local) = self.local.clone() else { return Ok(Vec::new()) };
        // Other pipelines may be writing theirs.
        let within = self.is_shared().then(|| self.own_files());
        let found = local.on_files(move |local| local.temporary_files(within.as_ref())).await;
        found.map_err(|source| self.directory_error("list", source))
    }

    /// Removes temporary files. Only safe while nobody else writes.
    ///
    /// # Errors
    /// A directory cannot be read, or a file cannot be removed.
    pub async fn remove_temporary_files(&self) -> Result<(), DestinationError> {
        let found = self.temporary_files().await?;
        let Some(local) = self.local.clone() else { return Ok(()) };
        let removed = local.on_files(move |_| found.iter().try_for_each(remove_file)).await;
        removed.map_err(|source| self.directory_error("clean", source))
    }

    fn directory_error(&self, action: &'static str, source: std::io::Error) -> DestinationError {
        let (destination, source) = (self.shown.clone(), local_error(source));
        DestinationError { action, path: None, destination, source }
    }

    /// A change of local disk that ends when this is dropped.
    #[cfg(test)]
    pub(crate) fn change_without_end(&self) -> impl Sized + use<> {
        self.local.as_ref().map(LocalRoot::work_without_end)
    }

    /// Waits for changes of local disk whose futures were dropped, though not for a disk that hangs; returns whether they
    /// have ended. What a request to a store has begun cannot be waited for.
    pub async fn settle(&self) -> bool {
        let Some(local) = &self.local else { return true };
        tokio::time::timeout(SETTLE_TIMEOUT, local.settle()).await.is_ok()
    }

    /// Waits until the disk has the names of files, with one sync a directory. Other stores have them when they answer.
    ///
    /// # Errors
    /// A directory cannot be synced.
    pub async fn sync_names(
        &self,
        paths: impl IntoIterator<Item = &Path>,
    ) -> Result<(), DestinationError> {
        let Some(local) = self.local.clone() else { return Ok(()) };
        let files: Vec<PathBuf> = paths.into_iter().map(|path| local.file(path)).collect();
        let synced = local.on_files(move |local| local.sync_names(&files)).await;
        synced.map_err(|source| self.directory_error("sync", source))
    }

    /// How often files and directories were synced; `None` for a store that is no directory. For tests.
    #[must_use]
    pub fn syncs(&self) -> Option<SyncCounts> {
        Some(self.local.as_ref()?.syncs())
    }
}

/// Removes a file that its writer may remove, or rename, at the same moment.
fn remove_file(path: &PathBuf) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn by_path(listed: Vec<ObjectMeta>) -> Vec<ListedFile> {
    let files = listed.into_iter().map(|meta| ListedFile {
        path: meta.location,
        bytes: meta.size,
        modified: meta.last_modified,
    });
    let mut files: Vec<ListedFile> = files.collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_whose_writer_was_faster_is_gone_already() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("f#1");
        std::fs::write(&file, "x").unwrap();
        for _ in 0..2 {
            remove_file(&file).unwrap();
        }
        assert!(remove_file(&directory.path().to_owned()).is_err(), "a directory is no file");
    }
}
