//! Intake: receives, keeps and decodes the export, all at once while it arrives.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::RunError;
use super::decoder::Decoder;
use crate::decode::{Chunk, Found, Splitter, Wanted};
use crate::fetch::{Answer, FetchError};
use crate::land::{Landed, Landing};
use crate::report::{Event, Observer};
use crate::runtime::on_cpu;

/// Pieces of the body that may wait for the decoder; when it falls behind, the network waits.
const WAITING_PIECES: usize = 64;

/// A complete export.
pub(super) struct Intake {
    pub(super) landed: Landed,
    pub(super) found: Found,
    pub(super) chunks: Vec<Chunk>,
}

/// Receives the whole export, or says why not. `identify` tells of each wanted table whether its records
/// need their hash.
pub(super) async fn receive(
    answer: Answer,
    wanted: Wanted,
    identify: Vec<bool>,
    observer: Arc<dyn Observer>,
) -> Result<Intake, RunError> {
    observer.event(&Event::Receiving(answer.announced_bytes()));
    let digestion = Digestion::begin(wanted, identify, observer)?;
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let digest = on_cpu(move || digestion.take_in(receiver));
    let (fed, digested) = tokio::join!(feed(answer.body(), sender), digest);
    let digested = digested?;
    // The decoder cannot tell a body that is over from one that broke off: only the network can.
    fed?;
    on_cpu(move || digested.finish()).await
}

/// Hands the body on, piece by piece, until it ends or nobody wants it any more.
async fn feed(
    mut body: impl Stream<Item = Result<Bytes, FetchError>> + Unpin,
    sender: mpsc::Sender<Bytes>,
) -> Result<(), FetchError> {
    while let Some(piece) = body.next().await {
        if sender.send(piece?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The export so far.
struct Digestion {
    landing: Landing,
    splitter: Splitter,
    decoder: Decoder,
    observer: Arc<dyn Observer>,
}

impl Digestion {
    fn begin(
        wanted: Wanted,
        identify: Vec<bool>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, RunError> {
        let (landing, splitter) = (Landing::create()?, Splitter::new(wanted));
        let decoder = Decoder::new(identify, observer.clone());
        Ok(Self { landing, splitter, decoder, observer })
    }

    fn take_in(mut self, mut pieces: mpsc::Receiver<Bytes>) -> Result<Self, RunError> {
        while let Some(piece) = pieces.blocking_recv() {
            self.landing.write(&piece)?;
            for batch in self.splitter.feed(&piece)? {
                self.decoder.decode(batch)?;
            }
            self.observer.event(&Event::Received(piece.len() as u64));
        }
        Ok(self)
    }

    fn finish(mut self) -> Result<Intake, RunError> {
        let (batches, found) = self.splitter.finish()?;
        for batch in batches {
            self.decoder.decode(batch)?;
        }
        let chunks = self.decoder.finish()?;
        Ok(Intake { landed: self.landing.finish()?, found, chunks })
    }
}
