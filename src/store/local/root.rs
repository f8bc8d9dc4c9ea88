//! The directory of a destination on local disk.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use object_store::Error as StoreError;
use object_store::path::Path;
use tempfile::NamedTempFile;
use tokio::sync::watch;

use super::naming::{ExclusiveNaming, is_unsupported, new_temporary};
use super::raw_data::{self, RawArea};
use super::walk;
use crate::runtime::on_cpu;
use crate::store::raw_mode::RawMode;

/// The name of this kind of store in errors.
const STORE: &str = "LocalFileSystem";
/// How often a directory is made again that others remove because it is empty.
const MAX_ATTEMPTS: usize = 100;

/// The directory of a destination on local disk.
#[derive(Debug, Clone)]
pub(in crate::store) struct LocalRoot(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    naming: ExclusiveNaming,
    /// Directories whose names are on disk.
    durable: Mutex<HashSet<PathBuf>>,
    /// Held while a file gets a name that another file may have.
    replacing: RwLock<()>,
    /// The mode of raw data that a definition declares.
    raw_mode: Mutex<Option<RawMode>>,
    /// How many pieces of work on files have not ended.
    at_work: watch::Sender<usize>,
    synced_files: AtomicU64,
    synced_directories: AtomicU64,
}

/// A piece of work on files, until it is dropped.
struct AtWork(LocalRoot);

impl AtWork {
    fn on(root: &LocalRoot) -> Self {
        root.0.at_work.send_modify(|pieces| *pieces += 1);
        Self(root.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.0.at_work.send_modify(|pieces| *pieces -= 1);
    }
}

/// How often files and directories were synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncCounts {
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

/// Something is behind a symbolic link.
#[derive(Debug, thiserror::Error)]
#[error("{} is a symbolic link, and what it leads to may not belong to the destination: put a directory in its place, or mount one there", .0.display())]
pub(in crate::store) struct BehindLink(PathBuf);

impl LocalRoot {
    /// Opens a directory. A missing one is created.
    pub(in crate::store) fn open(directory: &FilePath) -> io::Result<Self> {
        Self::open_with(directory, ExclusiveNaming::ALL)
    }

    pub(super) fn open_with(directory: &FilePath, naming: ExclusiveNaming) -> io::Result<Self> {
        let is_new = |above: &&FilePath| !above.as_os_str().is_empty() && !above.exists();
        let new: Vec<PathBuf> =
            directory.ancestors().take_while(is_new).map(FilePath::to_owned).collect();
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let root = Self(Arc::new(Shared {
            directory,
            naming,
            durable: Mutex::default(),
            replacing: RwLock::default(),
            raw_mode: Mutex::default(),
            at_work: watch::Sender::default(),
            synced_files: 0.into(),
            synced_directories: 0.into(),
        }));
        for above in new.iter().filter_map(|it| it.canonicalize().ok()?.parent().map(PathBuf::from))
        {
            root.sync_directory(&above)?;
        }
        Ok(root)
    }

    pub(super) fn directory(&self) -> &FilePath {
        &self.0.directory
    }

    pub(super) fn naming(&self) -> ExclusiveNaming {
        self.0.naming
    }

    /// How many bytes the directory takes in the path of a file.
    pub(in crate::store) fn prefix_bytes(&self) -> usize {
        self.directory().as_os_str().len() + 1
    }

    /// The file at a path.
    pub(in crate::store) fn file(&self, path: &Path) -> PathBuf {
        path.parts().fold(self.directory().to_owned(), |file, part| file.join(part.as_ref()))
    }

    /// Works on files, on a blocking thread. A future that is dropped does not end the work.
    pub(in crate::store) async fn on_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let working = AtWork::on(self);
        // A result that nobody waits for may be a file that is removed when it is dropped, and that is work as well.
        let (result, _working) = on_cpu(move || (work(&working.0), working)).await;
        result
    }

    /// Work that ends when this is dropped.
    #[cfg(test)]
    pub(in crate::store) fn work_without_end(&self) -> impl Sized + use<> {
        AtWork::on(self)
    }

    /// Waits for work whose futures were dropped.
    pub(in crate::store) async fn settle(&self) {
        // It fails only without a sender.
        let _ = self.0.at_work.subscribe().wait_for(|pieces| *pieces == 0).await;
    }

