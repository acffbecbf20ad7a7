//! The broadcasts that clients which are away have missed, stored once for all of them. Each such client stands at a
//! position; what all of them have passed is forgotten.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::chunk::{Position, Shared};
use crate::protocol::frame::Frame;

/// The size up to which small frames share a piece, in bytes.
const PIECE: usize = 64 * 1024;

/// What the allocator and the piece itself take for each piece, about, in bytes.
const OVERHEAD: usize = 100;

/// Bytes of a broadcast from which on all receivers hold the same memory, which is written by itself.
const WORTH_SHARING: usize = 16 * 1024;

/// A broadcast, encoded.
#[derive(Debug)]
pub(super) enum Broadcast {
    /// Each receiver has a copy.
    Small(Vec<u8>),
    /// All receivers hold it.
    Large(Arc<Shared>),
}

impl Broadcast {
    pub(super) fn new(frame: &Frame<'_>) -> Broadcast {
        let mut bytes = Vec::with_capacity(frame.size());
        frame.encode(&mut bytes);
        if bytes.len() < WORTH_SHARING { Broadcast::Small(bytes) } else { Broadcast::Large(Shared::new(bytes, 1)) }
    }
}

/// Broadcasts in their order, encoded.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Pieces that are complete, with the position of each.
    pieces: VecDeque<(Position, Arc<Shared>)>,
    /// The piece that grows.
    tail: Vec<u8>,
    tail_frames: u64,
    end: Position,
    /// Bytes of the pieces.
    bytes: usize,
}

impl Backlog {
    /// Where the next frame will stand.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// Frames that are stored.
    pub(super) fn len(&self) -> u64 {
        self.end.frames - self.pieces.front().map_or(self.end.frames - self.tail_frames, |(first, _)| first.frames)
    }

    /// Bytes that are stored.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.tail.len() + self.pieces.len() * OVERHEAD
    }

    /// Appends a broadcast.
    pub(super) fn push(&mut self, broadcast: &Broadcast) {
        match broadcast {
            Broadcast::Small(frame) => {
                if self.tail.len() + frame.len() > PIECE {
                    self.seal();
                }
                self.tail.extend_from_slice(frame);
                self.tail_frames += 1;
                self.end.frames += 1;
                self.end.bytes += frame.len() as u64;
            }
            Broadcast::Large(shared) => {
                self.seal();
                self.bytes += shared.bytes().len();
                self.pieces.push_back((self.end, Arc::clone(shared)));
                self.end.frames += 1;
                self.end.bytes += shared.bytes().len() as u64;
            }
        }
    }

    /// The position of a client that has missed nothing so far.
    pub(super) fn join(&mut self) -> Position {
        self.seal();
        self.end
    }

    /// Calls `each` with the pieces between two positions that [`Backlog::join`] has given.
    pub(super) fn read(&self, from: Position, to: Position, each: &mut dyn FnMut(&Arc<Shared>)) {
        let first = self.pieces.partition_point(|(position, _)| *position < from);
        self.pieces.range(first..).take_while(|(position, _)| *position < to).for_each(|(_, piece)| each(piece));
    }

    /// Forgets what came before a position, or everything if no client has a position.
    pub(super) fn trim(&mut self, first: Option<Position>) {
        let first = first.unwrap_or(self.end);
        while self.pieces.front().is_some_and(|(position, _)| *position < first) {
            self.bytes -= self.pieces.pop_front().map_or(0, |(_, piece)| piece.bytes().len());
        }
        if first == self.end {
            self.tail = Vec::new();
            self.tail_frames = 0;
        }
        if self.pieces.is_empty() {
            self.pieces.shrink_to_fit();
        }
    }

    /// Completes the piece that grows: a position is never within one.
    fn seal(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let frames = std::mem::take(&mut self.tail_frames);
        let bytes = std::mem::take(&mut self.tail);
        let position = Position { frames: self.end.frames - frames, bytes: self.end.bytes - bytes.len() as u64 };
        self.bytes += bytes.len();
        self.pieces.push_back((position, Shared::new(bytes, frames)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(bytes: &str) -> Broadcast {
        Broadcast::Small(bytes.as_bytes().to_vec())
    }

    fn read(backlog: &mut Backlog, from: Position) -> Vec<u8> {
        let (mut bytes, end) = (Vec::new(), backlog.join());
        backlog.read(from, end, &mut |piece| bytes.extend_from_slice(piece.bytes()));
        bytes
    }

    #[test]
    fn each_reads_what_came_after_its_position_and_what_all_have_passed_is_forgotten() {
        let mut backlog = Backlog::default();
        let first = backlog.join();
        backlog.push(&small("a"));
        let second = backlog.join();
        backlog.push(&small("b"));
        backlog.push(&Broadcast::Large(Shared::new(b"c".to_vec(), 1)));
        backlog.push(&small("d"));
        assert_eq!((read(&mut backlog, first), read(&mut backlog, second)), (b"abcd".to_vec(), b"bcd".to_vec()));
        assert_eq!((backlog.len(), backlog.bytes), (4, 4));
        backlog.trim(Some(second));
        assert_eq!((read(&mut backlog, second), backlog.bytes), (b"bcd".to_vec(), 3));
        backlog.trim(None);
        assert_eq!((backlog.len(), backlog.size(), backlog.end().frames), (0, 0, 4));
    }

    #[test]
    fn many_small_frames_become_few_pieces() {
        let mut backlog = Backlog::default();
        let start = backlog.join();
        (0..100_000).for_each(|_| backlog.push(&small("12345678")));
        assert_eq!(read(&mut backlog, start).len(), 800_000);
        assert!(backlog.pieces.len() < 20 && backlog.size() < 810_000);
    }
}
