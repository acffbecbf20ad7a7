//! A client as its driver sees it.

use std::time::Instant;

use super::schedule::Connection;
use super::{Client, SERVER, State};
use crate::error::Error;
use crate::machine::{Action, ConnectionId, Credentials, Event, Events, ListenerId, Machine, SessionId};
use crate::sequence::Receipt;
use crate::time_limits::EXPIRED_AT_ONCE;
use crate::transport::Transport;

impl Machine for Client {
    fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn opened(&mut self, connection: ConnectionId, peer: Credentials, now: Instant, events: &mut dyn Events) {
        if !self.is_current(connection) {
            return;
        }
        match &self.state {
            State::Connecting(_) => {
                if let Err(error) = self.options.trust.check(peer, "server") {
                    self.refuse(connection, error, now, events);
                } else {
                    self.greet(connection, now);
                }
            }
            State::Opening(_) => {
                if let State::Opening(mut transport) = std::mem::replace(&mut self.state, State::Idle) {
                    transport.open(connection);
                    self.state = State::Connected(transport);
                }
                self.restart();
                self.connected(events);
            }
            _ => {}
        }
    }

    fn accepted(&mut self, _: ListenerId, _: Credentials, _: Instant, _: &mut dyn Events) -> Option<ConnectionId> {
        None
    }

    fn listening_failed(&mut self, _: ListenerId, _: Instant, _: &mut dyn Events) {}

    fn appeared(&mut self) {
        self.look_again();
    }

    fn read_into(&mut self, connection: ConnectionId) -> Option<&mut Vec<u8>> {
        match &mut self.state {
            State::Connected(transport) | State::Closing(transport, _) if transport.has(connection) => transport.rest(),
            _ => None,
        }
    }

    fn received(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant, events: &mut dyn Events) {
        if !self.is_current(connection) {
            return;
        }
        if let Err(error) = self.read(connection, bytes, now, events) {
            self.fail(connection, &error, now, events);
        }
    }

    fn connect_failed(&mut self, connection: ConnectionId, error: Error, now: Instant, events: &mut dyn Events) {
        if self.is_current(connection) {
            self.not_connected(connection, error, now, events);
        }
    }

    fn lost(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        let was_greeting = matches!(self.state, State::Handshake(_));
        if matches!(self.state, State::Leaving(..)) {
            self.close_others(connection);
            self.left(events);
        } else if self.is_started() {
            self.disconnected(connection, now, events);
            if was_greeting {
                self.waits(self.turned_away(), events);
            }
        }
    }

    fn prepare(&mut self, now: Instant, events: &mut dyn Events) {
        self.acknowledge_translated(now, events);
        // What was given up need not be waited for.
        self.close_if_done(events);
        if self.full && self.is_active() && self.kept() <= self.options.queue_limit / 2 {
            self.full = false;
            events.event(Event::Drained { session: SERVER });
        }
    }

    fn next_write(&mut self) -> Option<ConnectionId> {
        if self.schedule.next()? == Connection::Second {
            return self.state.transport().and_then(Transport::second);
        }
        match &mut self.state {
            State::Handshake(handshake) => Some(handshake.connection),
            State::Connected(transport) | State::Closing(transport, _) => {
                if self.schedule.acknowledges(self.sequence.unacknowledged()) {
                    self.sequence.acknowledge();
                }
                transport.translate(&mut self.sequence.outbox);
                Some(transport.first())
            }
            State::Leaving(transport, _) => Some(transport.first()),
            _ => None,
        }
    }

    fn unwritten(&self, connection: ConnectionId) -> &[u8] {
        match &self.state {
            State::Handshake(handshake) => handshake.channel.text.unwritten(),
            State::Connected(transport) | State::Closing(transport, _) | State::Leaving(transport, _) => {
                transport.unwritten(connection, &self.sequence.outbox)
            }
            _ => &[],
        }
    }

    fn written(&mut self, connection: ConnectionId, count: usize, now: Instant, events: &mut dyn Events) {
        match &mut self.state {
            State::Handshake(handshake) => handshake.channel.text.advance(count),
            State::Connected(transport) | State::Closing(transport, _) => {
                transport.written(connection, count, &mut self.sequence.outbox);
                self.acknowledge_translated(now, events);
            }
            State::Leaving(transport, _) => {
                transport.written(connection, count, &mut self.sequence.outbox);
                self.leave_if_written(events);
            }
            _ => {}
        }
    }

    fn handled(&mut self, _: SessionId, receipt: Receipt, now: Instant) {
        self.sequence.handled(receipt);
        if self.is_connected() {
            self.schedule.acknowledge(self.sequence.unacknowledged(), now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Waiting(until) | State::Closing(_, until) | State::Leaving(_, until) => Some(*until),
            State::Handshake(handshake) => Some(handshake.patient_until.unwrap_or(handshake.until)),
            _ => None,
        };
        [state, self.schedule.deadline(), self.deliveries.limits().first()].into_iter().flatten().min()
    }

    fn elapsed(&mut self, now: Instant, events: &mut dyn Events) {
        if self.schedule.elapsed(now) && self.is_connected() && self.sequence.unacknowledged() > 0 {
            self.schedule.write();
        }
        if let State::Handshake(handshake) = &mut self.state
            && handshake.patient_until.take_if(|until| *until <= now).is_some()
        {
            self.waits(self.not_answered(), events);
        }
        match &self.state {
            State::Waiting(until) if *until <= now => self.attempt(),
            State::Handshake(handshake) if handshake.until <= now => {
                let connection = handshake.connection;
                self.actions.push_back(Action::Close(connection));
                self.disconnected(connection, now, events);
                self.waits(self.not_answered(), events);
            }
            // The server does not read. It notices the end nevertheless.
            State::Leaving(transport, until) if *until <= now => {
                self.actions.extend(transport.connections().map(Action::Close));
                self.left(events);
            }
            _ => {}
        }
        self.expire(now, events);
        if matches!(&self.state, State::Closing(_, until) if *until <= now) {
            self.stop(events);
        }
    }
}

impl Client {
    /// Ends deliveries whose time is over, and no more at once than other work can wait for.
    fn expire(&mut self, now: Instant, events: &mut dyn Events) {
        for _ in 0..EXPIRED_AT_ONCE {
            let Some(request) = self.deliveries.limits().due(now) else { return };
            self.cancel(request);
            events.event(Event::TimedOut { request });
        }
    }
}
