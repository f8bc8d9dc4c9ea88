//! Local disk as an object store. A file has its content on disk before it has its name; that the disk has the name is for
//! the caller to see to, for many files at once.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error as StoreError, GetOptions, GetResult,
    GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
    Result, UpdateVersion, UploadPart,
};
use tempfile::NamedTempFile;

use super::root::{LocalRoot, file_error, local_error, version_of};
use super::walk;

/// How many files are removed at once.
const CONCURRENT_REMOVALS: usize = 8;

/// The store of a directory.
#[derive(Debug, Clone)]
pub(in crate::store) struct LocalDisk(LocalRoot);

impl LocalDisk {
    pub(in crate::store) fn of(root: LocalRoot) -> Self {
        Self(root)
    }

    async fn on_root<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce(&LocalRoot, &FilePath) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.0.file(path);
        self.0.on_files(move |root| work(root, &file)).await.map_err(file_error(path))
    }
}

impl fmt::Display for LocalDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalDisk({})", self.0.directory().display())
    }
}

/// A complete file, on disk, gets its name.
fn name(
    root: &LocalRoot,
    temporary: NamedTempFile,
    target: &FilePath,
    mode: &PutMode,
) -> io::Result<PutResult> {
    let file = match mode {
        PutMode::Overwrite => {
            let _replacing = root.replacing();
            temporary.persist(target)?
        }
        PutMode::Create => {
            root.naming().rename(temporary.path(), target)?;
            temporary.keep()?.0
        }
        PutMode::Update(seen) => {
            let _replacing = root.replacing();
            if !is_version(&target.symlink_metadata()?, seen) {
                return Err(io::Error::other(Changed));
            }
            temporary.persist(target)?
        }
    };
    Ok(PutResult { e_tag: Some(version_of(&file.metadata()?)), version: None })
}

/// Copies a file, also from another file system.
fn copy(
    root: &LocalRoot,
    mut original: &File,
    target: &FilePath,
    mode: &PutMode,
) -> io::Result<()> {
    let mut temporary = root.temporary_beside(target)?;
    io::copy(&mut original, temporary.as_file_mut())?;
    root.sync_file(temporary.as_file())?;
    name(root, temporary, target, mode).map(|_| ())
}

fn is_version(found: &Metadata, seen: &UpdateVersion) -> bool {
    seen.e_tag.as_ref() == Some(&version_of(found))
}

/// A file is not the version that was to be replaced.
#[derive(Debug, thiserror::Error)]
#[error("the file has changed")]
struct Changed;

/// Callers tell a condition that does not hold from a failure.
fn condition_error(path: &Path, error: StoreError) -> StoreError {
    let is_changed = std::error::Error::source(&error)
        .and_then(|it| it.downcast_ref::<io::Error>())
        .and_then(io::Error::get_ref)
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Changed>);
    if is_changed {
        return StoreError::Precondition { path: path.to_string(), source: Changed.into() };
    }
    error
}

fn refuse_attributes(attributes: &Attributes) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    Err(StoreError::NotSupported { source: "local files have no attributes".into() })
}

fn meta_of(path: Path, metadata: &Metadata) -> ObjectMeta {
    ObjectMeta {
        location: path,
        last_modified: metadata.modified().unwrap_or(std::time::UNIX_EPOCH).into(),
        size: metadata.len(),
        e_tag: Some(version_of(metadata)),
        version: None,
    }
}

