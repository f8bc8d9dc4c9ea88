//! Decoder: decodes batches on several threads and keeps the chunks in the order of the export.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use super::RunError;
use crate::decode::{Chunk, DecodeError, Reading, RecordBatch, decode_batch};
use crate::report::{Event, Observer};
use crate::runtime::{in_background, parallelism};

type Decoded = (usize, Result<Chunk, DecodeError>);

/// The records so far.
pub(super) struct Decoder {
    reading: Arc<[Reading]>,
    observer: Arc<dyn Observer>,
    /// How many batches were handed out.
    begun: usize,
    done: BTreeMap<usize, Chunk>,
    sender: mpsc::Sender<Decoded>,
    receiver: mpsc::Receiver<Decoded>,
}

impl Decoder {
    /// `reading` tells of each wanted table how its records are read.
    pub(super) fn new(reading: Vec<Reading>, observer: Arc<dyn Observer>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let reading = reading.into();
        Self { reading, observer, begun: 0, done: BTreeMap::new(), sender, receiver }
    }

    /// Hands a batch to a thread; waits first when they all have more than enough to do.
    pub(super) fn decode(&mut self, batch: RecordBatch) -> Result<(), RunError> {
        while self.begun - self.done.len() >= 2 * parallelism() {
            self.take_one()?;
        }
        let (number, reading) = (self.begun, self.reading.clone());
        let (sender, observer) = (self.sender.clone(), self.observer.clone());
        self.begun += 1;
        in_background(move || {
            let decoded = decode_batch(&batch, &reading[batch.table]);
            observer.event(&Event::Decoded(batch.len() as u64));
            // Nobody receives it any more when another batch has ended the run.
            let _ = sender.send((number, decoded));
        });
        Ok(())
    }

    fn take_one(&mut self) -> Result<(), RunError> {
        // There is a sender in `self`, so receiving does not fail.
        if let Ok((number, decoded)) = self.receiver.recv() {
            self.done.insert(number, decoded?);
        }
        Ok(())
    }

    /// The chunks, in the order of the export.
    pub(super) fn finish(mut self) -> Result<Vec<Chunk>, RunError> {
        while self.done.len() < self.begun {
            self.take_one()?;
        }
        Ok(self.done.into_values().collect())
    }
}