    /// How often files and directories were synced so far.
    pub(in crate::store) fn syncs(&self) -> SyncCounts {
        SyncCounts {
            files: self.0.synced_files.load(Ordering::Relaxed),
            directories: self.0.synced_directories.load(Ordering::Relaxed),
        }
    }

    /// The temporary files of writers that were killed, in a directory or in all.
    pub(in crate::store) fn temporary_files(
        &self,
        within: Option<&Path>,
    ) -> io::Result<Vec<PathBuf>> {
        let directory = within.map_or_else(|| self.directory().to_owned(), |path| self.file(path));
        walk::temporary_files(&directory)
    }

    /// Held while a file is compared and replaced.
    pub(super) fn replacing(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.replacing.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.0.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A temporary file in the directory of `target`.
    pub(super) fn temporary_beside(&self, target: &FilePath) -> io::Result<NamedTempFile> {
        self.refuse_behind_link(target)?;
        let directory = target.parent().unwrap_or(self.directory());
        let temporary = self.in_directory(directory, || new_temporary(directory))?;
        self.protect(temporary.as_file(), target)?;
        Ok(temporary)
    }

    /// The mode of raw data, from now on and of what is there.
    pub(in crate::store) fn set_raw_mode(&self, own: &Path, mode: RawMode) {
        *self.0.raw_mode.lock().unwrap_or_else(PoisonError::into_inner) = Some(mode);
        raw_data::set_mode(&self.file(own), mode);
    }

    /// The mode of files of raw data.
    pub(in crate::store) fn raw_mode(&self, own: &Path) -> RawMode {
        raw_data::mode_in(&self.file(own), self.declared_mode())
    }

    /// The areas of raw data that this user may not read.
    pub(in crate::store) fn closed_areas(&self, own: &Path) -> Vec<&'static str> {
        raw_data::closed_areas(&self.file(own))
    }

    fn declared_mode(&self) -> Option<RawMode> {
        *self.0.raw_mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a file the permissions of raw data before it gets a name among raw data.
    pub(in crate::store) fn protect(&self, file: &File, target: &FilePath) -> io::Result<()> {
        let area = RawArea::of(self.directory(), target);
        let permissions = area.and_then(|area| area.permissions(self.declared_mode()));
        permissions.map_or(Ok(()), |it| file.set_permissions(it))
    }

    /// The same for a file that has a name already.
    pub(super) fn protect_named(&self, file: &FilePath, target: &FilePath) -> io::Result<()> {
        if RawArea::of(self.directory(), target).is_none() {
            return file.symlink_metadata().map(|_| ());
        }
        let mut options = File::options();
        let opened = options.read(true).custom_flags(libc::O_NOFOLLOW).open(file)?;
        self.protect(&opened, target)
    }

    /// Makes a directory, and those above it.
    pub(in crate::store) fn make_directory(&self, directory: &FilePath) -> io::Result<()> {
        match RawArea::of(self.directory(), directory) {
            Some(area) => area.make(directory, self.declared_mode()),
            None => std::fs::create_dir_all(directory),
        }
    }

    /// Does something in a directory, which is made if it is missing.
    pub(super) fn in_directory<T>(
        &self,
        directory: &FilePath,
        mut work: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 0..MAX_ATTEMPTS {
            match work() {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.make_directory(directory)?;
                }
                done => return done,
            }
        }
        work()
    }

    /// Waits until the disk has the content of a file.
    pub(in crate::store) fn sync_file(&self, file: &File) -> io::Result<()> {
        self.0.synced_files.fetch_add(1, Ordering::Relaxed);
        file.sync_all()
    }

    fn sync_directory(&self, directory: &FilePath) -> io::Result<()> {
        self.0.synced_directories.fetch_add(1, Ordering::Relaxed);
        match File::open(directory)?.sync_all() {
            // Such a file system keeps names in its own way.
            Err(error) if is_unsupported(&error) => Ok(()),
            synced => synced,
        }
    }

