//! Spool: stores the export as received, compressed and hashed while it arrives.
//!
//! The body passes once: hash and zstd see each piece as it comes, and the decoder gets the same bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;

use crate::exit_code::{ExitCode, Failure, advice};

/// The level that costs least; exports are repetitive enough to shrink to a tenth with it.
const COMPRESSION_LEVEL: i32 = 1;
/// How much of the export is compressed at once, as a frame of its own. zstd then need not copy it into its window, and
/// takes an eighth less time.
const FRAME_BYTES: usize = 2 << 20;

/// The spooled export could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot store the export in the directory {}: {source}", directory.display())]
pub struct LandError {
    directory: PathBuf,
    source: io::Error,
}

impl LandError {
    /// Whether it was in the temporary directory, and not on the disk of the destination.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.directory == std::env::temp_dir()
    }

    pub(super) fn of(directory: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { directory: directory.to_owned(), source }
    }
}

impl Failure for LandError {
    fn exit_code(&self) -> ExitCode {
        if self.is_temporary() { ExitCode::Unexpected } else { ExitCode::Destination }
    }

    fn help(&self) -> Option<String> {
        let help = if self.is_temporary() {
            advice::TEMPORARY_DIRECTORY
        } else {
            advice::CHECK_DESTINATION
        };
        Some(help.to_owned())
    }
}

/// The BLAKE3 hash of an export, in hexadecimal: the same export has the same hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExportHash(String);

impl ExportHash {
    /// The hash of an export that came in pieces.
    #[must_use]
    pub fn of_all<'a>(mut pieces: impl ExactSizeIterator<Item = &'a Self>) -> Self {
        if pieces.len() == 1
            && let Some(only) = pieces.next()
        {
            return only.clone();
        }
        let mut hasher = blake3::Hasher::new();
        for piece in pieces {
            hasher.update(piece.0.as_bytes());
        }
        Self(hasher.finalize().to_hex().to_string())
    }
}

impl std::fmt::Display for ExportHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An export that is still arriving.
pub struct Landing {
    file: File,
    directory: PathBuf,
    compressor: Compressor<'static>,
    /// Bytes that do not fill a frame yet.
    waiting: Vec<u8>,
    hasher: blake3::Hasher,
    bytes: u64,
}

/// An export that has arrived. Its file has no name, so it is gone when the process ends, unless the destination
/// [names it](crate::store::Destination::adopt).
#[derive(Debug, Clone)]
pub struct Landed {
    file: Arc<File>,
    directory: PathBuf,
    /// The hash of its content.
    pub hash: ExportHash,
    /// Size before compression.
    pub bytes: u64,
}

impl Landing {
    /// Creates a file without a name, which nobody else can open, on the disk of this directory.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(directory: PathBuf) -> Result<Self, LandError> {
        let created = nameless_file(&directory);
        let created = created.and_then(|file| Ok((file, Compressor::new(COMPRESSION_LEVEL)?)));
        let (file, compressor) = created.map_err(LandError::of(&directory))?;
        let hasher = blake3::Hasher::new();
        Ok(Self { file, directory, compressor, waiting: Vec::new(), hasher, bytes: 0 })
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), LandError> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        let mut rest = piece;
        while self.waiting.len() + rest.len() >= FRAME_BYTES {
            let (fits, behind) = rest.split_at(FRAME_BYTES - self.waiting.len());
            self.waiting.extend_from_slice(fits);
            self.write_frame()?;
            rest = behind;
        }
        self.waiting.extend_from_slice(rest);
        Ok(())
    }

    fn write_frame(&mut self) -> Result<(), LandError> {
        let frame = self.compressor.compress(&self.waiting);
        let written = frame.and_then(|frame| self.file.write_all(&frame));
        self.waiting.clear();
        written.map_err(LandError::of(&self.directory))
    }

    /// Closes the file.
    ///
    /// # Errors
    /// The disk is full.
    pub fn finish(mut self) -> Result<Landed, LandError> {
        // An empty export has one empty frame.
        if !self.waiting.is_empty() || self.bytes == 0 {
            self.write_frame()?;
        }
        let hash = ExportHash(self.hasher.finalize().to_hex().to_string());
        let (file, directory) = (Arc::new(self.file), self.directory);
        Ok(Landed { file, directory, hash, bytes: self.bytes })
    }
}

