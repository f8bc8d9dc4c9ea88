//! Spill: what does not fit in memory, on local disk until it is needed again.
//!
//! It lies in one file without a name, so that it is gone with the process, however that ends: rows in blocks of Arrow
//! IPC, compressed with LZ4, which costs less than writing what it saves, and pages of Parquet as they are.

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

/// Rows could not be put on local disk, or not be had back.
#[derive(Debug, thiserror::Error)]
#[error("rows that do not fit in memory cannot be kept in the temporary directory {}: {source}", directory.display())]
pub struct SpillError {
    directory: std::path::PathBuf,
    source: PolarsError,
}

impl SpillError {
    /// What polars or the disk said.
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

/// The file that is spilled to. There is none before something is put in it. Several threads may put something in it at
/// once.
#[derive(Debug, Default)]
pub struct Spill {
    file: OnceLock<File>,
    end: AtomicU64,
}

/// Where in a [`Spill`] something lies.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    start: u64,
    length: usize,
}

/// Rows that lie in a [`Spill`].
#[derive(Debug, Clone, Copy)]
pub struct Block {
    place: Place,
    /// How many.
    pub rows: usize,
}

/// Rows that are needed again: in memory, or spilled.
#[derive(Debug, Clone)]
pub enum Piece {
    /// In memory.
    Held(DataFrame),
    /// On local disk.
    Spilled(Block),
}

impl Spill {
    /// Puts bytes on disk.
    ///
    /// # Errors
    /// The temporary directory cannot be written, or is full.
    pub fn put(&self, bytes: &[u8]) -> Result<Place, SpillError> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file()?.write_all_at(bytes, start)?;
        Ok(Place { start, length: bytes.len() })
    }

    /// The bytes that were put there.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, place: Place) -> Result<Vec<u8>, SpillError> {
        let mut bytes = vec![0; place.length];
        self.file()?.read_exact_at(&mut bytes, place.start)?;
        Ok(bytes)
    }

    fn file(&self) -> Result<&File, SpillError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // Nobody else can open it. Of two that are made at once, one is gone again.
        let file = tempfile::tempfile()?;
        Ok(self.file.get_or_init(|| file))
    }

    /// Puts rows on disk. Several frames may be packed at once on several threads.
    ///
    /// # Errors
    /// The temporary directory is full. polars refuses, which would be a mistake of ours.
    pub fn put_rows(&self, mut rows: DataFrame) -> Result<Piece, SpillError> {
        let mut bytes = Vec::new();
        IpcStreamWriter::new(&mut bytes)
            .with_compression(Some(IpcCompression::LZ4))
            .with_compat_level(CompatLevel::newest())
            .finish(&mut rows)?;
        Ok(Piece::Spilled(Block { place: self.put(&bytes)?, rows: rows.height() }))
    }
}

impl Piece {
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
/// The disk fails. polars refuses, which would be a mistake of ours.
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
        let pieces: Vec<Piece> =
            frames.iter().map(|frame| spill.put_rows(frame.clone()).unwrap()).collect();
        for (piece, frame) in pieces.iter().zip(&frames) {
            assert!(piece.read(&spill).unwrap().equals_missing(frame));
            assert_eq!(piece.rows(), frame.height());
        }
    }
}