#[async_trait]
impl ObjectStore for LocalDisk {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        refuse_attributes(&options.attributes)?;
        let written = self.on_root(path, move |root, target| {
            let mut temporary = root.temporary_beside(target)?;
            payload.iter().try_for_each(|bytes| temporary.write_all(bytes))?;
            root.sync_file(temporary.as_file())?;
            name(root, temporary, target, &options.mode)
        });
        written.await.map_err(|error| condition_error(path, error))
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse_attributes(&options.attributes)?;
        let temporary = self.on_root(path, LocalRoot::temporary_beside).await?;
        Ok(Box::new(Upload {
            file: Arc::new(Mutex::new(temporary.reopen().map_err(local_error)?)),
            temporary: Some(temporary),
            bytes: 0,
            disk: self.clone(),
            path: path.clone(),
        }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (file, metadata, name) = self
            .on_root(path, |_, file| {
                match file.metadata()?.file_type() {
                    kind if kind.is_file() => {}
                    kind if kind.is_dir() => return Err(ErrorKind::NotFound.into()),
                    // Opening a pipe would wait for somebody who writes to it.
                    _ => return Err(io::Error::other("it is no regular file")),
                }
                let opened = File::open(file)?;
                let metadata = opened.metadata()?;
                Ok((opened, metadata, file.to_owned()))
            })
            .await?;
        let meta = meta_of(path.clone(), &metadata);
        options.check_preconditions(&meta)?;
        let range: Range<u64> = match options.range {
            None => 0..meta.size,
            Some(range) => range
                .as_range(meta.size)
                .map_err(|source| StoreError::Generic { store: "range", source: source.into() })?,
        };
        let payload = GetResultPayload::File(file, name);
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let disk = self.clone();
        let removals = paths.map(move |path| {
            let disk = disk.clone();
            async move {
                let path = path?;
                disk.on_root(&path, LocalRoot::remove).await?;
                Ok(path)
            }
        });
        removals.buffered(CONCURRENT_REMOVALS).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (disk, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            let files = disk.on_root(&prefix, |root, directory| {
                // What lies behind a link is not the destination's.
                let is_real = directory == root.directory()
                    || (root.refuse_behind_link(&directory.join("file")).is_ok());
                let found = if is_real { walk::files(directory)? } else { Vec::new() };
                let metas = found
                    .into_iter()
                    .filter_map(|(path, metadata)| Some(meta_of(path_of(root, &path)?, &metadata)));
                Ok(metas.collect::<Vec<_>>())
            });
            Ok::<_, StoreError>(futures::stream::iter(files.await?.into_iter().map(Ok)))
        };
        listed.into_stream().try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let mut listed = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        let mut files = self.list(Some(&prefix));
        while let Some(meta) = files.try_next().await? {
            let below: Vec<_> =
                meta.location.prefix_match(&prefix).into_iter().flatten().take(2).collect();
            match below.as_slice() {
                [directory, _] => {
                    listed.common_prefixes.push(prefix.clone().join(directory.clone()));
                }
                _ => listed.objects.push(meta),
            }
        }
        listed.common_prefixes.sort();
        listed.common_prefixes.dedup();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let original = self.on_root(from, |_, file| File::open(file)).await?;
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.on_root(to, move |root, target| copy(root, &original, target, &mode)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let original = self.0.file(from);
        let renamed = self.on_root(to, move |root, target| {
            root.protect_named(&original, target)?;
            let directory = target.parent().unwrap_or(root.directory());
            let (mode, rename): (_, fn(&LocalRoot, &FilePath, &FilePath) -> _) =
                match options.target_mode {
                    RenameTargetMode::Overwrite => {
                        (PutMode::Overwrite, |_, from, to| std::fs::rename(from, to))
                    }
                    RenameTargetMode::Create => {
                        (PutMode::Create, |root, from, to| root.naming().rename_alone(from, to))
                    }
                };
            match root.in_directory(directory, || rename(root, &original, target)) {
                // The directory of a table may be another disk.
                Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                    copy(root, &File::open(&original)?, target, &mode)?;
                    std::fs::remove_file(&original)
                }
                renamed => renamed,
            }
        });
        renamed.await
    }
}

/// The path of a file in the destination; `None` for a name that none of ours has.
fn path_of(root: &LocalRoot, file: &FilePath) -> Option<Path> {
    let within = file.strip_prefix(root.directory()).ok()?;
    let parts: Option<Vec<&str>> = within.iter().map(|part| part.to_str()).collect();
    Path::parse(parts?.join("/")).ok()
}

/// A file that is written in parts.
#[derive(Debug)]
struct Upload {
    file: Arc<Mutex<File>>,
    /// Removed when it is dropped, unless it got its name.
    temporary: Option<NamedTempFile>,
    bytes: u64,
    disk: LocalDisk,
    path: Path,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (file, at) = (self.file.clone(), self.bytes);
        self.bytes += part.content_length() as u64;
        let root = self.disk.0.clone();
        let write = move |_: &LocalRoot| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            part.iter().try_for_each(|bytes| file.write_all(bytes))
        };
        async move { root.on_files(write).await.map_err(local_error) }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let temporary = self.temporary.take();
        let completed = self.disk.on_root(&self.path, |root, target| {
            let temporary = temporary.ok_or(ErrorKind::NotFound)?;
            root.sync_file(temporary.as_file())?;
            name(root, temporary, target, &PutMode::Overwrite)
        });
        completed.await
    }

    async fn abort(&mut self) -> Result<()> {
        match self.temporary.take() {
            Some(temporary) => temporary.close().map_err(local_error),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;
    use crate::store::local::naming::ExclusiveNaming;

    #[tokio::test]
    async fn p2_a_write_whose_future_is_dropped_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let root = LocalRoot::open(directory.path()).unwrap();
        let disk = LocalDisk::of(root.clone());
        let file = Path::from("a/b.json");
        // The write comes as far as the name, and its future is gone.
        let replacing = root.replacing();
        assert!(disk.put(&file, "new".into()).now_or_never().is_none());
        assert!(root.settle().now_or_never().is_none());
        drop(replacing);
        root.settle().await;
        assert_eq!(disk.get(&file).await.unwrap().bytes().await.unwrap(), "new");
    }

    #[tokio::test]
    async fn o22_files_are_created_and_published_without_hard_links_or_exclusive_renames() {
        for (by_rename, by_link) in [(true, true), (true, false), (false, true), (false, false)] {
            let naming = ExclusiveNaming { by_rename, by_link };
            let directory = tempfile::tempdir().unwrap();
            let root = LocalRoot::open_with(directory.path(), naming).unwrap();
            let disk = LocalDisk::of(root);
            let [file, other] = ["a/b.json", "c/d.json"].map(Path::from);
            let create = || async {
                let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                disk.put_opts(&file, "new".into(), options).await
            };
            if by_rename || by_link {
                create().await.unwrap();
                let again = create().await.unwrap_err();
                assert!(matches!(again, StoreError::AlreadyExists { .. }), "{again}");
            } else {
                // Two writers could both create it.
                let refused = create().await.unwrap_err();
                assert!(matches!(refused, StoreError::NotSupported { .. }), "{refused}");
                disk.put(&file, "new".into()).await.unwrap();
            }
            // One writer publishes, whatever the file system can do.
            let publish = |from: Path, to: Path| {
                let mode = RenameTargetMode::Create;
                let options = RenameOptions::new().with_target_mode(mode);
                let disk = disk.clone();
                async move { disk.rename_opts(&from, &to, options).await }
            };
            publish(file.clone(), other.clone()).await.unwrap();
            let gone = publish(file.clone(), other.clone()).await.unwrap_err();
            assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
            disk.put(&file, "newer".into()).await.unwrap();
            let taken = publish(file.clone(), other.clone()).await.unwrap_err();
            assert!(matches!(taken, StoreError::AlreadyExists { .. }), "{taken}");
            assert_eq!(disk.get(&other).await.unwrap().bytes().await.unwrap(), "new");
            let left = walk::temporary_files(directory.path()).unwrap();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}