/// A file that can be named later, where the system has such files. Only its owner can read it.
pub(super) fn nameless_file(directory: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600);
        // Not every file system supports this.
        if let Ok(file) = options.open(directory) {
            return Ok(file);
        }
    }
    tempfile::tempfile_in(directory)
}

impl Landed {
    pub(super) fn new(file: File, directory: PathBuf, hash: ExportHash, bytes: u64) -> Self {
        Self { file: Arc::new(file), directory, hash, bytes }
    }

    /// The export, if its content is that of its hash; otherwise what is wrong with it.
    pub(super) fn verified(self) -> Result<Self, String> {
        let mut hasher = blake3::Hasher::new();
        let mut content = self.read().map_err(|error| error.to_string())?;
        let bytes = io::copy(&mut content, &mut hasher).map_err(|error| error.to_string())?;
        if bytes == self.bytes && hasher.finalize().to_hex().as_str() == self.hash.0 {
            Ok(self)
        } else {
            Err("it is not what was received".to_owned())
        }
    }

    /// The file, compressed as it is kept.
    #[must_use]
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// The export, compressed as it is kept.
    #[must_use]
    pub fn compressed(&self) -> impl Read + Send + use<> {
        FromStart { file: self.file.clone(), at: 0 }
    }

    /// The export as it was received.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn read(&self) -> Result<impl Read + Send + use<>, LandError> {
        zstd::stream::read::Decoder::new(self.compressed()).map_err(self.file_error())
    }

    /// Converts an error of its file.
    pub fn file_error(&self) -> impl FnOnce(io::Error) -> LandError {
        LandError::of(&self.directory)
    }

    /// The bytes of the export at each of `ranges`, which must be ascending, one after the other.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read_ranges<'r>(
        &'r self,
        ranges: &'r [Range<u64>],
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, LandError>> + use<'r>, LandError> {
        let mut decoder = self.read()?;
        let mut position = 0;
        Ok(ranges.iter().map(move |range| {
            let mut before = decoder.by_ref().take(range.start - position);
            io::copy(&mut before, &mut io::sink()).map_err(self.file_error())?;
            let (mut piece, mut in_range) =
                (Vec::new(), decoder.by_ref().take(range.end - range.start));
            in_range.read_to_end(&mut piece).map_err(self.file_error())?;
            position = range.end;
            Ok(piece)
        }))
    }
}

/// Reads a file from its start, whoever else reads it.
struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::DestinationUrl;
    use crate::store::Destination;

    use super::*;

    #[tokio::test]
    async fn an_export_on_the_disk_of_the_destination_is_given_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let url = DestinationUrl::Local(directory.path().to_owned());
        let destination = Destination::open(&url).unwrap();
        let land = |content: &[u8]| {
            let mut landing = Landing::create(directory.path().to_owned()).unwrap();
            landing.write(content).unwrap();
            landing.finish().unwrap()
        };
        let path = object_store::path::Path::from("landing/export.json.zst");
        let named = destination.adopt(land(b"[1]").file(), &path).await.unwrap();
        assert_eq!(destination.size(&path).await.unwrap().is_some(), named);
        if named {
            let kept = destination.get(&path).await.unwrap().unwrap();
            assert_eq!(zstd::decode_all(&*kept).unwrap(), b"[1]");
        }
        // A name that is taken is for the copy to take over.
        destination.put(&path, bytes::Bytes::from_static(b"other")).await.unwrap();
        assert!(!destination.adopt(land(b"[2]").file(), &path).await.unwrap());
        let has_name = Arc::new(tempfile::tempfile_in(directory.path()).unwrap());
        let elsewhere = object_store::path::Path::from("landing/elsewhere");
        let named = destination.adopt(has_name, &elsewhere).await.unwrap();
        assert_eq!(destination.size(&elsewhere).await.unwrap().is_some(), named);
    }

    #[test]
    fn ranges_of_the_export_come_back() {
        let mut landing = Landing::create(std::env::temp_dir()).unwrap();
        for piece in [&b"[{\"a\":1},"[..], b"{\"a\":2}]"] {
            landing.write(piece).unwrap();
        }
        let landed = landing.finish().unwrap();
        assert_eq!(landed.bytes, 17);
        let ranges = [1..8, 9..16];
        let pieces: Result<Vec<_>, _> = landed.read_ranges(&ranges).unwrap().collect();
        assert_eq!(pieces.unwrap(), [b"{\"a\":1}", b"{\"a\":2}"]);
    }
}
