//! Intake: receives, spools and decodes the export at once, while it arrives.
//!
//! ```text
//!          ┌─▶ spool (zstd, BLAKE3)          on a CPU thread
//! body ─▶ feed
//!          └─▶ split ─▶ decode ─▶ collect    on all cores
//! ```

use std::collections::BTreeSet;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::decode::{Chunk, DecodeOptions, Found, RecordSelector, RecordsAt, Splitter};
use crate::definition::{RetryLimits, Size};
use crate::landing::{Landed, Landing};
use crate::report::{EventKind, RunWarning};
use crate::run::RunError;
use crate::run::collect::{Collector, Content, Expectation};
use crate::run::decoder::Decoder;
use crate::run::events::RunEvents;
use crate::runtime::on_cpu;
use crate::schema::{IdVec, RootId, Shape};
use crate::source::http::FetchError;
use crate::source::http::retry::{History, Retries};
use crate::source::{ExportSource, Request, ResponseMetadata};

/// The header that may lead to the next page, as `[source.envelope]` names it.
const LINK: &str = "Link";
/// How many pieces of the body may wait for the decoder. When it falls behind, the network waits.
const WAITING_PIECES: usize = 16;
/// The size of the pieces in which a spooled export is read again.
const REREAD_BYTES: usize = 1 << 20;

/// A complete export: the bodies of all requests, decoded.
#[derive(Default)]
pub(super) struct Intake {
    /// The bodies of the requests, in their order.
    pub(super) landed: Vec<Landed>,
    /// What each response said before its body; empty for an export from quarantine.
    pub(super) response_metadata: Vec<ResponseMetadata>,
    /// Which arrays hold the records.
    pub(super) selector: Option<RecordSelector>,
    /// What is in memory of each body.
    pub(super) contents: Vec<Content>,
    /// Of each body, the offsets of records that were passed over. Empty when all were read.
    pub(super) passed_over: Vec<Arc<BTreeSet<u64>>>,
    /// The shape of each root table, as observed.
    pub(super) shapes: IdVec<RootId, Shape>,
    /// Where the records of each root table were.
    records_at: IdVec<RootId, RecordsAt>,
    /// How many records each root table has, in all bodies.
    records: IdVec<RootId, u64>,
    /// Whether a body has one object for the root table, in place of a list.
    are_one_object: IdVec<RootId, bool>,
}

/// Where a table's records were, and how many.
#[derive(Debug, Clone)]
pub(super) struct FoundRecords {
    pub(super) at: RecordsAt,
    pub(super) count: u64,
    /// There is one object in place of a list.
    pub(super) is_one_object: bool,
}

impl Intake {
    /// Where the records of each root table were, and how many.
    pub(super) fn found(&self) -> IdVec<RootId, FoundRecords> {
        let counts = self.records.values().zip(self.are_one_object.values());
        let found = self.records_at.values().zip(counts);
        found
            .map(|(at, (count, is_one_object))| FoundRecords {
                at: at.clone(),
                count: *count,
                is_one_object: *is_one_object,
            })
            .collect()
    }

    /// Decodes an export that is already on disk, as if it had been received next.
    pub(super) fn add_landed(
        &mut self,
        landed: Landed,
        selector: RecordSelector,
        expectation: Arc<Expectation>,
        options: Arc<IdVec<RootId, DecodeOptions>>,
        events: RunEvents,
    ) -> Result<(), RunError> {
        let mut decoder = BodyDecoder {
            splitter: Splitter::new(selector.clone()),
            decoder: Decoder::new(options, events.clone()),
            collector: Collector::new(expectation),
            events,
        };
        read_pieces(&landed, |piece| decoder.take(piece))?;
        self.add(decoder.finish(None, landed)?);
        self.selector = Some(selector);
        Ok(())
    }

