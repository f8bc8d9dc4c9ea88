//! The destination: the object store that holds the lake, local disk or S3, and the names in it.
//!
//! All reading and writing of the lake goes through here, so that an error always says what was done to
//! what, and local files are on disk before anything relies on them.

mod s3;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    UpdateVersion,
};

use crate::definition::DestinationUrl;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::runtime::on_cpu;
use crate::schema::RunId;

/// The most bytes in the name of a directory or file on the usual file systems.
const MOST_NAME_BYTES: usize = 255;
/// What the name of a file is longer by while it is being written.
const WHILE_WRITTEN_BYTES: usize = 8;
/// The most bytes in a key of S3, and in a path on the strictest systems.
const MOST_PATH_BYTES: usize = 1024;
/// 128 bits of a hash, since some stores keep a name, encoded, in a name of their own.
const STAGED_NAME_DIGITS: usize = 32;
/// Larger files go to S3 in parts.
const SINGLE_PUT_BYTES: usize = 16 << 20;
/// The size of these parts; S3 takes none that are smaller than 5 MiB, and ten thousand of them.
const PART_BYTES: usize = 6 << 20;
/// How many parts of a file are on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// Something could not be done to the destination.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}the destination {destination}: {source}", within(.path.as_ref()))]
pub struct DestinationError {
    action: &'static str,
    /// The file or directory in it, unless it is the whole.
    path: Option<Path>,
    destination: String,
    source: StoreError,
}

impl DestinationError {
    /// Whether it is not that something failed, but that the store does not do what a commit relies on.
    #[must_use]
    pub fn is_unfit(&self) -> bool {
        self.action == RELY_ON
    }
}

impl Failure for DestinationError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Destination
    }

    fn help(&self) -> Option<String> {
        let help = if self.is_unfit() {
            "two runs at once could both commit there; keep the tables on local disk, or in a store with conditional \
             writes (`If-None-Match`)"
        } else {
            advice::CHECK_DESTINATION
        };
        Some(help.to_owned())
    }
}

/// What cannot be done with a store that ignores conditions.
const RELY_ON: &str = "rely on";

/// A file that no store could keep under its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a file cannot be called `{}…`: {what} has {bytes} bytes, and {most} is the most", .path.chars().take(80).collect::<String>())]
pub struct NameTooLong {
    path: String,
    what: &'static str,
    bytes: usize,
    most: usize,
}

async fn upload_parts(
    upload: &mut dyn MultipartUpload,
    first: Bytes,
    mut content: impl Read + Send + 'static,
) -> Result<(), StoreError> {
    let mut under_way = FuturesUnordered::new();
    let mut part = first;
    while !part.is_empty() {
        if under_way.len() == PARTS_AT_ONCE {
            under_way.try_next().await?;
        }
        under_way.push(upload.put_part(part.into()));
        (part, content) = next_part(content).await?;
    }
    under_way.try_collect::<()>().await?;
    upload.complete().await?;
    Ok(())
}

/// The next part of a file; a shorter one at the end, and an empty one behind it.
async fn next_part<R: Read + Send + 'static>(mut content: R) -> Result<(Bytes, R), StoreError> {
    on_cpu(move || {
        let mut part = Vec::with_capacity(PART_BYTES);
        match content.by_ref().take(PART_BYTES as u64).read_to_end(&mut part) {
            Ok(_) => Ok((Bytes::from(part), content)),
            Err(source) => Err(StoreError::Generic { store: "upload", source: source.into() }),
        }
    })
    .await
}

/// Links a file that has no name yet at `target`; whether that can be done.
#[cfg(target_os = "linux")]
fn link(file: &File, target: &std::path::Path) -> bool {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    let has_directory = target.parent().is_none_or(|it| std::fs::create_dir_all(it).is_ok());
    has_directory && linkat(CWD, nameless, CWD, target, AtFlags::SYMLINK_FOLLOW).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &std::path::Path) -> bool {
    false
}

/// The store writes `name` as `name#1`, or with another number, and renames it then.
fn half_written_in(directory: &std::path::Path) -> std::io::Result<Vec<PathBuf>> {
    let is_half_written = |name: &str| {
        let number = name.rsplit_once('#').map(|(_, number)| number);
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(half_written_in(&entry.path())?);
        } else if entry.file_name().to_str().is_some_and(is_half_written) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn within(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!("`{path}` in "))
}

/// What became of an attempt to create a file.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is there now and was not before.
    Created,
    /// It was there already, and is as it was.
    Existed,
}

/// What became of an attempt to replace a file.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It is as it was to be.
    Replaced,
    /// Somebody else changed it since it was looked at, and it is as they left it.
    Changed,
}

