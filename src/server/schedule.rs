//! When what is queued is written, and when a client is told what the server has received.
//!
//! - A connection is written to once in a turn, with everything that was queued for it until then.
//! - Acknowledgements are gathered in the same way. While something was passed on that is not written, none is: a sender is
//!   told that its message was written to the receiver's socket.
//! - A client that has thousands of frames to acknowledge is not written a few more, unless a sender waits for them.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use super::session::Session;
use crate::machine::{ConnectionId, SessionId};

/// A client with this many frames to acknowledge is busy: it acknowledges every 64 frames, so the server learns of its
/// progress long before it has finished.
const BEHIND: u64 = 2_000;

/// From this many bytes on, the server writes to it nevertheless.
const WORTH_WRITING: usize = 16 * 1024;

/// What is to be written in this turn.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// The connections that have something to write, each once, in the order in which they got it.
    queue: VecDeque<ConnectionId>,
    members: FxHashSet<ConnectionId>,
    /// Sessions to which an acknowledgement may be due.
    acknowledgements: Vec<SessionId>,
    /// Whether something was passed on whose sender must not be told before it is written.
    relayed: bool,
}

impl Schedule {
    /// Something is to be written to a connection.
    pub(super) fn write(&mut self, connection: ConnectionId) {
        if self.members.insert(connection) {
            self.queue.push_back(connection);
        }
    }

    /// Something was queued for a client.
    pub(super) fn write_to(&mut self, session: &Session) {
        session.connections().for_each(|connection| self.write(connection));
    }

    /// A message was passed on.
    pub(super) fn relayed(&mut self) {
        self.relayed = true;
    }

    /// Something was received from a client, or dealt with.
    pub(super) fn acknowledge(&mut self, id: SessionId, session: &mut Session) {
        if !std::mem::replace(&mut session.is_acknowledged, true) {
            self.acknowledgements.push(id);
        }
    }

    /// The sessions to which acknowledgements are due.
    pub(super) fn take_acknowledgements(&mut self) -> Vec<SessionId> {
        if self.relayed { Vec::new() } else { std::mem::take(&mut self.acknowledgements) }
    }

    /// The next connection to write to.
    pub(super) fn next(&mut self) -> Option<ConnectionId> {
        let connection = self.queue.pop_front()?;
        self.members.remove(&connection);
        Some(connection)
    }

    /// Everything has been written. Gives whether acknowledgements have waited for that.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(&mut self.relayed)
    }

    /// Connections to write to, and sessions to acknowledge something to.
    pub(super) fn outstanding(&self) -> (usize, usize) {
        (self.members.len(), self.acknowledgements.len())
    }
}

/// Whether a client has much to read before it needs more.
pub(super) fn is_behind(session: &Session) -> bool {
    let outbox = &session.sequence.outbox;
    session.is_connected() && outbox.len() >= BEHIND && outbox.unwritten_size() < WORTH_WRITING
}
