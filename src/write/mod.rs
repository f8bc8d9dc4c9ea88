//! Writes the rows of a partition to Parquet files in staging, where no reader looks.

mod chunk;
mod dictionary;
mod encoder;
mod file;
pub mod partition;
pub mod parts;
pub mod spill;
pub mod statistics;

use std::sync::Arc;

use object_store::path::Path;
use polars::prelude::{DataFrame, PlSmallStr, PolarsError, SortMultipleOptions};
use tempfile::SpooledData;

pub use encoder::{Encoder, FileLayout, bytes_of};

use crate::exit_code::{ExitCode, Failure, advice};
use crate::runtime::on_cpu;
use crate::schema::{PartitionKey, RunId, TableSchema};
use crate::store::{Destination, DestinationError};
use crate::write::spill::{Spill, SpillError, all_rows};
use crate::write::statistics::Statistics;
use file::{Encoded, file_of};

/// A file of this size gets no further row group.
const LARGE_FILE_BYTES: u64 = 128 << 20;

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Encoding failed.
    #[error("could not encode the rows of `{file}` as Parquet: {source}")]
    Encode {
        /// The file.
        file: String,
        /// What polars said.
        source: PolarsError,
    },
    /// Reading spilled rows failed.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Writing to the destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

impl Failure for WriteError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Encode { .. } => ExitCode::Unexpected,
            Self::Spill(error) => error.exit_code(),
            Self::Destination(error) => error.exit_code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Encode { .. } => Some(advice::REPORT_A_BUG.to_owned()),
            Self::Spill(error) => error.help(),
            Self::Destination(error) => error.help(),
        }
    }
}

/// A receipt: a file that is complete in staging, and its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// Where it is now.
    pub staged: Path,
    /// Where it will be published, relative to the destination.
    pub target: Path,
    /// Its partition.
    pub partition: PartitionKey,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub hash: String,
    /// Its column statistics.
    pub statistics: Statistics,
}

/// The numbers of a partition's files, which no other partition of the table has in the run. So the files of `Sent` and
/// `sent` do not write over each other on a file system on which these are one directory.
#[derive(Debug, Clone, Copy)]
pub struct FileNumbers {
    /// The position of the partition among those that the run writes to.
    pub partition: usize,
    /// How many these are.
    pub partitions: usize,
}

impl FileNumbers {
    /// Those of a table with one partition.
    pub const ONLY: Self = Self { partition: 0, partitions: 1 };

    /// They do not depend on how many files other partitions have, so that all are written at once.
    fn of_file(self, file: usize) -> usize {
        self.partition + file * self.partitions
    }
}

/// Writes the rows of a partition to staging, one encoder after the other: to one file, to several when it would become
/// too large, to none without rows.
///
/// # Errors
/// Reading spilled rows, encoding or writing failed.
pub async fn stage(
    destination: &Destination,
    schema: &TableSchema,
    run_id: &RunId,
    partition: PartitionKey,
    numbers: FileNumbers,
    encoders: Vec<Encoder>,
) -> Result<Vec<StagedFile>, WriteError> {
    let path = |file| target_path(schema, &partition, run_id, numbers.of_file(file));
    let (of, place) = (schema.clone(), path(0).to_string());
    let encoded = on_cpu(move || files_of(encoders, &of, LARGE_FILE_BYTES, &place)).await?;
    let mut files = Vec::with_capacity(encoded.len());
    for (file, encoded) in encoded.into_iter().enumerate() {
        files.push(put(destination, run_id, path(file), partition.clone(), encoded).await?);
    }
    Ok(files)
}

/// Writes a file without rows to staging. It is in the partition of null, where readers find the partition columns.
///
/// # Errors
/// Encoding or writing failed.
pub async fn stage_empty(
    destination: &Destination,
    schema: &TableSchema,
    run_id: &RunId,
) -> Result<StagedFile, WriteError> {
    let partition = PartitionKey::of_nulls(&schema.partition_by);
    let number = FileNumbers::ONLY.of_file(0);
    let target = target_path(schema, &partition, run_id, number);
    let none = || file_of(&mut std::iter::empty(), &FileLayout::of(schema)?, schema, 0);
    let encoded =
        none().map_err(|source| WriteError::Encode { file: target.to_string(), source })?;
    put(destination, run_id, target, partition, encoded).await
}