    fn add(&mut self, piece: DecodedBody) {
        self.landed.push(piece.landed);
        self.response_metadata.extend(piece.response_metadata);
        self.contents.push(piece.content);
        self.records.resize_with(piece.found.records.len(), || 0);
        for (sum, records) in self.records.values_mut().zip(piece.found.records.values()) {
            *sum += records;
        }
        self.are_one_object.resize_with(piece.found.are_one_object.len(), || false);
        let are_one_object = piece.found.are_one_object.values();
        for (any, is_one_object) in self.are_one_object.values_mut().zip(are_one_object) {
            *any |= is_one_object;
        }
        self.records_at = piece.found.records_at;
        self.shapes.resize_with(piece.shapes.len(), Shape::default);
        for (all, shape) in self.shapes.values_mut().zip(piece.shapes.values()) {
            all.merge(shape);
        }
    }
}

/// The decoded body of one request.
struct DecodedBody {
    landed: Landed,
    response_metadata: Option<ResponseMetadata>,
    found: Found,
    shapes: IdVec<RootId, Shape>,
    content: Content,
}

/// Everything that it takes to receive an export.
pub(super) struct Receiver<'a> {
    pub(super) source: &'a dyn ExportSource,
    pub(super) retry: RetryLimits,
    /// How many requests may be open at once.
    pub(super) jobs: NonZeroUsize,
    pub(super) bodies: BodyReader,
    /// Newline-delimited responses may have no length.
    pub(super) accepts_unknown_length: bool,
    /// Where exports are spooled until they are in the destination.
    pub(super) spool_directory: PathBuf,
}

/// How the bodies of an export are decoded.
pub(super) struct BodyReader {
    /// The records of each root table.
    pub(super) options: Arc<IdVec<RootId, DecodeOptions>>,
    pub(super) expectation: Arc<Expectation>,
    /// Keys of the envelope that are not asked whether a response is whole.
    pub(super) ignored: Vec<String>,
    /// The largest record.
    pub(super) most_record: Size,
    pub(super) events: RunEvents,
}

impl Receiver<'_> {
    /// Receives the bodies of all requests, a few at once. The result does not depend on which arrives first.
    pub(super) async fn receive(
        &self,
        requests: &[Request],
        mut selector: RecordSelector,
    ) -> Result<Intake, RunError> {
        let mut intake = Intake::default();
        let Some((first, others)) = requests.split_first() else { return Ok(intake) };
        let piece = self.receive_with_retries(first, &selector).await?;
        settle(&mut selector, &piece.found);
        intake.add(piece);
        let others: Vec<_> =
            others.iter().map(|request| self.receive_with_retries(request, &selector)).collect();
        let mut others = stream::iter(others).buffered(self.jobs.get());
        while let Some(piece) = others.try_next().await? {
            intake.add(piece);
        }
        drop(others);
        intake.selector = Some(selector);
        Ok(intake)
    }

    /// Receives one body, with as many attempts as the limits allow. Each attempt starts over.
    async fn receive_with_retries(
        &self,
        request: &Request,
        selector: &RecordSelector,
    ) -> Result<DecodedBody, RunError> {
        let mut retries = Retries::begin(self.retry, Instant::now());
        loop {
            self.bodies.events.emit(EventKind::Requesting { attempt: retries.number() });
            let error = match self.receive_once(request, selector.clone()).await {
                Ok(piece) => return Ok(piece),
                Err(error) => error,
            };
            let reason = error.to_string();
            let wait = retries.wait_after(error.retryable(), reason.clone(), Instant::now());
            let Some(wait) = wait else {
                return Err(final_error(error, request, retries.into_history(Instant::now())));
            };
            self.bodies.events.warn(RunWarning::Retrying { wait, reason });
            tokio::time::sleep(wait).await;
        }
    }

    async fn receive_once(
        &self,
        request: &Request,
        selector: RecordSelector,
    ) -> Result<DecodedBody, RunError> {
        let response = self.source.fetch(request).await?;
        if let Some(next) = response.next_page.filter(|_| !self.bodies.ignores(LINK)) {
            return Err(FetchError::NextPage { url: request.url.clone(), next }.into());
        }
        for key in &response.refused {
            self.bodies.events.warn(RunWarning::KeyRefused(key.clone()));
        }
        self.bodies.events.emit(EventKind::Receiving { announced: response.announced_bytes });
        let (response_metadata, has_end) = (response.metadata, response.has_end);
        let landing = Landing::create(self.spool_directory.clone())?;
        let decoder = self.bodies.decoder(selector);
        let (to_landing, for_landing) = mpsc::channel(WAITING_PIECES);
        let (to_decoder, for_decoder) = mpsc::channel(WAITING_PIECES);
        let (fed, landing, body) = tokio::join!(
            feed(response.body, [to_landing, to_decoder]),
            consume(for_landing, landing, |landing, piece| Ok(landing.write(&piece)?)),
            consume(for_decoder, decoder, |decoder, piece| decoder.take(&piece)),
        );
        let (landing, body) = (landing?, body?);
        // Only the network can tell whether the body is complete.
        fed?;
        let body = on_cpu(move || body.finish(Some(response_metadata), landing.finish()?)).await?;
        if body.found.is_open_ended && !has_end && !self.accepts_unknown_length {
            return Err(FetchError::UnknownLength { url: request.url.clone() }.into());
        }
        Ok(body)
    }
}

