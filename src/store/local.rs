//! Local disk: what a directory needs beyond an object store.
//!
//! `object_store` writes a temporary file `name#1`, then renames it. It does not wait until the disk has it. So every
//! file is synced, and every directory above it: content before name.

use std::fs::File;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use object_store::Error as StoreError;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

/// The name of this kind of store in errors.
const STORE: &str = "LocalFileSystem";

/// The directory of a destination on local disk.
#[derive(Debug, Clone)]
pub(super) struct LocalRoot {
    directory: PathBuf,
}

impl LocalRoot {
    /// Opens a directory. A missing one is created.
    pub(super) fn open(directory: &FilePath) -> Result<(Self, LocalFileSystem), StoreError> {
        let created = std::fs::create_dir_all(directory).and_then(|()| directory.canonicalize());
        let directory = created.map_err(local_error)?;
        // Directories that become empty are removed.
        let store = LocalFileSystem::new_with_prefix(&directory)?.with_automatic_cleanup(true);
        Ok((Self { directory }, store))
    }

    /// How many bytes the directory takes in the path of a file.
    pub(super) fn prefix_bytes(&self) -> usize {
        self.directory.as_os_str().len() + 1
    }

    /// The file at a path.
    pub(super) fn file(&self, path: &Path) -> PathBuf {
        path.parts().fold(self.directory.clone(), |file, part| file.join(part.as_ref()))
    }

    /// Waits until the disk has a file and its name.
    pub(super) fn sync(&self, file: &FilePath) -> io::Result<()> {
        // Any of the directories may be new; the one above holds its name.
        for above in file.ancestors().take_while(|above| above.starts_with(&self.directory)) {
            File::open(above)?.sync_all()?;
        }
        Ok(())
    }

    /// The temporary files of writers that were killed.
    pub(super) fn temporary_files(&self) -> io::Result<Vec<PathBuf>> {
        temporary_files_in(&self.directory)
    }
}

/// An error of the file system as one of the store.
pub(super) fn local_error(source: io::Error) -> StoreError {
    StoreError::Generic { store: STORE, source: source.into() }
}

/// Links a file without a name at `target`. Returns whether the system can do that.
#[cfg(target_os = "linux")]
pub(super) fn link(file: &File, target: &FilePath) -> bool {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    let has_directory = target.parent().is_none_or(|it| std::fs::create_dir_all(it).is_ok());
    has_directory && linkat(CWD, nameless, CWD, target, AtFlags::SYMLINK_FOLLOW).is_ok()
}

/// Other systems cannot link a file without a name.
#[cfg(not(target_os = "linux"))]
pub(super) fn link(_: &File, _: &FilePath) -> bool {
    false
}

fn temporary_files_in(directory: &FilePath) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(temporary_files_in(&entry.path())?);
        } else if entry.file_name().to_str().is_some_and(is_temporary) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file has the name that `object_store` gives to temporary files.
fn is_temporary(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_end_with_a_number() {
        for (name, expected) in
            [("a.parquet#1", true), ("a#b#12", true), ("a#", false), ("a", false), ("a#1b", false)]
        {
            assert_eq!(is_temporary(name), expected, "{name}");
        }
    }
}