/// Writes a file to staging.
async fn put(
    destination: &Destination,
    run_id: &RunId,
    target: Path,
    partition: PartitionKey,
    encoded: Encoded,
) -> Result<StagedFile, WriteError> {
    let Encoded { content, rows, bytes, hash, statistics } = encoded;
    let staged = destination.staged(run_id, &target);
    match content.into_inner() {
        SpooledData::InMemory(content) => {
            destination.stage(&staged, content.into_inner().into()).await?
        }
        SpooledData::OnDisk(content) => destination.stage_stream(&staged, content).await?,
    };
    Ok(StagedFile { staged, target, partition, rows, bytes, hash, statistics })
}

fn target_path(
    schema: &TableSchema,
    partition: &PartitionKey,
    run_id: &RunId,
    number: usize,
) -> Path {
    let (table, directory) = (schema.data_directory(), schema.directory_of(partition));
    let directories = table.split('/').chain(directory.split('/'));
    let file = format!("{number:04}-{run_id}.parquet");
    let parts = directories.filter(|part| !part.is_empty()).chain([file.as_str()]);
    // `from_iter` would encode what stands in the parts already, and what is not ASCII.
    let joined = parts.collect::<Vec<_>>().join("/");
    Path::parse(&joined).unwrap_or_else(|_| Path::from(joined))
}

/// The files that encoded rows become.
fn files_of(
    encoders: Vec<Encoder>,
    schema: &TableSchema,
    bytes_of_a_large_file: u64,
    place: &str,
) -> Result<Vec<Encoded>, WriteError> {
    let groups = encoders.into_iter().map(Encoder::into_groups);
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let mut groups = groups.into_iter().flatten().peekable();
    let mut files = Vec::new();
    while let Some(form) = groups.peek().map(|group| group.form.clone()) {
        let file = file_of(&mut groups, &form, schema, bytes_of_a_large_file);
        let failed = |source| WriteError::Encode { file: place.to_owned(), source };
        files.push(file.map_err(failed)?);
    }
    Ok(files)
}

/// Encodes all rows of a partition, which come in pieces, in the sort order of the table.
///
/// # Errors
/// Reading spilled rows failed. polars fails, which would be a bug.
pub fn encode(
    pieces: impl Iterator<Item = Result<DataFrame, SpillError>>,
    schema: &TableSchema,
    form: Arc<FileLayout>,
    spill: &Arc<Spill>,
) -> Result<Encoder, SpillError> {
    let mut encoder = Encoder::new(form, spill.clone());
    let by = sort_columns(schema);
    if by.is_empty() {
        for rows in pieces {
            encoder.push(&rows?)?;
        }
        return Ok(encoder);
    }
    // The order of the rows is known only when all of them are.
    let mut all = all_rows(pieces)?;
    if all.height() > 0 {
        let options = SortMultipleOptions::default().with_maintain_order(true);
        all.sort_in_place(by, options)?;
        encoder.push(&all)?;
    }
    Ok(encoder)
}

