//! Reads quarantine files line by line. Only their compressed bytes are held.

use std::io::{self, BufRead, BufReader, Cursor};

use bytes::Bytes;
use zstd::Decoder;

use super::{QuarantineError, QuarantineFile, QuarantineLine};
use crate::store::Destination;
use crate::table::layout;

type Text = io::Split<BufReader<Decoder<'static, BufReader<Cursor<Bytes>>>>>;

/// The lines of a quarantine file.
pub struct QuarantineLines {
    path: String,
    text: Text,
}

/// The lines that can be read of a quarantine file.
pub struct ReadableLines {
    lines: QuarantineLines,
    /// What is wrong with the file.
    pub damage: Option<QuarantineError>,
}

/// Reads a quarantine file.
///
/// # Errors
/// The destination fails, or the file is missing or not what was written.
pub async fn read(
    destination: &Destination,
    file: &QuarantineFile,
) -> Result<QuarantineLines, QuarantineError> {
    let (content, is_as_written) = content_of(destination, file).await?;
    if is_as_written { QuarantineLines::of(content, &file.path) } else { Err(changed(&file.path)) }
}

/// Reads what can be read of a quarantine file, and tells what is wrong with it.
///
/// # Errors
/// The destination fails, or the file is missing.
pub async fn read_what_is_left(
    destination: &Destination,
    file: &QuarantineFile,
) -> Result<ReadableLines, QuarantineError> {
    let (content, is_as_written) = content_of(destination, file).await?;
    let damage = (!is_as_written).then(|| changed(&file.path));
    Ok(ReadableLines { lines: QuarantineLines::of(content, &file.path)?, damage })
}

async fn content_of(
    destination: &Destination,
    file: &QuarantineFile,
) -> Result<(Bytes, bool), QuarantineError> {
    let content = destination.get(&layout::recorded(&file.path)).await?;
    let content = content.ok_or_else(|| QuarantineError::Missing { path: file.path.clone() })?;
    let is_as_written = blake3::hash(&content).to_hex().as_str() == file.blake3;
    Ok((content, is_as_written))
}

fn changed(path: &str) -> QuarantineError {
    let reason = "it has changed since it was written".to_owned();
    QuarantineError::Unreadable { path: path.to_owned(), reason }
}

fn unreadable(path: &str, error: &io::Error) -> QuarantineError {
    QuarantineError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// The lines of the content of a quarantine file.
///
/// # Errors
/// There is no memory for it.
pub(in crate::table) fn lines_of(
    content: Bytes,
    path: &str,
) -> Result<QuarantineLines, QuarantineError> {
    QuarantineLines::of(content, path)
}

impl QuarantineLines {
    fn of(content: Bytes, path: &str) -> Result<Self, QuarantineError> {
        let decoder = Decoder::new(Cursor::new(content)).map_err(|it| unreadable(path, &it))?;
        Ok(Self { path: path.to_owned(), text: BufReader::new(decoder).split(b'\n') })
    }
}

impl Iterator for QuarantineLines {
    type Item = Result<QuarantineLine, QuarantineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.text.next()?;
        let line = line.and_then(|line| Ok(serde_json::from_slice(&line)?));
        Some(line.map_err(|error| unreadable(&self.path, &error)))
    }
}

impl Iterator for ReadableLines {
    type Item = QuarantineLine;

    /// The next line that can be read, up to the place where the text ends or cannot be decompressed.
    fn next(&mut self) -> Option<QuarantineLine> {
        loop {
            let line = match self.lines.text.next()? {
                Ok(line) => line,
                Err(error) => {
                    let damage = || unreadable(&self.lines.path, &error);
                    self.damage.get_or_insert_with(damage);
                    return None;
                }
            };
            match serde_json::from_slice(&line) {
                Ok(line) => return Some(line),
                Err(error) => {
                    let damage = || unreadable(&self.lines.path, &error.into());
                    self.damage.get_or_insert_with(damage);
                }
            }
        }
    }
}
