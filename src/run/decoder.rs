//! Decoder: decodes batches on all cores and returns the chunks in the order of the export.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use crate::decode::{Chunk, DecodeError, DecodeOptions, RecordBatch, decode_batch};
use crate::report::EventKind;
use crate::run::RunError;
use crate::run::events::RunEvents;
use crate::runtime::{in_background, parallelism};
use crate::schema::{IdVec, RootId};

type Decoded = (usize, Result<Chunk, DecodeError>);

/// The batches that are being decoded.
pub(super) struct Decoder {
    options: Arc<IdVec<RootId, DecodeOptions>>,
    events: RunEvents,
    /// How many batches were started.
    begun: usize,
    /// How many chunks were returned.
    given: usize,
    /// Chunks that were ready before an earlier one.
    early: BTreeMap<usize, Chunk>,
    sender: mpsc::Sender<Decoded>,
    receiver: mpsc::Receiver<Decoded>,
}

impl Decoder {
    /// `options` say how the records of each root table are decoded.
    pub(super) fn new(options: Arc<IdVec<RootId, DecodeOptions>>, events: RunEvents) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { options, events, begun: 0, given: 0, early: BTreeMap::new(), sender, receiver }
    }

    /// Starts to decode a batch, once there are not too many under way. Returns the chunks that are next in order.
    pub(super) fn decode(&mut self, batch: RecordBatch) -> Result<Vec<Chunk>, RunError> {
        let mut next = Vec::new();
        while self.begun - self.given - self.early.len() >= 2 * parallelism() {
            next.extend(self.take_one()?);
        }
        let (number, options) = (self.begun, self.options.clone());
        let (sender, events) = (self.sender.clone(), self.events.clone());
        self.begun += 1;
        in_background(move || {
            let decoded = decode_batch(&batch, &options[batch.root]);
            events.emit(EventKind::Decoded(batch.len() as u64));
            // The receiver is gone when another batch has failed.
            let _ = sender.send((number, decoded));
        });
        Ok(next)
    }

    fn take_one(&mut self) -> Result<Vec<Chunk>, RunError> {
        // `self` holds a sender, so receiving does not fail.
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
