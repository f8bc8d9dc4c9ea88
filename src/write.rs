//! Write: frames of one partition into one Parquet file, in staging, where no reader looks.

use bytes::Bytes;
use object_store::path::Path;
use polars::prelude::{
    CompatLevel, DataFrame, KeyValueMetadata, ParquetCompression, ParquetWriter, PlSmallStr,
    PolarsError, PolarsResult, SchemaExt as _, SortMultipleOptions, StatisticsOptions,
};

use polars_parquet::write::schema_to_metadata_key;

use crate::destination::{Destination, DestinationError};
use crate::normalise::TableSchema;
use crate::partition::percent_encoded;
use crate::run_id::RunId;
use crate::runtime::on_cpu;

/// The size of a row group before compression.
const ROW_GROUP_BYTES: usize = 128 << 20;
const MOST_ROWS_IN_A_GROUP: usize = 1 << 20;

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
    /// The destination does not take it.
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

/// The rows of one partition of one table.
#[derive(Debug)]
pub struct PartitionRows {
    /// The partition's directories; empty for a table that is not partitioned.
    pub partition: String,
    /// The rows, in pieces, in export order.
    pub pieces: Vec<DataFrame>,
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

/// Encodes the rows of a partition and puts the file in staging.
///
/// # Errors
/// The rows cannot be encoded, or the destination does not take them.
pub async fn stage(
    destination: &Destination,
    schema: &TableSchema,
    run_id: &RunId,
    rows: PartitionRows,
) -> Result<StagedFile, WriteError> {
    let partition = rows.partition;
    let target = target_path(schema, &partition, run_id);
    let (schema, file) = (schema.clone(), target.to_string());
    let (count, encoded) = on_cpu(move || encode(rows.pieces, &schema))
        .await
        .map_err(|source| WriteError::Encode { file, source })?;
    let staged = Destination::staged(run_id, &target);
    let bytes = encoded.len() as u64;
    let hash = blake3::hash(&encoded).to_hex().to_string();
    destination.put(&staged, Bytes::from(encoded)).await?;
    Ok(StagedFile { staged, target, partition, rows: count, bytes, hash })
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

fn encode(pieces: Vec<DataFrame>, schema: &TableSchema) -> PolarsResult<(u64, Vec<u8>)> {
    let mut rows = file_rows(pieces, schema)?;
    let count = rows.height() as u64;
    let row_bytes = rows.estimated_size() / rows.height().max(1);
    let group = (ROW_GROUP_BYTES / row_bytes.max(1)).clamp(1, MOST_ROWS_IN_A_GROUP);
    let mut file = Vec::new();
    ParquetWriter::new(&mut file)
        .with_compression(ParquetCompression::Zstd(None))
        .with_statistics(StatisticsOptions::full())
        .with_row_group_size(Some(group))
        .with_key_value_metadata(Some(metadata(&rows, schema)))
        .finish(&mut rows)?;
    Ok((count, file))
}

/// The rows of a file: one frame, in the order of `sort_by`, without gaps.
fn file_rows(pieces: Vec<DataFrame>, schema: &TableSchema) -> PolarsResult<DataFrame> {
    let mut pieces = pieces.into_iter();
    let mut rows = pieces.next().unwrap_or_default();
    for piece in pieces {
        rows.vstack_mut_owned(piece)?;
    }
    // A column that is the partition is the same in every row and not in the file.
    let by = schema.sort_by.iter().filter(|name| !schema.is_partition(name));
    let by: Vec<PlSmallStr> = by.map(|name| name.as_str().into()).collect();
    if !by.is_empty() {
        rows.sort_in_place(by, SortMultipleOptions::default().with_maintain_order(true))?;
    }
    rows.rechunk_mut();
    Ok(rows)
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
