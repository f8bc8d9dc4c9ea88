//! Write: frames of one partition into one Parquet file, in staging, where no reader looks.

use std::io::{self, Seek, Write};

use object_store::path::Path;
use polars::prelude::{
    CompatLevel, DataFrame, KeyValueMetadata, ParquetCompression, ParquetWriter, PlSmallStr,
    PolarsError, SchemaExt as _, SortMultipleOptions, StatisticsOptions,
};
use tempfile::SpooledTempFile;

use polars_parquet::write::schema_to_metadata_key;

use crate::destination::{Destination, DestinationError};
use crate::normalise::TableSchema;
use crate::partition::percent_encoded;
use crate::run_id::RunId;
use crate::runtime::on_cpu;
use crate::spill::SpillError;

/// The values in a row group: some 30 to 60 MB before compression. Rows are counted and not bytes, so that files do not
/// depend on how their rows were held until then (promise P6).
const ROW_GROUP_VALUES: usize = 1 << 21;
const FEWEST_ROWS_IN_A_GROUP: usize = 1 << 10;
const MOST_ROWS_IN_A_GROUP: usize = 1 << 20;
/// Larger files go to local disk before they go to the destination.
const LARGEST_FILE_IN_MEMORY: usize = 16 << 20;

/// A file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The rows cannot be encoded.
    #[error("the rows of `{file}` cannot be written as Parquet: {source}")]
    Encode {
        /// The file that was being made.
        file: String,
        /// What polars said.
        source: PolarsError,
    },
    /// Its rows cannot be had.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The destination does not take it.
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

/// A receipt: a file that is complete in staging, and where it is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// Where it lies now.
    pub staged: Path,
    /// Where it shall lie, relative to the destination.
    pub target: Path,
    /// Its partition's directories; empty for a table that is not partitioned.
    pub partition: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub hash: String,
}

/// Encodes the rows of a partition, which come in pieces and in order, and puts the file in staging; `None` when there
/// are no rows.
///
/// # Errors
/// The rows cannot be had or encoded, or the destination does not take them.
pub async fn stage(
    destination: &Destination,
    schema: &TableSchema,
    run_id: &RunId,
    partition: String,
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>> + Send + 'static,
) -> Result<Option<StagedFile>, WriteError> {
    let target = target_path(schema, &partition, run_id);
    let (schema, file) = (schema.clone(), target.to_string());
    let Some(encoded) = on_cpu(move || encode(pieces, &schema, &file)).await? else {
        return Ok(None);
    };
    let staged = Destination::staged(run_id, &target);
    let Encoded { content, rows, bytes, hash } = encoded;
    destination.put_stream(&staged, content).await?;
    Ok(Some(StagedFile { staged, target, partition, rows, bytes, hash }))
}

fn target_path(schema: &TableSchema, partition: &str, run_id: &RunId) -> Path {
    let table = percent_encoded(schema.name.as_str());
    let directories = std::iter::once(table.as_str()).chain(partition.split('/'));
    let file = format!("0000-{run_id}.parquet");
    let parts = directories.filter(|part| !part.is_empty()).chain([file.as_str()]);
    // The parts are encoded already; `from_iter` would encode their percent signs once more.
    let joined = parts.collect::<Vec<_>>().join("/");
    Path::parse(&joined).unwrap_or_else(|_| Path::from(joined))
}

/// A whole file, from its start.
struct Encoded {
    content: SpooledTempFile,
    rows: u64,
    bytes: u64,
    hash: String,
}

fn encode(
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>>,
    schema: &TableSchema,
    file: &str,
) -> Result<Option<Encoded>, WriteError> {
    let failed = |source| WriteError::Encode { file: file.to_owned(), source };
    let mut pieces = pieces.filter(|piece| piece.as_ref().map_or(true, |rows| rows.height() > 0));
    let Some(first) = pieces.next().transpose()? else { return Ok(None) };
    let mut content = Hashing::new();
    let mut writer = ParquetWriter::new(&mut content)
        .with_compression(ParquetCompression::Zstd(None))
        .with_statistics(StatisticsOptions::full())
        .with_key_value_metadata(Some(metadata(&first, schema)))
        .batched(first.schema())
        .map_err(failed)?;
    let pieces = std::iter::once(Ok(first)).chain(pieces);
    let group = (ROW_GROUP_VALUES / schema.columns.len().max(1))
        .clamp(FEWEST_ROWS_IN_A_GROUP, MOST_ROWS_IN_A_GROUP);
    let mut rows = 0;
    let mut write = |group: Result<DataFrame, SpillError>| {
        let group = group?;
        rows += group.height() as u64;
        writer.write_batch(&group).map_err(failed)
    };
    let by = sort_columns(schema);
    if by.is_empty() {
        Groups::of(pieces, group).try_for_each(&mut write)?;
    } else {
        // The order of a file is known only when all of its rows are.
        let all = std::iter::once(Ok(sorted(pieces, by, failed)?));
        Groups::of(all, group).try_for_each(&mut write)?;
    }
    writer.finish().map_err(failed)?;
    let (content, bytes, hash) = content.finish().map_err(|error| failed(error.into()))?;
    Ok(Some(Encoded { content, rows, bytes, hash }))
}

