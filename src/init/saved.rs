//! Opens a saved export: JSON as it is, or compressed as a landing keeps it. The first bytes tell, not the name.
//!
//! | first bytes | read as |
//! |---|---|
//! | `28 b5 2f fd` | Zstandard, in one frame or several |
//! | `1f 8b` | gzip, in one member or several |
//! | others | JSON |

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::exit_code::{ExitCode, Failure};

const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A saved export cannot be opened, or is none.
#[derive(Debug, thiserror::Error)]
pub enum SavedExportError {
    /// There is nothing of that name.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// It is no file.
    #[error("{} is a directory", .0.display())]
    Directory(PathBuf),
    /// It cannot be opened.
    #[error("could not read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What is in it cannot be defined.
    #[error("{}: {error}", path.display())]
    NoExport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<dyn Failure + Send + Sync>,
    },
}

impl Failure for SavedExportError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Missing(_) | Self::Directory(_) | Self::Unreadable { .. } => ExitCode::Usage,
            Self::NoExport { error, .. } => error.exit_code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Missing(_) | Self::Unreadable { .. } => Some(
                "give the path of a saved response with `--from-file`, or leave it out to ask the source"
                    .to_owned(),
            ),
            Self::Directory(_) => Some(
                "give one file in it; a landing has its exports in `_flowlake/landing/*.json.zst`"
                    .to_owned(),
            ),
            Self::NoExport { error, .. } => error.help(),
        }
    }
}

/// The JSON of a saved export.
///
/// # Errors
/// It cannot be opened.
pub fn open_saved_export(path: &Path) -> Result<Box<dyn Read + Send>, SavedExportError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SavedExportError::Missing(path.to_owned()),
        io::ErrorKind::IsADirectory => SavedExportError::Directory(path.to_owned()),
        _ => SavedExportError::Unreadable { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    decompressed(file).map_err(unreadable)
}

fn decompressed(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut beginning = Vec::new();
    file.by_ref().take(ZSTD.len() as u64).read_to_end(&mut beginning)?;
    let (is_zstd, is_gzip) = (beginning.starts_with(ZSTD), beginning.starts_with(GZIP));
    let whole = io::Cursor::new(beginning).chain(file);
    Ok(if is_zstd {
        Box::new(zstd::Decoder::new(whole)?)
    } else if is_gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> String {
        let mut text = String::new();
        let bytes = io::Cursor::new(bytes.to_vec());
        decompressed(bytes).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn f09_the_first_bytes_tell_how_an_export_is_compressed() {
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        for (bytes, expected) in [
            (b"[1]".to_vec(), "[1]"),
            (b"[".to_vec(), "["),
            (Vec::new(), ""),
            (zstd("[1]"), "[1]"),
            ([zstd("[1"), zstd(",2]")].concat(), "[1,2]"),
            (gzip("[1]"), "[1]"),
            ([gzip("[1"), gzip(",2]")].concat(), "[1,2]"),
        ] {
            assert_eq!(read(&bytes), expected);
        }
    }
}
