//! Raw data on local disk: what the source sent is only for those whom its directories let in.
//!
//! The directories of raw data are made with a mode of their own, by default for their owner alone, and files get that of
//! the area they are in: a `chmod` of its directory, or `raw_mode` of a definition, holds for later files as well. Of the
//! staging area only the directories are closed, since staged files of tables become files for all.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path as FilePath, PathBuf};

use crate::store::own_directory::{OWN_DIRECTORY, PIPELINES};
use crate::store::raw_mode::RawMode;

/// The parts of flowlake's own directory that hold raw data.
const AREAS: [&str; 3] = ["landing", "quarantine", STAGING];
const STAGING: &str = "staging";

/// A part of a destination that holds raw data.
pub(super) struct RawArea {
    directory: PathBuf,
    has_files_for_all: bool,
}

impl RawArea {
    /// The area that a file, or a directory, is in.
    pub(super) fn of(root: &FilePath, file: &FilePath) -> Option<Self> {
        let below = file.strip_prefix(root).ok()?;
        let mut names = below.iter();
        if names.next()? != OWN_DIRECTORY {
            return None;
        }
        let own = match below.iter().nth(1)? {
            name if name == PIPELINES => root.join(below.iter().take(3).collect::<PathBuf>()),
            _ => root.join(OWN_DIRECTORY),
        };
        areas(&own).find(|area| file.starts_with(&area.directory))
    }

    /// Its mode: as a definition says, or as its directory has it.
    fn mode(&self, declared: Option<RawMode>) -> RawMode {
        let found = || {
            let metadata = self.directory.metadata().ok()?;
            Some(RawMode::of_directory(metadata.permissions().mode()))
        };
        declared.or_else(found).unwrap_or_default()
    }

    /// The permissions of a file in it; none if they are those of any file.
    pub(super) fn permissions(&self, declared: Option<RawMode>) -> Option<Permissions> {
        (!self.has_files_for_all).then(|| self.mode(declared).of_files())
    }

    /// Makes a directory in it, and those above. The mode is set, since the system takes some of its bits away from what
    /// it makes.
    pub(super) fn make(&self, directory: &FilePath, declared: Option<RawMode>) -> io::Result<()> {
        if let Some(above) = self.directory.parent() {
            std::fs::create_dir_all(above)?;
        }
        let mode = self.mode(declared).of_directories();
        let within = directory.ancestors().take_while(|it| it.starts_with(&self.directory));
        let missing: Vec<&FilePath> = within.filter(|it| !it.exists()).collect();
        for directory in missing.into_iter().rev() {
            match DirBuilder::new().mode(mode).create(directory) {
                Ok(()) => std::fs::set_permissions(directory, Permissions::from_mode(mode))?,
                // Others make and remove directories at the same time; the caller tries again.
                Err(error)
                    if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives it a mode, with what is in it already.
    fn set_mode(&self, mode: RawMode) {
        let wanted = mode.of_directories();
        match self.directory.symlink_metadata() {
            Ok(found) if found.is_dir() && found.permissions().mode() & 0o777 != wanted => {
                set_mode_below(&self.directory, mode, self.has_files_for_all);
            }
            _ => {}
        }
    }
}

/// The areas in a directory of flowlake's own files.
fn areas(own: &FilePath) -> impl Iterator<Item = RawArea> {
    AREAS
        .into_iter()
        .map(move |area| RawArea { directory: own.join(area), has_files_for_all: area == STAGING })
}

/// Whether a directory holds raw data that this user may not read.
pub(super) fn is_closed(directory: &FilePath) -> bool {
    let named = |path: &FilePath, names: &[&str]| {
        path.file_name().is_some_and(|it| names.iter().any(|name| it == *name))
    };
    let mut above = directory.ancestors().skip(1);
    let [first, second, third] = [above.next(), above.next(), above.next()]
        .map(|it| it.and_then(FilePath::file_name).unwrap_or_default());
    let is_own = first == OWN_DIRECTORY || (second == PIPELINES && third == OWN_DIRECTORY);
    let is_area = is_own && named(directory, &AREAS);
    let is_denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    is_area && std::fs::read_dir(directory).is_err_and(|error| is_denied(&error))
}

/// The areas of a destination that this user may not read.
pub(super) fn closed_areas(own: &FilePath) -> Vec<&'static str> {
    AREAS.into_iter().filter(|area| is_closed(&own.join(area))).collect()
}

/// The mode of raw data in a destination: as declared, or as kept exports have it.
pub(super) fn mode_in(own: &FilePath, declared: Option<RawMode>) -> RawMode {
    areas(own).next().map(|area| area.mode(declared)).unwrap_or_default()
}

/// Gives raw data a mode: its directories, and what is in them already.
pub(super) fn set_mode(own: &FilePath, mode: RawMode) {
    areas(own).for_each(|area| area.set_mode(mode));
}

/// What belongs to somebody else keeps its mode, and what others remove meanwhile needs none.
fn set_mode_below(directory: &FilePath, mode: RawMode, has_files_for_all: bool) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            set_mode_below(&entry.path(), mode, has_files_for_all);
        } else if kind.is_file() && !has_files_for_all {
            let _ = std::fs::set_permissions(entry.path(), mode.of_files());
        }
    }
    let of_directory = Permissions::from_mode(mode.of_directories());
    let _ = std::fs::set_permissions(directory, of_directory);
}
