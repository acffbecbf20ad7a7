//! The frames on their way to one peer: those that wait to be written and those that wait to be acknowledged.
//!
//! The queue *is* the bytes of the wire: frames stand one behind another in chunks, each with its length in
//! front, so a message costs its text and a header, a batch is written with one call, and an acknowledgement
//! moves a position. After a connection broke, the position of writing goes back.

mod changes;
mod withdrawal;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ProtocolError;
use super::chunk::{Chunk, Position, Shared};
use super::frame::{self, Flags, Frame, Kind};

pub use withdrawal::Place;

/// Capacity of a chunk that many small frames share. A larger frame has a chunk of its own.
const CHUNK: usize = 64 * 1024;

/// Capacity of the first chunk, so that ten thousand idle clients cost little.
const FIRST_CHUNK: usize = 1024;

/// An emptied chunk above this capacity is given back.
const KEPT_CHUNK: usize = 4 * 1024;

/// Shared frames of fewer bytes are copied: each piece is written by itself.
const WORTH_SHARING: usize = 4 * 1024;

/// A queue of frames for one peer, with what was written and what was acknowledged.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    /// Chunks that stood before the first one, ever.
    passed: u64,
    /// How many bytes of a chunk were withdrawn, by its number.
    void: FxHashMap<u64, usize>,
    /// Where the first frame that is not acknowledged begins, in the first chunk.
    head: usize,
    /// Where writing goes on: an index into `chunks` and an offset there.
    cursor: (usize, usize),
    /// How many sequenced frames the peer has acknowledged on this epoch.
    acknowledged: u64,
    /// Sequenced frames in the queue.
    frames: u64,
    /// Bytes in the queue from `head` on, and those of them from `cursor` on.
    bytes: usize,
    unwritten: usize,
}

impl Outbox {
    /// Appends a frame.
    pub fn push(&mut self, frame: &Frame<'_>) {
        frame.encode(self.tail(frame.size()));
        self.grown(frame.size(), frame.kind);
    }

    /// Appends a frame that is already encoded.
    pub fn push_encoded(&mut self, bytes: &[u8]) {
        self.tail(bytes.len()).extend_from_slice(bytes);
        self.grown(bytes.len(), frame::kind_of(bytes));
    }

    /// Appends encoded frames, all of them sequenced, that other queues hold too.
    pub fn push_shared(&mut self, shared: &Arc<Shared>) {
        let bytes = shared.bytes();
        if bytes.len() < WORTH_SHARING {
            self.tail(bytes.len()).extend_from_slice(bytes);
        } else {
            self.append(Chunk::Shared(Arc::clone(shared)));
        }
        self.grown_shared(shared);
    }

    /// Notes that the bytes of a log between two positions belong here. It is not counted and not written:
    /// call [`Outbox::fill`] first.
    pub fn push_gap(&mut self, from: Position, to: Position) {
        self.append(Chunk::Gap(from, to));
    }

    /// Puts what `read` finds in the log wherever there is a gap.
    pub fn fill(&mut self, mut read: impl FnMut(Position, Position, &mut dyn FnMut(&Arc<Shared>))) {
        let Some(first) = self.chunks.iter().position(|chunk| matches!(chunk, Chunk::Gap(..))) else { return };
        let rest = self.chunks.split_off(first);
        for chunk in rest {
            match chunk {
                // The writer stands at the first of them, or before.
                Chunk::Gap(from, to) => read(from, to, &mut |shared| self.push_piece(shared, first)),
                chunk => self.chunks.push_back(chunk),
            }
        }
    }

    /// The next bytes to write, in one piece; empty when everything has been written.
    pub fn unwritten(&self) -> &[u8] {
        let (chunk, offset) = self.cursor;
        self.chunks.get(chunk).map_or(&[], |bytes| &bytes[offset..])
    }

    /// How many bytes are to be written.
    pub fn unwritten_size(&self) -> usize {
        self.unwritten
    }

    /// Whether everything has been written.
    pub fn is_written(&self) -> bool {
        self.unwritten().is_empty()
    }

