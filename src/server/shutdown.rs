//! How a server closes: it leaves each client once that has received what waits for it.

use std::time::Instant;

use super::closing::Closing;
use super::session::Session;
use super::{Connection, Server, Timer, Timers};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Event, Events, SessionId};
use crate::protocol::frame::{Frame, Kind};
use crate::protocol::text::Text;

impl Server {
    /// Stops: takes no more connections, and leaves each client once it has received what waits for it.
    /// Complete with [`Event::Closed`].
    pub fn close(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(control) = self.control.take() else { return };
        log!(self.verbose, "SERVER CLOSE", self.options.domain.name(), "{} clients", self.sessions.len());
        self.actions.push_back(Action::StopListening(control));
        self.closing = Some(Closing::default());
        self.timers.set(now + self.options.close_timeout, Timer::Close);
        self.claims.clear();
        self.close_held();
        self.close_connections(|one| matches!(one, Connection::Handshake { .. } | Connection::Claiming { .. }));
        self.leave_all(false, now, events);
    }

    /// It has taken long enough.
    pub(super) fn close_now(&mut self, now: Instant, events: &mut dyn Events) {
        self.abandon_questions();
        self.leave_all(true, now, events);
        self.close_connections(|_| true);
        self.end_closing(events);
    }

    /// Something happened to a client. If the server closes and that was the last thing, it is left.
    pub(super) fn may_be_done(&mut self, id: SessionId) {
        if let Some(closing) = &mut self.closing {
            closing.candidates.push(id);
        }
    }

    /// If the server closes, leaves the clients that something happened to and that have received everything. The others are
    /// not looked at: to each of them something will happen before that is so.
    pub(super) fn close_step(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(closing) = &mut self.closing else { return };
        let candidates = std::mem::take(&mut closing.candidates);
        // Clients of protocol 1 may ask each other still, and this server may wait for answers.
        closing.owes |= !self.relays.is_empty();
        if closing.owes && self.relays.is_empty() {
            self.leave_all(false, now, events);
        } else {
            candidates.into_iter().for_each(|id| self.leave(id, false, now, events));
            self.end_closing(events);
        }
    }

    /// [`Server::close_step`] behind what happened to a connection.
    pub(super) fn close_step_of(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if self.closing.is_none() {
            return;
        }
        if let Some(&Connection::Session(session)) = self.connections.get(&connection) {
            self.may_be_done(session);
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
        let may_leave = force || (session.is_idle() && self.relays.is_empty());
        if !may_leave && !session.is_away() {
            return;
        }
        let last = if may_leave && !force { last_words(session) } else { Vec::new() };
        // The session ends here; its connections stay until the goodbye is written.
        for (connection, _) in &last {
            self.connections.remove(connection);
        }
        self.end_session(id, now, events);
        for (connection, text) in last {
            self.connections.insert(connection, Connection::Ending(text));
            self.schedule.write(connection);
        }
    }

    fn close_connections(&mut self, is_one: impl Fn(&Connection) -> bool) {
        let found: Vec<ConnectionId> =
            (self.connections.iter()).filter(|(_, one)| is_one(one)).map(|(&connection, _)| connection).collect();
        for connection in found {
            self.close_connection(connection);
        }
    }

    fn end_closing(&mut self, events: &mut dyn Events) {
        if self.closing.is_some() && self.sessions.is_empty() && self.connections.is_empty() {
            self.closing = None;
            self.timers = Timers::default();
            self.relays.clear();
            self.report_failed(events);
            events.event(Event::Closed);
        }
    }
}

/// What is still to be written to each connection of a client, the goodbye at the end.
fn last_words(session: &mut Session) -> Vec<(ConnectionId, Text)> {
    session.sequence.acknowledge();
    session.sequence.outbox.push(&Frame::bare(Kind::Goodbye, 0));
    let Some((transport, outbox)) = session.transport_mut() else { return Vec::new() };
    transport.translate(outbox);
    let mut last = Vec::new();
    for connection in transport.connections() {
        let mut text = Text::default();
        loop {
            let bytes = transport.unwritten(connection, outbox);
            if bytes.is_empty() {
                break;
            }
            text.end().extend_from_slice(bytes);
            let count = bytes.len();
            transport.written(connection, count, outbox);
        }
        if !text.is_written() {
            last.push((connection, text));
        }
    }
    last
}
