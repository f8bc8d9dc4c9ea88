//! Write: frames of one partition into Parquet files, in staging, where no reader looks.

use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
use crate::statistics::{self, Collector, Statistics};

/// The values in a row group: some 30 to 60 MB before compression. Rows are counted and not bytes, so that files do not
/// depend on how their rows were held until then (promise P6).
const ROW_GROUP_VALUES: usize = 1 << 21;
const FEWEST_ROWS_IN_A_GROUP: usize = 1 << 10;
const MOST_ROWS_IN_A_GROUP: usize = 1 << 20;
/// Once a file has so many bytes, further row groups go into the next one.
const LARGE_FILE_BYTES: u64 = 128 << 20;
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
    /// What it holds.
    pub statistics: Statistics,
}

/// Encodes the rows of a partition, which come in pieces and in order, and puts them in staging: in one file, or in
/// several when it would become too large; in none when there are no rows.
///
/// # Errors
/// The rows cannot be had or encoded, or the destination does not take them.
pub async fn stage(
    destination: &Destination,
    schema: &TableSchema,
    run_id: &RunId,
    partition: String,
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>> + Send + 'static,
) -> Result<Vec<StagedFile>, WriteError> {
    let (of, place) = (schema.clone(), target_path(schema, &partition, run_id, 0).to_string());
    let encoded = on_cpu(move || encode(pieces, &of, &place, Sizes::of(&of))).await?;
    let mut files = Vec::with_capacity(encoded.len());
    for (number, encoded) in encoded.into_iter().enumerate() {
        let Encoded { content, rows, bytes, hash, statistics } = encoded;
        let target = target_path(schema, &partition, run_id, number);
        let staged = Destination::staged(run_id, &target);
        destination.put_stream(&staged, content).await?;
        let partition = partition.clone();
        files.push(StagedFile { staged, target, partition, rows, bytes, hash, statistics });
    }
    Ok(files)
}

fn target_path(schema: &TableSchema, partition: &str, run_id: &RunId, number: usize) -> Path {
    let table = percent_encoded(schema.name.as_str());
    let directories = std::iter::once(table.as_str()).chain(partition.split('/'));
    let file = format!("{number:04}-{run_id}.parquet");
    let parts = directories.filter(|part| !part.is_empty()).chain([file.as_str()]);
    // The parts are encoded already; `from_iter` would encode their percent signs once more.
    let joined = parts.collect::<Vec<_>>().join("/");
    Path::parse(&joined).unwrap_or_else(|_| Path::from(joined))
}

/// How large things become.
#[derive(Clone, Copy)]
struct Sizes {
    rows_in_a_group: usize,
    bytes_of_a_large_file: u64,
}

impl Sizes {
    fn of(schema: &TableSchema) -> Self {
        let rows_in_a_group = (ROW_GROUP_VALUES / schema.columns.len().max(1))
            .clamp(FEWEST_ROWS_IN_A_GROUP, MOST_ROWS_IN_A_GROUP);
        Self { rows_in_a_group, bytes_of_a_large_file: LARGE_FILE_BYTES }
    }
}

/// A whole file, from its start.
struct Encoded {
    content: SpooledTempFile,
    rows: u64,
    bytes: u64,
    hash: String,
    statistics: Statistics,
}

fn encode(
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>>,
    schema: &TableSchema,
    place: &str,
    sizes: Sizes,
) -> Result<Vec<Encoded>, WriteError> {
    let failed = |source| WriteError::Encode { file: place.to_owned(), source };
    let by = sort_columns(schema);
    if by.is_empty() {
        return encode_groups(Groups::of(pieces, sizes.rows_in_a_group), schema, sizes, failed);
    }
    // The order of the rows is known only when all of them are.
    let all = std::iter::once(Ok(sorted(pieces, by, failed)?));
    encode_groups(Groups::of(all, sizes.rows_in_a_group), schema, sizes, failed)
}

