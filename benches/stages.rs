//! Each step between the bytes of an export and a Parquet file by itself, on one core: bytes of JSON a second.

#![expect(clippy::expect_used, reason = "a bench that cannot begin has nothing to say")]

mod exports;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use chrono::DateTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flowlake::decode::{Chunk, DecodeOptions, RecordBatch, RecordSelector, Splitter, decode_batch};
use flowlake::definition::Table;
use flowlake::infer::{Schemas, observe};
use flowlake::normalise::{MetadataColumns, Normalised, Normaliser, RecordIds};
use flowlake::schema::{PartitionKey, RootId, Shape};
use flowlake::store::Destination;
use flowlake::write::{FileLayout, FileNumbers, encode, stage};
use object_store::memory::InMemory;

/// What a network hands over at once.
const PIECE_BYTES: usize = 128 << 10;

fn batches(export: &[u8], records: &str) -> Vec<RecordBatch> {
    let records = records.parse().expect("a pointer");
    let mut splitter = Splitter::new(RecordSelector::At(vec![records]));
    let mut batches = Vec::new();
    for piece in export.chunks(PIECE_BYTES) {
        batches.extend(splitter.feed(piece).expect("the export is JSON"));
    }
    batches.extend(splitter.finish().expect("the export is whole").0);
    batches
}

fn decoded(batches: &[RecordBatch]) -> Vec<Chunk> {
    let reading = DecodeOptions { identify: false, ..DecodeOptions::default() };
    let chunks = batches.iter().map(|batch| decode_batch(batch, &reading));
    chunks.collect::<Result<_, _>>().expect("the records are JSON")
}

fn inferred(chunks: &[Chunk]) -> Schemas {
    let mut shape = Shape::default();
    for chunk in chunks {
        observe(&mut shape, &chunk.records);
    }
    let mut table = Table::named("t".parse().expect("a name"));
    table.primary_key = vec!["id".parse().expect("a name")];
    Schemas::resolve(&[(RootId::default(), &table, &shape)], &[], &BTreeMap::new())
        .expect("there is a schema")
}

fn normalised(chunks: &[Chunk], schemas: &Schemas, metadata: &MetadataColumns) -> Vec<Normalised> {
    let normaliser = Normaliser::new(schemas, metadata);
    let mut ids = RecordIds::default();
    let rows = chunks.iter().map(|chunk| normaliser.frames(chunk, &ids.of(chunk)));
    rows.collect::<Result<_, _>>().expect("the chunks fit their schemas")
}

/// One file for each table.
async fn encoded(rows: &[Normalised], schemas: &Schemas) -> u64 {
    let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
    let run_id = "bench".parse().expect("a run id");
    let mut bytes = 0;
    for (table, schema) in schemas.iter() {
        let frames = rows.iter().flat_map(|rows| &rows.frames);
        let frames =
            frames.filter(|frame| frame.table == table).map(|frame| Ok(frame.rows.clone()));
        let form = FileLayout::of(schema).expect("there is a form");
        let encoder = encode(frames, schema, Arc::new(form), &Arc::default());
        let encoder = encoder.expect("the rows have the schema's columns");
        let (partition, numbers) = (PartitionKey::default(), FileNumbers::ONLY);
        let file = stage(&destination, schema, &run_id, partition, numbers, vec![encoder]).await;
        bytes += file.expect("memory takes it").iter().map(|file| file.bytes).sum::<u64>();
    }
    bytes
}

/// Writes so many records of a shape.
type Write = fn(usize, &mut Vec<u8>) -> std::io::Result<()>;

fn stages(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let shapes: [(&str, &str, usize, Write); 3] = [
        ("orders", "/purchaseOrders", 8_000, exports::orders),
        ("events", "/events", 6_000, exports::events),
        ("wide", "/rows", 2_500, exports::wide),
    ];
    for (shape, at, records, write) in shapes {
        let mut export = Vec::new();
        write(records, &mut export).expect("memory");
        let batches = batches(&export, at);
        let chunks = decoded(&batches);
        let schemas = inferred(&chunks);
        let metadata =
            MetadataColumns::new("bench".parse().expect("a run id"), DateTime::UNIX_EPOCH);
        let rows = normalised(&chunks, &schemas, &metadata);

        let mut group = criterion.benchmark_group(shape);
        group.sample_size(10).throughput(Throughput::Bytes(export.len() as u64));
        group.bench_function("split", |bencher| {
            bencher.iter(|| self::batches(black_box(&export), at));
        });
        group.bench_function("decode", |bencher| bencher.iter(|| decoded(black_box(&batches))));
        group.bench_function("infer", |bencher| bencher.iter(|| inferred(black_box(&chunks))));
        group.bench_function("normalise", |bencher| {
            bencher.iter(|| normalised(black_box(&chunks), &schemas, &metadata));
        });
        group.bench_function("encode", |bencher| {
            bencher.iter_batched(
                || (),
                |()| runtime.block_on(encoded(black_box(&rows), &schemas)),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
