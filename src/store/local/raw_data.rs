//! Raw data on local disk: what the source sent is only for those whom its directories let in.
//!
//! The directories of raw data are made with a mode of their own, by default for their owner alone, and its files get
//! that of their directory: a `chmod` of the directory, or `raw_mode` of a definition, holds for later files as well.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path as FilePath, PathBuf};

use crate::store::own_directory::OWN_DIRECTORY;
use crate::store::raw_mode::RawMode;

/// The parts of flowlake's own directory that hold raw data.
const AREAS: [&str; 2] = ["landing", "quarantine"];

/// The area of raw data in a destination's directory that a file, or a directory, is in.
pub(super) fn area_of(root: &FilePath, file: &FilePath) -> Option<PathBuf> {
    AREAS.into_iter().map(|area| area_directory(root, area)).find(|area| file.starts_with(area))
}

/// The mode of raw data in a destination: that of its directories, once there are some.
pub(super) fn mode_in(root: &FilePath) -> RawMode {
    let mut modes = AREAS.into_iter().filter_map(|area| {
        Some(RawMode::of_directory(
            area_directory(root, area).metadata().ok()?.permissions().mode(),
        ))
    });
    modes.next().unwrap_or_default()
}

/// Gives raw data a mode: its directories, and what is in them already.
pub(super) fn set_mode(root: &FilePath, mode: RawMode) -> io::Result<()> {
    for directory in AREAS.into_iter().map(|area| area_directory(root, area)) {
        match directory.symlink_metadata() {
            // It has it already, and so has what is in it.
            Ok(found) if found.permissions().mode() & 0o777 == mode.of_directories() => {}
            Ok(found) if found.is_dir() => set_mode_below(&directory, mode)?,
            _ => {}
        }
    }
    Ok(())
}

fn set_mode_below(directory: &FilePath, mode: RawMode) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            set_mode_below(&entry.path(), mode)?;
        } else if kind.is_file() {
            std::fs::set_permissions(entry.path(), mode.of_files())?;
        }
    }
    std::fs::set_permissions(directory, Permissions::from_mode(mode.of_directories()))
}

/// Makes a directory in an area of raw data, and those above it.
pub(super) fn make_directory(
    root: &FilePath,
    directory: &FilePath,
    mode: RawMode,
) -> io::Result<()> {
    std::fs::create_dir_all(area_directory(root, ""))?;
    DirBuilder::new().recursive(true).mode(mode.of_directories()).create(directory)
}

fn area_directory(root: &FilePath, area: &str) -> PathBuf {
    root.join(OWN_DIRECTORY).join(area)
}
