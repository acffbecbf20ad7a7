//! What a client keeps although the server has acknowledged it: deliveries that are not answered, and messages that the server
//! holds for a client that is away. A server that does not know them gets them again, in the order in which they were sent.

use std::collections::BTreeMap;

/// A place among the frames that are kept. Later frames have later places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

/// The frames.
#[derive(Debug, Default)]
pub(super) struct Retained {
    frames: BTreeMap<Place, Box<[u8]>>,
    next: u64,
    bytes: usize,
}

impl Retained {
    /// Keeps a frame that was acknowledged after all those that are kept already.
    pub(super) fn keep(&mut self, bytes: Box<[u8]>) -> Place {
        self.next += 1;
        self.bytes += bytes.len();
        self.frames.insert(Place(self.next), bytes);
        Place(self.next)
    }

    /// It is needed no longer.
    pub(super) fn forget(&mut self, place: Place) {
        self.bytes -= self.frames.remove(&place).map_or(0, |bytes| bytes.len());
    }

    /// All of them are in the queue again.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// All frames, in the order in which they were sent.
    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.values().map(|bytes| &bytes[..])
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Their size in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes
    }
}
