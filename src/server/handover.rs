//! What a server tells the senders of messages that it can't hand over yet.

use super::Server;
use super::holds::Hold;
use crate::machine::SessionId;
use crate::protocol::frame::{EXTENDED_SINCE, Frame, Kind};

impl Server {
    /// Tells a client to keep its last message, before that is acknowledged. `None` if the client knows no such thing.
    pub(super) fn hold(&mut self, origin: SessionId) -> Option<Hold> {
        let session = self.sessions.get(&origin).filter(|session| session.version >= EXTENDED_SINCE)?;
        let receipt = session.sequence.last();
        self.push(origin, &Frame::bare(Kind::Held, receipt.sequence()));
        Some(Hold { origin, receipt })
    }

    /// Tells the senders that these messages were handed over, or given up. A server that closes gives up nothing: the next
    /// one gets them again.
    pub(super) fn release(&mut self, holds: impl IntoIterator<Item = Hold>) {
        if self.closing.is_some() {
            return;
        }
        for Hold { origin, receipt } in holds {
            let is_known = self.sessions.get(&origin).is_some_and(|session| session.sequence.is_current(receipt));
            if is_known {
                self.push(origin, &Frame::bare(Kind::Released, receipt.sequence()));
            }
        }
    }

    /// A client has come, or come back, and is about to be written what waits for it.
    pub(super) fn hand_over(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.holds.is_empty() {
            let holds = session.holds.start_writing(session.sequence.outbox.unwritten_size());
            self.release(holds);
        }
    }
}
