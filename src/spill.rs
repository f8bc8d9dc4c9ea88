//! Spill: rows that do not fit in memory, on local disk until they are needed again.
//!
//! Rows lie in one file without a name, so that it is gone with the process, however that ends: in blocks of Arrow
//! IPC, compressed with LZ4, which costs less than writing what it saves.

use std::fs::File;
use std::io::{self, Cursor};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use polars::prelude::{
    CompatLevel, DataFrame, IpcCompression, IpcStreamReader, IpcStreamWriter, PolarsError,
    PolarsResult, SerReader, SerWriter,
};

/// Rows could not be put on local disk, or not be had back.
#[derive(Debug, thiserror::Error)]
#[error("rows that do not fit in memory cannot be kept in the temporary directory {}: {source}", directory.display())]
pub struct SpillError {
    directory: std::path::PathBuf,
    source: PolarsError,
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

/// The file that rows are spilled to.
#[derive(Debug)]
pub struct Spill {
    file: Arc<File>,
    end: u64,
}

/// Rows that lie on local disk.
#[derive(Debug, Clone)]
pub struct Block {
    file: Arc<File>,
    place: Range<u64>,
    /// How many.
    pub rows: usize,
}

/// Rows in the form they lie on disk in.
#[derive(Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    rows: usize,
}

impl Packed {
    /// Packs rows; several frames may be packed at once on several threads.
    ///
    /// # Errors
    /// polars refuses, which would be a mistake of ours.
    pub fn new(mut rows: DataFrame) -> PolarsResult<Self> {
        let mut bytes = Vec::new();
        IpcStreamWriter::new(&mut bytes)
            .with_compression(Some(IpcCompression::LZ4))
            .with_compat_level(CompatLevel::newest())
            .finish(&mut rows)?;
        Ok(Self { bytes, rows: rows.height() })
    }
}

impl Spill {
    /// Makes a temporary file that nobody else can open.
    ///
    /// # Errors
    /// The temporary directory cannot be written.
    pub fn create() -> Result<Self, SpillError> {
        Ok(Self { file: Arc::new(tempfile::tempfile()?), end: 0 })
    }

    /// Puts rows on disk.
    ///
    /// # Errors
    /// The temporary directory is full.
    pub fn put(&mut self, packed: &Packed) -> Result<Block, SpillError> {
        self.file.write_all_at(&packed.bytes, self.end)?;
        let place = self.end..self.end + packed.bytes.len() as u64;
        self.end = place.end;
        Ok(Block { file: self.file.clone(), place, rows: packed.rows })
    }
}

impl Block {
    /// The rows.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self) -> Result<DataFrame, SpillError> {
        let length = usize::try_from(self.place.end - self.place.start).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.place.start)?;
        Ok(IpcStreamReader::new(Cursor::new(bytes)).finish()?)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoColumn, NamedFrom, Series};

    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let mut spill = Spill::create().unwrap();
        let frame = |texts: &[Option<&str>]| {
            let column = Series::new("c".into(), texts).into_column();
            DataFrame::new(texts.len(), vec![column]).unwrap()
        };
        let frames =
            [frame(&[Some("a"), None]), frame(&[]), frame(&[Some("a text that is no prefix")])];
        let blocks: Vec<Block> = frames
            .iter()
            .map(|frame| spill.put(&Packed::new(frame.clone()).unwrap()).unwrap())
            .collect();
        for (block, frame) in blocks.iter().zip(&frames) {
            assert!(block.read().unwrap().equals_missing(frame));
            assert_eq!(block.rows, frame.height());
        }
    }
}
