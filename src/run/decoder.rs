//! Decoder: decodes batches on several threads and gives the chunks back in the order of the export.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use crate::decode::{Chunk, DecodeError, DecodeOptions, RecordBatch, decode_batch};
use crate::report::{Event, Observer};
use crate::run::RunError;
use crate::runtime::{in_background, parallelism};
use crate::schema::{IdVec, RootId};

type Decoded = (usize, Result<Chunk, DecodeError>);

/// The records on their way.
pub(super) struct Decoder {
    reading: Arc<IdVec<RootId, DecodeOptions>>,
    observer: Arc<dyn Observer>,
    /// How many batches were handed out.
    begun: usize,
    /// How many chunks were given back.
    given: usize,
    /// Chunks that came before an earlier one.
    early: BTreeMap<usize, Chunk>,
    sender: mpsc::Sender<Decoded>,
    receiver: mpsc::Receiver<Decoded>,
}

impl Decoder {
    /// `reading` tells of each wanted table how its records are read.
    pub(super) fn new(
        reading: Arc<IdVec<RootId, DecodeOptions>>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { reading, observer, begun: 0, given: 0, early: BTreeMap::new(), sender, receiver }
    }

    /// Hands a batch to a thread; waits first when they all have more than enough to do. Returns the chunks that are
    /// next in order.
    pub(super) fn decode(&mut self, batch: RecordBatch) -> Result<Vec<Chunk>, RunError> {
        let mut next = Vec::new();
        while self.begun - self.given - self.early.len() >= 2 * parallelism() {
            next.extend(self.take_one()?);
        }
        let (number, reading) = (self.begun, self.reading.clone());
        let (sender, observer) = (self.sender.clone(), self.observer.clone());
        self.begun += 1;
        in_background(move || {
            let decoded = decode_batch(&batch, &reading[batch.root]);
            observer.event(&Event::Decoded(batch.len() as u64));
            // Nobody receives it any more when another batch has ended the run.
            let _ = sender.send((number, decoded));
        });
        Ok(next)
    }

    fn take_one(&mut self) -> Result<Vec<Chunk>, RunError> {
        // There is a sender in `self`, so receiving does not fail.
        if let Ok((number, decoded)) = self.receiver.recv() {
            self.early.insert(number, decoded?);
        }
        let mut next = Vec::new();
        while let Some(chunk) = self.early.remove(&self.given) {
            self.given += 1;
            next.push(chunk);
        }
        Ok(next)
    }

    /// The last chunks.
    pub(super) fn finish(mut self) -> Result<Vec<Chunk>, RunError> {
        let mut last = Vec::new();
        while self.given < self.begun {
            last.extend(self.take_one()?);
        }
        Ok(last)
    }
}
