//! Raw data on local disk: what the source sent is only for those whom its directories let in.
//!
//! The directories of raw data are made with a mode of their own, by default for their owner alone, and its files get
//! that of their directory: a `chmod` of the directory, or `raw_mode` of a definition, holds for later files as well.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;

use crate::store::Destination;

/// The parts of flowlake's own directory that hold raw data.
const AREAS: [&str; 2] = ["landing", "quarantine"];

/// Who may read files of raw data, as permission bits: the owner reads and writes, nobody executes, not all may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawMode(u32);

/// Only their owner.
impl Default for RawMode {
    fn default() -> Self {
        Self(0o600)
    }
}

impl RawMode {
    /// The permission bits of a file.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The mode of a new file.
    pub(super) fn of_files(self) -> Permissions {
        Permissions::from_mode(self.0)
    }

    /// The mode of a directory: who may read its files may also list it.
    fn of_directories(self) -> u32 {
        self.0 | (self.0 & 0o444) >> 2
    }
}

impl FromStr for RawMode {
    type Err = InvalidRawMode;

    fn from_str(text: &str) -> Result<Self, InvalidRawMode> {
        let mode = u32::from_str_radix(text, 8).map_err(|_| InvalidRawMode)?;
        let is_file_mode = mode & !0o664 == 0 && mode & 0o600 == 0o600;
        is_file_mode.then_some(Self(mode)).ok_or(InvalidRawMode)
    }
}

/// A text that is no mode of raw data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the mode of a file that its owner reads and writes, nobody executes, and not all may write"
)]
pub struct InvalidRawMode;

/// The area of raw data in a destination's directory that a file, or a directory, is in.
pub(super) fn area_of(root: &FilePath, file: &FilePath) -> Option<PathBuf> {
    AREAS.into_iter().map(|area| area_directory(root, area)).find(|area| file.starts_with(area))
}

/// The mode of raw data in a destination: that of its directories, once there are some.
pub(super) fn mode_in(root: &FilePath) -> RawMode {
    let modes = AREAS.into_iter().filter_map(|area| {
        Some(area_directory(root, area).metadata().ok()?.permissions().mode() & 0o664)
    });
    modes.map(RawMode).next().unwrap_or_default()
}

/// Gives the directories of raw data a mode, those that are there.
pub(super) fn set_mode(root: &FilePath, mode: RawMode) -> io::Result<()> {
    for directory in AREAS.into_iter().map(|area| area_directory(root, area)) {
        match std::fs::set_permissions(&directory, Permissions::from_mode(mode.of_directories())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
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
    root.join(Destination::own_files().as_ref()).join(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_a_mode_is_for_files_of_one_owner() {
        for (text, directories) in
            [("0600", 0o700), ("640", 0o750), ("0644", 0o755), ("660", 0o770)]
        {
            assert_eq!(text.parse::<RawMode>().unwrap().of_directories(), directories, "{text}");
        }
        for text in ["", "rw", "0400", "0700", "0666", "0602", "1600", "8"] {
            assert_eq!(text.parse::<RawMode>(), Err(InvalidRawMode), "{text}");
        }
    }
}
