//! A client as the server sees it, through all its connections.

use std::time::Instant;

use super::holds::Holds;
use super::options::Options;
use crate::machine::{ConnectionId, Credentials, Event, ListenerId, SessionId};
use crate::protocol::frame::{self, Kind};
use crate::protocol::outbox::Outbox;
use crate::sequence::Sequence;
use crate::transport::Transport;

/// The bytes that may be written and not acknowledged, even with a lower limit for bytes that wait to be written: a client
/// that handles everything at once still acknowledges it some milliseconds later.
const UNACKNOWLEDGED: usize = 64 * 1024 * 1024;

/// The deliveries that may be refused before the first refusal is acknowledged, or `maxDeliveries` if that is more. A
/// client acknowledges after the messages that it has queued.
const REFUSALS: usize = 1 << 16;

/// A client, connected or expected back.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: String,
    pub(super) uuid: String,
    /// The key by which the client resumes it; clients of protocol 1 have none.
    pub(super) key: Option<String>,
    /// The version of the protocol that it speaks.
    pub(super) version: u32,
    /// The client's own count of its connections.
    pub(super) attempt: u32,
    pub(super) sequence: Sequence,
    /// What of its queue is kept by those who sent it.
    pub(super) holds: Holds,
    /// The largest payload that both sides take.
    pub(super) limit: usize,
    pub(super) wire: Wire,
    /// The process behind its connection, or its last one.
    pub(super) peer: Credentials,
    /// Since when it has been connected, or away.
    pub(super) since: Instant,
    /// What of its queue waited already when the client came, in bytes that are still to be written.
    pub(super) waited: usize,
    /// Whether the application was told that too much waits.
    pub(super) blocked: bool,
    /// Whether an acknowledgement is scheduled.
    pub(super) is_acknowledged: bool,
    /// Whether a frame was refused because the server closes: no later one may count either.
    pub(super) refusing: bool,
    /// Deliveries that were refused, one of which the client may not have acknowledged.
    pub(super) refusals: Refusals,
    /// Deliveries that the application has not answered yet.
    pub(super) asked: usize,
}

/// What a session is connected by.
#[derive(Debug)]
pub(super) enum Wire {
    /// Nothing, and until when the client is expected to answer, and to come back.
    Lost { absent: Instant, expired: Instant },
    /// A client of protocol 1 must make its second connection at this listener until then.
    Opening { transport: Transport, listener: ListenerId, until: Instant },
    /// All that it needs.
    Connected(Transport),
}

impl Wire {
    /// The second connection has been made.
    pub(super) fn opened(self, private: ConnectionId) -> Wire {
        match self {
            Wire::Opening { mut transport, .. } => {
                transport.open(private);
                Wire::Connected(transport)
            }
            other => other,
        }
    }
}

/// Deliveries that were refused in a row while the first of them is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: usize,
    /// The sequence number of the first.
    first: u64,
}

impl Refusals {
    /// The frame that is pushed next refuses one.
    pub(super) fn add(&mut self, outbox: &Outbox) {
        if !self.are_open(outbox) {
            *self = Refusals { count: 0, first: outbox.acknowledged() + outbox.len() + 1 };
        }
        self.count += 1;
    }

    fn are_open(&self, outbox: &Outbox) -> bool {
        self.first > outbox.acknowledged()
    }
}

impl Session {
    /// Whether the client is there.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.wire, Wire::Connected(_))
    }

    /// The event that says that the client's connection is gone.
    pub(super) fn disconnected(&self, session: SessionId) -> Event<'_> {
        Event::SessionDisconnected { session, name: &self.name, uuid: &self.uuid }
    }

    /// Whether the client is expected back.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.wire, Wire::Lost { .. })
    }

    /// Whether the client can come back to this session.
    pub(super) fn can_resume(&self) -> bool {
        self.key.is_some()
    }

    /// What its name and its ids take, in bytes. The name is a key as well.
    pub(super) fn texts(&self) -> usize {
        self.name.len() * 2 + self.uuid.len() + self.key.as_ref().map_or(0, String::len)
    }

    /// Whether the client does not read, or does not acknowledge what it reads.
    pub(super) fn is_slow(&self, options: &Options) -> bool {
        let (outbox, limit) = (&self.sequence.outbox, options.slow_consumer_limit);
        if self.refusals.count > options.max_deliveries.max(REFUSALS) && self.refusals.are_open(outbox) {
            return true;
        }
        outbox.unwritten_size().saturating_sub(self.waited) > limit
            || outbox.unacknowledged_size() > limit.max(UNACKNOWLEDGED)
    }

    /// Some of its queue was written. `before` is the number of bytes that were unwritten before.
    pub(super) fn has_written(&mut self, before: usize) {
        self.waited = self.waited.saturating_sub(before - self.sequence.outbox.unwritten_size());
    }

    /// Whether messages may be queued for it.
    pub(super) fn takes_messages(&self) -> bool {
        !matches!(self.wire, Wire::Opening { .. })
    }

    /// Whether nothing is outstanding that closing must wait for.
    pub(super) fn is_idle(&self) -> bool {
        self.sequence.outbox.is_empty() && self.asked == 0 && self.sequence.is_handled()
    }

    /// Whether a frame comes too late for a server that closes. It is not acknowledged, so the client keeps it for
    /// the next server; otherwise a busy client could delay the closing for ever. Answers to outstanding
    /// deliveries are still taken, and everything from clients that can't send it again.
    pub(super) fn refuses(&mut self, kind: Kind) -> bool {
        if !self.can_resume() {
            return false;
        }
        let is_answer = matches!(kind, Kind::Response | Kind::Failure);
        self.refusing |= kind.is_sequenced() && !is_answer;
        self.refusing && kind.is_sequenced() && !is_answer
    }

    /// Deliveries of a client of protocol 1 that are under way, either way.
    pub(super) fn translated_requests(&self) -> usize {
        self.transport().map_or(0, Transport::requests)
    }

    /// Its connections and what reads and writes them, unless they are lost.
    pub(super) fn transport(&self) -> Option<&Transport> {
        match &self.wire {
            Wire::Lost { .. } => None,
            Wire::Opening { transport, .. } | Wire::Connected(transport) => Some(transport),
        }
    }

    /// The same, and its queue.
    pub(super) fn transport_mut(&mut self) -> Option<(&mut Transport, &mut Outbox)> {
        match &mut self.wire {
            Wire::Lost { .. } => None,
            Wire::Opening { transport, .. } | Wire::Connected(transport) => {
                Some((transport, &mut self.sequence.outbox))
            }
        }
    }

    /// Its connections.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        self.transport().map(Transport::connections).into_iter().flatten()
    }

    /// Withdraws deliveries that were not received: their senders have been told so.
    pub(super) fn withdraw_requests(&mut self) {
        self.sequence.outbox.for_each_mut(|bytes| {
            if frame::kind_of(bytes) == Kind::Request {
                frame::turn_into(bytes, Kind::Void);
            }
        });
    }
}