/// A file as it was looked at.
#[derive(Debug, Clone)]
pub enum Version {
    /// It was not there.
    Absent,
    /// It was there, with the store's own mark.
    Of(UpdateVersion),
}

/// A file of the destination.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Where it is.
    pub path: Path,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// An open destination.
#[derive(Debug, Clone)]
pub struct Destination {
    store: Arc<dyn ObjectStore>,
    /// The directory, on local disk.
    directory: Option<PathBuf>,
    /// Files may be given a name in the directory, past the store.
    adopts: bool,
    /// How many bytes the store has in front of the paths in it.
    prefix_bytes: usize,
    shown: String,
}

impl Destination {
    /// Opens a destination to look at it; `None` when its directory is not there.
    ///
    /// # Errors
    /// The directory cannot be read, or the AWS environment is incomplete.
    pub fn open_existing(url: &DestinationUrl) -> Result<Option<Self>, DestinationError> {
        match url {
            DestinationUrl::Local(directory) if !directory.exists() => Ok(None),
            _ => Self::open(url).map(Some),
        }
    }

    /// Opens a destination; a directory that is not there is made.
    ///
    /// # Errors
    /// The directory cannot be made, or the AWS environment is incomplete.
    pub fn open(url: &DestinationUrl) -> Result<Self, DestinationError> {
        let error = |source| DestinationError {
            action: "open",
            path: None,
            destination: url.to_string(),
            source,
        };
        match url {
            DestinationUrl::Local(directory) => {
                let made =
                    std::fs::create_dir_all(directory).and_then(|()| directory.canonicalize());
                let directory = made.map_err(|source| {
                    error(StoreError::Generic {
                        store: "LocalFileSystem",
                        source: Box::new(source),
                    })
                })?;
                // A partition without files is no directory either.
                let store = LocalFileSystem::new_with_prefix(&directory)
                    .map_err(error)?
                    .with_automatic_cleanup(true);
                Ok(Self {
                    store: Arc::new(store),
                    prefix_bytes: directory.as_os_str().len() + 1,
                    directory: Some(directory),
                    adopts: true,
                    shown: url.to_string(),
                })
            }
            DestinationUrl::S3 { bucket, prefix, options } => {
                let bucket = s3::open(bucket, options).map_err(error)?;
                let store: Arc<dyn ObjectStore> = if prefix.is_empty() {
                    Arc::new(bucket)
                } else {
                    Arc::new(PrefixStore::new(bucket, prefix.as_str()))
                };
                let prefix_bytes = Path::from(prefix.as_str()).as_ref().len() + 1;
                let (directory, adopts) = (None, false);
                Ok(Self { store, directory, adopts, prefix_bytes, shown: url.to_string() })
            }
        }
    }

    /// A destination in any store, for tests.
    #[must_use]
    pub fn of_store(store: Arc<dyn ObjectStore>, shown: &str) -> Self {
        let (directory, adopts) = (None, false);
        Self { store, directory, adopts, prefix_bytes: 0, shown: shown.to_owned() }
    }

    /// The same destination with its store in another one, which sees all that is written, for tests.
    #[must_use]
    pub fn wrapped(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { store: wrap(self.store), adopts: false, ..self }
    }

    /// The directory that flowlake keeps its own files in; engines ignore names with an underscore.
    #[must_use]
    pub fn own(name: &str) -> Path {
        Path::from_iter(["_flowlake", name])
    }

    /// Where the report of a run lies, once it has ended.
    #[must_use]
    pub fn report(run_id: &str) -> Path {
        Self::own("runs").join(format!("{run_id}.json"))
    }

    /// Where the files of a run lie before they are published.
    #[must_use]
    pub fn staging(run_id: &RunId) -> Path {
        Self::own("staging").join(run_id.as_str())
    }

    /// Where one of them lies, under a name that is short whatever it will be called.
    #[must_use]
    pub fn staged(run_id: &RunId, target: &Path) -> Path {
        let hash = blake3::hash(target.as_ref().as_bytes()).to_hex();
        Self::staging(run_id).join(format!("{}.staged", &hash[..STAGED_NAME_DIGITS]))
    }

