//! A piece of a queue: frames one behind another, which are the queue's own, or are shared with other queues, or stand
//! in a log that several queues refer to.

use std::ops::Deref;
use std::sync::Arc;

/// Encoded frames that many queues hold. They never change.
#[derive(Debug, PartialEq, Eq)]
pub struct Shared {
    bytes: Box<[u8]>,
    frames: u64,
}

/// A place in a log: how many frames and bytes came before it, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Frames before it.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Shared {
    /// Encoded frames, and their number.
    pub fn new(bytes: Vec<u8>, frames: u64) -> Arc<Shared> {
        Arc::new(Shared { bytes: bytes.into_boxed_slice(), frames })
    }

    /// The frames as they are written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many frames there are.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

/// A piece of a queue.
#[derive(Debug)]
pub(super) enum Chunk {
    /// The queue's own.
    Own(Vec<u8>),
    /// Held by other queues too.
    Shared(Arc<Shared>),
    /// The bytes of a log between two positions, to be inserted here before anything is written.
    Gap(Position, Position),
}

impl Chunk {
    /// What may be changed: a copy of what was shared.
    pub(super) fn own(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Chunk::Own(_)) {
            *self = Chunk::Own(self.to_vec());
        }
        match self {
            Chunk::Own(bytes) => bytes,
            _ => unreachable!("it has just been made so"),
        }
    }

    /// Bytes that its own memory has room for.
    pub(super) fn capacity(&self) -> usize {
        if let Chunk::Own(bytes) = self { bytes.capacity() } else { 0 }
    }

    /// Whether it has nothing to write, and never will.
    pub(super) fn is_spent(&self) -> bool {
        self.is_empty() && !matches!(self, Chunk::Gap(..))
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Chunk::Own(bytes) => bytes,
            Chunk::Shared(shared) => &shared.bytes,
            Chunk::Gap(..) => &[],
        }
    }
}