/// The columns that the rows of a file are in the order of.
fn sort_columns(schema: &TableSchema) -> Vec<PlSmallStr> {
    // A column that is the partition is the same in every row and not in the file.
    let by = schema.sort_by.iter().filter(|name| !schema.is_partition(name));
    by.map(|name| name.as_str().into()).collect()
}

fn sorted(
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>>,
    by: Vec<PlSmallStr>,
    failed: impl Fn(PolarsError) -> WriteError,
) -> Result<DataFrame, WriteError> {
    let mut all: Option<DataFrame> = None;
    for piece in pieces {
        let piece = piece?;
        match &mut all {
            None => all = Some(piece),
            Some(all) => {
                all.vstack_mut_owned(piece).map_err(&failed)?;
            }
        }
    }
    let mut all = all.unwrap_or_default();
    let options = SortMultipleOptions::default().with_maintain_order(true);
    all.sort_in_place(by, options).map_err(failed)?;
    Ok(all)
}

/// Frames of a number of rows each, from frames of any.
struct Groups<P> {
    pieces: P,
    rows: usize,
    waiting: DataFrame,
}

impl<P: Iterator<Item = Result<DataFrame, SpillError>>> Groups<P> {
    fn of(pieces: P, rows: usize) -> Self {
        Self { pieces, rows, waiting: DataFrame::empty() }
    }

    fn next_group(&mut self) -> Result<Option<DataFrame>, SpillError> {
        while self.waiting.height() < self.rows {
            match self.pieces.next().transpose()? {
                Some(piece) if self.waiting.height() == 0 => self.waiting = piece,
                Some(piece) => {
                    self.waiting.vstack_mut_owned(piece)?;
                }
                None => break,
            }
        }
        if self.waiting.height() == 0 {
            return Ok(None);
        }
        let height = self.waiting.height();
        let mut group = self.waiting.slice(0, self.rows.min(height));
        self.waiting = match i64::try_from(self.rows) {
            Ok(rest) if self.rows < height => self.waiting.slice(rest, height - self.rows),
            _ => DataFrame::empty(),
        };
        group.rechunk_mut();
        Ok(Some(group))
    }
}

impl<P: Iterator<Item = Result<DataFrame, SpillError>>> Iterator for Groups<P> {
    type Item = Result<DataFrame, SpillError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_group().transpose()
    }
}

/// Keeps what is written, and hashes it as it goes by.
struct Hashing {
    content: SpooledTempFile,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn new() -> Self {
        let content = tempfile::spooled_tempfile(LARGEST_FILE_IN_MEMORY);
        Self { content, hasher: blake3::Hasher::new(), bytes: 0 }
    }

    /// The content from its start, its size and its hash.
    fn finish(mut self) -> io::Result<(SpooledTempFile, u64, String)> {
        self.content.rewind()?;
        Ok((self.content, self.bytes, self.hasher.finalize().to_hex().to_string()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.content.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

/// The descriptions, and the Arrow schema that Arrow readers restore types from. polars would write string
/// views there, which pandas cannot take in lists; plain large strings are read everywhere.
fn metadata(rows: &DataFrame, schema: &TableSchema) -> KeyValueMetadata {
    let arrow = rows.schema().to_arrow(CompatLevel::oldest());
    let arrow = schema_to_metadata_key(&arrow);
    let mut entries = descriptions(schema);
    entries.extend(arrow.value.map(|value| (arrow.key, value)));
    KeyValueMetadata::from_static(entries)
}

fn descriptions(schema: &TableSchema) -> Vec<(String, String)> {
    let table = schema.description.iter().map(|text| ("description".to_owned(), text.clone()));
    let columns = schema.columns.iter().filter_map(|column| {
        Some((format!("description.{}", column.name), column.description.clone()?))
    });
    table.chain(columns).collect()
}
