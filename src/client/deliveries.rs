//! The deliveries that a client waits for.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::protocol::frame::{Flags, Frame, Kind};

/// Marks a void frame whose one-way message was rejected: its promise is settled in its turn. It is never
/// written, so it takes a bit that the wire does not use.
pub(super) const REJECTED: Flags = Flags(128);

/// Deliveries without an answer.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    waiting: FxHashSet<u64>,
    /// The frames of those that the server has received: a server that has lost them is asked again. Numbers
    /// grow, so this is the order in which they were sent.
    received: BTreeMap<u64, Box<[u8]>>,
}

impl Deliveries {
    pub(super) fn begin(&mut self, request: u64) {
        self.waiting.insert(request);
    }

    /// Whether somebody was waiting for it.
    pub(super) fn answered(&mut self, request: u64) -> bool {
        let waited = self.waiting.remove(&request);
        if waited && !self.received.is_empty() {
            self.received.remove(&request);
        }
        waited
    }

    /// Whether somebody was waiting for it.
    pub(super) fn cancel(&mut self, request: u64) -> bool {
        self.answered(request)
    }

    /// The server has received this frame.
    pub(super) fn acknowledged(&mut self, bytes: &[u8]) {
        if let Ok(frame) = Frame::decode_trusted(bytes)
            && matches!(frame.kind, Kind::Request | Kind::Discover)
            && self.waiting.contains(&frame.id)
        {
            self.received.insert(frame.id, bytes.into());
        }
    }

    /// The frames that a new server has to be asked again.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &[u8]> {
        self.received.values().map(|bytes| &bytes[..])
    }

    /// The unanswered ones are in the queue again.
    pub(super) fn put_back(&mut self) {
        self.received.clear();
    }

    /// How many there are, and how many of them the server has received.
    pub(super) fn outstanding(&self) -> (usize, usize) {
        (self.waiting.len(), self.received.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