fn encode_groups(
    mut groups: impl Iterator<Item = Result<DataFrame, SpillError>>,
    schema: &TableSchema,
    sizes: Sizes,
    failed: impl Fn(PolarsError) -> WriteError,
) -> Result<Vec<Encoded>, WriteError> {
    let mut files = Vec::new();
    let observed = statistics::columns(schema);
    while let Some(first) = groups.next().transpose()? {
        let (mut content, mut rows) = (Hashing::new(), 0);
        let bytes = content.bytes.clone();
        let mut statistics = Collector::default();
        let mut writer = ParquetWriter::new(&mut content)
            .with_compression(ParquetCompression::Zstd(None))
            .with_statistics(StatisticsOptions::full())
            .with_key_value_metadata(Some(metadata(&first, schema)))
            .batched(first.schema())
            .map_err(&failed)?;
        let mut group = Some(first);
        while let Some(one) = group {
            rows += one.height() as u64;
            statistics.observe(&one, &observed).map_err(&failed)?;
            writer.write_batch(&one).map_err(&failed)?;
            let is_large = bytes.load(Ordering::Relaxed) >= sizes.bytes_of_a_large_file;
            group = if is_large { None } else { groups.next().transpose()? };
        }
        writer.finish().map_err(&failed)?;
        let (content, bytes, hash) = content.finish().map_err(|error| failed(error.into()))?;
        let statistics = statistics.finish().map_err(&failed)?;
        files.push(Encoded { content, rows, bytes, hash, statistics });
    }
    Ok(files)
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
    if all.height() == 0 {
        return Ok(all);
    }
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
    /// How many bytes were written; the writer has the rest to itself.
    bytes: Arc<AtomicU64>,
}

impl Hashing {
    fn new() -> Self {
        let content = tempfile::spooled_tempfile(LARGEST_FILE_IN_MEMORY);
        Self { content, hasher: blake3::Hasher::new(), bytes: Arc::default() }
    }

    /// The content from its start, its size and its hash.
    fn finish(mut self) -> io::Result<(SpooledTempFile, u64, String)> {
        self.content.rewind()?;
        let bytes = self.bytes.load(Ordering::Relaxed);
        Ok((self.content, bytes, self.hasher.finalize().to_hex().to_string()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.content.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, NamedFrom, ParquetReader, SerReader, Series};

    use super::*;
    use crate::definition::{ColumnName, Table};
    use crate::normalise::{Schemas, Shape};

    fn schema(sort_by: &[&str]) -> TableSchema {
        let mut table = Table::named("t".parse().unwrap());
        table.primary_key = vec!["n".parse().unwrap()];
        table.columns.insert(
            "n".parse().unwrap(),
            crate::definition::Column {
                column_type: Some("int64".parse().unwrap()),
                ..crate::definition::Column::default()
            },
        );
        table.sort_by = sort_by.iter().map(|name| name.parse::<ColumnName>().unwrap()).collect();
        let known = std::collections::BTreeMap::new();
        Schemas::settle(&[(&table, &Shape::default())], &[], &known).unwrap().tables.remove(0)
    }

    /// The values of the files that rows become.
    fn files(numbers: &[i64], sort_by: &[&str], bytes_of_a_large_file: u64) -> Vec<Vec<i64>> {
        let pieces: Vec<_> = numbers
            .chunks(3)
            .map(|numbers| {
                let column = Column::from(Series::new("n".into(), numbers));
                Ok(DataFrame::new(numbers.len(), vec![column]).unwrap())
            })
            .collect();
        let sizes = Sizes { rows_in_a_group: 2, bytes_of_a_large_file };
        let encoded = encode(pieces.into_iter(), &schema(sort_by), "t", sizes).unwrap();
        let values = encoded.into_iter().map(|Encoded { mut content, rows, .. }| {
            let mut bytes = Vec::new();
            io::copy(&mut content, &mut bytes).unwrap();
            let read = ParquetReader::new(io::Cursor::new(bytes)).finish().unwrap();
            assert_eq!(read.height() as u64, rows);
            read.column("n").unwrap().i64().unwrap().into_no_null_iter().collect()
        });
        values.collect()
    }

    #[test]
    fn rows_go_into_another_file_when_one_is_large() {
        let numbers = [5, 1, 4, 2, 3, 7, 6];
        assert_eq!(files(&numbers, &[], 1), [vec![5, 1], vec![4, 2], vec![3, 7], vec![6]]);
        assert_eq!(files(&numbers, &[], u64::MAX), [numbers.to_vec()]);
        assert_eq!(files(&numbers, &["n"], 1), [vec![1, 2], vec![3, 4], vec![5, 6], vec![7]]);
        for sort_by in [&[][..], &["n"]] {
            assert_eq!(files(&[], sort_by, 1), Vec::<Vec<i64>>::new());
        }
    }
}
