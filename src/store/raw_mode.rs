//! Who may read raw data on local disk.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;

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
    pub(super) fn of_directories(self) -> u32 {
        self.0 | (self.0 & 0o444) >> 2
    }

    /// The mode of files in a directory of this one.
    pub(super) fn of_directory(mode: u32) -> Self {
        Self(mode & 0o664)
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