    /// Notes that `count` of the [`unwritten`](Self::unwritten) bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.cursor.1 += count;
        self.unwritten -= count;
        let (chunk, offset) = self.cursor;
        if chunk + 1 < self.chunks.len() && offset == self.chunks[chunk].len() {
            self.cursor = (chunk + 1, 0);
        }
        // Acknowledgements are not acknowledged in turn: with nothing else in the queue it is done with.
        if self.frames == 0 && self.is_written() {
            self.clear();
        }
    }

    /// The peer has received `count` sequenced frames in all. `each` is called with every frame that this
    /// acknowledges, in order.
    pub fn acknowledge(&mut self, count: u64, mut each: impl FnMut(&[u8])) -> Result<(), ProtocolError> {
        let mut left = count.checked_sub(self.acknowledged).ok_or(ProtocolError::InvalidAcknowledgement)?;
        if left > self.frames {
            return Err(ProtocolError::InvalidAcknowledgement);
        }
        self.acknowledged = count;
        while let Some(bytes) = self.first() {
            let sequenced = frame::kind_of(bytes).is_sequenced();
            if (sequenced && left == 0) || !self.first_is_written(bytes.len()) {
                break;
            }
            if sequenced {
                each(bytes);
                left -= 1;
            }
            let size = bytes.len();
            self.drop_first(size, sequenced);
        }
        // What was not written can't have been received.
        if left > 0 { Err(ProtocolError::InvalidAcknowledgement) } else { Ok(()) }
    }

    /// Goes on, on a new connection, with a peer that has received `count` frames. These are not written again,
    /// and stay until they are acknowledged: the peer may not have dealt with them.
    pub fn resume(&mut self, count: u64) -> Result<(), ProtocolError> {
        let mut left = count.checked_sub(self.acknowledged).ok_or(ProtocolError::InvalidAcknowledgement)?;
        let end = self.cursor;
        self.start_over();
        while left > 0 {
            let bytes = self.unwritten();
            let size = frame::frame_size(bytes).ok_or(ProtocolError::InvalidAcknowledgement)?;
            left -= u64::from(frame::kind_of(bytes).is_sequenced());
            self.advance(size);
            // What was not written can't have been received.
            if self.cursor > end {
                return Err(ProtocolError::InvalidAcknowledgement);
            }
        }
        Ok(())
    }

    /// Starts over with a peer that knows nothing of this queue: frames count from 1 again, and what had been
    /// written is marked as redelivered.
    pub fn restart(&mut self) {
        self.mark_written();
        self.acknowledged = 0;
        self.start_over();
        self.for_each_mut(|bytes| frame::mark(bytes, Flags::QUEUED));
    }

    /// Sequenced frames that are not acknowledged.
    pub fn len(&self) -> u64 {
        self.frames
    }

    /// Whether every sequenced frame has been acknowledged.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Sequenced frames that the peer has acknowledged on this epoch.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Bytes that wait, written or not.
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Bytes that were written and have not been acknowledged.
    pub fn unacknowledged_size(&self) -> usize {
        self.bytes - self.unwritten
    }

    /// Bytes that wait, written or not, where of what several queues hold each takes its part.
    pub fn share(&self) -> usize {
        let others = |chunk: &Chunk| match chunk {
            Chunk::Shared(shared) => chunk.len() - chunk.len() / Arc::strong_count(shared),
            _ => 0,
        };
        self.bytes.saturating_sub(self.chunks.iter().map(others).sum())
    }

    /// Gives back memory that an empty queue keeps for the frames to come.
    pub fn shrink(&mut self) {
        if self.bytes == 0 {
            self.chunks.clear();
            self.clear();
        }
    }

    /// Marks the frames that were written whole: their receiver may have seen them.
    pub fn mark_written(&mut self) {
        let (cursor_chunk, cursor_offset) = self.cursor;
        let mut offset = self.head;
        for (index, chunk) in self.chunks.iter_mut().enumerate().take(cursor_chunk + 1) {
            let end = if index == cursor_chunk { cursor_offset } else { chunk.len() };
            if offset >= end {
                break;
            }
            let chunk = chunk.own();
            while let Some(size) = frame::frame_size(&chunk[offset..]) {
                if offset + size > end {
                    break;
                }
                frame::mark(&mut chunk[offset..], Flags::REDELIVERED);
                offset += size;
            }
            offset = 0;
        }
    }

    /// Goes back to the first frame. Acknowledgements belonged to the connection before.
    fn start_over(&mut self) {
        self.cursor = (0, self.head);
        self.unwritten = self.bytes;
        self.for_each_mut(|bytes| {
            if frame::kind_of(bytes) == Kind::Acknowledgement {
                frame::turn_into(bytes, Kind::Padding);
            }
        });
    }

    fn tail(&mut self, size: usize) -> &mut Vec<u8> {
        let room = match self.chunks.back() {
            Some(Chunk::Own(chunk)) => chunk.capacity() - chunk.len(),
            _ => 0,
        };
        if self.chunks.is_empty() || room < size {
            let capacity = match self.chunks.back() {
                // Likely another gap follows.
                Some(Chunk::Gap(..)) => size,
                last => (last.map_or(0, Chunk::capacity) * 4).clamp(FIRST_CHUNK, CHUNK).max(size),
            };
            self.append(Chunk::Own(Vec::with_capacity(capacity)));
        }
        let last = self.chunks.len() - 1;
        self.chunks[last].own()
    }

    /// Adds a chunk behind the others.
    fn append(&mut self, chunk: Chunk) {
        // One that was emptied and is too small now would stand in front of the frames to come.
        if self.chunks.back().is_some_and(Chunk::is_spent) {
            self.chunks.pop_back();
        }
        match self.chunks.back() {
            None => (self.head, self.cursor) = (0, (0, 0)),
            // What belongs there is still to be written.
            Some(Chunk::Gap(..)) => {}
            // The writer stands at the end of the last chunk: it goes on in the new one.
            Some(last) if self.cursor == (self.chunks.len() - 1, last.len()) => self.cursor = (self.chunks.len(), 0),
            Some(_) => {}
        }
        self.chunks.push_back(chunk);
    }

    /// Appends frames of a log, those from chunk `first` on in as few pieces as is worth it.
    fn push_piece(&mut self, shared: &Arc<Shared>, first: usize) {
        self.grown_shared(shared);
        let bytes = shared.bytes();
        if bytes.len() >= WORTH_SHARING {
            self.chunks.push_back(Chunk::Shared(Arc::clone(shared)));
            return;
        }
        let is_new = self.chunks.len() > first;
        match self.chunks.back_mut() {
            Some(Chunk::Own(chunk)) if is_new && chunk.len() < CHUNK => chunk.extend_from_slice(bytes),
            _ => self.chunks.push_back(Chunk::Own(bytes.to_vec())),
        }
    }

    fn grown_shared(&mut self, shared: &Shared) {
        self.bytes += shared.bytes().len();
        self.unwritten += shared.bytes().len();
        self.frames += shared.frames();
    }

    fn grown(&mut self, bytes: usize, kind: Kind) {
        self.bytes += bytes;
        self.unwritten += bytes;
        self.frames += u64::from(kind.is_sequenced());
    }

    /// The first frame in the queue.
    fn first(&self) -> Option<&[u8]> {
        let bytes = &self.chunks.front()?[self.head..];
        let size = frame::frame_size(bytes)?;
        Some(&bytes[..size])
    }

    fn first_is_written(&self, size: usize) -> bool {
        self.cursor.0 > 0 || self.cursor.1 >= self.head + size
    }

    fn drop_first(&mut self, size: usize, sequenced: bool) {
        self.head += size;
        self.bytes -= size;
        self.frames -= u64::from(sequenced);
        if self.head < self.chunks[0].len() {
            return;
        }
        if self.chunks.len() == 1 {
            self.clear();
        } else {
            self.chunks.pop_front();
            if !self.void.is_empty() {
                self.void.remove(&self.passed);
            }
            self.passed = self.passed.wrapping_add(1);
            self.head = 0;
            // A writer at the end of the chunk has moved on to the next already.
            self.cursor.0 = self.cursor.0.saturating_sub(1);
        }
    }

    /// Forgets everything that is left, which has been written and needs no acknowledgement.
    fn clear(&mut self) {
        self.chunks.truncate(1);
        match self.chunks.front_mut() {
            Some(Chunk::Own(chunk)) if chunk.capacity() <= KEPT_CHUNK => chunk.clear(),
            _ => self.chunks.clear(),
        }
        self.head = 0;
        self.cursor = (0, 0);
        self.bytes = 0;
        self.unwritten = 0;
        self.void.clear();
    }
}

#[cfg(test)]
mod tests;
