//! Clients for which more waits than may. One that does not read is dropped; first it is seen whether it reads: what came
//! in one turn may be much, and nothing of it has been written yet.

use std::time::Instant;

use super::{Server, Timer};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Events, SessionId};

impl Server {
    /// Drops the clients for which too much waits, each by itself or those that are away together.
    pub(super) fn drop_slow_consumers(&mut self, now: Instant, events: &mut dyn Events) {
        if self.overflowing.len() > 0 {
            self.look_at_slow(now, events);
        }
        while let Some(id) = self.away.overflowing() {
            self.end_session(id, now, events);
        }
        while self.away.size() > self.options.away_limit
            && let Some(id) = self.away.largest(now)
        {
            self.end_session(id, now, events);
        }
    }

    /// What waits for a client that has come is not held against it: it can't have read that.
    pub(super) fn begins_to_read(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.waited = session.sequence.outbox.unwritten_size();
        }
    }

    fn look_at_slow(&mut self, now: Instant, events: &mut dyn Events) {
        for (id, tried) in std::mem::take(&mut self.overflowing.sessions) {
            let Some(session) = self.sessions.get(&id) else { continue };
            if !session.is_slow(&self.options) {
                session.connections().for_each(|connection| self.hear_on(connection, now, events));
            } else if tried || !session.is_connected() {
                log!(self.verbose, "SERVER SLOW CONSUMER", session.name, "{} bytes", session.sequence.outbox.size());
                self.end_session(id, now, events);
            } else {
                self.overflowing.add(id);
            }
        }
        if self.overflowing.len() > 0 {
            // They are looked at again behind the writing that follows.
            self.timers.set(now, Timer::Overflowing);
        }
    }

    /// The client has read: what it sent behind that comes next.
    fn hear_on(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(bytes) = self.overflowing.forget(connection) {
            self.hear(connection, &bytes, now, events);
            if !self.overflowing.is_unheard(connection) {
                self.actions.push_back(Action::Read(connection));
            }
        }
    }
}
