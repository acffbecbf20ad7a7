//! Messages that the server acknowledges to their senders before it can hand them over. Each sender is told to keep them
//! until it hears of them again, so they outlive this server.

use crate::machine::SessionId;
use crate::sequence::Receipt;

/// A message that its sender keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) origin: SessionId,
    pub(super) receipt: Receipt,
}

/// The messages in a client's queue that their senders keep.
#[derive(Debug, Default)]
pub(super) struct Holds {
    messages: Vec<Hold>,
    /// While the client is connected: bytes to be written before it has all of them.
    unwritten: usize,
}

impl Holds {
    /// Adds messages that are in the queue.
    pub(super) fn add(&mut self, holds: impl IntoIterator<Item = Hold>) {
        self.messages.extend(holds);
    }

    /// Begins with the number of bytes of the queue that must be written before the client has all messages. Returns the
    /// messages that it has.
    pub(super) fn start_writing(&mut self, unwritten: usize) -> Vec<Hold> {
        self.unwritten = unwritten;
        self.written(0)
    }

    /// Notes bytes of the queue that were written. Returns the messages that were handed over by that.
    pub(super) fn written(&mut self, count: usize) -> Vec<Hold> {
        self.unwritten = self.unwritten.saturating_sub(count);
        if self.unwritten == 0 { self.take() } else { Vec::new() }
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Vec<Hold> {
        std::mem::take(&mut self.messages)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
