//! Decoder: decodes batches on all cores and returns the chunks in the order of the export.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use crate::decode::{BatchChunks, Chunk, DecodeError, DecodeOptions, RecordBatch};
use crate::report::EventKind;
use crate::run::RunError;
use crate::run::events::RunEvents;
use crate::runtime::{in_background, parallelism};
use crate::schema::{IdVec, RootId};

/// No more than that is under way, but for one large record: columns take several times as much.
const MOST_BYTES_UNDER_WAY: usize = 32 << 20;

/// A chunk that was decoded, and the rest of its batch.
struct Decoded {
    number: usize,
    chunk: Result<Chunk, DecodeError>,
    batch: BatchChunks,
}

/// The batches that are being decoded.
///
/// A batch with many chunks goes on to the next one only when it is the first of those under way; so little waits.
pub(super) struct Decoder {
    options: Arc<IdVec<RootId, DecodeOptions>>,
    events: RunEvents,
    /// How many batches were started.
    begun: usize,
    /// How many batches are over.
    over: usize,
    /// The size of the others.
    bytes_under_way: usize,
    /// Chunks that were ready before earlier ones.
    early: BTreeMap<usize, (Chunk, BatchChunks)>,
    sender: mpsc::Sender<Decoded>,
    receiver: mpsc::Receiver<Decoded>,
}

impl Decoder {
    /// `options` say how the records of each root table are decoded.
    pub(super) fn new(options: Arc<IdVec<RootId, DecodeOptions>>, events: RunEvents) -> Self {
        let (sender, receiver) = mpsc::channel();
        let (begun, over, bytes_under_way) = (0, 0, 0);
        let early = BTreeMap::new();
        Self { options, events, begun, over, bytes_under_way, early, sender, receiver }
    }

    /// Starts to decode a batch, once there are not too many under way. Until then, hands on the chunks that are next in
    /// order.
    pub(super) fn decode(
        &mut self,
        batch: RecordBatch,
        take: &mut impl FnMut(Vec<Chunk>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        while !self.has_room_for(batch.size()) {
            self.take_one(take)?;
        }
        self.bytes_under_way += batch.size();
        let options = &self.options[batch.root];
        self.go_on(self.begun, BatchChunks::of(batch, options));
        self.begun += 1;
        Ok(())
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        let under_way = self.begun - self.over;
        let at_work = under_way - self.early.len();
        let fits = self.bytes_under_way + bytes <= MOST_BYTES_UNDER_WAY;
        under_way == 0 || (at_work < 2 * parallelism() && under_way < 4 * parallelism() && fits)
    }

    /// Decodes the next chunk of a batch.
    fn go_on(&self, number: usize, mut batch: BatchChunks) {
        let (options, sender) = (self.options.clone(), self.sender.clone());
        let events = self.events.clone();
        in_background(move || {
            let chunk = batch.next_chunk(&options[batch.batch().root]);
            if batch.is_over() {
                events.emit(EventKind::Decoded(batch.batch().len() as u64));
            }
            // The receiver is gone when another batch has failed.
            let _ = sender.send(Decoded { number, chunk, batch });
        });
    }

    /// Waits for a chunk, and hands on those that are next in order.
    fn take_one(
        &mut self,
        take: &mut impl FnMut(Vec<Chunk>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        // `self` holds a sender, so receiving does not fail.
        if let Ok(Decoded { number, chunk, batch }) = self.receiver.recv() {
            self.early.insert(number, (chunk?, batch));
        }
        while let Some((chunk, batch)) = self.early.remove(&self.over) {
            if batch.is_over() {
                self.bytes_under_way -= batch.batch().size();
                self.over += 1;
                // What takes the chunk needs the memory.
                drop(batch);
            } else {
                self.go_on(self.over, batch);
            }
            take(vec![chunk])?;
        }
        Ok(())
    }

    /// Hands on the last chunks.
    pub(super) fn finish(
        mut self,
        take: &mut impl FnMut(Vec<Chunk>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        while self.over < self.begun {
            self.take_one(take)?;
        }
        Ok(())
    }
}