impl BodyReader {
    /// Whether this is not asked whether a response is whole.
    fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(name))
    }

    fn decoder(&self, selector: RecordSelector) -> BodyDecoder {
        BodyDecoder {
            splitter: Splitter::new(selector)
                .refusing_incomplete(&self.ignored)
                .refusing_records_above(self.most_record),
            decoder: Decoder::new(self.options.clone(), self.events.clone()),
            collector: Collector::new(self.expectation.clone()),
            events: self.events.clone(),
        }
    }

    /// Decodes the bodies that these requests have received before.
    pub(super) fn decode_kept(
        &self,
        landed: Vec<Landed>,
        requests: &[Request],
        mut selector: RecordSelector,
    ) -> Result<Intake, RunError> {
        let mut intake = Intake::default();
        for (landed, request) in landed.into_iter().zip(requests) {
            let mut decoder = self.decoder(selector.clone());
            let body = read_pieces(&landed, |piece| decoder.take(piece))
                .and_then(|()| decoder.finish(None, landed))
                .map_err(|error| of_piece(error, request))?;
            if intake.landed.is_empty() {
                settle(&mut selector, &body.found);
            }
            intake.add(body);
        }
        intake.selector = Some(selector);
        Ok(intake)
    }
}

/// All bodies have their records in the same place as the first.
fn settle(selector: &mut RecordSelector, found: &Found) {
    if let RecordSelector::TheOnlyArray { before } = selector {
        *before = found.records_at.values().next().cloned();
    }
}

/// An export of one body that is already on disk.
pub(super) fn decode_landed(
    landed: Landed,
    selector: RecordSelector,
    expectation: Arc<Expectation>,
    options: Arc<IdVec<RootId, DecodeOptions>>,
    events: RunEvents,
) -> Result<Intake, RunError> {
    let mut intake = Intake::default();
    intake.add_landed(landed, selector, expectation, options, events)?;
    Ok(intake)
}

fn read_pieces(
    landed: &Landed,
    mut take: impl FnMut(&[u8]) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut export = landed.read()?;
    let mut piece = vec![0; REREAD_BYTES];
    loop {
        match export.read(&mut piece).map_err(landed.file_error())? {
            0 => return Ok(()),
            read => take(&piece[..read])?,
        }
    }
}

/// The final error of a request, with the window it was for, unless its URL says so, and the number of attempts.
fn final_error(error: RunError, request: &Request, history: History) -> RunError {
    let error = of_piece(error, request);
    match history.failed.len() {
        ..=1 => error,
        _ => RunError::GaveUp { history, error: Box::new(error) },
    }
}

/// The error of a body, with the window that it is of.
fn of_piece(error: RunError, request: &Request) -> RunError {
    match (&error, request.window) {
        (RunError::Split(_) | RunError::Decode(_), Some(window)) => {
            RunError::InPiece { window, error: Box::new(error) }
        }
        _ => error,
    }
}

