//! Intake: receives, keeps and decodes the export, all at once while it arrives.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::decode::{Chunk, DecodeOptions, Found, RecordSelector, RecordsAt, Splitter};
use crate::definition::RetryLimits;
use crate::landing::{Landed, Landing};
use crate::plan::Request;
use crate::report::{Event, Observer, Silent};
use crate::run::RunError;
use crate::run::collect::{Collector, Content, Expectation};
use crate::run::decoder::Decoder;
use crate::runtime::on_cpu;
use crate::schema::{IdVec, RootId, Shape};
use crate::source::api_key::ApiKey;
use crate::source::http::retry::{History, Retries};
use crate::source::http::{FetchError, Fetcher, ResponseMetadata};

/// Pieces of the body that may wait for the decoder; when it falls behind, the network waits.
const WAITING_PIECES: usize = 16;
/// How much is read at once of an export that is decoded again.
const REREAD_BYTES: usize = 1 << 20;

/// A complete export, in as many pieces as were asked for.
#[derive(Default)]
pub(super) struct Intake {
    /// The bodies of the requests, in their order.
    pub(super) landed: Vec<Landed>,
    /// What each answer said before its body; nothing of an export that was here already.
    pub(super) response_metadata: Vec<ResponseMetadata>,
    /// How their records are found.
    pub(super) wanted: Option<RecordSelector>,
    /// What there is of each besides its landing.
    pub(super) contents: Vec<Content>,
    /// What was seen of each wanted table.
    pub(super) shapes: IdVec<RootId, Shape>,
    /// Where each wanted table's records were.
    records_at: IdVec<RootId, RecordsAt>,
    /// How many records each wanted table has, in all pieces.
    records: IdVec<RootId, u64>,
}

/// Where a table's records were, and how many.
#[derive(Debug, Clone)]
pub(super) struct FoundRecords {
    pub(super) at: RecordsAt,
    pub(super) count: u64,
}

impl Intake {
    /// What was found for each wanted table.
    pub(super) fn found(&self) -> IdVec<RootId, FoundRecords> {
        let found = self.records_at.values().zip(self.records.values());
        found.map(|(at, count)| FoundRecords { at: at.clone(), count: *count }).collect()
    }

    fn add(&mut self, piece: Piece) {
        self.landed.push(piece.landed);
        self.response_metadata.extend(piece.response_metadata);
        self.contents.push(piece.content);
        self.records.resize_with(piece.found.records.len(), || 0);
        for (sum, records) in self.records.values_mut().zip(piece.found.records.values()) {
            *sum += records;
        }
        self.records_at = piece.found.records_at;
        self.shapes.resize_with(piece.shapes.len(), Shape::default);
        for (all, shape) in self.shapes.values_mut().zip(piece.shapes.values()) {
            all.merge(shape);
        }
    }
}

/// What one request brought.
struct Piece {
    landed: Landed,
    response_metadata: Option<ResponseMetadata>,
    found: Found,
    shapes: IdVec<RootId, Shape>,
    content: Content,
}

/// What it takes to receive an export.
pub(super) struct Receiver<'a> {
    pub(super) fetcher: Fetcher,
    pub(super) keys: &'a [ApiKey],
    pub(super) retry: RetryLimits,
    /// How many requests may be under way at once.
    pub(super) jobs: NonZeroUsize,
    /// For each wanted table, how its records are read.
    pub(super) reading: Arc<IdVec<RootId, DecodeOptions>>,
    pub(super) expectation: Arc<Expectation>,
    /// On the disk of which exports are kept until they are in the destination.
    pub(super) landing_directory: PathBuf,
    pub(super) observer: Arc<dyn Observer>,
}

