//! Spill: keeps on local disk what does not fit in memory.
//!
//! It is one file without a name, which disappears with the process. Rows are Arrow IPC, compressed with LZ4, which costs
//! less time than it saves in writing; Parquet pages are stored as they are.

use std::fs::File;
use std::io::{self, Cursor};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use polars::prelude::{
    CompatLevel, DataFrame, IpcCompression, IpcStreamReader, IpcStreamWriter, PolarsError,
    SerReader, SerWriter,
};

use crate::exit_code::{ExitCode, Failure, advice};

/// Writing to local disk, or reading from it, failed.
#[derive(Debug, thiserror::Error)]
#[error("could not spill rows to the temporary directory {}: {source}", directory.display())]
pub struct SpillError {
    directory: std::path::PathBuf,
    source: PolarsError,
}

impl SpillError {
    /// The error of polars or the disk.
    pub(crate) fn into_source(self) -> PolarsError {
        self.source
    }
}

impl Failure for SpillError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Unexpected
    }

    fn help(&self) -> Option<String> {
        Some(advice::TEMPORARY_DIRECTORY.to_owned())
    }
}

impl From<PolarsError> for SpillError {
    fn from(source: PolarsError) -> Self {
        Self { directory: std::env::temp_dir(), source }
    }
}

impl From<io::Error> for SpillError {
    fn from(source: io::Error) -> Self {
        PolarsError::from(source).into()
    }
}

/// The spill file, created by the first write. Several threads may write at once.
#[derive(Debug, Default)]
pub struct Spill {
    file: OnceLock<File>,
    end: AtomicU64,
}

/// A range of bytes in a [`Spill`].
#[derive(Debug, Clone, Copy)]
pub struct SpilledBytes {
    start: u64,
    length: usize,
}

/// Rows in a [`Spill`].
#[derive(Debug, Clone, Copy)]
pub struct SpilledRows {
    place: SpilledBytes,
    /// How many.
    pub rows: usize,
}

/// Rows that are needed later, in memory or spilled.
#[derive(Debug, Clone)]
pub enum KeptRows {
    /// In memory.
    Held(DataFrame),
    /// On local disk.
    Spilled(SpilledRows),
}

impl Spill {
    /// Writes bytes.
    ///
    /// # Errors
    /// The temporary directory is not writable, or full.
    pub fn put(&self, bytes: &[u8]) -> Result<SpilledBytes, SpillError> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file()?.write_all_at(bytes, start)?;
        Ok(SpilledBytes { start, length: bytes.len() })
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, place: SpilledBytes) -> Result<Vec<u8>, SpillError> {
        let mut bytes = vec![0; place.length];
        self.file()?.read_exact_at(&mut bytes, place.start)?;
        Ok(bytes)
    }

    fn file(&self) -> Result<&File, SpillError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // Of two files that are created at once, one is dropped again.
        let file = tempfile::tempfile()?;
        Ok(self.file.get_or_init(|| file))
    }

    /// Writes rows. Several threads may compress frames at once.
    ///
    /// # Errors
    /// The temporary directory is full. polars fails, which would be a bug.
    pub fn put_rows(&self, mut rows: DataFrame) -> Result<KeptRows, SpillError> {
        let mut bytes = Vec::new();
        IpcStreamWriter::new(&mut bytes)
            .with_compression(Some(IpcCompression::LZ4))
            .with_compat_level(CompatLevel::newest())
            .finish(&mut rows)?;
        Ok(KeptRows::Spilled(SpilledRows { place: self.put(&bytes)?, rows: rows.height() }))
    }
}

impl KeptRows {
    /// The rows.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, spill: &Spill) -> Result<DataFrame, SpillError> {
        match self {
            Self::Held(rows) => Ok(rows.clone()),
            Self::Spilled(block) => {
                let bytes = Cursor::new(spill.read(block.place)?);
                Ok(IpcStreamReader::new(bytes).finish()?)
            }
        }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Held(rows) => rows.height(),
            Self::Spilled(block) => block.rows,
        }
    }
}

/// The rows of some pieces, one after the other.
///
/// # Errors
/// The disk fails. polars fails, which would be a bug.
pub fn all_rows(
    pieces: impl IntoIterator<Item = Result<DataFrame, SpillError>>,
) -> Result<DataFrame, SpillError> {
    let mut all: Option<DataFrame> = None;
    for rows in pieces {
        let rows = rows?;
        match &mut all {
            None => all = Some(rows),
            Some(all) => {
                all.vstack_mut_owned(rows)?;
            }
        }
    }
    let mut all = all.unwrap_or_default();
    all.rechunk_mut();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoColumn, NamedFrom, Series};

    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let spill = Spill::default();
        let frame = |texts: &[Option<&str>]| {
            let column = Series::new("c".into(), texts).into_column();
            DataFrame::new(texts.len(), vec![column]).unwrap()
        };
        let frames =
            [frame(&[Some("a"), None]), frame(&[]), frame(&[Some("a text that is no prefix")])];
        let pieces: Vec<KeptRows> =
            frames.iter().map(|frame| spill.put_rows(frame.clone()).unwrap()).collect();
        for (piece, frame) in pieces.iter().zip(&frames) {
            assert!(piece.read(&spill).unwrap().equals_missing(frame));
            assert_eq!(piece.rows(), frame.height());
        }
    }
}