/// Sends each piece of the body to both receivers, until the body ends or one of them is gone.
async fn feed(
    mut body: impl Stream<Item = Result<Bytes, FetchError>> + Unpin,
    [first, second]: [mpsc::Sender<Bytes>; 2],
) -> Result<(), FetchError> {
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            () = first.closed() => return Ok(()),
            () = second.closed() => return Ok(()),
        };
        let Some(piece) = piece.transpose()? else { return Ok(()) };
        if first.send(piece.clone()).await.is_err() || second.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

/// Consumes pieces on a CPU thread, which it holds only while there are some.
async fn consume<T: Send + 'static>(
    mut arriving: mpsc::Receiver<Bytes>,
    mut taker: T,
    take: impl Fn(&mut T, Bytes) -> Result<(), RunError> + Copy + Send + 'static,
) -> Result<T, RunError> {
    let mut pieces = Vec::new();
    while arriving.recv_many(&mut pieces, WAITING_PIECES).await > 0 {
        let mut arrived = std::mem::take(&mut pieces).into_iter();
        taker = on_cpu(move || {
            arrived.try_for_each(|piece| take(&mut taker, piece))?;
            Ok::<T, RunError>(taker)
        })
        .await?;
    }
    Ok(taker)
}

/// A body that is being decoded.
struct BodyDecoder {
    splitter: Splitter,
    decoder: Decoder,
    collector: Collector,
    events: RunEvents,
}

impl BodyDecoder {
    fn take(&mut self, piece: &[u8]) -> Result<(), RunError> {
        let Self { splitter, decoder, collector, .. } = self;
        for batch in splitter.feed(piece)? {
            decoder.decode(batch, &mut |chunks| collector.take(chunks))?;
        }
        self.events.emit(EventKind::Received(piece.len() as u64));
        Ok(())
    }

    fn finish(
        mut self,
        response_metadata: Option<ResponseMetadata>,
        landed: Landed,
    ) -> Result<DecodedBody, RunError> {
        let (batches, found) = self.splitter.finish()?;
        let mut take = |chunks| self.collector.take(chunks);
        for batch in batches {
            self.decoder.decode(batch, &mut take)?;
        }
        self.decoder.finish(&mut take)?;
        let (shapes, content) = self.collector.finish()?;
        Ok(DecodedBody { landed, response_metadata, found, shapes, content })
    }
}

