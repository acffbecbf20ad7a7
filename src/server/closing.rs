//! How a server closes: it leaves each client once that has received what waits for it.

use std::time::Instant;

use super::session::Wire;
use super::{Connection, Server, Timer, Timers};
use crate::machine::{Action, ConnectionId, Event, Events, SessionId};
use crate::narration::narrate;
use crate::protocol::channel::Channel;
use crate::protocol::frame::{Frame, Kind};

/// How far it has got.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Whether clients still owe each other answers. Until they don't, no client is left.
    owes: bool,
    /// Clients that something was done for, which may have been the last thing.
    looked_for: Vec<SessionId>,
}

impl Server {
    /// Stops: takes no more connections, and leaves each client once it has received what waits for it.
    /// Complete with [`Event::Closed`].
    pub fn close(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(control) = self.control.take() else { return };
        narrate!(self.verbose, "SERVER CLOSE", self.options.domain.name(), "{} clients", self.sessions.len());
        self.actions.push_back(Action::StopListening(control));
        self.closing = Some(Closing::default());
        self.timers.set(now + self.options.close_timeout, Timer::Close);
        self.contenders.clear();
        self.close_parking();
        self.close_connections(|one| matches!(one, Connection::Greeting { .. } | Connection::Contending { .. }));
        self.leave_all(false, now, events);
    }

    /// It has taken long enough.
    pub(super) fn close_now(&mut self, now: Instant, events: &mut dyn Events) {
        self.leave_all(true, now, events);
        self.close_connections(|_| true);
        self.end_closing(events);
    }

    /// Something happened to a client. If the server closes and that was the last thing, it is left.
    pub(super) fn looks_for(&mut self, id: SessionId) {
        if let Some(closing) = &mut self.closing {
            closing.looked_for.push(id);
        }
    }

    /// If the server closes, leaves the clients that something happened to and that have received everything. The others are
    /// not looked at: to each of them something will happen before that is so.
    pub(super) fn close_step(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(closing) = &mut self.closing else { return };
        let looked_for = std::mem::take(&mut closing.looked_for);
        // Clients of protocol 1 may ask each other still.
        closing.owes |= !self.relays.is_empty();
        if closing.owes && self.relays.is_empty() {
            self.leave_all(false, now, events);
        } else {
            looked_for.into_iter().for_each(|id| self.leave(id, false, now, events));
            self.end_closing(events);
        }
    }

    /// [`Server::close_step`] behind what happened to a connection.
    pub(super) fn close_step_of(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if self.closing.is_none() {
            return;
        }
        if let Some(&(Connection::Frames { session, .. } | Connection::Legacy(session))) =
            self.connections.get(&connection)
        {
            self.looks_for(session);
        }
        self.close_step(now, events);
    }

    fn leave_all(&mut self, force: bool, now: Instant, events: &mut dyn Events) {
        loop {
            let owed = !self.relays.is_empty();
            let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
            ids.into_iter().for_each(|id| self.leave(id, force, now, events));
            // Those that were left may have been the last to owe an answer.
            let owes = !self.relays.is_empty();
            if let Some(closing) = &mut self.closing {
                closing.owes = owes;
            }
            if owes == owed {
                return self.end_closing(events);
            }
        }
    }

    /// Leaves a client that is away or has received everything, or in any case.
    fn leave(&mut self, id: SessionId, force: bool, now: Instant, events: &mut dyn Events) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let may_leave = force || (session.is_settled() && self.relays.is_empty());
        match session.wire {
            Wire::Frames(connection) if may_leave && !force => {
                session.link.report();
                session.link.outbox.push(&Frame::bare(Kind::Goodbye, 0));
                let mut last = Channel::new(0);
                while !session.link.outbox.is_written() {
                    let bytes = session.link.outbox.unwritten();
                    last.text.extend_from_slice(bytes);
                    let count = bytes.len();
                    session.link.outbox.advance(count);
                }
                // The session ends here; its connection stays until the goodbye is written.
                self.connections.insert(connection, Connection::Parting(last));
                self.dirty.add(connection);
                session.wire = Wire::Lost { absent: now, expired: now };
                events.event(Event::SessionDisconnected { session: id });
                self.end_session(id, now, events);
            }
            Wire::Frames(_) | Wire::Legacy(_) if !may_leave => {}
            _ => self.end_session(id, now, events),
        }
    }

    fn close_connections(&mut self, is_one: impl Fn(&Connection) -> bool) {
        let found: Vec<ConnectionId> =
            (self.connections.iter()).filter(|(_, one)| is_one(one)).map(|(&connection, _)| connection).collect();
        for connection in found {
            self.connections.remove(&connection);
            self.actions.push_back(Action::Close(connection));
        }
    }

    fn end_closing(&mut self, events: &mut dyn Events) {
        if self.closing.is_some() && self.sessions.is_empty() && self.connections.is_empty() {
            self.closing = None;
            self.timers = Timers::default();
            self.relays.clear();
            events.event(Event::Closed);
        }
    }
}
