//! Finds files below a directory. Symbolic links are neither files nor followed.

use std::fs::{DirEntry, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path as FilePath, PathBuf};

use super::naming::is_temporary;
use super::raw_data;
use crate::store::own_directory::OWN_DIRECTORY;

/// The files below a directory, temporary ones apart, in any order. Raw data that this user may not read is passed over.
pub(super) fn files(directory: &FilePath) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let mut found = Vec::new();
    // Entries are not kept: each keeps its directory open, and there may be more directories than open files.
    walk(directory, &|below| !raw_data::is_closed(below), &mut |entry, name| {
        if is_temporary(name) {
            return Ok(());
        }
        match entry.metadata() {
            Ok(metadata) => found.push((entry.path(), metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    Ok(found)
}

/// The temporary files below a directory, by path; not those of a destination that lies within.
pub(super) fn temporary_files(directory: &FilePath) -> io::Result<Vec<PathBuf>> {
    let is_ours = |directory: &FilePath| {
        let is_own = directory.file_name().is_some_and(|it| it == OWN_DIRECTORY);
        let holds_another = directory.join(OWN_DIRECTORY).symlink_metadata().is_ok();
        (is_own || !holds_another) && !raw_data::is_closed(directory)
    };
    temporary_files_where(directory, &is_ours)
}

/// The temporary files below a directory, by path; not those below the directories of some names in it.
pub(super) fn temporary_files_but(
    directory: &FilePath,
    apart: &[&str],
) -> io::Result<Vec<PathBuf>> {
    let is_apart = |below: &FilePath| {
        below.parent() == Some(directory) && apart.iter().any(|name| below.ends_with(name))
    };
    temporary_files_where(directory, &|below| !is_apart(below) && !raw_data::is_closed(below))
}

fn temporary_files_where(
    directory: &FilePath,
    enters: &dyn Fn(&FilePath) -> bool,
) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk(directory, enters, &mut |entry, name| {
        if is_temporary(name) {
            found.push(entry.path());
        }
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

/// The directories in a directory.
pub(super) fn directories(directory: &FilePath) -> io::Result<Vec<PathBuf>> {
    let all = entries(directory)?.into_iter();
    Ok(all.filter(|(_, kind)| kind.is_dir()).map(|(entry, _)| entry.path()).collect())
}

fn walk(
    directory: &FilePath,
    enters: &dyn Fn(&FilePath) -> bool,
    take: &mut dyn FnMut(&DirEntry, &str) -> io::Result<()>,
) -> io::Result<()> {
    for (entry, kind) in entries(directory)? {
        if kind.is_dir() {
            let below = entry.path();
            if enters(&below) {
                walk(&below, enters, take)?;
            }
        } else if kind.is_file() {
            // A name that is no text is none of ours.
            if let Some(name) = entry.file_name().to_str() {
                take(&entry, name)?;
            }
        }
    }
    Ok(())
}

/// The entries of a directory; none if it is missing, gone meanwhile, or no directory.
pub(super) fn entries(directory: &FilePath) -> io::Result<Vec<(DirEntry, FileType)>> {
    let read = match std::fs::read_dir(directory) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let typed = read.map(|entry| {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) => Ok(Some((entry, kind))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    typed.filter_map(Result::transpose).collect()
}