impl Receiver<'_> {
    /// Receives the answers to all requests, or says why not. A few are on their way at once; what becomes of them
    /// does not depend on which arrives first.
    pub(super) async fn receive(
        &self,
        requests: &[Request],
        mut wanted: RecordSelector,
    ) -> Result<Intake, RunError> {
        let mut intake = Intake::default();
        let Some((first, others)) = requests.split_first() else { return Ok(intake) };
        let piece = self.receive_piece(first, &wanted).await?;
        if let RecordSelector::TheOnlyArray { before } = &mut wanted {
            // What the first piece has, the others have in the same place.
            *before = piece.found.records_at.values().next().cloned();
        }
        intake.add(piece);
        let others: Vec<_> =
            others.iter().map(|request| self.receive_piece(request, &wanted)).collect();
        let mut others = stream::iter(others).buffered(self.jobs.get());
        while let Some(piece) = others.try_next().await? {
            intake.add(piece);
        }
        drop(others);
        intake.wanted = Some(wanted);
        Ok(intake)
    }

    /// Receives one answer, asking again as often as the limits allow. Each try begins with nothing.
    async fn receive_piece(
        &self,
        request: &Request,
        wanted: &RecordSelector,
    ) -> Result<Piece, RunError> {
        let mut retries = Retries::begin(self.retry, Instant::now());
        loop {
            self.observer.event(&Event::Asking { try_number: retries.number() });
            let error = match self.try_to_receive(request, wanted.clone()).await {
                Ok(piece) => return Ok(piece),
                Err(error) => error.redacted(self.keys),
            };
            let reason = error.to_string();
            let wait = retries.wait_after(error.retryable(), reason.clone(), Instant::now());
            let Some(wait) = wait else {
                return Err(given_up(error, request, retries.into_history(Instant::now())));
            };
            self.observer.event(&Event::Retrying { wait, reason });
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_to_receive(
        &self,
        request: &Request,
        wanted: RecordSelector,
    ) -> Result<Piece, RunError> {
        let answer = self.fetcher.request(request, self.keys).await?;
        for key in &answer.refused {
            self.observer.event(&Event::KeyRefused(key.clone()));
        }
        self.observer.event(&Event::Receiving(answer.announced_bytes()));
        let response_metadata = answer.response_metadata.clone();
        let landing = Landing::create(self.landing_directory.clone())?;
        let digestion = self.digestion(wanted);
        let (to_landing, for_landing) = mpsc::channel(WAITING_PIECES);
        let (to_digestion, for_digestion) = mpsc::channel(WAITING_PIECES);
        let (fed, landing, digested) = tokio::join!(
            feed(answer.body(), [to_landing, to_digestion]),
            take_in(for_landing, landing, |landing, piece| Ok(landing.write(&piece)?)),
            take_in(for_digestion, digestion, |digestion, piece| digestion.take(&piece)),
        );
        let (landing, digested) = (landing?, digested?);
        // The decoder cannot tell a body that is over from one that broke off: only the network can.
        fed?;
        on_cpu(move || digested.finish(Some(response_metadata), landing.finish()?)).await
    }

    fn digestion(&self, wanted: RecordSelector) -> Digestion {
        Digestion {
            splitter: Splitter::new(wanted),
            decoder: Decoder::new(self.reading.clone(), self.observer.clone()),
            collector: Collector::new(self.expectation.clone()),
            observer: self.observer.clone(),
        }
    }
}

/// Takes in an export that is here already, as if it had been received.
pub(super) fn take_in_landed(
    landed: Landed,
    wanted: RecordSelector,
    expectation: Arc<Expectation>,
    reading: Arc<IdVec<RootId, DecodeOptions>>,
    observer: Arc<dyn Observer>,
) -> Result<Intake, RunError> {
    let mut digestion = Digestion {
        splitter: Splitter::new(wanted.clone()),
        decoder: Decoder::new(reading, observer.clone()),
        collector: Collector::new(expectation),
        observer,
    };
    read_pieces(&landed, |piece| digestion.take(piece))?;
    let mut intake = Intake::default();
    intake.add(digestion.finish(None, landed)?);
    intake.wanted = Some(wanted);
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

/// The error that a request ends with: which part of a window it was about, unless that is in its URL, and how often
/// it was tried.
fn given_up(mut error: RunError, request: &Request, history: History) -> RunError {
    if let (RunError::Split(_) | RunError::Decode(_), Some(window)) = (&error, request.window) {
        error = RunError::InPiece { window, error: Box::new(error) };
    }
    match history.failed.len() {
        ..=1 => error,
        _ => RunError::GaveUp { history, error: Box::new(error) },
    }
}

/// Hands the body on, piece by piece, until it ends or somebody does not want it any more, even if it has nothing to
/// say then.
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

/// Gives the pieces that arrive to one who takes them, on a CPU thread only while there are some.
async fn take_in<T: Send + 'static>(
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

/// The export so far.
struct Digestion {
    splitter: Splitter,
    decoder: Decoder,
    collector: Collector,
    observer: Arc<dyn Observer>,
}

impl Digestion {
    fn take(&mut self, piece: &[u8]) -> Result<(), RunError> {
        for batch in self.splitter.feed(piece)? {
            self.collector.take(self.decoder.decode(batch)?)?;
        }
        self.observer.event(&Event::Received(piece.len() as u64));
        Ok(())
    }

    fn finish(
        mut self,
        response_metadata: Option<ResponseMetadata>,
        landed: Landed,
    ) -> Result<Piece, RunError> {
        let (batches, found) = self.splitter.finish()?;
        for batch in batches {
            self.collector.take(self.decoder.decode(batch)?)?;
        }
        self.collector.take(self.decoder.finish()?)?;
        let (shapes, content) = self.collector.finish()?;
        Ok(Piece { landed, response_metadata, found, shapes, content })
    }
}

/// Decodes an export again that has been decoded before, and hands its chunks on in order.
pub(super) fn decode_again(
    landed: &Landed,
    wanted: RecordSelector,
    reading: Arc<IdVec<RootId, DecodeOptions>>,
    mut take: impl FnMut(Vec<Chunk>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let (mut splitter, mut decoder) =
        (Splitter::new(wanted), Decoder::new(reading, Arc::new(Silent)));
    read_pieces(landed, |piece| {
        splitter.feed(piece)?.into_iter().try_for_each(|batch| take(decoder.decode(batch)?))
    })?;
    for batch in splitter.finish()?.0 {
        take(decoder.decode(batch)?)?;
    }
    take(decoder.finish()?)
}
