//! What has to be true for any bytes whatever: of the splitter and the decoder, with `serde_json` as the judge, of
//! definitions, and of HTTP answers.
//!
//! The fuzz targets call these, and so does the test that replays the corpus.

mod inputs;
mod judge;
mod levels;

pub use inputs::{answer, definition};

use flowlake::decode::{
    Chunk, DecodeOptions, Found, RecordBatch, RecordSelector, RecordsAt, SplitError, Splitter,
    decode_batch,
};
use flowlake::schema::{JsonPointer, RootId};

use judge::{Judged, Retryable};

/// The splitter gives the same whatever the pieces, and the records that `serde_json` sees.
///
/// # Panics
/// It does not.
pub fn split(export: &[u8]) {
    for wanted in forms() {
        let whole = split_in(&wanted, [export]);
        for size in [1, 7] {
            let cut = split_in(&wanted, export.chunks(size));
            assert_eq!(
                cut.map_err(place),
                whole.clone().map_err(place),
                "cut at every {size} bytes"
            );
        }
        if let Ok((records, found)) = &whole {
            let all: u64 = found.records.values().sum();
            assert_eq!(records.len() as u64, all);
        }
    }
    let pointer = |text: &str| RecordSelector::At(vec![text.parse::<JsonPointer>().unwrap()]);
    judge_split(split_in(&pointer(""), [export]), judge::every_value(export));
    if let Some(judged) = judge::under_key(export, "a") {
        judge_split(split_in(&pointer("/a"), [export]), judged);
    }
}

/// The decoder accepts the records that `serde_json` accepts, and gives the same values for them.
///
/// # Panics
/// It does not.
pub fn decode(export: &[u8]) {
    let Ok(batches) = batches(&every_value(), [export]) else { return };
    let mut decoded = Vec::new();
    for batch in &batches.0 {
        let reading = DecodeOptions { identify: true, ..DecodeOptions::default() };
        let chunk = decode_batch(batch, &reading);
        let judged: Vec<Judged> = batch.records().map(|(_, bytes)| judge::record(bytes)).collect();
        let is_valid = judged.iter().all(|record| !matches!(record, Judged::Invalid));
        assert_eq!(chunk.is_ok(), is_valid, "{:?}", chunk.err());
        if let Ok(chunk) = chunk {
            check_places(export, batch, &chunk, &judged);
            decoded.extend(levels::rows(&chunk.records));
            let rows: Vec<_> = judged.into_iter().filter_map(Judged::into_row).collect();
            assert_eq!(decoded, rows);
            decoded.clear();
        }
    }
}

/// An error without the bytes that it shows, of which there are only those of its piece.
fn place(mut error: SplitError) -> SplitError {
    if let SplitError::Malformed { rest: shown, .. } | SplitError::NotJson { beginning: shown } =
        &mut error
    {
        shown.clear();
    }
    error
}

/// What can be asked of a splitter.
fn forms() -> Vec<RecordSelector> {
    let at = |pointers: &[&str]| {
        RecordSelector::At(pointers.iter().map(|it| it.parse().unwrap()).collect())
    };
    let before = |before| RecordSelector::TheOnlyArray { before };
    vec![
        before(None),
        before(Some(RecordsAt::Lines)),
        before(Some(RecordsAt::Place("/a".parse().unwrap()))),
        before(Some(RecordsAt::Place(JsonPointer::default()))),
        at(&[""]),
        at(&["/a", "/b/c"]),
    ]
}

fn every_value() -> RecordSelector {
    RecordSelector::At(vec![JsonPointer::default()])
}

/// The records of each array as they stand in an export, in order.
type Records = Vec<(RootId, Vec<u8>)>;

fn split_in<'a>(
    wanted: &RecordSelector,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Records, Found), SplitError> {
    let (batches, found) = batches(wanted, pieces)?;
    let records = batches
        .iter()
        .flat_map(|batch| batch.records().map(|(_, bytes)| (batch.root, bytes.to_vec())));
    Ok((records.collect(), found))
}

fn batches<'a>(
    wanted: &RecordSelector,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<RecordBatch>, Found), SplitError> {
    let mut splitter = Splitter::new(wanted.clone());
    let mut batches = Vec::new();
    for piece in pieces {
        batches.extend(splitter.feed(piece)?);
    }
    let (last, found) = splitter.finish()?;
    batches.extend(last);
    Ok((batches, found))
}

/// What is inside a record is the decoder's business: so an export with a record that is not JSON may be split all
/// the same, and only then.
fn judge_split(split: Result<(Records, Found), SplitError>, retryable: Retryable) {
    let records = split
        .map(|(records, _)| records.into_iter().map(|(_, bytes)| bytes).collect::<Vec<Vec<u8>>>());
    match retryable {
        Retryable::Records(expected) => assert_eq!(records, Ok(expected)),
        Retryable::Refused => {
            if let Ok(records) = records {
                assert!(
                    records.iter().any(|record| matches!(judge::record(record), Judged::Invalid)),
                    "split into valid records, though serde_json does not see them"
                );
            }
        }
    }
}

fn check_places(export: &[u8], batch: &RecordBatch, chunk: &Chunk, judged: &[Judged]) {
    let index = |offset: u64| usize::try_from(offset).unwrap();
    let at = |place: &std::ops::Range<u64>| &export[index(place.start)..index(place.end)];
    let records: Vec<&[u8]> = batch.records().map(|(_, bytes)| bytes).collect();
    let (kept, flawed): (Vec<_>, Vec<_>) =
        records.iter().zip(judged).partition(|(_, judged)| !matches!(judged, Judged::Flawed));
    let texts = |records: Vec<(&&[u8], &Judged)>| -> Vec<Vec<u8>> {
        records.into_iter().map(|(bytes, _)| bytes.to_vec()).collect()
    };
    let places: Vec<Vec<u8>> = chunk.places.iter().map(|place| at(place).to_vec()).collect();
    assert_eq!(places, texts(kept));
    let undecodable: Vec<Vec<u8>> =
        chunk.undecodable.iter().map(|record| at(&record.place).to_vec()).collect();
    assert_eq!(undecodable, texts(flawed));
    assert_eq!(chunk.identities.len(), chunk.places.len());
}