    /// Waits until the disk has the names of files, and those of their directories that it may not have yet. Every
    /// directory is synced once.
    pub(in crate::store) fn sync_names(&self, files: &[PathBuf]) -> io::Result<()> {
        let directories: BTreeSet<&FilePath> = files.iter().filter_map(|it| it.parent()).collect();
        let mut to_sync = directories.clone();
        let mut named = BTreeSet::new();
        {
            let durable = self.durable();
            for directory in directories {
                let inside = |it: &&FilePath| *it != self.directory();
                for below in directory.ancestors().take_while(inside) {
                    if !durable.contains(below) && named.insert(below.to_owned()) {
                        to_sync.extend(below.parent());
                    }
                }
            }
        }
        to_sync.into_iter().try_for_each(|directory| self.sync_directory(directory))?;
        self.durable().extend(named);
        Ok(())
    }

    /// Waits until the disk has lost the names of files that were removed. Every directory is synced once.
    pub(in crate::store) fn sync_removals(&self, files: &[PathBuf]) -> io::Result<()> {
        // A directory that became empty is gone as well.
        let above = files.iter().filter_map(|it| it.ancestors().skip(1).find(|it| it.is_dir()));
        let directories: BTreeSet<&FilePath> = above.collect();
        for directory in directories.into_iter().filter(|it| it.starts_with(self.directory())) {
            match self.sync_directory(directory) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    /// Refuses a file if one of the directories that hold it is a symbolic link.
    pub(in crate::store) fn refuse_behind_link(&self, file: &FilePath) -> io::Result<()> {
        let inside = |it: &&FilePath| *it != self.directory();
        for directory in file.ancestors().skip(1).take_while(inside) {
            match directory.symlink_metadata() {
                Ok(found) if found.is_symlink() => {
                    return Err(io::Error::other(BehindLink(directory.to_owned())));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the temporary files below a directory, but not those below some directories in it.
    pub(in crate::store) fn remove_temporary(
        &self,
        directory: &FilePath,
        apart: &[&str],
    ) -> io::Result<()> {
        let found = walk::temporary_files_but(directory, apart)?;
        found.iter().try_for_each(|file| self.remove(file))
    }

    /// Removes the directories in a directory that are empty. The directory itself must be none that a link leads to.
    pub(in crate::store) fn remove_empty_in(&self, directory: &FilePath) -> io::Result<()> {
        self.refuse_behind_link(&directory.join("any"))?;
        for below in walk::directories(directory)? {
            self.remove_if_empty(&below);
        }
        Ok(())
    }

    /// Removes a file, or a symbolic link in its place, and directories that became empty; never a directory itself.
    pub(super) fn remove(&self, file: &FilePath) -> io::Result<()> {
        self.refuse_behind_link(file)?;
        {
            // What is being replaced would come back.
            let _none_replaces = self.0.replacing.read().unwrap_or_else(PoisonError::into_inner);
            std::fs::remove_file(file)?;
        }
        let inside = |it: &&FilePath| *it != self.directory();
        for directory in file.ancestors().skip(1).take_while(inside) {
            if !self.remove_if_empty(directory) {
                break;
            }
        }
        Ok(())
    }

    fn remove_if_empty(&self, directory: &FilePath) -> bool {
        // Nobody may take its name for durable when it is made again.
        let mut durable = self.durable();
        let is_removed = std::fs::remove_dir(directory).is_ok();
        if is_removed {
            durable.remove(directory);
        }
        is_removed
    }
}

/// A mark of a file's version. Every write makes a new file, which has a number of its own.
pub(super) fn version_of(metadata: &Metadata) -> String {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = 0;
    let written =
        metadata.modified().ok().and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
    let written = written.unwrap_or_default().as_nanos();
    format!("{number:x}-{written:x}-{:x}", metadata.len())
}

/// An error of the file system as one of the store.
pub(in crate::store) fn local_error(source: io::Error) -> StoreError {
    StoreError::Generic { store: STORE, source: source.into() }
}

/// The same for a file, by which callers tell what happened.
pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_string();
    move |source| match source.kind() {
        ErrorKind::NotFound => StoreError::NotFound { path, source: source.into() },
        ErrorKind::AlreadyExists => StoreError::AlreadyExists { path, source: source.into() },
        ErrorKind::Unsupported => StoreError::NotSupported { source: source.into() },
        _ => local_error(source),
    }
}
