//! Assembles a Parquet file from row groups, with what readers find at its end: descriptions, the Arrow schema, the order
//! of the rows, and who wrote it.

use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use polars::prelude::{PolarsError, PolarsResult};
use polars_parquet::parquet::PARQUET_MAGIC;
use polars_parquet::parquet::metadata::KeyValue;
use polars_parquet::parquet::write::{FileWriter, WriteOptions};
use polars_parquet::write::{ThriftFileMetadata, schema_to_metadata_key, write_metadata_sidecar};
use polars_parquet_format::SortingColumn;
use tempfile::SpooledTempFile;

use super::chunk::OPTIONS;
use super::encoder::{DESCRIPTION, FileLayout, RowGroup};
use super::statistics::{Statistics, StatisticsCollector};
use crate::schema::{ColumnName, TableSchema};

/// In the form that readers parse.
const CREATED_BY: &str = concat!("flowlake version ", env!("CARGO_PKG_VERSION"));
/// A file with so many pages gets no further row group: the Parquet writer keeps half a kilobyte of each until the file ends.
/// Tables of a thousand columns that few rows have are in files of 100,000 rows.
const MANY_PAGES: usize = 1 << 16;
/// Larger files are assembled on local disk.
const LARGEST_FILE_IN_MEMORY: usize = 4 << 20;

/// A whole file, from its start.
pub(super) struct Encoded {
    pub(super) content: SpooledTempFile,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) hash: String,
    pub(super) statistics: Statistics,
}

/// A file of the next row groups, until it is large.
pub(super) fn file_of(
    groups: &mut impl Iterator<Item = RowGroup>,
    form: &FileLayout,
    schema: &TableSchema,
    bytes_of_a_large_file: u64,
) -> PolarsResult<Encoded> {
    let (mut content, mut rows, mut pages) = (Hashing::new(), 0, 0);
    let holds_back = content.holds_back.clone();
    let mut statistics = StatisticsCollector::default();
    let written = content.bytes.clone();
    let options =
        WriteOptions { write_statistics: OPTIONS.has_statistics(), version: OPTIONS.version };
    let created_by = Some(CREATED_BY.to_owned());
    let mut writer = FileWriter::new(&mut content, form.descriptor.clone(), options, created_by);
    while written.load(Ordering::Relaxed) < bytes_of_a_large_file
        && pages < MANY_PAGES
        && let Some(group) = groups.next()
    {
        statistics.merge(&group.statistics)?;
        let rows_of_group = group.rows as u64;
        pages += group.pages * form.descriptor.columns().len();
        writer.write(rows_of_group, group.into_columns())?;
        rows += rows_of_group;
    }
    holds_back.store(true, Ordering::Relaxed);
    writer.end(Some(metadata(form, schema)))?;
    let (_, mut footer) = writer.into_inner_and_metadata();
    let sorted = sorting_columns(form, schema);
    for group in &mut footer.row_groups {
        group.sorting_columns.clone_from(&sorted);
    }
    let (content, bytes, hash) = content.finish(&footer)?;
    Ok(Encoded { content, rows, bytes, hash, statistics: statistics.finish()? })
}

/// The columns that the rows of each row group are sorted by.
fn sorting_columns(form: &FileLayout, schema: &TableSchema) -> Option<Vec<SortingColumn>> {
    let leaves = form.descriptor.columns();
    let place = |name: &ColumnName| {
        let leaf = leaves.iter().position(|leaf| {
            leaf.path_in_schema.len() == 1 && leaf.path_in_schema[0] == name.as_str()
        });
        i32::try_from(leaf?).ok()
    };
    // As polars sorts.
    let sorted = schema.sort_by.iter().map_while(place);
    let sorted = sorted.map(|column_idx| SortingColumn::new(column_idx, false, true));
    Some(sorted.collect::<Vec<_>>()).filter(|columns| !columns.is_empty())
}

/// Keeps written bytes, and hashes them. What comes at the end is held back: the footer that the Parquet writer makes
/// lacks what only we know.
struct Hashing {
    content: SpooledTempFile,
    hasher: blake3::Hasher,
    /// How many bytes were written; shared, as is the next, since the Parquet writer borrows the rest.
    bytes: Arc<AtomicU64>,
    /// Whether to hold back what is written from now on.
    holds_back: Arc<AtomicBool>,
    held_back: Vec<u8>,
}

impl Hashing {
    fn new() -> Self {
        Self {
            content: tempfile::spooled_tempfile(LARGEST_FILE_IN_MEMORY),
            hasher: blake3::Hasher::new(),
            bytes: Arc::default(),
            holds_back: Arc::default(),
            held_back: Vec::new(),
        }
    }

    /// The content from its start, its size and its hash. The footer is replaced by this one.
    fn finish(
        mut self,
        footer: &ThriftFileMetadata,
    ) -> PolarsResult<(SpooledTempFile, u64, String)> {
        self.holds_back.store(false, Ordering::Relaxed);
        let mut tail = std::mem::take(&mut self.held_back);
        let index = length_before_footer(&tail)
            .ok_or_else(|| PolarsError::ComputeError("a Parquet file has no footer".into()))?;
        tail.truncate(index);
        self.write_all(&tail)?;
        // A file with nothing but a footer begins with the magic number.
        let mut sidecar = Vec::new();
        write_metadata_sidecar(&mut sidecar, footer)?;
        self.write_all(sidecar.get(PARQUET_MAGIC.len()..).unwrap_or_default())?;
        self.content.rewind()?;
        let bytes = self.bytes.load(Ordering::Relaxed);
        Ok((self.content, bytes, self.hasher.finalize().to_hex().to_string()))
    }
}

/// How much stands before the footer, which ends with its own length and the magic number.
fn length_before_footer(tail: &[u8]) -> Option<usize> {
    let (rest, _) = tail.split_last_chunk::<{ PARQUET_MAGIC.len() }>()?;
    let (rest, length) = rest.split_last_chunk()?;
    rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.holds_back.load(Ordering::Relaxed) {
            self.held_back.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let written = self.content.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

/// The descriptions, and the schema that Arrow readers restore types from.
fn metadata(form: &FileLayout, schema: &TableSchema) -> Vec<KeyValue> {
    let entries = descriptions(schema).into_iter();
    let entries = entries.map(|(key, value)| KeyValue { key, value: Some(value) });
    entries.chain([schema_to_metadata_key(&form.stored)]).collect()
}

fn descriptions(schema: &TableSchema) -> Vec<(String, String)> {
    let table = schema.description.iter().map(|text| (DESCRIPTION.to_owned(), text.clone()));
    let columns = schema.columns.iter().filter_map(|column| {
        Some((format!("{DESCRIPTION}.{}", column.name), column.description.clone()?))
    });
    table.chain(columns).collect()
}
