//! Messages that are acknowledged to their senders before they can be handed over. Each sender is told to keep them until it
//! hears of them again, so they outlive this server.

use super::Server;
use crate::link::Receipt;
use crate::machine::SessionId;
use crate::protocol::frame::{EXTENDED_SINCE, Frame, Kind};

/// A message that its sender keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    origin: SessionId,
    receipt: Receipt,
}

/// What waits in a client's queue and is kept by its senders.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) messages: Vec<Held>,
    /// While the client is connected: bytes to be written before it has all of them.
    unwritten: usize,
}

impl Holding {
    /// So many bytes of the queue were written. Gives what was handed over by that.
    pub(super) fn written(&mut self, count: usize) -> Vec<Held> {
        self.unwritten = self.unwritten.saturating_sub(count);
        if self.unwritten == 0 { self.take() } else { Vec::new() }
    }

    pub(super) fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.messages)
    }
}

impl Server {
    /// Tells a client to keep its last message, before that is acknowledged. `None` if the client knows no such thing.
    pub(super) fn hold(&mut self, origin: SessionId) -> Option<Held> {
        let session = self.sessions.get(&origin).filter(|session| session.version >= EXTENDED_SINCE)?;
        let receipt = session.link.last();
        self.push(origin, &Frame::bare(Kind::Held, receipt.sequence()));
        Some(Held { origin, receipt })
    }

    /// Tells the senders that these messages were handed over, or given up. A server that closes gives up nothing: the next
    /// one gets them again.
    pub(super) fn release(&mut self, held: impl IntoIterator<Item = Held>) {
        if self.closing.is_some() {
            return;
        }
        for Held { origin, receipt } in held {
            let is_known = self.sessions.get(&origin).is_some_and(|session| session.link.is_of_this_numbering(receipt));
            if is_known {
                self.push(origin, &Frame::bare(Kind::Released, receipt.sequence()));
            }
        }
    }

    /// A client has come, or come back, and is about to be written what waits for it.
    pub(super) fn hand_over(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.holding.messages.is_empty() {
            session.holding.unwritten = session.link.outbox.unwritten_size();
            let held = session.holding.written(0);
            self.release(held);
        }
    }
}
