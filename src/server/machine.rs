//! A server as its driver sees it.

use std::time::Instant;

use super::{Connection, Server, Timer};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Credentials, Event, Events, ListenerId, Machine, SessionId};
use crate::sequence::Receipt;

impl Machine for Server {
    fn next_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if let Some(Action::Close(connection)) = action {
            self.unfinished.forget(connection, &mut self.actions);
            self.overflowing.forget(connection);
        }
        action
    }

    fn opened(&mut self, _: ConnectionId, _: Credentials, _: Instant, _: &mut dyn Events) {}

    fn accepted(
        &mut self,
        listener: ListenerId,
        peer: Credentials,
        now: Instant,
        events: &mut dyn Events,
    ) -> Option<ConnectionId> {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        if self.listeners.contains_key(&listener) {
            return self.accept_private(listener, connection, peer, now, events);
        }
        self.control.filter(|&control| control == listener)?;
        self.accept_control(connection, peer, now);
        Some(connection)
    }

    fn relistened(&mut self, events: &mut dyn Events) {
        log!(self.verbose, "SERVER RELISTEN", self.options.domain.name(), "at {}", self.path().display());
        events.event(Event::Relistened);
    }

    fn displaced(&mut self, events: &mut dyn Events) {
        log!(self.verbose, "SERVER DISPLACED", self.options.domain.name(), "from {}", self.path().display());
        events.event(Event::Displaced);
    }

    fn listening_failed(&mut self, listener: ListenerId, now: Instant, events: &mut dyn Events) {
        if let Some(id) = self.listeners.remove(&listener) {
            self.end_session(id, now, events);
        }
    }

    fn may_read(&mut self, connection: ConnectionId) -> bool {
        !self.overflowing.is_unheard(connection) && self.unfinished.may_read(connection)
    }

    fn read_into(&mut self, connection: ConnectionId) -> Option<&mut Vec<u8>> {
        match self.connections.get(&connection) {
            Some(Connection::Session(id)) => self.sessions.get_mut(id)?.transport_mut()?.0.rest(),
            _ => None,
        }
    }

    fn received(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant, events: &mut dyn Events) {
        if self.overflowing.is_unheard(connection) {
            return self.overflowing.hear_later(connection, bytes);
        }
        self.hear(connection, bytes, now, events);
        self.close_step_of(connection, now, events);
    }

    fn lost(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(bytes) = self.overflowing.forget(connection) {
            self.hear(connection, &bytes, now, events);
            self.overflowing.forget(connection);
            // It has ended already, whatever it sent.
            self.actions.retain(|action| *action != Action::Close(connection));
        }
        self.unfinished.forget(connection, &mut self.actions);
        self.connection_ended(connection, now, events);
    }

    fn prepare(&mut self, now: Instant, events: &mut dyn Events) {
        self.drop_slow_consumers(now, events);
        self.report_failed(events);
        self.close_step(now, events);
        if let Some(at) = self.unfinished.alarm(now) {
            self.timers.set(at, Timer::Unfinished);
        }
        self.report_dropped(events);
    }

    fn next_write(&mut self) -> Option<ConnectionId> {
        loop {
            self.acknowledge();
            while let Some(connection) = self.schedule.next() {
                if self.has_unwritten(connection) {
                    return Some(connection);
                }
            }
            if !self.schedule.end() {
                return None;
            }
        }
    }

    fn unwritten(&self, connection: ConnectionId) -> &[u8] {
        match self.connections.get(&connection) {
            Some(Connection::Handshake { channel, .. } | Connection::Claiming { channel, .. }) => {
                channel.text.unwritten()
            }
            Some(Connection::Ending(text)) => text.unwritten(),
            Some(Connection::Session(id)) => {
                let Some(session) = self.sessions.get(id) else { return &[] };
                session.transport().map_or(&[], |transport| transport.unwritten(connection, &session.sequence.outbox))
            }
            None => &[],
        }
    }

    fn written(&mut self, connection: ConnectionId, count: usize, now: Instant, events: &mut dyn Events) {
        match self.connections.get_mut(&connection) {
            Some(Connection::Handshake { channel, .. } | Connection::Claiming { channel, .. }) => {
                channel.text.advance(count)
            }
            Some(Connection::Ending(text)) => {
                text.advance(count);
                if text.is_written() {
                    self.close_connection(connection);
                }
            }
            Some(&mut Connection::Session(id)) => self.written_to(id, connection, count, events),
            None => {}
        }
        self.close_step_of(connection, now, events);
    }

    fn handled(&mut self, id: SessionId, receipt: Receipt, _: Instant) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.sequence.handled(receipt);
            self.unfinished.handled(id, Some(receipt), &mut self.actions);
            self.schedule.acknowledge(id, session);
            self.may_be_done(id);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        [self.timers.next(), self.questions.limits.first()].into_iter().flatten().min()
    }

    fn elapsed(&mut self, now: Instant, events: &mut dyn Events) {
        while let Some(timer) = self.timers.take(now) {
            match timer {
                Timer::Handshake(connection) => self.handshake_elapsed(connection, now, events),
                Timer::Absent(id) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        let name = session.name.clone();
                        session.withdraw_requests();
                        self.relays_ended(id, &name);
                    }
                }
                Timer::Expired(id) => self.end_session(id, now, events),
                Timer::Started => self.give_up_held(),
                Timer::Unfinished => self.end_stalled(now, events),
                // Looked at with all that has too much, once what was read is dealt with.
                Timer::Overflowing => {}
                Timer::Close => self.close_now(now, events),
            }
        }
        self.expire_questions(now, events);
    }
}
