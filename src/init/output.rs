//! Where a proposed definition is written. A file that is there is somebody's work, and stays unless it is to be replaced.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::exit_code::{ExitCode, Failure};

/// The definition cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is a file of that name.
    #[error("there is a file {} already", .0.display())]
    Exists(PathBuf),
    /// There is a directory of that name.
    #[error("{} is a directory", .0.display())]
    Directory(PathBuf),
    /// There is no directory for it.
    #[error("there is no directory {}", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Failure for OutputError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Exists(_) => "replace it with `--force`, or give another name with `--output`",
            Self::Directory(_) => "give the name of a file in it with `--output`",
            Self::NoDirectory(_) => "create it, or give another place with `--output`",
            Self::Unwritable { .. } => {
                "give a place that you may write with `--output`, or leave it out to print the definition"
            }
        };
        Some(help.to_owned())
    }
}

/// The file of a new definition.
#[derive(Debug, Clone)]
pub struct DefinitionFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether it takes the place of a file that is there.
    pub replaces: bool,
}

impl DefinitionFile {
    /// Looks whether it can be written, before an export is read or requested for it.
    ///
    /// # Errors
    /// There is a file already, or no directory for it.
    pub fn check(&self) -> Result<(), OutputError> {
        let path = &self.path;
        if path.is_dir() {
            return Err(OutputError::Directory(path.clone()));
        }
        // Also a link that leads nowhere is in the way.
        if !self.replaces && path.symlink_metadata().is_ok() {
            return Err(OutputError::Exists(path.clone()));
        }
        match path.parent() {
            Some(directory) if directory != Path::new("") && !directory.is_dir() => {
                Err(OutputError::NoDirectory(directory.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Somebody else has written it in the meantime, or it cannot be written.
    pub fn write(&self, text: &str) -> Result<(), OutputError> {
        let written = if self.replaces {
            self.replace(text)
        } else {
            File::create_new(&self.path).and_then(|mut file| file.write_all(text.as_bytes()))
        };
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(self.path.clone()),
            _ => OutputError::Unwritable { path: self.path.clone(), source },
        })
    }

    /// The file is as before until all of the new one is there.
    fn replace(&self, text: &str) -> io::Result<()> {
        let directory = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        let mut new = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        new.write_all(text.as_bytes())?;
        let permissions = std::fs::metadata(&self.path).map(|it| it.permissions());
        let permissions = permissions.unwrap_or_else(|_| Permissions::from_mode(0o644));
        new.as_file().set_permissions(permissions)?;
        new.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}
