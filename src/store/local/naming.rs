//! Names of files: given to one whose content is on disk, and for temporary ones.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path as FilePath;

use tempfile::{Builder, NamedTempFile};

/// Temporary files are called so, with letters and digits in between. Readers skip names that begin with a dot.
const TEMPORARY: (&str, &str) = (".flowlake-", ".tmp");
const TEMPORARY_LETTERS: usize = 12;

/// How a file gets a name that no other file has. What a file system lacks is found out by trying.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExclusiveNaming {
    /// By a rename that replaces nothing. Some network file systems have none.
    pub(super) by_rename: bool,
    /// By a second name. `vfat` and many file systems in user space have none.
    pub(super) by_link: bool,
}

impl ExclusiveNaming {
    pub(super) const ALL: Self = Self { by_rename: true, by_link: true };

    /// Renames `from` unless there is a file at `to`; `AlreadyExists` tells that there is one.
    ///
    /// # Errors
    /// `Unsupported` if the file system has no way to do it.
    pub(super) fn rename(self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        if self.by_rename {
            match rename_without_replacing(from, to) {
                Err(error) if is_unsupported(&error) => {}
                renamed => return renamed,
            }
        }
        if self.by_link {
            match std::fs::hard_link(from, to) {
                Err(error) if is_unsupported(&error) => {}
                linked => return linked.and_then(|()| std::fs::remove_file(from)),
            }
        }
        Err(io::Error::new(ErrorKind::Unsupported, NoExclusiveNames))
    }

    /// The same where nobody else writes, so that looking first is enough on a file system that has no way to do it.
    pub(super) fn rename_alone(self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        match self.rename(from, to) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            renamed => return renamed,
        }
        match to.symlink_metadata() {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => std::fs::rename(from, to),
            Err(error) => Err(error),
        }
    }
}

/// A file system on which two writers could both create a file.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file system cannot create a file only if it is absent: it has neither hard links nor a rename that replaces nothing"
)]
pub(super) struct NoExclusiveNames;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_replacing(from: &FilePath, to: &FilePath) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_replacing(_: &FilePath, _: &FilePath) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Whether a file system, or the kernel, does not have an operation. Systems differ in how they say so.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
        || [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EMLINK]
            .map(Some)
            .contains(&error.raw_os_error())
}

/// Links a file without a name at `target`. Returns whether the system can do that.
#[cfg(target_os = "linux")]
pub(in crate::store) fn link_nameless(file: &File, target: &FilePath) -> bool {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, nameless, CWD, target, AtFlags::SYMLINK_FOLLOW).is_ok()
}

/// Other systems cannot link a file without a name.
#[cfg(not(target_os = "linux"))]
pub(in crate::store) fn link_nameless(_: &File, _: &FilePath) -> bool {
    false
}

/// A temporary file, which is removed unless it gets another name.
pub(super) fn new_temporary(directory: &FilePath) -> io::Result<NamedTempFile> {
    let (prefix, suffix) = TEMPORARY;
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(suffix).rand_bytes(TEMPORARY_LETTERS);
    // As for any other file: by default only its owner could read it.
    builder.permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(directory)
}

/// Whether a file is called as temporary files are.
pub(super) fn is_temporary(name: &str) -> bool {
    let letters = name.strip_prefix(TEMPORARY.0).and_then(|rest| rest.strip_suffix(TEMPORARY.1));
    letters.is_some_and(|it| {
        it.len() == TEMPORARY_LETTERS && it.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let made = new_temporary(directory.path()).unwrap();
        assert!(is_temporary(made.path().file_name().unwrap().to_str().unwrap()));
        // A user's own files are none.
        for name in ["notes#1", ".flowlake-", ".flowlake-notes.tmp", "x.flowlake-abcdefghijkl.tmp"]
        {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn o22_a_file_gets_a_free_name_by_a_rename_by_a_link_or_by_looking_first() {
        let none = ExclusiveNaming { by_rename: false, by_link: false };
        for naming in [
            ExclusiveNaming::ALL,
            ExclusiveNaming { by_rename: false, ..ExclusiveNaming::ALL },
            ExclusiveNaming { by_link: false, ..ExclusiveNaming::ALL },
            none,
        ] {
            let directory = tempfile::tempdir().unwrap();
            let [a, b, c] = ["a", "b", "c"].map(|name| directory.path().join(name));
            let rename = |from: &FilePath, to: &FilePath| {
                if naming.by_rename || naming.by_link {
                    naming.rename(from, to)
                } else {
                    let refused = naming.rename(from, to).unwrap_err();
                    assert_eq!(refused.kind(), ErrorKind::Unsupported);
                    naming.rename_alone(from, to)
                }
            };
            std::fs::write(&a, "a").unwrap();
            std::fs::write(&b, "b").unwrap();
            let refused = rename(&a, &b).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{naming:?}");
            assert_eq!(std::fs::read_to_string(&b).unwrap(), "b", "{naming:?}");
            rename(&a, &c).unwrap();
            assert_eq!(std::fs::read_to_string(&c).unwrap(), "a", "{naming:?}");
            assert_eq!(rename(&a, &a).unwrap_err().kind(), ErrorKind::NotFound, "{naming:?}");
        }
    }
}