/// Decodes a spooled export again, and hands on its chunks in order.
pub(super) fn decode_again(
    landed: &Landed,
    selector: RecordSelector,
    options: Arc<IdVec<RootId, DecodeOptions>>,
    events: &RunEvents,
    mut take: impl FnMut(Vec<Chunk>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    // Its records were announced when they were decoded first.
    let (mut splitter, mut decoder) =
        (Splitter::new(selector), Decoder::new(options, events.muted()));
    read_pieces(landed, |piece| {
        splitter.feed(piece)?.into_iter().try_for_each(|batch| decoder.decode(batch, &mut take))
    })?;
    for batch in splitter.finish()?.0 {
        decoder.decode(batch, &mut take)?;
    }
    decoder.finish(&mut take)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;
    use crate::definition::{KeySource, Table};
    use crate::normalise::MetadataColumns;
    use crate::report::{Event, Reporter, Reporters};
    use crate::run::budget::Budget;
    use crate::schema::RunId;
    use crate::source::SourceResponse;
    use crate::source::http::Encoding;

    /// A source without a network. Each of its first responses breaks; the others are complete.
    struct FakeSource {
        broken: usize,
        requests: AtomicUsize,
    }

    impl ExportSource for FakeSource {
        fn fetch<'a>(
            &'a self,
            request: &'a Request,
        ) -> BoxFuture<'a, Result<SourceResponse, FetchError>> {
            let breaks = self.requests.fetch_add(1, Ordering::Relaxed) < self.broken;
            let pieces = b"[{\"id\":1},{\"id\":2}]".map(|byte| Ok(Bytes::from(vec![byte])));
            let corrupt = FetchError::Corrupt {
                url: request.url.clone(),
                encoding: Encoding::Gzip,
                source: std::io::ErrorKind::InvalidData.into(),
            };
            let last = breaks.then_some(Err(corrupt));
            let body = stream::iter(pieces.into_iter().chain(last)).boxed();
            let metadata = ResponseMetadata {
                status: 200,
                protocol: "test".to_owned(),
                headers: BTreeMap::new(),
            };
            async move {
                let accepted =
                    crate::source::api_key::KeyName::of_test(KeySource::Env("KEY".into()));
                let (announced_bytes, refused) = (None, Vec::new());
                let (has_end, next_page) = (true, None);
                Ok(SourceResponse {
                    metadata,
                    announced_bytes,
                    has_end,
                    next_page,
                    refused,
                    accepted,
                    body,
                })
            }
            .boxed()
        }
    }

    /// The attempts and waits that were reported.
    #[derive(Default)]
    struct Attempts(Mutex<Vec<String>>);

    impl Reporter for Attempts {
        fn event(&self, event: &Event) {
            let shown = match &event.kind {
                EventKind::Requesting { attempt } => format!("attempt {attempt}"),
                EventKind::Warning(RunWarning::Retrying { .. }) => "wait".to_owned(),
                _ => return,
            };
            self.0.lock().unwrap().push(shown);
        }
    }

    /// Receives two pieces from a source whose first responses break.
    async fn receive(broken: usize) -> (Result<Intake, RunError>, Vec<String>) {
        let roots: IdVec<RootId, Table> = vec![Table::named("t".parse().unwrap())].into();
        let now = chrono::DateTime::UNIX_EPOCH;
        let expectation = Expectation {
            declared: roots.values().cloned().collect(),
            roots,
            known: BTreeMap::new(),
            shared: None,
            histories: BTreeSet::new(),
            with_rows: HashSet::new(),
            metadata: MetadataColumns::new(RunId::at(now), now),
            budget: Budget::new(1 << 20),
            whole: false,
            held_bytes: AtomicUsize::new(0),
            most_partitions: 1,
            most_waiting: Size::from_bytes(1 << 20),
            most_columns: 1,
        };
        let attempts = Arc::new(Attempts::default());
        let source = FakeSource { broken, requests: AtomicUsize::new(0) };
        let receiver = Receiver {
            source: &source,
            retry: RetryLimits { max_attempts: 2, ..RetryLimits::default() },
            jobs: NonZeroUsize::MIN,
            bodies: BodyReader {
                options: Arc::new(vec![DecodeOptions::default()].into()),
                expectation: Arc::new(expectation),
                ignored: Vec::new(),
                most_record: Size::from_bytes(1 << 20),
                events: RunEvents::of_test(Reporters::default().and(attempts.clone())),
            },
            accepts_unknown_length: false,
            spool_directory: std::env::temp_dir(),
        };
        let request = Request { url: "https://example.com".parse().unwrap(), window: None };
        let selector = RecordSelector::TheOnlyArray { before: None };
        let intake = receiver.receive(&[request.clone(), request], selector).await;
        let attempts = attempts.0.lock().unwrap().clone();
        (intake, attempts)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_is_received_again_from_its_beginning() {
        let (received, attempts) = receive(1).await;
        let intake = received.unwrap();
        let records: Vec<u64> = intake.found().values().map(|found| found.count).collect();
        assert_eq!(records, [4], "two records in each of two bodies");
        assert_eq!(intake.landed.iter().map(|landed| landed.bytes).collect::<Vec<_>>(), [19, 19]);
        assert_eq!(attempts, ["attempt 1", "wait", "attempt 2", "attempt 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_always_breaks_is_given_up() {
        let (intake, attempts) = receive(usize::MAX).await;
        assert!(matches!(intake.err(), Some(RunError::GaveUp { .. })));
        assert_eq!(attempts, ["attempt 1", "wait", "attempt 2"]);
    }
}
