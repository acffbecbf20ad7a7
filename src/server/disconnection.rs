//! How connections and sessions end, and the server with them.

use std::time::Instant;

use super::away::Traits;
use super::session::{Session, Wire};
use super::{Connection, RECONNECTS_WITHIN, Server, Timer};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Event, Events, SessionId};
use crate::protocol::ProtocolError;

impl Server {
    /// Ends the connection of a client that does not follow the protocol.
    pub(super) fn fail(
        &mut self,
        connection: ConnectionId,
        error: &ProtocolError,
        now: Instant,
        events: &mut dyn Events,
    ) {
        log!(self.verbose, "SERVER ERROR", self.options.domain.name(), "a client sent {error}");
        self.drop_connection(connection, now, events);
    }

    /// Ends a connection of which the driver does not know yet that it has ended. One that was ended by what it sent just
    /// before is closed already.
    pub(super) fn drop_connection(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if !self.connections.contains_key(&connection) {
            return;
        }
        self.actions.push_back(Action::Close(connection));
        self.connection_ended(connection, now, events);
    }

    /// Closes a connection, unless it has ended.
    pub(super) fn close_connection(&mut self, connection: ConnectionId) {
        if self.connections.remove(&connection).is_some() {
            self.actions.push_back(Action::Close(connection));
        }
    }

    pub(super) fn connection_ended(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        match self.connections.remove(&connection) {
            Some(Connection::Handshake { until, .. }) => self.timers.clear(until, Timer::Handshake(connection)),
            Some(Connection::Claiming { until, name, .. }) => {
                self.timers.clear(until, Timer::Handshake(connection));
                self.claims.remove(&name, connection);
            }
            Some(Connection::Session(id)) if self.sessions.get(&id).is_some_and(Session::can_resume) => {
                self.session_lost(id, now, events);
                self.may_be_done(id);
            }
            Some(Connection::Session(id)) => self.end_session(id, now, events),
            Some(Connection::Ending(_)) | None => {}
        }
        self.close_step(now, events);
    }

    /// A client's connection is gone; it may come back.
    pub(super) fn session_lost(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let absent = now + RECONNECTS_WITHIN.min(self.options.resume_timeout);
        let expired = now + self.options.resume_timeout;
        session.wire = Wire::Lost { absent, expired };
        session.since = now;
        self.discovered = None;
        session.blocked = false;
        session.sequence.outbox.shrink();
        session.waited = 0;
        if session.is_slow(&self.options) {
            self.overflowing.add(id);
        }
        let (texts, limit, allowed) = (session.texts(), session.limit, self.options.slow_consumer_limit);
        self.away.add(id, Traits { texts, limit, allowed }, &session.sequence.outbox, now);
        self.timers.set(absent, Timer::Absent(id));
        self.timers.set(expired, Timer::Expired(id));
        log!(
            self.verbose,
            "SERVER DISCONNECT",
            session.name,
            "kept until it is back: {} messages",
            session.sequence.outbox.len()
        );
        events.event(session.disconnected(id));
        let name = session.name.clone();
        self.decide_claims(&name, now, events);
    }

    /// The client leaves for good.
    pub(super) fn goodbye(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(session) = self.sessions.get_mut(&id) {
            // It has received what it wanted to, and acknowledges no more.
            session.sequence.outbox = crate::protocol::outbox::Outbox::default();
        }
        self.end_session(id, now, events);
    }

    /// Ends a session, its connections included. Its name may go to a connection that claims it.
    pub(super) fn end_session(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(session) = self.remove_session(id, events) {
            self.decide_claims(&session.name, now, events);
        }
    }

    /// Waits no longer for a client's second connection.
    pub(super) fn stop_opening(&mut self, session: &Session) {
        let Wire::Opening { transport, listener, until } = &session.wire else { return };
        self.timers.clear(*until, Timer::Handshake(transport.first()));
        if self.listeners.remove(listener).is_some() {
            self.actions.push_back(Action::StopListening(*listener));
        }
    }

    pub(super) fn remove_session(&mut self, id: SessionId, events: &mut dyn Events) -> Option<Session> {
        let mut session = self.sessions.remove(&id)?;
        self.discovered = None;
        let missed = self.away.remove(id);
        self.unfinished.handled(id, None, &mut self.actions);
        let held = session.holds.take();
        self.release(held);
        for connection in session.connections() {
            self.close_connection(connection);
        }
        if let Wire::Lost { absent, expired } = session.wire {
            self.timers.clear(absent, Timer::Absent(id));
            self.timers.clear(expired, Timer::Expired(id));
        }
        self.stop_opening(&session);
        if self.names.get(session.name.as_str()) == Some(&id) {
            self.names.remove(session.name.as_str());
        }
        self.relays_ended(id, &session.name);
        self.held_messages.has_left(&session.name);
        if session.is_connected() {
            events.event(session.disconnected(id));
        }
        let messages = session.sequence.outbox.len() + missed.0;
        log!(self.verbose, "SERVER LEFT", session.name, "messages that did not arrive: {messages}");
        let bytes = session.sequence.outbox.size() + missed.1;
        events.event(Event::SessionEnded { session: id, name: &session.name, messages, bytes });
        Some(session)
    }
}