    /// Refuses a path that could not be published here, or not be copied to another store.
    ///
    /// # Errors
    /// It, or one of its parts, is too long.
    pub fn check_name(&self, path: &Path) -> Result<(), NameTooLong> {
        let refuse =
            |what, bytes, most| Err(NameTooLong { path: path.to_string(), what, bytes, most });
        let bytes = path.as_ref().len();
        let most = MOST_PATH_BYTES.saturating_sub(self.prefix_bytes);
        if bytes > most {
            return refuse("its path in the destination", bytes, most);
        }
        let parts: Vec<usize> = path.parts().map(|part| part.as_ref().len()).collect();
        let Some((file, directories)) = parts.split_last() else { return Ok(()) };
        if let Some(bytes) = directories.iter().find(|bytes| **bytes > MOST_NAME_BYTES) {
            return refuse("the name of a directory", *bytes, MOST_NAME_BYTES);
        }
        let most = MOST_NAME_BYTES - WHILE_WRITTEN_BYTES;
        if *file > most {
            return refuse("its own name", *file, most);
        }
        Ok(())
    }

    fn error(
        &self,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(StoreError) -> DestinationError {
        let (path, destination) = (Some(path.clone()), self.shown.clone());
        move |source| DestinationError { action, path, destination, source }
    }

    /// The content of a file, or `None` when it is not there.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn get(&self, path: &Path) -> Result<Option<Bytes>, DestinationError> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(content) => Ok(Some(content)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("read", path)(source)),
        }
    }

    /// Where a file is in the file system, on local disk.
    #[must_use]
    pub fn local_file(&self, path: &Path) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        Some(path.parts().fold(directory.clone(), |file, part| file.join(part.as_ref())))
    }

    /// When a file was last written, by the store's clock; `None` when there is none.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn modified(&self, path: &Path) -> Result<Option<DateTime<Utc>>, DestinationError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.last_modified)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("look at", path)(source)),
        }
    }

    /// The size of a file, or `None` when it is not there.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn size(&self, path: &Path) -> Result<Option<u64>, DestinationError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("look at", path)(source)),
        }
    }

    /// Writes a file, replacing what was there. Nobody sees it half-written.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn put(&self, path: &Path, content: Bytes) -> Result<(), DestinationError> {
        if content.len() > SINGLE_PUT_BYTES && self.directory.is_none() {
            return self.put_stream(path, Cursor::new(content)).await;
        }
        self.store.put(path, content.into()).await.map_err(self.error("write", path))?;
        self.make_durable(path).await
    }

    /// Writes what a reader gives, of any length, with little of it in memory. Nobody sees it half-written.
    ///
    /// # Errors
    /// The store does not take it, or the reader fails.
    pub async fn put_stream(
        &self,
        path: &Path,
        content: impl Read + Send + 'static,
    ) -> Result<(), DestinationError> {
        let uploaded = async {
            let (first, content) = next_part(content).await?;
            if first.len() < PART_BYTES {
                self.store.put(path, first.into()).await?;
                return Ok(());
            }
            let mut upload = self.store.put_multipart(path).await?;
            let uploaded = upload_parts(upload.as_mut(), first, content).await;
            if uploaded.is_err() {
                // The parts cost money for as long as they lie there.
                let _ = upload.abort().await;
            }
            uploaded
        };
        uploaded.await.map_err(self.error("write", path))?;
        self.make_durable(path).await
    }

    /// Gives a file its name that has been written and has none yet, which spares copying it; returns whether that can be
    /// done: only on local disk, where the file lies on the same one and was made to be named later.
    ///
    /// # Errors
    /// The file, or its name, cannot be made durable.
    pub async fn adopt(&self, file: Arc<File>, path: &Path) -> Result<bool, DestinationError> {
        let Some(target) = self.local_file(path).filter(|_| self.adopts) else { return Ok(false) };
        // A disk tells once that it could not write, so that this may not be tried again as a copy.
        let linked = on_cpu(move || file.sync_all().map(|()| link(&file, &target)));
        let linked = linked.await.map_err(|source| self.sync_error(path, source))?;
        if linked {
            self.make_durable(path).await?;
        }
        Ok(linked)
    }

    /// Writes a file unless there is one.
    ///
    /// # Errors
    /// The store does not answer, or cannot create conditionally.
    pub async fn create(&self, path: &Path, content: Bytes) -> Result<Creation, DestinationError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, content.into(), options).await {
            Ok(_) => {
                self.make_durable(path).await?;
                Ok(Creation::Created)
            }
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                Ok(Creation::Existed)
            }
            Err(source) => Err(self.error("create", path)(source)),
        }
    }

    /// The version of a file.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn version(&self, path: &Path) -> Result<Version, DestinationError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Version::Of(UpdateVersion { e_tag: meta.e_tag, version: meta.version })),
            Err(StoreError::NotFound { .. }) => Ok(Version::Absent),
            Err(source) => Err(self.error("look at", path)(source)),
        }
    }

    /// Writes a file if it still is the version that was `seen`. Local disk and stores without conditional
    /// writes replace whatever there is.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn replace(
        &self,
        path: &Path,
        content: Bytes,
        seen: Version,
    ) -> Result<Replacement, DestinationError> {
        let mode = match seen {
            Version::Absent => PutMode::Create,
            Version::Of(UpdateVersion { e_tag: None, version: None }) => PutMode::Overwrite,
            Version::Of(version) => PutMode::Update(version),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(path, content.clone().into(), options).await {
            Ok(_) => {
                self.make_durable(path).await?;
                Ok(Replacement::Replaced)
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                self.put(path, content).await?;
                Ok(Replacement::Replaced)
            }
            Err(
                StoreError::AlreadyExists { .. }
                | StoreError::Precondition { .. }
                | StoreError::NotFound { .. },
            ) => Ok(Replacement::Changed),
            Err(source) => Err(self.error("write", path)(source)),
        }
    }

    /// Moves a file: by renaming on local disk, by copying and deleting elsewhere.
    ///
    /// # Errors
    /// The store does not do it.
    pub async fn rename(&self, from: &Path, to: &Path) -> Result<(), DestinationError> {
        self.store.rename(from, to).await.map_err(self.error("publish", to))?;
        self.make_durable(to).await
    }

    /// Removes a file; it is no error when it is not there.
    ///
    /// # Errors
    /// The store does not do it.
    pub async fn delete(&self, path: &Path) -> Result<(), DestinationError> {
        match self.store.delete(path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.error("delete", path)(source)),
        }
    }

    /// Tries whether files can be created, are kept from being created twice, and can be removed.
    ///
    /// # Errors
    /// One of these is not so; the commit could not rely on this destination.
    pub async fn try_out(&self, run_id: &RunId) -> Result<(), DestinationError> {
        let path = Self::own("check").join(run_id.as_str());
        let content = || Bytes::from_static(b"flowlake check");
        let _ = self.create(&path, content()).await?;
        let again = self.create(&path, content()).await?;
        self.delete(&path).await?;
        if again == Creation::Created {
            let reason =
                "the store replaces files that it was told to create only if they are not there";
            let source = StoreError::Generic { store: "conditional put", source: reason.into() };
            return Err(self.error(RELY_ON, &path)(source));
        }
        Ok(())
    }

    /// The files under a directory, by name.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn list(&self, directory: &Path) -> Result<Vec<Listed>, DestinationError> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(directory)).try_collect().await;
        let mut files: Vec<Listed> = listed
            .map_err(self.error("list", directory))?
            .into_iter()
            .map(|meta| Listed {
                path: meta.location,
                bytes: meta.size,
                modified: meta.last_modified,
            })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// What writers that were killed have left half-written on local disk, under names that no store lists; none elsewhere.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub async fn half_written(&self) -> Result<Vec<PathBuf>, DestinationError> {
        let Some(root) = self.directory.clone() else { return Ok(Vec::new()) };
        let found = on_cpu(move || half_written_in(&root)).await;
        found.map_err(|source| self.local_error("list", source))
    }

    /// Removes it, while nobody else writes.
    ///
    /// # Errors
    /// A directory cannot be read, or a file not be removed.
    pub async fn remove_half_written(&self) -> Result<(), DestinationError> {
        let found = self.half_written().await?;
        let removed = on_cpu(move || found.iter().try_for_each(std::fs::remove_file)).await;
        removed.map_err(|source| self.local_error("clean", source))
    }

    fn local_error(&self, action: &'static str, source: std::io::Error) -> DestinationError {
        DestinationError {
            action,
            path: None,
            destination: self.shown.clone(),
            source: StoreError::Generic { store: "LocalFileSystem", source: source.into() },
        }
    }

    /// Local disk keeps a file in memory until told otherwise: this tells it, for the file and its name.
    async fn make_durable(&self, path: &Path) -> Result<(), DestinationError> {
        let (Some(file), Some(root)) = (self.local_file(path), self.directory.clone()) else {
            return Ok(());
        };
        let synced = on_cpu(move || {
            // Any of the directories may be new, which is for the one above it to know.
            let on_the_way = file.ancestors().take_while(|above| above.starts_with(&root));
            for above in on_the_way {
                File::open(above)?.sync_all()?;
            }
            Ok(())
        });
        synced.await.map_err(|source| self.sync_error(path, source))
    }

    fn sync_error(&self, path: &Path, source: std::io::Error) -> DestinationError {
        let (store, source) = ("LocalFileSystem", Box::new(source));
        self.error("sync", path)(StoreError::Generic { store, source })
    }
}
