//! Load: the chunks of an export as the rows of every partition of every table.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use polars::prelude::{DataFrame, ParquetReader, PlSmallStr, PolarsResult, SerReader};

use super::RunError;
use crate::commit::DataFile;
use crate::decode::{Chunk, ChunkSource};
use crate::destination::Destination;
use crate::normalise::{
    Normalised, Normaliser, RecordIds, Schemas, TableSchema, conform, keep_latest,
};
use crate::partition::{Partitioner, split};
use crate::run_id::RunId;
use crate::runtime::{on_all_cores, on_cpu};

/// What an export holds, ready to be written.
pub(super) struct Load {
    pub(super) schemas: Schemas,
    /// The rows of each table's partition, in export order.
    pub(super) rows: BTreeMap<(usize, String), Vec<DataFrame>>,
    /// For each table, its rows by what became of them.
    pub(super) counts: Vec<Counts>,
    pub(super) quarantined: Vec<Quarantined>,
}

/// How many rows of a table an export had, and what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) received: u64,
    pub(super) kept: u64,
    pub(super) quarantined: u64,
    pub(super) superseded: u64,
}

/// A record that goes to quarantine.
#[derive(Debug)]
pub(super) struct Quarantined {
    /// Its table's position.
    pub(super) table: usize,
    /// The piece of the export that it came with.
    pub(super) piece: usize,
    /// Where it stands there, in bytes.
    pub(super) place: Range<u64>,
    pub(super) reasons: Vec<String>,
    /// It is in its table all the same, without the values that the reasons name.
    pub(super) row_kept: bool,
}

impl Load {
    pub(super) fn of(
        schemas: Schemas,
        chunks: Vec<(usize, Chunk)>,
        run_id: &RunId,
        loaded_at: DateTime<Utc>,
    ) -> PolarsResult<Self> {
        let mut load = Self {
            rows: BTreeMap::new(),
            counts: vec![Counts::default(); schemas.tables.len()],
            quarantined: Vec::new(),
            schemas,
        };
        let schemas = load.schemas.clone();
        let normaliser = Normaliser::new(&schemas, run_id, loaded_at);
        let mut record_ids = RecordIds::default();
        let chunks: Vec<(usize, Vec<String>, Chunk)> = chunks
            .into_iter()
            .map(|(piece, chunk)| (piece, record_ids.of(&chunk), chunk))
            .collect();
        let loaded = on_all_cores(chunks, |(piece, ids, chunk)| {
            let rows = normaliser.frames(&chunk, &ids);
            (piece, chunk.into_source(), rows)
        });
        let (mut sources, mut rows) = (Vec::new(), Vec::new());
        for (piece, source, normalised) in loaded {
            sources.push((piece, source));
            rows.push(normalised?);
        }
        load.supersede(&sources, &mut rows)?;
        let mut partitioner = Partitioner::default();
        for ((piece, source), rows) in sources.iter().zip(rows) {
            load.add(*piece, source, rows, &mut partitioner)?;
        }
        Ok(load)
    }

    /// Of records with the same key, only the latest stays.
    fn supersede(
        &self,
        sources: &[(usize, ChunkSource)],
        rows: &mut [Normalised],
    ) -> PolarsResult<()> {
        for (table, root) in self.schemas.roots.iter().enumerate() {
            let schema = &self.schemas.tables[*root];
            let chunks = sources.iter().zip(rows.iter_mut());
            let chunks = chunks.filter(|((_, source), _)| source.table == table);
            keep_latest(schema, *root, chunks.map(|(_, rows)| rows).collect())?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        piece: usize,
        source: &ChunkSource,
        normalised: Normalised,
        partitioner: &mut Partitioner,
    ) -> PolarsResult<()> {
        let root = self.schemas.roots[source.table];
        let mut partition_of_record = vec![0; source.places.len()];
        for frame in normalised.frames {
            let schema = &self.schemas.tables[frame.table];
            if frame.table == root {
                let partitions = partitioner.assign(&frame.rows, &schema.partition_by)?;
                for (record, partition) in frame.records.iter().zip(partitions) {
                    partition_of_record[*record as usize] = partition;
                }
            }
            let kept = frame.rows.height() as u64;
            let counts = &mut self.counts[frame.table];
            counts.received += frame.received as u64;
            counts.kept += kept;
            counts.quarantined += frame.quarantined as u64;
            counts.superseded += frame.superseded as u64;
            let partitions: Vec<usize> =
                frame.records.iter().map(|record| partition_of_record[*record as usize]).collect();
            let rows = frame.rows.select(file_column_names(schema))?;
            for (partition, rows) in split(&rows, &partitions)? {
                let directory = partitioner.key(partition).to_string();
                self.rows.entry((frame.table, directory)).or_default().push(rows);
            }
        }
        let undecodable = source.undecodable.len() as u64;
        self.counts[root].received += undecodable;
        self.counts[root].quarantined += undecodable;
        self.quarantined.extend(source.undecodable.iter().map(|record| Quarantined {
            piece,
            table: root,
            place: record.place.clone(),
            reasons: vec![record.reason.to_owned()],
            row_kept: false,
        }));
        for (rejections, row_kept) in [(normalised.rejected, false), (normalised.curtailed, true)] {
            self.quarantined.extend(rejections.into_iter().map(|rejection| Quarantined {
                table: root,
                piece,
                place: source.places[rejection.record as usize].clone(),
                reasons: rejection.reasons,
                row_kept,
            }));
        }
        Ok(())
    }
}

fn file_column_names(schema: &TableSchema) -> impl Iterator<Item = PlSmallStr> {
    schema.file_columns().map(|column| PlSmallStr::from_str(column.name.as_str()))
}

/// The rows of a file that is in the table, with the columns and types the table has now.
pub(super) async fn read_conformed(
    destination: &Destination,
    file: &DataFile,
    schema: &TableSchema,
) -> Result<DataFrame, RunError> {
    let path = Path::parse(&file.path).unwrap_or_else(|_| Path::from(file.path.as_str()));
    let content = destination
        .get(&path)
        .await?
        .ok_or_else(|| RunError::MissingFile { path: file.path.clone() })?;
    let (name, schema) = (file.path.clone(), schema.clone());
    on_cpu(move || {
        let rows = ParquetReader::new(Cursor::new(content))
            .finish()
            .map_err(|source| RunError::UnreadableFile { path: name, source })?;
        Ok(conform(&rows, &schema)?)
    })
    .await
}