/// The columns that the rows of a file are sorted by.
fn sort_columns(schema: &TableSchema) -> Vec<PlSmallStr> {
    schema.sort_by.iter().map(|name| name.as_str().into()).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use polars::prelude::{
        Column, DataType, IntoSeries, ListChunked, NamedFrom, ParquetReader, SerReader, Series,
        TimeUnit, TimeZone,
    };
    use proptest::option::of;
    use proptest::prelude::*;

    use super::encoder::Sizes;
    use super::*;
    use crate::definition::Table;
    use crate::infer::Schemas;
    use crate::normalise::polars_type;
    use crate::schema::{ColumnName, RootId, Shape, TableId};

    /// A table of these columns, beside those that every table has.
    fn schema(columns: &[(&str, &str)], sort_by: &[&str]) -> TableSchema {
        let mut table = Table::named("t".parse().unwrap());
        table.primary_key = vec![columns[0].0.parse().unwrap()];
        for (name, column_type) in columns {
            let column = crate::definition::Column {
                column_type: Some(column_type.parse().unwrap()),
                ..crate::definition::Column::default()
            };
            table.columns.insert(name.parse().unwrap(), column);
        }
        table.sort_by = sort_by.iter().map(|name| name.parse::<ColumnName>().unwrap()).collect();
        let known = std::collections::BTreeMap::new();
        let roots = [(RootId::default(), &table, &Shape::default())];
        Schemas::resolve(&roots, &[], &known).unwrap()[TableId::default()].clone()
    }

    /// Rows with all columns of the table's files, some of which have these values.
    fn rows(height: usize, values: &[Series], schema: &TableSchema) -> DataFrame {
        let columns = schema.columns.iter().map(|column| {
            let (name, of_type) = (column.name.as_str(), polars_type(&column.column_type));
            let given = values.iter().find(|values| values.name() == name);
            let values = match given {
                Some(values) if matches!(of_type, DataType::Datetime(..)) => {
                    let instants = values.i64().unwrap().clone();
                    instants
                        .into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))
                        .into_series()
                }
                Some(values) => values.cast(&of_type).unwrap(),
                None => Series::full_null(name.into(), height, &of_type),
            };
            Column::from(values)
        });
        DataFrame::new(height, columns.collect()).unwrap()
    }

    /// The files that pieces become, which are encoded in pages of so few rows, and how many rows each says it has.
    fn files_in(
        pieces: impl Iterator<Item = DataFrame>,
        schema: &TableSchema,
        rows_in_a_page: usize,
        bytes_of_a_large_file: u64,
    ) -> Vec<(Vec<u8>, u64)> {
        let sizes = Sizes { rows_in_a_page, pages_in_a_group: 2 };
        let form = Arc::new(FileLayout::with_sizes(schema, sizes).unwrap());
        let encoder = encode(pieces.map(Ok), schema, form, &Arc::default()).unwrap();
        let files = files_of(vec![encoder], schema, bytes_of_a_large_file, "t").unwrap();
        let contents = files.into_iter().map(|Encoded { mut content, rows, .. }| {
            let mut bytes = Vec::new();
            io::copy(&mut content, &mut bytes).unwrap();
            (bytes, rows)
        });
        contents.collect()
    }

    fn read(bytes: &[u8]) -> DataFrame {
        ParquetReader::new(io::Cursor::new(bytes)).finish().unwrap()
    }

    #[test]
    fn rows_go_into_another_file_when_one_is_large() {
        let files = |numbers: &[i64], sort_by: &[&str], bytes_of_a_large_file| {
            let schema = schema(&[("n", "int64")], sort_by);
            let pieces = numbers
                .chunks(3)
                .map(|piece| rows(piece.len(), &[Series::new("n".into(), piece)], &schema));
            let files = files_in(pieces, &schema, 1, bytes_of_a_large_file).into_iter();
            let values = files.map(|(bytes, rows)| {
                let read = read(&bytes);
                assert_eq!(read.height() as u64, rows);
                read.column("n").unwrap().i64().unwrap().into_no_null_iter().collect()
            });
            values.collect::<Vec<Vec<i64>>>()
        };
        let numbers = [5, 1, 4, 2, 3, 7, 6];
        assert_eq!(files(&numbers, &[], 1), [vec![5, 1], vec![4, 2], vec![3, 7], vec![6]]);
        assert_eq!(files(&numbers, &[], u64::MAX), [numbers.to_vec()]);
        assert_eq!(files(&numbers, &["n"], 1), [vec![1, 2], vec![3, 4], vec![5, 6], vec![7]]);
        for sort_by in [&[][..], &["n"]] {
            assert_eq!(files(&[], sort_by, 1), Vec::<Vec<i64>>::new());
        }
    }

    #[test]
    fn a_dictionary_may_be_outgrown() {
        let schema = schema(&[("k", "int64"), ("text", "string"), ("number", "int64")], &[]);
        // The first page repeats a few values; then all are different, and one is long; then the first ones come again.
        let text = |row: i64| match row {
            0..1000 | 11_000.. => format!("text {}", row % 7),
            5_000 => "long ".repeat(100),
            _ => format!("text number {row}"),
        };
        let number = |row: i64| if (1000..11_000).contains(&row) { row } else { row % 7 };
        let numbers: Vec<i64> = (0..12_000).collect();
        let texts = numbers.iter().map(|row| text(*row)).collect::<Vec<_>>();
        let values = [
            Series::new("k".into(), &numbers),
            Series::new("text".into(), texts),
            Series::new(
                "number".into(),
                numbers.iter().map(|row| number(*row)).collect::<Vec<_>>(),
            ),
        ];
        let all = rows(numbers.len(), &values, &schema);
        for rows_in_a_page in [1000, 4000] {
            let files = files_in([all.clone()].into_iter(), &schema, rows_in_a_page, u64::MAX);
            assert!(read(&files[0].0).equals_missing(&all));
        }
    }

    #[test]
    fn a_page_of_long_texts_is_several() {
        let schema = schema(&[("k", "int64"), ("text", "string"), ("l", "list<string>")], &[]);
        let texts: Vec<String> = (0..10).map(|row| row.to_string().repeat(3 << 20)).collect();
        let lists = texts.iter().map(|text| Series::new("".into(), [text.as_str(), "b"]));
        let values = [
            Series::new("k".into(), (0..10).collect::<Vec<i64>>()),
            Series::new("text".into(), &texts),
            lists.collect::<ListChunked>().with_name("l".into()).into_series(),
        ];
        let all = rows(texts.len(), &values, &schema);
        let files = files_in([all.clone()].into_iter(), &schema, 1 << 10, u64::MAX);
        assert!(read(&files[0].0).equals_missing(&all));
    }

    #[test]
    fn m2_a_page_of_large_rows_ends_early_and_the_same_however_they_come() {
        let schema = schema(&[("k", "int64"), ("text", "string")], &[]);
        let texts: Vec<String> = (0..7).map(|row| row.to_string().repeat(9 << 20)).collect();
        let values = [
            Series::new("k".into(), (0..7).collect::<Vec<i64>>()),
            Series::new("text".into(), &texts),
        ];
        let all = rows(texts.len(), &values, &schema);
        let layout = Arc::new(FileLayout::of(&schema).unwrap());
        let mut encoder = Encoder::new(layout, Arc::default());
        let mut most = 0;
        for row in 0..7 {
            encoder.push(&all.slice(row, 1)).unwrap();
            most = encoder.held_bytes().max(most);
        }
        assert!(most < 48 << 20, "{most} bytes wait");
        let files =
            |pieces: Vec<DataFrame>| files_in(pieces.into_iter(), &schema, 1 << 10, u64::MAX);
        let (at_once, one_by_one) =
            (files(vec![all.clone()]), files((0..7).map(|row| all.slice(row, 1)).collect()));
        assert!(at_once[0].0 == one_by_one[0].0, "the files differ");
        assert!(read(&at_once[0].0).equals_missing(&all));
    }

    type Values =
        (Option<i64>, Option<String>, Option<bool>, Option<f64>, Option<Vec<Option<String>>>);

    fn any_values() -> impl Strategy<Value = Values> {
        let number = prop_oneof![-2_i64..3, 700_000_i64..900_000];
        let text = || prop_oneof!["[ab]{0,2}", "[a-z]{11,14}"];
        (
            of(number),
            of(text()),
            of(any::<bool>()),
            of(-9.0..9.0),
            of(proptest::collection::vec(of(text()), 0..3)),
        )
    }

    fn frame(values: &[Values], schema: &TableSchema) -> DataFrame {
        let numbers: Vec<Option<i64>> = values.iter().map(|row| row.0).collect();
        let lists = values.iter().map(|row| Some(Series::new("".into(), row.4.as_ref()?)));
        let columns = [
            Series::new("n".into(), &numbers),
            Series::new("text".into(), values.iter().map(|row| row.1.clone()).collect::<Vec<_>>()),
            Series::new("bool".into(), values.iter().map(|row| row.2).collect::<Vec<_>>()),
            Series::new("float".into(), values.iter().map(|row| row.3).collect::<Vec<_>>()),
            lists.collect::<ListChunked>().with_name("l".into()).into_series(),
        ];
        let of_numbers =
            ["small", "wide", "day", "at"].map(|name| columns[0].clone().with_name(name.into()));
        rows(values.len(), &[&columns[..], &of_numbers].concat(), schema)
    }

    proptest! {
        #[test]
        fn p4_and_p6_files_hold_the_rows_however_they_came(
            values in proptest::collection::vec(any_values(), 1..60),
            size in 1_usize..20,
            rows_in_a_page in 1_usize..12,
        ) {
            let schema = schema(
                &[
                    ("n", "int64"), ("text", "string"), ("bool", "bool"), ("float", "float64"),
                    ("small", "decimal(18,2)"), ("wide", "decimal(38,0)"), ("day", "date"),
                    ("at", "timestamp"), ("l", "list<string>"),
                ],
                &[],
            );
            let all = frame(&values, &schema);
            let at_once = files_in([all.clone()].into_iter(), &schema, rows_in_a_page, u64::MAX);
            prop_assert!(read(&at_once[0].0).equals_missing(&all));
            let pieces = values.chunks(size).map(|values| frame(values, &schema));
            prop_assert!(files_in(pieces, &schema, rows_in_a_page, u64::MAX) == at_once);
            let sizes = Sizes { rows_in_a_page, pages_in_a_group: 2 };
            let form = Arc::new(FileLayout::with_sizes(&schema, sizes).unwrap());
            let mut spilling = Encoder::new(form, Arc::default());
            for values in values.chunks(size) {
                spilling.push(&frame(values, &schema)).unwrap();
                spilling.spill().unwrap();
            }
            prop_assert_eq!(spilling.rows(), values.len() as u64);
            let hash = files_of(vec![spilling], &schema, u64::MAX, "t").unwrap().remove(0).hash;
            prop_assert_eq!(hash, blake3::hash(&at_once[0].0).to_hex().to_string());
        }
    }
}
